// The engine over a runner whose logits depend on every token the cache holds for a sequence. The
// expected texts come from the definition of that model applied to plain token lists.
#include "tests/support/AllocationCount.h"
#include "tests/support/RandomSeed.h"
#include "tests/unit/engine/EngineTesting.h"

using namespace quire;
using namespace quire::test;

namespace {

constexpr int32_t kVocabulary = 50;

SamplingParams greedy() {
  SamplingParams sampling;
  sampling.temperature = 0;
  return sampling;
}

std::vector<int32_t> greedyText(std::vector<int32_t> tokens, int32_t count) {
  return test::greedyText(std::move(tokens), count, kVocabulary);
}

Request makeRequest(std::vector<int32_t> prompt, int32_t maxNew, SamplingParams sampling,
                    Heard &heard) {
  return test::makeRequest(std::move(prompt), maxNew, heard, std::move(sampling));
}

StepLimits roomyLimits() { return test::roomyLimits(kVocabulary); }

std::vector<int32_t> randomPrompt(std::mt19937_64 &random, int32_t most) {
  std::vector<int32_t> prompt(uniform(random, 1, most));
  for (int32_t &token : prompt)
    token = uniform(random, 0, kVocabulary - 1);
  return prompt;
}

} // namespace

TEST(Engine, WritesWhatTheModelDefines) {
  CacheRunner runner(roomyLimits());
  Engine engine(runner, nullptr, {});
  Heard heard;
  ASSERT_TRUE(engine.submit(makeRequest({1, 2, 3, 4, 5}, 20, greedy(), heard)).isOk());
  runToEnd(engine);
  EXPECT_EQ(heard.tokens[0], greedyText({1, 2, 3, 4, 5}, 20));
  EXPECT_EQ(heard.finish[0], FinishReason::Length);
  EXPECT_EQ(heard.finishes, 1);
  EXPECT_EQ(heard.statistics[0].promptTokens, 5);
  EXPECT_EQ(heard.statistics[0].newTokens, 20);
  EXPECT_GT(heard.statistics[0].secondsToFirstToken, 0);
  EXPECT_GE(heard.statistics[0].secondsTotal, heard.statistics[0].secondsToFirstToken);
  EXPECT_EQ(engine.statistics().sampledTokens, 20);
  EXPECT_EQ(engine.statistics().computedTokens, 24); // the last token is never computed
}

TEST(Engine, RandomTrafficWithTinyPoolsWritesTheSameTexts) {
  std::mt19937_64 random(randomSeed());
  int64_t preemptions = 0, chunked = 0;
  for (int round = 0; round < 300; ++round) {
    StepLimits limits{uniform(random, 1, 24),
                      uniform(random, 1, 8),
                      uniform(random, 1, 8),
                      uniform(random, 8, 80),
                      uniform(random, 1, 6),
                      uniform(random, 4, 60),
                      kVocabulary};
    drawGroups(limits, random);
    CacheRunner runner(limits);
    Engine engine(runner, nullptr, eager());
    int32_t count = uniform(random, 1, 12);
    std::vector<Heard> heard(count);
    std::vector<std::vector<int32_t>> expected(count);
    for (int32_t next = 0; next < count || engine.liveCount() > 0;) {
      if (next < count && (engine.liveCount() == 0 || uniform(random, 0, 2) == 0)) {
        std::vector<int32_t> prompt = randomPrompt(random, 30);
        int32_t maxNew = uniform(random, 1, 20);
        Result<RequestHandle> handle =
            engine.submit(makeRequest(prompt, maxNew, greedy(), heard[next]));
        if (handle.isOk()) {
          int32_t room = limits.maxContext - int32_t(prompt.size());
          expected[next] = greedyText(prompt, std::min(maxNew, room));
          chunked += int32_t(prompt.size()) > limits.maxTokens;
        }
        ++next;
        continue;
      }
      Result<bool> more = engine.step();
      ASSERT_TRUE(more.isOk()) << "round " << round << ": " << more.status().message();
    }
    for (int32_t i = 0; i < count; ++i)
      ASSERT_EQ(heard[i].tokens[0], expected[i]) << "round " << round << " request " << i;
    ASSERT_EQ(engine.freePages(), limits.pageCount) << "pages leaked in round " << round;
    preemptions += engine.statistics().preemptions;
  }
  std::printf("%lld preemptions, %lld chunked prompts\n", (long long)preemptions,
              (long long)chunked);
  EXPECT_GT(preemptions, 20);
  EXPECT_GT(chunked, 20);
}

