// quire tokenize: shows how a model cuts text into tokens, and back.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/Paths.h"
#include "tools/quire/Prompts.h"

#include "runtime/base/File.h"
#include "runtime/plan/Plan.h"
#include "runtime/text/Tokenizer.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

#include <unistd.h>

namespace quire::cli {

namespace {

struct Options {
  std::string model, file;
  std::optional<std::string> text;
  std::vector<int32_t> decode;
  bool decoding = false, idsOnly = false, json = false, noSpecial = false;
};

/// The folder with the tokenizer: the model directory, or the one a plan was compiled from.
Result<std::string> tokenizerDirectory(const std::string &model) {
  if (model.empty())
    return findDemoModel();
  std::error_code error;
  if (!std::filesystem::exists(model, error))
    return Status::error(ErrorCode::NotFound,
                         "there is no model directory or plan '" + model + "'");
  if (std::filesystem::is_directory(model, error))
    return model;
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(model));
  return std::string(plan.string(plan.info().modelDirectory));
}

Result<Prompt> readText(const Options &options) {
  Prompt prompt;
  if (options.text) {
    prompt.text = *options.text;
    prompt.place = "--text";
  } else if (!options.file.empty()) {
    QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(options.file, 1 << 30));
    prompt.text.assign(bytes.begin(), bytes.end());
    prompt.place = options.file;
  } else {
    return readPromptFromInput();
  }
  QUIRE_RETURN_IF_ERROR(checkPrompt(prompt));
  return prompt;
}

int print(const std::string &output) {
  Status status = writeOutput(output);
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

/// A token as the vocabulary spells it; byte-level tokens may look odd ("\u0120the").
std::string spelling(const text::Tokenizer &tokenizer, int32_t id) {
  return std::string(tokenizer.tokenText(id).value_or(""));
}

int decodeIds(const text::Tokenizer &tokenizer, const Options &options) {
  for (int32_t id : options.decode)
    if (id < 0 || id >= tokenizer.vocabSize())
      return fail(kUsage, format("token id %d is outside of the vocabulary of %d tokens", id,
                                 tokenizer.vocabSize()));
  Result<std::string> text = tokenizer.decode(options.decode, /*skipSpecial=*/options.noSpecial);
  if (!text.isOk())
    return fail(kGeneral, text.status());
  if (options.json)
    return print(nlohmann::json{{"text", *text}}.dump() + "\n");
  return print(*text + "\n");
}

int tokenize(const Options &options) {
  Result<std::string> directory = tokenizerDirectory(options.model);
  if (!directory.isOk())
    return fail(kModel, directory.status());
  Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::fromDirectory(*directory);
  if (!tokenizer.isOk())
    return fail(kModel, tokenizer.status());
  if (options.decoding)
    return decodeIds(**tokenizer, options);
  Result<Prompt> prompt = readText(options);
  if (!prompt.isOk())
    return fail(kUsage, prompt.status());
  text::EncodeOptions encode;
  encode.addSpecial = !options.noSpecial;
  Result<std::vector<int32_t>> ids = (*tokenizer)->encode(prompt->text, encode);
  if (!ids.isOk())
    return fail(kUsage, ids.status());

  std::string output;
  if (options.json) {
    nlohmann::ordered_json tokens = nlohmann::json::array();
    for (int32_t id : *ids)
      tokens.push_back({{"id", id}, {"token", spelling(**tokenizer, id)}});
    output = nlohmann::ordered_json{{"count", ids->size()}, {"tokens", tokens}}.dump(
                 -1, ' ', false, nlohmann::json::error_handler_t::replace) +
             "\n";
  } else if (options.idsOnly) {
    for (size_t i = 0; i < ids->size(); ++i)
      output += (i ? " " : "") + std::to_string((*ids)[i]);
    output += "\n";
  } else {
    for (int32_t id : *ids)
      output += format("%7d  ", id) + spelling(**tokenizer, id) + "\n";
    output += format("%zu tokens\n", ids->size());
  }
  return print(output);
}

} // namespace

void addTokenizeCommand(CLI::App &program, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = program.add_subcommand("tokenize", "Show how a model cuts text into tokens");
  command->add_option("MODEL", options->model,
                      "Model directory or plan file; default: the demo model");
  auto *text = command->add_option("-p,--text", options->text, "The text; default: standard input");
  auto *file = command->add_option("-f,--file", options->file, "A file with the text");
  auto *decode = command->add_option("--decode", options->decode, "Token ids to turn into text")
                     ->delimiter(',');
  command->add_flag("--ids", options->idsOnly, "Only the ids, on one line");
  command->add_flag("--no-special", options->noSpecial,
                    "Without the tokens that the model adds, such as begin of text");
  command->add_flag("--json", options->json, "As JSON");
  text->excludes(file)->excludes(decode);
  file->excludes(decode);
  command->footer(R"(Examples:
  quire tokenize -p "To be, or not to be"        the demo model's tokens
  quire tokenize MODEL_DIR --ids --file a.txt    ids for a script
  quire tokenize MODEL_DIR --decode 12,7,99      back to text)");
  command->callback([options, decode, &action] {
    options->decoding = decode->count() > 0;
    action = [options] { return tokenize(*options); };
  });
}

} // namespace quire::cli
