// Parity: ids and decoded texts agree with Hugging Face's `tokenizers` on the golden files that
// tests/golden/tokenizers/make_goldens.py made: 10 000 lines of mixed text for the real tokenizers,
// the first lines of them for small synthetic ones.
#include "TestSupport.h"

#include "runtime/text/StreamDecoder.h"

namespace quire::text::test {
namespace {

void compareWithGolden(const Tokenizer &tokenizer, const std::string &name, size_t minimumLines) {
  std::vector<std::string> lines = splitLines(readGolden("lines.jsonl.xz"));
  std::vector<std::string> goldens = splitLines(readGolden(name + ".golden.xz"));
  ASSERT_GE(goldens.size(), minimumLines);
  ASSERT_LE(goldens.size(), lines.size());
  size_t failures = 0;
  for (size_t i = 0; i < goldens.size() && failures < 10; ++i) {
    std::string line = nlohmann::json::parse(lines[i]).get<std::string>();
    auto golden = nlohmann::json::parse(goldens[i]);
    auto expected = golden["i"].get<std::vector<int32_t>>();
    auto plain = golden.value("n", expected);
    std::vector<int32_t> ids = encode(tokenizer, line);
    std::vector<int32_t> plainIds =
        encode(tokenizer, line, {.addSpecial = false, .parseSpecial = false});
    std::string decoded = decode(tokenizer, expected);
    EXPECT_EQ(ids, expected) << name << ", line " << i << ": " << lines[i];
    EXPECT_EQ(plainIds, plain) << name << " without specials, line " << i << ": " << lines[i];
    EXPECT_EQ(decoded, golden.value("d", line)) << name << ", line " << i << ": " << lines[i];

    StreamDecoder stream(tokenizer);
    std::string streamed;
    for (int32_t id : expected) {
      auto text = stream.push(id);
      ASSERT_TRUE(text.isOk()) << text.status().message();
      streamed += *text;
    }
    streamed += stream.finish();
    EXPECT_EQ(streamed, decoded) << name << " as a stream, line " << i << ": " << lines[i];
    failures += ids != expected || plainIds != plain || decoded != golden.value("d", line) ||
                streamed != decoded;
  }
}

class RealTokenizer : public testing::TestWithParam<const char *> {};

TEST_P(RealTokenizer, AgreesWithHuggingFaceOnTenThousandLines) {
  std::string path =
      sharedData() + "/tokenizers/" + std::string(GetParam()) + "/tokenizer.json.xz";
  auto json = readXz(path);
  if (!json)
    GTEST_SKIP() << "SKIPPED: " << path << " is absent; put the shared data beside the project";
  auto tokenizer = load(*json);
  ASSERT_TRUE(tokenizer);
  compareWithGolden(*tokenizer, GetParam(), 10000);
}

INSTANTIATE_TEST_SUITE_P(Parity, RealTokenizer, testing::Values("gpt2", "qwen2_5"));

class SyntheticTokenizer : public testing::TestWithParam<const char *> {};

TEST_P(SyntheticTokenizer, AgreesWithHuggingFace) {
  auto tokenizer = load(readGolden(std::string(GetParam()) + ".tokenizer.xz"));
  ASSERT_TRUE(tokenizer);
  compareWithGolden(*tokenizer, GetParam(), 500);
}

INSTANTIATE_TEST_SUITE_P(Parity, SyntheticTokenizer,
                         testing::Values("prepend_bpe", "metaspace_bpe", "replace_split_bpe",
                                         "ignore_merges_bpe", "nfc_bpe", "gpt_regex_bpe",
                                         "word_stages_bpe", "unigram", "precompiled_unigram"));

} // namespace
} // namespace quire::text::test
