// AddedTokens: longest match, the flags, and special tokens that a user wrote.
#include "TestSupport.h"

namespace quire::text::test {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

json added(const char *content, int id, json flags = json::object()) {
  json token = {{"id", id}, {"content", content}, {"special", false}, {"normalized", false}};
  token.update(flags);
  return token;
}

/// Byte-level without merges: ordinary characters keep their byte values as ids.
std::unique_ptr<Tokenizer> withTokens(json tokens, json stages = json::object()) {
  json all = {{"added_tokens", std::move(tokens)},
              {"pre_tokenizer",
               {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
              {"decoder", {{"type", "ByteLevel"}}}};
  all.update(stages);
  return load(tokenizerFile(byteLevelModel(), all));
}

TEST(AddedTokens, TheLongestOfTheLeftmostMatchesWins) {
  auto tokenizer = withTokens({added("<a>", 256), added("<a><b>", 257), added("a><", 258)});
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(encode(*tokenizer, "x<a><b>y<a>"), (Ids{'x', 257, 'y', 256}));
  EXPECT_EQ(encode(*tokenizer, "a><a>"), (Ids{258, 'a', '>'}));
}

TEST(AddedTokens, SingleWordsDoNotTouchWordCharacters) {
  auto tokenizer = withTokens({added("the", 256, {{"single_word", true}})});
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(encode(*tokenizer, "the"), (Ids{256}));
  EXPECT_EQ(encode(*tokenizer, "(the)"), (Ids{'(', 256, ')'}));
  EXPECT_EQ(encode(*tokenizer, "then"), (Ids{'t', 'h', 'e', 'n'}));
  EXPECT_EQ(encode(*tokenizer, "\u00E9the"), (Ids{0xC3, 0xA9, 't', 'h', 'e'}));
}

TEST(AddedTokens, StripsTakeWhitespaceWithThem) {
  auto tokenizer = withTokens(
      {added("<l>", 256, {{"lstrip", true}}), added("<r>", 257, {{"rstrip", true}})});
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(encode(*tokenizer, "a \u3000<l> b"), (Ids{'a', 256, ' ', 'b'}));
  EXPECT_EQ(encode(*tokenizer, "a <r> \n b"), (Ids{'a', ' ', 257, 'b'}));
  EXPECT_EQ(encode(*tokenizer, "<r>  <l>"), (Ids{257, 256}));
}

TEST(AddedTokens, NormalizedTokensMatchNormalizedText) {
  json lower = {{"normalizer", {{"type", "Lowercase"}}}};
  auto tokenizer = withTokens(
      {added("Yes", 256, {{"normalized", true}}), added("No", 257, {{"normalized", false}})},
      lower);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(encode(*tokenizer, "YES"), (Ids{256}));
  EXPECT_EQ(encode(*tokenizer, "No"), (Ids{257}));
  EXPECT_EQ(encode(*tokenizer, "NO"), (Ids{'n', 'o'}));
}

TEST(AddedTokens, SpecialTokensOfUsersStayTextUnlessParsed) {
  auto tokenizer =
      withTokens({added("<|end|>", 256, {{"special", true}}), added("<tool>", 257)});
  ASSERT_TRUE(tokenizer);
  Ids text = {'<', '|', 'e', 'n', 'd', '|', '>', 257};
  EXPECT_EQ(encode(*tokenizer, "<|end|><tool>"), (Ids{256, 257}));
  EXPECT_EQ(encode(*tokenizer, "<|end|><tool>", {.parseSpecial = false}), text);
  EXPECT_EQ(decode(*tokenizer, {'a', 256, 257}), "a<tool>");
  EXPECT_EQ(decode(*tokenizer, {'a', 256, 257}, false), "a<|end|><tool>");
  EXPECT_TRUE(tokenizer->isSpecial(256));
  EXPECT_FALSE(tokenizer->isSpecial(257));
  EXPECT_EQ(tokenizer->tokenId("<tool>"), 257);
  EXPECT_EQ(tokenizer->tokenText(256), "<|end|>");
  EXPECT_EQ(tokenizer->vocabSize(), 258);
}

} // namespace
} // namespace quire::text::test
