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
  if (prompt.text.empty())
    return invalid(prompt.place, "the prompt is empty; give a text to go on from");
  size_t bad = text::findInvalidUtf8(prompt.text);
  if (bad != std::string::npos)
    return invalid(prompt.place, "the prompt is not valid UTF-8 at byte " + std::to_string(bad) +
                                     "; convert it, for example with iconv");
  return Status::ok();
}

static Status readObject(const std::string &line, Prompt &prompt) {
  nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    return invalid(prompt.place, "not a JSON object");
  auto text = object.find("prompt");
  if (text == object.end() || !text->is_string())
    return invalid(prompt.place, "the object has no string \"prompt\"");
  prompt.text = text->get<std::string>();
  for (const auto &[name, value] : object.items()) {
    if (name == "prompt")
      continue;
    if (name == "id")
      prompt.id = value.dump();
    else if (name == "max_tokens" && value.is_number_integer() && value.get<int64_t>() > 0 &&
             value.get<int64_t>() <= INT32_MAX)
      prompt.maxNewTokens = value.get<int32_t>();
    else if (name == "seed" && value.is_number_unsigned())
      prompt.seed = value.get<uint64_t>();
    else
      return invalid(prompt.place,
                     "cannot use \"" + name + "\": " +
                         value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                         "; known are prompt, id, max_tokens (at least 1), seed");
  }
  return Status::ok();
}

Result<std::vector<Prompt>> readPromptFile(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, kMaxInputBytes));
  std::string_view rest(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  bool objects = path.ends_with(".jsonl");
  std::vector<Prompt> prompts;
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
    if (objects)
      QUIRE_RETURN_IF_ERROR(readObject(text, prompt));
    else
      prompt.text = std::move(text);
    QUIRE_RETURN_IF_ERROR(checkPrompt(prompt));
    prompts.push_back(std::move(prompt));
  }
  if (prompts.empty())
    return invalid(path, "the file holds no prompt");
  return prompts;
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
