// Delays the second product of an attention loop by one step, so that its tensor core work runs
// beside the softmax of the next tile of keys (FlashAttention-3, "intra-warpgroup overlap").
//
//   before:  %s:3 = scf.for %n = %lo to %hi step 128 iter_args(%o, %max, %sum) {
//              %score = %q * %k[%n]; %p = softmax of %score; %o1 = rescale %o; %o2 = %o1 + %p *
//              %v[%n] }
//   after:   %p0 = softmax of %q * %k[%lo]; %v0 = %v[%lo]
//            %s:6 = scf.for %n = %lo + 128 to %hi step 128
//                       iter_args(%o, %max, %sum, %p = %p0, %v = %v0) {
//              %score = %q * %k[%n]; %o1 = %o + %p * %v; %p1 = softmax of %score; %o2 = rescale %o1
//              yield %o2, …, %p1, %v[%n] }
//            %o3 = %s#0 + %s#3 * (%s#4, masked from the start of the last tile)
//
// Loops that follow each other (full tiles, then masked ones) pass their state on. The first tile
// is peeled from the loop that masks, which is right for every tile, with its mask off where the
// loop of full tiles would have taken it. Only the last tile can reach over the end of the keys:
// values are masked there alone.
#include "compiler/cuda/Passes.h"
#include "compiler/cuda/WarpgroupsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

namespace quire::cuda {
#define GEN_PASS_DEF_ROTATEPRODUCTS
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

linalg::GenericOp computedProduct(scf::ForOp loop) {
  for (auto op : loop.getBody()->getOps<linalg::GenericOp>())
    if (isContraction(op) && !loadOf(op.getDpsInputs()[0]))
      return op;
  return nullptr;
}

/// What `value` and the scalars behind it need, copied with `mapping`; stops at what it maps.
void cloneSlice(OpBuilder &builder, Value value, Block *from, IRMapping &mapping) {
  Operation *op = value.getDefiningOp();
  if (mapping.contains(value) || !op || op->getBlock() != from)
    return;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      cloneSlice(builder, operand, from, mapping);
  });
  builder.clone(*op, mapping);
}

class Rotation {
public:
  explicit Rotation(SmallVector<scf::ForOp> chain)
      : loops(std::move(chain)), builder(loops.front()), loc(loops.front().getLoc()) {
    for (scf::ForOp loop : loops)
      if (count(loop) > count(masked))
        masked = loop;
    product = computedProduct(masked);
    sum = indexOfSum(masked, product);
  }

  void run() {
    hoistBounds();
    Value first = loops.front().getLowerBound();
    SmallVector<Value> state = peel(first);
    Value next = arith::AddIOp::create(builder, loc, first, masked.getStep());
    for (scf::ForOp loop : loops)
      state = rotate(loop, next, state);
    Value result = finish(state, lastOf(first));
    state[sum] = result;
    scf::ForOp last = loops.back();
    for (unsigned i = 0; i < last.getNumResults(); ++i)
      last.getResult(i).replaceAllUsesWith(state[i]);
    for (scf::ForOp loop : llvm::reverse(loops))
      loop.erase();
  }

  /// The number of the loop's value that the product adds to.
  static unsigned indexOfSum(scf::ForOp loop, linalg::GenericOp product) {
    auto yielded = loop.getBody()->getTerminator()->getOperands();
    return static_cast<unsigned>(llvm::find(yielded, product.getResult(0)) - yielded.begin());
  }

private:
  /// The scalars between the loops, which none of them computes, are wanted before the first.
  void hoistBounds() {
    Operation *front = loops.front();
    for (Operation *op = front->getNextNode(); op && op != loops.back();) {
      Operation *next = op->getNextNode();
      if (isScalarOp(op))
        op->moveBefore(front);
      op = next;
    }
  }

  static size_t count(scf::ForOp loop) {
    size_t ops = 0;
    if (loop)
      loop->walk([&](Operation *) { ++ops; });
    return ops;
  }

