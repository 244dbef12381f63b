// Implements TensorMaps.h.
#include "compiler/cuda/TensorMaps.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

constexpr int64_t kMostElements = 256; ///< of a box along one dimension
constexpr int64_t kMostRank = 5;

Value bufferOf(Operation *load) {
  if (auto pages = dyn_cast<tile::LoadPagesOp>(load))
    return pages.getPool();
  return cast<tile::LoadOp>(load).getBuffer();
}

/// The box of one block of columns, outermost dimension first, without that of the columns.
SmallVector<int64_t> boxRows(Operation *load) {
  auto tile = cast<RankedTensorType>(load->getResult(0).getType());
  if (auto pages = dyn_cast<tile::LoadPagesOp>(load))
    return {1, 1, std::min(pageTokens(pages), tile.getShape()[0])};
  return SmallVector<int64_t>(tile.getShape().drop_back());
}

/// The place of a buffer among the kernel's buffers.
unsigned numberOf(Value buffer, tile::KernelOp kernel) {
  unsigned number = 0;
  for (BlockArgument argument : kernel.entry().getArguments()) {
    if (argument == buffer)
      break;
    number += isa<MemRefType>(argument.getType());
  }
  return number;
}

unsigned add(const TensorMap &map, std::vector<TensorMap> &maps) {
  auto same = llvm::find(maps, map);
  auto number = static_cast<unsigned>(same - maps.begin());
  if (same == maps.end())
    maps.push_back(map);
  return number;
}

} // namespace

bool cuda::isBoxable(Operation *load) {
  if (!load || !isa<tile::LoadOp, tile::LoadPagesOp>(load))
    return false;
  if (auto pages = dyn_cast<tile::LoadPagesOp>(load); pages && pages.getTokens() != 0)
    return false;
  auto tile = cast<RankedTensorType>(load->getResult(0).getType());
  auto buffer = cast<MemRefType>(bufferOf(load).getType());
  Type element = tile.getElementType();
  SmallVector<int64_t> strides;
  int64_t start;
  if (!(element.isBF16() || element.isF16()) || buffer.getElementType() != element ||
      !tile.hasStaticShape() || tile.getRank() < 2 || buffer.getRank() > kMostRank ||
      (isa<tile::LoadOp>(load) && buffer.getRank() != tile.getRank()) ||
      failed(buffer.getStridesAndOffset(strides, start)) || start != 0 ||
      llvm::any_of(strides, ShapedType::isDynamic))
    return false;
  for (int64_t stride : ArrayRef(strides).drop_back())
    if (stride * 2 % 16 != 0)
      return false;
  int64_t columns = tile.getShape().back(), rows = tile.getNumElements() / columns;
  SmallVector<int64_t> box = boxRows(load);
  return layout::SharedTile::swizzled(static_cast<int>(rows), static_cast<int>(columns * 2)) &&
         llvm::all_of(box, [](int64_t size) { return size <= kMostElements; }) &&
         llvm::product_of(box) % 8 == 0;
}

FailureOr<BoxedTile> cuda::planBoxes(Operation *load, std::vector<TensorMap> &maps) {
  if (!isBoxable(load))
    return load->emitOpError() << "cannot be copied by boxes";
  auto tile = cast<RankedTensorType>(load->getResult(0).getType());
  auto buffer = cast<MemRefType>(bufferOf(load).getType());
  int64_t columns = tile.getShape().back(), rows = tile.getNumElements() / columns;
  layout::SharedTile memory =
      *layout::SharedTile::swizzled(static_cast<int>(rows), static_cast<int>(columns * 2));
  SmallVector<int64_t> strides;
  int64_t start;
  (void)buffer.getStridesAndOffset(strides, start);

  TensorMap map;
  map.buffer = numberOf(bufferOf(load), load->getParentOfType<tile::KernelOp>());
  map.isBfloat = tile.getElementType().isBF16();
  map.swizzle = static_cast<uint32_t>(memory.span());
  SmallVector<int64_t> box = boxRows(load);
  box.push_back(memory.span() / 2);
  for (size_t dimension = box.size(); dimension-- > 0;) {
    int64_t extent = buffer.getShape()[dimension];
    map.extents.push_back(ShapedType::isDynamic(extent) ? 0 : extent);
    map.strides.push_back(strides[dimension] * 2);
    map.box.push_back(static_cast<uint32_t>(box[dimension]));
  }
  box.pop_back();
  return BoxedTile{load->getResult(0), memory, add(map, maps), llvm::product_of(box)};
}

