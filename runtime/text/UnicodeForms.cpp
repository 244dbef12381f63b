// UnicodeForms: see the header.
#include "runtime/text/UnicodeForms.h"

#include "runtime/text/Utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

namespace quire::text {

namespace {

/// Below these code points every character is its own composed (decomposed) form.
constexpr char32_t kFirstNotNfc = 0x300;
constexpr char32_t kFirstNotOther = 0x80;

bool isUnchanged(std::string_view text, UnicodeForm form) {
  if (form != UnicodeForm::NFC)
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < kFirstNotOther; });
  // Lead bytes from 0xCC on begin characters from U+0300 on.
  static_assert(kFirstNotNfc == 0x300);
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

/// Appends the full decomposition of one character.
void decompose(char32_t codePoint, utf8proc_option_t options, std::vector<utf8proc_int32_t> &out) {
  utf8proc_int32_t buffer[32];
  int boundary = 0;
  utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(codePoint), buffer,
                                                   32, options, &boundary);
  if (count < 0 || count > 32) // No character decomposes into more than 18.
    out.push_back(static_cast<utf8proc_int32_t>(codePoint));
  else
    out.insert(out.end(), buffer, buffer + count);
}

int combiningClass(utf8proc_int32_t codePoint) {
  return utf8proc_get_property(codePoint)->combining_class;
}

/// Orders every run of marks by combining class, marks of one class as they came. utf8proc does
/// this by exchanging neighbours, which is quadratic.
void sortMarks(std::vector<utf8proc_int32_t> &chars) {
  struct Mark {
    int combiningClass;
    size_t place;
    utf8proc_int32_t codePoint;
    auto operator<=>(const Mark &) const = default;
  };
  std::vector<Mark> run;
  for (size_t i = 0; i <= chars.size(); ++i) {
    int markClass = i < chars.size() ? combiningClass(chars[i]) : 0;
    if (markClass != 0) {
      run.push_back({markClass, i, chars[i]});
      continue;
    }
    std::sort(run.begin(), run.end());
    for (size_t k = 0; k < run.size(); ++k)
      chars[i - run.size() + k] = run[k].codePoint;
    run.clear();
  }
}

} // namespace

std::string toUnicodeForm(std::string_view text, UnicodeForm form) {
  if (isUnchanged(text, form))
    return std::string(text);
  bool compatible = form == UnicodeForm::NFKC || form == UnicodeForm::NFKD;
  auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                (compatible ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> chars;
  chars.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    DecodedChar c = decodeChar(text, offset);
    offset += c.length;
    decompose(c.codePoint, options, chars);
  }
  sortMarks(chars);
  size_t count = chars.size();
  if (form == UnicodeForm::NFC || form == UnicodeForm::NFKC) {
    auto compose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(
        chars.data(), static_cast<utf8proc_ssize_t>(chars.size()), compose);
    if (composed >= 0)
      count = static_cast<size_t>(composed);
  }
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < count; ++i)
    appendChar(out, static_cast<char32_t>(chars[i]));
  return out;
}

std::string toLowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    DecodedChar c = decodeChar(text, offset);
    offset += c.length;
    if (c.codePoint == 0x130) // The one character whose unconditional lower case is two.
      out += "i\xCC\x87";
    else
      appendChar(out, static_cast<char32_t>(
                          utf8proc_tolower(static_cast<utf8proc_int32_t>(c.codePoint))));
  }
  return out;
}

bool isGraphemeBreak(char32_t left, char32_t right, int &state) {
  return utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(left),
                                          static_cast<utf8proc_int32_t>(right), &state);
}

} // namespace quire::text
