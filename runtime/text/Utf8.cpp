// Utf8: see the header. The scanner works on the byte ranges of table 3-7 of the Unicode standard.
#include "runtime/text/Utf8.h"

#include <utf8proc.h>

namespace quire::text {

namespace {

enum class Scan { Valid, Invalid, Incomplete };

struct ScannedSequence {
  Scan state;
  uint32_t length; ///< Of the character, or of the maximal ill-formed subpart, or what is there.
};

ScannedSequence scanSequence(std::string_view bytes, size_t offset) {
  auto byteAt = [&](size_t i) { return static_cast<unsigned char>(bytes[offset + i]); };
  unsigned char lead = byteAt(0);
  if (lead < 0x80)
    return {Scan::Valid, 1};
  uint32_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0)
      low = 0xA0;
    if (lead == 0xED)
      high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0)
      low = 0x90;
    if (lead == 0xF4)
      high = 0x8F;
  } else {
    return {Scan::Invalid, 1};
  }
  for (uint32_t i = 1; i < length; ++i) {
    if (offset + i >= bytes.size())
      return {Scan::Incomplete, i};
    if (byteAt(i) < low || byteAt(i) > high)
      return {Scan::Invalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Scan::Valid, length};
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Repairs `bytes` into `out` and returns the offset of an incomplete tail, or bytes.size().
size_t repairComplete(std::string_view bytes, std::string &out) {
  size_t runStart = 0, offset = 0;
  while (offset < bytes.size()) {
    ScannedSequence sequence = scanSequence(bytes, offset);
    if (sequence.state == Scan::Incomplete)
      break;
    if (sequence.state == Scan::Invalid) {
      out.append(bytes.substr(runStart, offset - runStart));
      out.append(kReplacement);
      runStart = offset + sequence.length;
    }
    offset += sequence.length;
  }
  out.append(bytes.substr(runStart, offset - runStart));
  return offset;
}

utf8proc_category_t categoryOf(char32_t codePoint) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(codePoint));
}

} // namespace

DecodedChar decodeChar(std::string_view text, size_t offset) {
  auto byteAt = [&](size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  char32_t lead = byteAt(0);
  if (lead < 0x80)
    return {lead, 1};
  if (lead < 0xE0)
    return {(lead & 0x1F) << 6 | (byteAt(1) & 0x3Fu), 2};
  if (lead < 0xF0)
    return {(lead & 0x0F) << 12 | (byteAt(1) & 0x3Fu) << 6 | (byteAt(2) & 0x3Fu), 3};
  return {(lead & 0x07) << 18 | (byteAt(1) & 0x3Fu) << 12 | (byteAt(2) & 0x3Fu) << 6 |
              (byteAt(3) & 0x3Fu),
          4};
}

void appendChar(std::string &out, char32_t codePoint) {
  auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (codePoint < 0x80) {
    put(codePoint);
  } else if (codePoint < 0x800) {
    put(0xC0 | codePoint >> 6);
    put(0x80 | (codePoint & 0x3F));
  } else if (codePoint < 0x10000) {
    put(0xE0 | codePoint >> 12);
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  } else {
    put(0xF0 | codePoint >> 18);
    put(0x80 | (codePoint >> 12 & 0x3F));
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  }
}

size_t findInvalidUtf8(std::string_view text) {
  size_t offset = 0;
  while (offset < text.size()) {
    ScannedSequence sequence = scanSequence(text, offset);
    if (sequence.state != Scan::Valid)
      return offset;
    offset += sequence.length;
  }
  return std::string_view::npos;
}

size_t countChars(std::string_view text) {
  size_t count = 0;
  for (char byte : text)
    count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return count;
}

std::string toValidUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  if (repairComplete(bytes, out) < bytes.size())
    out.append(kReplacement);
  return out;
}

void Utf8Repairer::push(std::string_view bytes, std::string &out) {
  if (pending.empty()) {
    pending.assign(bytes.substr(repairComplete(bytes, out)));
    return;
  }
  pending.append(bytes);
  std::string joined;
  joined.swap(pending);
  pending.assign(std::string_view(joined).substr(repairComplete(joined, out)));
}

void Utf8Repairer::finish(std::string &out) {
  if (!pending.empty())
    out.append(kReplacement);
  pending.clear();
}

bool isWhitespace(char32_t codePoint) {
  switch (codePoint) {
  case 0x20:
  case 0x85:
  case 0xA0:
  case 0x1680:
  case 0x2028:
  case 0x2029:
  case 0x202F:
  case 0x205F:
  case 0x3000:
    return true;
  default:
    return (codePoint >= 0x09 && codePoint <= 0x0D) || (codePoint >= 0x2000 && codePoint <= 0x200A);
  }
}

bool isNumeric(char32_t codePoint) {
  if (codePoint < 0x80)
    return codePoint >= '0' && codePoint <= '9';
  switch (categoryOf(codePoint)) {
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    return true;
  default:
    return false;
  }
}

bool isPunctuation(char32_t codePoint) {
  if (codePoint < 0x80)
    return (codePoint >= 0x21 && codePoint <= 0x2F) || (codePoint >= 0x3A && codePoint <= 0x40) ||
           (codePoint >= 0x5B && codePoint <= 0x60) || (codePoint >= 0x7B && codePoint <= 0x7E);
  switch (categoryOf(codePoint)) {
  case UTF8PROC_CATEGORY_PC:
  case UTF8PROC_CATEGORY_PD:
  case UTF8PROC_CATEGORY_PS:
  case UTF8PROC_CATEGORY_PE:
  case UTF8PROC_CATEGORY_PI:
  case UTF8PROC_CATEGORY_PF:
  case UTF8PROC_CATEGORY_PO:
    return true;
  default:
    return false;
  }
}

bool isMark(char32_t codePoint) {
  switch (categoryOf(codePoint)) {
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
    return true;
  default:
    return false;
  }
}

bool isWordChar(char32_t codePoint) {
  if (codePoint < 0x80)
    return codePoint == '_' || (codePoint >= '0' && codePoint <= '9') ||
           (codePoint >= 'a' && codePoint <= 'z') || (codePoint >= 'A' && codePoint <= 'Z');
  switch (categoryOf(codePoint)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_PC:
    return true;
  case UTF8PROC_CATEGORY_SO:
    // Other_Alphabetic outside of L, Nl and M: the circled and squared Latin letters.
    return (codePoint >= 0x24B6 && codePoint <= 0x24E9) ||
           (codePoint >= 0x1F130 && codePoint <= 0x1F149) ||
           (codePoint >= 0x1F150 && codePoint <= 0x1F169) ||
           (codePoint >= 0x1F170 && codePoint <= 0x1F189);
  case UTF8PROC_CATEGORY_CF:
    return codePoint == 0x200C || codePoint == 0x200D;
  default:
    return isMark(codePoint);
  }
}

} // namespace quire::text
