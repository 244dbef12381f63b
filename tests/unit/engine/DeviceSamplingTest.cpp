// A runner that draws tokens itself: texts are those that the host draws from logits, and rows that
// need their logits get them.
#include "tests/support/RandomSeed.h"
#include "tests/unit/engine/EngineTesting.h"

using namespace quire;
using namespace quire::test;

namespace {

constexpr int32_t kVocabulary = 50;

/// Everything that a request can ask for, so that some rows are drawn by the runner and some are
/// not.
Request randomRequest(std::mt19937_64 &random) {
  Request request;
  for (int32_t i = uniform(random, 1, 20); i > 0; --i)
    request.prompt.push_back(uniform(random, 0, kVocabulary - 1));
  request.maxNewTokens = uniform(random, 1, 14);
  SamplingParams &sampling = request.sampling;
  sampling.seed = random();
  sampling.temperature = uniform(random, 0, 3) ? 0.2f + 0.1f * float(uniform(random, 0, 15)) : 0;
  sampling.topK = uniform(random, 0, 1) ? uniform(random, 1, 30) : 0;
  sampling.topP = uniform(random, 0, 1) ? 0.05f * float(uniform(random, 1, 19)) : 1;
  sampling.minP = uniform(random, 0, 3) ? 0 : 0.1f;
  switch (uniform(random, 0, 7)) {
  case 0:
    sampling.repetitionPenalty = 1.3f;
    break;
  case 1:
    sampling.logitBias = {{uniform(random, 0, kVocabulary - 1), 3.0f}};
    break;
  case 2:
    request.n = 2;
    break;
  case 3:
    request.bestOf = 3;
    break;
  case 4:
    request.beamWidth = 2;
    break;
  default:
    break;
  }
  return request;
}

} // namespace

TEST(DeviceSampling, TextsAreThoseThatTheHostDraws) {
  std::mt19937_64 random(randomSeed());
  int64_t drawn = 0, preemptions = 0, compared = 0;
  for (int round = 0; round < 150; ++round) {
    std::vector<Request> requests(uniform(random, 1, 6));
    for (Request &request : requests)
      request = randomRequest(random);
    StepLimits limits{uniform(random, 4, 24),
                      uniform(random, 3, 8),
                      uniform(random, 3, 8),
                      60,
                      uniform(random, 1, 6),
                      uniform(random, 30, 60),
                      kVocabulary};
    EngineOptions options = eager();
    options.overlap = uniform(random, 0, 1);
    std::vector<Heard> heard[2];
    int64_t uncertain = 0;
    for (bool samples : {false, true}) {
      limits.samples = samples;
      CacheRunner runner(limits);
      Engine engine(runner, nullptr, options);
      heard[samples].resize(requests.size());
      for (size_t i = 0; i < requests.size(); ++i) {
        Request request = requests[i];
        request.onUpdate =
            makeRequest(request.prompt, 1, heard[samples][i], request.sampling).onUpdate;
        (void)engine.submit(std::move(request)); // some searches never fit
      }
      runToEnd(engine);
      drawn += runner.drawnTokens;
      uncertain += runner.uncertainTokens;
      preemptions += engine.statistics().preemptions;
    }
    if (uncertain > 0)
      continue;
    for (size_t i = 0; i < requests.size(); ++i) {
      ASSERT_EQ(heard[0][i].tokens, heard[1][i].tokens) << "round " << round << " request " << i;
      ASSERT_EQ(heard[0][i].finish, heard[1][i].finish) << "round " << round << " request " << i;
    }
    ++compared;
  }
  EXPECT_GT(drawn, 2000);
  EXPECT_GT(preemptions, 5);
  EXPECT_GT(compared, 100);
}

TEST(DeviceSampling, LogitsThatAreNoNumbersFailThatRequestAlone) {
  StepLimits limits = roomyLimits(kVocabulary);
  limits.samples = true;
  CacheRunner runner(limits);
  runner.poisonToken = 7;
  Engine engine(runner, nullptr, {});
  Heard bad, good;
  ASSERT_TRUE(engine.submit(makeRequest({3, 7}, 5, bad)).isOk());
  ASSERT_TRUE(engine.submit(makeRequest({3, 8}, 1, good)).isOk());
  runToEnd(engine);
  EXPECT_EQ(bad.finish[0], FinishReason::Failed);
  EXPECT_NE(bad.error.find("the logit of token 3 is NaN"), std::string::npos) << bad.error;
  EXPECT_EQ(good.tokens[0], greedyText({3, 8}, 1, kVocabulary));
}
