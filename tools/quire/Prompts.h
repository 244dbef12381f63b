// Prompts: where the texts to go on from come from: an option, a file with one prompt per line or
// with JSON lines, or standard input. Every prompt is checked: not empty, valid UTF-8.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quire::cli {

struct Prompt {
  std::string text;
  std::string place;                   ///< for messages: "-p", "prompts.txt:3"
  std::string id;                      ///< JSON text of "id", empty if there is none
  std::optional<int32_t> maxNewTokens; ///< "max_tokens"
  std::optional<uint64_t> seed;        ///< "seed"
};

/// Checks a prompt. InvalidArgument names the place and, for bad UTF-8, the byte.
Status checkPrompt(const Prompt &prompt);

/// Reads a file of prompts: with the ending .jsonl one JSON object per line ("prompt", and if
/// wanted "id", "max_tokens", "seed"), else one prompt per line. Empty lines are skipped; a file
/// without a prompt is an error.
Result<std::vector<Prompt>> readPromptFile(const std::string &path);

/// All of standard input as one prompt, without its last line break.
Result<Prompt> readPromptFromInput();

} // namespace quire::cli
