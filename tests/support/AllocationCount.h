// How often this test program has asked for heap memory, for tests that promise none.
#pragma once

#include <cstdint>

namespace quire::test {

/// Calls of operator new so far, on all threads.
int64_t allocationCount();

} // namespace quire::test
