// Implements Prepack.h. A row-major source into panels is a transpose; whole panels of 2- and 4-byte
// elements go through 8 x 8 and 4 x 4 SSE2 transposes, everything else element by element.
#include "runtime/weights/Prepack.h"

#include "runtime/plan/FloatElement.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <emmintrin.h>

namespace quire {
namespace {

/// 8 rows of 8 two-byte elements, transposed.
void transposeBlock(const uint16_t *source, uint64_t sourceStride, uint16_t *target,
                    uint64_t targetStride) {
  __m128i row[8], a[8], b[8];
  for (int i = 0; i < 8; ++i)
    row[i] = _mm_loadu_si128(
        reinterpret_cast<const __m128i *>(source + static_cast<uint64_t>(i) * sourceStride));
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm_unpacklo_epi16(row[2 * i], row[2 * i + 1]);
    a[2 * i + 1] = _mm_unpackhi_epi16(row[2 * i], row[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = _mm_unpacklo_epi32(a[4 * i], a[4 * i + 2]);
    b[4 * i + 1] = _mm_unpackhi_epi32(a[4 * i], a[4 * i + 2]);
    b[4 * i + 2] = _mm_unpacklo_epi32(a[4 * i + 1], a[4 * i + 3]);
    b[4 * i + 3] = _mm_unpackhi_epi32(a[4 * i + 1], a[4 * i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    auto *first = reinterpret_cast<__m128i *>(target + static_cast<uint64_t>(2 * i) * targetStride);
    auto *second =
        reinterpret_cast<__m128i *>(target + static_cast<uint64_t>(2 * i + 1) * targetStride);
    _mm_storeu_si128(first, _mm_unpacklo_epi64(b[i], b[i + 4]));
    _mm_storeu_si128(second, _mm_unpackhi_epi64(b[i], b[i + 4]));
  }
}

/// 4 rows of 4 four-byte elements, transposed.
void transposeBlock(const uint32_t *source, uint64_t sourceStride, uint32_t *target,
                    uint64_t targetStride) {
  auto load = [&](uint64_t i) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i *>(source + i * sourceStride));
  };
  auto store = [&](uint64_t i, __m128i value) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(target + i * targetStride), value);
  };
  __m128i low01 = _mm_unpacklo_epi32(load(0), load(1)), high01 = _mm_unpackhi_epi32(load(0), load(1));
  __m128i low23 = _mm_unpacklo_epi32(load(2), load(3)), high23 = _mm_unpackhi_epi32(load(2), load(3));
  store(0, _mm_unpacklo_epi64(low01, low23));
  store(1, _mm_unpackhi_epi64(low01, low23));
  store(2, _mm_unpacklo_epi64(high01, high23));
  store(3, _mm_unpackhi_epi64(high01, high23));
}

template <typename Element> constexpr uint64_t blockSize() {
  return sizeof(Element) == 2 ? 8 : sizeof(Element) == 4 ? 4 : 0;
}

template <typename Element> Element loadElement(const uint8_t *address) {
  Element value; // sources in files have no alignment
  std::memcpy(&value, address, sizeof(value));
  return value;
}

/// target[c * targetStride + r] = source[r * sourceStride + c]. The source has no alignment.
template <typename Element>
void transpose(const uint8_t *source, uint64_t sourceStride, uint64_t rows, uint64_t columns,
               Element *target, uint64_t targetStride) {
  constexpr uint64_t block = blockSize<Element>();
  uint64_t blockedRows = 0, blockedColumns = 0;
  if constexpr (block != 0) {
    bool aligned = reinterpret_cast<uintptr_t>(source) % sizeof(Element) == 0;
    if (aligned) {
      blockedRows = rows / block * block;
      blockedColumns = columns / block * block;
      const auto *typed = reinterpret_cast<const Element *>(source);
      for (uint64_t c = 0; c < blockedColumns; c += block)
        for (uint64_t r = 0; r < blockedRows; r += block)
          transposeBlock(typed + r * sourceStride + c, sourceStride, target + c * targetStride + r,
                         targetStride);
    }
  }
  for (uint64_t c = 0; c < columns; ++c)
    for (uint64_t r = c < blockedColumns ? blockedRows : 0; r < rows; ++r)
      target[c * targetStride + r] =
          loadElement<Element>(source + (r * sourceStride + c) * sizeof(Element));
}

/// Cuts a piece at panel boundaries: body(first row of the piece, rows, target of row and column).
template <typename Element, typename Body>
void forEachPanel(const PrepackTarget &target, const PrepackPiece &piece, Body body) {
  auto *data = reinterpret_cast<Element *>(target.data);
  for (uint64_t row = 0; row < piece.rows;) {
    uint64_t absolute = piece.row + row, within = absolute % target.panel;
    uint64_t rows = std::min(piece.rows - row, target.panel - within);
    uint64_t start = (absolute / target.panel * target.columns + piece.column) * target.panel;
    body(row, rows, data + start + within);
    row += rows;
  }
}

template <typename Element>
void rows(const PrepackTarget &target, const PrepackPiece &piece, const uint8_t *source,
          uint64_t stride) {
  if (target.layout == plan::WeightLayout::RowMajor) {
    for (uint64_t r = 0; r < piece.rows; ++r)
      std::memcpy(target.data +
                      ((piece.row + r) * target.columns + piece.column) * sizeof(Element),
                  source + r * stride * sizeof(Element), piece.columns * sizeof(Element));
    return;
  }
  forEachPanel<Element>(target, piece, [&](uint64_t row, uint64_t count, Element *out) {
    transpose<Element>(source + row * stride * sizeof(Element), stride, count, piece.columns, out,
                       target.panel);
  });
}

template <typename Element>
void transposed(const PrepackTarget &target, const PrepackPiece &piece, const uint8_t *source,
                uint64_t stride) {
  if (target.layout == plan::WeightLayout::RowMajor) {
    auto *out =
        reinterpret_cast<Element *>(target.data) + piece.row * target.columns + piece.column;
    // Seen from the source, its rows are the target's columns.
    transpose<Element>(source, stride, piece.columns, piece.rows, out, target.columns);
    return;
  }
  forEachPanel<Element>(target, piece, [&](uint64_t row, uint64_t count, Element *out) {
    for (uint64_t c = 0; c < piece.columns; ++c)
      std::memcpy(out + c * target.panel, source + (c * stride + row) * sizeof(Element),
                  count * sizeof(Element));
  });
}

} // namespace

