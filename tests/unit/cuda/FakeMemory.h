// The memory of the fake driver: host memory behind device addresses that the host cannot follow, and
// pinned memory. Keeps no count of what is alive; the driver does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace quire::test {

bool isDeviceAddress(uint64_t address);
/// Host memory behind a device address whose `bytes` lie in one allocation, or null.
uint8_t *behindDevice(uint64_t address, uint64_t bytes);
/// Whether `bytes` lie in one allocation of pinned memory.
bool isPinned(uint64_t address, uint64_t bytes);

/// A device address at a multiple of 256; the memory is not zero.
uint64_t allocateDevice(size_t bytes);
/// The bytes that were allocated there; nothing for an address that was not.
std::optional<uint64_t> freeDevice(uint64_t address);
void *allocatePinned(size_t bytes);
bool freePinned(void *address);

} // namespace quire::test
