// quire-tune: operators in, schedule files out. It chooses and compiles candidates; `quire bench
// candidates`, which needs no compiler, checks and measures them; then it decides.
#include "tools/quire-tune/Candidates.h"
#include "tools/quire-tune/ModelOperators.h"
#include "tools/quire-tune/Options.h"
#include "tools/quire-tune/Report.h"

#include "compiler/schedule/ScheduleFile.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace fs = std::filesystem;
using namespace quire;
using namespace quire::tune;

namespace {

int fail(int code, const std::string &message) {
  std::fprintf(stderr, "quire-tune: error: %s\n", message.c_str());
  return code;
}

/// The bundle of operator `index`.
std::string folderOf(const Options &options, size_t index) {
  return options.bundle + "/" + std::to_string(index);
}

int prepare(const Options &options, const std::vector<Subject> &subjects) {
  for (size_t i = 0; i < subjects.size(); ++i) {
    bool live = ::isatty(STDERR_FILENO);
    auto progress = [&](size_t done, size_t total) {
      if (live)
        std::fprintf(stderr, "compiling %zu of %zu candidates%s", done, total,
                     done == total ? "\r\033[K" : "\r");
    };
    Result<Prepared> prepared =
        prepareBundle(subjects[i], options, folderOf(options, i), progress);
    if (!prepared.isOk())
      return fail(kCompile, prepared.status().message());
    std::fprintf(stderr, "%s: %zu legal schedules, %zu candidates compiled, %zu refused, %.1f s\n",
                 subjects[i].signature.c_str(), prepared->legal, prepared->compiled,
                 prepared->refused, prepared->seconds);
    if (prepared->refused)
      std::fprintf(stderr, "  the last refused: %s\n", prepared->lastRefusal.c_str());
  }
  return kOk;
}

/// Runs `quire bench candidates`, the program beside this one.
int measure(const Options &options, size_t count) {
  std::error_code error;
  fs::path quire = fs::read_symlink("/proc/self/exe", error).parent_path() / "quire";
  if (!fs::exists(quire, error))
    return fail(kGeneral, "there is no quire beside quire-tune to measure with");
  std::vector<std::string> words = {quire.string(), "bench", "candidates", "--device",
                                    options.device, "--seconds", std::to_string(options.seconds)};
  if (options.threads)
    words.insert(words.end(), {"--threads", std::to_string(options.threads)});
  for (size_t i = 0; i < count; ++i)
    words.push_back(folderOf(options, i));
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, quire.c_str(), nullptr, nullptr, arguments.data(), environ) != 0 ||
      waitpid(child, &status, 0) < 0)
    return fail(kGeneral, "cannot run " + quire.string());
  return WIFEXITED(status) ? WEXITSTATUS(status) : kDevice;
}

/// nlohmann's JSON as LLVM's.
llvm::json::Object converted(const nlohmann::json &json) {
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(json.dump());
  if (!value || !value->getAsObject()) {
    llvm::consumeError(value.takeError());
    return {};
  }
  return std::move(*value->getAsObject());
}

int finish(const Options &options, const std::vector<Subject> &subjects) {
  std::vector<Outcome> outcomes;
  for (size_t i = 0; i < subjects.size(); ++i) {
    Result<Outcome> outcome = readOutcome(subjects[i], folderOf(options, i));
    if (!outcome.isOk())
      return fail(kModel, outcome.status().message());
    outcomes.push_back(outcome.takeValue());
  }
  unsigned wrong = 0;
  nlohmann::json all = nlohmann::json::array();
  for (const Outcome &outcome : outcomes) {
    wrong += outcome.wrong;
    all.push_back(outcome.toJson());
    if (!options.json)
      std::printf("%s\n", markdown(outcome).c_str());
    if (options.output.empty() || outcome.variants.empty())
      continue;
    std::error_code error;
    fs::create_directories(options.output, error);
    std::string path = options.output + "/" + std::string(outcome.subject.shape.family) + ".json";
    if (llvm::Error failed = schedule::writeChoices(path, outcome.subject.shape, outcome.variants,
                                                    converted(outcome.provenance(options.command))))
      return fail(kGeneral, llvm::toString(std::move(failed)));
    std::fprintf(stderr, "%s: written to %s\n", outcome.subject.signature.c_str(), path.c_str());
  }
  if (options.json)
    std::printf("%s\n", all.dump(1).c_str());
  if (!options.html.empty()) {
    std::ofstream file(options.html);
    file << htmlPage(outcomes, options.command);
    if (!file.flush())
      return fail(kGeneral, "cannot write " + options.html);
  }
  if (wrong)
    std::fprintf(stderr, "quire-tune: warning: %u candidates give wrong results: that is a defect of "
                         "the compiler, please report it with the table above\n", wrong);
  return std::fflush(stdout) == 0 ? kOk : fail(kGeneral, "cannot write to standard output");
}

/// Where a run keeps its bundles if nobody else shall have them; removed at the end.
struct TemporaryBundle {
  std::string path;
  ~TemporaryBundle() {
    std::error_code error;
    if (!path.empty())
      fs::remove_all(path, error);
  }
};

} // namespace

int main(int argc, char **argv) {
  Options options;
  int exitCode = kOk;
  if (!parseOptions(argc, argv, options, exitCode))
    return exitCode;
  TemporaryBundle temporary;
  if (options.bundle.empty()) {
    temporary.path = (fs::temp_directory_path() / "quire-tune-XXXXXX").string();
    if (!mkdtemp(temporary.path.data()))
      return fail(kGeneral, "cannot make a folder " + temporary.path);
    options.bundle = temporary.path;
  }
  if (!options.model.empty()) {
    std::vector<std::string> leftOut;
    Result<std::vector<std::string>> found = operatorsOf(options.model, options, leftOut);
    if (!found.isOk())
      return fail(kModel, found.status().message());
    for (const std::string &kernel : leftOut)
      std::fprintf(stderr, "quire-tune: warning: kernel %s is left out: no operator has its like\n",
                   kernel.c_str());
    options.operators.insert(options.operators.end(), found->begin(), found->end());
  }
  std::vector<Subject> subjects;
  for (const std::string &signature : options.operators) {
    Result<Subject> subject = makeSubject(signature, options);
    if (!subject.isOk())
      return fail(kUsage, subject.status().message());
    subjects.push_back(subject.takeValue());
  }
  using Part = Options::Part;
  bool all = options.part == Part::All;
  if (all || options.part == Part::Prepare)
    exitCode = prepare(options, subjects);
  if (exitCode == kOk && (all || options.part == Part::Measure))
    exitCode = measure(options, subjects.size());
  if (exitCode == kOk && (all || options.part == Part::Finish))
    exitCode = finish(options, subjects);
  return exitCode;
}
