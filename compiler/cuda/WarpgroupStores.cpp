// Results by way of shared memory, swizzled, so that whole rows of them go out together.
//
// A plain tile goes by TMA: a warpgroup writes its 64 rows, and one of its threads starts their
// copy, which runs while the next item's products do. A tile of only some rows goes where the
// item's queries were, which nothing reads any more, and from there in vectors, row by row.
#include "compiler/cuda/WarpgroupsPrinter.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

constexpr int64_t kRows = 64; ///< of a warpgroup
constexpr int kVector = 8;    ///< elements of 16 bits that move together

/// Whether all of a tile is written, rows of a 16-bit type at constant strides.
bool isWhole(tile::StoreOp op) {
  auto tile = cast<RankedTensorType>(op.getValue().getType());
  auto buffer = cast<MemRefType>(op.getBuffer().getType());
  SmallVector<int64_t> strides;
  int64_t start;
  return !op.getRows() && isa<BlockArgument>(op.getBuffer()) && tile.getRank() == 2 &&
         buffer.getRank() == 2 && tile.getElementType() == buffer.getElementType() &&
         (tile.getElementType().isBF16() || tile.getElementType().isF16()) &&
         succeeded(buffer.getStridesAndOffset(strides, start)) && start == 0 &&
         !ShapedType::isDynamic(strides[0]) && strides[1] == 1 && strides[0] * 2 % 16 == 0 &&
         buffer.getShape()[1] % tile.getShape()[1] == 0;
}

} // namespace

void WarpgroupsPrinter::planStores() {
  for (auto op : context.kernel.entry().getOps<tile::StoreOp>()) {
    auto type = cast<RankedTensorType>(op.getValue().getType());
    for (const auto &[tensor, tile] : ringTiles)
      if (rings[tile.ring].wholeItem && tensor.getType() == type && isMatrix(type))
        slotStores.insert({op, tensor});
    if (boxedStore || !isWhole(op) || !isMatrix(type))
      continue;
    storeTile = layout::SharedTile::swizzled(kRows, static_cast<int>(type.getShape()[1] * 2));
    if (!storeTile)
      continue;
    boxedStore = op;
    storeMap = planStoreBoxes(op, kRows, *storeTile, context.tensorMaps);
  }
}

LogicalResult WarpgroupsPrinter::store(tile::StoreOp op) {
  if (!itemRing)
    return storeTileOf(op);
  // Addresses are worked out here, behind the loops, which need the registers.
  text.open();
  text.line("const int thread = threadAgain(), lane = thread % 32, warp = thread / 32, warpgroup = "
            "warp / 4;");
  text.line("(void)lane, (void)warp, (void)warpgroup;");
  SmallVector<Value> places(op.getOffsets());
  if (op.getRows())
    places.push_back(op.getRows());
  if (failed(computeAgain(places)))
    return failure();
  // Places in memory need 64 bits.
  for (Value offset : op.getOffsets())
    if (auto name = context.names.find(offset); name != context.names.end())
      name->second = "(long long)" + name->second;
  LogicalResult result = storeTileOf(op);
  text.close();
  return result;
}

LogicalResult WarpgroupsPrinter::storeTileOf(tile::StoreOp op) {
  if (Value tile = slotStores.lookup(op); tile && op != boxedStore)
    return storeBySlot(op, tile);
  if (op != boxedStore)
    return FragmentsPrinter::store(op);
  ElementPrinter scalars(ElementScope{context.names, context.unique, text, text});
  FailureOr<std::string> row = scalars.scalar(op.getOffsets()[0]),
                         column = scalars.scalar(op.getOffsets()[1]);
  if (failed(row) || failed(column))
    return failure();

  std::string base = context.unique.fresh("staged");
  std::string barrier = "syncNamed(" + std::to_string(kOwnBarrier) + " + warpgroup, 128);";
  text.line("const u32 " + base + " = tiles + " + Twine(storeOffset) + " + warpgroup * " +
            Twine(storeTile->bytes()) + ";");
  // What was there before has been read.
  text.line("if (thread % 128 == 0)");
  text.line("  awaitStoresRead();");
  text.line(barrier);
  if (failed(writeShared(op.getValue(), *storeTile, base, "row % " + std::to_string(kRows))))
    return failure();
  text.line("publishShared();");
  text.line(barrier);
  text.open("if (thread % 128 == 0)");
  int64_t blocks = storeTile->rowBytes() / storeTile->span();
  text.openUnrolled("c", blocks);
  text.line("storeBox(map" + Twine(storeMap) + ", " + base + " + c * " +
            Twine(kRows * storeTile->span()) + ", int(" + *column + ") + c * " +
            Twine(storeTile->span() / 2) + ", int(" + *row + ") + warpgroup * " + Twine(kRows) +
            ");");
  text.close();
  text.line("commitStores();");
  text.close();
  return success();
}

