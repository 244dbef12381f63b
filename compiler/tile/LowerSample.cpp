// graph.sample as reductions over a row of logits. Tokens have a rank, an integer that compares by
// logit and then by id, so that arg-max is an ordinary maximum.
//
//   %top = max rank                                       the highest logit and its token
//   %kth = the order of the top-k-th logit                bisection over the orders of f32, counting
//   %limit = top-p * sum of weights at or above %kth
//   do:      %winner = token of max race                  over ranks above %bound that pass the filters
//            %bound = rank of %winner
//   while:   sum of weights of ranks above %bound >= %limit
//
// The loop needs no threshold of top-p: what it leaves out is the end of the order by rank. A winner of
// the race among more tokens that is itself inside is the winner of those inside; one that is outside
// shows that all below it are outside too. It ends at the highest rank at the latest, and after one or two
// rounds in general. Passes that a row does not ask for do not run.
#include "compiler/tile/SampleKernel.h"
#include "compiler/tile/TokenMath.h"

#include "runtime/plan/Format.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

using IPredicate = arith::CmpIPredicate;
using FPredicate = arith::CmpFPredicate;

/// Warps of a block on a GPU: a row has one block, and a vocabulary is long.
constexpr int64_t kWarps = 32;

/// Words of a plan::SamplingRecord.
enum Word { InverseTemperature, TopP, LeastScore, TopK, Key0, Key1, Flags, Words = 8 };

class SampleLowering {
public:
  SampleLowering(graph::SampleOp op, KernelLowering &lowering)
      : op(op), lowering(lowering), builder(lowering.builder), loc(op.getLoc()), math(builder, loc),
        vocabulary(op.getLogits().getType().getShape()[1]) {}

  LogicalResult run() {
    auto logits = dyn_cast<BlockArgument>(op.getLogits());
    if (!logits || lowering.extent() != ExtentKind::Samples)
      return op.emitOpError() << "must read logits of sample rows that another dispatch computes; put "
                                 "graph.take_rows before them";
    memory = lowering.buffer(logits, lowering.rowsType(op.getLogits().getType()));
    rowNumber = WorkItemOp::create(builder, loc, builder.getIndexType(), 0);
    row = loadLogits(lowering.index(0), vocabulary);
    readRecord();

    Value top = maximum([&](TokenMath &m, Value logit, Value token) {
      return m.rank(m.order(logit), token);
    });
    Value topOrder = math.orderOf(top);
    highest = math.numberOf(topOrder);
    Value minusInfinity = math.f32(-std::numeric_limits<float>::infinity());
    Value isNumber = math.both(
        math.compare(IPredicate::ne, topOrder, math.i32(INT32_MAX)),
        math.compare(IPredicate::ne, topOrder, math.order(minusInfinity)));
    Value draws = math.both(isNumber, math.compare(FPredicate::OGT, inverse, math.f32(0)));
    Value greedy = math.select(isNumber, math.tokenOf(top), math.i32(-1));
    Value token = choose(draws, [&] { return draw(topOrder); }, greedy);
    Value wanted = math.compare(
        IPredicate::ne,
        arith::AndIOp::create(builder, loc, word(Flags), math.i32(plan::kSamplingLogProbability)),
        math.i32(0));
    Value logProbability = choose(
        math.both(wanted, isNumber), [&] { return logProbabilityOf(token); }, math.f32(0));
    store(token, 0);
    store(logProbability, 1);
    return success();
  }

private:
  // --- Control flow ----------------------------------------------------------------------------

  /// `compute()` where the condition holds, else `otherwise`.
  Value choose(Value condition, llvm::function_ref<Value()> compute, Value otherwise) {
    return scf::IfOp::create(
               builder, loc, condition,
               [&](OpBuilder &b, Location l) { scf::YieldOp::create(b, l, compute()); },
               [&](OpBuilder &b, Location l) { scf::YieldOp::create(b, l, otherwise); })
        .getResult(0);
  }

  /// Repeats `step`, which gives what is next, and whether to go on with it as the first value.
  SmallVector<Value> repeat(ValueRange start,
                            llvm::function_ref<SmallVector<Value>(ValueRange)> step) {
    auto loop = scf::WhileOp::create(
        builder, loc, start.getTypes(), start,
        [&](OpBuilder &b, Location l, ValueRange state) {
          SmallVector<Value> next = step(state);
          scf::ConditionOp::create(b, l, next.front(), ArrayRef(next).drop_front());
        },
        [](OpBuilder &b, Location l, ValueRange state) { scf::YieldOp::create(b, l, state); });
    return SmallVector<Value>(loop.getResults());
  }

