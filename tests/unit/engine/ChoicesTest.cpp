// Several texts of one prompt: best-of and beam search. The oracles know the model by its
// definition only: they try all texts, or search over plain token lists, without sequences, pages
// or forks.
#include "runtime/sched/Replay.h"
#include "tests/support/RandomSeed.h"
#include "tests/unit/engine/EngineTesting.h"

#include <cmath>

using namespace quire;
using namespace quire::test;

namespace {

using Tokens = std::vector<int32_t>;

/// log-probabilities of what may follow `tokens`.
std::vector<double> logProbabilities(const Tokens &tokens, int32_t vocabulary) {
  std::vector<float> logits = modelLogits(tokens, vocabulary);
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(double(logit));
  std::vector<double> result;
  for (float logit : logits)
    result.push_back(double(logit) - std::log(sum));
  return result;
}

struct Scored {
  Tokens text;
  double score;
};

Tokens behind(const Tokens &prompt, const Tokens &text) {
  Tokens all = prompt;
  all.insert(all.end(), text.begin(), text.end());
  return all;
}

void sortBestFirst(std::vector<Scored> &texts) {
  std::sort(texts.begin(), texts.end(),
            [](const Scored &a, const Scored &b) {
              return a.score != b.score ? a.score > b.score : a.text < b.text;
            });
}

/// All texts of up to `most` tokens that end by `stop` or the limit, best first.
std::vector<Scored> allTexts(const Tokens &prompt, int32_t most, int32_t vocabulary, int32_t stop,
                             double penalty) {
  std::vector<Scored> ended, open = {{{}, 0}};
  while (!open.empty()) {
    std::vector<Scored> next;
    for (const Scored &one : open) {
      std::vector<double> following = logProbabilities(behind(prompt, one.text), vocabulary);
      for (int32_t token = 0; token < vocabulary; ++token) {
        Scored longer{one.text, one.score + following[token]};
        longer.text.push_back(token);
        bool ends = token == stop || int32_t(longer.text.size()) == most;
        if (ends)
          longer.score /= std::pow(double(longer.text.size()), penalty);
        (ends ? ended : next).push_back(longer);
      }
    }
    open = std::move(next);
  }
  sortBestFirst(ended);
  return ended;
}

/// Beam search as in the papers: all continuations of all beams, sorted, the best kept.
std::vector<Scored> plainBeamSearch(const Tokens &prompt, int32_t width, int32_t most,
                                    int32_t vocabulary, int32_t stop, double penalty) {
  std::vector<Scored> beams = {{{}, 0}}, ended;
  for (int32_t length = 1; length <= most && !beams.empty(); ++length) {
    std::vector<Scored> longer;
    for (const Scored &beam : beams) {
      std::vector<double> following = logProbabilities(behind(prompt, beam.text), vocabulary);
      for (int32_t token = 0; token < vocabulary; ++token) {
        longer.push_back({beam.text, beam.score + following[token]});
        longer.back().text.push_back(token);
      }
    }
    sortBestFirst(longer);
    beams.clear();
    double scale = std::pow(double(length), penalty);
    for (size_t rank = 0; rank < longer.size() && int32_t(beams.size()) < width; ++rank) {
      bool stops = longer[rank].text.back() == stop;
      if (!stops)
        beams.push_back(longer[rank]);
      if ((stops && rank < size_t(width)) || (!stops && length == most))
        ended.push_back({longer[rank].text, longer[rank].score / scale});
    }
    sortBestFirst(ended);
    if (int32_t(ended.size()) > width)
      ended.resize(width);
  }
  return ended;
}

Request beamRequest(Tokens prompt, int32_t maxNew, int32_t width, int32_t n, double penalty,
                    Heard &heard) {
  Request request = makeRequest(std::move(prompt), maxNew, heard);
  request.beamWidth = width;
  request.n = n;
  request.lengthPenalty = penalty;
  return request;
}

Tokens randomPrompt(std::mt19937_64 &random, int32_t most, int32_t vocabulary) {
  Tokens prompt(uniform(random, 1, most));
  for (int32_t &token : prompt)
    token = uniform(random, 0, vocabulary - 1);
  return prompt;
}

void expectTexts(const Heard &heard, const std::vector<Scored> &expected, int32_t n,
                 const std::string &where) {
  ASSERT_EQ(heard.finishes, n) << where << " " << heard.error;
  for (int32_t i = 0; i < n; ++i) {
    ASSERT_NEAR(heard.statistics.at(i).score, expected[i].score, 1e-9) << where << " text " << i;
    ASSERT_EQ(heard.tokens.at(i), expected[i].text) << where << " text " << i;
  }
}

constexpr double kPenalties[] = {0, 0.5, 1, 2, -0.5};

} // namespace

