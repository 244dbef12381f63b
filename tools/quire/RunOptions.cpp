// Implementation of RunOptions.
#include "tools/quire/RunOptions.h"

#include "tools/quire/Console.h"

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

namespace quire::cli {

static constexpr int32_t kDefaultNewTokens = 256;

/// A range that speaks up when it is left, but not in the help text.
template <typename Number> static CLI::Validator within(Number low, Number high) {
  return CLI::Range(low, high).description("");
}

void addRunOptions(CLI::App &command, RunOptions &options) {
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  const CLI::Validator probability = within(0.0, 1.0);
  const CLI::Validator penalty = within(-2.0, 2.0);
  const CLI::Validator positive = within(1, kMost);

  command.add_option("MODEL", options.model,
                     "Model directory or plan file; default: the demo model");
  command.add_option("INPUT", options.input, "'-': the prompt is all of standard input")
      ->check(CLI::IsMember({"-"}).description(""));
  auto *prompt = command.add_option("-p,--prompt", options.prompt, "The text to go on from");
  auto *file = command
                   .add_option("-f,--file", options.file,
                               "A prompt per line, or .jsonl with {\"prompt\": ...}; all run "
                               "together")
                   ->excludes(prompt);
  command
      .add_option("-o,--output", options.output,
                  "With --file: append a JSON object per prompt to this file as they end; the same "
                  "command again goes on with what is missing")
      ->needs(file);
  command
      .add_flag("--keep-going", options.keepGoing,
                "With --file: tell of bad lines and failed prompts and go on with the others")
      ->needs(file);

  const char *sampling = "Sampling";
  command
      .add_option("-n,--max-tokens", options.maxNewTokens,
                  "New tokens, at most (default: the model's, else 256)")
      ->check(positive)
      ->group(sampling);
  command.add_option("--n", options.n, "Texts of each prompt, which share its cache pages")
      ->check(within(1, kMost))
      ->group(sampling);
  auto *bestOf = command
                     .add_option("--best-of", options.bestOf,
                                 "Write so many texts and tell the n with the highest mean "
                                 "log-probability (default: n)")
                     ->check(positive)
                     ->group(sampling);
  command
      .add_option("--beam-width", options.beamWidth,
                  "Beam search instead of sampling: keep so many likeliest texts, tell the n best")
      ->check(positive)
      ->excludes(bestOf)
      ->group(sampling);
  command
      .add_option("--length-penalty", options.lengthPenalty,
                  "Of beam search: a score is divided by the length to this power (default: 1)")
      ->check(within(-10.0, 10.0))
      ->group(sampling);
  command.add_option("-t,--temperature", options.temperature, "0 takes the likeliest token")
      ->check(within(0.0, 100.0))
      ->group(sampling);
  command.add_option("--top-k", options.topK, "Only the K likeliest tokens; 0: all")
      ->check(within(0, kMost))
      ->group(sampling);
  command.add_option("--top-p", options.topP, "Only the likeliest tokens of together P")
      ->check(probability)
      ->group(sampling);
  command.add_option("--min-p", options.minP, "Only tokens of at least P times the likeliest")
      ->check(probability)
      ->group(sampling);
  command
      .add_option("--repetition-penalty", options.repetitionPenalty,
                  "Divides the logits of tokens seen before; 1: off")
      ->check(within(0.01, 100.0))
      ->group(sampling);
  command
      .add_option("--presence-penalty", options.presencePenalty,
                  "Taken once off the logits of tokens written before")
      ->check(penalty)
      ->group(sampling);
  command
      .add_option("--frequency-penalty", options.frequencyPenalty,
                  "Taken off the logits for each time a token was written")
      ->check(penalty)
      ->group(sampling);
  command
      .add_option("--logit-bias", options.logitBias,
                  "ID=VALUE: added to a token's logit; repeatable")
      ->allow_extra_args(false)
      ->group(sampling);
  command.add_option("--seed", options.seed, "The same seed gives the same text (default: random)")
      ->group(sampling);
  command.add_option("--stop", options.stop, "End before this text; repeatable")
      ->allow_extra_args(false)
      ->group(sampling);
  command.add_flag("--ignore-eos", options.ignoreStopTokens, "Go on after the model's end of text")
      ->group(sampling);

  const char *machine = "Machine";
  command
      .add_option("--device", options.device,
                  "cpu, cuda, cuda:N or auto: what the plan is for, else a GPU if there is one")
      ->group(machine);
  command.add_option("--threads", options.threads, "Threads of the CPU (default: all cores)")
      ->check(within(1, 4096))
      ->group(machine);
  command.add_option("--context", options.context, "Compile for this many tokens of context")
      ->check(positive)
      ->group(machine);
  addServingOptions(command, options.serving);
  const char *scheduling = "Scheduling";
  command
      .add_option("--priority", options.priority,
                  "Class of the prompts, 0 the most urgent; for --policy priority (default: 0)")
      ->group(scheduling);
  command
      .add_option("--deadline", options.deadlineSeconds,
                  "Seconds after which a prompt ends with what it has (default: 0, none)")
      ->check(within(0.0, 1e9))
      ->group(scheduling);
  auto *record = command
                     .add_option("--record", options.record,
                                 "Write every decision of the scheduler to this file, for quire "
                                 "simulate --replay")
                     ->group(scheduling);
  command
      .add_option("--explain", options.explain,
                  "Tell at the end what happened to one request; 1 is the first")
      ->check(within(1, kMost))
      ->excludes(record)
      ->group(scheduling);

  const char *output = "Output";
  command.add_flag("--json", options.json, "One JSON object per prompt instead of text")
      ->group(output);
  command.add_flag("--stats", options.stats, "More figures at the end")->group(output);
  command.add_flag("-q,--quiet", options.quiet, "No figures and no progress")->group(output);
  command.add_flag("-v,--verbose", options.verbose, "Settings in force and where they come from")
      ->group(output);
}

/// Parses "ID=VALUE".
static Status readLogitBias(const std::string &text, SamplingParams &sampling) {
  char *end = nullptr;
  long id = std::strtol(text.c_str(), &end, 10);
  bool good = end != text.c_str() && *end == '=' && id >= 0 && id <= INT32_MAX;
  if (good) {
    const char *start = end + 1;
    float value = std::strtof(start, &end);
    good = end != start && *end == '\0' && std::isfinite(value);
    if (good)
      sampling.logitBias.emplace_back(static_cast<int32_t>(id), value);
  }
  if (!good)
    return Status::error(ErrorCode::InvalidArgument,
                         "--logit-bias " + text + ": write ID=VALUE, such as 42=-5.5");
  return Status::ok();
}

Result<GenerationDefaults> settingsInForce(const RunOptions &options,
                                           const GenerationDefaults &model) {
  GenerationDefaults settings = model;
  SamplingParams &sampling = settings.sampling;
  auto choose = [&](const auto &option, auto &target, const char *name, const char *flag) {
    if (option) {
      target = *option;
      settings.origins[name] = flag;
    }
    settings.origins.emplace(name, "default");
  };
  choose(options.temperature, sampling.temperature, "temperature", "--temperature");
  choose(options.topK, sampling.topK, "top_k", "--top-k");
  choose(options.topP, sampling.topP, "top_p", "--top-p");
  choose(options.minP, sampling.minP, "min_p", "--min-p");
  choose(options.repetitionPenalty, sampling.repetitionPenalty, "repetition_penalty",
         "--repetition-penalty");
  choose(options.presencePenalty, sampling.presencePenalty, "presence_penalty",
         "--presence-penalty");
  choose(options.frequencyPenalty, sampling.frequencyPenalty, "frequency_penalty",
         "--frequency-penalty");
  choose(options.maxNewTokens, settings.maxNewTokens, "max_new_tokens", "--max-tokens");
  if (!settings.maxNewTokens)
    settings.maxNewTokens = kDefaultNewTokens;
  for (const std::string &bias : options.logitBias)
    QUIRE_RETURN_IF_ERROR(readLogitBias(bias, sampling));
  if (options.seed) {
    sampling.seed = *options.seed;
    settings.origins["seed"] = "--seed";
  } else {
    std::random_device device;
    sampling.seed = uint64_t(device()) & 0x7fffffff; // short enough to type again
    settings.origins["seed"] = "random";
  }
  return settings;
}

std::string describeSettings(const GenerationDefaults &settings) {
  const SamplingParams &sampling = settings.sampling;
  std::string text;
  auto line = [&](const char *name, const std::string &value) {
    auto origin = settings.origins.find(name);
    text += format("  %-20s %-12s %s\n", name, value.c_str(),
                   origin == settings.origins.end() ? "default" : origin->second.c_str());
  };
  line("temperature", format("%g", sampling.temperature));
  line("top_k", std::to_string(sampling.topK));
  line("top_p", format("%g", sampling.topP));
  line("min_p", format("%g", sampling.minP));
  line("repetition_penalty", format("%g", sampling.repetitionPenalty));
  line("presence_penalty", format("%g", sampling.presencePenalty));
  line("frequency_penalty", format("%g", sampling.frequencyPenalty));
  line("max_new_tokens", std::to_string(*settings.maxNewTokens));
  line("seed", std::to_string(sampling.seed));
  return text;
}

} // namespace quire::cli
