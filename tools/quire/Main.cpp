// quire: compiles language models into plans and runs them. This file reads the first word of the
// command line and the global options; each command has a file of its own.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

using namespace quire::cli;

static constexpr const char *kExamples = R"(Examples:
  quire run                                  talk to the demo model
  quire run MODEL_DIR -p "Once upon a time"  compile on first use, then write
  quire compile MODEL_DIR -o model.plan      one file to keep and to run anywhere
  quire doctor                               is this machine ready?
Every command explains itself: quire COMMAND --help)";

/// Edits that turn one word into the other (Levenshtein).
static size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row[b.size()];
}

static int failUnknownCommand(const CLI::App &program, const std::string &word) {
  std::string message = "there is no command '" + word + "'";
  for (const CLI::App *command : program.get_subcommands({}))
    if (distance(word, command->get_name()) <= 2)
      message += "; did you mean '" + command->get_name() + "'?";
  return fail(kUsage, message + "; see quire --help");
}

int main(int argc, char **argv) {
  CLI::App program("Quire compiles a Hugging Face model directory into one plan and serves it.");
  program.name("quire");
  program.footer(kExamples);
  program.require_subcommand(0, 1);
  bool version = false, json = false;
  program.add_flag("--version", version, "Print version, compiler and formats");
  program.add_flag("--json", json, "With --version: as JSON");
  program.add_subcommand("compile", "Turn a model directory into a plan file (runs quire-compile)");
  program.add_subcommand("tune", "Search the fastest schedules of operators (runs quire-tune)");

  Action action;
  addRunCommand(program, action);
  addInspectCommand(program, action);
  addTokenizeCommand(program, action);
  addSimulateCommand(program, action);
  addDoctorCommand(program, action);
  addBenchCommand(program, action);

  std::string help = "quire --help";
  if (argc > 1 && argv[1][0] != '-') {
    // Sibling programs read their own options, so their words do not pass through the parser here.
    std::string word = argv[1];
    std::vector<CLI::App *> commands = program.get_subcommands({});
    bool sibling = word == "compile" || word == "tune";
    bool own = !sibling && std::any_of(commands.begin(), commands.end(),
                                       [&](CLI::App *c) { return c->get_name() == word; });
    if (!own && (sibling || isSibling(word)))
      return execSibling(word, argv + 2);
    if (!own)
      return failUnknownCommand(program, word);
    help = "quire " + word + " --help";
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success))
      return program.exit(error) == 0 ? kOk : kGeneral;
    return fail(kUsage, std::string(error.what()) + "; see " + help);
  }
  if (version)
    return printVersion(json);
  if (!action) {
    std::printf("%s", program.help().c_str());
    return kUsage;
  }
  installInterruptHandler();
  try {
    return action();
  } catch (const std::bad_alloc &) {
    return fail(kDevice, "out of memory");
  } catch (const std::exception &error) {
    return fail(kGeneral, error.what());
  }
}
