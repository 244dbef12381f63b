// What serving adds to the engine: whatever is shared, swapped, forked, overlapped or reordered, every
// text is what the model defines, over a runner that notices each wrong page (CacheRunner).
#include "runtime/sched/Replay.h"
#include "tests/support/RandomSeed.h"
#include "tests/unit/engine/EngineTesting.h"

#include <thread>

using namespace quire;
using namespace quire::test;

namespace {

constexpr int32_t kVocabulary = 20;

std::vector<int32_t> expectedText(std::vector<int32_t> tokens, int32_t count, int32_t stop = -1) {
  return greedyText(std::move(tokens), count, kVocabulary, stop);
}

StepLimits roomyLimits() { return test::roomyLimits(kVocabulary); }

} // namespace

TEST(Serving, TextsDoNotDependOnHowTheyAreServed) {
  std::mt19937_64 random(randomSeed());
  int64_t swaps = 0, recomputed = 0, hits = 0, copies = 0, forks = 0, discarded = 0, replayed = 0;
  for (int round = 0; round < 400; ++round) {
    StepLimits limits{uniform(random, 1, 24), uniform(random, 1, 8),  uniform(random, 1, 8),
                      uniform(random, 8, 80), uniform(random, 1, 6), uniform(random, 4, 40),
                      kVocabulary};
    limits.hostPages = uniform(random, 0, 3) ? uniform(random, 10, 60) : 0;
    drawGroups(limits, random);
    CacheRunner runner(limits);
    runner.failTransfers = uniform(random, 0, 3) == 0;
    MemoryRecorder recorder;
    EngineOptions options;
    options.overlap = uniform(random, 0, 1);
    options.sharePrefixes = uniform(random, 0, 2) > 0;
    options.stopTokens = {uniform(random, 0, kVocabulary - 1)};
    options.recorder = &recorder;
    options.scheduling.watermark = uniform(random, 0, 1) ? 0.95 : 0;
    options.scheduling.policy = static_cast<Policy>(uniform(random, 0, kPolicyCount - 1));
    options.scheduling.preemption = static_cast<PreemptionMode>(uniform(random, 0, 2));
    Engine engine(runner, nullptr, options);
    int32_t count = uniform(random, 1, 14);
    std::vector<Heard> heard(count);
    std::vector<std::vector<int32_t>> expected(count);
    std::vector<int32_t> texts(count, 0);
    std::vector<int32_t> common(uniform(random, 0, 20));
    for (int32_t &token : common)
      token = uniform(random, 0, kVocabulary - 1);
    for (int32_t next = 0; next < count || engine.liveCount() > 0;) {
      if (next < count && (engine.liveCount() == 0 || uniform(random, 0, 2) == 0)) {
        std::vector<int32_t> prompt(common.begin(),
                                    common.begin() + uniform(random, 0, int32_t(common.size())));
        for (int32_t i = uniform(random, 1, 8); i > 0; --i)
          prompt.push_back(uniform(random, 0, kVocabulary - 1));
        int32_t maxNew = uniform(random, 1, 20);
        Request request = makeRequest(prompt, maxNew, heard[next]);
        request.n = uniform(random, 0, 3) ? 1 : uniform(random, 1, 3);
        request.priority = uniform(random, 0, 2);
        request.tenant = uint32_t(uniform(random, 0, 2));
        texts[next] = request.n;
        Result<RequestHandle> handle = engine.submit(std::move(request));
        if (handle.isOk()) {
          int32_t room = limits.maxContext - int32_t(prompt.size());
          expected[next] = expectedText(prompt, std::min(maxNew, room), options.stopTokens[0]);
        } else {
          texts[next] = 0;
        }
        ++next;
        continue;
      }
      Result<bool> more = engine.step();
      ASSERT_TRUE(more.isOk()) << "round " << round << ": " << more.status().message();
    }
    runToEnd(engine);
    for (int32_t i = 0; i < count; ++i) {
      ASSERT_EQ(heard[i].finishes, texts[i]) << "round " << round << " request " << i;
      for (int32_t text = 0; text < texts[i]; ++text)
        ASSERT_EQ(heard[i].tokens[text], expected[i])
            << "round " << round << " request " << i << " text " << text;
    }
    ASSERT_EQ(engine.freePages(), limits.pageCount) << "pages leaked in round " << round;
    Result<ReplayResult> again = replay(recorder.stream);
    ASSERT_TRUE(again.isOk()) << again.status().message();
    ASSERT_TRUE(again->identical) << "round " << round << " record " << again->differsAt;
    replayed += again->steps;
    const SchedulerMetrics &figures = engine.scheduling().metrics();
    swaps += figures.swappedIn;
    recomputed += figures.preemptedToRecompute;
    hits += figures.hitTokens;
    copies += runner.pagesCopied;
    forks += figures.forked;
    discarded += figures.discardedTokens;
  }
  std::printf("%lld swapped in, %lld recomputed, %lld hit tokens, %lld copied pages, %lld forks, "
              "%lld discarded, %lld steps replayed\n",
              (long long)swaps, (long long)recomputed, (long long)hits, (long long)copies,
              (long long)forks, (long long)discarded, (long long)replayed);
  EXPECT_GT(swaps, 10);
  EXPECT_GT(recomputed, 20);
  EXPECT_GT(hits, 1000);
  EXPECT_GT(copies, 100);
  EXPECT_GT(forks, 100);
  EXPECT_GT(discarded, 50);
}

