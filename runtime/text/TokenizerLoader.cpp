// TokenizerLoader: builds a Tokenizer from the files of a model directory.
#include "runtime/text/Bpe.h"
#include "runtime/text/JsonFields.h"
#include "runtime/text/Tokenizer.h"

#include <algorithm>
#include <fstream>
#include <unordered_map>

namespace quire::text {

namespace {

constexpr size_t kMaxFileBytes = size_t(1) << 30;

/// The contents of a file; nullopt if it does not exist.
Result<std::optional<std::string>> readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    return std::optional<std::string>();
  std::streamoff size = file.tellg();
  if (size < 0 || static_cast<size_t>(size) > kMaxFileBytes)
    return Status::error(ErrorCode::Io, path + " cannot be read as a file of at most " +
                                            std::to_string(kMaxFileBytes) + " bytes");
  std::string text(static_cast<size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(text.data(), size))
    return Status::error(ErrorCode::Io, path + " cannot be read");
  return std::optional<std::string>(std::move(text));
}

Status inFile(const std::string &path, const Status &status) {
  return status.isOk() ? status : Status::error(status.code(), path + ": " + status.message());
}

/// The stage below `name`, or nullptr when the file has none.
const JsonValue *stageOf(const JsonValue &root, std::string_view name) {
  const JsonValue *stage = root.find(name);
  return stage && !stage->isNull() ? stage : nullptr;
}

Result<TokenizerConfig> configFrom(std::string_view json) {
  if (json.empty())
    return TokenizerConfig();
  return parseTokenizerConfig(json);
}

} // namespace

