// TokenizerConfig: see the header.
#include "runtime/text/TokenizerConfig.h"

#include "runtime/text/JsonFields.h"
#include "runtime/text/Vocabulary.h"

#include <charconv>

namespace quire::text {

namespace {

/// A token is written as its text or as an object with "content".
Result<std::optional<std::string>> tokenField(const JsonValue &json, std::string_view name) {
  const JsonValue *field = json.find(name);
  if (field && field->isObject())
    field = field->find("content");
  if (!field || field->isNull())
    return std::optional<std::string>();
  if (!field->isString())
    return missingField("configuration", name, "a token's text");
  return std::optional<std::string>(field->asString());
}

Result<std::optional<bool>> optionalBool(const JsonValue &json, std::string_view name) {
  const JsonValue *field = json.find(name);
  if (!field || field->isNull())
    return std::optional<bool>();
  if (!field->isBool())
    return missingField("configuration", name, "true or false");
  return std::optional<bool>(field->asBool());
}

} // namespace

Result<AddedToken> parseAddedToken(const JsonValue &json) {
  constexpr std::string_view kStage = "added token";
  AddedToken token;
  QUIRE_ASSIGN_OR_RETURN(token.content, requiredString(json, kStage, "content"));
  QUIRE_ASSIGN_OR_RETURN(token.special, boolField(json, kStage, "special", false));
  QUIRE_ASSIGN_OR_RETURN(token.singleWord, boolField(json, kStage, "single_word", false));
  QUIRE_ASSIGN_OR_RETURN(token.stripLeft, boolField(json, kStage, "lstrip", false));
  QUIRE_ASSIGN_OR_RETURN(token.stripRight, boolField(json, kStage, "rstrip", false));
  QUIRE_ASSIGN_OR_RETURN(token.normalized, boolField(json, kStage, "normalized", !token.special));
  return token;
}

Result<TokenizerConfig> parseTokenizerConfig(std::string_view text) {
  QUIRE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::parse(text));
  const JsonValue &json = document.root();
  if (!json.isObject())
    return Status::error(ErrorCode::InvalidArgument, "tokenizer_config.json is no JSON object");
  TokenizerConfig config;
  QUIRE_ASSIGN_OR_RETURN(config.bosToken, tokenField(json, "bos_token"));
  QUIRE_ASSIGN_OR_RETURN(config.eosToken, tokenField(json, "eos_token"));
  QUIRE_ASSIGN_OR_RETURN(config.unkToken, tokenField(json, "unk_token"));
  QUIRE_ASSIGN_OR_RETURN(config.padToken, tokenField(json, "pad_token"));
  QUIRE_ASSIGN_OR_RETURN(config.addBosToken, optionalBool(json, "add_bos_token"));
  QUIRE_ASSIGN_OR_RETURN(config.addEosToken, optionalBool(json, "add_eos_token"));
  QUIRE_ASSIGN_OR_RETURN(config.addPrefixSpace,
                         boolField(json, "configuration", "add_prefix_space", false));
  const JsonValue *added = json.find("added_tokens_decoder");
  if (!added || added->isNull())
    return config;
  if (!added->isObject())
    return missingField("configuration", "added_tokens_decoder", "an object from id to token");
  for (const JsonValue &entry : added->children()) {
    QUIRE_ASSIGN_OR_RETURN(AddedToken token, parseAddedToken(entry));
    std::string_view key = entry.key();
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (error != std::errc() || end != key.data() + key.size() || token.id < 0 ||
        token.id >= Vocabulary::kMaxId)
      return missingField("configuration", "added_tokens_decoder", "keyed by token ids");
    config.addedTokens.push_back(std::move(token));
  }
  return config;
}

} // namespace quire::text
