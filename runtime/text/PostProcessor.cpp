// PostProcessor: see the header. In a sequence each stage wraps what the stages before it made.
#include "runtime/text/PostProcessor.h"

#include "runtime/text/JsonFields.h"
#include "runtime/text/Vocabulary.h"

namespace quire::text {

namespace {

constexpr std::string_view kStage = "post_processor";

Status appendId(const JsonValue &id, std::vector<int32_t> &ids) {
  if (!id.isInteger() || id.asInteger() < 0 || id.asInteger() >= Vocabulary::kMaxId)
    return missingField(kStage, "ids", "token ids");
  ids.push_back(static_cast<int32_t>(id.asInteger()));
  return Status::ok();
}

/// ["text", id], as "cls" and "sep" of the Bert and Roberta stages.
Status appendPair(const JsonValue &json, std::string_view name, std::vector<int32_t> &ids) {
  const JsonValue *pair = json.find(name);
  if (!pair || !pair->isArray() || pair->children().size() != 2)
    return missingField(kStage, name, "[token, id]");
  return appendId(pair->children()[1], ids);
}

Result<PostProcessor> parseTemplate(const JsonValue &json) {
  QUIRE_ASSIGN_OR_RETURN(auto pieces, requiredArray(json, kStage, "single"));
  const JsonValue *specialTokens = json.find("special_tokens");
  PostProcessor processor;
  int texts = 0;
  for (const JsonValue &piece : pieces) {
    if (const JsonValue *sequence = piece.find("Sequence")) {
      QUIRE_ASSIGN_OR_RETURN(std::string id, requiredString(*sequence, kStage, "id"));
      if (id != "A")
        return Status::error(ErrorCode::Unsupported,
                             "the tokenizer's template for a single text names the text '" + id +
                                 "'; only A exists");
      ++texts;
      continue;
    }
    const JsonValue *special = piece.find("SpecialToken");
    if (!special)
      return missingField(kStage, "single", "a list of Sequence and SpecialToken");
    QUIRE_ASSIGN_OR_RETURN(std::string name, requiredString(*special, kStage, "id"));
    const JsonValue *token = specialTokens ? specialTokens->find(name) : nullptr;
    if (!token)
      return Status::error(ErrorCode::InvalidArgument, "the tokenizer's template names the token '" +
                                                           name +
                                                           "', which special_tokens lacks");
    QUIRE_ASSIGN_OR_RETURN(auto ids, requiredArray(*token, kStage, "ids"));
    for (const JsonValue &id : ids)
      QUIRE_RETURN_IF_ERROR(appendId(id, texts > 0 ? processor.suffix : processor.prefix));
  }
  if (texts != 1)
    return Status::error(ErrorCode::Unsupported,
                         "the tokenizer's template for a single text holds the text " +
                             std::to_string(texts) + " times; only once is supported");
  return processor;
}

} // namespace

Result<PostProcessor> parsePostProcessor(const JsonValue &json) {
  QUIRE_ASSIGN_OR_RETURN(std::string type, stringField(json, kStage, "type", ""));
  if (type == "TemplateProcessing")
    return parseTemplate(json);
  if (type == "ByteLevel") // Moves offsets only.
    return PostProcessor();
  if (type == "RobertaProcessing" || type == "BertProcessing") {
    PostProcessor processor;
    QUIRE_RETURN_IF_ERROR(appendPair(json, "cls", processor.prefix));
    QUIRE_RETURN_IF_ERROR(appendPair(json, "sep", processor.suffix));
    return processor;
  }
  if (type == "Sequence") {
    QUIRE_ASSIGN_OR_RETURN(auto list, requiredArray(json, kStage, "processors"));
    PostProcessor all;
    for (const JsonValue &stage : list) {
      QUIRE_ASSIGN_OR_RETURN(PostProcessor one, parsePostProcessor(stage));
      all.prefix.insert(all.prefix.begin(), one.prefix.begin(), one.prefix.end());
      all.suffix.insert(all.suffix.end(), one.suffix.begin(), one.suffix.end());
    }
    return all;
  }
  return unknownStage(
      kStage, type,
      "TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing, Sequence");
}

} // namespace quire::text
