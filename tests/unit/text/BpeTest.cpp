// Bpe: the merge loops against a naive oracle, every option of the model, and the cost of a word
// without split points.
#include "TestSupport.h"

#include "runtime/text/Bpe.h"

#include <chrono>
#include <map>

namespace quire::text::test {
namespace {

using Ids = std::vector<int32_t>;
using Merges = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<BpeModel> makeBpe(const std::vector<std::string> &tokens, const Merges &merges,
                                  BpeOptions options = {}) {
  Vocabulary vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i)
    EXPECT_TRUE(vocabulary.add(tokens[i], static_cast<int64_t>(i)).isOk());
  std::vector<BpeModel::Merge> views(merges.begin(), merges.end());
  auto model = BpeModel::create(std::move(vocabulary), views, std::move(options));
  EXPECT_TRUE(model.isOk()) << model.status().message();
  return model.isOk() ? model.takeValue() : nullptr;
}

Ids encodeWord(const BpeModel &model, std::string_view word, bool byteLevel = false) {
  Ids ids;
  Status status = model.encodeWord(word, byteLevel, ids);
  EXPECT_TRUE(status.isOk()) << status.message();
  return ids;
}

/// Merges the lowest-ranked, leftmost pair until there is none: the definition.
std::vector<std::string> naiveBpe(const std::string &word, const Merges &merges) {
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (size_t i = 0; i < merges.size(); ++i)
    ranks[merges[i]] = i;
  std::vector<std::string> symbols;
  for (char c : word)
    symbols.emplace_back(1, c);
  while (true) {
    size_t best = SIZE_MAX, place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i)
      if (auto rank = ranks.find({symbols[i], symbols[i + 1]});
          rank != ranks.end() && rank->second < best) {
        best = rank->second;
        place = i;
      }
    if (best == SIZE_MAX)
      return symbols;
    symbols[place] += symbols[place + 1];
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(place) + 1);
  }
}

TEST(Bpe, ShortAndLongWordsMergeAsDefined) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> tokens = {"a", "b", "c", "d"};
    Merges merges;
    for (int i = 0; i < 30; ++i) {
      std::pair<std::string, std::string> merge = {tokens[random() % tokens.size()],
                                                   tokens[random() % tokens.size()]};
      std::string merged = merge.first + merge.second;
      if (std::find(tokens.begin(), tokens.end(), merged) != tokens.end())
        continue;
      merges.push_back(merge);
      tokens.push_back(merged);
    }
    auto model = makeBpe(tokens, merges);
    ASSERT_TRUE(model);
    for (size_t length : {1, 2, 7, 23, 24, 25, 26, 60, 300}) {
      std::string word;
      for (size_t i = 0; i < length; ++i)
        word.push_back("aabbbcd"[random() % 7]);
      std::vector<std::string> texts;
      for (int32_t id : encodeWord(*model, word))
        texts.push_back(tokens[static_cast<size_t>(id)]);
      ASSERT_EQ(texts, naiveBpe(word, merges)) << word;
    }
  }
}

TEST(Bpe, AMegabyteWithoutSplitPointsIsNotQuadratic) {
  // Time itself is not tested: with a quadratic loop this takes hours and the test's timeout ends it.
  Merges merges;
  std::string token = "a";
  std::vector<std::string> tokens = {"a"};
  for (int i = 0; i < 12; ++i) {
    merges.emplace_back(token, token);
    token += token;
    tokens.push_back(token);
  }
  auto model = makeBpe(tokens, merges);
  EXPECT_EQ(encodeWord(*model, std::string(1 << 20, 'a')), Ids((1 << 20) / 4096, 12));
}

TEST(Bpe, ByteFallbackSpellsUnknownCharactersIfAllBytesExist) {
  BpeOptions options;
  options.byteFallback = true;
  options.unknownToken = "<unk>";
  auto model = makeBpe({"<unk>", "a", "<0xC3>", "<0xA9>"}, {}, options);
  EXPECT_EQ(encodeWord(*model, "a\u00E9a"), (Ids{1, 2, 3, 1}));
  EXPECT_EQ(encodeWord(*model, "\u00E8"), (Ids{0}));
}

