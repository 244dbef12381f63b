// Implements Memory.h.
#include "runtime/base/Memory.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <utility>

namespace quire {
namespace {
constexpr uint64_t kHugePage = 2u << 20;
constexpr uint64_t kPage = 4096;
} // namespace

AnonymousMemory::AnonymousMemory(AnonymousMemory &&other) noexcept { *this = std::move(other); }

AnonymousMemory &AnonymousMemory::operator=(AnonymousMemory &&other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(mappedBytes_, other.mappedBytes_);
  return *this;
}

AnonymousMemory::~AnonymousMemory() {
  if (mapping_)
    ::munmap(mapping_, mappedBytes_);
}

Result<AnonymousMemory> AnonymousMemory::allocate(uint64_t bytes, std::string_view purpose) {
  AnonymousMemory memory;
  if (bytes == 0)
    return memory;
  auto refuse = [&](const char *reason) {
    return Status::error(ErrorCode::ResourceExhausted, "cannot get " + std::to_string(bytes) +
                                                           " bytes for " + std::string(purpose) +
                                                           ": " + reason);
  };
  if (bytes > UINT64_MAX / 2)
    return refuse("more than an address space");
  // Huge pages only where the rounding is small against the size, so that resident bytes stay exact.
  bool huge = bytes >= 16 * kHugePage;
  uint64_t alignment = huge ? kHugePage : kPage;
  uint64_t mapped = bytes + alignment;
  void *mapping = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return refuse(std::strerror(errno));
  auto address = reinterpret_cast<uintptr_t>(mapping);
  uintptr_t aligned = (address + alignment - 1) / alignment * alignment;
  memory.data_ = static_cast<uint8_t *>(mapping) + (aligned - address);
  memory.bytes_ = bytes;
  memory.mapping_ = mapping;
  memory.mappedBytes_ = mapped;
  if (huge)
    (void)::madvise(memory.data_, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

} // namespace quire
