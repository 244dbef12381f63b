// Replaces the global allocation functions by counting ones. The sized and array forms come down to
// these by the standard's defaults.
#include "tests/support/AllocationCount.h"

#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<int64_t> count{0};

int64_t quire::test::allocationCount() { return count.load(); }

void *operator new(std::size_t bytes) {
  count.fetch_add(1, std::memory_order_relaxed);
  if (void *memory = std::malloc(bytes ? bytes : 1))
    return memory;
  throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
