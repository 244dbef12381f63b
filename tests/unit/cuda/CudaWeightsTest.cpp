// Protects the upload of weights: whatever the layouts, sources and chunk sizes, the device holds the
// same bytes as the host's own store, padding included, and two pinned buffers suffice.
#include "FakeMachine.h"
#include "Random.h"
#include "SafetensorsFile.h"
#include "runtime/plan/Writer.h"
#include "runtime/weights/Safetensors.h"
#include "runtime/weights/WeightStore.h"
#include "tests/support/TemporaryFolder.h"

#include <filesystem>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

constexpr uint64_t kFileBytes = 300'000;

/// A plan of random weights from one file and from the plan itself.
Plan randomPlan(Random &random, TemporaryFolder &folder) {
  std::vector<uint8_t> data(kFileBytes);
  for (uint8_t &byte : data)
    byte = static_cast<uint8_t>(random.integer(1, 255)); // so that missing bytes show
  std::string json = R"({"t":{"dtype":"U8","shape":[)" + std::to_string(kFileBytes) +
                     R"(],"data_offsets":[0,)" + std::to_string(kFileBytes) + "]}}";
  std::string path = folder.write("model.safetensors", safetensorsFile(json, data));
  auto file = File::open(path);

  PlanWriter writer;
  writer.info.modelName = writer.string("weights");
  writer.info.modelDirectory = writer.string(folder.path());
  writer.info.maxTokens = writer.info.rowPadding = 1;
  writer.info.registerCount = static_cast<uint32_t>(InputRegister::Count);
  writer.add(FileRecord{writer.string("model.safetensors"), file->bytes(),
                        *safetensorsHeaderChecksum(*file)});
  constexpr ElementType elements[] = {ElementType::F32, ElementType::BF16, ElementType::U8};
  for (int64_t count = random.integer(1, 12); count > 0; --count) {
    WeightRecord weight{};
    weight.name = writer.string("w" + std::to_string(count));
    weight.element = elements[random.integer(0, 2)];
    weight.layout = random.chance(0.4) ? WeightLayout::Panel : WeightLayout::RowMajor;
    weight.panel = static_cast<uint32_t>(random.integer(1, 64));
    if (weight.layout == WeightLayout::RowMajor && random.chance(0.4))
      weight.panel = 0;
    weight.columns = static_cast<uint64_t>(random.integer(1, 60)) * 2;
    std::vector<SourceRecord> sources;
    if (random.chance(0.2)) {
      SourceRecord rotary{};
      const float frequencies[] = {1, 0.5f, 0.25f};
      weight.element = ElementType::F32;
      weight.columns = 6;
      rotary.kind = SourceKind::RotaryTable;
      rotary.file = kNone;
      rotary.scale = 1;
      rotary.rows = static_cast<uint64_t>(random.integer(1, 4000));
      rotary.columns = 6;
      rotary.bytes = sizeof(frequencies);
      rotary.offset =
          writer.data({reinterpret_cast<const uint8_t *>(frequencies), sizeof(frequencies)});
      sources.push_back(rotary);
    } else {
      for (int64_t n = random.integer(1, 3); n > 0; --n) {
        SourceRecord source{};
        source.element = weight.element;
        source.columns = weight.columns;
        source.rows = static_cast<uint64_t>(random.integer(1, 200));
        source.bytes = source.rows * source.columns * elementBytes(source.element);
        source.kind = random.chance(0.5) ? SourceKind::Tensor : SourceKind::TransposedTensor;
        source.offset = file->bytes() - kFileBytes +
                        uint64_t(random.integer(0, int64_t(kFileBytes - source.bytes)));
        sources.push_back(source);
      }
    }
    for (const SourceRecord &source : sources)
      weight.rows += source.rows;
    writer.addWeight(weight, sources);
  }
  InstructionRecord end{};
  end.opcode = Opcode::End;
  writer.add(end);
  auto plan = Plan::fromBytes(writer.bytes());
  EXPECT_TRUE(plan.isOk()) << plan.status().message();
  return plan.takeValue();
}

using CudaWeights = CudaTest;

TEST_F(CudaWeights, TheDeviceHoldsTheSameBytesAsTheHost) {
  Random random;
  for (int round = 0; round < 60; ++round) {
    TemporaryFolder folder;
    Plan plan = randomPlan(random, folder);
    auto device = open();
    ASSERT_TRUE(device.isOk());
    auto expected = WeightStore::load(plan, {});
    ASSERT_TRUE(expected.isOk()) << expected.status().message();

    WeightOptions options;
    options.device = device->get();
    options.chunkBytes = static_cast<uint64_t>(random.integer(1, 100'000));
    options.threads = static_cast<uint32_t>(random.integer(1, 3));
    uint64_t done = 0, total = 0;
    options.progress = [&](uint64_t now, uint64_t all) {
      EXPECT_GE(now, done);
      done = now;
      total = all;
    };
    auto store = WeightStore::load(plan, options);
    ASSERT_TRUE(store.isOk()) << store.status().message();
    EXPECT_EQ(done, total);
    EXPECT_EQ((*store)->bytes(), plan.info().weightBytes);
    EXPECT_EQ(fake().hostAllocations, 0);
    for (uint32_t w = 0; w < plan.weights().size(); ++w) {
      std::vector<uint8_t> bytes(plan.weights()[w].bytes);
      ASSERT_TRUE((*device)->copy(bytes.data(), (*store)->data(w), bytes.size()).isOk());
      ASSERT_TRUE((*device)->synchronize().isOk());
      ASSERT_EQ(std::memcmp(bytes.data(), (*expected)->data(w), bytes.size()), 0)
          << "weight " << w << " of " << plan.weights().size() << ", chunks of "
          << options.chunkBytes;
    }
  }
}

TEST_F(CudaWeights, ErrorsOfFilesAndOfTheDeviceAreReported) {
  Random random;
  TemporaryFolder folder;
  Plan plan = randomPlan(random, folder);
  auto device = open();
  WeightOptions options;
  options.device = device->get();
  fake().failures["cuMemcpyAsync"] = {719, 0};
  Status status = WeightStore::load(plan, options).status();
  ASSERT_FALSE(status.isOk());
  EXPECT_NE(status.message().find("cuMemcpyAsync"), std::string::npos) << status.message();
  fake().memoryBytes = 10;
  status = WeightStore::load(plan, options).status();
  EXPECT_EQ(status.code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(status.message().find("the weights"), std::string::npos) << status.message();
  fake().memoryBytes = 1u << 30;
  std::filesystem::resize_file(folder.file("model.safetensors"), 1000);
  EXPECT_EQ(WeightStore::load(plan, options).status().code(), ErrorCode::Corrupt);
}

} // namespace
