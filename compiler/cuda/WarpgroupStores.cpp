// Results by TMA: a warpgroup writes its 64 rows of a tile into shared memory, swizzled, and one of
// its threads starts their copy, which runs while the next item's products do.
#include "compiler/cuda/WarpgroupsPrinter.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

constexpr int64_t kRows = 64; ///< of a warpgroup

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
  if (op != boxedStore)
    return FragmentsPrinter::store(op);
  auto type = cast<RankedTensorType>(op.getValue().getType());
  int64_t columns = type.getShape()[1];
  CodeText inside(text.indentation() + 1), element(text.indentation() + 2);
  ElementPrinter elements(scope(inside, element, columns, /*pairs=*/true));
  FailureOr<std::string> value = elements.element(op.getValue(), coordinates(columns, true));
  ElementPrinter scalars(ElementScope{context.names, context.unique, text, text});
  FailureOr<std::string> row = scalars.scalar(op.getOffsets()[0]),
                         column = scalars.scalar(op.getOffsets()[1]);
  if (failed(value) || failed(row) || failed(column))
    return failure();

  std::string base = context.unique.fresh("staged");
  std::string barrier = "syncNamed(" + std::to_string(kOwnBarrier) + " + warpgroup, 128);";
  text.line("const u32 " + base + " = tiles + " + Twine(storeOffset) + " + warpgroup * " +
            Twine(storeTile->bytes()) + ";");
  // What was there before has been read.
  text.line("if (thread % 128 == 0)");
  text.line("  awaitStoresRead();");
  text.line(barrier);
  text.openUnrolled("i", registersOf(columns) / 2);
  positions(text, columns, true, "row col");
  text.append(inside);
  std::string result = context.unique.fresh("result");
  text.line("float " + result + "[2];");
  text.openUnrolled("j", 2);
  text.append(element);
  text.line(result + "[j] = " + *value + ";");
  text.close();
  text.line("const int inTile = row % " + Twine(kRows) + ", byte = col * 2;");
  text.line("storeShared4(" + base + " + " + storeTile->expression("inTile", "byte") +
            ", packPair<" + storageType(type.getElementType()) + ">(" + result + "[0], " + result +
            "[1]));");
  text.close();
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
