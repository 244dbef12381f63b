// Protects the records of plans for GPUs: kernels and their tensor maps are listed, every rule of an
// entry and of a tensor map is enforced, and code for CPUs and GPUs does not mix.
#include "CudaSample.h"
#include "SamplePlan.h"
#include "runtime/plan/Describe.h"
#include "runtime/plan/Plan.h"

#include <cstring>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

void expectRefused(const std::vector<uint8_t> &bytes, const char *message) {
  auto plan = Plan::fromBytes(bytes);
  ASSERT_FALSE(plan.isOk()) << message;
  EXPECT_NE(plan.status().message().find(message), std::string::npos) << plan.status().message();
}

TEST(CudaPlan, ListsItsKernels) {
  auto plan = Plan::fromBytes(cudaSample([](EntryRecord &, TensorMapRecord &) {}));
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  std::string text = describe(*plan);
  for (const char *part : {"sm_90a", "norm  128 threads, 40 registers", "mix  256 threads",
                           "100.0 KiB", "persistent, starts early, clusters of 2", "padded to 128",
                           "boxes [16, 1, 64] of buffer 2, bf16 [scalar 1, 3, 128], strides [1024, "
                           "256, 2], swizzled in 128 bytes\n",
                           "boxes [1, 8, 16, 4] of buffer 0, f32 [any, 8, 16, 64], strides [32768, "
                           "4096, 256, 4]\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  auto json = describeJson(*plan);
  EXPECT_EQ(json["info"]["rowPadding"], 128);
  EXPECT_EQ(json["images"][0]["entries"][1]["symbol"], "mix");
  EXPECT_EQ(json["images"][0]["entries"][1]["sharedBytes"], 100 << 10);
  auto maps = json["images"][0]["entries"][1]["tensorMaps"];
  EXPECT_EQ(maps[0].dump(), R"({"box":[64,1,16],"buffer":2,"element":"bf16","extents":[128,3,0],)"
                            R"("scalar":1,"strides":[2,256,1024],"swizzle":128})");
  EXPECT_FALSE(maps[1].contains("scalar"));
  EXPECT_TRUE(json["images"][0]["entries"][0]["tensorMaps"].empty());
}

TEST(CudaPlan, TensorMapsComeBackAsWritten) {
  auto maps = sampleTensorMaps();
  auto bytes = cudaSample([](EntryRecord &, TensorMapRecord &) {});
  auto plan = Plan::fromBytes(bytes);
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  EXPECT_TRUE(plan->tensorMaps(plan->entries()[0]).empty());
  auto read = plan->tensorMaps(plan->entries()[1]);
  ASSERT_EQ(read.size(), maps.size());
  EXPECT_EQ(std::memcmp(read.data(), maps.data(), sizeof(maps)), 0);
}

TEST(CudaPlan, TheWriterCountsTensorMapsOverAllImages) {
  PlanWriter writer;
  writer.info.maxTokens = writer.info.rowPadding = 1;
  writer.info.registerCount = static_cast<uint32_t>(InputRegister::Count);
  writer.add(KernelRecord{writer.string("mix"), {}, 3, 2, {}, 0, 0});
  const uint8_t code[] = {1};
  auto maps = sampleTensorMaps();
  EntryRecord second{0, 1, writer.string("mix"), 128, 0, 40, 0, 1, 1}; // its map is maps[1]
  writer.addImage(ImageTarget::Sm90a, code, std::span(&second, 1), maps);
  EntryRecord without{0, 1, writer.string("mix"), 128, 0, 40, 0, 0, 0};
  writer.addImage(ImageTarget::Sm80, code, std::span(&without, 1));
  writer.addImage(ImageTarget::Sm90a, code, std::span(&second, 1), maps); // not legal, but written
  InstructionRecord end{};
  end.opcode = Opcode::End;
  writer.add(end);
  expectRefused(writer.bytes(), "two images for one target");
  auto bytes = writer.bytes();
  const auto *table = reinterpret_cast<const SectionRecord *>(bytes.data() + sizeof(Header));
  const auto *entries = reinterpret_cast<const EntryRecord *>(
      bytes.data() + table[static_cast<size_t>(SectionKind::Entries)].offset);
  EXPECT_EQ(entries[0].firstTensorMap, 1u);
  EXPECT_EQ(entries[1].firstTensorMap, 0u);
  EXPECT_EQ(entries[2].firstTensorMap, 3u);
}

TEST(CudaPlan, EveryRuleOfAnEntryIsEnforced) {
  const std::pair<void (*)(EntryRecord &), const char *> cases[] = {
      {[](EntryRecord &e) { e.codeOffset = 65; }, "kernel 1 lies at byte 65 to +40"},
      {[](EntryRecord &e) { e.codeOffset = 60; }, "not a multiple of 64"},
      {[](EntryRecord &e) { e.codeBytes = 0; }, "codeBytes is 0"},
      {[](EntryRecord &e) { e.codeBytes = ~0ull; }, "kernel 1 lies at byte"},
      {[](EntryRecord &e) { e.symbol.size = 0; }, "the length of symbol is 0"},
      {[](EntryRecord &e) { e.symbol.offset = kNone; }, "symbol is the string"},
      {[](EntryRecord &e) { e.threads = 0; }, "threads is 0"},
      {[](EntryRecord &e) { e.threads = 1025; }, "threads is 1025"},
      {[](EntryRecord &e) { e.sharedBytes = (256 << 10) + 1; }, "sharedBytes is"},
      {[](EntryRecord &e) { e.registers = 256; }, "registers is 256"},
      {[](EntryRecord &e) { e.flags = 1u << 12; }, "bits that this version"},
      {[](EntryRecord &e) { e.tensorMapCount = 3; }, "its tensor maps 0 to +3 go beyond the 2"},
      {[](EntryRecord &e) { e.firstTensorMap = kNone; }, "its tensor maps 4294967295 to +2"},
      {[](EntryRecord &e) { e.tensorMapCount = 17; }, "tensorMapCount is 17"},
      {[](EntryRecord &e) { e.firstTensorMap = 1, e.tensorMapCount = 0; }, "firstTensorMap is 1"}};
  for (const auto &[apply, message] : cases)
    expectRefused(cudaSample([&](EntryRecord &e, TensorMapRecord &) { apply(e); }), message);
  expectRefused(cudaSample([](EntryRecord &, TensorMapRecord &) {}, ImageTarget::Sm80),
                "tensorMapCount is 2, legal is 0 to 0");
}

TEST(CudaPlan, EveryRuleOfATensorMapIsEnforced) {
  using Map = TensorMapRecord;
  const std::pair<void (*)(Map &), const char *> cases[] = {
      {[](Map &m) { m.buffer = 3; }, "section TensorMaps, record 0: buffer is index 3 of 3"},
      {[](Map &m) { m.scalar = 2; }, "scalar is index 2 of 2"},
      {[](Map &m) { m.element = ElementType::Count; }, "element is index 6"},
      {[](Map &m) { m.rank = 1; }, "rank is 1, legal is 2 to 5"},
      {[](Map &m) { m.rank = 6; }, "rank is 6"},
      {[](Map &m) { m.rank = 2; }, "scalar has it and it is 0"}, // extents[1] is 3
      {[](Map &m) { m.rank = 4; }, "box[3] is 0"},
      {[](Map &m) { m.swizzle = 16; }, "swizzle is 16, legal are"},
      {[](Map &m) { m.swizzle = 64; }, "takes 128 bytes, more than the 64 of its swizzle"},
      {[](Map &m) { m.box[0] = 65, m.swizzle = 0; }, "takes 130 bytes, not a multiple of 16"},
      {[](Map &m) { m.box[1] = 0; }, "box[1] is 0, legal is 1 to 256"},
      {[](Map &m) { m.box[2] = 257; }, "box[2] is 257"},
      {[](Map &m) { m.box[3] = 1; }, "say something of dimension 3"},
      {[](Map &m) { m.extents[0] = 0; }, "extents[0] is 0, legal is 1 to 4294967296"},
      {[](Map &m) { m.extents[1] = (1ull << 32) + 1; }, "extents[1] is 4294967297"},
      {[](Map &m) { m.extents[2] = 1; }, "extents[2] is 1, but scalar has it"},
      {[](Map &m) { m.extents[2] = ~0ull, m.scalar = kNone; }, "extents[2] is 184467"},
      {[](Map &m) { m.extents[4] = 1; }, "say something of dimension 4"},
      {[](Map &m) { m.strides[0] = 4; }, "strides[0] is 4, but the element's size is 2"},
      {[](Map &m) { m.strides[1] = 0; }, "strides[1] is 0"},
      {[](Map &m) { m.strides[1] = 264; }, "strides[1] is 264, not a multiple of 16"},
      {[](Map &m) { m.strides[2] = 1ull << 40; }, "strides[2] is 1099511627776"},
      {[](Map &m) { m.strides[3] = 16; }, "say something of dimension 3"}};
  for (const auto &[apply, message] : cases)
    expectRefused(cudaSample([&](EntryRecord &, Map &m) { apply(m); }), message);
  // The limits themselves are legal.
  auto plan = Plan::fromBytes(cudaSample([](EntryRecord &, Map &m) {
    m.scalar = kNone, m.swizzle = 0;
    m.box[0] = m.box[1] = m.box[2] = 256;
    m.extents[0] = m.extents[1] = m.extents[2] = 1ull << 32;
    m.strides[1] = 16, m.strides[2] = (1ull << 40) - 16;
  }));
  EXPECT_TRUE(plan.isOk()) << plan.status().message();
}

TEST(CudaPlan, CodeForCpuAndCudaDoesNotMix) {
  PlanWriter writer = samplePlan(false);
  std::vector<EntryRecord> entries(size_t(TestKernel::Count),
                                   {0, 1, writer.string("k"), 32, 0, 1, 0, 0, 0});
  const uint8_t code[] = {1};
  writer.addImage(ImageTarget::Sm90a, code, entries);
  auto plan = Plan::fromBytes(writer.bytes());
  ASSERT_FALSE(plan.isOk());
  EXPECT_NE(plan.status().message().find("a plan is for one of them"), std::string::npos)
      << plan.status().message();
}

} // namespace
