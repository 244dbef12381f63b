// Implements Options.h.
#include "tools/quire-tune/Options.h"

#include "tools/common/CompilerFolders.h"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace quire::tune {

static constexpr const char *kExamples = R"(Examples:
  quire tune MODEL_DIR -o schedules/cpu
  quire tune --operator 'linear in_features=4096 out_features=6144' -o schedules/cpu
  quire tune --operator 'attention heads=32 kv_heads=8 head=128' --target sm_90a -o schedules/sm_90a
For a GPU in another machine, which needs no compiler:
  quire tune --operator '…' --target sm_90a --prepare DIR      here: DIR/0, DIR/1, …
  quire bench candidates DIR/* --device cuda                   there
  quire tune --operator '…' --target sm_90a --finish DIR -o schedules/sm_90a   here, the same operators
A candidate is timed only if its results are right. What is written are the schedules that win by more
than the noise; all others stay as the compiler chooses them. quire compile reads the folder
schedules/TARGET that ships with it, or the one that --schedules names.
Exit codes: 0 done, 1 cannot write, 2 wrong usage, 3 a bundle is missing or damaged, 4 the device failed,
6 compilation failed.)";

static bool usage(const std::string &message, int &exitCode) {
  std::fprintf(stderr, "quire-tune: error: %s; see quire-tune --help\n", message.c_str());
  exitCode = kUsage;
  return false;
}

bool parseOptions(int argc, char **argv, Options &options, int &exitCode) {
  CLI::App program("Searches the schedules of operators for the fastest.");
  program.name("quire-tune");
  program.footer(kExamples);
  std::string prepare, measure, finish;
  program.add_option("model", options.model, "A model whose operators are tuned, each different one once")
      ->type_name("MODEL_DIR")->check(CLI::ExistingDirectory);
  program.add_option("--operator", options.operators, "What to tune; see quire compile --help")
      ->type_name("SIGNATURE");
  program.add_option("--target", options.target, "cpu, sm_80 or sm_90a")->capture_default_str()
      ->check(CLI::IsMember({"cpu", "sm_80", "sm_90a"}));
  program.add_option("--rows", options.rows, "Token rows of the steps that a linear is tuned for")
      ->delimiter(',')->check(CLI::Range(1, 65536))->capture_default_str();
  CLI::Option *prompts =
      program.add_option("--prompts", options.prompts, "Lengths of prompts that attention is tuned for");
  prompts->delimiter(',')->check(CLI::Range(2, 65536))->capture_default_str();
  CLI::Option *decode =
      program.add_option("--decode", options.decode, "Decode steps of attention, SEQUENCESxCONTEXT");
  decode->delimiter(',')->capture_default_str();
  program.add_option("--candidates", options.candidates, "Schedules to compile for each step")
      ->check(CLI::Range(1, 1000))->capture_default_str();
  program.add_option("--budget", options.seconds, "Seconds of measuring for each operator")
      ->check(CLI::Range(1.0, 86400.0))->capture_default_str();
  program.add_option("--threads", options.threads, "Threads to compile and to run CPU plans with")
      ->check(CLI::Range(1, 1024));
  program.add_option("--device", options.device, "What measures: cpu, cuda, cuda:N or auto")
      ->capture_default_str();
  program.add_option("-o,--output", options.output, "Folder of schedule files to write or add to")
      ->type_name("DIR");
  CLI::Option *parts[] = {
      program.add_option("--prepare", prepare, "Only choose and compile candidates, into a folder")
          ->type_name("DIR"),
      program.add_option("--measure", measure, "Only check and measure them")->type_name("DIR"),
      program.add_option("--finish", finish, "Only write schedules of what was measured")
          ->type_name("DIR")};
  program.add_option("--templates", options.templates, "Folder of model templates")->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  program.add_option("--html", options.html, "Write a report with heat maps and rooflines")
      ->type_name("FILE");
  program.add_flag("--json", options.json, "Print the result as JSON");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::Success))
      return usage(error.what(), exitCode);
    exitCode = program.exit(error) == 0 ? kOk : kGeneral;
    return false;
  }
  options.givenPrompts = prompts->count() > 0;
  options.givenDecode = decode->count() > 0;
  size_t count = 0;
  for (CLI::Option *part : parts)
    count += part->count();
  if (count > 1)
    return usage("--prepare, --measure and --finish are for one at a time", exitCode);
  options.bundle = prepare + measure + finish;
  options.part = !prepare.empty()   ? Options::Part::Prepare
                 : !measure.empty() ? Options::Part::Measure
                 : !finish.empty()  ? Options::Part::Finish
                                    : Options::Part::All;
  if (options.operators.empty() && options.model.empty())
    return usage("a model or --operator says what to tune", exitCode);
  if (options.templates.empty())
    options.templates = findTemplates();
  options.command = "quire tune";
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    options.command += word.find(' ') == std::string::npos ? " " + word : " '" + word + "'";
  }
  return true;
}

} // namespace quire::tune
