// Implements SharedTile.h.
#include "compiler/layout/SharedTile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

namespace quire::layout {
namespace {

constexpr int kUnit = 16; // bytes that a swizzle keeps together
constexpr int kBanks = 32, kBankBytes = 4;

/// The bits of a row that a swizzle mixes in are those above log2(128 / span): rows that share 128 bytes
/// meet no conflict with each other.
int rowShift(int span) { return std::countr_zero(static_cast<unsigned>(128 / span)); }
int unitMask(int span) { return span / kUnit - 1; }

/// Distinct words of the lanes that are served together, and how many of them the fullest bank holds.
struct Group {
  int words, fullest;
};

template <class Visit> void forEachGroup(std::span<const uint32_t> offsets, int bytes, Visit visit) {
  size_t lanes = static_cast<size_t>(kBanks * kBankBytes / std::max(bytes, kBankBytes));
  for (size_t first = 0; first < offsets.size(); first += lanes) {
    std::set<uint32_t> words;
    for (uint32_t offset : offsets.subspan(first, std::min(lanes, offsets.size() - first)))
      for (int byte = 0; byte < bytes; byte += kBankBytes)
        words.insert((offset + static_cast<uint32_t>(byte)) / kBankBytes);
    std::array<int, kBanks> held{};
    for (uint32_t word : words)
      ++held[word % kBanks];
    visit(Group{static_cast<int>(words.size()), *std::ranges::max_element(held)});
  }
}

} // namespace

std::optional<SharedTile> SharedTile::swizzled(int rows, int rowBytes) {
  for (int span : {128, 64, 32})
    if (auto tile = swizzled(rows, rowBytes, span))
      return tile;
  return std::nullopt;
}

std::optional<SharedTile> SharedTile::swizzled(int rows, int rowBytes, int span) {
  if ((span != 32 && span != 64 && span != 128) || rows < 1 || rows % 8 != 0 || rowBytes < 1 ||
      rowBytes % span != 0)
    return std::nullopt;
  return SharedTile(rows, rowBytes, span, span);
}

SharedTile SharedTile::padded(int rows, int rowBytes) {
  int units = (rowBytes + kUnit - 1) / kUnit;
  return SharedTile(rows, rowBytes, 0, (units | 1) * kUnit);
}

SharedTile SharedTile::dense(int rows, int rowBytes) {
  return SharedTile(rows, rowBytes, 0, rowBytes);
}

int SharedTile::offset(int row, int column) const {
  if (span_ == 0)
    return row * pitch_ + column;
  int unit = column % span_ / kUnit ^ (row >> rowShift(span_) & unitMask(span_));
  return column / span_ * rows_ * span_ + row * span_ + unit * kUnit + column % kUnit;
}

std::string SharedTile::expression(std::string_view row, std::string_view column) const {
  std::string r(row), c(column);
  bool simple = r.find(' ') == std::string::npos;
  std::string factor = simple ? r : "(" + r + ")";
  if (span_ == 0)
    return factor + " * " + std::to_string(pitch_) + " + " + c;
  if (c.find(' ') != std::string::npos)
    c = "(" + c + ")";
  int shift = rowShift(span_);
  std::string bits = shift == 0 ? factor : factor + " >> " + std::to_string(shift);
  std::string unit = "((" + bits + " & " + std::to_string(unitMask(span_)) + ") << 4)";
  std::string inside = rowBytes_ == span_ ? c : "(" + c + " & " + std::to_string(span_ - 1) + ")";
  std::string text = factor + " * " + std::to_string(span_) + " + (" + inside + " ^ " + unit + ")";
  if (rowBytes_ != span_) {
    int log = std::countr_zero(static_cast<unsigned>(span_));
    text = "(" + c + " >> " + std::to_string(log) + ") * " + std::to_string(rows_ * span_) + " + " +
           text;
  }
  return text;
}

int bankPasses(std::span<const uint32_t> offsets, int bytes) {
  int passes = 0;
  forEachGroup(offsets, bytes, [&](Group group) { passes += group.fullest; });
  return passes;
}

int leastBankPasses(std::span<const uint32_t> offsets, int bytes) {
  int passes = 0;
  forEachGroup(offsets, bytes,
               [&](Group group) { passes += (group.words + kBanks - 1) / kBanks; });
  return passes;
}

} // namespace quire::layout
