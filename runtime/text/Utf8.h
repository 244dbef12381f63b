// Utf8: reading, writing and repairing UTF-8, and the few character classes that tokenizers ask
// for. Text inside quire::text is valid UTF-8 once Tokenizer::encode has accepted it; only decoded
// model output may be anything, and goes through toValidUtf8 or Utf8Repairer before it leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quire::text {

/// A code point and the bytes it took.
struct DecodedChar {
  char32_t codePoint;
  uint32_t length;
};

/// The character at `offset` of valid UTF-8; `offset` is at a character's first byte.
DecodedChar decodeChar(std::string_view text, size_t offset);

/// Appends a code point (at most 0x10FFFF, no surrogate).
void appendChar(std::string &out, char32_t codePoint);

/// Byte offset of the first ill-formed sequence, or npos when `text` is well-formed (RFC 3629: no
/// overlong forms, no surrogates).
size_t findInvalidUtf8(std::string_view text);

/// Number of code points of valid UTF-8.
size_t countChars(std::string_view text);

/// Replaces every maximal ill-formed subpart by U+FFFD (Unicode 15, section 3.9, table 3-8), which
/// is what Rust's from_utf8_lossy and the WHATWG decoder do.
std::string toValidUtf8(std::string_view bytes);

/// The same repair for bytes that arrive in pieces: a character that is not complete yet is held
/// back until its last byte arrives.
class Utf8Repairer {
public:
  /// Appends to `out` what is certain after these bytes.
  void push(std::string_view bytes, std::string &out);
  /// Appends U+FFFD for an unfinished character and starts anew.
  void finish(std::string &out);

private:
  std::string pending; ///< A proper prefix of a character, at most 3 bytes.
};

/// The Unicode White_Space property.
bool isWhitespace(char32_t codePoint);
/// General categories Nd, Nl, No.
bool isNumeric(char32_t codePoint);
/// ASCII punctuation and symbols, or general category P.
bool isPunctuation(char32_t codePoint);
/// General category M.
bool isMark(char32_t codePoint);
/// Alphabetic, M, Nd, Pc or Join_Control: `\w` of Unicode technical standard 18.
bool isWordChar(char32_t codePoint);

} // namespace quire::text
