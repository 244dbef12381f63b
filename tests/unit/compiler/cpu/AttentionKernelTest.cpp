// Attention kernels over paged caches against f64 attention, on every CPU level this machine has.
// Everything beyond a sequence's last key and every unused block table entry is poisoned.
#include "tests/unit/compiler/cpu/KernelRunner.h"
#include "tests/support/RandomSeed.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace quire;
using namespace quire::test;
using compiler::CpuLevel;

namespace {

struct Case {
  AttentionShape shape;
  int64_t keys;     ///< of the sequence
  int64_t queries;  ///< of the work item, the last ones of the sequence
  int64_t begin = 0;
};

/// One sequence's cache, scattered over pages in random order.
struct Cache {
  std::vector<uint8_t> k, v;
  std::vector<int32_t> table;
  std::vector<double> denseK, denseV; ///< [key, head, dim]
};

void store(std::vector<uint8_t> &pool, size_t index, const std::string &element, float value,
           double &stored) {
  if (element == "f32") {
    reinterpret_cast<float *>(pool.data())[index] = value;
    stored = value;
    return;
  }
  uint16_t bits = element == "bf16" ? toBf16(value) : toF16(value);
  reinterpret_cast<uint16_t *>(pool.data())[index] = bits;
  stored = element == "bf16" ? fromBf16(bits) : fromF16(bits);
}

Cache randomCache(const Case &c, std::mt19937_64 &random) {
  const AttentionShape &s = c.shape;
  int64_t used = (c.keys + s.page - 1) / s.page, pages = used + 3;
  size_t elements = pages * s.cacheHeads * s.page * s.dim, width = s.element == "f32" ? 4 : 2;
  Cache cache;
  cache.k.resize(elements * width + 64);
  cache.v.resize(elements * width + 64);
  double unused;
  for (size_t i = 0; i < elements; ++i) {
    store(cache.k, i, s.element, NAN, unused);
    store(cache.v, i, s.element, NAN, unused);
  }
  for (int64_t page = 0; page < pages; ++page)
    cache.table.push_back(static_cast<int32_t>(page));
  std::shuffle(cache.table.begin(), cache.table.end(), random);
  for (int64_t page = used; page < pages; ++page)
    cache.table[page] = std::numeric_limits<int32_t>::max();
  cache.denseK.resize(c.keys * s.cacheHeads * s.dim);
  cache.denseV.resize(cache.denseK.size());
  std::normal_distribution<float> normal;
  for (int64_t n = 0; n < c.keys; ++n)
    for (int64_t h = 0; h < s.cacheHeads; ++h)
      for (int64_t d = 0; d < s.dim; ++d) {
        int64_t page = cache.table[n / s.page] * s.cacheHeads + h, slot = n % s.page;
        int64_t dense = (n * s.cacheHeads + h) * s.dim + d;
        store(cache.k, (page * s.dim + d) * s.page + slot, s.element, 2 * normal(random),
              cache.denseK[dense]);
        store(cache.v, (page * s.page + slot) * s.dim + d, s.element, normal(random),
              cache.denseV[dense]);
      }
  return cache;
}

void checkAttention(const KernelRunner &runner, const Case &c, std::mt19937_64 &random) {
  const AttentionShape &s = c.shape;
  Cache cache = randomCache(c, random);
  int64_t rows = s.queries + 5, first = 3, width = s.heads * s.dim;
  std::vector<float> q(rows * width), y(rows * width, 77.0f);
  std::normal_distribution<float> normal;
  for (float &value : q)
    value = normal(random);
  int64_t position = c.keys - c.queries;
  plan::WorkItem item{0, static_cast<int32_t>(first), static_cast<int32_t>(c.queries),
                      static_cast<int32_t>(position), static_cast<int32_t>(c.begin),
                      static_cast<int32_t>(c.keys), 0, 1};
  void *buffers[] = {q.data(), cache.k.data(), cache.v.data(), cache.table.data(), &item, y.data()};
  int64_t scalars[] = {static_cast<int64_t>(cache.table.size())};
  for (int64_t head = 0; head < s.cacheHeads; ++head)
    runner.kernel(0)(buffers, scalars, head);
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t h = 0; h < s.heads; ++h) {
      int64_t query = m - first;
      if (query < 0 || query >= c.queries) {
        for (int64_t d = 0; d < s.dim; ++d)
          ASSERT_EQ(y[m * width + h * s.dim + d], 77.0f) << "row " << m << " is not this item's";
        continue;
      }
      std::vector<double> scores, out(s.dim);
      double sum = 0, top = -INFINITY;
      for (int64_t n = c.begin; n < c.keys && n <= position + query; ++n) {
        double score = 0;
        for (int64_t d = 0; d < s.dim; ++d)
          score += q[m * width + h * s.dim + d] *
                   cache.denseK[(n * s.cacheHeads + h / s.group()) * s.dim + d];
        score /= std::sqrt(static_cast<double>(s.dim));
        if (s.softCap)
          score = 30 * std::tanh(score / 30);
        scores.push_back(score);
        top = std::max(top, score);
      }
      for (size_t n = 0; n < scores.size(); ++n) {
        double p = std::exp(scores[n] - top);
        sum += p;
        for (int64_t d = 0; d < s.dim; ++d)
          out[d] += p * cache.denseV[((n + c.begin) * s.cacheHeads + h / s.group()) * s.dim + d];
      }
      for (int64_t d = 0; d < s.dim; ++d)
        ASSERT_NEAR(y[m * width + h * s.dim + d], scores.empty() ? 0 : out[d] / sum, 2e-5)
            << "query " << query << " head " << h << " dim " << d << " of " << c.keys << " keys";
    }
}

