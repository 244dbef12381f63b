// Protects what a tuner stands on, over random kernel shapes: every schedule it may try is legal and
// different, files keep schedules as they are, and no prediction beats the machine.
#include "compiler/schedule/CostModel.h"
#include "compiler/schedule/EnumerateSchedules.h"
#include "compiler/schedule/InvariantSchedules.h"
#include "compiler/schedule/ScheduleFile.h"
#include "tests/support/TemporaryFolder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <set>

using namespace quire;
using namespace quire::schedule;

namespace {

class Schedules : public testing::Test {
protected:
  Schedules() {
    const char *variable = std::getenv("QUIRE_SEED");
    uint64_t seed = variable ? std::strtoull(variable, nullptr, 10) : std::random_device{}();
    std::cout << "QUIRE_SEED=" << seed << "\n";
    random.seed(seed);
  }

  int64_t oneOf(std::initializer_list<int64_t> values) {
    return values.begin()[random() % values.size()];
  }

  KernelShape randomShape() {
    KernelShape shape;
    shape.storage = random() % 2 ? Storage::Rows : Storage::Panels;
    shape.elementBytes = oneOf({2, 4});
    shape.rowBytes = shape.storage == Storage::Rows ? shape.elementBytes : 4;
    if (random() % 2) {
      shape.family = "linear";
      shape.columns = 64 * (1 + int64_t(random() % 100));
      (shape.storage == Storage::Rows ? shape.width : shape.panels) =
          (shape.storage == Storage::Rows ? 64 : 1) * (1 + int64_t(random() % 200));
      shape.products = oneOf({1, 2});
    } else {
      shape.family = "attention";
      shape.page = oneOf({16, 32, 64});
      shape.group = oneOf({1, 2, 4, 8});
      shape.headDim = oneOf({64, 80, 96, 128, 256});
      shape.context = oneOf({128, 1024, 8192});
    }
    return shape;
  }

  StepUse randomUse() {
    StepUse use;
    use.rows = 1 + int64_t(random() % 3000);
    use.sequences = 1 + int64_t(random() % 64);
    use.queries = random() % 2 ? 1 : 1 + int64_t(random() % 2000);
    use.keys = use.queries + int64_t(random() % 4000);
    use.cacheHeads = oneOf({1, 8});
    return use;
  }

