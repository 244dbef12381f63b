// Implementation of PlanCache.
#include "tools/quire/PlanCache.h"

#include "runtime/base/File.h"
#include "runtime/plan/Plan.h"
#include "runtime/weights/ModelFiles.h"
#include "tools/quire/Paths.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

extern char **environ;

namespace quire::cli {

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

namespace {

/// Two independent 64-bit sums over length-prefixed parts.
class Key {
public:
  void add(std::string_view part) {
    uint64_t size = part.size();
    for (uint64_t *sum : {&first, &second}) {
      *sum = plan::checksum(&size, sizeof size, *sum);
      *sum = plan::checksum(part.data(), part.size(), *sum);
    }
  }
  void add(uint64_t value) { add({reinterpret_cast<const char *>(&value), sizeof value}); }
  std::string text() const {
    return format("%016llx%016llx", static_cast<unsigned long long>(first),
                  static_cast<unsigned long long>(second));
  }

private:
  uint64_t first = plan::checksum("quire", 5);
  uint64_t second = plan::checksum("plan cache", 10);
};

} // namespace

/// Identifies a file by place, size and time of change: reading it whole would cost more than the
/// rest of the start.
static void addIdentity(Key &key, const std::string &path) {
  struct stat info {};
  key.add(path);
  if (stat(path.c_str(), &info) == 0) {
    key.add(static_cast<uint64_t>(info.st_size));
    key.add(static_cast<uint64_t>(info.st_mtim.tv_sec));
    key.add(static_cast<uint64_t>(info.st_mtim.tv_nsec));
  }
}

static Result<std::string> cacheKey(const std::string &directory, const std::string &compiler,
                                    const std::vector<std::string> &options) {
  Key key;
  key.add(plan::kVersion);
  key.add(directory);
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> config,
                         readFile(directory + "/config.json", 16 << 20));
  key.add({reinterpret_cast<const char *>(config.data()), config.size()});
  QUIRE_ASSIGN_OR_RETURN(ModelFiles files, ModelFiles::open(directory));
  for (const ModelFiles::WeightFile &file : files.files()) {
    key.add(file.name);
    key.add(file.bytes);
    key.add(file.header.checksum);
  }
  // Token ids that end a text are part of a plan.
  addIdentity(key, directory + "/generation_config.json");
  addIdentity(key, compiler);
  // Model templates and schedules may lie beside the compiler instead of in it.
  fs::path root = fs::path(compiler).parent_path();
  std::error_code error;
  for (const char *relative : {"../models", "../../models", "../share/quire/models", "../schedules",
                               "../../schedules", "../share/quire/schedules"})
    for (fs::recursive_directory_iterator it(root / relative, error), end; !error && it != end;
         it.increment(error))
      if (it->path().extension() == ".json")
        addIdentity(key, it->path().string());
  for (const std::string &option : options)
    key.add(option);
  return key.text();
}

Result<int> runProgram(const std::string &program, const std::vector<std::string> &arguments,
                       const std::function<void(double)> &onWait) {
  std::vector<char *> argv = {const_cast<char *>(program.c_str())};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int error = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return Status::error(ErrorCode::Io, "cannot start " + program + ": " + std::strerror(error));
  Clock::time_point start = Clock::now();
  int state = 0;
  while (waitpid(child, &state, WNOHANG) != child) {
    onWait(secondsSince(start));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

std::string compilerMissing() {
  return "quire-compile is not there (looked beside quire and on PATH); build it with the option "
         "QUIRE_COMPILER=ON, or compile the model on another machine and pass the plan file";
}

static int compileIntoCache(const std::string &compiler, const std::string &directory,
                            const std::string &plan, const ModelRequest &request) {
  std::string what = "quire: compiling " + directory + " (once; the plan is kept in " +
                     fs::path(plan).parent_path().string() + ")";
  bool counting = !request.quiet && isatty(STDERR_FILENO);
  if (!request.quiet && !counting)
    std::fprintf(stderr, "%s\n", what.c_str());
  auto onWait = [&](double seconds) {
    if (counting && seconds > 0.5)
      std::fprintf(stderr, "\r\033[K%s %.1f s", what.c_str(), seconds);
  };
  std::string temporary = plan + format(".%d.tmp", static_cast<int>(getpid()));
  std::vector<std::string> arguments = {directory, "-o", temporary, "--quiet"};
  arguments.insert(arguments.end(), request.options.begin(), request.options.end());
  Clock::time_point start = Clock::now();
  Result<int> code = runProgram(compiler, arguments, onWait);
  if (counting)
    std::fprintf(stderr, "\r\033[K");
  if (!code.isOk())
    return fail(kCompile, code.status());
  if (*code != 0) {
    unlink(temporary.c_str());
    if (*code == 128 + SIGINT || interrupted())
      return kInterrupted;
    // The compiler has said what is wrong; model and usage errors keep their codes.
    bool known = *code == kUsage || *code == kModel || *code == kDevice;
    return known ? *code : static_cast<int>(kCompile);
  }
  chmod(temporary.c_str(), 0600);
  if (rename(temporary.c_str(), plan.c_str()) != 0) {
    int error = errno;
    unlink(temporary.c_str());
    return fail(kGeneral, "cannot write " + plan + ": " + std::strerror(error));
  }
  if (!request.quiet)
    std::fprintf(stderr, "quire: compiled in %s\n", formatSeconds(secondsSince(start)).c_str());
  return kOk;
}

int locateModel(const ModelRequest &request, ModelLocation &location) {
  std::string model = request.model;
  if (model.empty()) {
    Result<std::string> demo = findDemoModel();
    if (!demo.isOk())
      return fail(kModel, demo.status());
    model = *demo;
  }
  std::error_code error;
  if (!fs::exists(model, error))
    return fail(kModel, "there is no model directory or plan '" + model +
                            "'; a text to go on from is given with -p");
  if (!fs::is_directory(model, error)) {
    if (!request.options.empty())
      return fail(kUsage, model + " is a compiled plan: " + request.options.front() +
                              " is fixed in it; give the model directory instead");
    location = {model, ""};
    return kOk;
  }

  std::string directory = fs::canonical(model, error).string();
  if (!fs::is_regular_file(directory + "/config.json", error))
    return fail(kModel, model + " is no model directory: it has no config.json");
  std::optional<std::string> compiler = findSibling("quire-compile");
  if (!compiler)
    return fail(kCompile, compilerMissing());
  Result<std::string> cache = cacheDirectory(/*create=*/true);
  if (!cache.isOk())
    return fail(kGeneral, cache.status());
  Result<std::string> key = cacheKey(directory, *compiler, request.options);
  if (!key.isOk())
    return fail(kModel, key.status());

  std::string plan = *cache + "/" + *key + ".plan";
  // A damaged or outdated file in the cache is no error: it is compiled again.
  if (!fs::exists(plan, error) || !Plan::open(plan).isOk())
    if (int code = compileIntoCache(*compiler, directory, plan, request))
      return code;
  location = {plan, directory};
  return kOk;
}

} // namespace quire::cli
