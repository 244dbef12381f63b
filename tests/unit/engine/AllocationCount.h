// AllocationCount: how often this test program has asked for heap memory through operator new.
#pragma once

#include <cstdint>

namespace quire::testing {

int64_t allocationCount();

} // namespace quire::testing
