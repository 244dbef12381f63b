// quire run: writes on from prompts. One prompt streams to standard output, a file of prompts runs
// as one batch, and a terminal without a prompt becomes a conversation.
#include "tools/quire/BatchJob.h"
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/GenerationJson.h"
#include "tools/quire/RecordFile.h"

#include "runtime/sched/Explain.h"

#include <CLI/CLI.hpp>

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
    std::string all;
    for (size_t i = 0; i < generated.texts.size(); ++i) {
      const std::string &text = generated.texts[i].text;
      std::string end = text.ends_with('\n') ? "" : "\n";
      if (!several && generated.texts.size() == 1)
        return writeOutput(end);
      std::string name = prompt.tokens.empty() ? prompt.text
                                               : format("[%zu token ids]", prompt.tokens.size());
      if (generated.texts.size() > 1)
        name += format(" (%zu of %zu)", i + 1, generated.texts.size());
      std::string title = format("%s==> %zu: ", index + i ? "\n" : "", index + 1) + name + " <==\n";
      all += paint(colorOnStdout(), "2", title) + text + end;
    }
    return writeOutput(all);
  }

private:
  bool several, echo;
};

/// One object per prompt and line.
class JsonOutput : public GenerationOutput {
public:
  Status text(std::string_view) override { return Status::ok(); }
  Status done(size_t index, const Prompt &prompt, const Generated &generated) override {
    return writeOutput(generationJson(static_cast<int64_t>(index), prompt.id, prompt, generated) +
                       "\n");
  }
};

void printStatistics(Session &session, const GenerationResult &result, const RunOptions &options) {
  std::string text = result.figures.summary();
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
    int32_t held = engine.peakPages, unshared = engine.peakPagesUnshared;
    text += format("pages: %d held at once, %d if nothing were shared (%.1f %% saved)\n", held,
                   unshared, unshared > 0 ? 100.0 * (1 - double(held) / unshared) : 0.0);
  }
  std::fprintf(stderr, "%s", paint(colorOnStderr(), "2", text).c_str());
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
Result<PromptFile> gatherPrompts(const RunOptions &options) {
  if (!options.file.empty())
    return readPromptFile(options.file, options.keepGoing);
  if (options.prompt) {
    Prompt prompt;
    prompt.text = *options.prompt;
    prompt.place = "--prompt";
    QUIRE_RETURN_IF_ERROR(checkPrompt(prompt));
    return PromptFile{{prompt}, {}};
  }
  if (options.input == "-" || !isatty(STDIN_FILENO)) {
    QUIRE_ASSIGN_OR_RETURN(Prompt prompt, readPromptFromInput());
    return PromptFile{{prompt}, {}};
  }
  return PromptFile();
}

/// Texts told of a prompt.
int32_t textsOf(const Prompt &prompt, const RunOptions &options) {
  return std::max(prompt.fields.n.value_or(options.n), 1);
}

/// Sequences that all prompts need together; sizes what the session allocates.
uint32_t sequenceCount(const std::vector<Prompt> &prompts, const RunOptions &options) {
  uint64_t count = 0;
  auto add = [&](int32_t n, int32_t bestOf, int32_t beamWidth) {
    count += static_cast<uint64_t>(std::max({n, bestOf, beamWidth, 1}));
  };
  for (const Prompt &prompt : prompts)
    add(textsOf(prompt, options), prompt.fields.bestOf.value_or(options.bestOf),
        prompt.fields.beamWidth.value_or(options.beamWidth));
  if (prompts.empty()) // a conversation
    add(options.n, options.bestOf, options.beamWidth);
  return static_cast<uint32_t>(std::min<uint64_t>(count, INT32_MAX));
}

