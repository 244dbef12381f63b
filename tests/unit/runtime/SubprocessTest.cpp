// Another program's words and how it ended are told apart, and one that is not there is an error.
#include "runtime/base/Subprocess.h"

#include <gtest/gtest.h>

using namespace quire;

TEST(Subprocess, TellsTheExitCodeAndBothStreams) {
  auto output = runAndRead("/bin/sh", {"-c", "echo out; echo err >&2; exit 7"});
  ASSERT_TRUE(output.isOk()) << output.status().message();
  EXPECT_EQ(output->code, 7);
  EXPECT_EQ(output->text, "out\nerr\n");
}

TEST(Subprocess, ReadsMoreThanAPipeHolds) {
  auto output = runAndRead("/bin/sh", {"-c", "head -c 1000000 /dev/zero"});
  ASSERT_TRUE(output.isOk()) << output.status().message();
  EXPECT_EQ(output->code, 0);
  EXPECT_EQ(output->text, std::string(1000000, '\0'));
}

TEST(Subprocess, HasNothingToRead) {
  auto output = runAndRead("/bin/sh", {"-c", "cat; echo end"});
  ASSERT_TRUE(output.isOk()) << output.status().message();
  EXPECT_EQ(output->text, "end\n");
}

TEST(Subprocess, NamesTheSignal) {
  auto output = runAndRead("/bin/sh", {"-c", "kill -TERM $$"});
  ASSERT_TRUE(output.isOk()) << output.status().message();
  EXPECT_EQ(output->code, 128 + 15);
}

TEST(Subprocess, NamesAProgramThatIsNotThere) {
  auto output = runAndRead("/nowhere/quire", {});
  ASSERT_FALSE(output.isOk());
  EXPECT_NE(output.status().message().find("/nowhere/quire"), std::string::npos)
      << output.status().message();
}
