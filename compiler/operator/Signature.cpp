// Implements Signature.h.
#include "compiler/operator/Signature.h"

#include <algorithm>

namespace quire::compiler {
namespace {

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, "operator signature: " + message);
}

/// The words of `text`; spaces inside quotes belong to the word, the quotes do not.
Result<std::vector<std::string>> wordsOf(const std::string &text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, any = false;
  for (char c : text) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\n')) {
      if (any)
        words.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (quoted)
    return invalid("a double quote has no end in '" + text + "'");
  if (any)
    words.push_back(std::move(word));
  return words;
}

} // namespace

Result<Signature> parseSignature(const std::string &text) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<std::string> words, wordsOf(text));
  if (words.empty() || words.front().find('=') != std::string::npos)
    return invalid("it begins with the name of an operator, such as attention or linear, not '" +
                   (words.empty() ? std::string() : words.front()) + "'");
  Signature signature;
  signature.name = words.front();
  for (size_t i = 1; i < words.size(); ++i) {
    size_t sign = words[i].find('=');
    std::string key = words[i].substr(0, sign);
    std::string value = sign == std::string::npos ? "true" : words[i].substr(sign + 1);
    if (key.empty() || value.empty())
      return invalid("a field is key=value, not '" + words[i] + "'");
    if (std::any_of(signature.fields.begin(), signature.fields.end(),
                    [&](const auto &field) { return field.first == key; }))
      return invalid("field '" + key + "' is given twice");
    signature.fields.emplace_back(std::move(key), std::move(value));
  }
  return signature;
}

void Signature::set(const std::string &key, const std::string &value) {
  std::erase_if(fields, [&](const auto &field) { return field.first == key; });
  fields.emplace_back(key, value);
}

std::string textOf(const Signature &signature) {
  std::string text = signature.name;
  for (const auto &[key, value] : signature.fields) {
    bool quoted = value.find_first_of(" \t\n") != std::string::npos;
    text += " " + key + "=" + (quoted ? "\"" + value + "\"" : value);
  }
  return text;
}

} // namespace quire::compiler
