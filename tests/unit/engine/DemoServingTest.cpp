// Real bytes: the demo model, compiled, on the CPU device. Whatever the engine does with pages (shared
// prefixes, copies on write, chunks, swap, recomputation), with steps (overlap) and with the order of
// requests (every policy, any mix), each text is, token for token, the one that the model writes
// alone with none of it.
//
//   QuireDemoServingTest PLAN MODEL_DIR
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/engine/Engine.h"
#include "runtime/engine/ExecutorRunner.h"
#include "runtime/plan/CacheGroups.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

using namespace quire;
using namespace quire::test;

namespace {

std::string planFile, modelDirectory;

/// A loaded model and one executor with its own cache.
struct Machine {
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<ExecutorRunner> runner;
};

template <class T> T unwrap(Result<T> result) {
  if (!result.isOk())
    ADD_FAILURE() << result.status().message();
  return result.takeValue();
}

Machine load(const Plan &plan, uint32_t pages, int32_t hostPages) {
  Machine machine;
  CpuDeviceOptions options;
  options.threads = 1;
  machine.device = unwrap(createCpuDevice(options));
  WeightOptions weightOptions;
  weightOptions.modelDirectory = modelDirectory;
  weightOptions.threads = 1;
  machine.weights = unwrap(WeightStore::load(plan, weightOptions));
  ExecutorOptions limits;
  limits.pageCount = pages;
  machine.executor = unwrap(Executor::create(plan, *machine.device, *machine.weights, limits));
  machine.runner =
      unwrap(ExecutorRunner::create(*machine.executor, machine.device.get(), hostPages));
  return machine;
}

struct Case {
  std::vector<int32_t> prompt;
  int32_t maxNew;
  SamplingParams sampling;
};

std::vector<std::vector<int32_t>> generate(Engine &engine, const std::vector<Case> &cases,
                                           const std::vector<int32_t> &texts,
                                           std::mt19937_64 &random) {
  std::vector<std::vector<int32_t>> heard; // case by case, text by text
  std::vector<size_t> firstText;
  for (size_t i = 0; i < cases.size(); ++i) {
    firstText.push_back(heard.size());
    heard.resize(heard.size() + texts[i]);
  }
  for (size_t next = 0; next < cases.size() || engine.liveCount() > 0;) {
    if (next < cases.size() && (engine.liveCount() == 0 || uniform(random, 0, 2) == 0)) {
      Request request;
      request.prompt = cases[next].prompt;
      request.maxNewTokens = cases[next].maxNew;
      request.sampling = cases[next].sampling;
      request.n = texts[next];
      request.priority = uniform(random, 0, 2);
      request.tenant = uint32_t(uniform(random, 0, 2));
      request.onUpdate = [&heard, first = firstText[next]](const RequestUpdate &update) {
        if (update.token >= 0)
          heard[first + update.index].push_back(update.token);
      };
      Result<RequestHandle> handle = engine.submit(std::move(request));
      EXPECT_TRUE(handle.isOk()) << handle.status().message();
      ++next;
      continue;
    }
    Result<bool> more = engine.step();
    EXPECT_TRUE(more.isOk()) << more.status().message();
    if (!more.isOk())
      break;
  }
  while (true) {
    Result<bool> more = engine.step();
    if (!more.isOk() || !*more)
      break;
  }
  return heard;
}

/// log-probabilities of what may follow `tokens`, by one step of the model that computes them alone.
std::vector<double> logProbabilities(Machine &machine, const std::vector<int32_t> &tokens) {
  const StepLimits &limits = machine.runner->limits();
  auto count = static_cast<int32_t>(tokens.size());
  int32_t pages = pagesFor(count, limits.pageSize);
  std::vector<int32_t> positions(tokens.size()), slots, table(limits.groupCount * pages);
  std::iota(positions.begin(), positions.end(), 0);
  std::iota(table.begin(), table.end(), 0);
  for (int32_t group = 0; group < limits.groupCount; ++group)
    for (int32_t position : positions)
      slots.push_back(group * pages * limits.pageSize + position);
  int32_t offsets[] = {0, count}, length = count, last = count - 1;
  plan::SamplingRecord record{};
  record.flags = plan::kSamplingOnHost;
  StepBatch batch;
  batch.tokens = static_cast<uint32_t>(count);
  batch.tokenIds = tokens;
  batch.positions = positions;
  batch.slots = slots;
  batch.queryOffsets = offsets;
  batch.keyLengths = {&length, 1};
  batch.blockTable = table;
  batch.maxPages = static_cast<uint32_t>(pages);
  batch.sampleRows = {&last, 1};
  batch.sampling = {&record, 1};
  Status status = machine.runner->run(batch);
  EXPECT_TRUE(status.isOk()) << status.message();
  std::vector<double> result;
  double sum = 0;
  for (float logit : machine.runner->logits(0))
    sum += std::exp(double(logit));
  for (float logit : machine.runner->logits(0))
    result.push_back(double(logit) - std::log(sum));
  return result;
}

struct Scored {
  std::vector<int32_t> text;
  double score;
};

void sortBestFirst(std::vector<Scored> &texts) {
  std::sort(texts.begin(), texts.end(),
            [](const Scored &a, const Scored &b) { return a.score > b.score; });
}

/// Beam search as in the papers: every continuation of every beam, each text computed from nothing.
std::vector<Scored> plainBeamSearch(Machine &machine, const Case &one, size_t width, int32_t stop,
                                    double penalty) {
  std::vector<Scored> beams = {{{}, 0}}, ended;
  for (int32_t length = 1; length <= one.maxNew && !beams.empty(); ++length) {
    std::vector<Scored> longer;
    for (const Scored &beam : beams) {
      std::vector<int32_t> tokens = one.prompt;
      tokens.insert(tokens.end(), beam.text.begin(), beam.text.end());
      std::vector<double> following = logProbabilities(machine, tokens);
      for (size_t token = 0; token < following.size(); ++token) {
        longer.push_back({beam.text, beam.score + following[token]});
        longer.back().text.push_back(static_cast<int32_t>(token));
      }
    }
    sortBestFirst(longer);
    beams.clear();
    for (size_t rank = 0; rank < longer.size() && beams.size() < width; ++rank) {
      bool stops = longer[rank].text.back() == stop;
      if ((stops && rank < width) || (!stops && length == one.maxNew))
        ended.push_back({longer[rank].text, longer[rank].score / std::pow(length, penalty)});
      if (!stops)
        beams.push_back(std::move(longer[rank]));
    }
  }
  sortBestFirst(ended);
  return ended;
}

} // namespace

