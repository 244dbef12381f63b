// Implements Fragment.h but for its expressions (FragmentText.cpp).
#include "compiler/layout/Fragment.h"

#include <algorithm>
#include <numeric>

namespace quire::layout {
namespace {

int product(const std::vector<Mode> &modes) {
  int result = 1;
  for (const Mode &mode : modes)
    result *= mode.extent;
  return result;
}

int contribution(const std::vector<Mode> &modes, int dimension, int index) {
  int result = 0;
  for (const Mode &mode : modes) {
    if (mode.dimension == dimension)
      result += index % mode.extent * mode.stride;
    index /= mode.extent;
  }
  return result;
}

int extentAlong(const std::vector<Mode> &modes, int dimension) {
  int result = 1;
  for (const Mode &mode : modes)
    if (mode.dimension == dimension)
      result *= mode.extent;
  return result;
}

/// The largest power of two that divides `value`, at most `limit`.
int powerOfTwoIn(int value, int limit) { return std::min(value & -value, limit); }

std::vector<Mode> remapped(const std::vector<Mode> &modes, std::span<const int> newDimension) {
  std::vector<Mode> result = modes;
  for (Mode &mode : result)
    if (mode.dimension != kReplicated)
      mode.dimension = newDimension[static_cast<size_t>(mode.dimension)];
  return result;
}

} // namespace

Fragment::Fragment(std::vector<int> shape, std::vector<Mode> registers, std::vector<Mode> lanes,
                   std::vector<Mode> warps)
    : shape_(std::move(shape)), registers_(std::move(registers)), lanes_(std::move(lanes)),
      warps_(std::move(warps)) {
  // A digit of extent 1 says nothing.
  for (std::vector<Mode> *modes : {&registers_, &lanes_, &warps_})
    std::erase_if(*modes, [](const Mode &mode) { return mode.extent == 1; });
}

int Fragment::registersPerThread() const { return product(registers_); }
int Fragment::warpCount() const { return product(warps_); }

int Fragment::elementCount() const {
  return std::accumulate(shape_.begin(), shape_.end(), 1, std::multiplies<>());
}

int Fragment::replication() const {
  return extentAlong(lanes_, kReplicated) * extentAlong(warps_, kReplicated);
}

int Fragment::coordinate(int dimension, int reg, int lane, int warp) const {
  return contribution(registers_, dimension, reg) + contribution(lanes_, dimension, lane) +
         contribution(warps_, dimension, warp);
}

std::vector<int> Fragment::coordinates(int reg, int lane, int warp) const {
  std::vector<int> result;
  for (int dimension = 0; dimension < rank(); ++dimension)
    result.push_back(coordinate(dimension, reg, lane, warp));
  return result;
}

std::optional<Place> Fragment::owner(std::span<const int> coordinates) const {
  for (int warp = 0; warp < warpCount(); ++warp)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int reg = 0; reg < registersPerThread(); ++reg)
        if (std::ranges::equal(this->coordinates(reg, lane, warp), coordinates))
          return Place{reg, lane, warp};
  return std::nullopt;
}

bool Fragment::isBijective() const {
  if (product(lanes_) != kLanes)
    return false;
  std::vector<int> copies(static_cast<size_t>(elementCount()), 0);
  for (int warp = 0; warp < warpCount(); ++warp)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int reg = 0; reg < registersPerThread(); ++reg) {
        size_t index = 0;
        for (int dimension = 0; dimension < rank(); ++dimension) {
          int at = coordinate(dimension, reg, lane, warp);
          int extent = shape_[static_cast<size_t>(dimension)];
          if (at < 0 || at >= extent)
            return false;
          index = index * static_cast<size_t>(extent) + static_cast<size_t>(at);
        }
        ++copies[index];
      }
  return std::ranges::all_of(copies, [&](int count) { return count == replication(); });
}

bool Fragment::sameMapping(const Fragment &other) const {
  if (shape_ != other.shape_ || registersPerThread() != other.registersPerThread() ||
      warpCount() != other.warpCount())
    return false;
  // Contributions add up, so the three indices can be compared one at a time.
  for (int dimension = 0; dimension < rank(); ++dimension) {
    for (int reg = 0; reg < registersPerThread(); ++reg)
      if (coordinate(dimension, reg, 0, 0) != other.coordinate(dimension, reg, 0, 0))
        return false;
    for (int lane = 0; lane < kLanes; ++lane)
      if (coordinate(dimension, 0, lane, 0) != other.coordinate(dimension, 0, lane, 0))
        return false;
    for (int warp = 0; warp < warpCount(); ++warp)
      if (coordinate(dimension, 0, 0, warp) != other.coordinate(dimension, 0, 0, warp))
        return false;
  }
  return true;
}

