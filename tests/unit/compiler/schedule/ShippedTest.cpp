// Protects the schedules that ship: every entry is read, serves every step of the kernels that it names,
// is legal for them, says where it was measured, and differs from what the compiler would choose.
#include "compiler/schedule/EnumerateSchedules.h"
#include "compiler/schedule/ScheduleFile.h"

#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <filesystem>

using namespace quire;
using namespace quire::schedule;

namespace {

/// The kernels that an entry of `family` for `target` is for.
KernelShape shapeOf(llvm::StringRef target, llvm::StringRef family, const llvm::json::Object &match) {
  KernelShape shape;
  shape.family = family == "linear" ? "linear" : "attention";
  shape.storage = target == "cpu" ? Storage::Panels : Storage::Rows;
  shape.context = 1 << 20;
  auto size = [&](const char *name) { return match.getInteger(name).value_or(0); };
  shape.panels = size("panels");
  shape.columns = size("columns");
  shape.width = size("width");
  shape.products = match.getInteger("products").value_or(1);
  shape.elementBytes = size("elementBytes");
  shape.rowBytes = size("rowBytes");
  shape.page = size("page");
  shape.group = size("group");
  shape.headDim = size("headDim");
  shape.leanScore = size("leanScore");
  return shape;
}

std::string textOf(const std::vector<Choice> &choices) {
  std::string text;
  for (const Choice &choice : choices)
    text += describe(choice) + " up to " + std::to_string(choice.limit) + "; ";
  return text;
}

TEST(ShippedSchedules, AreLegalCompleteAndMeasured) {
  size_t entries = 0;
  for (const auto &file : std::filesystem::recursive_directory_iterator(QUIRE_SCHEDULES_FOLDER)) {
    if (file.path().extension() != ".json")
      continue;
    std::string path = file.path().string(), family = file.path().stem().string();
    std::string target = file.path().parent_path().filename().string();
    auto buffer = llvm::MemoryBuffer::getFile(path);
    ASSERT_TRUE(buffer) << path;
    llvm::Expected<llvm::json::Value> document = llvm::json::parse((*buffer)->getBuffer());
    ASSERT_TRUE(bool(document)) << path << ": " << llvm::toString(document.takeError());
    for (const llvm::json::Value &value : *document->getAsObject()->getArray("kernels")) {
      const llvm::json::Object &entry = *value.getAsObject();
      ASSERT_TRUE(entry.getObject("match")) << path << ": an entry for every kernel of all shapes";
      KernelShape shape = shapeOf(target, family, *entry.getObject("match"));
      EXPECT_EQ(llvm::json::Value(matchOf(shape)), llvm::json::Value(llvm::json::Object(*entry.getObject("match"))));
      llvm::Expected<std::vector<Choice>> choices = readChoices(path, shape);
      ASSERT_TRUE(bool(choices)) << llvm::toString(choices.takeError());
      std::optional<std::string> reason = whyIncomplete(shape, *choices);
      for (size_t i = 0; i < choices->size() && !reason; ++i)
        reason = whyIllegal(shape, (*choices)[i]);
      EXPECT_FALSE(reason.has_value()) << path << ": " << textOf(*choices) << ": " << *reason;
      EXPECT_NE(textOf(*choices), textOf(defaultChoices(shape))) << path << ": says nothing new";
      const llvm::json::Object *measured = entry.getObject("measured");
      ASSERT_TRUE(measured) << path << ": " << textOf(*choices);
      for (const char *field : {"device", "date", "compiler", "operator", "command"})
        EXPECT_TRUE(measured->getString(field)) << path << " has no " << field;
      ++entries;
    }
  }
  EXPECT_GT(entries, 0u) << "nothing ships in " << QUIRE_SCHEDULES_FOLDER;
}

} // namespace
