// Regex: Oniguruma's meaning of patterns on PCRE2. The golden stages compare whole splits with
// Oniguruma itself; here are the single differences and the refusals.
#include "TestSupport.h"

#include "runtime/text/Regex.h"

namespace quire::text::test {
namespace {

std::vector<std::string> matchesOf(const std::string &pattern, const std::string &text) {
  auto regex = Regex::compile(pattern);
  EXPECT_TRUE(regex.isOk()) << regex.status().message();
  std::vector<MatchRange> ranges;
  std::vector<std::string> matches;
  if (!regex.isOk())
    return matches;
  Status status = regex->findAll(text, ranges);
  EXPECT_TRUE(status.isOk()) << status.message();
  for (MatchRange range : ranges)
    matches.push_back(text.substr(range.begin, range.end - range.begin));
  return matches;
}

using Strings = std::vector<std::string>;

TEST(Regex, IntervalsWithPlusRepeatInsteadOfBeingPossessive) {
  EXPECT_EQ(matchesOf("a{1,3}+ab", "aaaaab"), Strings{"aaaaab"});
  EXPECT_EQ(matchesOf("x{,2}y", "xxxy"), Strings{"xxy"});
  EXPECT_EQ(matchesOf("a++b|a", "aac"), (Strings{"a", "a"}));
  EXPECT_EQ(matchesOf("{x}", "a{x}"), Strings{"{x}"});
}

TEST(Regex, ClassesAreOnigurumas) {
  EXPECT_EQ(matchesOf("\\s", "a\u180E\u3000\u0085b").size(), 2u);
  EXPECT_EQ(matchesOf("[^\\S\\n]", " \n\t"), (Strings{" ", "\t"}));
  EXPECT_EQ(matchesOf("\\w+", "a\u0301_\u0663 \u2460"), Strings{"a\u0301_\u0663"});
  EXPECT_EQ(matchesOf("\\h+", "12afAFgx \t"), Strings{"12afAF"});
  EXPECT_EQ(matchesOf("[[:alpha:]]+", "ab1\u00E9"), (Strings{"ab", "\u00E9"}));
  EXPECT_EQ(matchesOf("\\p{Letter}+|\\p{^Nd}", "ab1-"), (Strings{"ab", "-"}));
  EXPECT_EQ(matchesOf("\\p{Han}+", "\u4E00\u3001\u3042"), Strings{"\u4E00"});
}

TEST(Regex, OptionsAreOnigurumas) {
  EXPECT_EQ(matchesOf("a(?i)b|c", "aB aC ac"), (Strings{"aB", "aC", "ac"}));
  EXPECT_EQ(matchesOf("(?m:a.b)", "a\nb"), Strings{"a\nb"});
  EXPECT_EQ(matchesOf("a.b", "a\nb"), Strings{});
  EXPECT_EQ(matchesOf("^x$", "x\nx\nxy"), (Strings{"x", "x"}));
  EXPECT_EQ(matchesOf("(?i:'s)", "'S'\u017F"), (Strings{"'S", "'\u017F"}));
}

TEST(Regex, EmptyMatchesFollowOnigurumasBinding) {
  EXPECT_EQ(matchesOf("b*", "abba"), (Strings{"", "bb", ""}));
  EXPECT_EQ(matchesOf("", "\u00E9x").size(), 3u);
}

TEST(Regex, LiteralsAreEscaped) {
  std::string odd = "a.b*c[d](e){f}|g^h$i\\j?k+\u2581 ";
  EXPECT_EQ(matchesOf(escapeForRegex(odd), "x" + odd + "y"), Strings{odd});
}

TEST(Regex, WhatHasNoCounterpartIsRefusedByName) {
  const std::pair<const char *, const char *> cases[] = {
      {"[a&&b]", "intersection"},   {"[a[b]]", "nested"},      {"(?~x)", "group option"},
      {"\\g<1>", "escape \\g"},      {"(*FAIL)", "verb"},       {"[\\W]", "inside a character class"},
      {"a{2}?", "lazy exact"},       {"\\xE9", "hexadecimal"},   {"(?x: a)", "group option"},
      {"(a", "unclosed group"},      {"a)", "unmatched"},        {"*a", "repeat of nothing"}};
  for (auto [pattern, named] : cases) {
    auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex.isOk()) << pattern;
    EXPECT_NE(regex.status().message().find(named), std::string::npos)
        << regex.status().message();
    EXPECT_NE(regex.status().message().find(pattern), std::string::npos)
        << regex.status().message();
  }
  EXPECT_EQ(Regex::compile("\\p{NoSuchScript}").status().code(), ErrorCode::InvalidArgument);
}

TEST(Regex, LongRunsDoNotExhaustTheMatcher) {
  std::string spaces(1 << 20, ' ');
  EXPECT_EQ(matchesOf("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", spaces).size(), 1u);
}

TEST(Regex, AGroupThatBacktracksOverAMegabyteIsAnErrorAndNoCrash) {
  auto regex = Regex::compile("(?:a|b)+");
  ASSERT_TRUE(regex.isOk());
  std::vector<MatchRange> ranges;
  EXPECT_EQ(regex->findAll(std::string(1 << 20, 'a'), ranges).code(),
            ErrorCode::ResourceExhausted);
  EXPECT_TRUE(regex->findAll(std::string(1 << 12, 'a'), ranges).isOk());
  EXPECT_EQ(ranges.size(), 1u);
}

} // namespace
} // namespace quire::text::test
