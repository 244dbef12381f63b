// UnicodeForms: the normalisation forms of Unicode annex 15 and the default lower case, on top of
// utf8proc's tables. Sorting of combining marks is O(n log n), also for hostile runs of marks.
#pragma once

#include <string>
#include <string_view>

namespace quire::text {

enum class UnicodeForm { NFC, NFD, NFKC, NFKD };

/// `text` is valid UTF-8.
std::string toUnicodeForm(std::string_view text, UnicodeForm form);

/// Character by character, without context or language (as Rust's char::to_lowercase).
std::string toLowercase(std::string_view text);

/// Whether a grapheme cluster boundary lies between two characters; `state` starts at 0.
bool isGraphemeBreak(char32_t left, char32_t right, int &state);

} // namespace quire::text