TEST(DemoServing, BeamsAreThoseOfAPlainSearch) {
  std::mt19937_64 random(randomSeed());
  Plan plan = unwrap(Plan::open(planFile));
  int32_t vocabulary = static_cast<int32_t>(plan.info().vocabularySize);
  Machine alone = load(plan, 64, 0);
  int64_t stopped = 0, forks = 0;
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Case one;
    for (int32_t i = uniform(random, 1, 20); i > 0; --i)
      one.prompt.push_back(uniform(random, 0, vocabulary - 1));
    one.maxNew = uniform(random, 3, 10);
    int32_t width = uniform(random, 2, 4);
    double penalty = uniform(random, 0, 2) * 0.5;
    std::vector<double> first = logProbabilities(alone, one.prompt);
    int32_t stop = int32_t(std::max_element(first.begin(), first.end()) - first.begin());
    std::vector<Scored> expected = plainBeamSearch(alone, one, size_t(width), stop, penalty);

    Machine machine = load(plan, 100, round % 2 ? 50 : 0);
    EngineOptions options;
    options.overlap = uniform(random, 0, 1);
    options.tokenBudget = uniform(random, 0, 1) ? uniform(random, 8, 20) : 0;
    options.stopTokens = {stop};
    Engine engine(*machine.runner, nullptr, options);
    std::vector<Scored> heard(static_cast<size_t>(width));
    Request request;
    request.prompt = one.prompt;
    request.maxNewTokens = one.maxNew;
    request.beamWidth = request.n = width;
    request.lengthPenalty = penalty;
    request.onUpdate = [&](const RequestUpdate &update) {
      EXPECT_EQ(update.error, "");
      Scored &text = heard[static_cast<size_t>(update.index)];
      if (update.token >= 0)
        text.text.push_back(update.token);
      text.score = update.statistics.score;
    };
    ASSERT_TRUE(engine.submit(std::move(request)).isOk());
    for (bool more = true; more;)
      more = unwrap(engine.step());
    ASSERT_GE(expected.size(), heard.size());
    for (size_t i = 0; i < heard.size(); ++i) {
      EXPECT_NEAR(heard[i].score, expected[i].score, 1e-4);
      EXPECT_EQ(heard[i].text, expected[i].text) << "text " << i;
      stopped += heard[i].text.back() == stop;
    }
    forks += engine.scheduling().metrics().forked;
  }
  EXPECT_GT(stopped, 0);
  EXPECT_GT(forks, 10);
}

