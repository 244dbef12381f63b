// Protects the CUDA device against the fake driver: what is launched and copied, in which order, and
// that everything that can go wrong is said with the name of the thing and the way out.
#include "FakeMachine.h"
#include "SampleKernels.h"
#include "tests/support/TemporaryFolder.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <tuple>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

using Cuda = CudaTest;

void expectError(const Status &status, ErrorCode code, std::initializer_list<const char *> parts) {
  ASSERT_FALSE(status.isOk());
  EXPECT_EQ(status.code(), code) << status.message();
  for (const char *part : parts)
    EXPECT_NE(status.message().find(part), std::string::npos)
        << "'" << part << "' is not in: " << status.message();
}

TEST(CudaDriver, MissingLibraryIsNamedWithAWayOut) {
  CudaDeviceOptions options;
  options.driverLibrary = "/nowhere/libcuda.so.1";
  expectError(createCudaDevice(options).status(), ErrorCode::NotFound,
              {"no CUDA driver", "/nowhere/libcuda.so.1", "install", "--device cpu"});
  EXPECT_EQ(queryCudaSystem("/nowhere/libcuda.so.1").status().code(), ErrorCode::NotFound);
}

TEST(CudaDriver, ALibraryWithoutTheApiIsTooOld) {
  CudaDeviceOptions options;
  options.driverLibrary = "libm.so.6";
  expectError(createCudaDevice(options).status(), ErrorCode::Unsupported,
              {"older than CUDA 12.0", "libm.so.6"});
}

TEST_F(Cuda, StubLibraryIsNoDriver) {
  fake().stub = true;
  expectError(open().status(), ErrorCode::Unsupported, {"only the stub"});
}

TEST_F(Cuda, StartFailureCarriesTheDriversWords) {
  fake().failures["cuInit"] = {999, 0};
  expectError(open().status(), ErrorCode::Internal, {"cuInit fails with", "the driver's words"});
}

TEST_F(Cuda, NoGpuAndWrongOrdinal) {
  fake().gpus = 0;
  expectError(open().status(), ErrorCode::NotFound, {"finds no GPU", "CUDA_VISIBLE_DEVICES"});
  fake().gpus = 2;
  CudaDeviceOptions third = options();
  third.ordinal = 2;
  expectError(createCudaDevice(third).status(), ErrorCode::NotFound,
              {"no GPU 2", "GPUs 0 to 1"});
}

TEST_F(Cuda, OpeningHalfWayGivesEverythingBack) {
  for (const char *call : {"cuDevicePrimaryCtxRetain", "cuStreamCreate"})
    for (int after : {0, 1}) {
      fake().failures = {{call, {999, after}}};
      auto device = open();
      if (device.isOk())
        continue; // there is only one such call
      expectError(device.status(), ErrorCode::Internal, {"cannot be used", call});
      EXPECT_EQ(fake().alive(), 0);
    }
}

TEST_F(Cuda, PropertiesAndSystem) {
  auto device = open();
  ASSERT_TRUE(device.isOk()) << device.status().message();
  DeviceProperties properties = (*device)->properties();
  EXPECT_EQ(properties.name, "Fake GPU 0");
  EXPECT_EQ(properties.target, "sm_90");
  EXPECT_EQ(properties.units, 7u);
  EXPECT_EQ(properties.memoryBytes, 1u << 30);
  EXPECT_EQ(properties.freeBytes, 1u << 30);
  EXPECT_FALSE((*device)->sharesHostMemory());
  auto system = queryCudaSystem(QUIRE_FAKE_CUDA);
  ASSERT_TRUE(system.isOk());
  EXPECT_EQ(system->version, "13.0");
  ASSERT_EQ(system->gpus.size(), 1u);
  EXPECT_EQ(system->gpus[0].major, 9);
}

