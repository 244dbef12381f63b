// Protects the CUDA device on a real GPU and driver: memory, copies, both queues, the sample plan with
// kernels compiled on the spot against its oracle, recorded and not, and pages. Skipped without a GPU;
// the same behaviour is tested against a driver made of host memory in tests/unit/cuda.
#include "SampleWorld.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "tests/unit/cuda/SampleKernels.h"

#include <chrono>
#include <cstdio>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

class Gpu : public testing::Test {
protected:
  void SetUp() override {
    CudaDeviceOptions options;
    options.nvrtc = NvrtcSearch::fromEnvironment();
    auto opened = createCudaDevice(options);
    if (!opened.isOk() && opened.status().code() == ErrorCode::NotFound)
      GTEST_SKIP() << opened.status().message();
    ASSERT_TRUE(opened.isOk()) << opened.status().message();
    device = opened.takeValue();
  }

  /// The sample plan with texts; its only image is for a GPU that nobody has here, so that the texts
  /// are compiled.
  void makeExecutor(bool record) {
    PlanWriter writer = samplePlanWithoutCode();
    const uint8_t code[64] = {};
    std::vector<EntryRecord> entries;
    for (const char *name : kTestKernelNames)
      entries.push_back({0, 64, writer.string(name), 64, 0, 32, 0, 0, 0});
    writer.addImage(device->properties().target.starts_with("sm_8") ? ImageTarget::Sm90a
                                                                      : ImageTarget::Sm80,
                    code, entries);
    addSampleTexts(writer);
    auto read = Plan::fromBytes(writer.bytes());
    ASSERT_TRUE(read.isOk()) << read.status().message();
    plan = std::make_unique<Plan>(read.takeValue());
    WeightOptions weightOptions;
    weightOptions.device = device.get();
    auto loaded = WeightStore::load(*plan, weightOptions);
    ASSERT_TRUE(loaded.isOk()) << loaded.status().message();
    weights = loaded.takeValue();
    ExecutorOptions options{kPages, 0, 0, 0};
    options.record = record;
    auto created = Executor::create(*plan, *device, *weights, options);
    if (!created.isOk() && created.status().message().find("NVRTC") != std::string::npos)
      GTEST_SKIP() << created.status().message();
    ASSERT_TRUE(created.isOk()) << created.status().message();
    executor = created.takeValue();
  }

  // In the order of their dependence.
  std::unique_ptr<Device> device;
  std::unique_ptr<Plan> plan;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
};

TEST_F(Gpu, HasProperties) {
  DeviceProperties properties = device->properties();
  std::printf("%s, %s, %u multiprocessors, %.1f of %.1f GB free\n", properties.name.c_str(),
              properties.target.c_str(), properties.units, double(properties.freeBytes) / 1e9,
              double(properties.memoryBytes) / 1e9);
  EXPECT_GT(properties.units, 0u);
  EXPECT_GT(properties.freeBytes, 0u);
  EXPECT_LE(properties.freeBytes, properties.memoryBytes);
}

TEST_F(Gpu, MemoryIsZeroAndCopiesGoAllWays) {
  Random random;
  constexpr uint64_t kBytes = 10'000'001;
  auto memory = device->allocate(kBytes, "test"), other = device->allocate(kBytes, "test");
  auto pinned = device->allocate(kBytes, "test", MemoryKind::Staging);
  ASSERT_TRUE(memory.isOk() && other.isOk() && pinned.isOk());
  std::vector<uint8_t> plain(kBytes, 1);
  ASSERT_TRUE(device->copy(plain.data(), memory->data(), kBytes).isOk());
  ASSERT_TRUE(device->synchronize().isOk());
  EXPECT_EQ(plain, std::vector<uint8_t>(kBytes, 0));
  for (uint64_t i = 0; i < kBytes; ++i)
    pinned->data()[i] = uint8_t(random.integer(0, 255));
  std::vector<uint8_t> expected(pinned->data(), pinned->data() + kBytes);
  ASSERT_TRUE(device->copy(memory->data(), pinned->data(), kBytes).isOk());
  ASSERT_TRUE(device->order(Queue::Compute, Queue::Transfer).isOk());
  ASSERT_TRUE(device->copy(other->data(), memory->data(), kBytes, Queue::Transfer).isOk());
  ASSERT_TRUE(device->copy(plain.data(), other->data(), kBytes, Queue::Transfer).isOk());
  ASSERT_TRUE(device->synchronize(Queue::Transfer).isOk());
  EXPECT_TRUE(*device->isIdle(Queue::Compute));
  EXPECT_EQ(plain, expected);
  ASSERT_TRUE(device->fill(memory->data(), 0xab, kBytes).isOk());
  ASSERT_TRUE(device->copy(plain.data(), memory->data(), kBytes).isOk());
  ASSERT_TRUE(device->synchronize().isOk());
  EXPECT_EQ(plain, std::vector<uint8_t>(kBytes, 0xab));
}

TEST_F(Gpu, TooMuchMemoryIsRefusedWithFigures) {
  auto memory = device->allocate(device->properties().memoryBytes + (1u << 30), "the weights");
  ASSERT_FALSE(memory.isOk());
  EXPECT_EQ(memory.status().code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(memory.status().message().find("are free of"), std::string::npos);
  EXPECT_TRUE(device->allocate(1 << 20, "test").isOk()); // and the device goes on
}

TEST_F(Gpu, RandomRaggedStepsEqualTheOracle) {
  Random random;
  for (bool record : {true, false}) {
    makeExecutor(record);
    if (!executor)
      return;
    for (uint32_t page = 0; page < kPages; ++page)
      ASSERT_TRUE(executor->fillPage(int32_t(page), 0x7e).isOk());
    World world(random);
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) {
      Step step = world.step(i % 60 > 10);
      Status status = executor->run(step.batch());
      ASSERT_TRUE(status.isOk()) << status.message();
      world.check(*executor, step);
      if (HasFatalFailure())
        return;
    }
    std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    std::printf("%s: %llu of 1000 steps replayed, %.1f us a step with its check\n",
                record ? "recorded" : "launched",
                static_cast<unsigned long long>(executor->replayedSteps()), time.count() / 1000);
    EXPECT_EQ(executor->replayedSteps() > 0, record);
    executor.reset();
  }
}

TEST_F(Gpu, PagesAreCopiedAndSwapped) {
  makeExecutor(true);
  if (!executor)
    return;
  uint64_t bytes = executor->plan().info().pageBytes;
  auto staging = device->allocate(bytes, "test", MemoryKind::Staging);
  std::vector<uint8_t> content(bytes), read(bytes);
  std::iota(content.begin(), content.end(), uint8_t(3));
  ASSERT_TRUE(executor->writePage(5, content).isOk());
  ASSERT_TRUE(executor->copyPage(199, 5).isOk());
  ASSERT_TRUE(executor->swapOut(199, {staging->data(), bytes}).isOk());
  ASSERT_TRUE(executor->finishSwaps().isOk());
  ASSERT_TRUE(executor->swapIn(8, {staging->data(), bytes}).isOk());
  ASSERT_TRUE(executor->readPage(8, read).isOk());
  EXPECT_EQ(read, content);
  ASSERT_TRUE(executor->readPage(9, read).isOk());
  EXPECT_EQ(read, std::vector<uint8_t>(bytes, 0));
}

} // namespace