TEST(DemoServing, TextsAreTheSameHoweverTheyAreServed) {
  std::mt19937_64 random(randomSeed());
  Plan plan = unwrap(Plan::open(planFile));
  int32_t vocabulary = static_cast<int32_t>(plan.info().vocabularySize);
  int32_t pageSize = static_cast<int32_t>(plan.info().pageSize);
  int32_t groups = static_cast<int32_t>(plan::cacheGroups(plan.pools()).count);

  // Prompts with common beginnings, equal ones among them.
  std::vector<int32_t> common(3 * pageSize + 5);
  for (int32_t &token : common)
    token = uniform(random, 0, vocabulary - 1);
  std::vector<Case> cases;
  for (int i = 0; i < 16; ++i) {
    Case one;
    if (i % 4 == 3) {
      one = cases[uniform(random, 0, i - 1)];
    } else {
      one.prompt.assign(common.begin(), common.begin() + uniform(random, 0, int32_t(common.size())));
      for (int32_t j = uniform(random, 1, 12); j > 0; --j)
        one.prompt.push_back(uniform(random, 0, vocabulary - 1));
    }
    one.maxNew = uniform(random, 4, 40);
    one.sampling.temperature = i % 2 ? 1.0f : 0.0f;
    one.sampling.seed = random();
    cases.push_back(one);
  }
  std::vector<int32_t> ones(cases.size(), 1), texts;
  for (size_t i = 0; i < cases.size(); ++i)
    texts.push_back(i % 5 == 1 ? 3 : 1);

  // Alone, whole prompts, nothing shared: text j of case i, with seed + j.
  std::vector<std::vector<int32_t>> expected;
  {
    Machine machine = load(plan, uint32_t(groups) * 64, 0);
    for (size_t i = 0; i < cases.size(); ++i)
      for (int32_t text = 0; text < texts[i]; ++text) {
        EngineOptions options;
        options.sharePrefixes = false;
        Engine engine(*machine.runner, nullptr, options);
        Case one = cases[i];
        one.sampling.seed += uint64_t(text);
        expected.push_back(generate(engine, {one}, {1}, random)[0]);
        EXPECT_EQ(int32_t(expected.back().size()), one.maxNew);
      }
  }

  int64_t swaps = 0, recomputed = 0, hits = 0, copies = 0, forks = 0;
  int32_t least = groups * pagesFor(3 * pageSize + 5 + 12 + 40, pageSize);
  for (int round = 0; round < 16; ++round) {
    bool tight = round % 4 != 0;
    int32_t pages = tight ? least + groups * uniform(random, 0, 12) : groups * 300;
    Machine machine = load(plan, uint32_t(pages), round % 2 ? 100 : 0);
    EngineOptions options;
    options.overlap = uniform(random, 0, 1);
    options.sharePrefixes = uniform(random, 0, 2) > 0;
    options.tokenBudget = uniform(random, 0, 1) ? uniform(random, 8, 40) : 0;
    options.maxSequences = uniform(random, 3, 8);
    options.scheduling.watermark = round % 3 ? 0 : 0.95;
    options.scheduling.policy = static_cast<Policy>(round % kPolicyCount);
    options.scheduling.preemption =
        round % 2 ? PreemptionMode::Swap : PreemptionMode::Recompute;
    Engine engine(*machine.runner, nullptr, options);
    std::vector<std::vector<int32_t>> heard = generate(engine, cases, texts, random);
    ASSERT_EQ(heard.size(), expected.size());
    for (size_t i = 0; i < heard.size(); ++i)
      ASSERT_EQ(heard[i], expected[i])
          << "round " << round << " text " << i << ", policy " << policyName(options.scheduling.policy)
          << ", overlap " << options.overlap << ", sharing " << options.sharePrefixes;
    EXPECT_EQ(engine.freePages(), pages);
    const SchedulerMetrics &figures = engine.scheduling().metrics();
    swaps += figures.swappedIn;
    recomputed += figures.preemptedToRecompute;
    hits += figures.hitTokens;
    copies += figures.copiedPages;
    forks += figures.forked;
  }
  std::printf("%lld swapped in, %lld recomputed, %lld hit tokens, %lld copied pages, %lld forks\n",
              (long long)swaps, (long long)recomputed, (long long)hits, (long long)copies,
              (long long)forks);
  EXPECT_GT(swaps, 5);
  EXPECT_GT(recomputed, 0);
  EXPECT_GT(hits, 500);
  EXPECT_GT(copies, 0);
  EXPECT_GT(forks, 50);
}

