// The analysis walks the mask's expression. Integers are intervals over the tile's queries and
// heads plus at most one term in the key, scale * floor((key + offset) / divisor); comparisons of
// those become key intervals; "and" intersects, "or" lists alternatives, "not" is pushed down to
// the comparisons.
#include "compiler/tile/MaskBounds.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quire::tile;

namespace {

/// Larger than any key position, small enough to add to.
constexpr int64_t kFar = int64_t(1) << 40;

/// scale * floor((key + offset) / divisor) + rest, with rest in [low, high].
struct Term {
  int64_t scale = 0, offset = 0, divisor = 1;
  OpFoldResult low, high;
};

using Ranges = SmallVector<KeyRange, 2>;

class MaskAnalysis {
public:
  MaskAnalysis(OpBuilder &builder, OnlineAttentionOp op)
      : builder(builder), op(op), loc(op.getLoc()), mask(op.getMask().front()) {}

  MaskBounds run() {
    auto yield = cast<YieldOp>(mask.getTerminator());
    bounds.ranges = condition(yield.getValue(), /*holds=*/true);
    if (bounds.ranges.size() == 2)
      order();
    return std::move(bounds);
  }

private:
  // --- Arithmetic on index values ----------------------------------------------------------------

  OpFoldResult apply(AffineExpr expression, ArrayRef<OpFoldResult> operands) {
    return affine::makeComposedFoldedAffineApply(
        builder, loc, AffineMap::get(operands.size(), 0, expression), operands);
  }
  AffineExpr dim(unsigned position) { return builder.getAffineDimExpr(position); }
  Value value(OpFoldResult result) { return getValueOrCreateConstantIndexOp(builder, loc, result); }
  OpFoldResult number(int64_t constant) { return builder.getIndexAttr(constant); }
  template <typename Op> Value combine(Value a, Value b) {
    if (!a || !b)
      return a ? a : b;
    return builder.createOrFold<Op>(loc, a, b);
  }

  // --- Integers ----------------------------------------------------------------------------------

  std::optional<Term> fixed(OpFoldResult low, OpFoldResult high) {
    Term term;
    term.low = low;
    term.high = high;
    return term;
  }

