// Tokenizer: see the header. The way of a text: raw added tokens, normalizer, normalised added
// tokens, pre-tokenizer, model (through the word cache), post-processor.
#include "runtime/text/Tokenizer.h"

#include "runtime/text/Utf8.h"

namespace quire::text {

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxTextBytes)
    return Status::error(ErrorCode::InvalidArgument,
                         "a text of " + std::to_string(text.size()) +
                             " bytes exceeds the tokenizer's limit of " +
                             std::to_string(kMaxTextBytes) + "; split it");
  size_t invalid = findInvalidUtf8(text);
  if (invalid != std::string_view::npos)
    return Status::error(ErrorCode::InvalidArgument,
                         "the text is not valid UTF-8 at byte " + std::to_string(invalid));

  std::vector<int32_t> ids;
  if (options.addSpecial)
    ids = post.prefix;
  std::unique_ptr<WordCache> cache = caches.acquire();
  Status status = Status::ok();
  auto encodeSegments = [&]() -> Status {
    for (const TextSegment &raw : added.splitRaw(text, options.parseSpecial)) {
      if (raw.id >= 0) {
        ids.push_back(raw.id);
        continue;
      }
      NormalizedText normalized;
      normalized.text = std::string(text.substr(raw.begin, raw.end - raw.begin));
      normalized.keepsStart = raw.begin == 0;
      normalized.sizeLimit = normalizedSizeLimit(normalized.text.size());
      if (normalizer)
        QUIRE_RETURN_IF_ERROR(normalizer->apply(normalized));
      for (const TextSegment &segment :
           added.splitNormalized(normalized.text, options.parseSpecial)) {
        if (segment.id >= 0) {
          ids.push_back(segment.id);
          continue;
        }
        bool whole = segment.begin == 0 && segment.end == normalized.text.size();
        QUIRE_RETURN_IF_ERROR(encodePieces(
            whole ? std::move(normalized.text)
                  : normalized.text.substr(segment.begin, segment.end - segment.begin),
            normalized.keepsStart && segment.begin == 0, *cache, ids));
      }
    }
    return Status::ok();
  };
  status = encodeSegments();
  caches.release(std::move(cache));
  QUIRE_RETURN_IF_ERROR(status);
  if (options.addSpecial)
    ids.insert(ids.end(), post.suffix.begin(), post.suffix.end());
  return ids;
}

Status Tokenizer::encodePieces(std::string text, bool atStart, WordCache &cache,
                               std::vector<int32_t> &ids) const {
  PieceList list;
  list.sizeLimit = normalizedSizeLimit(text.size());
  list.text = std::move(text);
  list.pieces.push_back({0, static_cast<uint32_t>(list.text.size()), atStart});
  if (preTokenizer)
    QUIRE_RETURN_IF_ERROR(preTokenizer->apply(list));
  for (const Piece &piece : list.pieces) {
    std::string_view word = list.textOf(piece);
    if (word.size() > WordCache::kMaxWordBytes) {
      QUIRE_RETURN_IF_ERROR(model->encodeWord(word, bytesToModel, ids));
      continue;
    }
    uint64_t hash = hashBytes(word);
    if (cache.lookUp(word, hash, ids))
      continue;
    size_t first = ids.size();
    QUIRE_RETURN_IF_ERROR(model->encodeWord(word, bytesToModel, ids));
    cache.insert(word, hash, std::span(ids).subspan(first));
  }
  return Status::ok();
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, bool skipSpecial) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (int32_t id : ids)
    if (auto text = tokenTextForDecoder(id); text && !(skipSpecial && isSpecial(id)))
      tokens.emplace_back(*text);
  QUIRE_ASSIGN_OR_RETURN(std::string text, decodeTokens(std::move(tokens), DecodeForm::Text));
  return toValidUtf8(text);
}

Result<std::string> Tokenizer::decodeToBytes(std::vector<std::string> tokens) const {
  return decodeTokens(std::move(tokens), DecodeForm::Bytes);
}

Result<std::string> Tokenizer::decodeTokens(std::vector<std::string> tokens,
                                            DecodeForm form) const {
  size_t bytes = 0;
  for (const std::string &token : tokens)
    bytes += token.size();
  if (decoder)
    QUIRE_RETURN_IF_ERROR(decoder->apply(tokens, {form, normalizedSizeLimit(bytes)}));
  std::string text;
  text.reserve(bytes + tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !decoder)
      text.push_back(' ');
    text += tokens[i];
  }
  return text;
}

std::optional<std::string_view> Tokenizer::tokenText(int32_t id) const {
  if (const AddedToken *token = added.findById(id))
    return std::string_view(token->content);
  return model->vocabulary().textOf(id);
}

std::optional<std::string_view> Tokenizer::tokenTextForDecoder(int32_t id) const {
  if (const AddedToken *token = added.findById(id))
    return added.spellingForDecoder(*token);
  return model->vocabulary().textOf(id);
}

std::optional<int32_t> Tokenizer::tokenId(std::string_view text) const {
  if (const AddedToken *token = added.findByContent(text))
    return token->id;
  return model->vocabulary().find(text);
}

bool Tokenizer::isSpecial(int32_t id) const {
  const AddedToken *token = added.findById(id);
  return token && token->special;
}

} // namespace quire::text
