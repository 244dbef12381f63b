// A text put into a plan that was written before is all that changes in it, and the file stays one
// that the reader takes.
#include "Random.h"
#include "SamplePlan.h"
#include "runtime/base/File.h"
#include "runtime/plan/PlanTexts.h"
#include "tests/support/TemporaryFolder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

std::vector<uint8_t> bytesOf(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

/// Everything but strings and texts is as in `before`, and old strings are where they were.
void expectOtherwiseEqual(const Plan &before, const Plan &after) {
  for (auto kind = SectionKind::Strings; kind < SectionKind::Count;
       kind = static_cast<SectionKind>(static_cast<uint32_t>(kind) + 1))
    if (kind != SectionKind::Strings && kind != SectionKind::Texts) {
      EXPECT_EQ(bytesOf(before.section(kind)), bytesOf(after.section(kind)));
    }
  std::span<const uint8_t> old = before.section(SectionKind::Strings);
  std::span<const uint8_t> now = after.section(SectionKind::Strings);
  ASSERT_GE(now.size(), old.size());
  EXPECT_EQ(bytesOf(old), bytesOf(now.first(old.size())));
}

} // namespace

TEST(PlanTexts, ArePutInAndReplacedAndChangeNothingElse) {
  uint64_t seed = randomSeed();
  std::mt19937_64 random(seed);
  Result<Plan> original = Plan::fromBytes(samplePlan(true).bytes());
  ASSERT_TRUE(original.isOk()) << original.status().message();
  std::map<std::string, std::string> wanted;
  for (const TextRecord &text : original->texts())
    wanted.emplace(original->string(text.name), original->string(text.text));
  std::vector<uint8_t> file = bytesOf(original->bytes());
  for (int round = 0; round < 100; ++round) {
    std::string name = "costs on device " + std::to_string(random() % 4);
    std::string text(1 + random() % 300, char('a' + random() % 26));
    Result<Plan> plan = Plan::fromBytes(file);
    ASSERT_TRUE(plan.isOk()) << plan.status().message();
    file = withText(*plan, name, text);
    wanted[name] = text;
    Result<Plan> changed = Plan::fromBytes(file);
    ASSERT_TRUE(changed.isOk()) << changed.status().message();
    expectOtherwiseEqual(*original, *changed);
    EXPECT_EQ(changed->texts().size(), wanted.size());
    for (const auto &[key, value] : wanted)
      EXPECT_EQ(textOf(*changed, key), value) << key;
    EXPECT_EQ(textOf(*changed, "costs on device 9"), "");
    if (HasFailure())
      return;
  }
}

TEST(PlanTexts, MeasuringAgainDoesNotGrowThePlan) {
  Result<Plan> plan = Plan::fromBytes(samplePlan(true).bytes());
  ASSERT_TRUE(plan.isOk());
  std::vector<uint8_t> once = withText(*plan, "costs", std::string(100, 'a')), again = once;
  for (int round = 0; round < 5; ++round)
    again = withText(*Plan::fromBytes(again), "costs", std::string(100, char('b' + round)));
  EXPECT_EQ(again.size(), once.size());
}

TEST(PlanTexts, AreWrittenIntoFilesThatArePlans) {
  TemporaryFolder folder;
  std::string path = folder.path() + "/sample.plan", other = folder.path() + "/other";
  ASSERT_TRUE(samplePlan(true).write(path).isOk());
  Result<Plan> open = Plan::open(path);
  ASSERT_TRUE(open.isOk());
  ASSERT_TRUE(writePlanText(path, "costs", "step=5").isOk());
  Result<Plan> changed = Plan::open(path);
  ASSERT_TRUE(changed.isOk()) << changed.status().message();
  EXPECT_EQ(textOf(*changed, "costs"), "step=5");
  EXPECT_EQ(textOf(*open, "costs"), "") << "who has it open goes on with what was opened";

  const uint8_t word[] = {'n', 'o'};
  const std::span<const uint8_t> pieces[] = {word};
  ASSERT_TRUE(writeFileAtomically(other, pieces).isOk());
  EXPECT_FALSE(writePlanText(other, "costs", "step=5").isOk());
  EXPECT_EQ(readFile(other, 100)->size(), 2u) << "what is no plan stays as it is";
}
