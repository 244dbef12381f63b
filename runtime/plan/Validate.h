// The rules of the plan format, checked before anything uses a file. Whatever passes here can be
// described, loaded and interpreted without a further bounds check:
//
//   file      magic, version, exact size, checksum, section bounds, alignment, element size, overlap
//   strings   every reference inside Strings
//   info      limits of counts, padded products of symbolic sizes, exact totals
//   weights   bytes equal the layout's arithmetic; sources cover the rows with equal columns and type
//   images    code inside Data, one entry per kernel and inside the code, one kind of target
//   maps      buffers and scalars that the kernel has; rank, box, extents, strides and swizzle as
//             cuTensorMapEncodeTiled takes them
//   program   registers, indices and operands in range, branches forward, ends with End,
//             operand counts equal the kernel's, arena operands inside the arena at all legal counts
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace quire::plan {

/// Upper limits that no honest plan comes near; they bound all later arithmetic.
inline constexpr uint32_t kMaxTokens = 1u << 20;
inline constexpr uint32_t kMaxContext = 1u << 26;
inline constexpr uint32_t kMaxPageSize = 1u << 16;
inline constexpr uint32_t kMaxRegisters = 1u << 16;
inline constexpr uint32_t kMaxRowPadding = 1u << 10;
inline constexpr uint32_t kMaxThreads = 1024;          ///< of a CUDA block
inline constexpr uint32_t kMaxSharedBytes = 256u << 10; ///< of a CUDA block
inline constexpr uint32_t kMaxThreadRegisters = 255;
inline constexpr uint32_t kCubinAlignment = 64;
inline constexpr uint32_t kMaxTensorMaps = 16; ///< of one kernel
inline constexpr uint32_t kMaxOperandsPerLaunch = 256;
inline constexpr uint64_t kMaxBytes = 1ull << 46;

using Sections = std::array<std::span<const uint8_t>, static_cast<size_t>(SectionKind::Count)>;

const char *sectionName(SectionKind kind);

/// Checks header, checksum and section table of `file` and returns the bytes of each section.
Result<Sections> validateContainer(std::span<const uint8_t> file);

/// Checks all records. `sections` must come from validateContainer.
Status validateRecords(const Sections &sections);

} // namespace quire::plan
