// Protects the records of plans for GPUs: kernels are listed, every rule of an entry is enforced, and code
// for CPUs and GPUs does not mix.
#include "SamplePlan.h"
#include "runtime/plan/Describe.h"
#include "runtime/plan/Plan.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

/// The sample's kernels as a CUDA image of made-up cubins.
std::vector<uint8_t> cudaPlan(void (*apply)(EntryRecord &)) {
  PlanWriter writer;
  writer.info.modelName = writer.string("cuda");
  writer.info.maxTokens = 1;
  writer.info.rowPadding = 128;
  writer.info.registerCount = static_cast<uint32_t>(InputRegister::Count);
  writer.add(KernelRecord{writer.string("norm"), {}, 1, 0, {}, 0, 0});
  writer.add(KernelRecord{writer.string("mix"), {}, 1, 0, {}, 0, 0});
  std::vector<uint8_t> code(64 + 40, 1);
  EntryRecord entries[] = {{0, 50, writer.string("norm"), 128, 0, 40, 0},
                           {64, 40, writer.string("mix"), 256, 100 << 10, 255,
                            kEntryPersistent | kEntryProgrammaticLaunch | 2u << kEntryClusterShift}};
  apply(entries[1]);
  writer.addImage(ImageTarget::Sm80, code, entries);
  InstructionRecord end{};
  end.opcode = Opcode::End;
  writer.add(end);
  return writer.bytes();
}

TEST(CudaPlan, ListsItsKernels) {
  auto plan = Plan::fromBytes(cudaPlan([](EntryRecord &) {}));
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  std::string text = describe(*plan);
  for (const char *part : {"sm_80", "norm  128 threads, 40 registers", "mix  256 threads",
                           "100.0 KiB", "persistent, starts early, clusters of 2", "padded to 128"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  auto json = describeJson(*plan);
  EXPECT_EQ(json["info"]["rowPadding"], 128);
  EXPECT_EQ(json["images"][0]["entries"][1]["symbol"], "mix");
  EXPECT_EQ(json["images"][0]["entries"][1]["sharedBytes"], 100 << 10);
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
      {[](EntryRecord &e) { e.flags = 1u << 12; }, "bits that this version"}};
  for (const auto &[apply, message] : cases) {
    auto plan = Plan::fromBytes(cudaPlan(apply));
    ASSERT_FALSE(plan.isOk()) << message;
    EXPECT_NE(plan.status().message().find(message), std::string::npos)
        << plan.status().message();
  }
}

TEST(CudaPlan, CodeForCpuAndCudaDoesNotMix) {
  PlanWriter writer = samplePlan(false);
  std::vector<EntryRecord> entries(size_t(TestKernel::Count),
                                   {0, 1, writer.string("k"), 32, 0, 1, 0});
  const uint8_t code[] = {1};
  writer.addImage(ImageTarget::Sm90a, code, entries);
  auto plan = Plan::fromBytes(writer.bytes());
  ASSERT_FALSE(plan.isOk());
  EXPECT_NE(plan.status().message().find("a plan is for one of them"), std::string::npos)
      << plan.status().message();
}

} // namespace
