// Polynomials in place of calls to a math library: nothing is called from a kernel.
//
//   %e = math.exp %x : vector<32xf32>
// becomes
//   %n = round(%x * log2(e));  %p = polynomial(%x - %n ln 2);  %e = %p * 2^%n
//
// Largest errors (tests/unit/compiler/cpu measures them against double):
//   exp, exp2   1 ulp; results below 2^-125.5 become 0; overflow gives inf, -inf gives 0
//   tanh        2 ulp
//   sin, cos    1.5e-7 absolute for |x| <= 1e5
//   erf         5 ulp, log 1 ulp (upstream's approximations, as for rarer functions)
// NaN gives NaN everywhere. The coefficients are those of the Cephes library's single precision
// functions (S. Moshier).
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace quire::compiler {
#define GEN_PASS_DEF_EXPANDMATH
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Writes arithmetic on values of one shape, f32 and i32.
class Writer {
public:
  Writer(OpBuilder &builder, Location loc, Type type)
      : builder(builder), loc(loc), floats(type),
        integers(isa<VectorType>(type) ? Type(cast<VectorType>(type).clone(builder.getI32Type()))
                                       : Type(builder.getI32Type())) {}

  Value number(float value) { return constant(floats, builder.getF32FloatAttr(value)); }
  Value integer(int32_t value) { return constant(integers, builder.getI32IntegerAttr(value)); }
  Value add(Value a, Value b) { return arith::AddFOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) { return arith::DivFOp::create(builder, loc, a, b); }
  Value fma(Value a, Value b, Value c) { return math::FmaOp::create(builder, loc, a, b, c); }
  Value fma(Value a, float b, Value c) { return fma(a, number(b), c); }
  Value less(Value a, Value b) {
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, a, b);
  }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(builder, loc, condition, yes, no);
  }
  /// `x` limited to [low, high]. NaN stays: the comparisons are written so that it fails both.
  Value clamp(Value x, float low, float high) {
    Value l = number(low), h = number(high);
    x = select(less(x, l), l, x);
    return select(less(h, x), h, x);
  }
  Value bits(Value x) { return arith::BitcastOp::create(builder, loc, integers, x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(builder, loc, floats, x); }
  Value addInteger(Value a, Value b) { return arith::AddIOp::create(builder, loc, a, b); }
  Value andInteger(Value a, Value b) { return arith::AndIOp::create(builder, loc, a, b); }
  Value xorInteger(Value a, Value b) { return arith::XOrIOp::create(builder, loc, a, b); }
  Value shiftLeft(Value a, int32_t count) {
    return arith::ShLIOp::create(builder, loc, a, integer(count));
  }
  Value notZero(Value a) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, a, integer(0));
  }
  Value absolute(Value x) { return math::AbsFOp::create(builder, loc, x); }
  Value copySign(Value x, Value sign) { return math::CopySignOp::create(builder, loc, x, sign); }
  /// c[0] x^(n-1) + … + c[n-1]
  Value polynomial(Value x, ArrayRef<float> c) {
    Value result = number(c[0]);
    for (float coefficient : c.drop_front())
      result = fma(result, x, number(coefficient));
    return result;
  }

private:
  Value constant(Type type, TypedAttr element) {
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vector, element));
    return arith::ConstantOp::create(builder, loc, element);
  }

  OpBuilder &builder;
  Location loc;
  Type floats, integers;
};

/// Added to a small number it rounds that to an integer, which then stands in the low bits.
constexpr float kRound = 12582912.0f; // 1.5 * 2^23

/// e^r * 2^n for |r| <= ln(2)/2, with n standing in the low bits of `rounded`, -126 <= n <= 128.
/// The factor 2 of the polynomial lets the exponent field hold n - 1 up to 127.
Value scaledExp(Writer &w, Value r, Value rounded) {
  Value p = w.polynomial(r, {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                             1.6666665459e-1f, 5.0000001201e-1f});
  p = w.add(w.fma(p, w.mul(r, r), r), w.number(1.0f));
  Value power = w.fromBits(w.shiftLeft(w.addInteger(w.bits(rounded), w.integer(126)), 23));
  return w.mul(w.add(p, p), power);
}

