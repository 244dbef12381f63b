// ModelJson: reads the "model" member of tokenizer.json into a BPE or a unigram model.
#include "runtime/text/Bpe.h"
#include "runtime/text/JsonFields.h"
#include "runtime/text/Unigram.h"

namespace quire::text {

namespace {

Result<Vocabulary> parseVocabulary(const JsonValue &json) {
  const JsonValue *tokens = json.find("vocab");
  if (!tokens || !tokens->isObject())
    return missingField("model", "vocab", "an object from token to id");
  Vocabulary vocabulary;
  for (const JsonValue &token : tokens->children()) {
    if (!token.isInteger())
      return Status::error(ErrorCode::InvalidArgument, "the token '" + std::string(token.key()) +
                                                           "' of the vocabulary has no integer id");
    QUIRE_RETURN_IF_ERROR(vocabulary.add(token.key(), token.asInteger()));
  }
  return vocabulary;
}

Result<std::vector<BpeModel::Merge>> parseMerges(const JsonValue &json) {
  const JsonValue *list = json.find("merges");
  if (!list || !list->isArray())
    return missingField("model", "merges", "an array");
  std::vector<BpeModel::Merge> merges;
  merges.reserve(list->children().size());
  for (const JsonValue &merge : list->children()) {
    auto malformed = [&] {
      return Status::error(ErrorCode::InvalidArgument,
                           "merge " + std::to_string(merges.size()) +
                               " is neither \"left right\" nor [\"left\", \"right\"]");
    };
    if (merge.isString()) {
      std::string_view text = merge.asString();
      size_t space = text.find(' ');
      // Old files contain this comment among the merges.
      if (text.starts_with("#version"))
        continue;
      if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
        return malformed();
      merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    } else {
      auto sides = merge.isArray() ? merge.children() : std::span<const JsonValue>();
      if (sides.size() != 2 || !sides[0].isString() || !sides[1].isString())
        return malformed();
      merges.emplace_back(sides[0].asString(), sides[1].asString());
    }
  }
  return merges;
}

Result<std::unique_ptr<Model>> parseBpe(const JsonValue &json) {
  BpeOptions options;
  QUIRE_ASSIGN_OR_RETURN(std::string unknown, stringField(json, "model", "unk_token", ""));
  if (const JsonValue *field = json.find("unk_token"); field && field->isString())
    options.unknownToken = unknown;
  QUIRE_ASSIGN_OR_RETURN(options.continuingSubwordPrefix,
                         stringField(json, "model", "continuing_subword_prefix", ""));
  QUIRE_ASSIGN_OR_RETURN(options.endOfWordSuffix,
                         stringField(json, "model", "end_of_word_suffix", ""));
  QUIRE_ASSIGN_OR_RETURN(options.fuseUnknown, boolField(json, "model", "fuse_unk", false));
  QUIRE_ASSIGN_OR_RETURN(options.byteFallback, boolField(json, "model", "byte_fallback", false));
  QUIRE_ASSIGN_OR_RETURN(options.ignoreMerges, boolField(json, "model", "ignore_merges", false));
  if (const JsonValue *dropout = json.find("dropout");
      dropout && !dropout->isNull() && !(dropout->isNumber() && dropout->asNumber() == 0))
    return Status::error(ErrorCode::Unsupported,
                         "the tokenizer's BPE model asks for dropout, which is a training option; "
                         "set it to null");
  QUIRE_ASSIGN_OR_RETURN(Vocabulary vocabulary, parseVocabulary(json));
  QUIRE_ASSIGN_OR_RETURN(std::vector<BpeModel::Merge> merges, parseMerges(json));
  QUIRE_ASSIGN_OR_RETURN(auto model,
                         BpeModel::create(std::move(vocabulary), merges, std::move(options)));
  return std::unique_ptr<Model>(std::move(model));
}

Result<std::unique_ptr<Model>> parseUnigram(const JsonValue &json) {
  const JsonValue *list = json.find("vocab");
  if (!list || !list->isArray())
    return missingField("model", "vocab", "an array of [piece, score]");
  std::vector<std::pair<std::string_view, double>> pieces;
  pieces.reserve(list->children().size());
  for (const JsonValue &piece : list->children()) {
    auto sides = piece.isArray() ? piece.children() : std::span<const JsonValue>();
    if (sides.size() != 2 || !sides[0].isString() || !sides[1].isNumber())
      return Status::error(ErrorCode::InvalidArgument, "entry " + std::to_string(pieces.size()) +
                                                           " of the vocabulary is not [piece, "
                                                           "score]");
    pieces.emplace_back(sides[0].asString(), sides[1].asNumber());
  }
  std::optional<int64_t> unknownId;
  if (const JsonValue *field = json.find("unk_id"); field && !field->isNull()) {
    if (!field->isInteger())
      return missingField("model", "unk_id", "an integer");
    unknownId = field->asInteger();
  }
  QUIRE_ASSIGN_OR_RETURN(bool byteFallback, boolField(json, "model", "byte_fallback", false));
  QUIRE_ASSIGN_OR_RETURN(auto model, UnigramModel::create(pieces, unknownId, byteFallback));
  return std::unique_ptr<Model>(std::move(model));
}

} // namespace

Result<std::unique_ptr<Model>> parseModel(const JsonValue &json) {
  QUIRE_ASSIGN_OR_RETURN(std::string type, stringField(json, "model", "type", ""));
  // Files older than the type field hold BPE or unigram models that their members tell apart.
  if (type.empty() && json.find("merges"))
    type = "BPE";
  if (type.empty() && json.find("unk_id"))
    type = "Unigram";
  if (type == "BPE")
    return parseBpe(json);
  if (type == "Unigram")
    return parseUnigram(json);
  return unknownStage("model", type, "BPE, Unigram");
}

} // namespace quire::text
