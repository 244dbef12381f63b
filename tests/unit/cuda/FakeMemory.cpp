// Implements FakeMemory.h.
#include "FakeMemory.h"

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>

namespace quire::test {
namespace {

/// Device addresses carry these bits: no canonical address has them, so the host faults on them.
constexpr uint64_t kDeviceBits = 0x5a00'0000'0000'0000;
constexpr uint64_t kBitMask = 0xff00'0000'0000'0000;

using Allocations = std::map<uint64_t, uint64_t>; ///< address to bytes
Allocations deviceMemory, pinnedMemory;           ///< by their real addresses

bool holds(const Allocations &allocations, uint64_t address, uint64_t bytes) {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin())
    return false;
  auto [start, size] = *std::prev(next);
  return address - start <= size && bytes <= size - (address - start);
}

void *allocate(Allocations &allocations, size_t bytes) {
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  allocations[reinterpret_cast<uint64_t>(memory)] = bytes;
  return memory;
}

} // namespace

bool isDeviceAddress(uint64_t address) { return (address & kBitMask) == kDeviceBits; }

uint8_t *behindDevice(uint64_t address, uint64_t bytes) {
  uint64_t real = address & ~kBitMask;
  return isDeviceAddress(address) && holds(deviceMemory, real, bytes)
             ? reinterpret_cast<uint8_t *>(real)
             : nullptr;
}

bool isPinned(uint64_t address, uint64_t bytes) { return holds(pinnedMemory, address, bytes); }

uint64_t allocateDevice(size_t bytes) {
  void *memory = allocate(deviceMemory, bytes);
  std::memset(memory, 0xcd, bytes);
  return reinterpret_cast<uint64_t>(memory) | kDeviceBits;
}

std::optional<uint64_t> freeDevice(uint64_t address) {
  auto memory = deviceMemory.find(address & ~kBitMask);
  if (memory == deviceMemory.end())
    return std::nullopt;
  uint64_t bytes = memory->second;
  std::free(reinterpret_cast<void *>(memory->first));
  deviceMemory.erase(memory);
  return bytes;
}

void *allocatePinned(size_t bytes) { return allocate(pinnedMemory, bytes); }

bool freePinned(void *address) {
  if (pinnedMemory.erase(reinterpret_cast<uint64_t>(address)) != 1)
    return false;
  std::free(address);
  return true;
}

} // namespace quire::test
