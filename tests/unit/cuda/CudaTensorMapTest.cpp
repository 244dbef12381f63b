// Protects tensor maps on their way from a plan to a launch: every field that the driver encodes, the
// extents that come with the launch, the place of maps among the parameters, and what is said when one
// cannot be encoded. Numbers are those of <cuda.h>, not the names that the device uses.
#include "FakeMachine.h"

#include <algorithm>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

/// Rows of `scalar` x 3 heads x 128 columns, in buffer 1, as boxes of 16 x 1 x 64.
TensorMapRecord rowsOfHeads() {
  TensorMapRecord map{};
  map.buffer = 1;
  map.element = ElementType::BF16;
  map.rank = 3;
  map.swizzle = 128;
  map.scalar = 1;
  for (uint32_t i = 0; i < 3; ++i) {
    map.box[i] = std::array{64u, 1u, 16u}[i];
    map.extents[i] = std::array{128u, 3u, 0u}[i];
    map.strides[i] = std::array{2u, 256u, 1024u}[i];
  }
  return map;
}

/// Pages x 16 tokens x 32 columns in buffer 0, as one page each; nobody counts the pages.
TensorMapRecord pages() {
  TensorMapRecord map{};
  map.buffer = 0;
  map.element = ElementType::F32;
  map.rank = 3;
  map.swizzle = 0;
  map.scalar = kNone;
  for (uint32_t i = 0; i < 3; ++i) {
    map.box[i] = std::array{32u, 16u, 1u}[i];
    map.extents[i] = std::array{32u, 16u, 0u}[i];
    map.strides[i] = std::array{4u, 128u, 2048u}[i];
  }
  return map;
}

/// The sample with `maps` of the kernel "store", behind one that "scale" has.
Plan planWithMaps(std::vector<TensorMapRecord> maps, uint32_t flags = 0) {
  PlanWriter writer = samplePlanWithoutCode();
  uint32_t count = static_cast<uint32_t>(maps.size());
  maps.insert(maps.begin(), pages());
  addCudaImage(
      writer, ImageTarget::Sm90a,
      [&](const std::string &name, EntryRecord &entry) {
        if (name == "scale")
          entry.tensorMapCount = 1;
        if (name != "store")
          return;
        entry.firstTensorMap = 1;
        entry.tensorMapCount = count;
        entry.flags = flags;
      },
      maps);
  auto plan = Plan::fromBytes(writer.bytes());
  EXPECT_TRUE(plan.isOk()) << plan.status().message();
  return plan.takeValue();
}

