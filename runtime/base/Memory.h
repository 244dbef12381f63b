// Large anonymous memory: page-granular, zero on first touch, 2 MiB aligned and advised for huge
// pages when it is large. Untouched pages cost nothing, so a capacity can be reserved whole.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quire {

/// Move-only; unmaps on destruction.
class AnonymousMemory {
public:
  AnonymousMemory() = default;
  AnonymousMemory(AnonymousMemory &&other) noexcept;
  AnonymousMemory &operator=(AnonymousMemory &&other) noexcept;
  ~AnonymousMemory();

  /// `purpose` is for the message of ResourceExhausted. Zero bytes give an empty, valid object.
  static Result<AnonymousMemory> allocate(uint64_t bytes, std::string_view purpose);

  uint8_t *data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

private:
  uint8_t *data_ = nullptr;
  uint64_t bytes_ = 0;
  void *mapping_ = nullptr;
  uint64_t mappedBytes_ = 0;
};

} // namespace quire
