// Protects what people and programs read about a plan: the program, the memory figures, the texts.
#include "SamplePlan.h"
#include "runtime/plan/Describe.h"
#include "runtime/plan/Plan.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

TEST(Describe, ListsTheProgramWithOperandNames) {
  auto plan = Plan::fromBytes(samplePlan(true).bytes());
  ASSERT_TRUE(plan.isOk());
  std::string text = describe(*plan);
  for (const char *part :
       {"launch append [tokens] (tokenIds, slots, pool keys)",
        "launch append [tokens] (tokenIds, slots of group 1, pool others)",
        "group 1  12 B a token, keeps all tokens: at most 24 pages a sequence, 1.1 KiB (1152)",
        "launch scale [tokens] (tensor x, weight factors, arena[384], r7, r13, r12)",
        "if tokens > r11 go to ", "r15 = ceil(tokens / r14)", "partition(work list 1)",
        "panel of 8 rows", "x86-64-v3", "workspace 1[0]", "workspace 384 B = 4 an item",
        "windowed  bf16, group 1, place 1, 32 B a page, keeps the last 8 tokens"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Describe, JsonHasTheExactMemoryFigures) {
  auto plan = Plan::fromBytes(samplePlan(true).bytes());
  ASSERT_TRUE(plan.isOk());
  auto json = describeJson(*plan);
  EXPECT_EQ(json["info"]["weightBytes"], 64 + 384 + 1536);
  EXPECT_EQ(json["info"]["arenaBytes"], 384 + 20 * 64 + 4 * 32);
  EXPECT_EQ(json["program"].size(), plan->instructions().size());
  EXPECT_EQ(json["weights"][1]["sources"][1]["kind"], "transposedTensor");
}

TEST(Describe, FindsTextsByName) {
  auto plan = Plan::fromBytes(samplePlan(true).bytes());
  ASSERT_TRUE(plan.isOk());
  auto text = describeText(*plan, "graph");
  ASSERT_TRUE(text.isOk());
  EXPECT_EQ(*text, "module {}");
  auto missing = describeText(*plan, "nothing");
  EXPECT_EQ(missing.status().code(), ErrorCode::NotFound);
  EXPECT_NE(missing.status().message().find("graph, report"), std::string::npos);
}

TEST(Describe, ControlCharactersInNamesDoNotReachTheTerminal) {
  PlanWriter writer = samplePlan(false);
  writer.info.modelName = writer.string("evil\x1b[31m\xff name");
  auto plan = Plan::fromBytes(writer.bytes());
  ASSERT_TRUE(plan.isOk());
  EXPECT_NE(describe(*plan).find("evil?[31m? name"), std::string::npos);
  EXPECT_EQ(describeJson(*plan)["info"]["modelName"], "evil?[31m? name");
}

} // namespace
