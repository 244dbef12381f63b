// Where elements lie in memory, and reading them in vectors of 16 bytes where they are contiguous,
// aligned and valid together.
#include "compiler/cuda/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

int64_t Address::contiguous(int64_t wanted) const {
  if (lane != Coordinate::Contiguous || !isa<FloatType>(element))
    return 1;
  int64_t count = std::min(wanted, 16 / storageBytes(element));
  while (count > 1 && multiple % count != 0)
    count /= 2;
  return count;
}

CodeText &ElementPrinter::sink(const Coordinates &at) {
  for (const Coordinate &coordinate : at)
    if (coordinate.lane != Coordinate::Fixed)
      return scope.element;
  return scope.chunk;
}

FailureOr<std::string> ElementPrinter::scalar(Value value) {
  if (Attribute constant; matchPattern(value, m_Constant(&constant)))
    return constantText(constant);
  if (auto found = scope.names.find(value); found != scope.names.end())
    return found->second;
  return emitError(value.getLoc()) << "a scalar of type " << value.getType()
                                   << " is used where the kernel's text does not have it";
}

FailureOr<Coordinate> ElementPrinter::index(Value value) {
  if (IntegerAttr constant; matchPattern(value, m_Constant(&constant)))
    return Coordinate::of(constant.getInt());
  FailureOr<std::string> text = scalar(value);
  if (failed(text))
    return failure();
  Coordinate result;
  result.base = *text;
  result.multiple = knownMultiple(value);
  return result;
}

FailureOr<Address> ElementPrinter::address(Operation *op, Value buffer, ValueRange offsets,
                                           Value rows, ArrayRef<int64_t> tile,
                                           const Coordinates &at) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> strides;
  int64_t start;
  if (failed(type.getStridesAndOffset(strides, start)) || start != 0 ||
      llvm::any_of(strides, ShapedType::isDynamic))
    return op->emitOpError() << "accesses " << type << ", whose strides are not constant";
  FailureOr<std::string> name = scalar(buffer);
  if (failed(name))
    return failure();
  Address result{*name, "", scope.guard, Coordinate::Fixed, 0, type.getElementType()};
  Coordinate offset = Coordinate::of(0);
  size_t leading = type.getRank() - at.size();
  for (auto [dimension, value] : llvm::enumerate(offsets)) {
    FailureOr<Coordinate> origin = index(value);
    if (failed(origin))
      return failure();
    Coordinate coordinate = *origin;
    if (dimension >= leading) {
      const Coordinate &inside = at[dimension - leading];
      coordinate = added(inside, *origin);
      int64_t size = type.getShape()[dimension], extent = tile[dimension - leading];
      bool fits = ShapedType::isDynamic(size) ||
                  (origin->constant && *origin->constant + std::min(extent, inside.high) <= size) ||
                  (size % extent == 0 && origin->multiple % extent == 0 && !origin->constant);
      if (dimension == leading && rows) {
        FailureOr<std::string> bound = scalar(rows);
        if (failed(bound))
          return failure();
        result.guard = both(result.guard, inside.text() + " < " + *bound);
      }
      if (!fits) {
        bool whole = coordinate.lane == Coordinate::Contiguous && size % scope.vector == 0 &&
                     coordinate.multiple % scope.vector == 0;
        result.guard = both(result.guard, (whole ? coordinate.base : coordinate.text()) + " < " +
                                              std::to_string(size));
        if (coordinate.lane == Coordinate::Contiguous && !whole) {
          coordinate.base = coordinate.text();
          coordinate.lane = Coordinate::Folded;
          coordinate.multiple = 1;
        }
      }
    }
    offset = added(offset, scaled(coordinate, strides[dimension]));
  }
  result.offset = offset.base;
  result.lane = offset.lane;
  result.multiple = offset.multiple;
  return result;
}

FailureOr<Address> ElementPrinter::address(tile::LoadOp load, const Coordinates &at) {
  return address(load, load.getBuffer(), load.getOffsets(), load.getRows(),
                 cast<RankedTensorType>(load.getType()).getShape(), at);
}

FailureOr<Address> ElementPrinter::address(tile::StoreOp store, const Coordinates &at) {
  return address(store, store.getBuffer(), store.getOffsets(), store.getRows(),
                 cast<RankedTensorType>(store.getValue().getType()).getShape(), at);
}

int64_t cuda::pageTokens(tile::LoadPagesOp load) {
  return cast<MemRefType>(load.getPool().getType()).getShape()[2 + load.getTokens()];
}

bool cuda::isInOnePage(tile::LoadPagesOp load) {
  int64_t tokens = cast<RankedTensorType>(load.getType()).getShape()[load.getTokens()];
  return pageTokens(load) % tokens == 0;
}

std::string cuda::pageEntry(StringRef table, StringRef first, StringRef position, int64_t page) {
  return (table + "[" + first + " + (unsigned)" + position + " / " + Twine(page) + "]").str();
}