/// Writes a held matrix of a 16-bit type into a tile at `base`; `inTile` is the place of row `row`.
LogicalResult WarpgroupsPrinter::writeShared(Value value, const layout::SharedTile &tile,
                                             StringRef base, StringRef inTile) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t columns = type.getShape().back();
  CodeText inside(text.indentation() + 1), each(text.indentation() + 2);
  ElementPrinter elements(scope(inside, each, columns, /*pairs=*/true));
  FailureOr<std::string> element = elements.element(value, coordinates(columns, true));
  if (failed(element))
    return failure();
  text.openUnrolled("i", registersOf(columns) / 2);
  positions(text, columns, true, "row col");
  text.append(inside);
  std::string result = context.unique.fresh("result");
  text.line("float " + result + "[2];");
  text.openUnrolled("j", 2);
  text.append(each);
  text.line(result + "[j] = " + *element + ";");
  text.close();
  text.line("const int inTile = " + inTile + ", byte = col * 2;");
  text.line("storeShared4(" + base + " + " + tile.expression("inTile", "byte") + ", packPair<" +
            storageType(type.getElementType()) + ">(" + result + "[0], " + result + "[1]));");
  text.close();
  return success();
}

LogicalResult WarpgroupsPrinter::storeBySlot(tile::StoreOp op, Value queries) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  int64_t columns = type.getShape().back(), vectors = columns / kVector;
  Coordinates at = coordinates(columns, /*pairs=*/false);
  at.back() = Coordinate::variable("col", 0, columns, kVector);
  at.back().lane = Coordinate::Contiguous;
  CodeText inside(text.indentation() + 1), each(text.indentation() + 1);
  ElementScope where{context.names, context.unique, inside, each, kVector};
  FailureOr<Address> address = ElementPrinter(where).address(op, at);
  if (failed(address))
    return failure();
  if (address->contiguous(kVector) < kVector || columns % kVector != 0)
    return FragmentsPrinter::store(op);

  const layout::SharedTile &tile = ringTile(queries).box.memory;
  std::string base = addresses.lookup(queries);
  std::string barrier = "syncNamed(" + std::to_string(kOwnBarrier) + " + warpgroup, 128);";
  text.line(barrier); // the queries have been read
  if (failed(writeShared(op.getValue(), tile, base, "row")))
    return failure();
  text.line(barrier);
  text.openUnrolled("i", kRows * vectors / 128);
  text.line("const int vector = i * 128 + thread % 128;");
  text.line("const int row = warpgroup * " + Twine(kRows) + " + vector / " + Twine(vectors) +
            ", col = vector % " + Twine(vectors) + " * " + Twine(kVector) + ", byte = col * 2;");
  text.append(inside);
  std::string guard = address->guard.empty() ? "" : "if (" + address->guard + ") ";
  text.line(guard + "*reinterpret_cast<uint4 *>(" + address->buffer + " + " + address->offset +
            ") = loadShared16(" + base + " + " + tile.expression("row", "byte") + ");");
  text.close();
  // The slot's next tile comes by another way into memory than these reads and writes went.
  text.line("publishShared();");
  text.line("__syncwarp();");
  return success();
}
