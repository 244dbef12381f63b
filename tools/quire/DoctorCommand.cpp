// quire doctor: what this machine has, what is missing and how to get it, and a real self-test: the
// demo model is compiled and its text compared with the known one. Each check is one line with a
// mark and, where something is wrong, a line that says how to put it right.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/Machine.h"
#include "tools/quire/Paths.h"
#include "tools/quire/PlanCache.h"
#include "tools/quire/SelfTest.h"

#include "runtime/base/CpuInfo.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace quire::cli {

namespace {

enum class Mark { Good, Note, Bad };

struct Check {
  Mark mark;
  std::string name;
  std::string detail;
  std::string fix; ///< what to do; empty when there is nothing to do
};

class Report {
public:
  explicit Report(bool json) : json(json), color(colorOnStdout()) {}

  /// Shows a check as soon as it is known: the self-test takes a moment.
  void add(Check check) {
    worst = std::max(worst, check.mark);
    if (!json && status.isOk())
      status = writeOutput(line(check));
    checks.push_back(std::move(check));
  }

  int finish(int code) {
    if (json && status.isOk()) {
      const char *names[] = {"ok", "note", "problem"};
      nlohmann::ordered_json object;
      object["ok"] = worst != Mark::Bad;
      for (const Check &check : checks) {
        nlohmann::ordered_json entry{{"check", check.name},
                                     {"status", names[static_cast<int>(check.mark)]},
                                     {"detail", check.detail}};
        if (!check.fix.empty())
          entry["fix"] = check.fix;
        object["checks"].push_back(entry);
      }
      status =
          writeOutput(object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    }
    return status.isOk() ? code : fail(kGeneral, status);
  }

private:
  std::string line(const Check &check) const {
    const char *marks[] = {"✓", "!", "✗"};
    const char *colors[] = {"32", "33", "31"};
    int index = static_cast<int>(check.mark);
    std::string text = paint(color, colors[index], marks[index]) + " " +
                       format("%-12s", check.name.c_str()) + check.detail + "\n";
    if (!check.fix.empty())
      text += format("%-14s", "") + paint(color, "2", "→ " + check.fix) + "\n";
    return text;
  }

  bool json, color;
  std::vector<Check> checks;
  Mark worst = Mark::Good;
  Status status;
};

Check checkProcessor(const CpuInfo &cpu) {
  std::string detail = format("%s, %s, %u core%s", cpu.name.c_str(), cpu.level(), cpu.cores,
                              cpu.cores == 1 ? "" : "s");
  if (!cpu.x86_64_v3)
    return {Mark::Bad, "processor", detail,
            "plans need x86-64-v3 (AVX2 and FMA, 2013 or later); in a virtual machine, pass the "
            "host's processor through"};
  return {Mark::Good, "processor", detail, ""};
}

Check checkMemory(const MemoryInfo &memory) {
  std::string detail = formatBytes(memory.available) + " free of " + formatBytes(memory.total);
  if (memory.available < 512'000'000)
    return {Mark::Note, "memory", detail,
            "close other programs; a model needs its weights in memory"};
  return {Mark::Good, "memory", detail, ""};
}

Check checkBandwidth(const CpuInfo &cpu, const MemoryInfo &memory) {
  double bandwidth = measureReadBandwidth(cpu.cores, memory.available);
  if (bandwidth == 0)
    return {Mark::Note, "bandwidth", "not measured: too little free memory", ""};
  return {Mark::Good, "bandwidth",
          format("%.1f GB/s read with %u thread%s: at most %.0f tokens/s for 1 GB of weights",
                 bandwidth / 1e9, cpu.cores, cpu.cores == 1 ? "" : "s", bandwidth / 1e9),
          ""};
}

Check checkCompiler(const std::optional<std::string> &compiler) {
  if (compiler)
    return {Mark::Good, "compiler", *compiler, ""};
  return {Mark::Note, "compiler", "quire-compile not found: plans run, but none can be made",
          "build it with tools/quickstart (Debian packages: libmlir-22-dev mlir-22-tools "
          "llvm-22-dev), or compile on another machine"};
}

Check checkLibrary(const char *name, const LibraryInfo &library) {
  return {library.found ? Mark::Good : Mark::Note, name,
          library.found ? library.text : "needed only for the GPU: " + library.text, ""};
}

Check checkCache() {
  Result<std::string> cache = cacheDirectory(/*create=*/true);
  if (!cache.isOk())
    return {Mark::Bad, "cache", cache.status().message(), ""};
  std::error_code error;
  uint64_t bytes = 0, plans = 0;
  for (std::filesystem::directory_iterator it(*cache, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code sizeError;
    uint64_t size = it->file_size(sizeError);
    if (!sizeError && it->path().extension() == ".plan") {
      bytes += size;
      ++plans;
    }
  }
  return {Mark::Good, "cache",
          format("%s, only yours to write, %llu plan%s, %s", cache->c_str(),
                 static_cast<unsigned long long>(plans), plans == 1 ? "" : "s",
                 formatBytes(bytes).c_str()),
          ""};
}

int doctor(bool json) {
  Report report(json);
  CpuInfo cpu = queryCpuInfo();
  MemoryInfo memory = queryMemory();
  report.add(checkProcessor(cpu));
  report.add(checkMemory(memory));
  report.add(checkBandwidth(cpu, memory));
  std::optional<std::string> compiler = findSibling("quire-compile");
  report.add(checkCompiler(compiler));
  report.add(checkCache());
  report.add(checkLibrary("driver", queryCudaDriver()));
  report.add(checkLibrary("NVRTC", queryNvrtc()));
  if (!compiler) {
    report.add({Mark::Note, "self-test", "not done: it needs quire-compile", ""});
    return report.finish(kOk);
  }
  SelfTestResult test = runSelfTest();
  if (test.code == kInterrupted)
    return kInterrupted;
  Mark mark = test.code != kOk ? Mark::Bad : test.compared ? Mark::Good : Mark::Note;
  report.add({mark, "self-test", test.text, test.fix});
  return report.finish(cpu.x86_64_v3 ? test.code : static_cast<int>(kDevice));
}

} // namespace

void addDoctorCommand(CLI::App &program, Action &action) {
  auto json = std::make_shared<bool>(false);
  CLI::App *command = program.add_subcommand(
      "doctor", "Check this machine and run a self-test with the demo model");
  command->add_flag("--json", *json, "As JSON");
  command->footer(R"(Marks: ✓ good, ! missing but not needed here, ✗ a problem.

Examples:
  quire doctor
  quire doctor --json | jq '.checks[] | select(.status != "ok")')");
  command->callback([json, &action] { action = [json] { return doctor(*json); }; });
}

} // namespace quire::cli