  // --- Memory ----------------------------------------------------------------------------------

  Value loadLogits(Value first, int64_t count) {
    return LoadOp::create(builder, loc, RankedTensorType::get({1, count}, builder.getF32Type()),
                          memory, ValueRange{rowNumber, first});
  }

  Value loadLogit(Value token) {
    Value column = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), token);
    Value zero = lowering.index(0);
    return tensor::ExtractOp::create(builder, loc, loadLogits(column, 1), ValueRange{zero, zero});
  }

  void readRecord() {
    Value first = arith::MulIOp::create(builder, loc, rowNumber, lowering.index(Words));
    record = LoadOp::create(builder, loc, RankedTensorType::get({Words}, builder.getI32Type()),
                            lowering.batchArray("sampling"), first);
    inverse = number(InverseTemperature);
    topP = number(TopP);
    // The most probable token passes whatever the record says.
    leastScore = arith::MinNumFOp::create(builder, loc, number(LeastScore), math.f32(0));
    key0 = word(Key0);
    key1 = word(Key1);
  }

  Value word(Word which) {
    return tensor::ExtractOp::create(builder, loc, record, lowering.index(which));
  }
  Value number(Word which) {
    return arith::BitcastOp::create(builder, loc, builder.getF32Type(), word(which));
  }

  void store(Value value, unsigned number) {
    auto type = cast<RankedTensorType>(op.getResult(number).getType());
    Value empty = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{1, 1}, value.getType());
    StoreOp::create(builder, loc, lowering.filled(value, empty),
                    lowering.result(number, lowering.rowsType(type)),
                    ValueRange{rowNumber, lowering.index(0)}, Value());
  }

  // --- Reductions over the row -----------------------------------------------------------------

  using Element = llvm::function_ref<Value(TokenMath &, Value logit, Value token)>;

  /// `Combine` of `element` over all tokens, from `start` on.
  template <typename Combine> Value reduce(Value start, Element element) {
    Value empty = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{1}, start.getType());
    AffineMap cell = builder.getMultiDimIdentityMap(2);
    Value reduced =
        linalg::GenericOp::create(
            builder, loc, empty.getType(), row, lowering.filled(start, empty),
            {cell, cell.dropResult(1)},
            {utils::IteratorType::parallel, utils::IteratorType::reduction},
            [&](OpBuilder &b, Location l, ValueRange values) {
              TokenMath inner(b, l);
              Value index = linalg::IndexOp::create(b, l, 1);
              Value token = arith::IndexCastOp::create(b, l, b.getI32Type(), index);
              Value next = element(inner, values[0], token);
              linalg::YieldOp::create(b, l, ValueRange{Combine::create(b, l, values[1], next)});
            })
            .getResult(0);
    return tensor::ExtractOp::create(builder, loc, reduced, lowering.index(0));
  }

  Value maximum(Element element) {
    return reduce<arith::MaxSIOp>(math.i64(INT64_MIN), element);
  }
  Value sum(Element element) { return reduce<arith::AddFOp>(math.f32(0), element); }

  Value weightOf(TokenMath &m, Value logit) { return m.exp(m.score(logit, highest, inverse)); }

  // --- The steps -------------------------------------------------------------------------------

  Value draw(Value topOrder) {
    Value topK = word(TopK);
    Value counts = math.both(math.compare(IPredicate::sgt, topK, math.i32(0)),
                             math.compare(IPredicate::slt, topK, math.i32(vocabulary)));
    Value kth = choose(counts, [&] { return kthOrder(topK, topOrder); }, math.i32(INT32_MIN));
    Value filters = math.compare(FPredicate::OLT, topP, math.f32(1));
    Value limit = choose(filters, [&] { return massLimit(kth); },
                         math.f32(std::numeric_limits<float>::infinity()));
    SmallVector<Value> end =
        repeat({math.i64(INT64_MIN)}, [&](ValueRange state) -> SmallVector<Value> {
          Value winner = math.tokenOf(race(kth, state[0]));
          Value bound = math.rank(math.order(loadLogit(winner)), winner);
          Value isOutside = choose(filters, [&] { return isBehind(bound, limit); }, falseValue());
          return {isOutside, bound};
        });
    return math.tokenOf(end[0]);
  }

  Value falseValue() {
    return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(false));
  }

  /// An order that exactly topK logits reach, or more where some are equal.
  Value kthOrder(Value topK, Value topOrder) {
    Value wanted = arith::SIToFPOp::create(builder, loc, builder.getF32Type(), topK);
    auto wide = [&](Value value) -> Value {
      return arith::ExtSIOp::create(builder, loc, builder.getI64Type(), value);
    };
    // [low, high] holds the answer.
    SmallVector<Value> start{math.i64(INT32_MIN), wide(topOrder)};
    SmallVector<Value> end = repeat(start, [&](ValueRange state) -> SmallVector<Value> {
      Value one = math.i64(1);
      Value total = arith::AddIOp::create(builder, loc, state[0], state[1]);
      Value middle = arith::ShRSIOp::create(
          builder, loc, arith::AddIOp::create(builder, loc, total, one), one);
      Value least = arith::TruncIOp::create(builder, loc, builder.getI32Type(), middle);
      Value count = sum([&](TokenMath &m, Value logit, Value) {
        Value reaches = m.compare(IPredicate::sge, m.order(logit), least);
        return m.select(reaches, m.f32(1), m.f32(0));
      });
      Value below = arith::SubIOp::create(builder, loc, middle, one);
      Value low = math.select(math.compare(FPredicate::OGE, count, wanted), middle, state[0]);
      Value high = math.select(math.compare(FPredicate::OGE, count, wanted), state[1], below);
      high = math.select(math.compare(FPredicate::OEQ, count, wanted), middle, high);
      return {math.compare(IPredicate::slt, low, high), low, high};
    });
    return arith::TruncIOp::create(builder, loc, builder.getI32Type(), end[0]);
  }

  Value massLimit(Value kth) {
    Value mass = sum([&](TokenMath &m, Value logit, Value) {
      return m.select(m.compare(IPredicate::sge, m.order(logit), kth), weightOf(m, logit),
                      m.f32(0));
    });
    return arith::MulFOp::create(builder, loc, topP, mass);
  }

  /// Whether the weights before `bound` reach the limit.
  Value isBehind(Value bound, Value limit) {
    Value before = sum([&](TokenMath &m, Value logit, Value token) {
      Value isBefore = m.compare(IPredicate::sgt, m.rank(m.order(logit), token), bound);
      return m.select(isBefore, weightOf(m, logit), m.f32(0));
    });
    return math.compare(FPredicate::OGE, before, limit);
  }

  /// The largest race of those above `bound` that top-k and min-p leave, as a rank.
  Value race(Value kth, Value bound) {
    return maximum([&](TokenMath &m, Value logit, Value token) {
      Value order = m.order(logit), score = m.score(logit, highest, inverse);
      Value isKept = m.both(m.compare(IPredicate::sge, order, kth),
                            m.compare(FPredicate::OGE, score, leastScore));
      isKept = m.both(isKept, m.compare(IPredicate::sgt, m.rank(order, token), bound));
      Value place = m.rank(m.order(m.race(score, token, key0, key1)), token);
      return m.select(isKept, place, m.i64(INT64_MIN));
    });
  }

  /// Under the model's own distribution.
  Value logProbabilityOf(Value token) {
    Value mass = sum([&](TokenMath &m, Value logit, Value) {
      return m.exp(m.score(logit, highest, m.f32(1)));
    });
    Value above = arith::SubFOp::create(builder, loc, loadLogit(token), highest);
    return arith::SubFOp::create(builder, loc, above, math::LogOp::create(builder, loc, mass));
  }

  graph::SampleOp op;
  KernelLowering &lowering;
  OpBuilder &builder;
  Location loc;
  TokenMath math;
  int64_t vocabulary;
  Value memory, rowNumber, row;
  Value record, inverse, topP, leastScore, key0, key1;
  Value highest; ///< logit
};

} // namespace

graph::SampleOp tile::sampleOf(graph::DispatchOp dispatch) {
  auto ops = dispatch.getBody().getOps<graph::SampleOp>();
  return ops.empty() ? graph::SampleOp() : *ops.begin();
}

LogicalResult tile::lowerSample(graph::SampleOp op, KernelLowering &lowering, KernelOp kernel) {
  if (failed(SampleLowering(op, lowering).run()))
    return failure();
  ReturnOp::create(lowering.builder, op.getLoc());
  MLIRContext *context = kernel.getContext();
  kernel.setGridAttr(GridAttr::get(context, {ExtentAttr::get(context, ExtentKind::Samples, 1)}));
  kernel.setScheduleAttr(
      ScheduleAttr::get(context, 1, 1, 0, 0, 1, 0, 0, DenseI64ArrayAttr(),
                        lowering.storage() == Storage::Rows ? kWarps : 0, 0, Instruction::None,
                        Parallel::None));
  return success();
}