  Value narrow(Value weights) {
    auto type = cast<RankedTensorType>(weights.getType());
    Type element = getElementTypeOrSelf(loadOf(product.getDpsInputs()[1])->getResult(0).getType());
    Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), element);
    AffineMap map = builder.getMultiDimIdentityMap(static_cast<unsigned>(type.getRank()));
    SmallVector<utils::IteratorType> kinds(type.getRank(), utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               builder, loc, empty.getType(), weights, empty, ArrayRef<AffineMap>{map, map}, kinds,
               [&](OpBuilder &body, Location where, ValueRange in) {
                 Value narrowed = arith::TruncFOp::create(body, where, element, in[0]);
                 linalg::YieldOp::create(body, where, narrowed);
               })
        .getResult(0);
  }

  /// A loop's body at `position` without its second product, and then what the next step needs.
  /// `state` are the values the loop carries; `add` makes the delayed product once the scores are
  /// under way.
  SmallVector<Value> step(scf::ForOp loop, Value position, ValueRange state,
                          function_ref<Value(Value)> add, Value whole = {}) {
    linalg::GenericOp own = computedProduct(loop);
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), position);
    for (auto [argument, value] : llvm::zip(loop.getRegionIterArgs(), state))
      mapping.map(argument, value);
    bool added = false;
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (&op == own)
        continue;
      // What only the product reads of its masked right operand is not needed here.
      if (isa<linalg::GenericOp>(op) && op.getResult(0) == own.getDpsInputs()[1])
        continue;
      Operation *copy = builder.clone(op, mapping);
      auto generic = dyn_cast<linalg::GenericOp>(op);
      if (generic && whole)
        keepWhole(cast<linalg::GenericOp>(copy), whole);
      if (generic && isContraction(generic) && !added) {
        mapping.map(loop.getRegionIterArgs()[sum], add(state[sum]));
        added = true;
      }
    }
    SmallVector<Value> results;
    for (Value yielded : loop.getBody()->getTerminator()->getOperands())
      results.push_back(mapping.lookupOrDefault(yielded));
    results[sum] = mapping.lookupOrDefault(own.getDpsInits()[0]);
    results.push_back(narrow(mapping.lookupOrDefault(own.getDpsInputs()[0])));
    results.push_back(mapping.lookup(loadOf(own.getDpsInputs()[1])->getResult(0)));
    return results;
  }

  SmallVector<Value> peel(Value first) {
    Value whole; // whether no key of the tile is masked
    if (loops.front() != masked)
      whole = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, first,
                                    loops.front().getUpperBound());
    SmallVector<Value> state = step(
        masked, first, loops.front().getInitArgs(), [](Value start) { return start; }, whole);
    // There is nothing to rescale yet.
    state[sum] = loops.front().getInitArgs()[sum];
    return state;
  }

  /// Lets the mask of the scores pass everything where `whole` holds.
  void keepWhole(linalg::GenericOp mask, Value whole) {
    auto scores = mask.getNumDpsInputs() == 1
                      ? mask.getDpsInputs()[0].getDefiningOp<linalg::GenericOp>()
                      : linalg::GenericOp();
    auto select = mask.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
    if (!scores || !isContraction(scores) || !select || mask.getNumReductionLoops() > 0)
      return;
    OpBuilder body(select);
    Value either = arith::OrIOp::create(body, loc, whole, select.getCondition());
    select.getConditionMutable().assign(either);
  }

  Value multiply(linalg::GenericOp like, Value weights, Value values, Value start) {
    // The types of the operands are those of memory here, whatever the original read.
    AffineMap rows = like.getIndexingMapsArray()[0], columns = like.getIndexingMapsArray()[1],
              result = like.getIndexingMapsArray()[2];
    return linalg::GenericOp::create(
               builder, loc, start.getType(), ValueRange{weights, values}, start,
               ArrayRef<AffineMap>{rows, columns, result}, like.getIteratorTypesArray(),
               [&](OpBuilder &body, Location where, ValueRange in) {
                 auto wide = [&](Value value) -> Value {
                   if (value.getType() == in[2].getType())
                     return value;
                   return arith::ExtFOp::create(body, where, in[2].getType(), value);
                 };
                 Value term = arith::MulFOp::create(body, where, wide(in[0]), wide(in[1]));
                 Value added = arith::AddFOp::create(body, where, in[2], term);
                 linalg::YieldOp::create(body, where, added);
               })
        .getResult(0);
  }

  SmallVector<Value> rotate(scf::ForOp loop, Value next, ArrayRef<Value> state) {
    Value low = builder.createOrFold<arith::MaxSIOp>(loc, loop.getLowerBound(), next);
    auto rotated =
        scf::ForOp::create(builder, loc, low, loop.getUpperBound(), loop.getStep(), state);
    rotated->setAttr(kFollows, builder.getUnitAttr());
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(rotated.getBody());
    ValueRange carried = rotated.getRegionIterArgs();
    size_t own = loop.getNumResults();
    SmallVector<Value> results =
        step(loop, rotated.getInductionVar(), carried.take_front(own),
             [&](Value start) { return multiply(product, carried[own], carried[own + 1], start); });
    scf::YieldOp::create(builder, loc, results);
    return SmallVector<Value>(rotated.getResults());
  }

  /// Where the last tile starts: the loops take up tiles where the one before ended.
  Value lastOf(Value first) {
    Value step = masked.getStep(), end = loops.back().getUpperBound();
    Value one = arith::ConstantIndexOp::create(builder, loc, 1),
          zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value length = arith::SubIOp::create(builder, loc, end, first);
    Value steps = arith::DivSIOp::create(builder, loc,
                                         arith::SubIOp::create(builder, loc, length, one), step);
    Value whole = arith::MulIOp::create(builder, loc,
                                        arith::MaxSIOp::create(builder, loc, steps, zero), step);
    return arith::AddIOp::create(builder, loc, first, whole);
  }

  Value finish(ArrayRef<Value> state, Value position) {
    size_t own = masked.getNumResults();
    Value values = state[own + 1], right = product.getDpsInputs()[1];
    Operation *load = loadOf(right);
    if (right != load->getResult(0)) {
      IRMapping mapping;
      mapping.map(load->getResult(0), values);
      mapping.map(masked.getInductionVar(), position);
      cloneSlice(builder, right, masked.getBody(), mapping);
      values = mapping.lookup(right);
    }
    return multiply(product, state[own], values, state[sum]);
  }

  SmallVector<scf::ForOp> loops;
  OpBuilder builder;
  Location loc;
  scf::ForOp masked;
  linalg::GenericOp product;
  unsigned sum = 0;
};

