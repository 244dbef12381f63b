// Replacer: see the header.
#include "runtime/text/Replacer.h"

#include "runtime/text/JsonFields.h"
#include "runtime/text/Utf8.h"

namespace quire::text {

Status textTooLong(std::string_view stage, size_t size, size_t limit) {
  return Status::error(ErrorCode::ResourceExhausted,
                       "the tokenizer's " + std::string(stage) + " would grow a text to " +
                           std::to_string(size) + " bytes; the limit for this input is " +
                           std::to_string(limit));
}

Result<Replacer> Replacer::parse(const JsonValue &json, std::string_view stage, bool mayBeInvalid) {
  Replacer replacer;
  QUIRE_ASSIGN_OR_RETURN(replacer.content, requiredString(json, stage, "content"));
  QUIRE_ASSIGN_OR_RETURN(std::string pattern, patternField(json, stage));
  if (const JsonValue *text = json.find("pattern")->find("String"); text && text->isString())
    replacer.literal = text->asString();
  if (replacer.literal.empty()) {
    QUIRE_ASSIGN_OR_RETURN(Regex regex, Regex::compile(pattern, mayBeInvalid));
    replacer.regex = std::move(regex);
  }
  return replacer;
}

void Replacer::findMatchesOfLiteral(std::string_view text, std::vector<MatchRange> &matches) const {
  for (size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size()))
    matches.push_back(
        {static_cast<uint32_t>(at), static_cast<uint32_t>(at + literal.size())});
}

Result<Replacer::Outcome> Replacer::apply(std::string_view text, size_t sizeLimit) const {
  Outcome outcome;
  if (text.empty())
    return outcome;
  std::vector<MatchRange> matches;
  if (regex)
    QUIRE_RETURN_IF_ERROR(regex->findAll(text, matches));
  else
    findMatchesOfLiteral(text, matches);

  size_t size = text.size() + matches.size() * content.size();
  for (MatchRange match : matches)
    size -= match.end - match.begin;
  if (size > sizeLimit)
    return textTooLong("Replace stage", size, sizeLimit);

  outcome.text.reserve(size);
  size_t copied = 0;
  for (MatchRange match : matches) {
    outcome.text += text.substr(copied, match.begin - copied);
    outcome.text += content;
    copied = match.end;
  }
  outcome.text += text.substr(copied);
  if (!matches.empty() && matches[0].begin == 0 && matches[0].end > 0)
    outcome.keepsStart = !content.empty() && countChars(text.substr(0, matches[0].end)) == 1;
  return outcome;
}

} // namespace quire::text
