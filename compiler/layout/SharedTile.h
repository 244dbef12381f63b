// How a tile of rows lies in shared memory, so that rows and columns of 16-byte units can be read
// without bank conflicts, and so that wgmma and TMA read it where their swizzle of that width is named.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quire::layout {

/// A tile of `rows` rows of `rowBytes` bytes each.
///
/// Swizzled by `span` bytes (32, 64 or 128): the row is cut into blocks of `span` bytes, each block is
/// stored for all rows before the next block, and inside a block the 16-byte units of row r are XORed
/// with bits of r, as the tensor memory accelerator does (CU_TENSOR_MAP_SWIZZLE_*). Bases are aligned
/// to 8 * span bytes, and `rows` is a multiple of 8.
///
/// Padded: rows lie `pitch` bytes apart.
class SharedTile {
public:
  /// The widest swizzle whose span divides the row; nothing if rowBytes is not a multiple of 32 or
  /// rows not one of 8.
  static std::optional<SharedTile> swizzled(int rows, int rowBytes);
  /// With a given span. Nothing if it does not divide the row.
  static std::optional<SharedTile> swizzled(int rows, int rowBytes, int span);
  /// Rows at the smallest pitch, a multiple of 16, that is an odd number of 16-byte units: eight rows'
  /// units at one column then fall into eight different bank groups.
  static SharedTile padded(int rows, int rowBytes);
  /// Rows one behind the other.
  static SharedTile dense(int rows, int rowBytes);

  int rows() const { return rows_; }
  int rowBytes() const { return rowBytes_; }
  /// 0 when not swizzled.
  int span() const { return span_; }
  /// Bytes from one row to the next, inside a block of `span` bytes when swizzled.
  int pitch() const { return pitch_; }
  int bytes() const { return span_ ? rows_ * rowBytes_ : rows_ * pitch_; }
  int alignment() const { return span_ ? 8 * span_ : 16; }

  /// Byte offset of byte `column` of `row`.
  int offset(int row, int column) const;

  /// The same as a C expression: `row` is an expression, `column` one in bytes that is a multiple of 16
  /// (or stays inside one unit). Both are used as often as they are needed, so names are best.
  std::string expression(std::string_view row, std::string_view column) const;

private:
  SharedTile(int rows, int rowBytes, int span, int pitch)
      : rows_(rows), rowBytes_(rowBytes), span_(span), pitch_(pitch) {}
  int rows_, rowBytes_, span_, pitch_;
};

/// Passes over the 32 banks of 4 bytes that one access of a warp takes: lane l reads or writes `bytes`
/// (4, 8 or 16) at offsets[l]. Wide accesses are served a half (8) or a quarter (16) of a warp at a
/// time; equal words are served together.
int bankPasses(std::span<const uint32_t> offsets, int bytes);

/// The passes of an access without any conflict: the distinct bytes at 128 a pass, at least one for each
/// group of lanes that is served together.
int leastBankPasses(std::span<const uint32_t> offsets, int bytes);

} // namespace quire::layout
