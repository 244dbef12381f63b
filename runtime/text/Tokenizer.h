// Tokenizer: text to token ids and back, for the tokenizers of Hugging Face model directories. Ids
// and texts agree with the `tokenizers` library. A tokenizer never changes after loading and may be
// used by any number of threads.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/text/AddedTokens.h"
#include "runtime/text/Decoder.h"
#include "runtime/text/Model.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/PostProcessor.h"
#include "runtime/text/PreTokenizer.h"
#include "runtime/text/TokenizerConfig.h"
#include "runtime/text/WordCache.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

struct EncodeOptions {
  /// Put the tokenizer's start and end tokens around the text.
  bool addSpecial = true;
  /// Recognise special tokens written in the text. False for text from users, who could otherwise
  /// forge the structure of a conversation.
  bool parseSpecial = true;
};

class Tokenizer {
public:
  static constexpr size_t kMaxTextBytes = size_t(1) << 30;

  /// Reads tokenizer.json, or else vocab.json and merges.txt, and tokenizer_config.json if it is
  /// there. Errors: NotFound naming the files; Io; Unsupported naming a stage that is not known;
  /// InvalidArgument for malformed files.
  static Result<std::unique_ptr<Tokenizer>> fromDirectory(const std::string &directory);

  /// The contents of tokenizer.json and, unless empty, of tokenizer_config.json.
  static Result<std::unique_ptr<Tokenizer>> fromJson(std::string_view tokenizerJson,
                                                     std::string_view configJson = {});

  /// Byte-level BPE from the contents of vocab.json and merges.txt. The special tokens come from
  /// the configuration: "added_tokens_decoder", else the named tokens that the vocabulary has.
  static Result<std::unique_ptr<Tokenizer>> fromVocabAndMerges(std::string_view vocabJson,
                                                               std::string_view merges,
                                                               std::string_view configJson = {});

  /// The ids of a text. Errors: InvalidArgument naming the byte offset of invalid UTF-8, or a text
  /// over kMaxTextBytes, or a character that the tokenizer cannot express; ResourceExhausted when a
  /// stage grows the text absurdly or a regular expression gives up.
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The text of ids: always valid UTF-8, with U+FFFD for bytes that form no character. Ids without
  /// a token (models pad their vocabulary) give no text. Error: ResourceExhausted as for encode.
  Result<std::string> decode(std::span<const int32_t> ids, bool skipSpecial = true) const;

  /// Decodes token texts, as tokenTextForDecoder gives them, to bytes that may end inside of a
  /// character. What StreamDecoder builds on.
  Result<std::string> decodeToBytes(std::vector<std::string> tokens) const;

  /// The text of a token as the vocabulary spells it ("\u0120the"), or nullopt.
  std::optional<std::string_view> tokenText(int32_t id) const;
  std::optional<std::string_view> tokenTextForDecoder(int32_t id) const;
  /// The id of a token as the vocabulary or the added tokens spell it.
  std::optional<int32_t> tokenId(std::string_view text) const;
  bool isSpecial(int32_t id) const;

  /// Highest id + 1, added tokens included. The model's own table may be larger.
  int32_t vocabSize() const { return idLimit; }

private:
  Tokenizer() = default;
  Status finishLoading(const TokenizerConfig &config, std::vector<AddedToken> addedTokens);
  Status encodePieces(std::string text, bool atStart, WordCache &cache,
                      std::vector<int32_t> &ids) const;
  Result<std::string> decodeTokens(std::vector<std::string> tokens, DecodeForm form) const;

  std::unique_ptr<Model> model;
  std::unique_ptr<Normalizer> normalizer;     ///< May be null.
  std::unique_ptr<PreTokenizer> preTokenizer; ///< May be null: the text is one word.
  std::unique_ptr<Decoder> decoder;           ///< May be null: tokens are joined by spaces.
  PostProcessor post; ///< The ids that addSpecial puts before and after a text.
  AddedTokens added;
  bool bytesToModel = false; ///< The model spells bytes itself.
  int32_t idLimit = 0;
  mutable WordCachePool caches;
};

} // namespace quire::text
