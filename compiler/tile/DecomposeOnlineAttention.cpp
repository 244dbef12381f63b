// One tile of online attention in linalg.
//
//   before:  %a, %m, %s = tile.online_attention query(%q) key(%k) value(%v) outs(%a0, %m0, %s0)
//   after:   %x = generic: q k           %y = generic: score(x) / c, -inf where not seen
//            %t = generic: max of y      %n = generic: max(m0, b t)
//            %r = generic: exp2(m0 - n)  %p = generic: exp2(b y - n)
//            %s = generic: s0 r + p      %a = generic: a0 r + p v     %m = generic: max(m0, b t)
//
// c is the positive constant by which the score's last operation multiplies, or 1, and b = c log2(e):
// a maximum takes scores without their factor, and b y - n is one fused multiply-add an element.
//
// (-inf) - (-inf) is NaN: the maximum is replaced by 0 where it is -inf, so rows that have seen
// nothing keep acc = 0 and sum = 0. Keys at keyEnd and beyond may hold anything, NaN too: their
// scores are replaced, not multiplied, and their values are zeroed before they meet p = 0. `full`
// tiles need none of that.
#include "compiler/tile/Passes.h"

#include "mlir/IR/Matchers.h"

#include <numbers>

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_DECOMPOSEONLINEATTENTIONPASS
#include "compiler/tile/Passes.h.inc"

namespace {

using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

class Decomposition {
public:
  explicit Decomposition(OnlineAttentionOp op)
      : op(op), builder(op), loc(op.getLoc()), f32(builder.getF32Type()) {
    ArrayRef<int64_t> query = shape(op.getQuery());
    m = query[0];
    g = query[1];
    n = shape(op.getKey())[op.keyDimension()];
    e = shape(op.getAcc())[2];
    for (unsigned i = 0; i < 4; ++i)
      d[i] = builder.getAffineDimExpr(i);
    keyCount = toI32(arith::SubIOp::create(builder, loc, op.getKeyEnd(), op.getKeyPosition()));
    splitScore();
  }

