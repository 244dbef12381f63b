// Implements TokenMath.h.
#include "compiler/tile/TokenMath.h"

#include "runtime/plan/Format.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace quire::tile;

Value TokenMath::i32(int32_t value) {
  return arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(value));
}
Value TokenMath::i64(int64_t value) {
  return arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(value));
}
Value TokenMath::f32(float value) {
  return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(value));
}

Value TokenMath::exp(Value value) { return math::ExpOp::create(builder, loc, value); }
Value TokenMath::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(builder, loc, condition, yes, no);
}
Value TokenMath::plus(Value left, Value right) {
  return arith::AddIOp::create(builder, loc, left, right);
}
Value TokenMath::both(Value left, Value right) {
  return arith::AndIOp::create(builder, loc, left, right);
}
Value TokenMath::compare(arith::CmpIPredicate predicate, Value left, Value right) {
  return arith::CmpIOp::create(builder, loc, predicate, left, right);
}
Value TokenMath::compare(arith::CmpFPredicate predicate, Value left, Value right) {
  return arith::CmpFOp::create(builder, loc, predicate, left, right);
}

/// The bits of a positive number rise with it; those of a negative one fall, so they are inverted
/// but for the sign. Its own inverse.
static Value foldSign(OpBuilder &builder, Location loc, Value bits, Value most, Value signShift) {
  Value sign = arith::ShRSIOp::create(builder, loc, bits, signShift);
  return arith::XOrIOp::create(builder, loc, bits, arith::AndIOp::create(builder, loc, sign, most));
}

Value TokenMath::order(Value number) {
  // Both zeros are equal: -0 + 0 is +0.
  Value sum = arith::AddFOp::create(builder, loc, number, f32(0));
  Value bits = arith::BitcastOp::create(builder, loc, builder.getI32Type(), sum);
  Value most = i32(INT32_MAX);
  Value isNumber =
      compare(arith::CmpFPredicate::OLT, number, f32(std::numeric_limits<float>::infinity()));
  return select(isNumber, foldSign(builder, loc, bits, most, i32(31)), most);
}

Value TokenMath::numberOf(Value order) {
  return arith::BitcastOp::create(builder, loc, builder.getF32Type(),
                                  foldSign(builder, loc, order, i32(INT32_MAX), i32(31)));
}

Value TokenMath::rank(Value order, Value token) {
  Value high = arith::ShLIOp::create(
      builder, loc, arith::ExtSIOp::create(builder, loc, builder.getI64Type(), order), i64(32));
  Value low = arith::ExtUIOp::create(builder, loc, builder.getI64Type(),
                                     arith::XOrIOp::create(builder, loc, token, i32(-1)));
  return arith::OrIOp::create(builder, loc, high, low);
}

Value TokenMath::orderOf(Value rank) {
  return arith::TruncIOp::create(builder, loc, builder.getI32Type(),
                                 arith::ShRSIOp::create(builder, loc, rank, i64(32)));
}

Value TokenMath::tokenOf(Value rank) {
  Value low = arith::TruncIOp::create(builder, loc, builder.getI32Type(), rank);
  return arith::XOrIOp::create(builder, loc, low, i32(-1));
}

Value TokenMath::score(Value logit, Value highest, Value inverse) {
  // The highest logit is subtracted first, so that no temperature overflows.
  return arith::MulFOp::create(builder, loc, arith::SubFOp::create(builder, loc, logit, highest),
                               inverse);
}

Value TokenMath::shifted(Value value, int32_t right) {
  return arith::XOrIOp::create(builder, loc, value,
                               arith::ShRUIOp::create(builder, loc, value, i32(right)));
}

Value TokenMath::race(Value score, Value token, Value key0, Value key1) {
  auto times = [&](Value value, uint32_t factor) -> Value {
    return arith::MulIOp::create(builder, loc, value, i32(static_cast<int32_t>(factor)));
  };
  Value bits = arith::XOrIOp::create(builder, loc, token, key0);
  bits = times(shifted(bits, 17), plan::kSamplingFactors[0]);
  bits = arith::XOrIOp::create(builder, loc, bits, key1);
  bits = times(shifted(bits, 11), plan::kSamplingFactors[1]);
  bits = times(shifted(bits, 15), plan::kSamplingFactors[2]);
  bits = shifted(bits, 14);
  // From 2^-33 on: small numbers have all their digits, which decide where many tokens race.
  Value uniform = arith::UIToFPOp::create(builder, loc, builder.getF32Type(), bits);
  uniform = arith::MulFOp::create(builder, loc, uniform, f32(0x1p-32f));
  uniform = arith::AddFOp::create(builder, loc, uniform, f32(0x1p-33f));
  uniform = arith::MinNumFOp::create(builder, loc, uniform, f32(1 - 0x1p-24f));
  Value arrival = math::Log1pOp::create(builder, loc, arith::NegFOp::create(builder, loc, uniform));
  Value slowness = exp(arith::NegFOp::create(builder, loc, score));
  return arith::MulFOp::create(builder, loc, arrival, slowness);
}