/// Loads the model that the options name. Returns 0, or the exit code of an error that was printed.
int openSession(const RunOptions &options, const std::vector<Prompt> &prompts, Recorder *recorder,
                std::unique_ptr<Session> &session) {
  Result<DeviceChoice> device = parseDevice(options.device);
  if (!device.isOk())
    return fail(kUsage, device.status());
  SessionOptions sessionOptions;
  const ServingOptions &serving = options.serving;
  for (auto [text, bytes] : {std::pair(&serving.cacheMemory, &sessionOptions.cacheBytes),
                             std::pair(&serving.swapMemory, &sessionOptions.swapBytes)}) {
    Result<uint64_t> size = text->empty() ? Result<uint64_t>(0) : parseSize(*text);
    if (!size.isOk())
      return fail(kUsage, size.status());
    *bytes = *size;
  }
  Result<EngineOptions> engine = engineOptions(serving);
  if (!engine.isOk())
    return fail(kUsage, engine.status());
  sessionOptions.engine = *engine;
  sessionOptions.engine.recorder = recorder;
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
  sessionOptions.device = *device;
  sessionOptions.threads = options.threads;
  sessionOptions.memoryFraction = serving.memoryFraction;
  sessionOptions.pages = serving.pages;
  sessionOptions.maxSequences = sequenceCount(prompts, options);
  if (serving.maxRunning > 0)
    sessionOptions.maxSequences =
        std::min(sessionOptions.maxSequences, static_cast<uint32_t>(serving.maxRunning));
  sessionOptions.quiet = options.quiet;
  return Session::open(location, sessionOptions, session);
}

void describe(const Session &session, const GenerationDefaults &settings) {
  std::string name(session.plan().string(session.plan().info().modelName));
  std::fprintf(stderr, "model   %s\ndevice  %s, %s, %u units\nmemory  %s\nloaded  %s\n",
               name.c_str(), session.device().name.c_str(), session.device().target.c_str(),
               session.device().units, session.memoryText().c_str(),
               formatSeconds(session.loadSeconds()).c_str());
  std::fprintf(stderr, "settings\n%s", describeSettings(settings).c_str());
}

/// Runs the prompts of a batch job that have no result yet.
int runJob(Session &session, BatchJob &job, const GenerationDefaults &settings,
           const RunOptions &options) {
  GenerationResult result = generate(session, job.prompts(), settings, options, job.output());
  if (!options.quiet)
    printStatistics(session, result, options);
  if (result.code != kOk && !options.quiet)
    std::fprintf(stderr, "%s: the same command goes on with the prompts that have no result yet\n",
                 options.output.c_str());
  return result.code;
}

/// Runs prompts whose texts go to standard output.
int runPrompts(Session &session, const std::vector<Prompt> &prompts,
               const GenerationDefaults &settings, const RunOptions &options) {
  std::unique_ptr<GenerationOutput> output;
  bool several = prompts.size() > 1, one = !several && textsOf(prompts.front(), options) == 1;
  if (options.json) {
    output = std::make_unique<JsonOutput>();
  } else {
    auto text = std::make_unique<TextOutput>(several, one && isatty(STDOUT_FILENO));
    if (Status status = text->begin(prompts.front()); !status.isOk())
      return fail(kGeneral, status);
    output = std::move(text);
  }
  InOrder inOrder(std::move(output));
  GenerationResult result = generate(session, prompts, settings, options, inOrder);
  if (!options.quiet && (result.code == kOk || result.code == kInterrupted))
    printStatistics(session, result, options);
  return result.code;
}

