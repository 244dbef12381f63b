// Prompts: where the texts to go on from come from: an option, a file with one prompt per line or
// with JSON lines, or standard input. Every prompt is checked: not empty, valid UTF-8.
#pragma once

#include "tools/quire/RequestFields.h"

#include <string>
#include <vector>

namespace quire::cli {

struct Prompt {
  std::string text;
  std::vector<int32_t> tokens; ///< "prompt_ids" instead of a text; else empty
  std::string place;           ///< for messages: "-p", "prompts.txt:3"
  std::string id;              ///< JSON text of "id", empty if there is none
  RequestFields fields;
};

/// Checks a prompt. InvalidArgument names the place and, for bad UTF-8, the byte.
Status checkPrompt(const Prompt &prompt);

struct PromptFile {
  std::vector<Prompt> prompts;
  std::vector<Status> badLines; ///< each names its place
};

/// Reads a file of prompts: with the ending .jsonl one JSON object per line ("prompt" or
/// "prompt_ids", and if wanted "id" and the fields of RequestFields.h), else one prompt per line.
/// Empty lines are skipped; a file without a line is an error. So is a bad line unless `keepGoing`.
Result<PromptFile> readPromptFile(const std::string &path, bool keepGoing = false);

/// All of standard input as one prompt, without its last line break.
Result<Prompt> readPromptFromInput();

} // namespace quire::cli
