// quire-golden: checks compiled plans on any device against recorded results; needs no compiler, so it
// runs where the GPU is. Folders come from quire-diff --record.
#include "runtime/device/Device.h"
#include "tests/tools/quire-golden/BatchInvariance.h"
#include "tests/tools/quire-golden/GoldenChecks.h"
#include "tests/tools/quire-golden/Recording.h"
#include "tests/tools/quire-golden/Repeats.h"

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
  quire-golden out --repeat 1000     ragged steps a thousand times: the same bits
  quire-golden out --batch-invariant alone, in any batch, in any chunks: the same bits
A folder holds record.cbor with case.plan, or golden.safetensors with f32.plan, bf16.plan or plans of
activations, or demo.json with demo.plan, and the folders of their weights. Beside NAME.plan there may be
NAME.invariant.plan, compiled for batch invariance; --batch-invariant looks at these alone.
Exit codes: 0 agrees, 1 differs or cannot run, 2 wrong usage.)";

struct Options {
  std::vector<std::string> folders;
  std::string device = "auto";
  uint32_t threads = 2;
  uint64_t seed = 0;
  double tolerance = 0;
  int repeats = 0;
  bool batchInvariant = false;
};

/// What a folder says about one of its plans.
struct Case {
  fs::path folder;
  std::string name;       ///< of the plan, without its endings
  fs::path model;         ///< folder of its weights
  uint32_t pages = 0;     ///< 0: no language model
  bool seesLater = false; ///< see InvarianceOptions
};

class Runner {
public:
  explicit Runner(const Options &options) : options_(options) {}

  /// Checks a folder or, when it is none of ours, the folders in it.
  void run(const fs::path &folder) {
    bool ours = false;
    if (exists(folder / "record.cbor"))
      ours = true, recording(folder);
    if (exists(folder / "golden.safetensors"))
      ours = true, golden(folder);
    if (exists(folder / "demo.json"))
      ours = true, demo(folder);
    if (ours)
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

  /// Runs what was asked for on the plans of a case: NAME.plan, and NAME.invariant.plan, whose results
  /// must be as right. `body` compares with what was recorded.
  template <typename Body> void plans(const Case &one, Body body) {
    for (bool invariant : {false, true}) {
      fs::path plan = one.folder / (one.name + (invariant ? ".invariant.plan" : ".plan"));
      if (!exists(plan) || (options_.batchInvariant && (!invariant || one.pages == 0)))
        continue;
      report(plan, check(plan, one, body));
    }
  }

  template <typename Body> Status check(const fs::path &plan, const Case &one, Body body) {
    random_.seed(options_.seed);
    SessionOptions sessionOptions{plan, one.pages, options_.threads, true, options_.device, one.model};
    QUIRE_ASSIGN_OR_RETURN(auto session, PagedSession::open(sessionOptions, random_));
    if (options_.repeats > 0)
      QUIRE_RETURN_IF_ERROR(checkRepeats(*session, options_.repeats, random_));
    if (options_.batchInvariant)
      QUIRE_RETURN_IF_ERROR(
          checkBatchInvariance(*session, {InvarianceOptions{}.rounds, one.seesLater}, random_));
    return options_.repeats > 0 || options_.batchInvariant ? Status::ok() : body(*session);
  }

  void recording(const fs::path &folder) {
    Result<Recording> read = Recording::read(folder / "record.cbor");
    if (!read.isOk())
      return report(folder, read.status());
    const Recording &recording = *read;
    std::printf("       %s\n", recording.description.c_str());
    Case one{folder, "case", folder, recording.pages, recording.seesLater};
    plans(one, [&](PagedSession &session) -> Status {
      double tolerance = options_.tolerance > 0 ? options_.tolerance : recording.tolerance;
      QUIRE_ASSIGN_OR_RETURN(double worst, replay(session, recording, tolerance));
      std::printf("       largest error %.2g of the largest value, allowed %.2g; %llu steps replayed "
                  "from recorded launches\n",
                  worst, tolerance,
                  static_cast<unsigned long long>(session.executor().replayedSteps()));
      return Status::ok();
    });
  }

  void golden(const fs::path &folder) {
    Result<GoldenFile> file = GoldenFile::open(folder / "golden.safetensors");
    if (!file.isOk())
      return report(folder, file.status());
    plans({folder, "f32", folder / "f32", 32}, [&](PagedSession &session) {
      return checkF32(session, *file, random_);
    });
    plans({folder, "bf16", folder / "bf16", 32},
          [&](PagedSession &session) { return checkBf16(session, *file); });
    for (const char *activation : kActivations)
      plans({folder, activation, folder / activation}, [&](PagedSession &session) {
        return checkPerceptron(session, *file, activation);
      });
  }

  void demo(const fs::path &folder) {
    std::ifstream in(folder / "demo.json");
    nlohmann::json record = nlohmann::json::parse(in, nullptr, false);
    if (record.is_discarded() || !record.contains("cases"))
      return report(folder, Status::error(ErrorCode::Corrupt, "demo.json holds no cases"));
    plans({folder, "demo", folder / "demo", 32},
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
  auto *repeat = program.add_option("--repeat", options.repeats,
                                    "Instead of results: runs of the same random steps, bit by bit")
                     ->check(CLI::Range(2, 1'000'000));
  program.add_flag("--batch-invariant", options.batchInvariant,
                   "Instead of results: whether sequences depend on batches and chunks, bit by bit")
      ->excludes(repeat);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  std::printf("QUIRE_SEED=%llu\n", static_cast<unsigned long long>(options.seed));
  Runner runner(options);
  for (const std::string &folder : options.folders)
    runner.run(folder);
  if (runner.checks() == 0)
    std::printf("no plan to check%s\n",
                options.batchInvariant ? ": no folder holds a NAME.invariant.plan of a language model"
                                       : "");
  std::printf("%d of %d checks passed\n", runner.checks() - runner.failures(), runner.checks());
  return runner.checks() == 0 || runner.failures() ? 1 : 0;
}
