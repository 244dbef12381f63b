// Stop strings against a definition on the whole text: the cut must not depend on the pieces.
#include "runtime/engine/StopMatcher.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <optional>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

namespace {

/// Where the text ends by the definition: the match with the smallest end, then the smallest start.
std::optional<size_t> cutOf(const std::string &text, const std::vector<std::string> &stops) {
  std::optional<std::pair<size_t, size_t>> best; // end, start
  for (const std::string &stop : stops) {
    size_t start = stop.empty() ? std::string::npos : text.find(stop);
    if (start == std::string::npos)
      continue;
    std::pair<size_t, size_t> match{start + stop.size(), start};
    if (!best || match < *best)
      best = match;
  }
  return best ? std::optional(best->second) : std::nullopt;
}

std::string randomText(std::mt19937_64 &random, int32_t size) {
  std::string text;
  for (int32_t i = 0; i < size; ++i)
    text += "ab\n"[uniform(random, 0, 2)];
  return text;
}

} // namespace

TEST(StopMatcher, HoldsBackOnlyWhatMayStillBeAStopString) {
  StopMatcher matcher({"\n\n", "END"});
  std::string out;
  EXPECT_FALSE(matcher.push("one\n", out));
  EXPECT_EQ(out, "one");
  EXPECT_FALSE(matcher.push("two E", out));
  EXPECT_EQ(out, "one\ntwo ");
  EXPECT_FALSE(matcher.push("NTER", out));
  EXPECT_EQ(out, "one\ntwo ENTER");
  EXPECT_FALSE(matcher.push("E", out));
  EXPECT_TRUE(matcher.push("ND and more", out));
  EXPECT_EQ(out, "one\ntwo ENTER");
}

TEST(StopMatcher, WithoutStopStringsEverythingPassesAtOnce) {
  StopMatcher matcher({""});
  std::string out;
  EXPECT_FALSE(matcher.push("text", out));
  EXPECT_EQ(out, "text");
}

TEST(StopMatcher, FinishReleasesWhatWasHeldBack) {
  StopMatcher matcher({"abc"});
  std::string out;
  EXPECT_FALSE(matcher.push("xab", out));
  EXPECT_EQ(out, "x");
  matcher.finish(out);
  EXPECT_EQ(out, "xab");
}

TEST(StopMatcher, TheCutDoesNotDependOnThePieces) {
  std::mt19937_64 random(randomSeed());
  int stopped = 0, released = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = randomText(random, uniform(random, 0, 24));
    std::vector<std::string> stops;
    for (int32_t i = uniform(random, 0, 3); i > 0; --i)
      stops.push_back(randomText(random, uniform(random, 0, 6)));
    std::optional<size_t> cut = cutOf(text, stops);

    StopMatcher matcher(stops);
    std::string out;
    bool stop = false;
    for (size_t begin = 0; begin < text.size() && !stop;) {
      size_t size = uniform(random, 0, 5);
      stop = matcher.push(std::string_view(text).substr(begin, size), out);
      begin += size;
    }
    if (!stop)
      matcher.finish(out);
    ASSERT_EQ(stop, cut.has_value()) << "round " << round;
    ASSERT_EQ(out, text.substr(0, cut.value_or(text.size()))) << "round " << round;
    ++(stop ? stopped : released);
  }
  EXPECT_GT(stopped, 1000);
  EXPECT_GT(released, 1000);
}
