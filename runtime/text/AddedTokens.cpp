// AddedTokens: see the header. A trie walk from each byte that begins some token finds the longest
// match; added tokens are short, so this is linear in practice.
#include "runtime/text/AddedTokens.h"

#include "runtime/text/Utf8.h"

#include <algorithm>

namespace quire::text {

namespace {

/// The first byte of the character that ends before `end`.
size_t previousChar(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
    --at;
  return at;
}

bool touchesWord(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && isWordChar(decodeChar(text, previousChar(text, begin)).codePoint)) ||
         (end < text.size() && isWordChar(decodeChar(text, end).codePoint));
}

} // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> given,
                         std::vector<std::string> normalizedSpellings)
    : tokens(std::move(given)), spellings(std::move(normalizedSpellings)) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    indexOfId[tokens[i].id] = static_cast<int32_t>(i);
    indexOfContent[tokens[i].content] = static_cast<int32_t>(i);
  }
  std::vector<std::pair<std::string_view, int32_t>> raw, normalized;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (indexOfId[tokens[i].id] != static_cast<int32_t>(i))
      continue;
    if (tokens[i].normalized)
      normalized.emplace_back(spellings[i], static_cast<int32_t>(i));
    else
      raw.emplace_back(tokens[i].content, static_cast<int32_t>(i));
  }
  rawTrie = ByteTrie(raw);
  normalizedTrie = ByteTrie(normalized);
}

std::vector<TextSegment> AddedTokens::split(std::string_view text, const ByteTrie &trie,
                                            bool parseSpecial) const {
  std::vector<TextSegment> segments;
  size_t covered = 0;
  for (size_t at = 0; at < text.size() && !trie.empty();) {
    size_t length = 0;
    int32_t index = -1;
    if (trie.mayStartWith(static_cast<unsigned char>(text[at])))
      trie.forEachPrefix(text, at, [&](size_t prefix, int32_t value) {
        length = prefix;
        index = value;
      });
    if (index < 0) {
      ++at;
      continue;
    }
    // A match that is turned down below still hides shorter and later ones inside of it.
    size_t begin = at, end = at + length;
    at = end;
    const AddedToken &token = tokens[index];
    if ((token.special && !parseSpecial) || (token.singleWord && touchesWord(text, begin, end)))
      continue;
    while (token.stripLeft && begin > covered) {
      size_t previous = previousChar(text, begin);
      if (!isWhitespace(decodeChar(text, previous).codePoint))
        break;
      begin = std::max(previous, covered);
    }
    while (token.stripRight && end < text.size()) {
      DecodedChar next = decodeChar(text, end);
      if (!isWhitespace(next.codePoint))
        break;
      end += next.length;
    }
    if (covered < begin)
      segments.push_back({covered, begin, -1});
    segments.push_back({begin, end, token.id});
    covered = end;
  }
  if (covered < text.size())
    segments.push_back({covered, text.size(), -1});
  return segments;
}

const AddedToken *AddedTokens::findById(int32_t id) const {
  auto found = indexOfId.find(id);
  return found == indexOfId.end() ? nullptr : &tokens[found->second];
}

const AddedToken *AddedTokens::findByContent(std::string_view content) const {
  auto found = indexOfContent.find(std::string(content));
  return found == indexOfContent.end() ? nullptr : &tokens[found->second];
}

std::string_view AddedTokens::spellingForDecoder(const AddedToken &token) const {
  return token.normalized ? std::string_view(spellings[&token - tokens.data()]) : token.content;
}

} // namespace quire::text
