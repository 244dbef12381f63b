// What the kernels of unfused attention share; see the header.
#include "compiler/tile/ScoreKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

template <typename OpT> OpT only(graph::DispatchOp dispatch) {
  auto ops = dispatch.getBody().getOps<OpT>();
  return ops.empty() ? OpT() : *ops.begin();
}

} // namespace

bool tile::isScoreDispatch(graph::DispatchOp dispatch) {
  return only<graph::ScoresOp>(dispatch) || only<graph::SoftmaxOp>(dispatch) ||
         only<graph::MixOp>(dispatch);
}

FailureOr<std::vector<schedule::Choice>> tile::scoreChoices(graph::DispatchOp dispatch) {
  schedule::KernelShape shape;
  shape.family = "attention";
  // A softmax reads no page; keys are a power of two that any row of scores is a multiple of.
  shape.page = 32;
  shape.group = 1;
  shape.headDim = 32;
  auto fill = [&](graph::CacheType cache, StringRef name, int64_t heads) {
    graph::ComponentAttr component = cache.lookup(name);
    shape.page = cache.getPage();
    shape.group = heads / component.getHeads();
    shape.headDim = component.getDim();
  };
  if (auto scores = only<graph::ScoresOp>(dispatch))
    fill(scores.getCache().getType(), scores.getComponent(),
         cast<RankedTensorType>(scores.getType()).getShape()[1]);
  if (auto mix = only<graph::MixOp>(dispatch))
    fill(mix.getCache().getType(), mix.getComponent(),
         cast<RankedTensorType>(mix.getType()).getShape()[1]);
  std::vector<schedule::Choice> choices = schedule::defaultChoices(shape);
  for (const schedule::Choice &choice : choices)
    if (auto reason = schedule::whyIllegal(shape, choice))
      return dispatch.emitOpError() << "is unfused attention without a schedule: " << *reason;
  return choices;
}

LogicalResult tile::lowerScoreDispatch(graph::DispatchOp dispatch, KernelLowering &lowering,
                                       KernelOp kernel, const schedule::Choice &choice) {
  FailureOr<int64_t> heads = failure();
  Block &body = dispatch.getBody().front();
  if (body.getTerminator()->getNumOperands() != 1)
    return dispatch.emitOpError() << "is unfused attention and must have one result";
  if (auto scores = only<graph::ScoresOp>(dispatch))
    heads = lowerScores(scores, lowering, choice);
  else if (auto softmax = only<graph::SoftmaxOp>(dispatch))
    heads = lowerSoftmax(softmax, lowering, choice);
  else
    heads = lowerMix(only<graph::MixOp>(dispatch), lowering, choice);
  if (failed(heads))
    return failure();
  ReturnOp::create(lowering.builder, dispatch.getLoc());
  MLIRContext *context = kernel.getContext();
  kernel.setGridAttr(
      GridAttr::get(context, {ExtentAttr::get(context, ExtentKind::WorkList, 1),
                              ExtentAttr::get(context, ExtentKind::Constant, *heads)}));
  kernel.setScheduleAttr(
      ScheduleAttr::get(context, 1, 1, 0, 0, choice.queries, choice.keys, 0,
                        DenseI64ArrayAttr::get(context, {choice.registers[0], choice.registers[1],
                                                         choice.registers[2]}),
                        0, 0, Instruction::None, Parallel::None));
  kernel.setPartitionAttr(
      PartitionAttr::get(context, choice.queries, choice.minimum, choice.maximum, 0, 0));
  return success();
}

SmallVector<Value> tile::loop(KernelLowering &lowering, Location loc, Value begin, Value end,
                              int64_t step, ValueRange carried, KeyBody body) {
  OpBuilder &builder = lowering.builder;
  auto loop = scf::ForOp::create(builder, loc, begin, end, lowering.index(step), carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(builder, loc, next);
  return SmallVector<Value>(loop.getResults());
}

Value tile::generic(KernelLowering &lowering, Location loc, ValueRange inputs, Value output,
                    ArrayRef<AffineMap> maps, unsigned reductions, ElementBody body) {
  SmallVector<utils::IteratorType> iterators(maps[0].getNumDims(), utils::IteratorType::parallel);
  for (unsigned i = 0; i < reductions; ++i)
    iterators[iterators.size() - 1 - i] = utils::IteratorType::reduction;
  return linalg::GenericOp::create(
             lowering.builder, loc, output.getType(), inputs, output, maps, iterators,
             [&](OpBuilder &inner, Location innerLoc, ValueRange values) {
               linalg::YieldOp::create(inner, innerLoc, body(inner, innerLoc, values));
             })
      .getResult(0);
}

Value tile::contraction(KernelLowering &lowering, Location loc, Value left, Value right,
                        Value output, bool transposed) {
  AffineExpr m, g, i, k;
  MLIRContext *context = lowering.builder.getContext();
  bindDims(context, m, g, i, k);
  SmallVector<AffineExpr> index{k, i};
  if (transposed)
    std::swap(index[0], index[1]);
  return generic(lowering, loc, {left, right}, output,
                 {AffineMap::get(4, 0, {m, g, k}, context), AffineMap::get(4, 0, index, context),
                  AffineMap::get(4, 0, {m, g, i}, context)},
                 1, [](OpBuilder &b, Location l, ValueRange v) -> Value {
                   Value product =
                       arith::MulFOp::create(b, l, toF32(b, l, v[0]), toF32(b, l, v[1]));
                   return arith::AddFOp::create(b, l, v[2], product);
                 });
}
