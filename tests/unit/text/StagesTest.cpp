// Stages: single normalizers, pre-tokenizers and decoders agree with Hugging Face's on golden
// cases, refuse what they do not know by name, and keep hostile chains within their limits.
#include "TestSupport.h"

namespace quire::text::test {
namespace {

using nlohmann::json;

/// Runs visit(case, stage JSON) for every golden case of one kind and returns their number.
template <class Visit> size_t forEachCase(const std::string &kind, Visit visit) {
  size_t count = 0;
  for (const std::string &line : splitLines(readGolden("stages.jsonl.xz"))) {
    json entry = json::parse(line);
    if (entry["stage"] != kind)
      continue;
    auto document = JsonDocument::parse(entry["json"].dump());
    EXPECT_TRUE(document.isOk());
    visit(entry, document->root());
    ++count;
  }
  return count;
}

TEST(Stages, NormalizersAgreeWithHuggingFace) {
  size_t cases = forEachCase("normalizer", [](const json &entry, const JsonValue &stage) {
    auto normalizer = parseNormalizer(stage);
    ASSERT_TRUE(normalizer.isOk()) << normalizer.status().message();
    NormalizedText text;
    text.text = entry["in"].get<std::string>();
    text.sizeLimit = normalizedSizeLimit(text.text.size());
    Status status = (*normalizer)->apply(text);
    ASSERT_TRUE(status.isOk()) << status.message();
    EXPECT_EQ(text.text, entry["out"].get<std::string>()) << entry.dump();
  });
  EXPECT_GE(cases, 500u);
}

TEST(Stages, PreTokenizersAgreeWithHuggingFace) {
  size_t cases = forEachCase("pre_tokenizer", [](const json &entry, const JsonValue &stage) {
    auto preTokenizer = parsePreTokenizer(stage);
    ASSERT_TRUE(preTokenizer.isOk()) << preTokenizer.status().message();
    PieceList list;
    list.text = entry["in"].get<std::string>();
    list.sizeLimit = normalizedSizeLimit(list.text.size());
    if (!list.text.empty())
      list.pieces = {{0, static_cast<uint32_t>(list.text.size()), true}};
    Status status = (*preTokenizer)->apply(list);
    ASSERT_TRUE(status.isOk()) << status.message();
    std::vector<std::string> pieces;
    for (const Piece &piece : list.pieces)
      pieces.emplace_back(list.textOf(piece));
    EXPECT_EQ(pieces, entry["out"].get<std::vector<std::string>>()) << entry.dump();
  });
  EXPECT_GE(cases, 1000u);
}

TEST(Stages, DecodersAgreeWithHuggingFace) {
  size_t cases = forEachCase("decoder", [](const json &entry, const JsonValue &stage) {
    auto decoder = parseDecoder(stage);
    ASSERT_TRUE(decoder.isOk()) << decoder.status().message();
    auto tokens = entry["in"].get<std::vector<std::string>>();
    Status status = (*decoder)->apply(tokens, {DecodeForm::Text, normalizedSizeLimit(1000)});
    ASSERT_TRUE(status.isOk()) << status.message();
    std::string text;
    for (const std::string &token : tokens)
      text += token;
    EXPECT_EQ(text, entry["out"].get<std::string>()) << entry.dump();
  });
  EXPECT_GE(cases, 300u);
}

TEST(Stages, UnknownStageIsAnErrorThatNamesIt) {
  json model = byteLevelModel();
  for (const char *role : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    Status status = loadError(tokenizerFile(model, {{role, {{"type", "Frobnicate"}}}}));
    EXPECT_EQ(status.code(), ErrorCode::Unsupported) << role;
    EXPECT_NE(status.message().find("Frobnicate"), std::string::npos) << status.message();
    EXPECT_NE(status.message().find(role), std::string::npos) << status.message();
  }
  Status status = loadError(tokenizerFile({{"type", "WordPiece"}, {"vocab", json::object()}}));
  EXPECT_EQ(status.code(), ErrorCode::Unsupported);
  EXPECT_NE(status.message().find("WordPiece"), std::string::npos) << status.message();
}

TEST(Stages, UnknownStageInsideOfASequenceIsFound) {
  json inner = {{"type", "Sequence"}, {"decoders", {{{"type", "Fuse"}}, {{"type", "CTC"}}}}};
  Status status = loadError(tokenizerFile(byteLevelModel(), {{"decoder", inner}}));
  EXPECT_NE(status.message().find("'CTC'"), std::string::npos) << status.message();
}

TEST(Stages, ReplacementsThatMultiplyAreStopped) {
  json stages = json::array();
  for (int i = 0; i < 30; ++i)
    stages.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
  auto tokenizer = load(tokenizerFile(
      byteLevelModel(), {{"normalizer", {{"type", "Sequence"}, {"normalizers", stages}}}}));
  ASSERT_TRUE(tokenizer);
  auto ids = tokenizer->encode("aaaa");
  ASSERT_FALSE(ids.isOk());
  EXPECT_EQ(ids.status().code(), ErrorCode::ResourceExhausted);
}

TEST(Stages, CatastrophicRegexGivesUpWithAnError) {
  json split = {{"type", "Split"},
                {"pattern", {{"Regex", "(a+)+b"}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  auto tokenizer = load(tokenizerFile(byteLevelModel(), {{"pre_tokenizer", split}}));
  ASSERT_TRUE(tokenizer);
  auto ids = tokenizer->encode(std::string(2000, 'a') + "cb");
  ASSERT_FALSE(ids.isOk());
  EXPECT_EQ(ids.status().code(), ErrorCode::ResourceExhausted) << ids.status().message();
}

TEST(Stages, TemplatesPutTokensAroundTheText) {
  auto special = [](const char *name) { return json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; };
  json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json tokens = {{"<s>", {{"id", "<s>"}, {"ids", {65, 66}}, {"tokens", {"A", "B"}}}},
                 {"</s>", {{"id", "</s>"}, {"ids", {67}}, {"tokens", {"C"}}}}};
  json once = {{"type", "TemplateProcessing"},
               {"single", {special("<s>"), text, special("</s>")}},
               {"special_tokens", tokens}};
  json twice = {{"type", "Sequence"}, {"processors", {once, {{"type", "ByteLevel"}}, once}}};
  auto one = load(tokenizerFile(byteLevelModel(), {{"post_processor", once}}));
  auto two = load(tokenizerFile(byteLevelModel(), {{"post_processor", twice}}));
  ASSERT_TRUE(one && two);
  EXPECT_EQ(encode(*one, "a"), (std::vector<int32_t>{65, 66, 97, 67}));
  EXPECT_EQ(encode(*two, "a"), (std::vector<int32_t>{65, 66, 65, 66, 97, 67, 67}));
  EXPECT_EQ(encode(*one, "a", {.addSpecial = false}), (std::vector<int32_t>{97}));

  json missing = once;
  missing["special_tokens"].erase("</s>");
  Status status = loadError(tokenizerFile(byteLevelModel(), {{"post_processor", missing}}));
  EXPECT_NE(status.message().find("</s>"), std::string::npos) << status.message();
  json doubled = once;
  doubled["single"].push_back(text);
  EXPECT_EQ(loadError(tokenizerFile(byteLevelModel(), {{"post_processor", doubled}})).code(),
            ErrorCode::Unsupported);
}

} // namespace
} // namespace quire::text::test
