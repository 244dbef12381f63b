// StreamDecoder: pieces are valid UTF-8 at every moment and concatenate to what decode() gives,
// for every kind of decoder.
#include "TestSupport.h"

#include "runtime/text/StreamDecoder.h"
#include "runtime/text/Utf8.h"

namespace quire::text::test {
namespace {

std::vector<std::string> stream(const Tokenizer &tokenizer, const std::vector<int32_t> &ids,
                                bool skipSpecial = true) {
  StreamDecoder decoder(tokenizer, skipSpecial);
  std::vector<std::string> pieces;
  for (int32_t id : ids) {
    auto piece = decoder.push(id);
    EXPECT_TRUE(piece.isOk()) << piece.status().message();
    pieces.push_back(piece.isOk() ? *piece : "");
    EXPECT_EQ(findInvalidUtf8(pieces.back()), std::string_view::npos);
  }
  pieces.push_back(decoder.finish());
  return pieces;
}

std::string join(const std::vector<std::string> &pieces) {
  std::string text;
  for (const std::string &piece : pieces)
    text += piece;
  return text;
}

using Pieces = std::vector<std::string>;

TEST(StreamDecoder, WaitsForTheLastByteOfACharacter) {
  auto tokenizer =
      load(tokenizerFile(byteLevelModel(), {{"decoder", {{"type", "ByteLevel"}}}}));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(stream(*tokenizer, {'a', 0xF0, 0x9F, 0x98, 0x80, 'b'}),
            (Pieces{"a", "", "", "", "\U0001F600", "b", ""}));
  EXPECT_EQ(stream(*tokenizer, {0xE2, 0x82, 'x'}), (Pieces{"", "", "\uFFFDx", ""}));
  EXPECT_EQ(stream(*tokenizer, {0xE2, 0x82}), (Pieces{"", "", "\uFFFD"}));
  EXPECT_EQ(stream(*tokenizer, {0xFF, 'a', -1, 99999}), (Pieces{"\uFFFD", "a", "", "", ""}));
}

TEST(StreamDecoder, AnyIdsOfByteLevelVocabulariesGiveWhatDecodeGives) {
  std::mt19937_64 random(randomSeed());
  auto tokenizer =
      load(tokenizerFile(byteLevelModel(), {{"decoder", {{"type", "ByteLevel"}}}}));
  ASSERT_TRUE(tokenizer);
  for (int round = 0; round < 500; ++round) {
    std::vector<int32_t> ids(random() % 20);
    for (int32_t &id : ids)
      id = static_cast<int32_t>(random() % 2 ? random() % 256 : 0x80 + random() % 0x40);
    EXPECT_EQ(join(stream(*tokenizer, ids)), decode(*tokenizer, ids));
  }
}

class StreamOfSynthetic : public testing::TestWithParam<const char *> {};

TEST_P(StreamOfSynthetic, RandomIdsGiveWhatDecodeGivesWhereTheyFormText) {
  std::mt19937_64 random(randomSeed());
  auto tokenizer = load(readGolden(std::string(GetParam()) + ".tokenizer.xz"));
  ASSERT_TRUE(tokenizer);
  int compared = 0;
  for (int round = 0; round < 1500; ++round) {
    std::vector<int32_t> ids(random() % 12);
    for (int32_t &id : ids)
      id = static_cast<int32_t>(random() % static_cast<uint64_t>(tokenizer->vocabSize() + 2));
    bool skipSpecial = random() % 2;
    std::string decoded = decode(*tokenizer, ids, skipSpecial);
    std::string streamed = join(stream(*tokenizer, ids, skipSpecial));
    if (decoded.find("\uFFFD") != std::string::npos)
      continue; // Runs of bytes that form no text may differ, as the header says.
    ++compared;
    EXPECT_EQ(streamed, decoded) << testing::PrintToString(ids);
  }
  EXPECT_GT(compared, 100);
}

INSTANTIATE_TEST_SUITE_P(Decoders, StreamOfSynthetic,
                         testing::Values("prepend_bpe", "metaspace_bpe", "replace_split_bpe",
                                         "ignore_merges_bpe", "word_stages_bpe", "unigram",
                                         "precompiled_unigram"));

TEST(StreamDecoder, KeepsSpacesBehindTokensThatShowNothing) {
  auto tokenizer = load(readGolden("prepend_bpe.tokenizer.xz"));
  ASSERT_TRUE(tokenizer);
  std::string text = "  two  spaces and   three";
  std::vector<int32_t> ids = encode(*tokenizer, text);
  // Special tokens in between are skipped and must not make the next word a first word.
  std::vector<int32_t> mixed;
  for (int32_t id : ids) {
    mixed.push_back(id);
    mixed.push_back(*tokenizer->tokenId("</s>"));
  }
  EXPECT_EQ(join(stream(*tokenizer, mixed)), text);
  // A run of single spaces, longer than any window.
  std::vector<int32_t> spaces(40, *tokenizer->tokenId("\u2581"));
  EXPECT_EQ(join(stream(*tokenizer, spaces)), std::string(39, ' '));
}

} // namespace
} // namespace quire::text::test