void prepackRows(const PrepackTarget &target, const PrepackPiece &piece, const uint8_t *source,
                 uint64_t stride) {
  switch (target.elementBytes) {
  case 1:
    return rows<uint8_t>(target, piece, source, stride);
  case 2:
    return rows<uint16_t>(target, piece, source, stride);
  case 4:
    return rows<uint32_t>(target, piece, source, stride);
  default:
    return rows<uint64_t>(target, piece, source, stride);
  }
}

void prepackTransposed(const PrepackTarget &target, const PrepackPiece &piece,
                       const uint8_t *source, uint64_t stride) {
  switch (target.elementBytes) {
  case 1:
    return transposed<uint8_t>(target, piece, source, stride);
  case 2:
    return transposed<uint16_t>(target, piece, source, stride);
  case 4:
    return transposed<uint32_t>(target, piece, source, stride);
  default:
    return transposed<uint64_t>(target, piece, source, stride);
  }
}

void computeRotaryRows(plan::ElementType element, const float *frequencies, uint64_t frequencyCount,
                       float scale, uint64_t firstPosition, uint64_t positions, uint8_t *rows) {
  auto put = [&](uint64_t index, float value) { plan::storeFloat(element, rows, index, value); };
  for (uint64_t p = 0; p < positions; ++p) {
    auto position = static_cast<float>(firstPosition + p);
    uint64_t row = p * 2 * frequencyCount;
    for (uint64_t f = 0; f < frequencyCount; ++f) {
      // In double, so that the result is the cosine of the f32 angle to the last bit.
      double angle = position * frequencies[f];
      put(row + f, static_cast<float>(std::cos(angle)) * scale);
      put(row + frequencyCount + f, static_cast<float>(std::sin(angle)) * scale);
    }
  }
}

void computeRandomRows(const plan::SourceRecord &source, uint64_t firstRow, uint64_t rowCount,
                       uint64_t firstColumn, uint64_t columnCount, uint8_t *rows) {
  for (uint64_t row = 0; row < rowCount; ++row)
    for (uint64_t column = 0; column < columnCount; ++column) {
      uint64_t bits = source.offset + (firstRow + row) * source.columns + firstColumn + column;
      bits = (bits + 1) * 0x9e3779b97f4a7c15ull; // SplitMix64
      bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
      bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
      bits ^= bits >> 31;
      float unit = static_cast<float>(bits >> 40) * 0x1p-23f - 1;
      plan::storeFloat(source.element, rows, row * columnCount + column, source.scale * unit);
    }
}

} // namespace quire
