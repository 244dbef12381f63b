// quire run: writes on from prompts. One prompt streams to standard output, a file of prompts runs
// as one batch, and a terminal without a prompt becomes a conversation.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/Generation.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <sys/resource.h>
#include <unistd.h>

namespace quire::cli {

namespace {

/// Plain text. On a terminal the prompt stands before its text, dimmed.
class TextOutput : public GenerationOutput {
public:
  TextOutput(bool several, bool echo) : several(several), echo(echo) {}

  Status begin(const Prompt &prompt) {
    return echo ? writeOutput(paint(colorOnStdout(), "2", prompt.text)) : Status::ok();
  }
  Status text(std::string_view piece) override { return writeOutput(piece); }
  Status done(size_t index, const Prompt &prompt, const Generated &generated) override {
    std::string end = generated.text.ends_with('\n') ? "" : "\n";
    if (!several)
      return writeOutput(end);
    std::string title =
        format("%s==> %zu: ", index ? "\n" : "", index + 1) + prompt.text + " <==\n";
    return writeOutput(paint(colorOnStdout(), "2", title) + generated.text + end);
  }

private:
  bool several, echo;
};

nlohmann::json statisticsJson(const RequestStatistics &statistics) {
  return {{"prompt_tokens", statistics.promptTokens},
          {"new_tokens", statistics.newTokens},
          {"preemptions", statistics.preemptions},
          {"seconds_to_first_token", statistics.secondsToFirstToken},
          {"seconds", statistics.secondsTotal},
          {"tokens_per_second", statistics.tokensPerSecond()}};
}

/// One object per prompt and line.
class JsonOutput : public GenerationOutput {
public:
  Status text(std::string_view) override { return Status::ok(); }
  Status done(size_t index, const Prompt &prompt, const Generated &generated) override {
    nlohmann::ordered_json object;
    object["index"] = index;
    if (!prompt.id.empty())
      object["id"] = nlohmann::json::parse(prompt.id);
    object["prompt"] = prompt.text;
    object["text"] = generated.text;
    object["finish_reason"] = finishReasonName(generated.finish);
    object["prompt_ids"] = generated.promptIds;
    object["tokens"] = generated.tokens;
    object["seed"] = generated.seed;
    object["statistics"] = statisticsJson(generated.statistics);
    return writeOutput(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                       "\n");
  }
};

double promptSpeed(const RequestStatistics &statistics) {
  double seconds = statistics.secondsToFirstToken - statistics.secondsToStart;
  return seconds > 0 ? statistics.promptTokens / seconds : 0;
}

void printStatistics(Session &session, const GenerationResult &result, const RunOptions &options) {
  bool color = colorOnStderr();
  std::string text;
  if (result.generated.size() == 1) {
    const Generated &only = result.generated.front();
    const RequestStatistics &statistics = only.statistics;
    text = format("prompt %d tokens, %.0f tok/s, first token after %s; wrote %d tokens, %.1f tok/s "
                  "(%s)\n",
                  statistics.promptTokens, promptSpeed(statistics),
                  formatSeconds(statistics.secondsToFirstToken).c_str(), statistics.newTokens,
                  statistics.tokensPerSecond(), finishReasonName(only.finish));
  } else {
    int64_t promptTokens = 0, newTokens = 0;
    std::vector<double> first;
    for (const Generated &generated : result.generated) {
      promptTokens += generated.statistics.promptTokens;
      newTokens += generated.statistics.newTokens;
      first.push_back(generated.statistics.secondsToFirstToken);
    }
    std::sort(first.begin(), first.end());
    double seconds = std::max(result.seconds, 1e-9);
    text =
        format("%zu prompts in %s: %lld prompt tokens and %lld new ones, %.1f new tok/s; first "
               "token after %s (median), %s (slowest)\n",
               result.generated.size(), formatSeconds(result.seconds).c_str(),
               static_cast<long long>(promptTokens), static_cast<long long>(newTokens),
               static_cast<double>(newTokens) / seconds,
               formatSeconds(first[first.size() / 2]).c_str(), formatSeconds(first.back()).c_str());
  }
  if (options.stats) {
    const EngineStatistics &engine = session.engine().statistics();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    text += format("memory: %s; peak resident %s\n", session.memoryText().c_str(),
                   formatBytes(static_cast<uint64_t>(usage.ru_maxrss) * 1024).c_str());
    text += format(
        "engine: %lld steps in %s, %lld tokens computed, %lld preemptions; loaded in %s\n",
        static_cast<long long>(engine.steps), formatSeconds(engine.runSeconds).c_str(),
        static_cast<long long>(engine.computedTokens), static_cast<long long>(engine.preemptions),
        formatSeconds(session.loadSeconds()).c_str());
  }
  std::fprintf(stderr, "%s", paint(color, "2", text).c_str());
}

int converse(Session &session, const GenerationDefaults &settings, const RunOptions &options) {
  std::fprintf(stderr, "Write a beginning and the model goes on. Ctrl-C stops it, Ctrl-D ends.\n");
  for (;;) {
    std::fprintf(stderr, "%s", paint(colorOnStderr(), "1;32", "> ").c_str());
    Prompt prompt;
    prompt.place = "prompt";
    if (!std::getline(std::cin, prompt.text)) {
      std::fprintf(stderr, "\n");
      return interrupted() ? kInterrupted : kOk;
    }
    if (prompt.text.empty())
      continue;
    if (Status status = checkPrompt(prompt); !status.isOk()) {
      fail(kUsage, status);
      continue;
    }
    TextOutput output(false, true);
    if (Status status = output.begin(prompt); !status.isOk())
      return fail(kGeneral, status);
    GenerationResult result = generate(session, {prompt}, settings, options, output);
    if (result.code != kOk && result.code != kUsage && result.code != kInterrupted)
      return result.code;
    clearInterrupt();
    if (!options.quiet && result.code != kUsage)
      printStatistics(session, result, options);
  }
}

/// Prompts from the option, the file or standard input; none means a conversation.
Result<std::vector<Prompt>> gatherPrompts(const RunOptions &options) {
  if (!options.file.empty())
    return readPromptFile(options.file);
  if (options.prompt) {
    Prompt prompt;
    prompt.text = *options.prompt;
    prompt.place = "--prompt";
    QUIRE_RETURN_IF_ERROR(checkPrompt(prompt));
    return std::vector<Prompt>{prompt};
  }
  if (options.input == "-" || !isatty(STDIN_FILENO)) {
    QUIRE_ASSIGN_OR_RETURN(Prompt prompt, readPromptFromInput());
    return std::vector<Prompt>{prompt};
  }
  return std::vector<Prompt>();
}

int run(RunOptions options) {
  if (options.model == "-")
    std::swap(options.model, options.input);
  // What can be refused without the model is refused before it is loaded.
  if (options.input == "-" && (options.prompt || !options.file.empty()))
    return fail(kUsage,
                "'-' reads the prompt from standard input; it excludes --prompt and --file");
  uint64_t cacheBytes = 0;
  if (!options.cacheMemory.empty()) {
    Result<uint64_t> size = parseSize(options.cacheMemory);
    if (!size.isOk())
      return fail(kUsage, size.status());
    cacheBytes = *size;
  }
  Result<DeviceChoice> device = parseDevice(options.device);
  if (!device.isOk())
    return fail(kUsage, device.status());
  if (Result<GenerationDefaults> settings = settingsInForce(options, {}); !settings.isOk())
    return fail(kUsage, settings.status());
  Result<std::vector<Prompt>> prompts = gatherPrompts(options);
  if (!prompts.isOk())
    return interrupted() ? static_cast<int>(kInterrupted) : fail(kUsage, prompts.status());

  ModelLocation location;
  std::error_code error;
  bool directory = options.model.empty() || std::filesystem::is_directory(options.model, error);
  ModelRequest modelRequest{options.model, {}, options.quiet};
  if (directory) {
    *device = chooseForDirectory(*device);
    modelRequest.options = compilerOptions(*device);
  }
  if (options.context) {
    modelRequest.options.push_back("--context");
    modelRequest.options.push_back(std::to_string(options.context));
  }
  if (int code = locateModel(modelRequest, location))
    return code;
  SessionOptions sessionOptions;
  sessionOptions.device = *device;
  sessionOptions.threads = options.threads;
  sessionOptions.memoryFraction = options.memoryFraction;
  sessionOptions.maxSequences = static_cast<uint32_t>(std::max<size_t>(prompts->size(), 1));
  if (options.maxSequences)
    sessionOptions.maxSequences = std::min(sessionOptions.maxSequences, options.maxSequences);
  sessionOptions.cacheBytes = cacheBytes;
  sessionOptions.quiet = options.quiet;
  std::unique_ptr<Session> session;
  if (int code = Session::open(location, sessionOptions, session))
    return code;
  Result<GenerationDefaults> settings = settingsInForce(options, session->defaults());
  if (!settings.isOk())
    return fail(kUsage, settings.status());
  if (Status status = settings->sampling.validate(); !status.isOk())
    return fail(kUsage, status);
  if (options.verbose) {
    std::string name(session->plan().string(session->plan().info().modelName));
    std::fprintf(stderr, "model   %s\ndevice  %s, %s, %u units\nmemory  %s\nloaded  %s\n",
                 name.c_str(), session->device().name.c_str(), session->device().target.c_str(),
                 session->device().units, session->memoryText().c_str(),
                 formatSeconds(session->loadSeconds()).c_str());
    std::fprintf(stderr, "settings\n%s", describeSettings(*settings).c_str());
  }
  if (prompts->empty())
    return converse(*session, *settings, options);

  std::unique_ptr<GenerationOutput> output;
  bool several = prompts->size() > 1;
  if (options.json) {
    output = std::make_unique<JsonOutput>();
  } else {
    auto text = std::make_unique<TextOutput>(several, !several && isatty(STDOUT_FILENO));
    if (Status status = text->begin(prompts->front()); !status.isOk())
      return fail(kGeneral, status);
    output = std::move(text);
  }
  GenerationResult result = generate(*session, *prompts, *settings, options, *output);
  if (!options.quiet && (result.code == kOk || result.code == kInterrupted))
    printStatistics(*session, result, options);
  return result.code;
}

} // namespace

void addRunCommand(CLI::App &program, Action &action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command = program.add_subcommand("run", "Write on from a prompt");
  addRunOptions(*command, *options);
  command->footer(R"(A model directory is compiled on first use; its plan stays in the cache folder.
Text goes to standard output, figures to standard error.

Examples:
  quire run                                    the demo model, as a conversation
  quire run -p "ROMEO:" -n 100 --seed 7        the same text each time
  quire run MODEL_DIR -p "Once" -t 0           the likeliest text
  quire run model.plan --file prompts.txt      all lines as one batch
  quire run --file prompts.jsonl --json        an object per line in and out
  echo "Dear reader," | quire run MODEL_DIR -  the prompt from standard input)");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace quire::cli
