// graph.sample as reductions over a row of logits. Tokens have a rank, an integer that compares by
// logit and then by id, so that arg-max is an ordinary maximum.
//
//   %top = max rank                                       the highest logit and its token
//   %kth = the top-k-th logit                             a search over the orders of f32, counting
//   %limit = top-p * sum of weights at or above %kth
//   do:      %winner = token of max race                  over ranks above %bound that pass the
//   filters
//            %bound = rank of %winner
//   while:   sum of weights of ranks above %bound >= %limit
//
// The loop needs no threshold of top-p: what it leaves out is the end of the order by rank. A
// winner of the race among more tokens that is itself inside is the winner of those inside; one
// that is outside shows that all below it are outside too. It ends at the highest rank at the
// latest, and after one or two rounds in general. Passes that a row does not ask for do not run.
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

/// Orders whose logits a pass of the search for the top-k-th counts.
constexpr size_t kPlaces = 3;

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
      return op.emitOpError()
             << "must read logits of sample rows that another dispatch computes; put "
                "graph.take_rows before them";
    memory = lowering.buffer(logits, lowering.rowsType(op.getLogits().getType()));
    rowNumber = WorkItemOp::create(builder, loc, builder.getIndexType(), 0);
    row = loadLogits(lowering.index(0), vocabulary);
    readRecord();

    Value top = maximum(
        [&](TokenMath &m, Value logit, Value token) { return m.rank(m.order(logit), token); });
    Value topOrder = math.orderOf(top);
    highest = math.numberOf(topOrder);
    Value isNumber = math.both(math.compare(IPredicate::ne, topOrder, math.i32(INT32_MAX)),
                               math.compare(IPredicate::ne, topOrder, math.order(minusInfinity())));
    Value draws = math.both(isNumber, math.compare(FPredicate::OGT, inverse, math.f32(0)));
    Value greedy = math.select(isNumber, math.tokenOf(top), math.i32(-1));
    Value token = choose(
        draws, [&] { return draw(topOrder); }, greedy);
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

  Value maximum(Element element) { return reduce<arith::MaxSIOp>(math.i64(INT64_MIN), element); }
  Value sum(Element element) { return reduce<arith::AddFOp>(math.f32(0), element); }

  Value weightOf(TokenMath &m, Value logit) { return m.exp(m.score(logit, highest, inverse)); }

  // --- The steps -------------------------------------------------------------------------------

  Value draw(Value topOrder) {
    Value topK = word(TopK);
    Value counts = math.both(math.compare(IPredicate::sgt, topK, math.i32(0)),
                             math.compare(IPredicate::slt, topK, math.i32(vocabulary)));
    Value kth = choose(
        counts, [&] { return kthLogit(topK, topOrder); }, minusInfinity());
    Value filters = math.compare(FPredicate::OLT, topP, math.f32(1));
    Value limit = choose(
        filters, [&] { return massLimit(kth); }, math.f32(std::numeric_limits<float>::infinity()));
    SmallVector<Value> end =
        repeat({math.i64(INT64_MIN)}, [&](ValueRange state) -> SmallVector<Value> {
          Value winner = math.tokenOf(race(kth, state[0]));
          Value bound = math.rank(math.order(loadLogit(winner)), winner);
          Value isOutside = choose(
              filters, [&] { return isBehind(bound, limit); }, falseValue());
          return {isOutside, bound};
        });
    return math.tokenOf(end[0]);
  }

  Value minusInfinity() { return math.f32(-std::numeric_limits<float>::infinity()); }
  Value falseValue() { return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(false)); }

  /// A number that exactly topK logits reach, or more where some are equal: a search by quarters
  /// over the orders of f32.
  Value kthLogit(Value topK, Value topOrder) {
    auto wide = [&](Value value) -> Value {
      return arith::ExtSIOp::create(builder, loc, builder.getI64Type(), value);
    };
    auto plus = [&](Value left, Value right) -> Value {
      return arith::AddIOp::create(builder, loc, left, right);
    };
    Value wanted = wide(topK);
    // [low, high] holds the answer.
    SmallVector<Value> start{wide(math.order(minusInfinity())), wide(topOrder)};
    SmallVector<Value> end = repeat(start, [&](ValueRange state) -> SmallVector<Value> {
      Value low = state[0], high = state[1];
      Value quarter = arith::ShRSIOp::create(
          builder, loc, plus(arith::SubIOp::create(builder, loc, high, low), math.i64(kPlaces)),
          math.i64(2));
      SmallVector<Value> places;
      for (Value place = low; places.size() < kPlaces;)
        places.push_back(place = plus(place, quarter));
      SmallVector<Value> counts = countsAt(places);
      // The highest place that enough logits reach, and below the lowest that too few do.
      Value nextLow = low, nextHigh = high;
      for (size_t number = 0; number < kPlaces; ++number) {
        Value reached = math.compare(IPredicate::sge, counts[number], wanted);
        nextLow = math.select(reached, places[number], nextLow);
      }
      for (size_t number = kPlaces; number-- > 0;) {
        Value missed = math.compare(IPredicate::slt, counts[number], wanted);
        nextHigh = math.select(missed, plus(places[number], math.i64(-1)), nextHigh);
      }
      for (auto [place, count] : llvm::zip(places, counts)) {
        Value exact = math.compare(IPredicate::eq, count, wanted);
        nextLow = math.select(exact, place, nextLow);
        nextHigh = math.select(exact, place, nextHigh);
      }
      return {math.compare(IPredicate::slt, nextLow, nextHigh), nextLow, nextHigh};
    });
    return numberAt(end[0]);
  }

  /// The number whose order is `place`, an i64.
  Value numberAt(Value place) {
    return math.numberOf(arith::TruncIOp::create(builder, loc, builder.getI32Type(), place));
  }

  /// How many logits reach each of kPlaces orders: the counts share an i64.
  SmallVector<Value> countsAt(ArrayRef<Value> places) {
    SmallVector<Value> numbers;
    for (Value place : places)
      numbers.push_back(numberAt(place));
    Value packed = reduce<arith::AddIOp>(math.i64(0), [&](TokenMath &m, Value logit, Value) {
      Value all = m.i64(0);
      for (auto [number, least] : llvm::enumerate(numbers)) {
        Value one = m.i64(int64_t(1) << (number * graph::kVocabularyBits));
        all = m.plus(all, m.select(m.compare(FPredicate::OGE, logit, least), one, m.i64(0)));
      }
      return all;
    });
    SmallVector<Value> counts;
    Value mask = math.i64((int64_t(1) << graph::kVocabularyBits) - 1);
    for (size_t number = 0; number < places.size(); ++number) {
      Value count =
          arith::ShRUIOp::create(builder, loc, packed, math.i64(number * graph::kVocabularyBits));
      counts.push_back(arith::AndIOp::create(builder, loc, count, mask));
    }
    return counts;
  }

  Value massLimit(Value kth) {
    Value mass = sum([&](TokenMath &m, Value logit, Value) {
      return m.select(m.compare(FPredicate::OGE, logit, kth), weightOf(m, logit), m.f32(0));
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
      Value score = m.score(logit, highest, inverse);
      Value isKept = m.both(m.compare(FPredicate::OGE, logit, kth),
                            m.compare(FPredicate::OGE, score, leastScore));
      Value isAbove = m.compare(IPredicate::sgt, m.rank(m.order(logit), token), bound);
      isKept = m.both(isKept, isAbove);
      Value place = m.rank(m.order(m.race(score, token, key0, key1)), token);
      return m.select(isKept, place, m.i64(INT64_MIN));
    });
  }

  /// Under the model's own distribution.
  Value logProbabilityOf(Value token) {
    Value mass = sum(
        [&](TokenMath &m, Value logit, Value) { return m.exp(m.score(logit, highest, m.f32(1))); });
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
  kernel.setScheduleAttr(ScheduleAttr::get(context, 1, 1, 0, 0, 1, 0, 0, DenseI64ArrayAttr(),
                                           lowering.storage() == Storage::Rows ? kWarps : 0, 0,
                                           Instruction::None, Parallel::None));
  return success();
}
