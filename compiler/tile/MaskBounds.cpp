// The analysis walks the mask's expression. Integers are sums of what queries and heads determine,
// each within an interval over the tile, plus at most one term in the key,
// scale * floor((key + offset) / divisor); comparisons of those become key intervals; "and"
// intersects, "or" lists alternatives, "not" is pushed down to the comparisons. A remainder is its
// dividend less a multiple, so that query - query % 1024 is known to be a multiple of 1024.
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

/// factor * atom, where the atom, a value of the mask or the floor of it over a divisor, lies in
/// [low, high] for the queries and heads of the tile.
struct Part {
  std::pair<Value, int64_t> atom;
  int64_t factor;
  OpFoldResult low, high;
};

/// scale * floor((key + offset) / divisor) + the sum of parts + constant
struct Term {
  int64_t scale = 0, offset = 0, divisor = 1, constant = 0;
  SmallVector<Part, 2> parts;

  /// What does not depend on the key is one number for all queries and heads.
  bool isFixed() const { return parts.empty(); }
  std::optional<int64_t> asConstant() const {
    return scale == 0 && parts.empty() ? std::optional(constant) : std::nullopt;
  }
};

/// The value that casts between integer types widen or narrow.
Value withoutCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

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

  static Term fixed(int64_t constant) {
    Term term;
    term.constant = constant;
    return term;
  }
  static Term between(Value atom, int64_t divisor, OpFoldResult low, OpFoldResult high) {
    Term term;
    term.parts.push_back({{atom, divisor}, 1, low, high});
    return term;
  }

  /// The least (greatest) value of what does not depend on the key.
  OpFoldResult bound(const Term &term, bool isLow) {
    AffineExpr sum = builder.getAffineConstantExpr(term.constant);
    SmallVector<OpFoldResult> operands;
    for (const Part &part : term.parts) {
      sum = sum + dim(operands.size()) * part.factor;
      operands.push_back((part.factor > 0) == isLow ? part.low : part.high);
    }
    return apply(sum, operands);
  }

  std::optional<Term> argument(BlockArgument argument) {
    auto from = [&](Value base, Value tensor, int64_t dimension) {
      int64_t size = cast<RankedTensorType>(tensor.getType()).getShape()[dimension];
      return between(argument, 1, OpFoldResult(base),
                     apply(dim(0) + (size - 1), {OpFoldResult(base)}));
    };
    switch (argument.getArgNumber()) {
    case 0:
      return from(op.getQueryPosition(), op.getQuery(), 0);
    case 1: {
      Term key;
      key.scale = 1;
      return key;
    }
    case 2:
      return from(op.getHead(), op.getQuery(), 1);
    default: {
      Value capture = op.getCaptures()[argument.getArgNumber() - 3];
      if (!isa<IntegerType>(capture.getType()))
        return std::nullopt;
      Value index = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), capture);
      return between(argument, 1, OpFoldResult(index), OpFoldResult(index));
    }
    }
  }

  std::optional<Term> add(const Term &a, const Term &b, int64_t sign) {
    if (a.scale && b.scale && (a.offset != b.offset || a.divisor != b.divisor))
      return std::nullopt;
    const Term &key = a.scale ? a : b;
    Term sum = a;
    sum.offset = key.offset;
    sum.divisor = key.divisor;
    sum.scale = a.scale + sign * b.scale;
    sum.constant += sign * b.constant;
    for (Part part : b.parts) {
      part.factor *= sign;
      auto same = llvm::find_if(sum.parts, [&](const Part &p) { return p.atom == part.atom; });
      if (same == sum.parts.end())
        sum.parts.push_back(part);
      else
        same->factor += part.factor;
    }
    llvm::erase_if(sum.parts, [](const Part &part) { return part.factor == 0; });
    return sum;
  }

  Term multiply(Term product, int64_t factor) {
    product.scale *= factor;
    product.constant *= factor;
    for (Part &part : product.parts)
      part.factor *= factor;
    if (factor == 0)
      product.parts.clear();
    return product;
  }

  /// floor(a / divisor), where `a` is the value `dividend` of the mask. Positions are not negative,
  /// so truncating and flooring division agree on a plain key.
  std::optional<Term> divide(const Term &a, Value dividend, int64_t divisor, bool floors) {
    if (divisor <= 0)
      return std::nullopt;
    if (a.scale == 0) {
      OpFoldResult low = bound(a, /*isLow=*/true), high = bound(a, /*isLow=*/false);
      if (!floors && !isZeroOrMore(low))
        return std::nullopt;
      AffineExpr quotient = dim(0).floorDiv(divisor);
      if (a.isFixed())
        return fixed(*getConstantIntValue(apply(quotient, {low})));
      return between(withoutCasts(dividend), divisor, apply(quotient, {low}),
                     apply(quotient, {high}));
    }
    if (a.scale != 1 || a.divisor != 1 || !a.isFixed() || (a.constant < 0 && !floors))
      return std::nullopt;
    Term quotient;
    quotient.scale = 1;
    quotient.offset = a.offset + a.constant;
    quotient.divisor = divisor;
    return quotient;
  }

  /// a - divisor * floor(a / divisor), for an `a` that is not negative.
  std::optional<Term> remainder(const Term &a, Value dividend, int64_t divisor) {
    std::optional<Term> quotient = divide(a, dividend, divisor, /*floors=*/false);
    return quotient ? add(a, multiply(*quotient, divisor), -1) : std::nullopt;
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
      return fixed(constant.getSExtValue());
    if (auto block = dyn_cast<BlockArgument>(expression))
      return argument(block);
    Operation *source = expression.getDefiningOp();
    SmallVector<std::optional<Term>> terms;
    for (Value operand : source->getOperands()) {
      terms.push_back(operand.getType().isIntOrIndex() ? integer(operand) : std::nullopt);
      if (!terms.back())
        return std::nullopt;
    }
    return llvm::TypeSwitch<Operation *, std::optional<Term>>(source)
        .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto) { return terms[0]; })
        .Case([&](arith::AddIOp) { return add(*terms[0], *terms[1], 1); })
        .Case([&](arith::SubIOp) { return add(*terms[0], *terms[1], -1); })
        .Case([&](arith::MulIOp) -> std::optional<Term> {
          if (std::optional<int64_t> factor = terms[1]->asConstant())
            return multiply(*terms[0], *factor);
          if (std::optional<int64_t> factor = terms[0]->asConstant())
            return multiply(*terms[1], *factor);
          return std::nullopt;
        })
        .Case<arith::DivSIOp, arith::FloorDivSIOp>([&](auto) -> std::optional<Term> {
          std::optional<int64_t> divisor = terms[1]->asConstant();
          return divisor ? divide(*terms[0], source->getOperand(0), *divisor,
                                  isa<arith::FloorDivSIOp>(source))
                         : std::nullopt;
        })
        .Case([&](arith::RemSIOp) -> std::optional<Term> {
          std::optional<int64_t> divisor = terms[1]->asConstant();
          return divisor ? remainder(*terms[0], source->getOperand(0), *divisor) : std::nullopt;
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
    auto limitKeys = [&](OpFoldResult rest, KeyInterval &interval) {
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
    limitKeys(bound(term, /*isLow=*/true), range.may);
    limitKeys(bound(term, /*isLow=*/false), *range.must);
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
    if (!difference)
      return dontKnow(compare);
    Term negated = multiply(*difference, -1);
    arith::CmpIPredicate predicate =
        holds ? compare.getPredicate() : arith::invertPredicate(compare.getPredicate());
    switch (predicate) {
    case arith::CmpIPredicate::sle:
      return atMost(*difference, 0);
    case arith::CmpIPredicate::slt:
      return atMost(*difference, -1);
    case arith::CmpIPredicate::sge:
      return atMost(negated, 0);
    case arith::CmpIPredicate::sgt:
      return atMost(negated, -1);
    case arith::CmpIPredicate::eq:
      return conjunction(atMost(*difference, 0), atMost(negated, 0));
    case arith::CmpIPredicate::ne:
      return disjunction(atMost(*difference, -1), atMost(negated, -1));
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