TEST(Engine, TheSameSeedGivesTheSameTextAloneAndInABatch) {
  std::mt19937_64 random(randomSeed());
  constexpr int kRequests = 10;
  std::vector<std::vector<int32_t>> prompts;
  std::vector<SamplingParams> sampling(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    prompts.push_back(randomPrompt(random, 20));
    sampling[i].temperature = 1.0f;
    sampling[i].topK = uniform(random, 0, 20);
    sampling[i].repetitionPenalty = 1.3f;
    sampling[i].presencePenalty = 0.2f;
    sampling[i].seed = random();
  }
  std::vector<Heard> alone(kRequests), together(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    CacheRunner runner(roomyLimits());
    Engine engine(runner, nullptr, {});
    ASSERT_TRUE(engine.submit(makeRequest(prompts[i], 30, sampling[i], alone[i])).isOk());
    runToEnd(engine);
  }
  StepLimits tight = roomyLimits();
  tight.pageCount = 20;
  tight.maxTokens = 11;
  CacheRunner runner(tight);
  Engine engine(runner, nullptr, eager());
  for (int i = 0; i < kRequests; ++i)
    ASSERT_TRUE(engine.submit(makeRequest(prompts[i], 30, sampling[i], together[i])).isOk());
  runToEnd(engine);
  int different = 0;
  for (int i = 0; i < kRequests; ++i) {
    EXPECT_EQ(alone[i].tokens[0], together[i].tokens[0]) << "request " << i;
    different += together[i].tokens[0] != greedyText(prompts[i], 30);
  }
  EXPECT_GT(different, kRequests / 2) << "this was to be random text";
  EXPECT_GT(engine.statistics().preemptions, 0);
}

TEST(Engine, AStopTokenEndsTheTextUnlessIgnored) {
  std::vector<int32_t> text = greedyText({7, 8}, 30);
  int32_t stop = text[9];
  size_t first = std::find(text.begin(), text.end(), stop) - text.begin();
  for (bool ignored : {false, true}) {
    CacheRunner runner(roomyLimits());
    EngineOptions options;
    options.stopTokens = {kVocabulary + 1, stop};
    Engine engine(runner, nullptr, options);
    Heard heard;
    Request request = makeRequest({7, 8}, 30, greedy(), heard);
    request.ignoreStopTokens = ignored;
    ASSERT_TRUE(engine.submit(std::move(request)).isOk());
    runToEnd(engine);
    EXPECT_EQ(heard.finish[0], ignored ? FinishReason::Length : FinishReason::StopToken);
    EXPECT_EQ(heard.tokens[0].size(), ignored ? 30 : first + 1);
  }
}

TEST(Engine, WithoutALimitTheContextIsTheLimit) {
  StepLimits limits = roomyLimits();
  limits.maxContext = 23;
  CacheRunner runner(limits);
  Engine engine(runner, nullptr, {});
  Heard heard;
  ASSERT_TRUE(engine.submit(makeRequest({1, 2, 3}, 0, greedy(), heard)).isOk());
  runToEnd(engine);
  EXPECT_EQ(heard.tokens[0], greedyText({1, 2, 3}, 20));
  EXPECT_EQ(heard.finish[0], FinishReason::Length);
}

