// Moves pieces of a source into their place in a prepacked weight. Pure functions over memory: no
// files, no threads; different pieces of one weight can be moved at once.
#pragma once

#include "runtime/plan/Format.h"

#include <cstdint>

namespace quire {

/// Where a weight lies and how: element (r, c) is at r * columns + c for RowMajor and at
/// ((r / panel) * columns + c) * panel + r % panel for Panel.
struct PrepackTarget {
  uint8_t *data;
  plan::WeightLayout layout;
  uint32_t panel;
  uint64_t elementBytes;
  uint64_t columns;
};

/// A rectangle of the weight.
struct PrepackPiece {
  uint64_t row;
  uint64_t rows;
  uint64_t column;
  uint64_t columns;
};

/// `source` holds the piece as [rows, columns], `stride` elements from row to row.
void prepackRows(const PrepackTarget &target, const PrepackPiece &piece, const uint8_t *source,
                 uint64_t stride);

/// `source` holds the piece as [columns, rows], `stride` elements from column to column.
void prepackTransposed(const PrepackTarget &target, const PrepackPiece &piece,
                       const uint8_t *source, uint64_t stride);

/// Rows [piece.row, +rows) of a rotary table (plan::SourceKind::RotaryTable), in row-major order:
/// row `firstPosition + i` has the cosines and then the sines of position * frequencies, times
/// `scale`. The angle is rounded to f32 before the cosine, as the models were trained.
void computeRotaryRows(plan::ElementType element, const float *frequencies, uint64_t frequencyCount,
                       float scale, uint64_t firstPosition, uint64_t positions, uint8_t *rows);

/// Rows [firstRow, +rowCount) and columns [firstColumn, +columnCount) of a source of kind Random, in
/// row-major order. What an element is depends on its place in the source alone.
void computeRandomRows(const plan::SourceRecord &source, uint64_t firstRow, uint64_t rowCount,
                       uint64_t firstColumn, uint64_t columnCount, uint8_t *rows);

} // namespace quire
