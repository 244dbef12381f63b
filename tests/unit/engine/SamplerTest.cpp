// Sampler: every filter and penalty against a slow oracle that sorts, and the promises about seeds,
// bad logits and bad parameters.
#include "runtime/engine/Sampler.h"

#include "tests/support/RandomSeed.h"
#include "tests/support/SamplingOracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace quire {
namespace {

using test::randomSeed;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

int32_t sampleOne(const SamplingParams &params, const std::vector<float> &logits,
                  const std::vector<int32_t> &prompt = {},
                  const std::vector<int32_t> &generated = {}) {
  SamplerScratch scratch(static_cast<int32_t>(logits.size()));
  auto token = Sampler(params).sample(logits, prompt, generated, scratch);
  EXPECT_TRUE(token.isOk()) << token.status().message();
  return token.isOk() ? *token : -1;
}

/// How often each token is drawn over `draws` indices of one text.
std::map<int32_t, int> histogram(SamplingParams params, const std::vector<float> &logits,
                                 int draws) {
  SamplerScratch scratch(static_cast<int32_t>(logits.size()));
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) {
    params.seed = 1000003ull * static_cast<uint64_t>(i);
    auto token = Sampler(params).sample(logits, {}, {}, scratch);
    EXPECT_TRUE(token.isOk());
    ++counts[*token];
  }
  return counts;
}

/// Probabilities after temperature, top-k, top-p and min-p, by sorting, in double.
std::vector<double> oracle(const SamplingParams &params, const std::vector<float> &logits) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  size_t left = order.size();
  if (params.topK > 0) {
    left = std::min<size_t>(left, static_cast<size_t>(params.topK));
    while (left < order.size() && logits[order[left]] == logits[order[left - 1]])
      ++left;
  }
  std::vector<double> weights(logits.size(), 0.0);
  double total = 0;
  for (size_t i = 0; i < left; ++i)
    total += weights[order[i]] =
        std::exp((double(logits[order[i]]) - double(logits[order[0]])) / params.temperature);
  double mass = 0;
  for (size_t i = 0; i < left; ++i) {
    double weight = weights[order[i]];
    if ((params.topP < 1 && mass >= params.topP * total) || weight < params.minP)
      weights[order[i]] = 0;
    mass += weight;
  }
  total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double &weight : weights)
    weight /= total;
  return weights;
}

TEST(Sampler, ZeroTemperatureTakesTheHighestLogitAndTheLowestIdAmongEquals) {
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(sampleOne(params, {0.5f, 2.0f, -1.0f, 2.0f}), 1);
  EXPECT_EQ(sampleOne(params, {-kInfinity, -3.0f, -kInfinity}), 1);
}

TEST(Sampler, DrawsFollowTheDistributionThatTheFiltersLeave) {
  std::mt19937_64 random(randomSeed());
  std::normal_distribution<float> normal(0, 2);
  constexpr int kDraws = 20000;
  for (int round = 0; round < 24; ++round) {
    std::vector<float> logits(1 + random() % 40);
    for (float &logit : logits)
      logit = random() % 8 == 0 ? 1.0f : normal(random); // Equal logits occur.
    SamplingParams params;
    params.temperature = 0.3f + 0.1f * static_cast<float>(random() % 20);
    params.topK = round % 2 ? static_cast<int32_t>(1 + random() % 12) : 0;
    params.topP = round % 3 ? 0.05f + 0.9f * static_cast<float>(random() % 100) / 100 : 1.0f;
    params.minP = round % 4 == 3 ? 0.1f : 0.0f;
    std::vector<double> expected = oracle(params, logits);
    std::map<int32_t, int> counts = histogram(params, logits, kDraws);
    for (size_t i = 0; i < logits.size(); ++i) {
      double share = static_cast<double>(counts[static_cast<int32_t>(i)]) / kDraws;
      // Five standard deviations, and room for a token at the very edge of a filter.
      double tolerance = 5 * std::sqrt(expected[i] * (1 - expected[i]) / kDraws) + 1e-3;
      EXPECT_NEAR(share, expected[i], tolerance)
          << "token " << i << ", temperature " << params.temperature << ", top-k " << params.topK
          << ", top-p " << params.topP << ", min-p " << params.minP;
    }
  }
}