Value expandExp(Writer &w, Value x) {
  x = w.clamp(x, -87.33f, 89.0f);
  Value rounded = w.fma(x, 1.44269504f, w.number(kRound));
  Value n = w.sub(rounded, w.number(kRound));
  Value r = w.fma(n, -0.693147182464599609375f, x);
  r = w.fma(n, 1.904654323148236e-9f, r);
  return scaledExp(w, r, rounded);
}

Value expandExp2(Writer &w, Value x) {
  x = w.clamp(x, -126.0f, 128.0f);
  Value rounded = w.add(x, w.number(kRound));
  Value n = w.sub(rounded, w.number(kRound));
  return scaledExp(w, w.mul(w.sub(x, n), w.number(0.69314718056f)), rounded);
}

Value expandTanh(Writer &w, Value x) {
  Value size = w.absolute(x), square = w.mul(x, x);
  Value near = w.polynomial(square, {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                     1.33314422036e-1f, -3.33332819422e-1f});
  near = w.fma(w.mul(near, square), x, x);
  Value power = expandExp(w, w.add(size, size));
  Value far = w.sub(w.number(1.0f), w.div(w.number(2.0f), w.add(power, w.number(1.0f))));
  return w.select(w.less(size, w.number(0.625f)), near, w.copySign(far, x));
}

/// sin for `quadrants` 0, cos for 1. The reduction by pi/2 in three parts is exact to 2^-70.
Value expandSine(Writer &w, Value x, int32_t quadrants) {
  Value rounded = w.fma(x, 0.636619772f, w.number(kRound));
  Value n = w.sub(rounded, w.number(kRound));
  Value r = w.fma(n, -1.57079637050628662109375f, x);
  r = w.fma(n, 4.37113900018624283e-8f, r);
  r = w.fma(n, 1.71512451000588e-15f, r);
  Value z = w.mul(r, r);
  Value sine = w.polynomial(z, {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f});
  sine = w.fma(w.mul(sine, z), r, r);
  Value cosine =
      w.polynomial(z, {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f});
  cosine = w.fma(cosine, w.mul(z, z), w.fma(z, -0.5f, w.number(1.0f)));
  Value quadrant = w.addInteger(w.bits(rounded), w.integer(quadrants));
  Value odd = w.notZero(w.andInteger(quadrant, w.integer(1)));
  Value sign = w.shiftLeft(w.andInteger(quadrant, w.integer(2)), 30);
  return w.fromBits(w.xorInteger(w.bits(w.select(odd, cosine, sine)), sign));
}

template <typename Op> struct Expand : OpRewritePattern<Op> {
  Value (*expand)(Writer &, Value);

  Expand(MLIRContext *context, Value (*expand)(Writer &, Value))
      : OpRewritePattern<Op>(context, /*benefit=*/10), expand(expand) {}

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return failure();
    Writer writer(rewriter, op.getLoc(), type);
    rewriter.replaceOp(op, expand(writer, op.getOperand()));
    return success();
  }
};

struct ExpandMath : quire::compiler::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<Expand<math::ExpOp>>(context, expandExp);
    patterns.add<Expand<math::Exp2Op>>(context, expandExp2);
    patterns.add<Expand<math::TanhOp>>(context, expandTanh);
    patterns.add<Expand<math::SinOp>>(context,
                                      [](Writer &w, Value x) { return expandSine(w, x, 0); });
    patterns.add<Expand<math::CosOp>>(context,
                                      [](Writer &w, Value x) { return expandSine(w, x, 1); });
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return llvm::is_contained({"math.erf", "math.erfc", "math.log", "math.log2", "math.log1p",
                                 "math.expm1", "math.atan", "math.atan2", "math.asin",
                                 "math.acos"},
                                name);
    });
    math::populateExpansionPatterns(patterns, {"powf", "sinh", "cosh", "tan"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
