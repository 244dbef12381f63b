// PrecompiledCharsMap: see the header. Every step through the trie is checked against its size,
// because the table comes from a model file.
#include "runtime/text/PrecompiledCharsMap.h"

#include "runtime/text/UnicodeForms.h"
#include "runtime/text/Utf8.h"

namespace quire::text {

namespace {

Result<std::string> decodeBase64(std::string_view text) {
  while (!text.empty() && text.back() == '=')
    text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    uint32_t value;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      value = static_cast<uint32_t>(c - '0' + 52);
    else if (c == '+' || c == '/')
      value = c == '+' ? 62 : 63;
    else
      return Status::error(ErrorCode::InvalidArgument,
                           "precompiled_charsmap is not valid base64");
    bits = bits << 6 | value;
    if ((count += 6) >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return out;
}

uint32_t readWord(std::string_view bytes, size_t at) {
  uint32_t word = 0;
  for (int i = 3; i >= 0; --i)
    word = word << 8 | static_cast<unsigned char>(bytes[at + static_cast<size_t>(i)]);
  return word;
}

// The fields of a darts-clone unit.
bool hasLeaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t valueOf(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t labelOf(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offsetOf(uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }

} // namespace

Result<PrecompiledCharsMap> PrecompiledCharsMap::parse(std::string_view base64) {
  QUIRE_ASSIGN_OR_RETURN(std::string blob, decodeBase64(base64));
  size_t trieBytes = blob.size() >= 4 ? readWord(blob, 0) : 0;
  if (blob.size() < 4 || trieBytes % 4 != 0 || trieBytes > blob.size() - 4)
    return Status::error(ErrorCode::InvalidArgument,
                         "precompiled_charsmap holds " + std::to_string(blob.size()) +
                             " bytes, which do not contain its trie of " +
                             std::to_string(trieBytes) + " bytes");
  PrecompiledCharsMap map;
  for (size_t at = 4; at < 4 + trieBytes; at += 4)
    map.trie.push_back(readWord(blob, at));
  map.replacements = blob.substr(4 + trieBytes);
  if (findInvalidUtf8(map.replacements) != std::string_view::npos)
    return Status::error(ErrorCode::InvalidArgument,
                         "precompiled_charsmap holds replacements that are not valid UTF-8");
  return map;
}

std::optional<std::string_view> PrecompiledCharsMap::transform(std::string_view chunk) const {
  if (trie.empty())
    return std::nullopt;
  uint32_t node = offsetOf(trie[0]);
  for (char c : chunk) {
    uint32_t byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= trie.size() || labelOf(trie[node]) != byte)
      return std::nullopt;
    uint32_t unit = trie[node];
    node ^= offsetOf(unit);
    if (!hasLeaf(unit))
      continue;
    size_t begin = node < trie.size() ? valueOf(trie[node]) : replacements.size();
    // A value inside of a character would make the result ill-formed.
    if (begin >= replacements.size() ||
        (static_cast<unsigned char>(replacements[begin]) & 0xC0) == 0x80)
      return std::nullopt;
    size_t end = replacements.find('\0', begin);
    return std::string_view(replacements).substr(begin, end - begin);
  }
  return std::nullopt;
}

std::string PrecompiledCharsMap::normalize(std::string_view text, size_t sizeLimit) const {
  constexpr size_t kMaxWholeCluster = 5;
  std::string out;
  out.reserve(text.size());
  auto replaceCluster = [&](std::string_view cluster) {
    if (cluster.size() <= kMaxWholeCluster)
      if (auto replacement = transform(cluster)) {
        out += *replacement;
        return;
      }
    for (size_t at = 0; at < cluster.size();) {
      std::string_view character = cluster.substr(at, decodeChar(cluster, at).length);
      out += transform(character).value_or(character);
      at += character.size();
    }
  };
  size_t clusterBegin = 0;
  int state = 0;
  for (size_t at = 0; at < text.size() && out.size() <= sizeLimit;) {
    DecodedChar c = decodeChar(text, at);
    at += c.length;
    if (at == text.size() || isGraphemeBreak(c.codePoint, decodeChar(text, at).codePoint, state)) {
      replaceCluster(text.substr(clusterBegin, at - clusterBegin));
      clusterBegin = at;
    }
  }
  return out;
}

} // namespace quire::text