TEST(Choices, AWideBeamSearchFindsTheBestOfAllTexts) {
  std::mt19937_64 random(randomSeed());
  int stopped = 0;
  for (int round = 0; round < 60; ++round) {
    int32_t vocabulary = uniform(random, 2, 4), most = uniform(random, 1, 3);
    int32_t stop = uniform(random, -1, vocabulary - 1);
    double penalty = kPenalties[uniform(random, 0, 4)];
    CacheRunner runner({64, 64, 64, 64, uniform(random, 1, 5), 1500, vocabulary});
    EngineOptions options;
    if (stop >= 0)
      options.stopTokens = {stop};
    Engine engine(runner, nullptr, options);
    Tokens prompt = randomPrompt(random, 12, vocabulary);
    std::vector<Scored> expected = allTexts(prompt, most, vocabulary, stop, penalty);
    int32_t n = uniform(random, 1, std::min<int32_t>(8, int32_t(expected.size())));
    Heard heard;
    Result<RequestHandle> handle =
        engine.submit(beamRequest(prompt, most, 64, n, penalty, heard));
    ASSERT_TRUE(handle.isOk()) << handle.status().message();
    runToEnd(engine);
    expectTexts(heard, expected, n, "round " + std::to_string(round));
    for (auto [index, reason] : heard.finish)
      stopped += reason == FinishReason::StopToken;
    ASSERT_EQ(engine.freePages(), 1500);
  }
  EXPECT_GT(stopped, 10);
}

TEST(Choices, BeamsFindTheSameTextsHoweverTheyAreServed) {
  std::mt19937_64 random(randomSeed());
  int64_t forks = 0, swaps = 0, recomputed = 0, restarts = 0, copies = 0, refused = 0;
  for (int round = 0; round < 1000; ++round) {
    constexpr int32_t kVocabulary = 12;
    StepLimits limits{uniform(random, 6, 24), uniform(random, 6, 9), 9, 80, uniform(random, 1, 6),
                      uniform(random, 20, 60), kVocabulary};
    limits.hostPages = uniform(random, 0, 3) ? 40 : 0;
    drawGroups(limits, random);
    CacheRunner runner(limits);
    MemoryRecorder recorder;
    EngineOptions options;
    options.overlap = uniform(random, 0, 1);
    options.sharePrefixes = uniform(random, 0, 1);
    options.recorder = &recorder;
    options.stopTokens = {uniform(random, 0, kVocabulary - 1)};
    options.scheduling.watermark = uniform(random, 0, 2) ? 0 : 0.95;
    options.scheduling.policy = static_cast<Policy>(uniform(random, 0, kPolicyCount - 1));
    options.scheduling.preemption =
        uniform(random, 0, 1) ? PreemptionMode::Swap : PreemptionMode::Recompute;
    Engine engine(runner, nullptr, options);
    int32_t count = uniform(random, 1, 8);
    std::vector<Heard> heard(count);
    std::vector<std::vector<Scored>> expected(count);
    std::vector<int32_t> texts(count, 0);
    int steps = 0;
    for (int32_t next = 0; next < count || engine.liveCount() > 0;) {
      if (next < count && (engine.liveCount() == 0 || uniform(random, 0, 3) == 0)) {
        Tokens prompt = randomPrompt(random, 20, kVocabulary);
        int32_t maxNew = uniform(random, 1, 14);
        bool searches = uniform(random, 0, 2) > 0;
        int32_t width = searches ? uniform(random, 1, 5) : 1, n = uniform(random, 1, width);
        double penalty = kPenalties[uniform(random, 0, 4)];
        Request request =
            beamRequest(prompt, maxNew, searches ? width : 0, n, penalty, heard[next]);
        request.priority = uniform(random, 0, 2);
        Result<RequestHandle> handle = engine.submit(std::move(request));
        if (!handle.isOk()) {
          ++refused;
        } else if (searches) {
          expected[next] = plainBeamSearch(prompt, width, maxNew, kVocabulary,
                                           options.stopTokens[0], penalty);
          texts[next] = n;
        } else {
          expected[next] = {{greedyText(prompt, maxNew, kVocabulary, options.stopTokens[0]), 0}};
          texts[next] = 1;
        }
        ++next;
        continue;
      }
      Result<bool> more = engine.step();
      ASSERT_TRUE(more.isOk()) << "round " << round << ": " << more.status().message();
      ASSERT_LT(++steps, 20000) << "round " << round << ": the engine does not end";
    }
    runToEnd(engine);
    for (int32_t i = 0; i < count; ++i)
      ASSERT_NO_FATAL_FAILURE(expectTexts(
          heard[i], expected[i], texts[i],
          "round " + std::to_string(round) + " request " + std::to_string(i)));
    ASSERT_EQ(engine.freePages(), limits.pageCount) << "pages leaked in round " << round;
    ASSERT_EQ(engine.health().live, 0);
    Result<ReplayResult> again = replay(recorder.stream);
    ASSERT_TRUE(again.isOk() && again->identical) << "round " << round;
    const SchedulerMetrics &figures = engine.scheduling().metrics();
    forks += figures.forked;
    swaps += figures.swappedIn;
    recomputed += figures.preemptedToRecompute;
    restarts += engine.statistics().beamRestarts;
    copies += runner.pagesCopied;
  }
  std::printf("%lld forks, %lld copied pages, %lld swapped in, %lld recomputed, %lld restarts, "
              "%lld refused\n",
              (long long)forks, (long long)copies, (long long)swaps, (long long)recomputed,
              (long long)restarts, (long long)refused);
  EXPECT_GT(forks, 4000);
  EXPECT_GT(copies, 2000);
  EXPECT_GT(swaps, 1);
  EXPECT_GT(recomputed, 10);
  EXPECT_LT(restarts, 4) << "they give way to each other instead";
}