  void run() {
    Value zero = constant(0), minusInfinity = constant(-std::numeric_limits<double>::infinity());
    Value scores = weigh(products()), base = constant(factor * std::numbers::log2e);
    auto larger = [](OpBuilder &b, Location l, ValueRange v) -> Value {
      return arith::MaxNumFOp::create(b, l, v[1], v[0]);
    };
    AffineMap row = map(2, {d[0], d[1]}), cell = map(3, {d[0], d[1], d[2]}),
              cellRow = map(3, {d[0], d[1]});
    Value lowest = linalg::FillOp::create(builder, loc, minusInfinity, empty({m, g})).getResult(0);
    Value tileMax = generic({scores}, lowest, {cell, cellRow}, 1, larger);
    Value safe = generic({op.getMax(), tileMax}, empty({m, g}), {row, row, row}, 0,
                         [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                           Value scaled = arith::MulFOp::create(b, l, v[1], base);
                           Value max = arith::MaxNumFOp::create(b, l, scaled, v[0]);
                           Value isEmpty = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ,
                                                                 max, minusInfinity);
                           return arith::SelectOp::create(b, l, isEmpty, zero, max);
                         });
    auto rescale = [](OpBuilder &b, Location l, ValueRange v) -> Value {
      return arith::MulFOp::create(b, l, v[1], v[0]);
    };
    Value ratio = generic({op.getMax(), safe}, empty({m, g}), {row, row, row}, 0,
                          [](OpBuilder &b, Location l, ValueRange v) -> Value {
                            return math::Exp2Op::create(b, l,
                                                        arith::SubFOp::create(b, l, v[0], v[1]));
                          });
    Value weights = generic(
        {scores, safe}, empty({m, g, n}), {cell, cellRow, cell}, 0,
        [&](OpBuilder &b, Location l, ValueRange v) -> Value {
          Value scaled = arith::MulFOp::create(b, l, v[0], base);
          return math::Exp2Op::create(b, l, arith::SubFOp::create(b, l, scaled, v[1]));
        });
    Value sum = generic({ratio}, op.getSum(), {row, row}, 0, rescale);
    sum = generic({weights}, sum, {cell, cellRow}, 1,
                  [](OpBuilder &b, Location l, ValueRange v) -> Value {
                    return arith::AddFOp::create(b, l, v[1], v[0]);
                  });
    Value acc = generic({ratio}, op.getAcc(), {cellRow, cell}, 0, rescale);
    acc = contraction(weights, values(), acc, {d[0], d[1], d[3]}, {d[3], d[2]});
    // The old maximum is read above, so that here the new one can be written in its place.
    Value max = generic({tileMax}, op.getMax(), {row, row}, 0,
                        [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                          Value scaled = arith::MulFOp::create(b, l, v[0], base);
                          return arith::MaxNumFOp::create(b, l, v[1], scaled);
                        });
    op.replaceAllUsesWith(ValueRange{acc, max, sum});
    op.erase();
  }

private:
  static ArrayRef<int64_t> shape(Value tensor) {
    return cast<RankedTensorType>(tensor.getType()).getShape();
  }
  AffineMap map(unsigned dims, ArrayRef<AffineExpr> results) {
    return AffineMap::get(dims, 0, results, builder.getContext());
  }
  Value constant(double value) {
    return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(value));
  }
  Value empty(ArrayRef<int64_t> sizes) { return tensor::EmptyOp::create(builder, loc, sizes, f32); }
  Value toI32(Value index) {
    return arith::IndexCastOp::create(builder, loc, builder.getI32Type(), index);
  }
  static Value widen(OpBuilder &b, Location l, Value value) {
    return value.getType().isF32() ? value
                                   : arith::ExtFOp::create(b, l, b.getF32Type(), value).getResult();
  }

  /// A generic whose last `reductions` loops are reductions.
  Value generic(ValueRange inputs, Value output, ArrayRef<AffineMap> maps, unsigned reductions,
                Body body) {
    SmallVector<utils::IteratorType> iterators(maps[0].getNumDims(), utils::IteratorType::parallel);
    for (unsigned i = 0; i < reductions; ++i)
      iterators[iterators.size() - 1 - i] = utils::IteratorType::reduction;
    return linalg::GenericOp::create(builder, loc, output.getType(), inputs, output, maps,
                                     iterators,
                                     [&](OpBuilder &b, Location l, ValueRange v) {
                                       linalg::YieldOp::create(b, l, body(b, l, v));
                                     })
        .getResult(0);
  }

  /// out[0, 1, 2] += left * right, summed over loop 3.
  Value contraction(Value left, Value right, Value output, ArrayRef<AffineExpr> leftIndex,
                    ArrayRef<AffineExpr> rightIndex) {
    return generic(
        {left, right}, output, {map(4, leftIndex), map(4, rightIndex), map(4, {d[0], d[1], d[2]})},
        1, [](OpBuilder &b, Location l, ValueRange v) -> Value {
          Value product = arith::MulFOp::create(b, l, widen(b, l, v[0]), widen(b, l, v[1]));
          return arith::AddFOp::create(b, l, v[2], product);
        });
  }

  Value products() {
    Value zeros = linalg::FillOp::create(builder, loc, constant(0), empty({m, g, n})).getResult(0);
    SmallVector<AffineExpr> key{d[3], d[2]};
    if (op.getByRows())
      std::swap(key[0], key[1]);
    return contraction(op.getQuery(), op.getKey(), zeros, {d[0], d[1], d[3]}, key);
  }

  /// Finds the factor that ends the score, and what it multiplies.
  void splitScore() {
    score = cast<YieldOp>(op.getScore().front().getTerminator()).getValue();
    auto multiply = score.getDefiningOp<arith::MulFOp>();
    if (!multiply)
      return;
    for (auto [constant, other] : {std::pair(multiply.getRhs(), multiply.getLhs()),
                                   std::pair(multiply.getLhs(), multiply.getRhs())}) {
      FloatAttr value;
      if (!matchPattern(constant, m_Constant(&value)) || !(value.getValueAsDouble() > 0))
        continue;
      factor = value.getValueAsDouble();
      score = other;
      return;
    }
  }

  /// Copies what `value`, of one of the regions, needs into a linalg body.
  Value inlineRegion(OpBuilder &b, Value value, IRMapping &mapping) {
    Operation *maker = value.getDefiningOp();
    if (mapping.contains(value) || !maker || maker->getParentOp() != op)
      return mapping.lookupOrDefault(value);
    for (Value operand : maker->getOperands())
      inlineRegion(b, operand, mapping);
    b.clone(*maker, mapping);
    return mapping.lookup(value);
  }

  /// The score, without its factor, and mask regions, element by element, with positions as values.
  Value weigh(Value products) {
    if (op.getFull() && score == op.getScore().getArgument(0))
      return products;
    Value query = toI32(op.getQueryPosition()), key = toI32(op.getKeyPosition()),
          head = toI32(op.getHead());
    Value mask = cast<YieldOp>(op.getMask().front().getTerminator()).getValue();
    Value minusInfinity = constant(-std::numeric_limits<double>::infinity());
    AffineMap cell = map(3, {d[0], d[1], d[2]});
    return generic({products}, empty({m, g, n}), {cell, cell}, 0,
                   [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                     auto loopIndex = [&](unsigned dimension) -> Value {
                       Value index = linalg::IndexOp::create(b, l, dimension);
                       return arith::IndexCastOp::create(b, l, b.getI32Type(), index);
                     };
                     Value column = loopIndex(2);
                     SmallVector<Value> arguments{arith::AddIOp::create(b, l, query, loopIndex(0)),
                                                  arith::AddIOp::create(b, l, key, column),
                                                  arith::AddIOp::create(b, l, head, loopIndex(1))};
                     llvm::append_range(arguments, op.getCaptures());
                     IRMapping mapping;
                     mapping.map(op.getMask().getArguments(), arguments);
                     mapping.map(op.getScore().getArguments().drop_front(), arguments);
                     mapping.map(op.getScore().getArgument(0), v[0]);
                     Value own = inlineRegion(b, score, mapping);
                     if (op.getFull())
                       return own;
                     Value isKey =
                         arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, column, keyCount);
                     Value seen =
                         arith::AndIOp::create(b, l, inlineRegion(b, mask, mapping), isKey);
                     return arith::SelectOp::create(b, l, seen, own, minusInfinity);
                   });
  }

  Value values() {
    if (op.getFull())
      return op.getValue();
    AffineMap cell = map(2, {d[0], d[1]});
    Value zero = constant(0);
    return generic({op.getValue()}, empty({n, e}), {cell, cell}, 0,
                   [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                     Value row = arith::IndexCastOp::create(b, l, b.getI32Type(),
                                                            linalg::IndexOp::create(b, l, 0));
                     Value isKey =
                         arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, row, keyCount);
                     return arith::SelectOp::create(b, l, isKey, widen(b, l, v[0]), zero);
                   });
  }

  OnlineAttentionOp op;
  OpBuilder builder;
  Location loc;
  Type f32;
  int64_t m, g, n, e;
  AffineExpr d[4];
  Value keyCount; ///< keys of the tile that exist, as i32; may exceed the tile
  Value score;    ///< in its region, without the factor that ends it
  double factor = 1;
};

struct DecomposeOnlineAttentionPass
    : impl::DecomposeOnlineAttentionPassBase<DecomposeOnlineAttentionPass> {
  void runOnOperation() override {
    SmallVector<OnlineAttentionOp> ops;
    getOperation().walk([&](OnlineAttentionOp op) { ops.push_back(op); });
    for (OnlineAttentionOp op : ops) {
      if (!cast<RankedTensorType>(op.getKey().getType()).hasStaticShape()) {
        op.emitOpError() << "has keys without a static size; quire-tile-reduction tiles them";
        return signalPassFailure();
      }
      Decomposition(op).run();
    }
  }
};

} // namespace
} // namespace quire::tile
