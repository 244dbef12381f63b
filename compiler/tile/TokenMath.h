// Scalar mathematics of sampling on one logit, for the bodies of its reductions: orders of numbers
// as integers, scores, random numbers. See plan::SamplingRecord for what they mean.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace quire::tile {

class TokenMath {
public:
  TokenMath(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::Value i32(int32_t value);
  mlir::Value i64(int64_t value);
  mlir::Value f32(float value);

  /// i32 that compares as the f32 does, with the largest i32 for NaN and positive infinity.
  mlir::Value order(mlir::Value number);
  /// The f32 of an order.
  mlir::Value numberOf(mlir::Value order);
  /// i64 that compares by `order`, the lower token first among equals.
  mlir::Value rank(mlir::Value order, mlir::Value token);
  mlir::Value orderOf(mlir::Value rank);
  mlir::Value tokenOf(mlir::Value rank);

  /// (logit - highest) * inverse
  mlir::Value score(mlir::Value logit, mlir::Value highest, mlir::Value inverse);
  /// How late a token of this score comes in the race, negative: the largest wins. In [-inf, 0).
  mlir::Value race(mlir::Value score, mlir::Value token, mlir::Value key0, mlir::Value key1);

  mlir::Value exp(mlir::Value value);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value plus(mlir::Value left, mlir::Value right); ///< of integers
  mlir::Value both(mlir::Value left, mlir::Value right);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value left, mlir::Value right);
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value left, mlir::Value right);

private:
  mlir::Value shifted(mlir::Value value, int32_t right);
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace quire::tile