TEST(Choices, BestOfTellsTheTextsWithTheHighestMeanLogProbability) {
  std::mt19937_64 random(randomSeed());
  constexpr int32_t kVocabulary = 15;
  for (int round = 0; round < 60; ++round) {
    Tokens prompt = randomPrompt(random, 15, kVocabulary);
    int32_t maxNew = uniform(random, 1, 10), bestOf = uniform(random, 2, 6);
    int32_t n = uniform(random, 1, bestOf - 1), stop = uniform(random, 0, kVocabulary - 1);
    SamplingParams sampling;
    sampling.seed = random();
    sampling.temperature = 1.5f;
    EngineOptions options;
    options.stopTokens = {stop};
    options.overlap = uniform(random, 0, 1);
    std::vector<Scored> expected;
    for (int32_t i = 0; i < bestOf; ++i) { // what each seed gives alone
      CacheRunner runner(roomyLimits(kVocabulary));
      Engine alone(runner, nullptr, options);
      Heard heard;
      SamplingParams own = sampling;
      own.seed += uint64_t(i);
      ASSERT_TRUE(alone.submit(makeRequest(prompt, maxNew, heard, own)).isOk());
      runToEnd(alone);
      Scored one{heard.tokens[0], 0};
      Tokens before = prompt;
      for (int32_t token : one.text) {
        one.score += logProbabilities(before, kVocabulary)[token] / double(one.text.size());
        before.push_back(token);
      }
      expected.push_back(one);
    }
    sortBestFirst(expected);
    CacheRunner runner(roomyLimits(kVocabulary));
    Engine engine(runner, nullptr, options);
    Heard heard;
    Request request = makeRequest(prompt, maxNew, heard, sampling);
    request.bestOf = bestOf;
    request.n = n;
    ASSERT_TRUE(engine.submit(std::move(request)).isOk());
    runToEnd(engine);
    expectTexts(heard, expected, n, "round " + std::to_string(round));
    ASSERT_EQ(engine.freePages(), 200);
  }
}