unsigned cuda::planBlocks(tile::LoadOp load, int64_t rows, int64_t blocks,
                          std::vector<TensorMap> &maps) {
  constexpr int64_t kBlock = 64; // elements
  auto buffer = cast<MemRefType>(load.getBuffer().getType());
  ArrayRef<int64_t> shape = buffer.getShape();
  TensorMap map;
  map.buffer = numberOf(load.getBuffer(), load->getParentOfType<tile::KernelOp>());
  map.isBfloat = buffer.getElementType().isBF16();
  map.swizzle = 2 * kBlock;
  map.extents = {kBlock, shape[0], shape[1] / kBlock};
  map.strides = {2, shape[1] * 2, kBlock * 2};
  map.box = {kBlock, static_cast<uint32_t>(rows), static_cast<uint32_t>(blocks)};
  return add(map, maps);
}

unsigned cuda::planStoreBoxes(tile::StoreOp store, int64_t rows, const layout::SharedTile &memory,
                              std::vector<TensorMap> &maps) {
  auto buffer = cast<MemRefType>(store.getBuffer().getType());
  SmallVector<int64_t> strides;
  int64_t start;
  (void)buffer.getStridesAndOffset(strides, start);
  TensorMap map;
  map.buffer = numberOf(store.getBuffer(), store->getParentOfType<tile::KernelOp>());
  map.isBfloat = buffer.getElementType().isBF16();
  map.swizzle = static_cast<uint32_t>(memory.span());
  int64_t outer = buffer.getShape()[0];
  map.extents = {buffer.getShape()[1], ShapedType::isDynamic(outer) ? 0 : outer};
  map.strides = {strides[1] * 2, strides[0] * 2};
  map.box = {static_cast<uint32_t>(memory.span() / 2), static_cast<uint32_t>(rows)};
  return add(map, maps);
}

LogicalResult cuda::printBoxes(const BoxedTile &tile, const Names &names, UniqueNames &unique,
                               StringRef to, StringRef barrier, CodeText &ahead, CodeText &out) {
  Operation *load = tile.tensor.getDefiningOp();
  ElementPrinter elements(ElementScope{names, unique, ahead, ahead});
  int64_t block = tile.memory.span() / 2, blocks = tile.memory.rowBytes() / tile.memory.span();
  int64_t blockBytes = int64_t(tile.memory.rows()) * tile.memory.span();
  std::string map = "map" + std::to_string(tile.map);
  std::string target = to.str() + " + c * " + std::to_string(blockBytes);
  auto copies = [&](const std::string &where, const std::string &coordinates) {
    out.openUnrolled("c", blocks);
    out.line("copyBox(" + where + ", " + map + ", " + barrier + ", " + coordinates + ");");
    out.close();
  };
  if (auto plain = dyn_cast<tile::LoadOp>(load)) {
    std::string coordinates;
    for (Value offset : llvm::reverse(plain.getOffsets())) {
      FailureOr<std::string> value = elements.scalar(offset);
      if (failed(value))
        return failure();
      bool innermost = coordinates.empty();
      coordinates += innermost ? (*value == "0" ? "" : "int(" + *value + ") + ") + "c * " +
                                     std::to_string(block)
                               : ", int(" + *value + ")";
    }
    out.open("if (lane == 0)");
    copies(target, coordinates);
    out.close();
    return success();
  }
  // A lane for each page of the tile; pages at and beyond the end are not followed.
  auto pages = cast<tile::LoadPagesOp>(load);
  int64_t page = pageTokens(pages);
  int64_t count = tile.memory.rows() / tile.boxRows;
  FailureOr<std::string> table = elements.scalar(pages.getTable()),
                         first = elements.scalar(pages.getFirst()),
                         head = elements.scalar(pages.getHead()),
                         position = elements.scalar(pages.getPosition()),
                         end = elements.scalar(pages.getEnd());
  if (failed(table) || failed(first) || failed(head) || failed(position) || failed(end))
    return failure();
  std::string number = unique.fresh("page"), size = std::to_string(page);
  std::string place = "int(" + *position + ") / " + size,
              last = "(int(" + *end + ") - 1) / " + size;
  ahead.line("const int " + number + " = " + *table + "[" + *first + " + max(0, min(" + place +
             (count == 1 ? "" : " + lane") + ", " + last + "))];");
  std::string inPage = tile.boxRows < page ? "int(" + *position + ") % " + size : "0";
  std::string row =
      count == 1 ? "" : " + lane * " + std::to_string(tile.boxRows * tile.memory.span());
  out.open(count == 1 ? Twine("if (lane == 0)") : Twine("if (lane < " + Twine(count) + ")"));
  copies(target + row,
         "c * " + std::to_string(block) + ", " + inPage + ", int(" + *head + "), " + number);
  out.close();
  return success();
}
