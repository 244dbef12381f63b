// Protects the executor on a device with memory of its own: random ragged steps equal the oracle,
// with one copy to the device a step, recorded or not; pages are copied, swapped and kept apart from
// other pages; a failed step leaves an executor that says so.
#include "FakeMachine.h"
#include "SampleWorld.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/exec/Executor.h"
#include "runtime/exec/StepShape.h"

#include <array>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

struct Machine {
  Machine(Plan samplePlan, Result<std::unique_ptr<Device>> opened, bool record = true)
      : plan(std::move(samplePlan)) {
    EXPECT_TRUE(opened.isOk()) << opened.status().message();
    device = opened.takeValue();
    WeightOptions weightOptions;
    weightOptions.device = device.get();
    auto loaded = WeightStore::load(plan, weightOptions);
    EXPECT_TRUE(loaded.isOk()) << loaded.status().message();
    weights = loaded.takeValue();
    ExecutorOptions options{kPages, 0, 0, 0};
    options.record = record;
    auto created = Executor::create(plan, *device, *weights, options);
    EXPECT_TRUE(created.isOk()) << created.status().message();
    executor = created.takeValue();
  }
  Plan plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
};

using CudaExecutor = CudaTest;

TEST_F(CudaExecutor, RandomRaggedStepsEqualTheOracleWithOneCopyEach) {
  Random random;
  for (bool record : {true, false}) {
    Machine machine(cudaSamplePlan(), open(), record);
    for (uint32_t page = 0; page < kPages; ++page) // whatever is not written must not be read
      ASSERT_TRUE(machine.executor->fillPage(int32_t(page), 0x7e).isOk());
    World world(random);
    for (int i = 0; i < 1500; ++i) {
      bool decode = i % 100 > 5; // phases of decoding, so that shapes return
      Step step = world.step(decode);
      int copies = fake().copiesToDevice;
      Status status = machine.executor->run(step.batch());
      ASSERT_TRUE(status.isOk()) << status.message();
      ASSERT_EQ(fake().copiesToDevice, copies + 1);
      world.check(*machine.executor, step);
      if (HasFatalFailure())
        return;
    }
    EXPECT_EQ(machine.executor->replayedSteps() > 20, record);
    EXPECT_EQ(fake().graphLaunches > 20, record);
    fake().graphLaunches = 0;
  }
}

/// Two sequences of one token each, after 4 and 8 tokens, with a block table of `columns` columns.
Step decodeStep(uint32_t columns, size_t samples) {
  Step step;
  step.tokenIds = {100, 200};
  step.positions = {4, 8};
  step.slots = {4, 28, 4, 28}; // rows 0 of pages 1 and 7, in both groups
  step.offsets = {0, 1, 2};
  step.keyLengths = {5, 9};
  step.columns = columns;
  step.table.assign(2 * columns, -7);
  step.table[0] = 0;
  step.table[1] = 1;
  for (uint32_t page = 0; page < 3; ++page)
    step.table[columns + page] = int32_t(5 + page);
  std::vector<int32_t> table = step.table;
  step.table.insert(step.table.end(), table.begin(), table.end());
  step.samples.assign(samples, 1);
  step.x.resize(2 * (Sample::columns + 2));
  return step;
}

// The columns of the block table are in no count of rows, but kernels get them: a recording of one
// number must not serve another.
TEST_F(CudaExecutor, RecordingsServeOnlyStepsOfTheirShape) {
  Machine machine(cudaSamplePlan(), open());
  for (int32_t page = 0; page < 8; ++page) {
    std::vector<int32_t> ids(machine.plan.info().pageBytes / 4, page + 1);
    ASSERT_TRUE(machine.executor
                    ->writePage(page, {reinterpret_cast<uint8_t *>(ids.data()), ids.size() * 4})
                    .isOk());
  }
  for (int round = 0; round < 3; ++round)
    for (uint32_t columns : {3u, 4u, 5u, 8u, 24u})
      for (size_t samples : {0, 1, 3}) {
        Step step = decodeStep(columns, samples);
        ASSERT_TRUE(machine.executor->run(step.batch()).isOk());
        auto sums = machine.executor->output("sums");
        ASSERT_TRUE(sums.isOk());
        auto *got = static_cast<const int32_t *>(sums->data);
        ASSERT_EQ(got[0], 4 * 1 + 100) << columns << " columns";
        ASSERT_EQ(got[1], 4 * 6 + 4 * 7 + 200) << columns << " columns";
        auto sampled = machine.executor->output("sampled");
        ASSERT_EQ(sampled->rows, samples);
        for (size_t i = 0; i < samples; ++i)
          ASSERT_EQ(static_cast<const int32_t *>(sampled->data)[i], got[1]);
      }
  EXPECT_GT(machine.executor->replayedSteps(), 20u);
}