class AttentionKernel : public ::testing::TestWithParam<CpuLevel> {
protected:
  void SetUp() override {
    if (!cpuHas(GetParam()))
      GTEST_SKIP() << "this machine cannot run " << compiler::cpuTarget(GetParam()).name;
  }
};

TEST_P(AttentionKernel, MatchesF64AttentionOnRandomBatches) {
  std::mt19937_64 random(randomSeed());
  const char *elements[] = {"bf16", "f32", "f16"};
  const int64_t dims[] = {64, 32, 16, 80, 128}, groups[] = {1, 2, 7, 4, 3};
  for (int round = 0; round < 6; ++round) {
    Case c;
    AttentionShape &s = c.shape;
    s.queries = round % 2 ? 8 : 1;
    s.cacheHeads = uniform(random, 1, 2);
    s.heads = s.cacheHeads * groups[uniform(random, 0, 4)];
    s.dim = dims[uniform(random, 0, 4)];
    s.element = elements[uniform(random, 0, 2)];
    s.softCap = uniform(random, 0, 1);
    s.page = uniform(random, 0, 1) ? 32 : 64;
    s.keys = uniform(random, 0, 1) ? 32 : 16;
    c.queries = uniform(random, 1, s.queries);
    KernelRunner runner(attentionKernel(s), GetParam());
    ASSERT_TRUE(runner) << runner.errors() << attentionKernel(s);
    for (int64_t keys : {c.queries, s.page - 1, s.page, s.page + 1, int64_t(uniform(random, 70, 300))}) {
      c.keys = std::max(keys, c.queries);
      // A split or a window starts at a tile; rows before it may be left without keys.
      c.begin = uniform(random, 0, 2) ? 0 : c.keys / s.keys / 2 * s.keys;
      checkAttention(runner, c, random);
      if (HasFatalFailure())
        return;
    }
  }
}

TEST_P(AttentionKernel, RowsWithoutKeysAreZero) {
  std::mt19937_64 random(randomSeed());
  Case c;
  c.keys = 66;
  c.queries = 8; // positions 58 .. 65
  c.begin = 64;  // the first six see no key
  KernelRunner runner(attentionKernel(c.shape), GetParam());
  ASSERT_TRUE(runner) << runner.errors();
  checkAttention(runner, c, random);
}

INSTANTIATE_TEST_SUITE_P(Levels, AttentionKernel,
                         ::testing::Values(CpuLevel::X86_64_V3, CpuLevel::X86_64_V4),
                         [](const auto &info) {
                           return info.param == CpuLevel::X86_64_V3 ? "v3" : "v4";
                         });

} // namespace
