// Implementation of Prompts.
#include "tools/quire/Prompts.h"

#include "runtime/base/File.h"
#include "runtime/text/Utf8.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>

#include <unistd.h>

namespace quire::cli {

static constexpr uint64_t kMaxInputBytes = 1ull << 30;

static Status invalid(const std::string &place, const std::string &what) {
  return Status::error(ErrorCode::InvalidArgument, place + ": " + what);
}

Status checkPrompt(const Prompt &prompt) {
  if (!prompt.tokens.empty())
    return Status::ok();
  if (prompt.text.empty())
    return invalid(prompt.place, "the prompt is empty; give a text to go on from");
  size_t bad = text::findInvalidUtf8(prompt.text);
  if (bad != std::string::npos)
    return invalid(prompt.place, "the prompt is not valid UTF-8 at byte " + std::to_string(bad) +
                                     "; convert it, for example with iconv");
  return Status::ok();
}

static bool readTokens(const nlohmann::json &value, std::vector<int32_t> &tokens) {
  if (!value.is_array() || value.empty())
    return false;
  for (const nlohmann::json &token : value) {
    if (!token.is_number_unsigned() || token.get<uint64_t>() > INT32_MAX)
      return false;
    tokens.push_back(token.get<int32_t>());
  }
  return true;
}

static Status readObject(const std::string &line, Prompt &prompt) {
  nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    return invalid(prompt.place, "not a JSON object");
  auto text = object.find("prompt"), tokens = object.find("prompt_ids");
  if ((text == object.end()) == (tokens == object.end()))
    return invalid(prompt.place, text == object.end()
                                     ? "the object has no string \"prompt\" and no \"prompt_ids\""
                                     : "the object has both \"prompt\" and \"prompt_ids\"");
  if (text != object.end() && !text->is_string())
    return invalid(prompt.place, "the object has no string \"prompt\"");
  if (text != object.end())
    prompt.text = text->get<std::string>();
  else if (!readTokens(*tokens, prompt.tokens))
    return invalid(prompt.place, "\"prompt_ids\" must be a list of at least one token id");
  for (const auto &[name, value] : object.items()) {
    if (name == "prompt" || name == "prompt_ids")
      continue;
    if (name == "id") {
      if (!value.is_string() && !value.is_number_integer())
        return invalid(prompt.place, "\"id\" must be a text or a whole number");
      prompt.id = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    } else if (Status status = readField(name, value, prompt.fields); !status.isOk()) {
      return std::move(status).withContext(prompt.place);
    }
  }
  return Status::ok();
}

Result<PromptFile> readPromptFile(const std::string &path, bool keepGoing) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, kMaxInputBytes));
  std::string_view rest(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  bool objects = path.ends_with(".jsonl");
  PromptFile file;
  for (size_t line = 1; !rest.empty(); ++line) {
    size_t end = std::min(rest.find('\n'), rest.size());
    std::string text(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.ends_with('\r'))
      text.pop_back();
    if (text.empty())
      continue;
    Prompt prompt;
    prompt.place = path + ":" + std::to_string(line);
    Status status;
    if (objects)
      status = readObject(text, prompt);
    else
      prompt.text = std::move(text);
    if (status.isOk())
      status = checkPrompt(prompt);
    if (status.isOk())
      file.prompts.push_back(std::move(prompt));
    else if (keepGoing)
      file.badLines.push_back(std::move(status));
    else
      return status;
  }
  if (file.prompts.empty() && file.badLines.empty())
    return invalid(path, "the file holds no prompt");
  return file;
}

Result<Prompt> readPromptFromInput() {
  Prompt prompt;
  prompt.place = "standard input";
  char buffer[65536];
  for (;;) {
    ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0)
      return Status::error(ErrorCode::Io,
                           std::string("cannot read standard input: ") + std::strerror(errno));
    if (count == 0)
      break;
    prompt.text.append(buffer, static_cast<size_t>(count));
    if (prompt.text.size() > kMaxInputBytes)
      return invalid(prompt.place, "more than 1 GiB of prompt");
  }
  if (prompt.text.ends_with('\n'))
    prompt.text.pop_back();
  QUIRE_RETURN_IF_ERROR(checkPrompt(prompt));
  return prompt;
}

} // namespace quire::cli
