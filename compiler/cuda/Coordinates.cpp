// Coordinates of elements: sums and products with constants, quotients, and their way through the
// maps of a linalg.generic. What is known of them (a multiple, a range, the chunk's index) goes
// along.
#include "compiler/cuda/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

Coordinate Coordinate::of(int64_t value) {
  return {std::to_string(value), Fixed, value, std::abs(value), value, value + 1};
}

Coordinate Coordinate::variable(std::string name, int64_t low, int64_t high, int64_t multiple) {
  return {std::move(name), Fixed, std::nullopt, multiple, low, high};
}

Coordinate cuda::added(const Coordinate &coordinate, const Coordinate &offset) {
  if (offset.constant == 0)
    return coordinate;
  if (coordinate.constant == 0 && coordinate.lane == Coordinate::Fixed)
    return offset;
  Coordinate sum = coordinate;
  bool bothConstant = coordinate.constant && offset.constant;
  sum.constant =
      bothConstant ? std::optional(*coordinate.constant + *offset.constant) : std::nullopt;
  if (coordinate.constant == 0)
    sum.base = offset.base;
  else if (bothConstant)
    sum.base = std::to_string(*sum.constant);
  else
    sum.base = "(" + coordinate.base + " + " + offset.base + ")";
  if (offset.lane != Coordinate::Fixed) {
    sum.lane = coordinate.lane == Coordinate::Fixed ? offset.lane : Coordinate::Folded;
    if (sum.lane == Coordinate::Folded)
      sum.base = "(" + coordinate.text() + " + " + offset.text() + ")";
  }
  sum.multiple = std::gcd(coordinate.multiple, offset.multiple);
  sum.low = coordinate.low + offset.low;
  sum.high = coordinate.high + offset.high - 1;
  return sum;
}

Coordinate cuda::scaled(const Coordinate &coordinate, int64_t factor) {
  if (factor == 1)
    return coordinate;
  Coordinate product = coordinate;
  if (coordinate.constant && coordinate.lane == Coordinate::Fixed)
    return Coordinate::of(*coordinate.constant * factor);
  product.base = coordinate.text() + " * " + std::to_string(factor);
  product.constant = std::nullopt;
  if (product.lane == Coordinate::Contiguous)
    product.lane = Coordinate::Folded;
  product.multiple = coordinate.multiple * factor;
  product.low = coordinate.low * factor;
  product.high = (coordinate.high - 1) * factor + 1;
  return product;
}

/// coordinate / size and coordinate % size.
std::pair<Coordinate, Coordinate> cuda::divided(const Coordinate &coordinate, int64_t size,
                                                int64_t vector) {
  if (coordinate.low >= 0 && coordinate.high <= size)
    return {Coordinate::of(0), coordinate};
  if (size == 1)
    return {coordinate, Coordinate::of(0)};
  if (coordinate.constant && coordinate.lane == Coordinate::Fixed)
    return {Coordinate::of(*coordinate.constant / size),
            Coordinate::of(*coordinate.constant % size)};
  bool whole = coordinate.lane == Coordinate::Contiguous && size % vector == 0 &&
               coordinate.multiple % vector == 0;
  std::string text = whole ? coordinate.base : coordinate.text();
  Coordinate quotient = Coordinate::variable(text + " / " + std::to_string(size),
                                             std::max<int64_t>(0, coordinate.low / size),
                                             (coordinate.high - 1) / size + 1);
  quotient.base = "(" + quotient.base + ")";
  Coordinate rest = Coordinate::variable("(" + text + " % " + std::to_string(size) + ")", 0, size,
                                         std::gcd(coordinate.multiple, size));
  if (whole)
    rest.lane = Coordinate::Contiguous;
  else
    quotient.lane = rest.lane =
        coordinate.lane == Coordinate::Fixed ? Coordinate::Fixed : Coordinate::Folded;
  return {quotient, rest};
}

Coordinates cuda::unravel(ArrayRef<int64_t> shape, StringRef number) {
  int64_t count = llvm::product_of(shape), below = 1;
  Coordinates result(shape.size());
  for (size_t dimension = shape.size(); dimension-- > 0;) {
    int64_t size = shape[dimension];
    if (size == 1) {
      result[dimension] = Coordinate::of(0);
      continue;
    }
    std::string value = number.str();
    if (below > 1)
      value = "(" + value + " / " + std::to_string(below) + ")";
    if (below * size < count)
      value = "(" + value + " % " + std::to_string(size) + ")";
    result[dimension] = Coordinate::variable(value, 0, size);
    below *= size;
  }
  return result;
}

std::string cuda::both(const std::string &left, const std::string &right) {
  if (left.empty() || right.empty())
    return left + right;
  return left + " && " + right;
}

std::string cuda::keyOf(Value tensor, const Coordinates &at) {
  std::string key = std::to_string(reinterpret_cast<uintptr_t>(tensor.getAsOpaquePointer()));
  for (const Coordinate &coordinate : at)
    key += "," + coordinate.text();
  return key;
}

FailureOr<Coordinates> cuda::loopCoordinates(linalg::GenericOp op, const Coordinates &at) {
  AffineMap map = op.getIndexingMapsArray().back();
  Coordinates loops(map.getNumDims(), Coordinate::of(0));
  for (auto [expression, coordinate] : llvm::zip(map.getResults(), at)) {
    if (auto dim = dyn_cast<AffineDimExpr>(expression))
      loops[dim.getPosition()] = coordinate;
    else if (!isa<AffineConstantExpr>(expression))
      return op.emitOpError() << "has result map " << AffineMapAttr::get(map)
                              << "; the CUDA stage takes permutations only";
  }
  return loops;
}

FailureOr<Coordinates> cuda::operandCoordinates(linalg::GenericOp op, AffineMap map,
                                                const Coordinates &loops) {
  std::function<FailureOr<Coordinate>(AffineExpr)> evaluate =
      [&](AffineExpr expression) -> FailureOr<Coordinate> {
    if (auto dim = dyn_cast<AffineDimExpr>(expression))
      return loops[dim.getPosition()];
    if (auto constant = dyn_cast<AffineConstantExpr>(expression))
      return Coordinate::of(constant.getValue());
    if (auto pair = dyn_cast<AffineBinaryOpExpr>(expression)) {
      FailureOr<Coordinate> left = evaluate(pair.getLHS());
      auto factor = dyn_cast<AffineConstantExpr>(pair.getRHS());
      if (succeeded(left) && pair.getKind() == AffineExprKind::Mul && factor)
        return scaled(*left, factor.getValue());
      FailureOr<Coordinate> right = evaluate(pair.getRHS());
      if (succeeded(left) && succeeded(right) && pair.getKind() == AffineExprKind::Add)
        return added(*left, *right);
    }
    return op.emitOpError() << "has an indexing map " << AffineMapAttr::get(map)
                            << " that the CUDA stage cannot print";
  };
  Coordinates result;
  for (AffineExpr expression : map.getResults()) {
    FailureOr<Coordinate> coordinate = evaluate(expression);
    if (failed(coordinate))
      return failure();
    result.push_back(*coordinate);
  }
  return result;
}
