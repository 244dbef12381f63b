// AddedTokens: tokens that are found in the text before any other stage sees it: control tokens
// such as the end of a text, and words added after training. Matching is leftmost, longest, in two
// passes: tokens marked as not normalised in the raw text, the others in the normalised text.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/text/ByteTrie.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quire::text {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool singleWord = false; ///< Not next to a word character.
  bool stripLeft = false;  ///< Takes the whitespace before it ...
  bool stripRight = false; ///< ... and after it.
  bool normalized = true;  ///< Matches, in its normalised spelling, the normalised text.
  bool special = false;    ///< Not shown when decoding with skipSpecial.
};

/// A stretch of text between two added tokens (id < 0), or an added token.
struct TextSegment {
  size_t begin;
  size_t end;
  int32_t id;
};

class AddedTokens {
public:
  AddedTokens() = default;
  /// `normalizedSpellings[i]` is what the normalizer makes of tokens[i].content; used for
  /// normalised tokens only. Of tokens with the same content or id the last one counts.
  AddedTokens(std::vector<AddedToken> tokens, std::vector<std::string> normalizedSpellings);

  /// Cuts the text completely into segments. Special tokens stay text unless `parseSpecial`.
  std::vector<TextSegment> splitRaw(std::string_view text, bool parseSpecial) const {
    return split(text, rawTrie, parseSpecial);
  }
  std::vector<TextSegment> splitNormalized(std::string_view text, bool parseSpecial) const {
    return split(text, normalizedTrie, parseSpecial);
  }

  const AddedToken *findById(int32_t id) const;
  const AddedToken *findByContent(std::string_view content) const;
  /// What decoders are given for an added token: its normalised spelling, which they invert.
  std::string_view spellingForDecoder(const AddedToken &token) const;
  const std::vector<AddedToken> &all() const { return tokens; }

private:
  std::vector<TextSegment> split(std::string_view text, const ByteTrie &trie,
                                 bool parseSpecial) const;

  std::vector<AddedToken> tokens;
  std::vector<std::string> spellings;
  std::unordered_map<int32_t, int32_t> indexOfId;
  std::unordered_map<std::string, int32_t> indexOfContent;
  ByteTrie rawTrie, normalizedTrie; ///< Values are indices into `tokens`.
};

} // namespace quire::text