TEST(Choices, ACancelledOrFailedSearchEndsAsAWhole) {
  constexpr int32_t kVocabulary = 15;
  for (bool overlap : {false, true})
    for (bool fails : {false, true}) {
      CacheRunner runner(roomyLimits(kVocabulary));
      EngineOptions options;
      options.overlap = overlap;
      Engine engine(runner, nullptr, options);
      Heard beams, other, contest;
      Result<RequestHandle> handle = engine.submit(beamRequest({1, 2}, 30, 4, 2, 1, beams));
      ASSERT_TRUE(handle.isOk());
      SamplingParams sampling;
      Request several = makeRequest({4, 5}, 30, contest, sampling);
      several.bestOf = 3;
      Result<RequestHandle> second = engine.submit(std::move(several));
      ASSERT_TRUE(second.isOk());
      for (int step = 0; step < 5; ++step)
        ASSERT_TRUE(engine.step().isOk());
      if (fails)
        runner.failAt = runner.steps + 2;
      engine.cancel(fails ? 0 : *handle);
      engine.cancel(fails ? 0 : *second);
      ASSERT_TRUE(engine.submit(makeRequest({3}, 4, other)).isOk());
      for (int step = 0; step < 100 && engine.liveCount() > 0; ++step)
        EXPECT_TRUE(engine.step().isOk() || fails);
      runToEnd(engine);
      FinishReason expected = fails ? FinishReason::Failed : FinishReason::Cancelled;
      EXPECT_EQ(beams.finishes, 2);
      EXPECT_EQ(beams.finish[0], expected);
      EXPECT_EQ(contest.finishes, 1);
      EXPECT_EQ(contest.finish[0], expected);
      EXPECT_EQ(beams.tokens.empty(), fails) << "a cancelled search tells what it has";
      EXPECT_EQ(engine.freePages(), 200);
      EXPECT_EQ(engine.health().live, 0);
      Heard after;
      ASSERT_TRUE(engine.submit(beamRequest({1, 2}, 5, 3, 1, 0, after)).isOk());
      runToEnd(engine);
      expectTexts(after, plainBeamSearch({1, 2}, 3, 5, kVocabulary, -1, 0), 1, "afterwards");
    }
}

TEST(Choices, WhatCannotBeIsRefused) {
  CacheRunner runner(roomyLimits(15));
  Engine engine(runner, nullptr, {});
  Heard heard;
  auto refusal = [&](auto change) {
    Request request = makeRequest({1, 2, 3}, 20, heard);
    change(request);
    return engine.submit(std::move(request)).status();
  };
  EXPECT_EQ(refusal([](Request &r) { r.n = 9; }).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(refusal([](Request &r) { r.bestOf = 1, r.n = 2; }).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(refusal([](Request &r) { r.beamWidth = 9; }).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(refusal([](Request &r) { r.beamWidth = -1; }).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(refusal([](Request &r) { r.beamWidth = 2, r.n = 3; }).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(refusal([](Request &r) { r.beamWidth = 2, r.bestOf = 2; }).code(),
            ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal([](Request &r) { r.beamWidth = 2, r.sampling.logitBias = {{1, 1.f}}; }).code(),
            ErrorCode::InvalidArgument);
  Status large = refusal([](Request &r) { r.beamWidth = 8, r.maxNewTokens = 200; });
  EXPECT_EQ(large.code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(large.message().find("8 beams of 202 tokens may need 416 cache pages"),
            std::string::npos)
      << large.message();
  EXPECT_EQ(heard.finishes, 0);
  EXPECT_EQ(engine.liveCount(), 0);
}

TEST(Choices, SharingSavesPages) {
  CacheRunner runner(roomyLimits(15));
  EngineOptions options;
  options.sharePrefixes = false; // equal texts would share more
  Engine engine(runner, nullptr, options);
  Heard heard;
  Request request = makeRequest(Tokens(39, 3), 8, heard);
  request.n = 4;
  ASSERT_TRUE(engine.submit(std::move(request)).isOk());
  runToEnd(engine);
  // 46 tokens take 12 pages of 4; nine full ones of the prompt are shared by the four texts.
  EXPECT_EQ(engine.statistics().peakPagesUnshared, 4 * 12);
  EXPECT_EQ(engine.statistics().peakPages, 9 + 4 * 3);
}