int Fragment::lanesAlong(int dimension) const { return extentAlong(lanes_, dimension); }
int Fragment::warpsAlong(int dimension) const { return extentAlong(warps_, dimension); }

std::vector<int> Fragment::laneMasksAlong(int dimension) const {
  std::vector<int> masks;
  int below = 1;
  for (const Mode &mode : lanes_) {
    if (mode.dimension == dimension) {
      if ((below & (below - 1)) || (mode.extent & (mode.extent - 1)))
        return {};
      for (int mask = below; mask < below * mode.extent; mask *= 2)
        masks.push_back(mask);
    }
    below *= mode.extent;
  }
  return masks;
}

std::optional<Fragment> blocked(std::span<const int> shape, int warps, int vector) {
  if (shape.empty() || vector < 1 || warps < 1 || (warps & (warps - 1)) ||
      std::ranges::any_of(shape, [](int extent) { return extent < 1; }) ||
      shape.back() % vector != 0)
    return std::nullopt;
  int last = static_cast<int>(shape.size()) - 1;
  std::vector<Mode> registers{{last, vector, 1}}, lanes, warpModes;
  int freeLanes = kLanes, freeWarps = warps;
  for (int dimension = last; dimension >= 0; --dimension) {
    int unit = dimension == last ? vector : 1;
    int units = shape[static_cast<size_t>(dimension)] / unit;
    int inLanes = powerOfTwoIn(units, freeLanes);
    lanes.push_back({dimension, inLanes, unit});
    units /= inLanes, unit *= inLanes, freeLanes /= inLanes;
    // Warps begin where the lanes are used up, so that a warp's accesses stay together.
    int inWarps = freeLanes == 1 ? powerOfTwoIn(units, freeWarps) : 1;
    warpModes.push_back({dimension, inWarps, unit});
    units /= inWarps, unit *= inWarps, freeWarps /= inWarps;
    registers.push_back({dimension, units, unit});
  }
  lanes.push_back({kReplicated, freeLanes, 0});
  warpModes.push_back({kReplicated, freeWarps, 0});
  return Fragment({shape.begin(), shape.end()}, registers, lanes, warpModes);
}

Fragment reduced(const Fragment &fragment, int dimension) {
  std::vector<int> shape = fragment.shape(), newDimension;
  shape.erase(shape.begin() + dimension);
  for (int d = 0; d < fragment.rank(); ++d)
    newDimension.push_back(d == dimension ? kReplicated : d - (d > dimension));
  std::vector<Mode> registers = fragment.registers();
  std::erase_if(registers, [&](const Mode &mode) { return mode.dimension == dimension; });
  auto replicate = [&](std::vector<Mode> modes) {
    for (Mode &mode : modes)
      if (mode.dimension == dimension)
        mode.stride = 0;
    return remapped(modes, newDimension);
  };
  return Fragment(shape, remapped(registers, newDimension), replicate(fragment.lanes()),
                  replicate(fragment.warps()));
}

Fragment permuted(const Fragment &fragment, std::span<const int> order) {
  std::vector<int> shape, newDimension(order.size());
  for (size_t d = 0; d < order.size(); ++d) {
    shape.push_back(fragment.shape()[static_cast<size_t>(order[d])]);
    newDimension[static_cast<size_t>(order[d])] = static_cast<int>(d);
  }
  return Fragment(shape, remapped(fragment.registers(), newDimension),
                  remapped(fragment.lanes(), newDimension),
                  remapped(fragment.warps(), newDimension));
}

Fragment expanded(const Fragment &fragment, int dimension) {
  std::vector<int> shape = fragment.shape(), newDimension;
  shape.insert(shape.begin() + dimension, 1);
  for (int d = 0; d < fragment.rank(); ++d)
    newDimension.push_back(d + (d >= dimension));
  return Fragment(shape, remapped(fragment.registers(), newDimension),
                  remapped(fragment.lanes(), newDimension),
                  remapped(fragment.warps(), newDimension));
}

} // namespace quire::layout