int run(RunOptions options) {
  if (options.model == "-")
    std::swap(options.model, options.input);
  // What can be refused without the model is refused before it is loaded.
  if (options.input == "-" && (options.prompt || !options.file.empty()))
    return fail(kUsage,
                "'-' reads the prompt from standard input; it excludes --prompt and --file");
  if (Result<GenerationDefaults> settings = settingsInForce(options, {}); !settings.isOk())
    return fail(kUsage, settings.status());
  if (Result<EngineOptions> engine = engineOptions(options.serving); !engine.isOk())
    return fail(kUsage, engine.status());
  Result<PromptFile> file = gatherPrompts(options);
  if (!file.isOk())
    return interrupted() ? static_cast<int>(kInterrupted) : fail(kUsage, file.status());
  for (const Status &bad : file->badLines)
    fail(kUsage, bad);
  std::vector<Prompt> prompts = std::move(file->prompts);
  int afterBadLines = file->badLines.empty() ? kOk : kGeneral;

  std::optional<BatchJob> job;
  if (!options.output.empty()) {
    Result<BatchJob> opened = BatchJob::open(std::move(prompts), options.output);
    if (!opened.isOk())
      return fail(kUsage, opened.status());
    job.emplace(opened.takeValue());
    prompts = job->prompts();
    if (job->foreign() > 0)
      warn(format("%s: %zu results are of other prompts than those of %s", options.output.c_str(),
                  job->foreign(), options.file.c_str()));
    if (job->skipped() > 0 && !options.quiet)
      std::fprintf(stderr, "%zu of %zu prompts have their result already\n", job->skipped(),
                   job->skipped() + prompts.size());
  }
  if (prompts.empty() && !options.file.empty())
    return afterBadLines;

  MemoryRecorder memory;
  std::unique_ptr<FileRecorder> recordFile;
  if (!options.record.empty()) {
    Result<std::unique_ptr<FileRecorder>> created = FileRecorder::create(options.record);
    if (!created.isOk())
      return fail(kGeneral, created.status());
    recordFile = created.takeValue();
  }
  Recorder *recorder = recordFile.get();
  if (options.explain > 0)
    recorder = &memory;
  std::unique_ptr<Session> session;
  if (int code = openSession(options, prompts, recorder, session))
    return code;
  Result<GenerationDefaults> settings = settingsInForce(options, session->defaults());
  if (!settings.isOk())
    return fail(kUsage, settings.status());
  if (Status status = settings->sampling.validate(); !status.isOk())
    return fail(kUsage, status);
  if (options.verbose)
    describe(*session, *settings);
  if (prompts.empty())
    return converse(*session, *settings, options);
  int code = job ? runJob(*session, *job, *settings, options)
                 : runPrompts(*session, prompts, *settings, options);
  if (recordFile)
    if (Status status = recordFile->close(); !status.isOk())
      return fail(kGeneral, status);
  if (options.explain > 0) {
    Result<std::string> story = explain(memory.stream, static_cast<uint64_t>(options.explain));
    if (!story.isOk())
      return fail(kUsage, story.status());
    std::fprintf(stderr, "%s", story->c_str());
  }
  return code == kOk ? afterBadLines : code;
}

} // namespace

void addRunCommand(CLI::App &program, Action &action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command = program.add_subcommand("run", "Write on from a prompt");
  addRunOptions(*command, *options);
  command->footer(R"(A model directory is compiled on first use; its plan stays in the cache folder.
Text goes to standard output, figures to standard error.

A line of a .jsonl file is an object with "prompt" or "prompt_ids" and, if wanted: id, max_tokens,
temperature, top_k, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty,
logit_bias, seed, stop, ignore_eos, n, best_of, beam_width, length_penalty, priority (0 first),
tenant, weight, cache_salt, deadline (in seconds).

Examples:
  quire run                                    the demo model, as a conversation
  quire run -p "ROMEO:" -n 100 --seed 7        the same text each time
  quire run MODEL_DIR -p "Once" -t 0           the likeliest text
  quire run MODEL_DIR -p "Once" --beam-width 4 the likeliest text that a wider search finds
  quire run MODEL_DIR -p "Once" --n 4 --stats  four texts, and the pages that sharing saves
  quire run model.plan --file prompts.txt      all lines as one batch
  quire run --file prompts.jsonl --json        an object per line in and out
  quire run --file prompts.jsonl -o done.jsonl a batch job; run it again to go on after Ctrl-C
  echo "Dear reader," | quire run MODEL_DIR -  the prompt from standard input)");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace quire::cli