  std::optional<Term> argument(BlockArgument argument) {
    auto from = [&](Value base, Value tensor, int64_t dimension) {
      int64_t size = cast<RankedTensorType>(tensor.getType()).getShape()[dimension];
      return fixed(OpFoldResult(base), apply(dim(0) + (size - 1), {OpFoldResult(base)}));
    };
    switch (argument.getArgNumber()) {
    case 0:
      return from(op.getQueryPosition(), op.getQuery(), 0);
    case 1: {
      Term key;
      key.scale = 1;
      key.low = key.high = number(0);
      return key;
    }
    case 2:
      return from(op.getHead(), op.getQuery(), 1);
    default: {
      Value capture = op.getCaptures()[argument.getArgNumber() - 3];
      if (!isa<IntegerType>(capture.getType()))
        return std::nullopt;
      Value index = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), capture);
      return fixed(OpFoldResult(index), OpFoldResult(index));
    }
    }
  }

  std::optional<Term> add(const Term &a, const Term &b, int64_t sign) {
    Term sum;
    if (a.scale && b.scale && (a.offset != b.offset || a.divisor != b.divisor))
      return std::nullopt;
    const Term &key = a.scale ? a : b;
    sum.offset = key.offset;
    sum.divisor = key.divisor;
    sum.scale = a.scale + sign * b.scale;
    AffineExpr expression = dim(0) + dim(1) * sign;
    sum.low = apply(expression, {a.low, sign > 0 ? b.low : b.high});
    sum.high = apply(expression, {a.high, sign > 0 ? b.high : b.low});
    return sum;
  }

  std::optional<Term> multiply(const Term &a, int64_t factor) {
    Term product = a;
    product.scale *= factor;
    product.low = apply(dim(0) * factor, {factor >= 0 ? a.low : a.high});
    product.high = apply(dim(0) * factor, {factor >= 0 ? a.high : a.low});
    return product;
  }

  /// Positions are not negative, so truncating and flooring division agree on a plain key.
  std::optional<Term> divide(const Term &a, int64_t divisor, bool floors) {
    if (divisor <= 0)
      return std::nullopt;
    Term quotient = a;
    if (a.scale == 0) {
      if (!floors && !(isZeroOrMore(a.low)))
        return std::nullopt;
      quotient.low = apply(dim(0).floorDiv(divisor), {a.low});
      quotient.high = apply(dim(0).floorDiv(divisor), {a.high});
      return quotient;
    }
    std::optional<int64_t> low = getConstantIntValue(a.low), high = getConstantIntValue(a.high);
    if (a.scale != 1 || a.divisor != 1 || !low || low != high || (*low < 0 && !floors))
      return std::nullopt;
    quotient.offset = a.offset + *low;
    quotient.divisor = divisor;
    quotient.low = quotient.high = number(0);
    return quotient;
  }

  /// True for what is known not to be negative: positions and heads themselves, constants.
  bool isZeroOrMore(OpFoldResult result) {
    if (std::optional<int64_t> constant = getConstantIntValue(result))
      return *constant >= 0;
    return result == OpFoldResult(op.getQueryPosition()) || result == OpFoldResult(op.getHead());
  }

  std::optional<Term> integer(Value expression) {
    APInt constant;
    if (matchPattern(expression, m_ConstantInt(&constant)))
      return fixed(number(constant.getSExtValue()), number(constant.getSExtValue()));
    if (auto block = dyn_cast<BlockArgument>(expression))
      return argument(block);
    Operation *source = expression.getDefiningOp();
    SmallVector<std::optional<Term>> terms;
    for (Value operand : source->getOperands()) {
      terms.push_back(operand.getType().isIntOrIndex() ? integer(operand) : std::nullopt);
      if (!terms.back())
        return std::nullopt;
    }
    auto constantOf = [](const Term &term) -> std::optional<int64_t> {
      std::optional<int64_t> low = getConstantIntValue(term.low),
                             high = getConstantIntValue(term.high);
      return term.scale == 0 && low && low == high ? low : std::nullopt;
    };
    return llvm::TypeSwitch<Operation *, std::optional<Term>>(source)
        .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto) { return terms[0]; })
        .Case([&](arith::AddIOp) { return add(*terms[0], *terms[1], 1); })
        .Case([&](arith::SubIOp) { return add(*terms[0], *terms[1], -1); })
        .Case([&](arith::MulIOp) -> std::optional<Term> {
          if (std::optional<int64_t> factor = constantOf(*terms[1]))
            return multiply(*terms[0], *factor);
          if (std::optional<int64_t> factor = constantOf(*terms[0]))
            return multiply(*terms[1], *factor);
          return std::nullopt;
        })
        .Case<arith::DivSIOp, arith::FloorDivSIOp>([&](auto) -> std::optional<Term> {
          std::optional<int64_t> divisor = constantOf(*terms[1]);
          return divisor ? divide(*terms[0], *divisor, isa<arith::FloorDivSIOp>(source))
                         : std::nullopt;
        })
        .Default([](Operation *) { return std::optional<Term>(); });
  }

  // --- Conditions --------------------------------------------------------------------------------

  static Ranges everything() { return {KeyRange{{}, KeyInterval{}}}; }

  Ranges nothing() {
    Value zero = value(number(0));
    return {KeyRange{{{}, zero}, std::nullopt}};
  }

  Ranges dontKnow(Operation *source) {
    if (!bounds.unknown)
      bounds.unknown = source;
    return {KeyRange{{}, std::nullopt}};
  }

  /// term <= limit
  Ranges atMost(const Term &term, int64_t limit) {
    KeyRange range;
    range.must = KeyInterval();
    auto bound = [&](OpFoldResult rest, KeyInterval &interval) {
      if (term.scale > 0) { // key + offset < (floor((limit - rest) / scale) + 1) * divisor
        AffineExpr quotient = (-dim(0) + limit).floorDiv(term.scale) + 1;
        interval.upper = value(apply(quotient * term.divisor - term.offset, {rest}));
      } else if (term.scale < 0) { // key + offset >= ceil((rest - limit) / -scale) * divisor
        AffineExpr quotient = (dim(0) - limit).ceilDiv(-term.scale);
        interval.lower = value(apply(quotient * term.divisor - term.offset, {rest}));
      } else { // the same for all keys
        Value holds = builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle,
                                                          value(rest), value(number(limit)));
        interval.upper = builder.createOrFold<arith::SelectOp>(loc, holds, value(number(kFar)),
                                                               value(number(0)));
      }
    };
    bound(term.low, range.may);
    bound(term.high, *range.must);
    return {range};
  }

  Ranges conjunction(const Ranges &a, const Ranges &b) {
    Ranges result;
    for (const KeyRange &left : a)
      for (const KeyRange &right : b) {
        KeyRange both;
        both.may = meet(left.may, right.may);
        if (left.must && right.must)
          both.must = meet(*left.must, *right.must);
        result.push_back(both);
      }
    return limited(std::move(result));
  }

  Ranges disjunction(Ranges a, const Ranges &b) {
    a.append(b);
    return limited(std::move(a));
  }

  KeyInterval meet(const KeyInterval &a, const KeyInterval &b) {
    return {combine<arith::MaxSIOp>(a.lower, b.lower), combine<arith::MinSIOp>(a.upper, b.upper)};
  }

  KeyInterval hull(const KeyInterval &a, const KeyInterval &b) {
    KeyInterval both;
    if (a.lower && b.lower)
      both.lower = builder.createOrFold<arith::MinSIOp>(loc, a.lower, b.lower);
    if (a.upper && b.upper)
      both.upper = builder.createOrFold<arith::MaxSIOp>(loc, a.upper, b.upper);
    return both;
  }

  /// Two alternatives stay apart if one of them begins at the first key and the other does not.
  Ranges limited(Ranges ranges) {
    while (ranges.size() > 2 ||
           (ranges.size() == 2 && !ranges[0].may.lower == !ranges[1].may.lower)) {
      KeyRange last = ranges.pop_back_val();
      KeyRange &merged = ranges.back();
      // Intervals from the first key unite; of others one is kept, which promises less but no lie.
      if (!merged.must)
        merged.must = last.must;
      else if (last.must && !merged.must->lower && !last.must->lower)
        merged.must = hull(*merged.must, *last.must);
      merged.may = hull(merged.may, last.may);
    }
    return ranges;
  }

  void order() {
    if (bounds.ranges[0].may.lower)
      std::swap(bounds.ranges[0], bounds.ranges[1]);
  }

  Ranges comparison(arith::CmpIOp compare, bool holds) {
    std::optional<Term> left = integer(compare.getLhs()), right = integer(compare.getRhs());
    std::optional<Term> difference = left && right ? add(*left, *right, -1) : std::nullopt;
    std::optional<Term> negated = difference ? multiply(*difference, -1) : std::nullopt;
    if (!difference || !negated)
      return dontKnow(compare);
    arith::CmpIPredicate predicate =
        holds ? compare.getPredicate() : arith::invertPredicate(compare.getPredicate());
    switch (predicate) {
    case arith::CmpIPredicate::sle:
      return atMost(*difference, 0);
    case arith::CmpIPredicate::slt:
      return atMost(*difference, -1);
    case arith::CmpIPredicate::sge:
      return atMost(*negated, 0);
    case arith::CmpIPredicate::sgt:
      return atMost(*negated, -1);
    case arith::CmpIPredicate::eq:
      return conjunction(atMost(*difference, 0), atMost(*negated, 0));
    case arith::CmpIPredicate::ne:
      return disjunction(atMost(*difference, -1), atMost(*negated, -1));
    default:
      return dontKnow(compare);
    }
  }

  Ranges condition(Value expression, bool holds) {
    APInt constant;
    if (matchPattern(expression, m_ConstantInt(&constant)))
      return constant.isZero() != holds ? everything() : nothing();
    Operation *source = expression.getDefiningOp();
    if (!source)
      return dontKnow(op);
    Value left = source->getNumOperands() == 2 ? source->getOperand(0) : Value();
    Value right = left ? source->getOperand(1) : Value();
    if (auto compare = dyn_cast<arith::CmpIOp>(source))
      return comparison(compare, holds);
    if (isa<arith::AndIOp, arith::OrIOp>(source)) {
      Ranges a = condition(left, holds), b = condition(right, holds);
      return isa<arith::AndIOp>(source) == holds ? conjunction(a, b) : disjunction(a, b);
    }
    if (isa<arith::XOrIOp>(source)) {
      if (matchPattern(right, m_ConstantInt(&constant)))
        return condition(left, constant.isZero() == holds);
      if (matchPattern(left, m_ConstantInt(&constant)))
        return condition(right, constant.isZero() == holds);
    }
    return dontKnow(source);
  }

  OpBuilder &builder;
  OnlineAttentionOp op;
  Location loc;
  Block &mask;
  MaskBounds bounds;
};

} // namespace

MaskBounds quire::tile::analyseMask(OpBuilder &builder, OnlineAttentionOp op) {
  return MaskAnalysis(builder, op).run();
}
