// quire-golden: checks compiled plans on any device against recorded results; needs no compiler, so it
// runs where the GPU is. Folders come from quire-diff --record.
#include "runtime/device/Device.h"
#include "tests/tools/quire-golden/GoldenChecks.h"
#include "tests/tools/quire-golden/Recording.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace quire;
using namespace quire::test;
namespace fs = std::filesystem;

namespace {

constexpr const char *kExamples = R"(Examples:
  quire-diff --golden tests/golden/models/llama --record out/llama
  quire-diff --random 20 --record out
  quire-golden out                   everything below, on the device that the plans are for
  quire-golden out --device cuda:1
A folder holds record.cbor with case.plan, or golden.safetensors with f32.plan, bf16.plan or plans of
activations, or demo.json with demo.plan, and the folders of their weights.
Exit codes: 0 agrees, 1 differs or cannot run, 2 wrong usage.)";

struct Options {
  std::vector<std::string> folders;
  std::string device = "auto";
  uint32_t threads = 2;
  uint64_t seed = 0;
  double tolerance = 0;
};

class Runner {
public:
  explicit Runner(const Options &options) : options_(options) {}

  /// Checks a folder or, when it is none of ours, the folders in it.
  void run(const fs::path &folder) {
    int before = checks_;
    if (exists(folder / "record.cbor"))
      report(folder / "case.plan", recording(folder));
    if (exists(folder / "golden.safetensors"))
      golden(folder);
    if (exists(folder / "demo.json"))
      report(folder / "demo.plan", demo(folder));
    if (checks_ != before)
      return;
    std::vector<fs::path> inside;
    std::error_code error;
    for (const fs::directory_entry &entry : fs::directory_iterator(folder, error))
      if (entry.is_directory())
        inside.push_back(entry.path());
    std::sort(inside.begin(), inside.end());
    for (const fs::path &each : inside)
      run(each);
  }

  int checks() const { return checks_; }
  int failures() const { return failures_; }

private:
  static bool exists(const fs::path &path) {
    std::error_code error;
    return fs::exists(path, error);
  }

  void report(const fs::path &what, const Status &status) {
    ++checks_;
    failures_ += !status.isOk();
    std::printf("%s %s%s%s\n", status.isOk() ? "ok    " : "FAILED", what.c_str(),
                status.isOk() ? "" : ": ", status.message().c_str());
    std::fflush(stdout);
  }

  Result<std::unique_ptr<PagedSession>> open(const fs::path &plan, const fs::path &model,
                                             uint32_t pages) {
    random_.seed(options_.seed);
    return PagedSession::open({plan, pages, options_.threads, true, options_.device, model}, random_);
  }

  Status recording(const fs::path &folder) {
    QUIRE_ASSIGN_OR_RETURN(Recording recording, Recording::read(folder / "record.cbor"));
    QUIRE_ASSIGN_OR_RETURN(auto session, open(folder / "case.plan", folder, recording.pages));
    double tolerance = options_.tolerance > 0 ? options_.tolerance : recording.tolerance;
    std::printf("       %s\n", recording.description.c_str());
    QUIRE_ASSIGN_OR_RETURN(double worst, replay(*session, recording, tolerance));
    std::printf("       largest error %.2g of the largest value, allowed %.2g; %llu steps replayed "
                "from recorded launches\n",
                worst, tolerance,
                static_cast<unsigned long long>(session->executor().replayedSteps()));
    return Status::ok();
  }

  void golden(const fs::path &folder) {
    Result<GoldenFile> file = GoldenFile::open(folder / "golden.safetensors");
    if (!file.isOk())
      return report(folder, file.status());
    if (exists(folder / "f32.plan"))
      report(folder / "f32.plan", check(folder, "f32", 32, [&](PagedSession &session) {
               return checkF32(session, *file, random_);
             }));
    if (exists(folder / "bf16.plan"))
      report(folder / "bf16.plan", check(folder, "bf16", 32, [&](PagedSession &session) {
               return checkBf16(session, *file);
             }));
    for (const char *activation : kActivations) {
      fs::path plan = folder / (std::string(activation) + ".plan");
      if (exists(plan))
        report(plan, check(folder, activation, 0, [&](PagedSession &session) {
                 return checkPerceptron(session, *file, activation);
               }));
    }
  }

  template <typename Check>
  Status check(const fs::path &folder, const std::string &name, uint32_t pages, Check body) {
    QUIRE_ASSIGN_OR_RETURN(auto session, open(folder / (name + ".plan"), folder / name, pages));
    return body(*session);
  }

  Status demo(const fs::path &folder) {
    std::ifstream in(folder / "demo.json");
    nlohmann::json record = nlohmann::json::parse(in, nullptr, false);
    if (record.is_discarded() || !record.contains("cases"))
      return Status::error(ErrorCode::Corrupt, "demo.json holds no cases");
    return check(folder, "demo", 32,
                 [&](PagedSession &session) { return checkDemo(session, record); });
  }

  const Options &options_;
  std::mt19937_64 random_;
  int checks_ = 0, failures_ = 0;
};

} // namespace

int main(int argc, char **argv) {
  CLI::App program("Checks plans on a device against recorded results.");
  program.footer(kExamples);
  Options options;
  const char *variable = std::getenv("QUIRE_SEED");
  options.seed = variable ? std::strtoull(variable, nullptr, 10) : std::random_device{}();
  program.add_option("folders", options.folders, "Folders of recorded cases")->required();
  program.add_option("--device", options.device, "cpu, cuda, cuda:N or auto");
  program.add_option("--threads", options.threads, "Threads of the CPU");
  program.add_option("--seed", options.seed, "Of page placement and chunk sizes");
  program.add_option("--tolerance", options.tolerance,
                     "Of recorded random cases, relative to the largest value (default: theirs)");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  std::printf("QUIRE_SEED=%llu\n", static_cast<unsigned long long>(options.seed));
  Runner runner(options);
  for (const std::string &folder : options.folders)
    runner.run(folder);
  std::printf("%d of %d checks passed\n", runner.checks() - runner.failures(), runner.checks());
  return runner.checks() == 0 || runner.failures() ? 1 : 0;
}