TEST_F(CudaExecutor, OutputsAreFetchedOnceAndOnlyOnDemand) {
  Random random;
  Machine machine(cudaSamplePlan(), open());
  World world(random);
  Step step = world.step();
  int copies = fake().copiesFromDevice;
  ASSERT_TRUE(machine.executor->run(step.batch()).isOk());
  EXPECT_EQ(fake().copiesFromDevice, copies);
  ASSERT_TRUE(machine.executor->output("sums").isOk());
  ASSERT_TRUE(machine.executor->output("sums").isOk());
  EXPECT_EQ(fake().copiesFromDevice, copies + 1);
}

TEST_F(CudaExecutor, MemoryIsExactAndHostPoolsAreEmpty) {
  Machine machine(cudaSamplePlan(), open());
  const ExecutorMemory &memory = machine.executor->memory();
  EXPECT_EQ(memory.pools, kPages * machine.plan.info().pageBytes);
  EXPECT_EQ(memory.workLists, machine.plan.info().workListBytes);
  EXPECT_GT(memory.staging, 0u);
  EXPECT_TRUE(machine.executor->pool(0).empty());
  // Pools and the region are rounded up to whole lines of 256 bytes, nothing else is.
  uint64_t exact = memory.total() + machine.weights->bytes();
  EXPECT_GE(fake().deviceBytes, exact);
  EXPECT_LE(fake().deviceBytes, exact + 2 * 256);
}

TEST_F(CudaExecutor, TraceHasEveryLaunchAndIsNotRecorded) {
  Random random;
  Machine machine(cudaSamplePlan(), open());
  World world(random);
  std::array<LaunchTrace, 16> launches;
  for (int i = 0; i < 5; ++i) {
    Step step = world.step(true);
    StepTrace trace{launches};
    size_t before = fake().launches.size();
    ASSERT_TRUE(machine.executor->run(step.batch(), &trace).isOk());
    auto withItems = std::count_if(launches.begin(), launches.begin() + trace.count,
                                   [](const LaunchTrace &launch) { return launch.items > 0; });
    EXPECT_EQ(size_t(withItems), fake().launches.size() - before);
  }
  EXPECT_EQ(machine.executor->replayedSteps(), 0u);
}

