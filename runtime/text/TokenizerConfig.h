// TokenizerConfig: what Quire takes from tokenizer_config.json: the names of the special tokens,
// whether the start and end tokens are wanted, and the added tokens of models without
// tokenizer.json.
#pragma once

#include "runtime/text/AddedTokens.h"
#include "runtime/text/Json.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

struct TokenizerConfig {
  std::optional<std::string> bosToken, eosToken, unkToken, padToken;
  std::optional<bool> addBosToken, addEosToken;
  bool addPrefixSpace = false;
  std::vector<AddedToken> addedTokens; ///< From "added_tokens_decoder".
};

/// Error: InvalidArgument for malformed JSON or a member of the wrong kind.
Result<TokenizerConfig> parseTokenizerConfig(std::string_view json);

/// One entry of "added_tokens" or "added_tokens_decoder", without its id.
Result<AddedToken> parseAddedToken(const JsonValue &json);

} // namespace quire::text
