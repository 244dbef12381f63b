// Schedules small enough to be worked out by hand. A step takes 100 us and 10 us for each token
// row; request A comes at 0 with 4 prompt and 3 new tokens, request B at 50 with 6 and 2.
#include "runtime/simulate/Simulator.h"

#include <gtest/gtest.h>

using namespace quire;

static Trace twoRequests(Micros arrivalOfB) {
  Trace trace;
  trace.requests.resize(2);
  trace.requests[0] = {.arrival = 0, .promptTokens = 4, .newTokens = 3};
  trace.requests[1] = {.arrival = arrivalOfB, .promptTokens = 6, .newTokens = 2};
  return trace;
}

static SimulationConfig smallConfig() {
  SimulationConfig config;
  config.scheduling.tokenBudget = 8;
  config.scheduling.maxSequences = 4;
  config.scheduling.maxContext = 32;
  config.scheduling.cache.pageSize = 4;
  config.scheduling.cache.pageCount = 100;
  config.scheduling.cache.sharePrefixes = false;
  config.scheduling.cost.perStep = 100;
  config.scheduling.cost.perToken = 10;
  return config;
}

static SimulationFigures unwrap(Result<SimulationFigures> figures) {
  EXPECT_TRUE(figures.isOk()) << figures.status().message();
  return figures.isOk() ? *figures : SimulationFigures();
}

static SimulationFigures run(const Trace &trace, const SimulationConfig &config) {
  return unwrap(simulate(trace, config));
}

static SimulationFigures runStatic(const Trace &trace, StaticLayout layout,
                                   const SimulationConfig &config = smallConfig()) {
  return unwrap(simulateStatic(trace, config, layout));
}

TEST(Simulator, StepsFollowEachOther) {
  //   0 .. 140   A prefills 4                      A: first token after 140
  // 140 .. 310   A decodes, B prefills 6           A: 170 later; B: first token after 260
  // 310 .. 430   both decode and end               120 later, both
  SimulationFigures f = run(twoRequests(50), smallConfig());
  EXPECT_EQ(f.finished, 2);
  EXPECT_EQ(f.steps, 3);
  EXPECT_EQ(f.rows, 4 + 7 + 2);
  EXPECT_EQ(f.duration, 430);
  EXPECT_EQ(f.busy, 430);
  EXPECT_EQ(f.firstToken.p50, 140);
  EXPECT_EQ(f.firstToken.max, 260);
  EXPECT_EQ(f.interToken.count, 3);
  EXPECT_EQ(f.interToken.p50, 120);
  EXPECT_EQ(f.interToken.max, 170);
  EXPECT_EQ(f.endToEnd.p50, 380);
  EXPECT_EQ(f.endToEnd.max, 430);
  EXPECT_DOUBLE_EQ(f.throughput(), 5 / 430e-6);
}

TEST(Simulator, OverlapPlansAheadAndComputesOneTokenTooMuch) {
  //   0 .. 140   A prefills; the next step is planned now, before B comes
  // 140 .. 250   A decodes                         A: 110 later
  // 250 .. 420   A decodes, B prefills 6           A: 170 later, ends; B: first token after 370
  // 420 .. 530   B decodes                         B: 110 later, ends
  // 530 .. 640   B decodes: planned before it was known to end
  SimulationConfig config = smallConfig();
  config.overlap = true;
  SimulationFigures f = run(twoRequests(50), config);
  EXPECT_EQ(f.steps, 5);
  EXPECT_EQ(f.duration, 530);
  EXPECT_EQ(f.firstToken.p50, 140);
  EXPECT_EQ(f.firstToken.max, 370);
  EXPECT_EQ(f.interToken.p50, 110);
  EXPECT_EQ(f.interToken.max, 170);
  EXPECT_EQ(f.endToEnd.p50, 420);
  EXPECT_EQ(f.endToEnd.max, 480);
  EXPECT_EQ(f.scheduler.discardedTokens, 1);
}

TEST(Simulator, IdleTimeIsNoWork) {
  // A is over at 140 + 110 + 110; B comes later: 160 + 110.
  SimulationFigures f = run(twoRequests(5000), smallConfig());
  EXPECT_EQ(f.busy, 360 + 270);
  EXPECT_EQ(f.duration, 5270);
  EXPECT_EQ(f.endToEnd.max, 360);
}

TEST(Simulator, UnusedSlotsAreThoseOfLastPages) {
  // One step: 6 prompt tokens in two pages of 4, and an answer of up to 8 tokens might follow.
  Trace trace = twoRequests(0);
  trace.requests.erase(trace.requests.begin());
  trace.requests[0].newTokens = 1;
  SimulationConfig config = smallConfig();
  config.answerLimit = 8;
  SimulationFigures f = run(trace, config);
  EXPECT_EQ(f.steps, 1);
  EXPECT_EQ(f.memory.peakPages, 2);
  EXPECT_DOUBLE_EQ(f.memory.waste(), 2.0 / 8);
  EXPECT_DOUBLE_EQ(f.memory.wasteReserved(), 1 - 6.0 / 13);
}