TEST(Sampler, AHundredThousandDrawsFollowTheDistribution) {
  std::mt19937_64 random(randomSeed());
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> logits(500);
  for (float &logit : logits)
    logit = normal(random);
  SamplerScratch scratch(500);
  for (float topP : {1.0f, 0.9f}) {
    SamplingParams params;
    params.seed = random();
    params.topP = topP;
    std::vector<int64_t> counts(logits.size());
    std::vector<int32_t> generated; // its length is all that counts
    for (int i = 0; i < 100'000; ++i) {
      auto token = Sampler(params).sample(logits, {}, generated, scratch);
      ASSERT_TRUE(token.isOk());
      ++counts[*token];
      generated.push_back(0);
    }
    EXPECT_LT(test::chiSquareDeviations(counts, oracle(params, logits)), 6) << "top-p " << topP;
  }
}

TEST(Sampler, TopPOfALargeVocabularyKeepsTheFewestTokensThatReachIt) {
  std::mt19937_64 random(randomSeed());
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(50000);
  for (float &logit : logits)
    logit = normal(random);
  SamplingParams params;
  params.topP = 0.5f;
  std::vector<double> expected = oracle(params, logits);
  for (auto [token, count] : histogram(params, logits, 300))
    EXPECT_GT(expected[token], 0) << "token " << token << " lies outside of the nucleus";
}

TEST(Sampler, PenaltiesFollowTheirDefinitions) {
  std::vector<float> logits = {3.0f, -1.0f, 2.5f, 0.0f};
  SamplingParams params;
  params.temperature = 0;
  // Repetition counts the prompt too: 3 / 1.5 = 2 falls below 2.5.
  params.repetitionPenalty = 1.5f;
  EXPECT_EQ(sampleOne(params, logits, {0, 0, 1}, {}), 2);
  EXPECT_EQ(sampleOne(params, logits, {}, {0}), 2);
  EXPECT_EQ(sampleOne(params, logits, {1}, {}), 0);
  // It applies once, however often a token occurred: 3 / 1.15 stays above 2.5, 3 / 1.15^2 would not.
  params.repetitionPenalty = 1.15f;
  EXPECT_EQ(sampleOne(params, logits, {0, 0}, {0, 0}), 0);
  // A negative logit is multiplied: -1 * 3 falls below -2.
  params.repetitionPenalty = 3.0f;
  EXPECT_EQ(sampleOne(params, {-1.0f, -2.0f}, {0}, {}), 1);

  params = SamplingParams();
  params.temperature = 0;
  // Presence and frequency count generated tokens only.
  params.presencePenalty = 0.7f;
  EXPECT_EQ(sampleOne(params, logits, {0, 0}, {}), 0);
  EXPECT_EQ(sampleOne(params, logits, {}, {0}), 2);
  params.presencePenalty = 0.3f;
  EXPECT_EQ(sampleOne(params, logits, {}, {0, 0, 0}), 0);
  params.presencePenalty = 0;
  params.frequencyPenalty = 0.2f;
  EXPECT_EQ(sampleOne(params, logits, {}, {0, 0}), 0);
  EXPECT_EQ(sampleOne(params, logits, {}, {0, 0, 0}), 2);

  params = SamplingParams();
  params.temperature = 0;
  params.logitBias = {{3, 4.0f}};
  EXPECT_EQ(sampleOne(params, logits), 3);
  // The bias comes first, the penalty sees the sum: (0 + 4) / 2 < 3.
  params.repetitionPenalty = 2.0f;
  EXPECT_EQ(sampleOne(params, logits, {3}, {}), 0);
}

TEST(Sampler, PenaltiesLeaveNothingBehindForTheNextSequence) {
  SamplerScratch scratch(4);
  SamplingParams params;
  params.temperature = 0;
  params.repetitionPenalty = 1.5f;
  params.frequencyPenalty = 0.4f;
  std::vector<float> logits = {3.0f, 2.9f, 2.8f, 0.0f};
  std::vector<int32_t> prompt = {0, 2, -5, 99}, generated = {1, 1, 77};
  Sampler sampler(params);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*sampler.sample(logits, prompt, generated, scratch), 0);
    EXPECT_EQ(*sampler.sample(logits, {}, std::vector<int32_t>{0}, scratch), 1);
  }
}

