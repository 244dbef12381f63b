// ModelDevice: a device whose cache can be read. The value that a token leaves in a page depends on
// the salt, on the token and on the value before it, which is read from the cache through the page
// table, as a real layer would. So a value is right only if every page before it was right when it
// was written, and the next token of a sequence, a function of its last value, tells.
#pragma once

#include "runtime/kv/KvCache.h"

#include <cstdint>
#include <span>
#include <vector>

namespace quire::test {

inline uint64_t mixBits(uint64_t value) {
  value ^= value >> 31;
  value *= 0x7fb5d329728ea185ull;
  value ^= value >> 27;
  value *= 0x81dadef4bc2dd44dull;
  return value ^ value >> 33;
}
/// Value of the position before the first.
inline uint64_t startValue(uint64_t salt) { return mixBits(salt ^ 0x51ed270b9f1d7c35ull); }
/// Value of a position, from that before it.
inline uint64_t nextValue(uint64_t before, int32_t token) {
  return mixBits(before ^ (uint64_t(token) + 0x2545f4914f6cdd1dull));
}
/// What the model says after a sequence whose last value is `value`. Few tokens, so that texts
/// meet.
inline int32_t nextToken(uint64_t value, int32_t vocabulary) {
  return static_cast<int32_t>((value >> 17) % static_cast<uint64_t>(vocabulary));
}

class ModelDevice {
public:
  void reset(const CacheShape &shape) {
    form = shape;
    rows.assign(size_t(shape.pageCount) * shape.pageSize, 0);
    host.assign(size_t(shape.hostPages) * shape.pageSize, 0);
  }
  void copy(PageCopy copy) {
    for (int32_t row = 0; row < form.pageSize; ++row)
      at(copy.target, row) = at(copy.source, row);
  }
  void transfer(const PageTransfer &pages, bool out) {
    for (int32_t row = 0; row < form.pageSize; ++row) {
      uint64_t &outside = host[size_t(pages.hostPage) * form.pageSize + row];
      uint64_t &inside = at(pages.page, row);
      (out ? outside : inside) = out ? inside : outside;
    }
  }
  /// The value at `position`, or what else is there.
  uint64_t read(const PageTable &table, int32_t group, int32_t position) const {
    size_t block = size_t(position) / form.pageSize;
    std::span<const PageId> pages = table.pages(group);
    if (block >= pages.size() || pages[block] == kNoPage)
      return 0;
    return rows[size_t(pages[block]) * form.pageSize + position % form.pageSize] ^ mark(group);
  }
  void write(PageId page, int32_t group, int32_t position, uint64_t value) {
    at(page, position % form.pageSize) = value ^ mark(group);
  }

private:
  /// A page of one group makes no sense to another.
  static uint64_t mark(int32_t group) { return uint64_t(group) * 0x9e3779b97f4a7c15ull; }
  uint64_t &at(PageId page, int32_t row) { return rows[size_t(page) * form.pageSize + row]; }

  CacheShape form;
  std::vector<uint64_t> rows, host;
};

} // namespace quire::test