TEST_F(Cuda, MemoryIsZeroAndCopiesGoAllWays) {
  auto device = open();
  ASSERT_TRUE(device.isOk());
  Device &gpu = **device;
  constexpr uint64_t kBytes = 1000;
  auto memory = gpu.allocate(kBytes, "test"), other = gpu.allocate(kBytes, "test");
  auto pinned = gpu.allocate(kBytes, "test", MemoryKind::Staging);
  ASSERT_TRUE(memory.isOk() && other.isOk() && pinned.isOk());
  std::vector<uint8_t> plain(kBytes, 1);
  ASSERT_TRUE(gpu.copy(plain.data(), memory->data(), kBytes).isOk());
  ASSERT_TRUE(gpu.synchronize().isOk());
  EXPECT_EQ(plain, std::vector<uint8_t>(kBytes, 0));

  std::iota(pinned->data(), pinned->data() + kBytes, uint8_t(0));
  ASSERT_TRUE(gpu.copy(memory->data(), pinned->data(), kBytes).isOk());
  ASSERT_TRUE(gpu.copy(other->data() + 1, memory->data(), kBytes - 1).isOk());
  ASSERT_TRUE(gpu.fill(other->data(), 77, 1).isOk());
  ASSERT_TRUE(gpu.copy(plain.data(), other->data(), kBytes).isOk());
  ASSERT_TRUE(gpu.synchronize().isOk());
  EXPECT_EQ(plain[0], 77);
  for (uint64_t i = 1; i < kBytes; ++i)
    ASSERT_EQ(plain[i], uint8_t(i - 1));
}

TEST_F(Cuda, OrderHoldsBetweenQueues) {
  auto device = open();
  ASSERT_TRUE(device.isOk());
  Device &gpu = **device;
  auto memory = gpu.allocate(8, "test");
  auto pinned = gpu.allocate(8, "test", MemoryKind::Staging);
  pinned->data()[0] = 5;
  ASSERT_TRUE(gpu.copy(memory->data(), pinned->data(), 8, Queue::Compute).isOk());
  ASSERT_TRUE(gpu.order(Queue::Compute, Queue::Transfer).isOk());
  auto back = gpu.allocate(8, "test", MemoryKind::Staging);
  ASSERT_TRUE(gpu.copy(back->data(), memory->data(), 8, Queue::Transfer).isOk());
  EXPECT_FALSE(*gpu.isIdle(Queue::Transfer));
  ASSERT_TRUE(gpu.synchronize(Queue::Transfer).isOk()); // the compute queue was never waited for
  EXPECT_EQ(back->data()[0], 5);
  EXPECT_TRUE(*gpu.isIdle(Queue::Transfer));
}