FailureOr<Address> ElementPrinter::address(tile::LoadPagesOp load, const Coordinates &at) {
  auto pool = cast<MemRefType>(load.getPool().getType());
  SmallVector<int64_t> strides;
  int64_t start;
  if (failed(pool.getStridesAndOffset(strides, start)) ||
      llvm::any_of(strides, ShapedType::isDynamic))
    return load.emitOpError() << "reads a pool " << pool << ", whose strides are not constant";
  int64_t tokens = load.getTokens(), page = pageTokens(load);
  FailureOr<std::string> name = scalar(load.getPool()), table = scalar(load.getTable()),
                         first = scalar(load.getFirst());
  FailureOr<Coordinate> head = index(load.getHead()), position = index(load.getPosition());
  if (failed(name) || failed(table) || failed(first) || failed(head) || failed(position))
    return failure();
  // The position names the page of a tile in one page, whatever the row.
  int64_t tileTokens = cast<RankedTensorType>(load.getType()).getShape()[tokens];
  bool onePage = isInOnePage(load);
  Coordinate key = onePage ? *position : added(at[tokens], *position);
  Address result{*name, "", scope.guard, Coordinate::Fixed, 0, pool.getElementType()};
  if (!onePage) {
    // Entries of the block table at and beyond `end` must not be followed.
    FailureOr<std::string> end = scalar(load.getEnd());
    if (failed(end))
      return failure();
    result.guard = both(result.guard, key.text() + " < " + *end);
  }
  std::string entry = scope.page ? scope.page(load) : "";
  if (entry.empty()) {
    std::string &before = known[keyOf(load.getTable(), {key}) + keyOf(load.getFirst(), {})];
    if (before.empty()) {
      before = scope.unique.fresh("page");
      std::string access = pageEntry(*table, *first, key.text(), page);
      bool isGuarded = !onePage && !result.guard.empty();
      sink({key}).line("const long long " + before + " = " +
                       (isGuarded ? result.guard + " ? " + access + " : 0" : access) + ";");
    }
    entry = before;
  }
  Coordinate slot = at[tokens];
  if (!onePage || tileTokens < page) {
    slot = Coordinate::variable("((unsigned)" + key.text() + " % " + std::to_string(page) + ")", 0,
                                page, onePage ? tileTokens : 1);
    slot.lane = key.lane == Coordinate::Fixed ? Coordinate::Fixed : Coordinate::Folded;
    if (onePage)
      slot = added(at[tokens], slot);
  }
  Coordinate number = Coordinate::variable(entry, 0, std::numeric_limits<int32_t>::max());
  number.lane = key.lane == Coordinate::Fixed ? Coordinate::Fixed : Coordinate::Folded;
  Coordinate offset = scaled(number, strides[0]);
  offset = added(offset, scaled(*head, strides[1]));
  offset = added(offset, scaled(slot, strides[2 + tokens]));
  offset = added(offset, scaled(at[1 - tokens], strides[3 - tokens]));
  result.offset = offset.base;
  result.lane = offset.lane;
  result.multiple = offset.multiple;
  return result;
}

FailureOr<std::string> ElementPrinter::read(const Address &address) {
  std::string type = storageType(address.element), registers = registerType(address.element);
  auto guarded = [&](std::string value, StringRef otherwise) {
    return address.guard.empty()
               ? value
               : "(" + address.guard + " ? " + value + " : " + otherwise.str() + ")";
  };
  std::string zero = registers == "float" ? "0.0f" : "0";
  if (address.lane == Coordinate::Fixed) {
    std::string name = scope.unique.fresh("x");
    scope.chunk.line(
        "const " + registers + " " + name + " = " +
        guarded(widened(address.element, address.buffer + "[" + address.offset + "]"), zero) + ";");
    return name;
  }
  int64_t count = address.contiguous(scope.vector);
  if (count < 2 || scope.vector % count != 0) {
    std::string name = scope.unique.fresh("x");
    std::string offset = address.offset + (address.lane == Coordinate::Contiguous ? " + j" : "");
    scope.element.line(
        "const " + registers + " " + name + " = " +
        guarded(widened(address.element, address.buffer + "[" + offset + "]"), zero) + ";");
    return name;
  }
  // A chunk wider than 16 bytes is read in parts that lie in one array.
  std::string vectorType = "Vector<" + type + ", " + std::to_string(count) + ">";
  if (scope.loaded && count == scope.vector && address.guard.empty())
    if (auto before = scope.loaded(address, vectorType,
                                   "load<" + std::to_string(count) + ">(" + address.buffer +
                                       " + " + address.offset + ")"))
      return *before + ".get(j)";
  std::string name = scope.unique.fresh("x");
  int64_t parts = scope.vector / count;
  std::string list;
  for (int64_t part = 0; part < parts; ++part) {
    std::string offset = address.offset + (part ? " + " + std::to_string(part * count) : "");
    std::string load =
        "load<" + std::to_string(count) + ">(" + address.buffer + " + " + offset + ")";
    list += (part ? ", " : "") + guarded(load, vectorType + "{}");
  }
  if (parts == 1) {
    scope.chunk.line("const " + vectorType + " " + name + " = " + list + ";");
    return name + ".get(j)";
  }
  scope.chunk.line("const " + vectorType + " " + name + "[" + std::to_string(parts) + "] = {" +
                   list + "};");
  std::string width = std::to_string(count);
  return name + "[j / " + width + "].get(j % " + width + ")";
}
