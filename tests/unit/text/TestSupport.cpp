// TestSupport: see the header.
#include "TestSupport.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <lzma.h>

#include <fstream>
#include <iterator>

namespace quire::text::test {

std::optional<std::string> readXz(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return std::nullopt;
  std::string packed((std::istreambuf_iterator<char>(file)), {});
  lzma_stream stream = LZMA_STREAM_INIT;
  EXPECT_EQ(lzma_stream_decoder(&stream, UINT64_MAX, 0), LZMA_OK);
  stream.next_in = reinterpret_cast<const uint8_t *>(packed.data());
  stream.avail_in = packed.size();
  std::string text;
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK) {
    char buffer[1 << 16];
    stream.next_out = reinterpret_cast<uint8_t *>(buffer);
    stream.avail_out = sizeof buffer;
    result = lzma_code(&stream, LZMA_FINISH);
    text.append(buffer, sizeof buffer - stream.avail_out);
  }
  lzma_end(&stream);
  EXPECT_EQ(result, LZMA_STREAM_END) << path << " is corrupt";
  return text;
}

std::string readGolden(const std::string &name) {
  auto text = readXz(std::string(QUIRE_SOURCE_DIR) + "/tests/golden/tokenizers/" + name);
  EXPECT_TRUE(text) << "the golden file " << name << " is missing";
  return text.value_or("");
}

std::vector<std::string> splitLines(const std::string &text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

std::string sharedData() { return std::string(QUIRE_SOURCE_DIR) + "/../shared/data"; }

std::unique_ptr<Tokenizer> load(const std::string &json, const std::string &config) {
  auto tokenizer = Tokenizer::fromJson(json, config);
  EXPECT_TRUE(tokenizer.isOk()) << tokenizer.status().message();
  return tokenizer.isOk() ? tokenizer.takeValue() : nullptr;
}

Status loadError(const std::string &json, const std::string &config) {
  auto tokenizer = Tokenizer::fromJson(json, config);
  EXPECT_FALSE(tokenizer.isOk()) << "this file should have been refused";
  return tokenizer.status();
}

std::string tokenizerFile(const nlohmann::json &model, const nlohmann::json &stages) {
  nlohmann::json file = {{"version", "1.0"}, {"model", model}};
  file.update(stages);
  return file.dump();
}

nlohmann::json byteLevelModel(const std::vector<std::pair<std::string, std::string>> &merges) {
  nlohmann::json vocab = nlohmann::json::object(), list = nlohmann::json::array();
  for (int byte = 0; byte < 256; ++byte) {
    std::string spelling;
    appendChar(spelling, charOfByte(static_cast<uint8_t>(byte)));
    vocab[spelling] = byte;
  }
  for (const auto &[left, right] : merges) {
    if (!vocab.contains(left + right))
      vocab[left + right] = vocab.size();
    list.push_back({left, right});
  }
  return {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}};
}

std::vector<int32_t> encode(const Tokenizer &tokenizer, std::string_view text,
                            EncodeOptions options) {
  auto ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.isOk()) << ids.status().message();
  return ids.isOk() ? ids.takeValue() : std::vector<int32_t>();
}

std::string decode(const Tokenizer &tokenizer, const std::vector<int32_t> &ids, bool skipSpecial) {
  auto text = tokenizer.decode(ids, skipSpecial);
  EXPECT_TRUE(text.isOk()) << text.status().message();
  return text.isOk() ? text.takeValue() : std::string();
}

std::string randomText(std::mt19937_64 &random, size_t maxChars) {
  static constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x20, 0x7E},     {0x61, 0x7A},     {0x61, 0x66},       {0x09, 0x0D},   {0xC0, 0x17F},
      {0x300, 0x310},   {0x400, 0x44F},   {0x5D0, 0x5EA},     {0x900, 0x94D}, {0x2000, 0x200D},
      {0x3041, 0x3094}, {0x4E00, 0x4E80}, {0x1F600, 0x1F640}, {0xAC00, 0xAC80}};
  std::string text;
  size_t chars = random() % (maxChars + 1);
  for (size_t i = 0; i < chars; ++i) {
    auto [first, last] = kRanges[random() % std::size(kRanges)];
    appendChar(text, first + static_cast<char32_t>(random() % (last - first + 1)));
  }
  return text;
}

} // namespace quire::text::test