TEST_F(Cuda, TheClockIsTheGpusAndCountsWhatLiesBetween) {
  auto device = open();
  ASSERT_TRUE(device.isOk());
  Device &gpu = **device;
  auto memory = gpu.allocate(64, "test");
  auto timeOf = [&](int fills) {
    EXPECT_TRUE(gpu.fill(memory->data(), 1, 64).isOk()); // before: not counted
    EXPECT_TRUE(gpu.beginTiming().isOk());
    for (int i = 0; i < fills; ++i)
      EXPECT_TRUE(gpu.fill(memory->data(), 2, 64).isOk());
    auto nanoseconds = gpu.endTiming();
    return nanoseconds.isOk() ? *nanoseconds : UINT64_MAX;
  };
  EXPECT_EQ(timeOf(1), 500'000u); // half a millisecond for each
  EXPECT_EQ(timeOf(6), 3'000'000u);
  fake().failures["cuEventElapsedTime"] = {700, 0};
  ASSERT_TRUE(gpu.beginTiming().isOk());
  EXPECT_FALSE(gpu.endTiming().isOk());
}

TEST_F(Cuda, OutOfMemoryNamesThePurposeAndTheFigures) {
  auto device = open();
  ASSERT_TRUE(device.isOk());
  expectError((*device)->allocate(2'000'000'000, "the weights").status(),
              ErrorCode::ResourceExhausted,
              {"not enough GPU memory for the weights", "2.00 GB are needed", "1.07 GB are free",
               "Fake GPU 0"});
  fake().failures["cuMemHostAlloc"] = {2, 0};
  expectError((*device)->allocate(100, "loading", MemoryKind::Staging).status(),
              ErrorCode::ResourceExhausted, {"pinned host memory", "loading"});
}

TEST_F(Cuda, ImageFollowsTheComputeCapability) {
  struct Case {
    int major, minor;
    std::vector<ImageTarget> images;
    int threads; ///< of the image that must be taken; 0: none fits
  };
  const Case cases[] = {{9, 0, {ImageTarget::Sm80, ImageTarget::Sm90a}, 900},
                        {8, 0, {ImageTarget::Sm80, ImageTarget::Sm90a}, 800},
                        {8, 9, {ImageTarget::Sm90a, ImageTarget::Sm80}, 800},
                        {9, 0, {ImageTarget::Sm80}, 0},
                        {7, 5, {ImageTarget::Sm80, ImageTarget::Sm90a}, 0},
                        {10, 0, {ImageTarget::Sm80, ImageTarget::Sm90a}, 0}};
  for (const Case &each : cases) {
    fake().major = each.major;
    fake().minor = each.minor;
    fake().launches.clear();
    PlanWriter writer = samplePlanWithoutCode();
    for (ImageTarget target : each.images)
      addCudaImage(writer, target, [&](const std::string &, EntryRecord &entry) {
        entry.threads = target == ImageTarget::Sm80 ? 800 : 900;
      });
    auto plan = Plan::fromBytes(writer.bytes());
    ASSERT_TRUE(plan.isOk()) << plan.status().message();
    auto device = open();
    ASSERT_TRUE(device.isOk());
    auto image = (*device)->loadImage(*plan);
    if (each.threads == 0) {
      std::string capability =
          std::to_string(each.major) + "." + std::to_string(each.minor);
      expectError(image.status(), ErrorCode::Unsupported,
                  {"sm_80", "Fake GPU 0", capability.c_str(), "--target=cuda"});
      continue;
    }
    ASSERT_TRUE(image.isOk()) << image.status().message();
    auto memory = (*device)->allocate(64, "test");
    void *buffers[] = {memory->data(), memory->data()};
    const int64_t scalars[] = {1, 1, 1};
    ASSERT_TRUE((*device)->launch(**image, uint32_t(TestKernel::Store), buffers, scalars, 1).isOk());
    ASSERT_TRUE((*device)->synchronize().isOk());
    EXPECT_EQ(fake().launches.at(0).block, unsigned(each.threads));
  }
}

TEST_F(Cuda, APlanForTheCpuIsRefusedAndSaysSo) {
  auto plan = Plan::fromBytes(samplePlan(false).bytes());
  auto device = open();
  expectError((*device)->loadImage(*plan).status(), ErrorCode::Unsupported,
              {"has code for x86-64-v3", "--target=cuda"});
}

/// A GPU that no image is for gets the texts of the plan, compiled on the spot.
TEST_F(Cuda, TextsAreCompiledForAGpuWithoutAnImage) {
  CudaDeviceOptions compiling = options();
  compiling.nvrtc = NvrtcSearch::fromEnvironment();
  if (!Nvrtc::load(compiling.nvrtc).isOk())
    GTEST_SKIP() << "needs NVRTC";
  TemporaryFolder folder;
  compiling.kernelCache = folder.file("kernels");
  PlanWriter writer = samplePlanWithoutCode();
  addCudaImage(writer, ImageTarget::Sm80,
               [](const std::string &, EntryRecord &entry) { entry.threads = 96; });
  addSampleTexts(writer);
  auto plan = Plan::fromBytes(writer.bytes());
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  auto device = createCudaDevice(compiling); // compute capability 9.0
  ASSERT_TRUE(device.isOk());
  auto image = (*device)->loadImage(*plan);
  ASSERT_TRUE(image.isOk()) << image.status().message();
  EXPECT_FALSE(std::filesystem::is_empty(compiling.kernelCache));
  auto memory = (*device)->allocate(64, "test");
  void *buffers[] = {memory->data(), memory->data()};
  const int64_t scalars[] = {1, 1, 1};
  ASSERT_TRUE((*device)->launch(**image, uint32_t(TestKernel::Store), buffers, scalars, 1).isOk());
  ASSERT_TRUE((*device)->synchronize().isOk());
  EXPECT_EQ(fake().launches.at(0).block, 96u);

  // A text that does not compile names its kernel; so does one that is missing.
  for (auto [name, text, message] :
       {std::tuple("cuda.append", "int broken(", "append"), std::tuple("cuda.other", "", "'append'")}) {
    PlanWriter broken = samplePlanWithoutCode();
    addCudaImage(broken, ImageTarget::Sm80);
    broken.addText(name, text);
    for (size_t i = 1; i < kSampleTexts.size(); ++i)
      broken.addText(std::string("cuda.") + kTestKernelNames[i], "");
    auto brokenPlan = Plan::fromBytes(broken.bytes());
    Status status = (*device)->loadImage(*brokenPlan).status();
    ASSERT_FALSE(status.isOk());
    EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
  }
}

TEST_F(Cuda, WithoutNvrtcTheMessageSaysWhatIsMissing) {
  CudaDeviceOptions missing = options();
  missing.nvrtc.file = "/nowhere/libnvrtc.so";
  PlanWriter writer = samplePlanWithoutCode();
  addCudaImage(writer, ImageTarget::Sm80);
  addSampleTexts(writer);
  auto plan = Plan::fromBytes(writer.bytes());
  auto device = createCudaDevice(missing);
  expectError((*device)->loadImage(*plan).status(), ErrorCode::Unsupported,
              {"has code for sm_80", "compute capability 9.0", "/nowhere/libnvrtc.so"});
}

TEST_F(Cuda, LoadingErrorsNameTheKernel) {
  Plan plan = cudaSamplePlan();
  auto device = open();
  fake().failures["cuModuleLoadData"] = {209, 2};
  expectError((*device)->loadImage(plan).status(), ErrorCode::Internal,
              {"kernel 'partial' cannot be loaded on Fake GPU 0", "cuModuleLoadData",
               "CUDA_ERROR_NO_BINARY_FOR_GPU", "newer driver"});
  fake().failures["cuModuleGetFunction"] = {500, 0};
  expectError((*device)->loadImage(plan).status(), ErrorCode::Internal,
              {"kernel 'append'", "symbol 'append'", "cuModuleGetFunction"});

  PlanWriter large = samplePlanWithoutCode();
  addCudaImage(large, ImageTarget::Sm90a, [](const std::string &name, EntryRecord &entry) {
    entry.sharedBytes = name == "sum" ? 228 << 10 : 0;
  });
  auto largePlan = Plan::fromBytes(large.bytes());
  expectError((*device)->loadImage(*largePlan).status(), ErrorCode::Unsupported,
              {"kernel 'sum'", "233472 bytes of shared memory", "a block has 232448"});

  PlanWriter cut = samplePlanWithoutCode();
  addCudaImage(cut, ImageTarget::Sm90a, [](const std::string &name, EntryRecord &entry) {
    if (name == "gather")
      entry.codeBytes = 40; // less than an ELF header
  });
  auto cutPlan = Plan::fromBytes(cut.bytes());
  expectError((*device)->loadImage(*cutPlan).status(), ErrorCode::Corrupt,
              {"kernel 'gather'", "no cubin"});
}

TEST_F(Cuda, LaunchHasGridBlockSharedAndArgumentsInOrder) {
  PlanWriter writer = samplePlanWithoutCode();
  addCudaImage(writer, ImageTarget::Sm90a, [](const std::string &name, EntryRecord &entry) {
    entry.threads = 256;
    if (name == "scale")
      entry.sharedBytes = 100 << 10;
    if (name == "store")
      entry.flags = kEntryPersistent | kEntryProgrammaticLaunch | 4u << kEntryClusterShift;
  });
  auto plan = Plan::fromBytes(writer.bytes());
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  auto device = open();
  auto image = (*device)->loadImage(*plan);
  ASSERT_TRUE(image.isOk()) << image.status().message();
  EXPECT_EQ(fake().sharedLimits,
            (std::vector<std::pair<std::string, int>>{{"scale", 100 << 10}}));

  auto memory = (*device)->allocate(4096, "test");
  void *buffers[] = {memory->data(), memory->data() + 1024, memory->data() + 2048};
  const int64_t scalars[] = {5, 8, -3};
  ASSERT_TRUE((*device)->launch(**image, uint32_t(TestKernel::Scale), buffers, scalars, 6).isOk());
  ASSERT_TRUE(
      (*device)->launch(**image, uint32_t(TestKernel::Store), {buffers, 2}, scalars, 100).isOk());
  ASSERT_TRUE((*device)->launch(**image, uint32_t(TestKernel::Store), {buffers, 2}, scalars, 0).isOk());
  EXPECT_TRUE(fake().launches.empty()); // a launch does not wait
  ASSERT_TRUE((*device)->synchronize().isOk());
  ASSERT_EQ(fake().launches.size(), 2u);
  const FakeLaunch &scale = fake().launches[0], &store = fake().launches[1];
  EXPECT_EQ(scale.kernel, "scale");
  EXPECT_EQ(scale.grid, 6u);
  EXPECT_EQ(scale.block, 256u);
  EXPECT_EQ(scale.sharedBytes, 100u << 10);
  EXPECT_EQ(scale.cluster, 0u);
  EXPECT_FALSE(scale.startsEarly);
  auto number = [](void *pointer) { return reinterpret_cast<uint64_t>(pointer); };
  EXPECT_EQ(scale.parameters, (std::vector<uint64_t>{number(buffers[0]), number(buffers[1]),
                                                     number(buffers[2]), 5, 8, uint64_t(-3), 6}));
  EXPECT_EQ(store.grid, 7u * (2048 / 256)); // as many blocks as the multiprocessors hold
  EXPECT_EQ(store.cluster, 4u);
  EXPECT_TRUE(store.startsEarly);
  EXPECT_EQ(store.parameters.back(), 100u);
}

TEST_F(Cuda, FailuresOfLaunchesNameTheKernel) {
  Plan plan = cudaSamplePlan();
  auto device = open();
  auto image = (*device)->loadImage(plan);
  ASSERT_TRUE(image.isOk());
  auto memory = (*device)->allocate(64, "test");
  void *buffers[] = {memory->data(), memory->data()};
  const int64_t scalars[] = {1, 1, 1};
  auto launch = [&] {
    return (*device)->launch(**image, uint32_t(TestKernel::Store), buffers, scalars, 3);
  };
  fake().failures["cuLaunchKernelEx"] = {701, 0};
  expectError(launch(), ErrorCode::Internal, {"kernel 'store' (3 blocks of 128 threads", "cuLaunchKernelEx"});
  // A kernel that fails while it runs is found when somebody waits, and at every call after it.
  fake().brokenKernel = "store";
  ASSERT_TRUE(launch().isOk());
  ASSERT_TRUE(launch().isOk());
  expectError((*device)->synchronize(), ErrorCode::Internal,
              {"one of the last 2 kernels on Fake GPU 0", "the last is 'store'",
               "CUDA_LAUNCH_BLOCKING=1", "CUDA_ERROR_ILLEGAL_ADDRESS"});
  expectError(launch(), ErrorCode::Internal, {"'store'", "CUDA_ERROR_ILLEGAL_ADDRESS"});
}

TEST_F(Cuda, AGpuThatNeverFinishesIsAnErrorNotAHang) {
  Plan plan = cudaSamplePlan();
  CudaDeviceOptions impatient = options();
  impatient.patienceSeconds = 1;
  auto device = createCudaDevice(impatient);
  auto image = (*device)->loadImage(plan);
  auto memory = (*device)->allocate(64, "test");
  void *buffers[] = {memory->data(), memory->data()};
  const int64_t scalars[] = {1, 1, 1};
  ASSERT_TRUE((*device)->launch(**image, uint32_t(TestKernel::Store), buffers, scalars, 1).isOk());
  fake().neverFinishes = true;
  expectError((*device)->synchronize(), ErrorCode::Internal,
              {"'store'", "did not end within 1 seconds", "nvidia-smi"});
  fake().neverFinishes = false;
}

TEST_F(Cuda, RecordedLaunchesRunWhenReplayed) {
  Plan plan = cudaSamplePlan();
  auto device = open();
  auto image = (*device)->loadImage(plan);
  auto memory = (*device)->allocate(64, "test");
  void *buffers[] = {memory->data(), memory->data()};
  const int64_t scalars[] = {1, 1, 1};
  ASSERT_TRUE((*device)->canRecord());
  ASSERT_TRUE((*device)->beginRecording().isOk());
  ASSERT_TRUE((*device)->launch(**image, uint32_t(TestKernel::Store), buffers, scalars, 1).isOk());
  auto graph = (*device)->endRecording();
  ASSERT_TRUE(graph.isOk()) << graph.status().message();
  ASSERT_TRUE((*device)->synchronize().isOk());
  EXPECT_TRUE(fake().launches.empty());
  ASSERT_TRUE((*device)->replay(**graph).isOk());
  ASSERT_TRUE((*device)->replay(**graph).isOk());
  ASSERT_TRUE((*device)->synchronize().isOk());
  EXPECT_EQ(fake().launches.size(), 2u);
  fake().failures["cuGraphLaunch"] = {719, 0};
  expectError((*device)->replay(**graph), ErrorCode::Internal, {"a recording of 1 launches"});
}

} // namespace
