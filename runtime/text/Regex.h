// Regex: the regular expressions of tokenizer files, run by PCRE2 with its JIT. The files are
// written for Oniguruma (the engine of Hugging Face tokenizers), whose syntax and classes differ in
// places; `translateOnigurumaPattern` maps the differences and refuses what has no counterpart.
// Match and heap limits are set, because the pattern comes from a model file.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

/// Byte range of a match.
struct MatchRange {
  uint32_t begin;
  uint32_t end;
};

class Regex {
public:
  /// Compiles an Oniguruma pattern. Errors: Unsupported, naming the construct; InvalidArgument with
  /// PCRE2's message and the pattern. With `mayBeInvalid` subjects need not be valid UTF-8.
  static Result<Regex> compile(std::string_view pattern, bool mayBeInvalid = false);

  Regex(Regex &&other) noexcept;
  Regex &operator=(Regex &&other) noexcept;
  ~Regex();

  /// Appends every match in `subject`, left to right, not overlapping. An empty match directly
  /// after the last match is dropped, as Oniguruma's Rust binding does. Thread-safe. Error:
  /// ResourceExhausted when the match limit (1 000 000 + 32 per subject byte) is hit.
  Status findAll(std::string_view subject, std::vector<MatchRange> &matches) const;

private:
  Regex(void *code, uint32_t matchOptions) : code(code), matchOptions(matchOptions) {}
  void *code = nullptr; ///< pcre2_code_8
  uint32_t matchOptions = 0;
};

/// The PCRE2 spelling (UTF, UCP, MULTILINE, newline LF) of an Oniguruma pattern.
Result<std::string> translateOnigurumaPattern(std::string_view pattern);

/// A pattern that matches exactly `literal`.
std::string escapeForRegex(std::string_view literal);

} // namespace quire::text