TEST(Bpe, UnknownCharactersAreFusedOnlyOnRequest) {
  BpeOptions options;
  options.unknownToken = "<unk>";
  auto apart = makeBpe({"<unk>", "a"}, {}, options);
  options.fuseUnknown = true;
  auto fused = makeBpe({"<unk>", "a"}, {}, options);
  EXPECT_EQ(encodeWord(*apart, "xyaz"), (Ids{0, 0, 1, 0}));
  EXPECT_EQ(encodeWord(*fused, "xyaz"), (Ids{0, 1, 0}));
  auto without = makeBpe({"a"}, {});
  EXPECT_EQ(encodeWord(*without, "xyaz"), (Ids{0}));
}

TEST(Bpe, AMissingUnknownTokenIsAnErrorWhenItIsNeeded) {
  BpeOptions options;
  options.unknownToken = "<unk>";
  auto model = makeBpe({"a"}, {}, options);
  EXPECT_EQ(encodeWord(*model, "aa"), (Ids{0, 0}));
  Ids ids;
  Status status = model->encodeWord("x", false, ids);
  EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
  EXPECT_NE(status.message().find("<unk>"), std::string::npos);
}

TEST(Bpe, IgnoreMergesTakesWholeWordsFirst) {
  std::vector<std::string> tokens = {"a", "b", "c", "abc"};
  BpeOptions options;
  EXPECT_EQ(encodeWord(*makeBpe(tokens, {}, options), "abc"), (Ids{0, 1, 2}));
  options.ignoreMerges = true;
  EXPECT_EQ(encodeWord(*makeBpe(tokens, {}, options), "abc"), (Ids{3}));
}

TEST(Bpe, PrefixAndSuffixDecorateSymbols) {
  BpeOptions options;
  options.continuingSubwordPrefix = "##";
  options.endOfWordSuffix = "</w>";
  auto model = makeBpe({"a", "##b", "##c</w>", "ab", "abc</w>", "a</w>"},
                       {{"a", "##b"}, {"ab", "##c</w>"}}, options);
  EXPECT_EQ(encodeWord(*model, "abc"), (Ids{4}));
  EXPECT_EQ(encodeWord(*model, "a"), (Ids{5}));
}

TEST(Bpe, RawBytesAndTheirSpellingGiveTheSameIds) {
  std::mt19937_64 random(randomSeed());
  auto tokenizer = load(tokenizerFile(
      byteLevelModel({{"a", "b"}, {"\u00C3", "\u00A9"}, {"ab", "ab"}}),
      {{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}));
  // A stage behind ByteLevel keeps the bytes from being left to the model.
  auto spelled = load(tokenizerFile(
      byteLevelModel({{"a", "b"}, {"\u00C3", "\u00A9"}, {"ab", "ab"}}),
      {{"pre_tokenizer",
        {{"type", "Sequence"},
         {"pretokenizers",
          {{{"type", "ByteLevel"}, {"add_prefix_space", false}},
           {{"type", "WhitespaceSplit"}}}}}}}));
  ASSERT_TRUE(tokenizer && spelled);
  for (int round = 0; round < 300; ++round) {
    std::string text = randomText(random, 20) + "abab\u00E9";
    EXPECT_EQ(encode(*tokenizer, text), encode(*spelled, text)) << text;
  }
}

TEST(Bpe, BadMergesAreNamed) {
  nlohmann::json model = byteLevelModel();
  model["merges"] = {"a b"};
  EXPECT_NE(loadError(tokenizerFile(model)).message().find("'ab'"), std::string::npos);
  model["merges"] = {"a b c"};
  EXPECT_NE(loadError(tokenizerFile(model)).message().find("merge 0"), std::string::npos);
  model["merges"] = {{"a", 7}};
  EXPECT_EQ(loadError(tokenizerFile(model)).code(), ErrorCode::InvalidArgument);
  model = byteLevelModel();
  model["dropout"] = 0.1;
  EXPECT_EQ(loadError(tokenizerFile(model)).code(), ErrorCode::Unsupported);
  model = byteLevelModel();
  model["vocab"]["huge"] = 1 << 30;
  EXPECT_EQ(loadError(tokenizerFile(model)).code(), ErrorCode::OutOfRange);
}

} // namespace
} // namespace quire::text::test
