// TokenizerFiles: loading from a model directory, the fall-back to vocab.json and merges.txt, the
// configuration, and bad input: one clear error each.
#include "TestSupport.h"
#include "tests/support/TemporaryFolder.h"

#include <filesystem>
#include <fstream>
#include <thread>

namespace quire::text::test {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

class TokenizerFiles : public testing::Test {
protected:
  void write(const char *name, const std::string &text) { temporary.write(name, text); }

  quire::test::TemporaryFolder temporary;
  std::filesystem::path folder = temporary.path();
};

json byteLevelFile() {
  return json::parse(tokenizerFile(
      byteLevelModel({{"a", "b"}}),
      {{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
       {"decoder", {{"type", "ByteLevel"}}},
       {"added_tokens", {{{"id", 257}, {"content", "<s>"}, {"special", true}},
                         {{"id", 258}, {"content", "</s>"}, {"special", true}}}}}));
}

TEST_F(TokenizerFiles, VocabAndMergesGiveWhatTokenizerJsonGives) {
  json file = byteLevelFile();
  write("tokenizer.json", file.dump());
  auto whole = Tokenizer::fromDirectory(folder);
  ASSERT_TRUE(whole.isOk()) << whole.status().message();

  std::filesystem::remove(folder / "tokenizer.json");
  file["model"]["vocab"]["<s>"] = 257;
  write("vocab.json", file["model"]["vocab"].dump());
  write("merges.txt", "#version: 0.2\na b\n");
  write("tokenizer_config.json", R"({"bos_token": {"content": "<s>"}, "eos_token": "<s>"})");
  auto parts = Tokenizer::fromDirectory(folder);
  ASSERT_TRUE(parts.isOk()) << parts.status().message();
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 200; ++round) {
    std::string text = randomText(random, 20) + "<s>abab";
    EXPECT_EQ(encode(**parts, text), encode(**whole, text)) << text;
  }
}

TEST_F(TokenizerFiles, TheConfigurationDecidesAboutStartAndEnd) {
  auto idsWith = [](const json &config) {
    auto tokenizer = load(byteLevelFile().dump(), config.dump());
    return tokenizer ? encode(*tokenizer, "ab") : Ids();
  };
  json config = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  EXPECT_EQ(idsWith(config), (Ids{256}));
  config["add_bos_token"] = true;
  EXPECT_EQ(idsWith(config), (Ids{257, 256}));
  config["add_eos_token"] = true;
  EXPECT_EQ(idsWith(config), (Ids{257, 256, 258}));

  json file = byteLevelFile();
  file["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"<s>", 257}}, {"sep", {"</s>", 258}}};
  auto tokenizer = load(file.dump(), config.dump());
  EXPECT_EQ(encode(*tokenizer, "ab"), (Ids{257, 256, 258})) << "added once, not twice";
  config["add_bos_token"] = false;
  tokenizer = load(file.dump(), config.dump());
  EXPECT_EQ(encode(*tokenizer, "ab"), (Ids{256, 258}));
}

TEST_F(TokenizerFiles, BadFilesAreNamedWithTheirFault) {
  struct Case {
    const char *file;
    std::string text;
    const char *fault;
  };
  json noModel = byteLevelFile(), badId = byteLevelFile(), deep = byteLevelFile();
  noModel.erase("model");
  badId["added_tokens"][0]["id"] = -4;
  std::string nested(200, '[');
  const Case cases[] = {
      {"tokenizer.json", "{\"model\": ", "syntax error near byte"},
      {"tokenizer.json", "[1, 2]", "no JSON object"},
      {"tokenizer.json", noModel.dump(), "'model'"},
      {"tokenizer.json", badId.dump(), "<s>"},
      {"tokenizer.json", nested, "deeper than 64"},
      {"tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\xFF\": 1}}}", "syntax"},
      {"tokenizer_config.json", "{\"add_bos_token\": 3}", "add_bos_token"},
  };
  for (const Case &c : cases) {
    write("tokenizer.json", byteLevelFile().dump());
    write("tokenizer_config.json", "{}");
    write(c.file, c.text);
    auto loaded = Tokenizer::fromDirectory(folder);
    ASSERT_FALSE(loaded.isOk()) << c.fault;
    EXPECT_NE(loaded.status().message().find(c.fault), std::string::npos)
        << loaded.status().message();
    EXPECT_NE(loaded.status().message().find(c.file), std::string::npos)
        << loaded.status().message();
  }
}

TEST_F(TokenizerFiles, AnEmptyDirectoryNamesWhatIsMissing) {
  auto loaded = Tokenizer::fromDirectory(folder);
  ASSERT_FALSE(loaded.isOk());
  EXPECT_EQ(loaded.status().code(), ErrorCode::NotFound);
  EXPECT_NE(loaded.status().message().find("tokenizer.json"), std::string::npos);
  write("vocab.json", "{\"a\": 0}");
  write("merges.txt", "#version: 0.2\na\n");
  loaded = Tokenizer::fromDirectory(folder);
  ASSERT_FALSE(loaded.isOk());
  EXPECT_NE(loaded.status().message().find("line 2"), std::string::npos)
      << loaded.status().message();
}

TEST_F(TokenizerFiles, InvalidUtf8IsAnErrorWithItsOffset) {
  auto tokenizer = load(byteLevelFile().dump());
  auto ids = tokenizer->encode("abc\xE2\x82!");
  ASSERT_FALSE(ids.isOk());
  EXPECT_EQ(ids.status().code(), ErrorCode::InvalidArgument);
  EXPECT_NE(ids.status().message().find("byte 3"), std::string::npos) << ids.status().message();
  EXPECT_EQ(encode(*tokenizer, ""), Ids());
}

TEST_F(TokenizerFiles, ManyThreadsShareATokenizer) {
  auto tokenizer = load(readGolden("nfc_bpe.tokenizer.xz"));
  ASSERT_TRUE(tokenizer);
  std::vector<std::string> lines = splitLines(readGolden("lines.jsonl.xz"));
  lines.resize(400);
  std::vector<Ids> alone;
  for (const std::string &line : lines)
    alone.push_back(encode(*tokenizer, line));
  std::vector<int> differences(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < differences.size(); ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < lines.size(); ++i) {
        size_t line = (i * 7 + t * 101) % lines.size();
        auto ids = tokenizer->encode(lines[line]);
        differences[t] += !ids.isOk() || *ids != alone[line];
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(differences, std::vector<int>(4, 0));
}

} // namespace
} // namespace quire::text::test