TEST(Simulator, SwapsTakeTheLinksTime) {
  // A: 4 prompt and 6 new tokens, B: 7 and 3. Four pages of 4, copies 10 us and 100 us a page.
  //    0 .. 210   both prefill; one page is left, and both will soon need one
  //  210 .. 420   B is swapped out, so that A can grow
  //  210 .. 760   A decodes five times and ends     A: 110 later each
  //  760 .. 970   B is swapped in
  //  970 .. 1190  B decodes twice and ends          B: 870 and 110 later
  Trace trace = twoRequests(0);
  trace.requests[0].newTokens = 6;
  trace.requests[1].promptTokens = 7;
  trace.requests[1].newTokens = 3;
  SimulationConfig config = smallConfig();
  config.scheduling.tokenBudget = 12;
  config.scheduling.cache.pageCount = 4;
  config.scheduling.cache.hostPages = 2;
  config.scheduling.preemption = PreemptionMode::Swap;
  config.scheduling.watermark = 0;
  config.scheduling.transfer = {10, 100};
  SimulationFigures f = run(trace, config);
  EXPECT_EQ(f.scheduler.preemptedToSwap, 1);
  EXPECT_EQ(f.scheduler.swappedPages, 4);
  EXPECT_EQ(f.firstToken.max, 210);
  EXPECT_DOUBLE_EQ(f.interToken.mean, (5 * 110 + 870 + 110) / 7.0);
  EXPECT_EQ(f.interToken.max, 870);
  EXPECT_EQ(f.duration, 1190);
  EXPECT_EQ(f.busy, 210 + 7 * 110);
}

TEST(Simulator, EqualBlocksAreHits) {
  Result<Trace> trace = readTrace(std::string(QUIRE_TRACES) + "/conversation.jsonl");
  ASSERT_TRUE(trace.isOk());
  SimulationConfig config = smallConfig();
  config.scheduling.maxContext = 2048;
  config.scheduling.tokenBudget = 2048;
  config.scheduling.cache = {.pageSize = 16, .pageCount = 1000};
  SimulationFigures f = run(*trace, config);
  EXPECT_EQ(f.scheduler.askedTokens, 3200);
  EXPECT_EQ(f.scheduler.hitTokens, 512 + 1024);
  EXPECT_EQ(f.rows, 3200 - 1536 + (5 + 4 + 3 - 3)); // the last new token is never computed
}

TEST(Simulator, RefusesAndExpiresWhatTheSchedulerDoes) {
  Trace trace = twoRequests(0);
  trace.requests[0].promptTokens = 40; // beyond the context of 32
  trace.requests.push_back({.arrival = 10, .promptTokens = 8, .newTokens = 2});
  trace.requests[2].deadline = 100; // B's first step ends at 160
  SimulationFigures f = run(trace, smallConfig());
  EXPECT_EQ(f.refused, 1);
  EXPECT_EQ(f.expired, 1);
  EXPECT_EQ(f.finished, 1);
}

TEST(Simulator, NeedsACostModel) {
  SimulationConfig config = smallConfig();
  config.scheduling.cost = {};
  EXPECT_EQ(simulate(twoRequests(0), config).status().code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(simulateStatic(twoRequests(0), config, StaticLayout::Ragged).status().code(),
            ErrorCode::InvalidArgument);
}

TEST(StaticBatching, ABatchRunsToItsLongestAnswer) {
  // Padded: 2 * 6 rows, then twice 2 rows, though B is done after the first.
  SimulationFigures f = runStatic(twoRequests(0), StaticLayout::Padded);
  EXPECT_EQ(f.rows, 12 + 2 + 2);
  EXPECT_EQ(f.duration, 220 + 120 + 120);
  EXPECT_EQ(f.firstToken.max, 220);
  EXPECT_EQ(f.interToken.count, 3);
  EXPECT_EQ(f.endToEnd.p50, 460);
  EXPECT_EQ(f.newTokens, 5);
  // Reserved: 2 * (6 + 3). Stored: 10, 12, 13 tokens after the steps.
  EXPECT_DOUBLE_EQ(f.memory.waste(), 1 - (220 * 10 + 120 * 12 + 120 * 13) / (460 * 18.0));
  EXPECT_EQ(runStatic(twoRequests(0), StaticLayout::Ragged).duration, 200 + 120 + 120);
}

TEST(StaticBatching, WhoComesLateWaitsForTheNextBatch) {
  // A: 140 + 110 + 110; then B: 160 + 110.
  SimulationFigures f = runStatic(twoRequests(50), StaticLayout::Padded);
  EXPECT_EQ(f.duration, 630);
  EXPECT_EQ(f.firstToken.max, 360 + 160 - 50);
}

TEST(StaticBatching, ABatchFitsIntoMemory) {
  // 16 tokens: one request of 6 + 3 at a time, A's 4 + 3 as well.
  SimulationConfig config = smallConfig();
  config.scheduling.cache.pageCount = 4;
  EXPECT_EQ(runStatic(twoRequests(0), StaticLayout::Padded, config).duration, 630);
}
