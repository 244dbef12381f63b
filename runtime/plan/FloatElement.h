// Floating-point elements of tensors and weights as f32: rounded when they are stored (to the nearest,
// ties to even), exact when they are read. For element types F32, F16 and BF16 alone.
#pragma once

#include "runtime/plan/Format.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace quire::plan {

constexpr bool isFloat(ElementType element) {
  return element == ElementType::F32 || element == ElementType::F16 || element == ElementType::BF16;
}

inline uint16_t roundToBf16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// Element `index` of the array at `data`, which needs no alignment.
inline void storeFloat(ElementType element, void *data, uint64_t index, float value) {
  auto *bytes = static_cast<uint8_t *>(data);
  if (element == ElementType::F32) {
    std::memcpy(bytes + 4 * index, &value, 4);
  } else if (element == ElementType::BF16) {
    uint16_t bits = roundToBf16(value);
    std::memcpy(bytes + 2 * index, &bits, 2);
  } else {
    auto half = static_cast<_Float16>(value);
    std::memcpy(bytes + 2 * index, &half, 2);
  }
}

inline float loadFloat(ElementType element, const void *data, uint64_t index) {
  const auto *bytes = static_cast<const uint8_t *>(data);
  if (element == ElementType::F32) {
    float value;
    std::memcpy(&value, bytes + 4 * index, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, bytes + 2 * index, 2);
  if (element == ElementType::BF16)
    return std::bit_cast<float>(uint32_t{bits} << 16);
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}

} // namespace quire::plan
