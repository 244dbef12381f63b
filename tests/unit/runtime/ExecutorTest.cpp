// Protects the executor with real machine code: random ragged steps over a paged cache equal an
// oracle that keeps whole token histories, both shape variants run, bad batches are refused before
// anything runs, and a step allocates nothing.
#include "Random.h"
#include "SamplePlan.h"
#include "SampleWorld.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/exec/Executor.h"
#include "tests/support/AllocationCount.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <numeric>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;
using quire::test::allocationCount;

namespace {

struct Machine {
  explicit Machine(uint32_t threads = 2, ExecutorOptions options = {kPages, 0, 0, 0}) {
    auto readPlan = Plan::fromBytes(samplePlan(false).bytes());
    EXPECT_TRUE(readPlan.isOk()) << readPlan.status().message();
    plan = std::make_unique<Plan>(readPlan.takeValue());
    CpuDeviceOptions deviceOptions;
    deviceOptions.threads = threads;
    device = createCpuDevice(deviceOptions).takeValue();
    weights = WeightStore::load(*plan, {}).takeValue();
    auto created = Executor::create(*plan, *device, *weights, options);
    EXPECT_TRUE(created.isOk()) << created.status().message();
    executor = created.takeValue();
  }
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
};

TEST(Executor, RandomRaggedStepsEqualTheOracle) {
  Random random;
  for (uint32_t threads : {1u, 2u, 5u}) {
    Machine machine(threads);
    auto pool = machine.executor->pool(0);
    EXPECT_EQ(pool.size(), kPages * Sample::pageSize * sizeof(int32_t));
    std::memset(pool.data(), 0x7e, pool.size()); // whatever is not written must not be read
    World world(random);
    for (int i = 0; i < 400; ++i) {
      Step step = world.step();
      Status status = machine.executor->run(step.batch());
      ASSERT_TRUE(status.isOk()) << status.message();
      world.check(*machine.executor, step);
      if (HasFatalFailure())
        return;
    }
  }
}

TEST(Executor, StepsAllocateNothing) {
  Random random;
  Machine machine;
  World world(random);
  for (int i = 0; i < 50; ++i) {
    Step step = world.step();
    StepBatch batch = step.batch();
    int64_t before = allocationCount();
    Status status = machine.executor->run(batch);
    int64_t after = allocationCount();
    ASSERT_TRUE(status.isOk()) << status.message();
    ASSERT_EQ(after, before);
  }
}

TEST(Executor, MemoryIsExactlyThePlans) {
  Machine machine;
  const ExecutorMemory &memory = machine.executor->memory();
  EXPECT_EQ(memory.arena, 384u + 20 * 64 + 4 * 32);
  EXPECT_EQ(memory.pools, kPages * machine.plan->info().pageBytes);
  EXPECT_EQ(memory.workLists, machine.plan->info().workListBytes);
  EXPECT_EQ(memory.tensors, 64u * 8 * 4 + 64 * 4 + 32 * 4 + 64 * 5 * 4);
  Machine smaller(1, {kPages, 30, 2, 3});
  EXPECT_EQ(smaller.executor->memory().arena, 384u + 20 * 32 + 4 * 32);
  EXPECT_LT(smaller.executor->memory().total(), memory.total());
  EXPECT_EQ(smaller.executor->limits().maxTokens, 30u);
}

TEST(Executor, TraceHasEveryLaunchWithItsItems) {
  Random random;
  Machine machine;
  World world(random);
  Step step = world.step();
  std::array<LaunchTrace, 16> launches;
  StepTrace trace{launches};
  ASSERT_TRUE(machine.executor->run(step.batch(), &trace).isOk());
  EXPECT_EQ(trace.dropped, 0u);
  bool decodes = !machine.executor->workList(1).empty();
  EXPECT_EQ(trace.count, decodes ? 8u : 6u);
  EXPECT_EQ(launches[1].kernel, uint32_t(TestKernel::Append));
  EXPECT_EQ(launches[1].items, int64_t(step.tokenIds.size()));
  EXPECT_EQ(launches[2].kernel, uint32_t(TestKernel::Sum));
  EXPECT_EQ(launches[2].items, int64_t(machine.executor->workList(0).size()));
  // A buffer that is too small says so.
  StepTrace shorter{std::span(launches).first(2)};
  Step next = world.step();
  ASSERT_TRUE(machine.executor->run(next.batch(), &shorter).isOk());
  EXPECT_EQ(shorter.count, 2u);
  EXPECT_GE(shorter.dropped, 3u);
}

struct BadStep {
  const char *name;
  void (*apply)(Step &, StepBatch &);
  const char *message;
};

/// Two sequences: 3 queries after 4 keys, and one query after 9.
Step goodStep() {
  Step step;
  step.tokenIds = {1, 2, 3, 4};
  step.positions = {4, 5, 6, 9};
  step.slots = {4, 5, 6, 25, 64, 65, 66, 81};
  step.offsets = {0, 3, 4};
  step.keyLengths = {7, 10};
  step.table.assign(Sample::groups * 2 * kTableColumns, -1);
  for (int group = 0; group < int(Sample::groups); ++group) {
    int32_t *table = &step.table[size_t(group) * 2 * kTableColumns];
    for (int i = 0; i < 2; ++i)
      table[i] = 15 * group + i;
    for (int i = 0; i < 3; ++i)
      table[kTableColumns + size_t(i)] = 14 * group + 4 + i;
  }
  step.samples = {2, 3};
  step.x.resize(4 * (Sample::columns + 2));
  return step;
}

const BadStep kBadSteps[] = {
    {"noTokens", [](Step &, StepBatch &b) { b.tokens = 0; }, "it has no tokens"},
    {"tooManyTokens", [](Step &, StepBatch &b) { b.tokens = 65; }, "65 tokens, the limit is 64"},
    {"tooManySequences",
     [](Step &s, StepBatch &b) { s.keyLengths.resize(9); b.keyLengths = s.keyLengths; },
     "9 sequences, the limit is 8"},
    {"tooManySamples",
     [](Step &s, StepBatch &b) { s.samples.resize(9); b.sampleRows = s.samples; },
     "9 sample rows, the limit is 8"},
    {"idsMissing", [](Step &, StepBatch &b) { b.tokenIds = {}; }, "tokenIds has 0 entries"},
    {"idsShort", [](Step &, StepBatch &b) { b.tokenIds = b.tokenIds.first(3); }, "instead of 4"},
    {"idBeyondVocabulary", [](Step &s, StepBatch &) { s.tokenIds[2] = 1000; },
     "tokenIds[2] is 1000, legal is 0 to 999"},
    {"idNegative", [](Step &s, StepBatch &) { s.tokenIds[1] = -1; }, "tokenIds[1] is -1"},
    {"positionBeyondContext", [](Step &s, StepBatch &) { s.positions[3] = 96; },
     "positions[3] is 96"},
    {"positionsNotConsecutive", [](Step &s, StepBatch &) { s.positions[1] = 6; },
     "token row 1 of sequence 0 has position 6, its 7 keys make it 5"},
    {"slotBeyondCache", [](Step &s, StepBatch &) { s.slots[0] = kPages * Sample::pageSize; },
     "slots[0] is 1600"},
    {"slotNegative", [](Step &s, StepBatch &) { s.slots[0] = -2; }, "slots[0] is -2"},
    {"slotOfAnotherGroup", [](Step &s, StepBatch &) { s.slots[7] = kPages * Sample::pageSize; },
     "slots[7] is 1600"},
    {"groupMissing", [](Step &, StepBatch &b) { b.slots = b.slots.first(4); },
     "slots has 4 entries instead of 8"},
    {"pageOfAnotherGroup", [](Step &s, StepBatch &) { s.table[2 * kTableColumns] = -1; },
     "sequence 0, group 1"},
    {"slotsMissing", [](Step &, StepBatch &b) { b.slots = {}; }, "slots has 0 entries"},
    {"offsetsShort", [](Step &, StepBatch &b) { b.queryOffsets = b.queryOffsets.first(2); },
     "queryOffsets has 2 entries instead of 3"},
    {"offsetsStart", [](Step &s, StepBatch &) { s.offsets[0] = 1; }, "must run from 0 to the 4"},
    {"offsetsEnd", [](Step &s, StepBatch &) { s.offsets[2] = 3; }, "must run from 0 to the 4"},
    {"offsetsFall", [](Step &s, StepBatch &) { s.offsets[1] = 5; }, "fall from"},
    {"fewerKeysThanQueries", [](Step &s, StepBatch &) { s.keyLengths[0] = 2; },
     "sequence 0 has 3 queries and 2 keys"},
    {"keysBeyondContext", [](Step &s, StepBatch &) { s.keyLengths[1] = 97; }, "and 97 keys"},
    {"tooManyColumns", [](Step &, StepBatch &b) { b.maxPages = kTableColumns + 1; },
     "25 pages a sequence, the limit is 24"},
    {"tableSize", [](Step &, StepBatch &b) { b.blockTable = b.blockTable.first(5); },
     "blockTable has 5 entries"},
    {"fewColumns",
     [](Step &s, StepBatch &b) {
       std::fill_n(s.table.begin(), 8, 0);
       b.maxPages = 2;
       b.blockTable = b.blockTable.first(8);
     },
     "sequence 1 needs 3 pages"},
    {"pageNegative", [](Step &s, StepBatch &) { s.table[1] = -1; }, "sequence 0"},
    {"pageBeyondCache", [](Step &s, StepBatch &) { s.table[kTableColumns + 2] = kPages; },
     "pages[2] is 400"},
    {"sampleRow", [](Step &s, StepBatch &) { s.samples[0] = 4; }, "sampleRows[0] is 4"},
    {"inputMissing", [](Step &, StepBatch &b) { b.inputs = {}; }, "0 inputs are given"},
    {"inputName", [](Step &s, StepBatch &) { s.input.name = "y"; }, "no input 'y'"},
    {"outputAsInput", [](Step &s, StepBatch &) { s.input.name = "sums"; }, "no input 'sums'"},
    {"inputRows", [](Step &s, StepBatch &) { s.input.rows = 3; }, "has 3 rows"},
    {"inputStride", [](Step &s, StepBatch &) { s.input.rowStride = 4; }, "row stride of 4"},
    {"inputData", [](Step &s, StepBatch &) { s.input.data = nullptr; }, "has no data"},
};

class RefusedStep : public testing::TestWithParam<BadStep> {};

TEST_P(RefusedStep, LeavesTheCacheAlone) {
  Machine machine(1);
  Step good = goodStep();
  Status status = machine.executor->run(good.batch());
  ASSERT_TRUE(status.isOk()) << status.message();

  auto pool = machine.executor->pool(0);
  std::memset(pool.data(), 0x55, pool.size());
  Step bad = goodStep();
  StepBatch batch = bad.batch();
  GetParam().apply(bad, batch);
  status = machine.executor->run(batch);
  ASSERT_FALSE(status.isOk());
  EXPECT_NE(status.message().find(GetParam().message), std::string::npos) << status.message();
  EXPECT_TRUE(std::all_of(pool.begin(), pool.end(), [](uint8_t byte) { return byte == 0x55; }));
}

INSTANTIATE_TEST_SUITE_P(Rules, RefusedStep, testing::ValuesIn(kBadSteps),
                         [](const auto &info) { return std::string(info.param.name); });

/// What lies behind the window of a group may be given back: kernels find zeros there.
TEST(Executor, PagesBehindTheWindowAreZeros) {
  PlanWriter writer = samplePlan(false);
  std::vector<uint8_t> bytes = writer.bytes();
  Result<Plan> plan = Plan::fromBytes(bytes);
  ASSERT_TRUE(plan.isOk());
  const_cast<PoolRecord &>(plan->pools()[2]).window = 3;
  const_cast<PoolRecord &>(plan->pools()[1]).window = 3;
  Machine machine(1);
  ExecutorOptions options{kPages, 0, 0, 0};
  auto executor = Executor::create(*plan, *machine.device, *machine.weights, options);
  ASSERT_TRUE(executor.isOk()) << executor.status().message();
  EXPECT_EQ((*executor)->memory().pools, (kPages + 1) * plan->info().pageBytes);
  for (uint32_t page = 0; page < kPages; ++page)
    ASSERT_TRUE((*executor)->fillPage(int32_t(page), 1).isOk());

  Step step = goodStep(); // token 9 sees 7 and 8: pages 1 and 2
  int32_t *row = &step.table[3 * kTableColumns];
  row[0] = -1;
  Status status = (*executor)->run(step.batch());
  ASSERT_TRUE(status.isOk()) << status.message();
  auto sums = (*executor)->output("sums");
  ASSERT_TRUE(sums.isOk());
  constexpr int32_t kOnes = 0x01010101;
  EXPECT_EQ(static_cast<const int32_t *>(sums->data)[3], 5 * kOnes + 4);

  row[1] = -1;
  status = (*executor)->run(step.batch());
  ASSERT_FALSE(status.isOk());
  EXPECT_NE(status.message().find("sequence 1, group 1: step refused: pages within the window[0] is -1"),
            std::string::npos)
      << status.message();
  EXPECT_EQ((*executor)->fillPage(int32_t(kPages), 1).code(), ErrorCode::OutOfRange);
}

TEST(Executor, OutputsAreFoundByNameOnly) {
  Machine machine(1);
  EXPECT_FALSE(machine.executor->output("sums").isOk()); // before any step
  Step step = goodStep();
  ASSERT_TRUE(machine.executor->run(step.batch()).isOk());
  EXPECT_TRUE(machine.executor->output("sums").isOk());
  auto missing = machine.executor->output("logits");
  EXPECT_EQ(missing.status().code(), ErrorCode::NotFound);
  EXPECT_NE(missing.status().message().find("sums, sampled, scaled"), std::string::npos);
  EXPECT_EQ(machine.executor->output("x").status().code(), ErrorCode::NotFound);
}

TEST(Executor, CacheNeedsPages) {
  Machine machine(1);
  for (uint32_t pages : {0u, 0xffffffffu})
    EXPECT_EQ(Executor::create(*machine.plan, *machine.device, *machine.weights, {pages, 0, 0, 0})
                  .status()
                  .code(),
              ErrorCode::InvalidArgument);
}

TEST(CpuDevice, RefusesAPlanWithoutCodeForThisMachine) {
  PlanWriter writer = samplePlan(false);
  auto bytes = writer.bytes();
  auto plan = Plan::fromBytes(bytes);
  ASSERT_TRUE(plan.isOk());
  // The sample has only x86-64-v3 code; claim that it is for v4 and forbid v4.
  auto *image = const_cast<ImageRecord *>(plan->images().data());
  image->target = ImageTarget::X86_64_V4;
  CpuDeviceOptions options;
  options.highestTarget = ImageTarget::X86_64_V3;
  auto device = createCpuDevice(options);
  ASSERT_TRUE(device.isOk());
  EXPECT_EQ((*device)->properties().target, "x86-64-v3");
  auto loaded = (*device)->loadImage(*plan);
  EXPECT_EQ(loaded.status().code(), ErrorCode::Unsupported);
  EXPECT_NE(loaded.status().message().find("has native code for x86-64-v4"), std::string::npos);
}

} // namespace
