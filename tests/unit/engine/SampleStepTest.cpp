// The kernel of graph.sample against its definition (tests/support/SamplingOracle.h) and against
// the host's sampler, on whatever runs the plan of sample.mlir: QuireSampleStepTest PLAN [cpu|cuda]
// [DRAWS].
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/engine/LogProbability.h"
#include "runtime/engine/Sampler.h"
#include "runtime/exec/Executor.h"
#include "tests/support/RandomSeed.h"
#include "tests/support/SamplingOracle.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

std::string planPath, deviceName = "cpu";

constexpr float kInfinity = std::numeric_limits<float>::infinity();
int64_t drawsOfADistribution = 100'000;

class SampleStep : public testing::Test {
protected:
  void SetUp() override {
    auto opened = Plan::open(planPath);
    ASSERT_TRUE(opened.isOk()) << opened.status().message();
    plan.emplace(opened.takeValue());
    auto made = deviceName == "cuda" ? createCudaDevice() : createCpuDevice();
    ASSERT_TRUE(made.isOk()) << made.status().message();
    device = made.takeValue();
    auto loaded = WeightStore::load(*plan, {});
    ASSERT_TRUE(loaded.isOk()) << loaded.status().message();
    weights = loaded.takeValue();
    auto created = Executor::create(*plan, *device, *weights, {});
    ASSERT_TRUE(created.isOk()) << created.status().message();
    executor = created.takeValue();
    vocabulary = plan->info().vocabularySize;
    rows = std::min<uint32_t>(executor->limits().maxTokens, executor->limits().maxSamples);
  }

  struct Drawn {
    std::vector<int32_t> tokens;
    std::vector<float> logProbabilities;
  };

  /// One step with a sample row for each record; its logits are row i of `logits`.
  Drawn draw(const std::vector<float> &logits, const std::vector<plan::SamplingRecord> &records) {
    auto count = static_cast<uint32_t>(records.size());
    std::vector<int32_t> samples(count);
    std::iota(samples.begin(), samples.end(), 0);
    StepInput input{"x", logits.data(), count};
    StepBatch batch;
    batch.tokens = count;
    batch.sampleRows = samples;
    batch.sampling = records;
    batch.inputs = {&input, 1};
    Status status = executor->run(batch);
    EXPECT_TRUE(status.isOk()) << status.message();
    auto tokens = executor->output("token"), probabilities = executor->output("log_probability");
    EXPECT_TRUE(tokens.isOk() && probabilities.isOk());
    Drawn drawn;
    for (uint32_t row = 0; row < count; ++row) {
      drawn.tokens.push_back(static_cast<const int32_t *>(tokens->data)[row * tokens->rowStride]);
      drawn.logProbabilities.push_back(*probabilities->row(row));
    }
    return drawn;
  }

  std::optional<Plan> plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  uint32_t vocabulary = 0, rows = 0;
};

std::vector<float> randomLogits(std::mt19937_64 &random, uint32_t vocabulary) {
  std::normal_distribution<float> normal(0, 0.5f + static_cast<float>(random() % 8));
  std::vector<float> logits(vocabulary);
  bool masked = random() % 4 == 0, coarse = random() % 4 == 0;
  for (float &logit : logits) {
    logit = normal(random);
    if (coarse || random() % 8 == 0)
      logit = std::round(logit); // Equal logits occur, the highest among them, and both zeros.
    if (masked && random() % 2)
      logit = -kInfinity;
  }
  return logits;
}

SamplingParams randomParams(std::mt19937_64 &random, uint32_t vocabulary) {
  SamplingParams params;
  params.seed = random();
  params.temperature = random() % 5 == 0 ? 0 : 0.05f + static_cast<float>(random() % 200) / 100;
  if (random() % 3 == 0)
    params.topK =
        static_cast<int32_t>(random() % 3 ? 1 + random() % 60 : random() % (vocabulary + 9));
  if (random() % 2)
    params.topP = 0.01f + static_cast<float>(random() % 99) / 100;
  if (random() % 3 == 0)
    params.minP = static_cast<float>(random() % 100) / 200;
  return params;
}

TEST_F(SampleStep, GivesTheTokenOfTheDefinitionAndOfTheHost) {
  std::mt19937_64 random(test::randomSeed());
  SamplerScratch scratch(static_cast<int32_t>(vocabulary));
  int equal = 0, all = 0;
  for (int step = 0; step < 12; ++step) {
    uint32_t count = step % 3 ? rows : 1 + static_cast<uint32_t>(random() % rows);
    std::vector<float> logits;
    std::vector<plan::SamplingRecord> records;
    std::vector<SamplingParams> params;
    std::vector<uint64_t> indices;
    for (uint32_t row = 0; row < count; ++row) {
      std::vector<float> next = randomLogits(random, vocabulary);
      logits.insert(logits.end(), next.begin(), next.end());
      params.push_back(randomParams(random, vocabulary));
      indices.push_back(random() % 3);
      records.push_back(Sampler(params[row]).record(indices[row]));
      if (random() % 2)
        records.back().flags = plan::kSamplingLogProbability;
    }
    Drawn drawn = draw(logits, records);
    for (uint32_t row = 0; row < count; ++row) {
      auto own = std::span<const float>(logits).subspan(size_t(row) * vocabulary, vocabulary);
      test::SamplingOracle oracle(records[row], own);
      int32_t token = drawn.tokens[row];
      std::string what = "row " + std::to_string(row) + ": temperature " +
                         std::to_string(params[row].temperature) + ", top-k " +
                         std::to_string(params[row].topK) + ", top-p " +
                         std::to_string(params[row].topP) + ", min-p " +
                         std::to_string(params[row].minP);
      EXPECT_TRUE(oracle.mayGive(token))
          << what << " gives " << token << " instead of " << oracle.token();
      auto host = Sampler(params[row]).sample(own, {}, std::vector<int32_t>(indices[row]), scratch);
      ASSERT_TRUE(host.isOk()) << host.status().message();
      EXPECT_TRUE(oracle.mayGive(*host)) << what << " gives " << *host << " on the host";
      equal += *host == token;
      ++all;
      float expected = 0;
      if (records[row].flags)
        expected = static_cast<float>(own[token] - *logSumExp(own));
      EXPECT_NEAR(drawn.logProbabilities[row], expected, 1e-4 * (1 + std::abs(expected))) << what;
    }
  }
  EXPECT_GE(equal, all - 2) << "of " << all << " tokens the host agrees on " << equal;
}

