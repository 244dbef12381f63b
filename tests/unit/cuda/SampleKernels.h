// The kernels of TestKernels.h as CUDA C++, so that the sample plan runs on a real GPU.
#pragma once

#include "SamplePlan.h"

#include <array>
#include <string>

namespace quire::test {

inline constexpr const char *kSampleHeader = R"(
struct WorkItem { int sequence, firstRow, rowCount, position, keyBegin, keyEnd, split, splitCount; };
#define KERNEL extern "C" __global__ void
#define ITEM long long item = blockIdx.x; if (threadIdx.x != 0 || item >= items) return;
)";

/// Texts in kernel order; each includes the header as "sample.h".
inline constexpr std::array<const char *, kTestKernelNames.size()> kSampleTexts{
    R"(KERNEL append(const int *ids, const int *slots, int *keys, long long items) {
  ITEM if (slots[item] >= 0) keys[slots[item]] = ids[item];
})",
    R"(KERNEL sum(const WorkItem *list, const int *keys, const int *tables, int *sums,
         long long pageSize, long long columns, long long items) {
  ITEM WorkItem work = list[item];
  const int *table = tables + work.sequence * columns;
  for (int row = 0; row < work.rowCount; ++row) {
    int total = 0;
    for (long long key = work.keyBegin; key < work.keyEnd && key <= work.position + row; ++key)
      total += keys[table[key / pageSize] * pageSize + key % pageSize];
    sums[work.firstRow + row] = total;
  }
})",
    R"(KERNEL partial(const WorkItem *list, const int *keys, const int *tables, int *partials,
             long long pageSize, long long columns, long long items) {
  ITEM WorkItem work = list[item];
  const int *table = tables + work.sequence * columns;
  int total = 0;
  for (long long key = work.keyBegin; key < work.keyEnd && key <= work.position; ++key)
    total += keys[table[key / pageSize] * pageSize + key % pageSize];
  partials[item] = total;
})",
    R"(KERNEL combine(const WorkItem *list, const int *partials, int *sums, long long items) {
  ITEM WorkItem work = list[item];
  if (work.split != 0 || work.rowCount == 0) return;
  int total = 0;
  for (int split = 0; split < work.splitCount; ++split) total += partials[item + split];
  sums[work.firstRow] = total;
})",
    R"(KERNEL gather(const int *rows, const int *sums, int *sampled, long long items) {
  ITEM sampled[item] = sums[rows[item]];
})",
    R"(KERNEL scale(const float *x, const float *weight, float *out, long long columns,
           long long stride, long long factor, long long items) {
  ITEM for (long long c = 0; c < columns; ++c)
    out[item * columns + c] = x[item * stride + c] * weight[c] * static_cast<float>(factor);
})",
    R"(KERNEL store(const float *from, float *to, long long columns, long long rows,
           long long rowsAnItem, long long items) {
  ITEM long long begin = item * rowsAnItem * columns, end = begin + rowsAnItem * columns;
  for (long long i = begin; i < end && i < rows * columns; ++i) to[i] = from[i];
})"};

/// Adds the texts to a plan, as a compiler does.
inline void addSampleTexts(PlanWriter &writer) {
  for (size_t i = 0; i < kSampleTexts.size(); ++i)
    writer.addText(std::string("cuda.") + kTestKernelNames[i],
                   std::string("#include \"sample.h\"\n") + kSampleTexts[i]);
  writer.addText("cuda.header.sample.h", kSampleHeader);
}

} // namespace quire::test