  std::mt19937_64 random;
};

std::string textOf(const std::vector<Choice> &choices) {
  std::string text;
  for (const Choice &choice : choices)
    text += describe(choice) + " limit " + std::to_string(choice.limit) + " min " +
            std::to_string(choice.minimum) + " max " + std::to_string(choice.maximum) + "; ";
  return text;
}

std::string read(const std::string &path, const KernelShape &shape) {
  llvm::Expected<std::vector<Choice>> choices = readChoices(path, shape);
  return choices ? textOf(*choices) : llvm::toString(choices.takeError());
}

std::vector<Choice> completed(const KernelShape &shape, std::vector<Choice> choices) {
  for (Choice &choice : choices)
    choice = complete(shape, choice);
  return choices;
}

TEST_F(Schedules, AllThatAreEnumeratedAreLegalAndDifferent) {
  for (int round = 0; round < 40; ++round) {
    KernelShape shape = randomShape();
    std::vector<Choice> all = enumerate(shape);
    std::set<std::string> names;
    for (const Choice &choice : all) {
      std::optional<std::string> reason = whyIllegal(shape, choice);
      EXPECT_FALSE(reason.has_value()) << describe(choice) << ": " << *reason;
      EXPECT_TRUE(names.insert(describe(choice)).second) << describe(choice) << " comes twice";
      EXPECT_EQ(describe(complete(shape, choice)), describe(choice));
    }
    for (const Choice &choice : defaultChoices(shape))
      EXPECT_TRUE(names.count(describe(choice))) << describe(choice) << " is missing";
    EXPECT_GE(all.size(), shape.family == "linear" && shape.panels == 1 ? 20u : 4u);
  }
}

TEST_F(Schedules, InvariantOnesServeEveryStepAndSumInOneOrder) {
  for (int round = 0; round < 300; ++round) {
    KernelShape shape = randomShape();
    std::vector<Choice> choices = invariantChoices(shape);
    std::optional<std::string> reason = whyIncomplete(shape, choices);
    for (size_t i = 0; i < choices.size() && !reason; ++i)
      reason = whyIllegal(shape, choices[i]);
    if (!reason)
      reason = whyNotInvariant(shape, choices);
    EXPECT_FALSE(reason.has_value()) << textOf(choices) << ": " << *reason;
    // Defaults of a GPU have a form of their own for a single row or query.
    bool isFree = whyNotInvariant(shape, defaultChoices(shape)).has_value();
    EXPECT_EQ(isFree, shape.storage == Storage::Rows) << textOf(defaultChoices(shape));
    // What else orders a sum.
    if (shape.storage == Storage::Panels || choices.size() < 2)
      continue;
    bool isLinear = shape.family == "linear";
    for (int64_t Choice::*field : {&Choice::depth, &Choice::keys, &Choice::split}) {
      if ((field == &Choice::depth) != isLinear)
        continue;
      std::vector<Choice> other = choices;
      other.back().*field += 64;
      EXPECT_TRUE(whyNotInvariant(shape, other).has_value()) << textOf(other);
    }
  }
}

TEST_F(Schedules, FilesKeepWhatIsWritten) {
  for (int round = 0; round < 40; ++round) {
    test::TemporaryFolder folder;
    std::string path = folder.path() + "/some.json";
    KernelShape first = randomShape(), second = randomShape();
    second.family = first.family; // a file is for one
    second.storage = first.storage;
    second.width = first.width ? 192 : 0;
    second.panels = first.panels ? 333 : 0;
    second.columns = first.columns;
    second.page = first.page;
    second.group = first.group ? 16 : 0;
    second.headDim = first.headDim;
    std::vector<Choice> all = enumerate(first);
    std::vector<Choice> one{all[random() % all.size()]}, other{all[random() % all.size()]};
    ASSERT_FALSE(writeChoices(path, second, {one.front(), other.front()}, {}));
    ASSERT_FALSE(writeChoices(path, first, one, llvm::json::Object{{"on", "a test"}}));
    EXPECT_EQ(read(path, first), textOf(completed(first, one)));
    ASSERT_FALSE(writeChoices(path, first, other, {}));
    EXPECT_EQ(read(path, first), textOf(completed(first, other)));
    EXPECT_EQ(read(path, second), textOf(completed(second, {one.front(), other.front()})));
    KernelShape stranger = first;
    stranger.elementBytes = 1;
    EXPECT_EQ(read(path, stranger), "");
  }
}

TEST_F(Schedules, DamagedFilesAreNotWrittenOver) {
  test::TemporaryFolder folder;
  std::string path = folder.path() + "/linear.json";
  std::ofstream(path) << "{\"kernels\": [";
  KernelShape shape = randomShape();
  llvm::Error error = writeChoices(path, shape, defaultChoices(shape), {});
  EXPECT_NE(llvm::toString(std::move(error)).find("is not JSON"), std::string::npos);
}

TEST_F(Schedules, NoPredictionBeatsTheMachine) {
  for (int round = 0; round < 200; ++round) {
    KernelShape shape = randomShape();
    StepUse use = randomUse();
    Machine machine = *machineFor(shape.storage == Storage::Rows ? "sm_90a" : "cpu", 4);
    UsefulCost cost = usefulCost(shape, use);
    double fastest = std::max({machine.fmaRate, machine.mmaRate, machine.wgmmaRate});
    double bound = std::max(cost.flops / fastest, cost.bytes / machine.memoryRate);
    for (const Choice &choice : enumerate(shape))
      ASSERT_GE(predictSeconds(machine, shape, choice, use), bound * 0.999)
          << describe(choice) << ", " << use.rows << " rows, " << use.sequences << " x "
          << use.queries << " queries, " << use.keys << " keys";
  }
}

} // namespace
