// The arithmetic of the plan format: element sizes, row padding, symbolic byte sizes and the size of
// a prepacked weight. Compiler and runtime use these same functions, and every product of sizes that
// come from a file goes through the checked forms.
#pragma once

#include "runtime/plan/Format.h"

#include <optional>

namespace quire::plan {

constexpr uint64_t elementBytes(ElementType element) {
  switch (element) {
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  case ElementType::F16:
  case ElementType::BF16:
    return 2;
  case ElementType::I64:
    return 8;
  case ElementType::U8:
    return 1;
  case ElementType::Count:
    break;
  }
  return 0;
}

constexpr const char *elementName(ElementType element) {
  switch (element) {
  case ElementType::F32:
    return "f32";
  case ElementType::F16:
    return "f16";
  case ElementType::BF16:
    return "bf16";
  case ElementType::I32:
    return "i32";
  case ElementType::I64:
    return "i64";
  case ElementType::U8:
    return "u8";
  case ElementType::Count:
    break;
  }
  return "?";
}

constexpr uint64_t roundUp(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Rows of an arena buffer that holds `rows` token or sample rows; `padding` is the plan's
/// InfoRecord::rowPadding.
constexpr uint64_t padRows(uint64_t rows, uint32_t padding) { return roundUp(rows, padding); }

/// Empty when the sum or the product does not fit 64 bits.
constexpr std::optional<uint64_t> checkedAdd(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    return std::nullopt;
  return sum;
}
constexpr std::optional<uint64_t> checkedMultiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    return std::nullopt;
  return product;
}

/// Value of a symbolic size at padded row counts. Unchecked: a validated plan cannot overflow at
/// counts within its limits.
constexpr uint64_t evaluate(const ByteSize &size, uint64_t paddedTokens, uint64_t paddedSamples) {
  return size.constant + size.perToken * paddedTokens + size.perSample * paddedSamples;
}

/// Resident bytes of a weight after layout, empty on overflow or a panel layout of 0 rows.
constexpr std::optional<uint64_t> weightBytes(WeightLayout layout, ElementType element,
                                              uint64_t rows, uint64_t columns, uint32_t panel) {
  if (layout == WeightLayout::Panel && panel == 0)
    return std::nullopt;
  if (panel != 0) {
    if (rows > UINT64_MAX - panel)
      return std::nullopt;
    rows = roundUp(rows, panel);
  }
  auto elements = checkedMultiply(rows, columns);
  return elements ? checkedMultiply(*elements, elementBytes(element)) : std::nullopt;
}

/// Weights lie at multiples of this in one mapping; InfoRecord::weightBytes counts the gaps.
inline constexpr uint64_t kWeightAlignment = 64;

} // namespace quire::plan
