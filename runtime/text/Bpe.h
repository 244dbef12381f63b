// Bpe: byte pair encoding (Sennrich et al. 2016) with the options of tokenizer.json. The adjacent
// pair of lowest rank, leftmost first, is merged until none is left: a scan for short words, a
// heap over linked symbols for long ones, so that n symbols take O(n log n).
#pragma once

#include "runtime/text/Model.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace quire::text {

struct BpeOptions {
  std::optional<std::string> unknownToken;
  std::string continuingSubwordPrefix; ///< Written before every symbol but a word's first.
  std::string endOfWordSuffix;         ///< Written after a word's last symbol.
  bool fuseUnknown = false;            ///< A run of unknown characters is one unknown token.
  bool byteFallback = false;           ///< Unknown characters become <0xNN> tokens if all exist.
  bool ignoreMerges = false;           ///< A word that is a token needs no merges.
};

class BpeModel final : public Model {
public:
  using Merge = std::pair<std::string_view, std::string_view>;

  /// `merges` in order of rank. Error: InvalidArgument when a side of a merge or its result is not
  /// in the vocabulary.
  static Result<std::unique_ptr<BpeModel>> create(Vocabulary vocabulary,
                                                  const std::vector<Merge> &merges,
                                                  BpeOptions options);

  /// A character that is neither in the vocabulary nor covered by byte fallback or an unknown token
  /// gives no ids, as in Hugging Face tokenizers. Error: InvalidArgument when the unknown token is
  /// needed and not in the vocabulary.
  Status encodeWord(std::string_view word, bool byteLevel,
                    std::vector<int32_t> &ids) const override;

private:
  struct PairMerge {
    uint64_t pair = kNoPair; ///< left << 32 | right
    uint32_t rank = 0;
    int32_t merged = 0;
  };
  static constexpr uint64_t kNoPair = UINT64_MAX;
  static constexpr int32_t kDropped = -1;

  BpeModel() = default;
  void addMerge(int32_t left, int32_t right, uint32_t rank, int32_t merged);
  const PairMerge *findMerge(int32_t left, int32_t right) const;
  Status splitIntoSymbols(std::string_view word, std::vector<int32_t> &symbols) const;
  void mergeShort(std::vector<int32_t> &symbols) const;
  void mergeLong(std::vector<int32_t> &symbols) const;

  BpeOptions options;
  std::vector<PairMerge> merges; ///< Open addressing; a power of two.
  std::array<int32_t, 256> byteSymbols{};   ///< Token of a byte's character, kDropped if none.
  std::array<int32_t, 256> fallbackTokens{}; ///< Token <0xNN>, kDropped if none.
  bool plainByteSymbols = false; ///< Raw bytes map to symbols one by one by byteSymbols.
  int32_t unknownId = kDropped;
};

} // namespace quire::text
