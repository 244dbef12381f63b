// graph.cache_append: each component's rows are narrowed to the cache's element type and appended
// to its pages. A component that attention reads as its key may be stored with tokens innermost.
#include "compiler/tile/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

LogicalResult tile::lowerCacheAppend(graph::CacheAppendOp op, KernelLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location loc = op.getLoc();
  auto cache = dyn_cast<BlockArgument>(op.getCache());
  if (!cache)
    return op.emitOpError() << "must append to a cache of its dispatch";
  if (lowering.extent() != ExtentKind::Tokens)
    return op.emitOpError() << "appends token rows; it cannot share a dispatch with take_rows";

  Type element = op.getCache().getType().getElement();
  for (auto [name, value] :
       llvm::zip(op.getComponents().getAsValueRange<StringAttr>(), op.getValues())) {
    Value rows = lowering.get(value);
    if (!rows)
      return op.emitOpError() << "reads a value that was not lowered";
    auto type = cast<RankedTensorType>(rows.getType());
    if (type.getElementType() != element) {
      Value empty = lowering.empty(type.getShape(), element, rows);
      SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(3));
      rows = linalg::GenericOp::create(
                 builder, loc, empty.getType(), rows, empty, maps,
                 SmallVector<utils::IteratorType>(3, utils::IteratorType::parallel),
                 [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                   Value wide = toF32(body, bodyLoc, values[0]);
                   linalg::YieldOp::create(body, bodyLoc, fromF32(body, bodyLoc, wide, element));
                 })
                 .getResult(0);
    }
    bool tokensInnermost = lowering.hasTokensInnermost(cache, name);
    AppendOp::create(builder, loc, rows,
                     lowering.pool(cache, op.getCache().getType().lookup(name), tokensInnermost),
                     lowering.batchArray("slots"), lowering.index(0), tokensInnermost ? 1 : 0);
  }
  lowering.set(op, lowering.index(0)); // The cache after it is the same pool.
  return success();
}