struct RotateProducts : quire::cuda::impl::RotateProductsBase<RotateProducts> {
  void runOnOperation() override {
    auto walk = getOperation()->getAttrOfType<StringAttr>(kWalk);
    if (!walk || walk != "warpgroups")
      return;
    SmallVector<scf::ForOp> chain = attentionLoops(getOperation());
    if (!chain.empty())
      Rotation(std::move(chain)).run();
  }
};

} // namespace

SmallVector<scf::ForOp> cuda::attentionLoops(tile::KernelOp kernel) {
  SmallVector<scf::ForOp> chain;
  for (auto loop : kernel.entry().getOps<scf::ForOp>()) {
    linalg::GenericOp product = computedProduct(loop);
    if (!product)
      continue;
    unsigned sum = Rotation::indexOfSum(loop, product);
    Operation *values = loadOf(product.getDpsInputs()[1]);
    bool follows = chain.empty() || (loop.getInitArgs() == ValueRange(chain.back().getResults()) &&
                                     llvm::all_of(chain.back().getResults(),
                                                  [](Value result) { return result.hasOneUse(); }));
    size_t products = llvm::count_if(loop.getBody()->getOps<linalg::GenericOp>(), isContraction);
    if (sum >= loop.getNumResults() || products != 2 || !follows || !values ||
        values->getBlock() != loop.getBody())
      return {};
    chain.push_back(loop);
  }
  return chain;
}