TEST_F(SampleStep, DrawsFollowTheDistributionThatTheFiltersLeave) {
  std::mt19937_64 random(test::randomSeed());
  struct Case {
    float temperature;
    int32_t topK;
    float topP, minP;
  };
  for (Case each : {Case{1, 0, 1, 0}, {0.7f, 20, 1, 0}, {1.3f, 0, 0.9f, 0}, {1, 40, 0.8f, 0.02f}}) {
    std::normal_distribution<float> normal(0, 2);
    std::vector<float> row(vocabulary);
    for (float &logit : row)
      logit = normal(random);
    SamplingParams params;
    params.temperature = each.temperature;
    params.topK = each.topK;
    params.topP = each.topP;
    params.minP = each.minP;
    params.seed = random();
    test::SamplingOracle oracle(Sampler(params).record(0), row);
    std::vector<double> probabilities(vocabulary);
    double total = 0, highest = *std::max_element(row.begin(), row.end());
    for (int32_t token : oracle.kept(0))
      total += probabilities[token] = std::exp((row[token] - highest) / each.temperature);
    for (double &probability : probabilities)
      probability /= total;

    std::vector<float> logits;
    for (uint32_t i = 0; i < rows; ++i)
      logits.insert(logits.end(), row.begin(), row.end());
    std::vector<int64_t> counts(vocabulary);
    int64_t draws = 0;
    for (uint64_t index = 0; draws < drawsOfADistribution; index += rows) {
      std::vector<plan::SamplingRecord> records;
      for (uint32_t i = 0; i < rows; ++i)
        records.push_back(Sampler(params).record(index + i));
      for (int32_t token : draw(logits, records).tokens) {
        ++counts.at(token);
        ++draws;
      }
    }
    EXPECT_LT(test::chiSquareDeviations(counts, probabilities), 6)
        << "temperature " << each.temperature << ", top-k " << each.topK << ", top-p " << each.topP
        << ", min-p " << each.minP << ", " << draws << " draws";
  }
}

TEST_F(SampleStep, LogitsThatAreNoNumbersGiveNoToken) {
  plan::SamplingRecord greedy{}, warm{};
  warm.inverseTemperature = warm.topP = 1;
  warm.leastScore = -kInfinity;
  for (const plan::SamplingRecord &record : {greedy, warm})
    for (float bad : {std::numeric_limits<float>::quiet_NaN(),
                      -std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
      std::vector<float> logits(3 * size_t(vocabulary), -kInfinity);
      logits[vocabulary / 2] = 1;
      std::fill_n(logits.begin() + vocabulary, vocabulary, 0.0f);
      logits[vocabulary + 7] = bad;
      Drawn drawn = draw(logits, {record, record, record});
      EXPECT_EQ(drawn.tokens, (std::vector<int32_t>{static_cast<int32_t>(vocabulary / 2), -1, -1}));
    }
}

TEST_F(SampleStep, RecordsThatLeaveNothingAreRefused) {
  std::vector<float> logits(vocabulary);
  std::vector<int32_t> samples{0};
  StepInput input{"x", logits.data(), 1};
  plan::SamplingRecord legal{};
  legal.inverseTemperature = legal.topP = 1;
  auto refuses = [&](const char *field, plan::SamplingRecord record) {
    StepBatch batch;
    batch.tokens = 1;
    batch.sampleRows = samples;
    batch.sampling = {&record, 1};
    batch.inputs = {&input, 1};
    Status status = executor->run(batch);
    EXPECT_FALSE(status.isOk()) << field;
    EXPECT_NE(status.message().find(std::string("sampling[0].") + field), std::string::npos)
        << status.message();
  };
  auto with = [&](auto change) {
    plan::SamplingRecord record = legal;
    change(record);
    return record;
  };
  refuses("inverseTemperature", with([](auto &r) { r.inverseTemperature = kInfinity; }));
  refuses("inverseTemperature", with([](auto &r) { r.inverseTemperature = NAN; }));
  refuses("topP", with([](auto &r) { r.topP = 0; }));
  refuses("topP", with([](auto &r) { r.topP = NAN; }));
  refuses("leastScore", with([](auto &r) { r.leastScore = 0.5f; }));
  refuses("topK", with([](auto &r) { r.topK = -1; }));
}

} // namespace
} // namespace quire

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc < 2) {
    std::fprintf(stderr, "usage: QuireSampleStepTest PLAN [cpu|cuda] [DRAWS]\n");
    return 2;
  }
  quire::planPath = argv[1];
  if (argc > 2)
    quire::deviceName = argv[2];
  if (argc > 3)
    quire::drawsOfADistribution = std::atoll(argv[3]);
  return RUN_ALL_TESTS();
}