class CudaTensorMaps : public CudaTest {
protected:
  void open(const Plan &plan) {
    auto device = CudaTest::open();
    ASSERT_TRUE(device.isOk());
    device_ = device.takeValue();
    auto image = device_->loadImage(plan);
    ASSERT_TRUE(image.isOk()) << image.status().message();
    image_ = image.takeValue();
    auto memory = device_->allocate(4096, "test");
    ASSERT_TRUE(memory.isOk());
    memory_ = memory.takeValue();
    fake().tensorMaps["store"] = 2;
  }
  /// Launches "store", which copies scalars[0] x scalars[1] floats.
  Status launch(int64_t rows, int64_t items, uint64_t secondBuffer = 2048) {
    void *buffers[] = {memory_.data(), memory_.data() + secondBuffer};
    const int64_t scalars[] = {1, rows, 1};
    return device_->launch(*image_, uint32_t(TestKernel::Store), buffers, scalars, items);
  }
  void TearDown() override {
    memory_ = {};
    image_.reset();
    device_.reset();
    CudaTest::TearDown();
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<DeviceImage> image_;
  DeviceBuffer memory_;
};

TEST_F(CudaTensorMaps, EveryFieldReachesTheKernel) {
  Plan plan = planWithMaps({rowsOfHeads(), pages()});
  open(plan);
  ASSERT_TRUE(launch(37, 37).isOk());
  ASSERT_TRUE(launch(5, 5).isOk()); // before the first one runs: each launch has its own maps
  ASSERT_TRUE(device_->synchronize().isOk());
  ASSERT_EQ(fake().launches.size(), 2u);
  const FakeLaunch &first = fake().launches[0];
  auto address = reinterpret_cast<uint64_t>(memory_.data());
  EXPECT_EQ(first.parameters, (std::vector<uint64_t>{address, address + 2048, 1, 37, 1, 37}));
  ASSERT_EQ(first.tensorMaps.size(), 2u);

  const FakeTensorMap &rows = first.tensorMaps[0];
  EXPECT_EQ(rows.dataType, 9); // CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
  EXPECT_EQ(rows.address, address + 2048);
  EXPECT_EQ(rows.extents, (std::vector<uint64_t>{128, 3, 37}));
  EXPECT_EQ(rows.outerStrides, (std::vector<uint64_t>{256, 1024}));
  EXPECT_EQ(rows.box, (std::vector<uint32_t>{64, 1, 16}));
  EXPECT_EQ(rows.elementStrides, (std::vector<uint32_t>{1, 1, 1}));
  EXPECT_EQ(rows.interleave, 0);
  EXPECT_EQ(rows.swizzle, 3);     // CU_TENSOR_MAP_SWIZZLE_128B
  EXPECT_EQ(rows.l2Promotion, 3); // CU_TENSOR_MAP_L2_PROMOTION_L2_256B
  EXPECT_EQ(rows.oobFill, 0);     // zeros

  const FakeTensorMap &pool = first.tensorMaps[1];
  EXPECT_EQ(pool.dataType, 7); // CU_TENSOR_MAP_DATA_TYPE_FLOAT32
  EXPECT_EQ(pool.address, address);
  EXPECT_EQ(pool.extents, (std::vector<uint64_t>{32, 16, 1ull << 31}));
  EXPECT_EQ(pool.outerStrides, (std::vector<uint64_t>{128, 2048}));
  EXPECT_EQ(pool.box, (std::vector<uint32_t>{32, 16, 1}));
  EXPECT_EQ(pool.swizzle, 0);
  EXPECT_EQ(pool.l2Promotion, 2); // CU_TENSOR_MAP_L2_PROMOTION_L2_128B: its box takes whole rows

  EXPECT_EQ(fake().launches[1].tensorMaps[0].extents, (std::vector<uint64_t>{128, 3, 5}));
}

TEST_F(CudaTensorMaps, TypesAndSwizzlesHaveTheDriversNumbers) {
  const std::pair<ElementType, int> types[] = {{ElementType::F32, 7},  {ElementType::F16, 6},
                                               {ElementType::BF16, 9}, {ElementType::I32, 3},
                                               {ElementType::I64, 5},  {ElementType::U8, 0}};
  const std::pair<uint32_t, int> swizzles[] = {{0, 0}, {32, 1}, {64, 2}, {128, 3}};
  for (auto [element, type] : types)
    for (auto [bytes, number] : swizzles) {
      TensorMapRecord map = rowsOfHeads();
      map.element = element;
      map.swizzle = bytes;
      map.strides[0] = elementBytes(element);
      map.box[0] = 32 / static_cast<uint32_t>(elementBytes(element));
      Plan plan = planWithMaps({map, map});
      open(plan);
      fake().launches.clear();
      ASSERT_TRUE(launch(1, 1).isOk());
      ASSERT_TRUE(device_->synchronize().isOk());
      EXPECT_EQ(fake().launches.at(0).tensorMaps[0].dataType, type);
      EXPECT_EQ(fake().launches.at(0).tensorMaps[0].swizzle, number);
      memory_ = {};
      image_.reset();
      device_.reset();
    }
}

TEST_F(CudaTensorMaps, NothingIsEncodedForALaunchWithoutItems) {
  Plan plan = planWithMaps({rowsOfHeads(), pages()});
  open(plan);
  fake().failures["cuTensorMapEncodeTiled"] = {1, 0};
  EXPECT_TRUE(launch(0, 0).isOk());
  EXPECT_EQ(fake().failures.count("cuTensorMapEncodeTiled"), 1u); // not called
}

TEST_F(CudaTensorMaps, ErrorsNameKernelMapAndValue) {
  Plan plan = planWithMaps({pages(), rowsOfHeads()});
  open(plan);
  auto expect = [](const Status &status, ErrorCode code, std::initializer_list<const char *> parts) {
    ASSERT_FALSE(status.isOk());
    EXPECT_EQ(status.code(), code) << status.message();
    for (const char *part : parts)
      EXPECT_NE(status.message().find(part), std::string::npos) << part << ": " << status.message();
  };
  expect(launch(0, 1), ErrorCode::OutOfRange,
         {"tensor map 1 of kernel 'store'", "scalar 1, is 0", "legal is 1 to 4294967296"});
  expect(launch(-3, 1), ErrorCode::OutOfRange, {"scalar 1, is -3"});
  expect(launch((1ll << 32) + 1, 1), ErrorCode::OutOfRange, {"is 4294967297"});
  expect(launch(4, 1, 2056), ErrorCode::Internal, // not a multiple of 16
         {"tensor map 1 of kernel 'store' (buffer 1 at 0x", "outermost extent 4)",
          "cuTensorMapEncodeTiled fails with"});
  fake().failures["cuTensorMapEncodeTiled"] = {1, 0};
  expect(launch(4, 1), ErrorCode::Internal, {"tensor map 0 of kernel 'store' (buffer 0"});
  ASSERT_TRUE(device_->synchronize().isOk());
  EXPECT_TRUE(fake().launches.empty());
}

TEST_F(CudaTensorMaps, RecordedLaunchesKeepTheirMaps) {
  Plan plan = planWithMaps({rowsOfHeads(), pages()});
  open(plan);
  ASSERT_TRUE(device_->beginRecording().isOk());
  ASSERT_TRUE(launch(9, 9).isOk());
  auto graph = device_->endRecording();
  ASSERT_TRUE(graph.isOk());
  ASSERT_TRUE(launch(2, 2).isOk());
  ASSERT_TRUE(device_->replay(**graph).isOk());
  ASSERT_TRUE(device_->synchronize().isOk());
  ASSERT_EQ(fake().launches.size(), 2u);
  EXPECT_EQ(fake().launches[0].tensorMaps[0].extents.back(), 2u);
  EXPECT_EQ(fake().launches[1].tensorMaps[0].extents.back(), 9u);
}

/// The fake has 7 multiprocessors, each with room for 2048 / 128 = 16 blocks of "store".
TEST_F(CudaTensorMaps, PersistentKernelsFillTheDeviceWithWholeClusters) {
  struct Case {
    uint32_t cluster;
    int64_t items;
    unsigned grid;
  };
  for (const Case &each : {Case{0, 200, 112}, Case{0, 112, 112}, Case{0, 7, 7}, Case{2, 200, 112},
                           Case{3, 201, 111}, Case{5, 110, 110}, Case{5, 1000, 110}}) {
    Plan plan = planWithMaps({rowsOfHeads(), pages()},
                             kEntryPersistent | each.cluster << kEntryClusterShift);
    open(plan);
    fake().launches.clear();
    ASSERT_TRUE(launch(1, each.items).isOk());
    ASSERT_TRUE(device_->synchronize().isOk());
    EXPECT_EQ(fake().launches.at(0).grid, each.grid) << each.cluster << ", " << each.items;
    EXPECT_EQ(fake().launches.at(0).parameters.back(), uint64_t(each.items));
    memory_ = {};
    image_.reset();
    device_.reset();
  }
}

} // namespace
