// Rounding of the reference interpreter's numbers; see the header.
#include "compiler/reference/Tensor.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;

namespace quire::reference {
namespace {

bool isRepresentable(FloatType type, double value) {
  if (type.isF64() || std::isinf(value) || std::isnan(value))
    return true;
  float narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value)
    return false;
  return type.isF32() || (type.isBF16() && (llvm::bit_cast<uint32_t>(narrow) & 0xFFFF) == 0);
}

double roundFloat(FloatType type, double value) {
  if (isRepresentable(type, value))
    return value;
  if (type.isF32())
    return static_cast<float>(value);
  llvm::APFloat exact(value);
  bool losesInfo = false;
  exact.convert(type.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  exact.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return exact.convertToDouble();
}

double wrapInteger(unsigned width, double value) {
  auto bits = static_cast<int64_t>(value);
  if (width == 1)
    return static_cast<double>(bits & 1);
  return static_cast<double>(width < 64 ? llvm::SignExtend64(static_cast<uint64_t>(bits), width)
                                        : bits);
}

} // namespace

double roundTo(Type type, double value) {
  if (auto floating = dyn_cast<FloatType>(type))
    return roundFloat(floating, value);
  if (auto integer = dyn_cast<IntegerType>(type))
    return wrapInteger(integer.getWidth(), value);
  return value;
}

void roundTo(Type elementType, Tensor &tensor) {
  for (double &value : tensor.values)
    value = roundTo(elementType, value);
}

} // namespace quire::reference