/// Hides from the engine that layers have windows.
class KeepingRunner : public StepRunner {
public:
  explicit KeepingRunner(StepRunner &runner) : runner(runner), bounds(runner.limits()) {
    bounds.windows = {};
  }
  const StepLimits &limits() const override { return bounds; }
  Status run(const StepBatch &batch) override { return runner.run(batch); }
  std::span<const float> logits(int32_t sample) const override { return runner.logits(sample); }
  DrawnToken drawn(int32_t sample) const override { return runner.drawn(sample); }

private:
  StepRunner &runner;
  StepLimits bounds;
};

TEST(DemoServing, PagesBehindTheWindowAreGivenBack) {
  Plan plan = unwrap(Plan::open(planFile));
  plan::CacheGroups groups = plan::cacheGroups(plan.pools());
  int32_t pageSize = static_cast<int32_t>(plan.info().pageSize);
  int32_t window = static_cast<int32_t>(
      *std::max_element(groups.windows.begin(), groups.windows.end()));
  if (window == 0)
    GTEST_SKIP() << "all layers of this model look back at everything";
  std::mt19937_64 random(randomSeed());
  Case one;
  for (int i = 0; i < 2 * pageSize; ++i)
    one.prompt.push_back(uniform(random, 0, int32_t(plan.info().vocabularySize) - 1));
  one.maxNew = 5 * window;
  one.sampling.seed = random();
  int32_t all = pagesFor(2 * pageSize + one.maxNew - 1, pageSize), bound = 0;
  for (uint32_t group = 0; group < groups.count; ++group)
    bound += groups.windows[group] ? pagesFor(groups.windows[group], pageSize) + 1 : all;
  int32_t budget = 2 * pageSize; // and the least with which the request is accepted
  uint64_t least = plan::pagesHeld(groups, one.prompt.size() + one.maxNew - 1, budget, pageSize);
  for (uint32_t pages : {100u, uint32_t(least)}) {
    int32_t peaks[2];
    std::vector<std::vector<int32_t>> texts[2];
    for (bool keep : {false, true}) {
      Machine machine = load(plan, keep ? 100 : pages, 0);
      KeepingRunner keeping(*machine.runner);
      EngineOptions options;
      options.sharePrefixes = false;
      options.tokenBudget = budget;
      Engine engine(keep ? static_cast<StepRunner &>(keeping) : *machine.runner, nullptr, options);
      texts[keep] = generate(engine, {one}, {1}, random);
      peaks[keep] = engine.statistics().peakPages;
      EXPECT_EQ(engine.freePages(), int32_t(keep ? 100 : pages));
    }
    EXPECT_EQ(texts[0], texts[1]);
    EXPECT_EQ(int32_t(texts[0][0].size()), one.maxNew);
    EXPECT_EQ(peaks[1], int32_t(groups.count) * all);
    EXPECT_LE(peaks[0], bound) << "the window, and a page cut off";
  }
}

int main(int argc, char **argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: QuireDemoServingTest PLAN MODEL_DIR\n");
    return 2;
  }
  planFile = argv[1];
  modelDirectory = argv[2];
  return RUN_ALL_TESTS();
}