TEST(Serving, TheSecondOfTwoEqualPromptsIsCached) {
  for (bool share : {false, true}) {
    CacheRunner runner(roomyLimits());
    EngineOptions options;
    options.sharePrefixes = share;
    Engine engine(runner, nullptr, options);
    std::vector<int32_t> prompt(18);
    for (int32_t i = 0; i < 18; ++i)
      prompt[i] = i;
    Heard first, second;
    ASSERT_TRUE(engine.submit(makeRequest(prompt, 3, first)).isOk());
    runToEnd(engine);
    int64_t computed = engine.statistics().computedTokens;
    ASSERT_TRUE(engine.submit(makeRequest(prompt, 3, second)).isOk());
    runToEnd(engine);
    EXPECT_EQ(first.tokens, second.tokens);
    // Of 18, 16 lie in full pages and 17 is copied from one; the last is computed in any case.
    EXPECT_EQ(engine.statistics().computedTokens - computed, share ? 3 : 20);
    EXPECT_EQ(second.statistics[0].cachedTokens, share ? 17 : 0);
  }
}

TEST(Serving, AnotherSaltSeesNothing) {
  CacheRunner runner(roomyLimits());
  Engine engine(runner, nullptr, {});
  std::vector<int32_t> prompt(17, 3);
  Heard first, second;
  ASSERT_TRUE(engine.submit(makeRequest(prompt, 1, first)).isOk());
  runToEnd(engine);
  Request request = makeRequest(prompt, 1, second);
  request.salt = 9;
  ASSERT_TRUE(engine.submit(std::move(request)).isOk());
  runToEnd(engine);
  EXPECT_EQ(second.statistics[0].cachedTokens, 0);
  EXPECT_EQ(first.tokens, second.tokens);
}

