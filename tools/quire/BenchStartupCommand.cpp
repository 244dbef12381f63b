// quire bench startup: from the start of a process to its first token, as a user waits for it:
// `quire run` is started again and again, and a clock outside watches its output.
#include "tools/quire/BenchCommands.h"
#include "tools/quire/BenchPlan.h"
#include "tools/quire/Paths.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace quire::cli {
namespace {

struct Options : BenchOptions {
  std::string model, prompt = "Once upon a time";
};

/// Seconds of one start.
struct Start {
  double first = 0;  ///< from the start of the process to the first byte of its output
  double answer = 0; ///< of it, from the request to the first token
  double end = 0;    ///< to the end of the process
};

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Runs `quire run` for one token. What it says to people stays visible.
Result<Start> startOnce(const std::vector<std::string> &arguments) {
  std::vector<char *> argv;
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return Status::error(ErrorCode::Io, std::string("no pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  auto begin = std::chrono::steady_clock::now();
  pid_t child = 0;
  int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Start start;
  std::string output;
  char buffer[4096];
  for (ssize_t count; error == 0 && (count = read(ends[0], buffer, sizeof buffer)) != 0;) {
    if (count < 0 && errno != EINTR)
      break;
    if (count > 0 && output.empty())
      start.first = secondsSince(begin);
    output.append(buffer, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  close(ends[0]);
  if (error != 0)
    return Status::error(ErrorCode::Io,
                         "cannot start " + arguments[0] + ": " + std::strerror(error));
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR)
    ;
  start.end = secondsSince(begin);
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
    return Status::error(ErrorCode::Internal, "quire run did not succeed; its words are above");
  auto object = nlohmann::json::parse(output, nullptr, /*allow_exceptions=*/false);
  const auto *statistics =
      object.is_object() && object.contains("statistics") ? &object["statistics"] : nullptr;
  if (!statistics || !statistics->contains("seconds_to_first_token"))
    return Status::error(ErrorCode::Internal, "quire run printed no statistics: " + output);
  start.answer = (*statistics)["seconds_to_first_token"].get<double>();
  return start;
}

int benchStartup(Options options) {
  // Compiled before the clock starts: a model directory is compiled once, on first use.
  ModelLocation location;
  if (int code = locateBenchModel(options.model, options, location))
    return code;
  std::vector<std::string> arguments = {programDirectory() + "/quire",
                                        "run",
                                        location.directory.empty() ? location.plan
                                                                   : location.directory,
                                        "--prompt",
                                        options.prompt,
                                        "--max-tokens",
                                        "1",
                                        "--temperature",
                                        "0",
                                        "--ignore-eos",
                                        "--json",
                                        "--quiet",
                                        "--device",
                                        options.device};
  if (options.threads > 0) {
    arguments.push_back("--threads");
    arguments.push_back(std::to_string(options.threads));
  }
  std::vector<double> first, ready, answer, end;
  for (uint32_t round = 0; round <= options.rounds && !interrupted(); ++round) {
    Result<Start> start = startOnce(arguments);
    if (!start.isOk())
      return interrupted() ? static_cast<int>(kInterrupted) : fail(kDevice, start.status());
    if (round == 0) // brings files into the system's cache
      continue;
    first.push_back(start->first);
    answer.push_back(start->answer);
    ready.push_back(start->first - start->answer);
    end.push_back(start->end - start->first);
  }
  if (interrupted())
    return kInterrupted;
  std::string text;
  if (options.json) {
    nlohmann::ordered_json result = {{"format", 1},           {"command", "startup"},
                                     {"plan", location.plan}, {"firstTokenSeconds", first},
                                     {"readySeconds", ready}, {"answerSeconds", answer},
                                     {"endSeconds", end}};
    text = result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  } else {
    text = format("%s, %u starts, weights in the system's cache\n\n| what | median | slowest |\n"
                  "|---|---|---|\n",
                  location.plan.c_str(), options.rounds);
    for (auto [what, values] :
         {std::pair("process start to first token", &first),
          std::pair("of it, until the model is ready (program, device, weights, tokenizer)",
                    &ready),
          std::pair("of it, from the request to its first token", &answer),
          std::pair("first token to the end of the process", &end)})
      text += format("| %s | %.3f s | %.3f s |\n", what, median(*values),
                     *std::max_element(values->begin(), values->end()));
  }
  Status written = writeOutput(text);
  return written.isOk() ? kOk : fail(kGeneral, written);
}

} // namespace

void addBenchStartupCommand(CLI::App &bench, Action &action) {
  CLI::App *command =
      bench.add_subcommand("startup", "From the start of the process to the first token");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Plan or model directory (default: the demo model)")
      ->type_name("PLAN|MODEL_DIR");
  command->add_option("--prompt", options->prompt, "The request's text")->capture_default_str();
  command->add_option("--device", options->device, "cpu, cuda, cuda:N or auto")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads of the CPU (default: all cores)");
  command->add_option("--rounds", options->rounds, "Starts, after one to warm up")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print every time as JSON");
  command->footer(
      "Starts quire run for one token as a process of its own; a model directory is compiled "
      "before.\n"
      "JSON: {format: 1, command, plan, firstTokenSeconds, readySeconds, answerSeconds, "
      "endSeconds: [of every start]}");
  command->callback([&action, options] { action = [options] { return benchStartup(*options); }; });
}

} // namespace quire::cli