TEST(Sampler, TheTokenDependsOnSeedAndIndexOnly) {
  std::mt19937_64 random(randomSeed());
  std::vector<float> logits(100);
  for (float &logit : logits)
    logit = static_cast<float>(random() % 1000) / 500;
  SamplingParams params;
  params.seed = random();
  std::vector<int32_t> first, second;
  SamplerScratch scratch(100);
  for (auto *text : {&first, &second})
    for (int i = 0; i < 50; ++i) {
      if (text == &second) { // Another sequence uses the scratch in between.
        SamplingParams other = params;
        other.seed ^= 1;
        ASSERT_TRUE(Sampler(other).sample(logits, {}, *text, scratch).isOk());
      }
      auto token = Sampler(params).sample(logits, {}, *text, scratch);
      ASSERT_TRUE(token.isOk());
      text->push_back(*token);
    }
  EXPECT_EQ(first, second);
  EXPECT_GT(std::set<int32_t>(first.begin(), first.end()).size(), 10u) << "indices must differ";
}

TEST(Sampler, RandomNumbersArePhilox) {
  // The known answer of Random123 for counter 0 and key 0.
  EXPECT_EQ(counterRandom(0, 0), 0xE169C58D6627E8D5ull);
  EXPECT_NE(counterRandom(0, 1), counterRandom(1, 0));
}

TEST(Sampler, LogitsThatAreNotNumbersAreAnError) {
  SamplerScratch scratch(3);
  for (float temperature : {0.0f, 1.0f})
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
      SamplingParams params;
      params.temperature = temperature;
      auto token = Sampler(params).sample(std::vector<float>{1.0f, 5.0f, bad}, {}, {}, scratch);
      ASSERT_FALSE(token.isOk());
      EXPECT_NE(token.status().message().find("token 2"), std::string::npos)
          << token.status().message();
    }
  auto none = Sampler(SamplingParams())
                  .sample(std::vector<float>(3, -kInfinity), {}, {}, scratch);
  EXPECT_FALSE(none.isOk());
}

TEST(Sampler, AVeryLowTemperatureIsGreedyAndNotNaN) {
  SamplingParams params;
  params.temperature = 1e-30f;
  EXPECT_EQ(sampleOne(params, {1.0f, 60000.0f, -60000.0f, -kInfinity}), 1);
}

TEST(Sampler, ParametersOutsideOfTheirLimitsAreNamed) {
  struct Case {
    const char *name;
    void (*spoil)(SamplingParams &);
  };
  const Case cases[] = {
      {"temperature", [](SamplingParams &p) { p.temperature = -0.1f; }},
      {"temperature", [](SamplingParams &p) { p.temperature = NAN; }},
      {"top_k", [](SamplingParams &p) { p.topK = -1; }},
      {"top_p", [](SamplingParams &p) { p.topP = 0; }},
      {"top_p", [](SamplingParams &p) { p.topP = 1.01f; }},
      {"min_p", [](SamplingParams &p) { p.minP = NAN; }},
      {"repetition_penalty", [](SamplingParams &p) { p.repetitionPenalty = 0; }},
      {"presence_penalty", [](SamplingParams &p) { p.presencePenalty = 2.5f; }},
      {"frequency_penalty", [](SamplingParams &p) { p.frequencyPenalty = -3; }},
      {"logit_bias", [](SamplingParams &p) { p.logitBias = {{10, 1.0f}}; }},
      {"logit_bias", [](SamplingParams &p) { p.logitBias = {{1, 101.0f}}; }},
  };
  EXPECT_TRUE(SamplingParams().validate(10).isOk());
  for (const Case &c : cases) {
    SamplingParams params;
    c.spoil(params);
    Status status = params.validate(10);
    EXPECT_EQ(status.code(), ErrorCode::OutOfRange) << c.name;
    EXPECT_TRUE(status.message().starts_with(c.name)) << status.message();
  }
}

} // namespace
} // namespace quire