/// An added token that the vocabulary has keeps that id; the others are numbered from the end of the
/// vocabulary in the order of the file, whatever id the file states: so Hugging Face tokenizers does
/// it, and in files that it wrote both agree. `add_bos_token` and `add_eos_token`, where given,
/// decide over the template, as they do in Hugging Face's tokenizer classes.
Status Tokenizer::finishLoading(const TokenizerConfig &config, std::vector<AddedToken> tokens) {
  std::erase_if(tokens, [](const AddedToken &token) { return token.content.empty(); });
  std::vector<std::string> spellings;
  idLimit = model->vocabulary().idLimit();
  std::unordered_map<std::string_view, int32_t> numbered;
  int32_t nextId = static_cast<int32_t>(model->tokenCount());
  for (AddedToken &token : tokens) {
    if (auto known = model->vocabulary().find(token.content))
      token.id = *known;
    else if (auto [entry, added] = numbered.try_emplace(token.content, nextId); added)
      token.id = nextId++;
    else
      token.id = entry->second;
    idLimit = std::max(idLimit, token.id + 1);
    NormalizedText spelling;
    spelling.text = token.content;
    spelling.sizeLimit = normalizedSizeLimit(token.content.size());
    if (normalizer && token.normalized)
      QUIRE_RETURN_IF_ERROR(normalizer->apply(spelling));
    spellings.push_back(std::move(spelling.text));
  }
  added = AddedTokens(std::move(tokens), std::move(spellings));
  bytesToModel = preTokenizer && preTokenizer->leaveBytesToModel();

  auto idOf = [&](const std::optional<std::string> &token) {
    return token ? tokenId(*token) : std::nullopt;
  };
  std::optional<int32_t> bos = idOf(config.bosToken), eos = idOf(config.eosToken);
  if (config.addBosToken && bos) {
    bool there = !post.prefix.empty() && post.prefix.front() == *bos;
    if (*config.addBosToken && !there)
      post.prefix.insert(post.prefix.begin(), *bos);
    if (!*config.addBosToken && there)
      post.prefix.erase(post.prefix.begin());
  }
  if (config.addEosToken && eos) {
    bool there = !post.suffix.empty() && post.suffix.back() == *eos;
    if (*config.addEosToken && !there)
      post.suffix.push_back(*eos);
    if (!*config.addEosToken && there)
      post.suffix.pop_back();
  }
  return Status::ok();
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::fromJson(std::string_view tokenizerJson,
                                                       std::string_view configJson) {
  QUIRE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::parse(tokenizerJson));
  const JsonValue &root = document.root();
  if (!root.isObject())
    return Status::error(ErrorCode::InvalidArgument, "tokenizer.json is no JSON object");
  QUIRE_ASSIGN_OR_RETURN(TokenizerConfig config, configFrom(configJson));

  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer());
  const JsonValue *model = stageOf(root, "model");
  if (!model)
    return missingField("file", "model", "an object");
  QUIRE_ASSIGN_OR_RETURN(tokenizer->model, parseModel(*model));
  if (const JsonValue *stage = stageOf(root, "normalizer")) {
    QUIRE_ASSIGN_OR_RETURN(tokenizer->normalizer, parseNormalizer(*stage));
  }
  if (const JsonValue *stage = stageOf(root, "pre_tokenizer")) {
    QUIRE_ASSIGN_OR_RETURN(tokenizer->preTokenizer, parsePreTokenizer(*stage));
  }
  if (const JsonValue *stage = stageOf(root, "post_processor")) {
    QUIRE_ASSIGN_OR_RETURN(tokenizer->post, parsePostProcessor(*stage));
  }
  if (const JsonValue *stage = stageOf(root, "decoder")) {
    QUIRE_ASSIGN_OR_RETURN(tokenizer->decoder, parseDecoder(*stage));
  }

  std::vector<AddedToken> added;
  if (const JsonValue *list = stageOf(root, "added_tokens")) {
    if (!list->isArray())
      return missingField("file", "added_tokens", "an array");
    for (const JsonValue &entry : list->children()) {
      QUIRE_ASSIGN_OR_RETURN(AddedToken token, parseAddedToken(entry));
      const JsonValue *id = entry.find("id");
      if (!id || !id->isInteger() || id->asInteger() < 0 || id->asInteger() >= Vocabulary::kMaxId)
        return missingField("added token '" + token.content + "'", "id",
                            "an id below " + std::to_string(Vocabulary::kMaxId));
      token.id = static_cast<int32_t>(id->asInteger());
      added.push_back(std::move(token));
    }
  }
  QUIRE_RETURN_IF_ERROR(tokenizer->finishLoading(config, std::move(added)));
  return tokenizer;
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::fromVocabAndMerges(std::string_view vocabJson,
                                                                 std::string_view mergesText,
                                                                 std::string_view configJson) {
  QUIRE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::parse(vocabJson));
  QUIRE_ASSIGN_OR_RETURN(TokenizerConfig config, configFrom(configJson));
  if (!document.root().isObject())
    return Status::error(ErrorCode::InvalidArgument, "vocab.json is no JSON object");
  Vocabulary vocabulary;
  for (const JsonValue &token : document.root().children()) {
    if (!token.isInteger())
      return Status::error(ErrorCode::InvalidArgument,
                           "vocab.json: '" + std::string(token.key()) + "' has no integer id");
    QUIRE_RETURN_IF_ERROR(vocabulary.add(token.key(), token.asInteger()));
  }

  std::vector<BpeModel::Merge> merges;
  for (size_t at = 0, line = 1; at < mergesText.size(); ++line) {
    std::string_view text = mergesText.substr(at, mergesText.find('\n', at) - at);
    at += text.size() + 1;
    if (text.ends_with('\r'))
      text.remove_suffix(1);
    if (text.starts_with("#version") || text.empty())
      continue;
    size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
      return Status::error(ErrorCode::InvalidArgument, "merges.txt: line " + std::to_string(line) +
                                                           " is not 'left right'");
    merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }

  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer());
  QUIRE_ASSIGN_OR_RETURN(tokenizer->model,
                         BpeModel::create(std::move(vocabulary), merges, BpeOptions()));
  QUIRE_ASSIGN_OR_RETURN(tokenizer->preTokenizer,
                         makeByteLevelPreTokenizer(config.addPrefixSpace, /*useRegex=*/true));
  tokenizer->decoder = makeByteLevelDecoder();

  std::vector<AddedToken> added = config.addedTokens;
  if (added.empty())
    for (const auto *named :
         {&config.bosToken, &config.eosToken, &config.unkToken, &config.padToken}) {
      auto id = *named ? tokenizer->model->vocabulary().find(**named) : std::nullopt;
      if (id)
        added.push_back({.content = **named, .id = *id, .normalized = false, .special = true});
    }
  QUIRE_RETURN_IF_ERROR(tokenizer->finishLoading(config, std::move(added)));
  return tokenizer;
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::fromDirectory(const std::string &directory) {
  std::string configPath = directory + "/tokenizer_config.json";
  QUIRE_ASSIGN_OR_RETURN(std::optional<std::string> config, readFile(configPath));
  std::string configText = config.value_or("");
  if (auto parsed = configFrom(configText); !parsed.isOk())
    return inFile(configPath, parsed.status());

  std::string jsonPath = directory + "/tokenizer.json";
  QUIRE_ASSIGN_OR_RETURN(std::optional<std::string> json, readFile(jsonPath));
  if (json) {
    auto tokenizer = fromJson(*json, configText);
    if (!tokenizer.isOk())
      return inFile(jsonPath, tokenizer.status());
    return tokenizer;
  }
  std::string vocabPath = directory + "/vocab.json";
  QUIRE_ASSIGN_OR_RETURN(std::optional<std::string> vocab, readFile(vocabPath));
  QUIRE_ASSIGN_OR_RETURN(std::optional<std::string> merges, readFile(directory + "/merges.txt"));
  if (!vocab || !merges)
    return Status::error(ErrorCode::NotFound,
                         directory + " holds neither tokenizer.json nor vocab.json and merges.txt");
  auto tokenizer = fromVocabAndMerges(*vocab, *merges, configText);
  if (!tokenizer.isOk())
    return inFile(vocabPath, tokenizer.status());
  return tokenizer;
}

} // namespace quire::text
