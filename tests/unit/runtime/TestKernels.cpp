// The kernels themselves. They lie in a section of their own, which the linker delimits, call nothing
// and use no constants in memory, so that a copy of the section runs anywhere. The build compiles
// this file without sanitizers, builtins and vectorisation for the same reason.
#include "TestKernels.h"

#define TEST_KERNEL __attribute__((section("quire_test_code"), noinline, used))

extern "C" {
extern const uint8_t __start_quire_test_code[];
extern const uint8_t __stop_quire_test_code[];
}

namespace quire::test {
namespace {

using plan::WorkItem;

TEST_KERNEL void append(void *const *buffers, const int64_t *, int64_t item) {
  auto *tokenIds = static_cast<const int32_t *>(buffers[0]);
  auto *slots = static_cast<const int32_t *>(buffers[1]);
  auto *keys = static_cast<int32_t *>(buffers[2]);
  if (slots[item] >= 0)
    keys[slots[item]] = tokenIds[item];
}

TEST_KERNEL void sum(void *const *buffers, const int64_t *scalars, int64_t item) {
  const WorkItem &work = static_cast<const WorkItem *>(buffers[0])[item];
  auto *keys = static_cast<const int32_t *>(buffers[1]);
  auto *table = static_cast<const int32_t *>(buffers[2]) + work.sequence * scalars[1];
  auto *sums = static_cast<int32_t *>(buffers[3]);
  for (int32_t row = 0; row < work.rowCount; ++row) {
    int32_t total = 0;
    for (int64_t key = work.keyBegin; key < work.keyEnd && key <= work.position + row; ++key)
      total += keys[table[key / scalars[0]] * scalars[0] + key % scalars[0]];
    sums[work.firstRow + row] = total;
  }
}

TEST_KERNEL void partial(void *const *buffers, const int64_t *scalars, int64_t item) {
  const WorkItem &work = static_cast<const WorkItem *>(buffers[0])[item];
  auto *keys = static_cast<const int32_t *>(buffers[1]);
  auto *table = static_cast<const int32_t *>(buffers[2]) + work.sequence * scalars[1];
  int32_t total = 0;
  for (int64_t key = work.keyBegin; key < work.keyEnd && key <= work.position; ++key)
    total += keys[table[key / scalars[0]] * scalars[0] + key % scalars[0]];
  static_cast<int32_t *>(buffers[3])[item] = total;
}

TEST_KERNEL void combine(void *const *buffers, const int64_t *, int64_t item) {
  const WorkItem &work = static_cast<const WorkItem *>(buffers[0])[item];
  auto *partials = static_cast<const int32_t *>(buffers[1]);
  if (work.split != 0 || work.rowCount == 0)
    return;
  int32_t total = 0;
  for (int32_t split = 0; split < work.splitCount; ++split)
    total += partials[item + split];
  static_cast<int32_t *>(buffers[2])[work.firstRow] = total;
}

TEST_KERNEL void gather(void *const *buffers, const int64_t *, int64_t item) {
  auto *rows = static_cast<const int32_t *>(buffers[0]);
  static_cast<int32_t *>(buffers[2])[item] = static_cast<const int32_t *>(buffers[1])[rows[item]];
}

TEST_KERNEL void scale(void *const *buffers, const int64_t *scalars, int64_t item) {
  auto *x = static_cast<const float *>(buffers[0]) + item * scalars[1];
  auto *weight = static_cast<const float *>(buffers[1]);
  auto *out = static_cast<float *>(buffers[2]) + item * scalars[0];
  for (int64_t column = 0; column < scalars[0]; ++column)
    out[column] = x[column] * weight[column] * static_cast<float>(scalars[2]);
}

TEST_KERNEL void store(void *const *buffers, const int64_t *scalars, int64_t item) {
  int64_t begin = item * scalars[2] * scalars[0];
  int64_t end = begin + scalars[2] * scalars[0], all = scalars[1] * scalars[0];
  for (int64_t i = begin; i < end && i < all; ++i)
    static_cast<float *>(buffers[1])[i] = static_cast<const float *>(buffers[0])[i];
}

} // namespace

std::span<const uint8_t> testCode() {
  return {__start_quire_test_code, __stop_quire_test_code};
}

std::vector<uint64_t> testEntries() {
  const plan::CpuKernel kernels[] = {append, sum, partial, combine, gather, scale, store};
  static_assert(std::size(kernels) == static_cast<size_t>(TestKernel::Count));
  std::vector<uint64_t> entries;
  for (plan::CpuKernel kernel : kernels)
    entries.push_back(reinterpret_cast<uint64_t>(kernel) -
                      reinterpret_cast<uint64_t>(__start_quire_test_code));
  return entries;
}

} // namespace quire::test
