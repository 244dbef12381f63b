// Unigram: Viterbi against exhaustive search, and unknown characters.
#include "TestSupport.h"

#include "runtime/text/Unigram.h"

#include <cmath>

namespace quire::text::test {
namespace {

using Ids = std::vector<int32_t>;
using Pieces = std::vector<std::pair<std::string, double>>;

std::unique_ptr<UnigramModel> makeUnigram(const Pieces &pieces, std::optional<int64_t> unknown,
                                          bool byteFallback = false) {
  std::vector<std::pair<std::string_view, double>> views(pieces.begin(), pieces.end());
  auto model = UnigramModel::create(views, unknown, byteFallback);
  EXPECT_TRUE(model.isOk()) << model.status().message();
  return model.isOk() ? model.takeValue() : nullptr;
}

Ids encodeWord(const UnigramModel &model, std::string_view word) {
  Ids ids;
  Status status = model.encodeWord(word, false, ids);
  EXPECT_TRUE(status.isOk()) << status.message();
  return ids;
}

/// The best total score of any segmentation, by trying all of them.
double bestScore(const Pieces &pieces, std::string_view word) {
  if (word.empty())
    return 0;
  double best = -INFINITY;
  for (const auto &[text, score] : pieces)
    if (word.starts_with(text))
      best = std::max(best, score + bestScore(pieces, word.substr(text.size())));
  return best;
}

TEST(Unigram, FindsTheMostProbableSegmentation) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 200; ++round) {
    Pieces pieces = {{"a", -3.5}, {"b", -4.25}, {"c", -5}};
    for (int i = 0; i < 8; ++i) {
      std::string text;
      for (size_t length = 2 + random() % 3; text.size() < length;)
        text.push_back("abc"[random() % 3]);
      pieces.emplace_back(text, -2.0 - static_cast<double>(random() % 64) / 8);
    }
    // Of equal texts the last one counts; the oracle would see the better one.
    for (size_t i = 0; i < pieces.size(); ++i)
      for (size_t k = i + 1; k < pieces.size(); ++k)
        if (pieces[i].first == pieces[k].first)
          pieces[i].second = pieces[k].second;
    auto model = makeUnigram(pieces, std::nullopt);
    ASSERT_TRUE(model);
    std::string word;
    for (size_t i = 0; i < 1 + random() % 10; ++i)
      word.push_back("abc"[random() % 3]);
    double score = 0;
    std::string joined;
    for (int32_t id : encodeWord(*model, word)) {
      score += pieces[static_cast<size_t>(id)].second;
      joined += pieces[static_cast<size_t>(id)].first;
    }
    EXPECT_EQ(joined, word);
    EXPECT_DOUBLE_EQ(score, bestScore(pieces, word)) << word;
  }
}

TEST(Unigram, ARunOfUnknownCharactersIsOneToken) {
  auto model = makeUnigram({{"<unk>", 0}, {"a", -1}}, 0);
  EXPECT_EQ(encodeWord(*model, "a\u00E9\u4E00xa"), (Ids{1, 0, 1}));
  EXPECT_EQ(encodeWord(*model, "xx"), (Ids{0}));
  EXPECT_EQ(encodeWord(*model, ""), (Ids{}));
}

TEST(Unigram, ByteFallbackSpellsUnknownRuns) {
  auto model =
      makeUnigram({{"<unk>", 0}, {"a", -1}, {"<0xC3>", -9}, {"<0xA9>", -9}}, 0, true);
  EXPECT_EQ(encodeWord(*model, "a\u00E9"), (Ids{1, 2, 3}));
  EXPECT_EQ(encodeWord(*model, "a\u00E8\u00E9"), (Ids{1, 0})) << "a run is spelled whole or not";
}

TEST(Unigram, WithoutAnUnknownTokenUnknownCharactersAreAnError) {
  auto model = makeUnigram({{"a", -1}}, std::nullopt);
  Ids ids;
  EXPECT_EQ(model->encodeWord("ab", false, ids).code(), ErrorCode::InvalidArgument);
}

TEST(Unigram, BadFilesAreRefused) {
  using nlohmann::json;
  json good = {{"type", "Unigram"}, {"unk_id", 0},
               {"vocab", json::array({json::array({"<unk>", 0.0}), json::array({"a", -1.0})})}};
  EXPECT_TRUE(load(tokenizerFile(good)));
  json bad = good;
  bad["unk_id"] = 2;
  EXPECT_EQ(loadError(tokenizerFile(bad)).code(), ErrorCode::OutOfRange);
  bad = good;
  bad["vocab"][1] = json::array({"a", "b"});
  EXPECT_EQ(loadError(tokenizerFile(bad)).code(), ErrorCode::InvalidArgument);
}

TEST(Unigram, AMegabyteIsLinear) {
  auto model = makeUnigram({{"<unk>", 0}, {"a", -1}, {"aaaa", -1.5}}, 0);
  EXPECT_EQ(encodeWord(*model, std::string(1 << 20, 'a')).size(), (1u << 20) / 4);
}

} // namespace
} // namespace quire::text::test