TEST(Serving, SeveralTextsShareThePagesOfTheirPrompt) {
  CacheRunner runner(roomyLimits());
  EngineOptions options;
  options.sharePrefixes = false; // so that nothing but the fork shares
  Engine engine(runner, nullptr, options);
  Heard heard;
  Request request = makeRequest(std::vector<int32_t>(41, 7), 8, heard);
  request.n = 4;
  request.sampling.temperature = 1;
  request.sampling.seed = 5;
  ASSERT_TRUE(engine.submit(std::move(request)).isOk());
  int32_t least = engine.freePages();
  for (bool more = true; more;) {
    Result<bool> stepped = engine.step();
    ASSERT_TRUE(stepped.isOk());
    more = *stepped;
    least = std::min(least, engine.freePages());
  }
  ASSERT_EQ(heard.tokens.size(), 4u);
  EXPECT_EQ(heard.finishes, 4);
  EXPECT_NE(heard.tokens[0], heard.tokens[1]) << "each text has a seed of its own";
  // Ten full pages once, and up to three of its own for each text; not four times thirteen.
  EXPECT_GE(least, 200 - (10 + 4 * 2));
  EXPECT_EQ(engine.statistics().computedTokens, 41 + 4 * 7);
  for (int32_t index = 0; index < 4; ++index) { // what each seed gives alone
    CacheRunner alone(roomyLimits());
    Engine other(alone, nullptr, {});
    Heard single;
    Request one = makeRequest(std::vector<int32_t>(41, 7), 8, single);
    one.sampling.temperature = 1;
    one.sampling.seed = uint64_t(5 + index);
    ASSERT_TRUE(other.submit(std::move(one)).isOk());
    runToEnd(other);
    EXPECT_EQ(single.tokens[0], heard.tokens[index]);
  }
}

TEST(Serving, DeadlinesAndFullQueuesAreToldClearly) {
  CacheRunner runner(roomyLimits());
  EngineOptions options;
  options.maxSequences = 1;
  options.scheduling.maxQueue = 1;
  Engine engine(runner, nullptr, options);
  Heard slow, waiting, refused;
  Request request = makeRequest({1, 2}, 200, slow);
  request.deadlineSeconds = 0.02;
  ASSERT_TRUE(engine.submit(std::move(request)).isOk());
  ASSERT_TRUE(engine.step().isOk());
  ASSERT_TRUE(engine.submit(makeRequest({3}, 2, waiting)).isOk());
  EXPECT_TRUE(engine.queueIsFull());
  Status full = engine.submit(makeRequest({4}, 2, refused)).status();
  EXPECT_EQ(full.code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(full.message().find("the queue is full"), std::string::npos);
  std::this_thread::sleep_for(std::chrono::milliseconds(25));
  runToEnd(engine);
  EXPECT_EQ(slow.finish[0], FinishReason::Expired);
  EXPECT_EQ(waiting.finish[0], FinishReason::Length);
  EXPECT_EQ(refused.finishes, 0);
  EXPECT_EQ(engine.freePages(), 200);
}

TEST(Serving, HealthIsProgress) {
  CacheRunner runner(roomyLimits());
  Engine engine(runner, nullptr, {});
  Heard heard;
  EXPECT_EQ(engine.health().secondsSinceProgress, 0);
  ASSERT_TRUE(engine.submit(makeRequest({1}, 5, heard)).isOk());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(engine.health().live, 1);
  EXPECT_GE(engine.health().secondsSinceProgress, 0.02);
  int64_t steps = engine.health().steps;
  ASSERT_TRUE(engine.step().isOk());
  EXPECT_EQ(engine.health().steps, steps + 1);
  EXPECT_LT(engine.health().secondsSinceProgress, 0.02);
  runToEnd(engine);
  EXPECT_EQ(engine.health().live, 0);
}

TEST(Serving, AFailedStepFailsItsRequestsAndTheOthersGoOn) {
  for (bool overlap : {false, true}) {
    CacheRunner runner(roomyLimits());
    runner.failAt = 3;
    EngineOptions options;
    options.maxSequences = 1;
    options.overlap = overlap;
    Engine engine(runner, nullptr, options);
    Heard first, second;
    ASSERT_TRUE(engine.submit(makeRequest({1, 2}, 50, first)).isOk());
    ASSERT_TRUE(engine.submit(makeRequest({3, 4}, 5, second)).isOk());
    int failures = 0;
    for (int i = 0; i < 100 && engine.liveCount() > 0; ++i)
      failures += !engine.step().isOk();
    runToEnd(engine);
    EXPECT_EQ(failures, 1);
    EXPECT_EQ(first.finish[0], FinishReason::Failed);
    EXPECT_EQ(second.finish[0], FinishReason::Length);
    EXPECT_EQ(second.tokens[0], expectedText({3, 4}, 5));
    EXPECT_EQ(engine.freePages(), 200);
  }
}