TEST_F(CudaExecutor, TraceTimesTheKernelsAskedForBehindAFlush) {
  Random random;
  Machine machine(cudaSamplePlan(), open());
  World world(random);
  std::vector<uint8_t> wanted(machine.plan.kernels().size());
  wanted[uint32_t(TestKernel::Sum)] = 1;
  auto flush = CacheFlush::create(*machine.device, 20 << 20);
  ASSERT_TRUE(flush.isOk());
  std::array<LaunchTrace, 16> launches;
  for (bool cold : {false, true}) {
    StepTrace trace{launches};
    trace.wanted = wanted;
    trace.flush = cold ? &*flush : nullptr;
    Step step = world.step();
    int copies = fake().copiesWithin;
    ASSERT_TRUE(machine.executor->run(step.batch(), &trace).isOk());
    ASSERT_GE(trace.count, 1u);
    for (uint32_t i = 0; i < trace.count; ++i) {
      EXPECT_EQ(launches[i].kernel, uint32_t(TestKernel::Sum));
      EXPECT_EQ(launches[i].nanoseconds, launches[i].items > 0 ? 500'000u : 0u); // one launch
    }
    // Three pieces of at most 8 MB before every traced launch.
    EXPECT_EQ(fake().copiesWithin - copies, cold ? 3 * int(trace.count) : 0);
  }
}

TEST_F(CudaExecutor, AdjacentLaunchesAreMeasuredTogetherWhereAsked) {
  Random random;
  Machine machine(cudaSamplePlan(), open());
  World world(random);
  std::vector<uint8_t> wanted(machine.plan.kernels().size());
  auto trace = [&](std::initializer_list<TestKernel> kernels) {
    std::fill(wanted.begin(), wanted.end(), uint8_t(0));
    for (TestKernel kernel : kernels)
      wanted[uint32_t(kernel)] = 1;
    std::vector<LaunchTrace> launches(16);
    StepTrace trace{launches};
    trace.wanted = wanted;
    trace.together = true;
    Step step = world.step(true); // single queries: partial sums, then what combines them
    EXPECT_TRUE(machine.executor->run(step.batch(), &trace).isOk());
    launches.resize(trace.count);
    return launches;
  };
  auto both = trace({TestKernel::Partial, TestKernel::Combine});
  ASSERT_EQ(both.size(), 1u);
  EXPECT_EQ(both[0].kernel, uint32_t(TestKernel::Partial));
  EXPECT_EQ(both[0].nanoseconds, 1'000'000u);
  // Another launch between them ends the first measurement; the last one ends with the step.
  auto apart = trace({TestKernel::Append, TestKernel::Combine, TestKernel::Gather,
                      TestKernel::Scale, TestKernel::Store});
  ASSERT_EQ(apart.size(), 2u);
  EXPECT_EQ(apart[0].kernel, uint32_t(TestKernel::Append));
  EXPECT_EQ(apart[0].nanoseconds, 1'000'000u); // of both groups
  EXPECT_EQ(apart[1].kernel, uint32_t(TestKernel::Combine));
  EXPECT_GE(apart[1].nanoseconds, 1'500'000u);
}

TEST_F(CudaExecutor, AFailedStepSaysWhichKernelAndHasNoOutput) {
  Random random;
  Machine machine(cudaSamplePlan(), open(), false);
  World world(random);
  Step step = world.step();
  ASSERT_TRUE(machine.executor->run(step.batch()).isOk());
  fake().brokenKernel = "scale";
  Step next = world.step();
  Status status = machine.executor->run(next.batch());
  ASSERT_FALSE(status.isOk());
  EXPECT_NE(status.message().find("kernels on Fake GPU 0"), std::string::npos) << status.message();
  EXPECT_FALSE(machine.executor->output("sums").isOk());
}

TEST_F(CudaExecutor, AFailedRecordingFailsTheStepAndEndsTheRecording) {
  Random random;
  for (const char *call : {"cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"}) {
    Machine machine(cudaSamplePlan(), open());
    World world(random);
    fake().failures[call] = {900, 0};
    bool failed = false;
    for (int i = 0; i < 2000 && !failed; ++i) {
      Step step = world.step(true);
      failed = !machine.executor->run(step.batch()).isOk();
    }
    EXPECT_TRUE(failed) << call;
  }
}

/// Page operations are the same on a device with memory of its own and on the CPU.
void checkPages(Machine &machine) {
  Executor &executor = *machine.executor;
  uint64_t bytes = executor.plan().info().pageBytes;
  ASSERT_EQ(bytes, Sample::pageSize * sizeof(int32_t) + 32);
  auto staging = machine.device->allocate(2 * bytes, "test", MemoryKind::Staging);
  ASSERT_TRUE(staging.isOk());
  std::span<uint8_t> host(staging->data(), 2 * bytes);
  std::vector<uint8_t> content(bytes), read(bytes);
  std::iota(content.begin(), content.end(), uint8_t(3));
  ASSERT_TRUE(executor.writePage(5, content).isOk());
  ASSERT_TRUE(executor.copyPage(199, 5).isOk());
  ASSERT_TRUE(executor.copyPage(2, 199).isOk());
  ASSERT_TRUE(executor.fillPage(5, 9).isOk());
  ASSERT_TRUE(executor.readPage(2, read).isOk());
  EXPECT_EQ(read, content);
  ASSERT_TRUE(executor.readPage(5, read).isOk());
  EXPECT_EQ(read, std::vector<uint8_t>(bytes, 9));
  ASSERT_TRUE(executor.readPage(4, read).isOk()); // a neighbour
  EXPECT_EQ(read, std::vector<uint8_t>(bytes, 0));

  // Out and in again elsewhere, while pages are still being written in the compute queue.
  ASSERT_TRUE(executor.fillPage(2, 11).isOk());
  ASSERT_TRUE(executor.swapOut(2, host.first(bytes)).isOk());
  ASSERT_TRUE(executor.swapOut(199, host.subspan(bytes)).isOk());
  ASSERT_TRUE(executor.finishSwaps().isOk());
  EXPECT_TRUE(*executor.swapsDone());
  EXPECT_EQ(std::vector<uint8_t>(host.begin(), host.begin() + int64_t(bytes)),
            std::vector<uint8_t>(bytes, 11));
  ASSERT_TRUE(executor.swapIn(7, host.subspan(bytes)).isOk());
  ASSERT_TRUE(executor.readPage(7, read).isOk());
  EXPECT_EQ(read, content);
  ASSERT_TRUE(executor.finishSwaps().isOk());

  EXPECT_EQ(executor.copyPage(kPages, 5).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(executor.copyPage(5, -1).code(), ErrorCode::OutOfRange);
  EXPECT_EQ(executor.readPage(5, std::span(read).first(3)).code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(executor.swapOut(5, host).code(), ErrorCode::InvalidArgument);
}

TEST_F(CudaExecutor, PagesAreCopiedAndSwapped) {
  Machine machine(cudaSamplePlan(), open());
  checkPages(machine);
}

TEST(CpuExecutor, PagesAreCopiedAndSwapped) {
  auto plan = Plan::fromBytes(samplePlan(false).bytes());
  Machine machine(plan.takeValue(), createCpuDevice());
  checkPages(machine);
}

TEST(RoundCount, KeepsSmallCountsAndGrowsByAtMostAnEighth) {
  for (uint64_t count = 0; count <= 100000; count += count < 3000 ? 1 : 97) {
    uint64_t rounded = roundCount(count, 1u << 30);
    ASSERT_GE(rounded, count);
    ASSERT_EQ(roundCount(rounded, 1u << 30), rounded);
    if (count <= 8) {
      ASSERT_EQ(rounded, count);
    }
    ASSERT_LE((rounded - count) * 8, count);
    ASSERT_EQ(roundCount(count, count), count);
  }
}

} // namespace