TEST(Engine, RefusesWhatItCannotServe) {
  StepLimits limits = roomyLimits();
  limits.maxContext = 32;
  limits.pageCount = 5; // 20 tokens
  CacheRunner runner(limits);
  Engine engine(runner, nullptr, {});
  Heard heard;
  auto refusal = [&](std::vector<int32_t> prompt, int32_t maxNew) {
    return engine.submit(makeRequest(std::move(prompt), maxNew, greedy(), heard)).status();
  };
  EXPECT_NE(refusal({}, 1).message().find("the prompt is empty"), std::string::npos);
  EXPECT_NE(refusal({1, kVocabulary}, 1).message().find("token id 50"), std::string::npos);
  EXPECT_NE(refusal({1, -1}, 1).message().find("token id -1"), std::string::npos);
  Status tooLong = refusal(std::vector<int32_t>(32, 1), 1);
  EXPECT_EQ(tooLong.code(), ErrorCode::OutOfRange);
  EXPECT_NE(tooLong.message().find("the prompt has 32 tokens, but the context holds 32"),
            std::string::npos)
      << tooLong.message();
  EXPECT_EQ(refusal(std::vector<int32_t>(15, 1), 10).code(), ErrorCode::ResourceExhausted);
  SamplingParams wrong;
  wrong.temperature = -1;
  EXPECT_EQ(engine.submit(makeRequest({1}, 1, wrong, heard)).status().code(),
            ErrorCode::OutOfRange);
  Request stop = makeRequest({1}, 1, greedy(), heard);
  stop.stopStrings = {"x"};
  EXPECT_EQ(engine.submit(std::move(stop)).status().code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(engine.liveCount(), 0);
  EXPECT_EQ(heard.finishes, 0);
}

TEST(Engine, CancelledRequestsEndWithWhatTheyHave) {
  CacheRunner runner(roomyLimits());
  Engine engine(runner, nullptr, {});
  Heard first, second;
  Result<RequestHandle> handle = engine.submit(makeRequest({1, 2}, 50, greedy(), first));
  ASSERT_TRUE(handle.isOk());
  ASSERT_TRUE(engine.submit(makeRequest({3, 4}, 10, greedy(), second)).isOk());
  for (int i = 0; i < 4; ++i)
    ASSERT_TRUE(engine.step().isOk());
  engine.cancel(*handle);
  runToEnd(engine);
  EXPECT_EQ(first.finish[0], FinishReason::Cancelled);
  EXPECT_EQ(first.finishes, 1);
  EXPECT_EQ(first.tokens[0], greedyText({1, 2}, 4));
  EXPECT_EQ(second.tokens[0], greedyText({3, 4}, 10));
  EXPECT_EQ(engine.freePages(), engine.limits().pageCount);
  engine.cancel(*handle); // long gone: no error
  EXPECT_FALSE(*engine.step());
}

TEST(Engine, AFailedStepFailsTheRequestsAndLeavesTheEngineUsable) {
  CacheRunner runner(roomyLimits());
  runner.failAt = 3;
  Engine engine(runner, nullptr, {});
  Heard first, second;
  ASSERT_TRUE(engine.submit(makeRequest({1, 2}, 50, greedy(), first)).isOk());
  ASSERT_TRUE(engine.submit(makeRequest({3, 4}, 50, greedy(), second)).isOk());
  ASSERT_TRUE(engine.step().isOk());
  ASSERT_TRUE(engine.step().isOk());
  Result<bool> failed = engine.step();
  ASSERT_FALSE(failed.isOk());
  EXPECT_EQ(failed.status().message(), "the runner failed as asked");
  EXPECT_EQ(first.finish[0], FinishReason::Failed);
  EXPECT_EQ(second.finish[0], FinishReason::Failed);
  EXPECT_EQ(engine.freePages(), engine.limits().pageCount);
  Heard third;
  ASSERT_TRUE(engine.submit(makeRequest({5}, 5, greedy(), third)).isOk());
  runToEnd(engine);
  EXPECT_EQ(third.tokens[0], greedyText({5}, 5));
}

TEST(Engine, LogitsThatAreNoNumbersFailThatRequestAlone) {
  CacheRunner runner(roomyLimits());
  runner.poisonToken = 42; // in the prompt of one request
  Engine engine(runner, nullptr, {});
  Heard good, bad;
  std::string error;
  std::vector<int32_t> text = greedyText({3, 4}, 5);
  ASSERT_EQ(std::count(text.begin(), text.end(), 42), 0);
  Request request = makeRequest({1, 42}, 5, greedy(), bad);
  request.onUpdate = [&, inner = request.onUpdate](const RequestUpdate &update) {
    error = update.error;
    inner(update);
  };
  ASSERT_TRUE(engine.submit(std::move(request)).isOk());
  ASSERT_TRUE(engine.submit(makeRequest({3, 4}, 5, greedy(), good)).isOk());
  runToEnd(engine);
  EXPECT_EQ(bad.finish[0], FinishReason::Failed);
  EXPECT_NE(error, "");
  EXPECT_EQ(good.tokens[0], text);
  EXPECT_EQ(good.finish[0], FinishReason::Length);
  EXPECT_EQ(engine.freePages(), engine.limits().pageCount);
}

TEST(Engine, ACallbackMaySubmitAndCancel) {
  CacheRunner runner(roomyLimits());
  Engine engine(runner, nullptr, {});
  Heard last, cancelled;
  Result<RequestHandle> victim = engine.submit(makeRequest({9}, 100, greedy(), cancelled));
  ASSERT_TRUE(victim.isOk());
  Request request;
  request.prompt = {1};
  request.maxNewTokens = 3;
  request.sampling = greedy();
  request.onUpdate = [&](const RequestUpdate &update) {
    if (update.finish == FinishReason::None)
      return;
    EXPECT_TRUE(engine.submit(makeRequest({2}, 4, greedy(), last)).isOk());
    engine.cancel(*victim);
  };
  ASSERT_TRUE(engine.submit(std::move(request)).isOk());
  runToEnd(engine);
  EXPECT_EQ(last.tokens[0], greedyText({2}, 4));
  EXPECT_EQ(cancelled.finish[0], FinishReason::Cancelled);
}

namespace {

/// Constant logits from memory of its own: it allocates nothing itself.
class ConstantRunner : public StepRunner {
public:
  explicit ConstantRunner(const StepLimits &limits) : bounds(limits) {
    for (int32_t i = 0; i < limits.vocabularySize; ++i)
      row.push_back(float(i % 7) * 0.1f);
  }
  const StepLimits &limits() const override { return bounds; }
  Status run(const StepBatch &) override { return Status::ok(); }
  std::span<const float> logits(int32_t) const override { return row; }

private:
  StepLimits bounds;
  std::vector<float> row;
};

} // namespace

TEST(Engine, AStepAllocatesNoMemory) {
  StepLimits limits = roomyLimits();
  limits.pageCount = 60; // so that preemption is part of it
  limits.maxTokens = 16;
  ConstantRunner runner(limits);
  Engine engine(runner, nullptr, eager());
  int64_t tokens = 0;
  for (int i = 0; i < 12; ++i) {
    Request request;
    request.prompt = std::vector<int32_t>(3 + 2 * i, i);
    request.maxNewTokens = 60 + i;
    request.sampling.temperature = i % 2 ? 1.0f : 0.0f;
    request.sampling.topK = i % 3 ? 10 : 0;
    request.sampling.topP = i % 4 ? 0.9f : 1.0f;
    request.sampling.repetitionPenalty = 1.1f;
    request.sampling.seed = i;
    request.onUpdate = [&tokens](const RequestUpdate &update) { tokens += update.token >= 0; };
    ASSERT_TRUE(engine.submit(std::move(request)).isOk());
    ASSERT_TRUE(engine.step().isOk()); // one by one, so that no queue has grown larger than needed
  }
  int64_t before = allocationCount();
  for (bool more = true; more;) {
    Result<bool> stepped = engine.step();
    if (!stepped.isOk())
      FAIL() << stepped.status().message();
    more = *stepped;
  }
  int64_t allocations = allocationCount() - before;
  EXPECT_EQ(allocations, 0);
  EXPECT_EQ(tokens, 12 * 60 + 66);
  EXPECT_GT(engine.statistics().preemptions, 0);
  void *volatile kept = ::operator new(16); // the count works
  ::operator delete(kept);
  EXPECT_GT(allocationCount(), before);
}
