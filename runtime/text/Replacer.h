// Replacer: replaces every match of a literal or of a regular expression; shared by the Replace
// normalizer and the Replace decoder.
#pragma once

#include "runtime/text/Json.h"
#include "runtime/text/Regex.h"

#include <optional>
#include <string>
#include <string_view>

namespace quire::text {

class Replacer {
public:
  /// Reads "pattern" and "content". With `mayBeInvalid` the text need not be valid UTF-8.
  static Result<Replacer> parse(const JsonValue &json, std::string_view stage, bool mayBeInvalid);

  struct Outcome {
    std::string text;
    bool keepsStart = true; ///< The first character still stands for the first one of the input.
  };
  /// Error: ResourceExhausted when the outcome would exceed `sizeLimit` bytes.
  Result<Outcome> apply(std::string_view text, size_t sizeLimit) const;

private:
  void findMatchesOfLiteral(std::string_view text, std::vector<MatchRange> &matches) const;

  std::string literal;        ///< Searched byte by byte when there is no regex.
  std::optional<Regex> regex; ///< For patterns and for the empty literal.
  std::string content;
};

/// The error of a stage that grows a text beyond its limit.
Status textTooLong(std::string_view stage, size_t size, size_t limit);

} // namespace quire::text
