// Counts heap allocations of this process, for tests that promise none.
#pragma once

#include <cstdint>

namespace quire::test {

/// Calls of operator new so far, on all threads.
uint64_t allocationCount();

} // namespace quire::test
