// Implements Candidates.h.
#include "tools/quire-tune/Candidates.h"

#include "tools/quire-tune/ReferenceCheck.h"

#include "compiler/Driver.h"
#include "compiler/schedule/EnumerateSchedules.h"
#include "compiler/schedule/ScheduleFile.h"
#include "runtime/base/File.h"
#include "runtime/nvrtc/KernelCache.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace fs = std::filesystem;

namespace quire::tune {
namespace {

using schedule::Choice;

bool serves(const Choice &choice, const Use &use) {
  return choice.minimum <= use.queries && (choice.maximum == 0 || use.queries <= choice.maximum);
}

/// What candidates must differ in before more of one kind are tried.
std::string kindOf(const Choice &choice) {
  std::string kind = choice.instruction;
  for (int64_t size : {choice.rows, choice.columns, choice.queries, choice.keys, choice.split,
                       choice.registers[0]})
    kind += " " + std::to_string(size);
  return kind;
}

Status writeText(const std::string &path, const std::string &text) {
  std::span<const uint8_t> piece(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  return writeFileAtomically(path, std::span(&piece, 1));
}

/// The limits of a step that candidates are checked or timed in.
compiler::StepLimits limitsOf(const Subject &subject, uint32_t tokens, uint32_t sequences) {
  compiler::StepLimits limits{tokens, sequences, 1};
  for (const Use &use : subject.uses) {
    limits.maxTokens = std::max(limits.maxTokens, static_cast<uint32_t>(use.tokens()));
    limits.maxSequences = std::max(limits.maxSequences, static_cast<uint32_t>(use.sequences));
  }
  return limits;
}

/// A schedule file for a kernel that shall have `choice`, and in steps that it does not serve what the
/// compiler chooses.
llvm::Error writeSchedule(const Subject &subject, const Choice &choice, const std::string &folder) {
  std::vector<Choice> choices;
  if (subject.isLinear()) {
    choices.push_back(choice);
  } else {
    for (const Choice &other : defaultChoices(subject.shape))
      choices.push_back((other.maximum == 1) == (choice.maximum == 1) ? choice : other);
  }
  return schedule::writeChoices(folder + "/" + std::string(subject.shape.family) + ".json",
                                subject.shape, choices, {});
}

/// Compiles one candidate. The reason why it cannot be had, empty if it could.
std::string compileCandidate(const Subject &subject, const Options &options, const Choice &choice,
                             const compiler::StepLimits &limits, const std::string &path) {
  const std::string schedules = path + ".schedules";
  fs::create_directory(schedules);
  if (llvm::Error error = writeSchedule(subject, choice, schedules))
    return llvm::toString(std::move(error));
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  compiler::prepareContext(context);
  compiler::CompileOptions compile;
  compile.operatorSignature = subject.signature;
  compile.templates = options.templates;
  compile.output = path;
  compile.schedules = schedules;
  compile.limits = limits;
  if (const cuda::CudaTarget *target = cuda::cudaTargetNamed(subject.target)) {
    compile.cudaTargets = {*target};
    compile.nvrtc = NvrtcSearch::fromEnvironment();
    compile.kernelCache = KernelCache::defaultFolder();
  } else {
    compile.cpuLevels = {__builtin_cpu_supports("avx512f") ? compiler::CpuLevel::X86_64_V4
                                                           : compiler::CpuLevel::X86_64_V3};
  }
  compiler::CompileReport report = compiler::compileModel(context, compile);
  fs::remove_all(schedules);
  if (report.failure != compiler::CompileFailure::None)
    return report.errors.empty() ? "the compiler refused it" : report.errors.front();
  // What gets another instruction than it asks for is another candidate.
  for (const std::string &remark : report.remarks)
    if (choice.instruction == "wgmma" && remark.find("asks for wgmma and gets mma") != std::string::npos)
      return remark;
  return {};
}

nlohmann::json jsonOf(const Subject &subject, const std::vector<const Candidate *> &candidates,
                      const std::vector<std::string> &plans, const nlohmann::json &check) {
  nlohmann::json uses = nlohmann::json::array(), entries = nlohmann::json::array();
  for (const Use &use : subject.uses)
    uses.push_back({{"sequences", use.sequences}, {"queries", use.queries}, {"context", use.context}});
  for (size_t i = 0; i < candidates.size(); ++i) {
    entries.push_back({{"name", schedule::describe(candidates[i]->choice)},
                       {"plan", plans[i]},
                       {"uses", candidates[i]->uses}});
  }
  return {{"format", 1},       {"operator", subject.signature}, {"target", subject.target},
          {"uses", uses},      {"candidates", entries},         {"check", check},
          {"compiler", compiler::compilerVersion()}};
}

} // namespace

Choice defaultChoice(const Subject &subject, const Use &use) {
  std::vector<Choice> choices = defaultChoices(subject.shape);
  auto found = std::find_if(choices.begin(), choices.end(), [&](const Choice &choice) {
    return subject.isLinear() ? choice.limit == 0 || use.tokens() <= choice.limit
                              : serves(choice, use);
  });
  Choice choice = found == choices.end() ? choices.back() : *found;
  choice.limit = 0;
  return choice;
}

std::vector<Candidate> chooseCandidates(const Subject &subject, unsigned count, double cores) {
  schedule::Machine machine = *schedule::machineFor(subject.target, cores);
  std::vector<Choice> all = schedule::enumerate(subject.shape);
  std::map<std::string, size_t> indices;
  std::vector<Candidate> chosen;
  auto add = [&](const Choice &choice, uint32_t use) {
    auto [place, isNew] = indices.emplace(schedule::describe(choice), chosen.size());
    if (isNew)
      chosen.push_back({choice, {}});
    chosen[place->second].uses.insert(use);
  };
  auto predict = [&](const Choice &choice, uint32_t use) {
    return schedule::predictSeconds(machine, subject.shape, choice,
                                    subject.stepUse(subject.uses[use]));
  };
  for (uint32_t use = 0; use < subject.uses.size(); ++use)
    add(defaultChoice(subject, subject.uses[use]), use);
  for (uint32_t use = 0; use < subject.uses.size(); ++use) {
    std::vector<std::pair<double, size_t>> ranked; // seconds, index
    for (size_t i = 0; i < all.size(); ++i)
      if (serves(all[i], subject.uses[use]))
        ranked.emplace_back(predict(all[i], use), i);
    std::sort(ranked.begin(), ranked.end());
    // A share for every instruction: where the model errs, it errs for all schedules of one. What is
    // hopeless by far is not tried.
    std::map<std::string, unsigned> kinds, instructions;
    unsigned share = std::max(count / 8, 1u), taken = 0;
    for (bool shares : {true, false})
      for (const auto &[seconds, index] : ranked) {
        const Choice &choice = all[index];
        if (seconds < 3 * ranked.front().first && taken < count && (!shares || instructions[choice.instruction] < share) &&
            kinds[kindOf(choice)] < (shares ? 1 : share)) {
          add(choice, use);
          ++kinds[kindOf(choice)];
          ++instructions[choice.instruction];
          ++taken;
        }
      }
  }
  // One that is timed anyway is timed wherever it is not hopeless.
  for (Candidate &candidate : chosen)
    for (uint32_t use = 0; use < subject.uses.size(); ++use) {
      const Use &step = subject.uses[use];
      if (serves(candidate.choice, step) &&
          predict(candidate.choice, use) < 1.5 * predict(defaultChoice(subject, step), use))
        candidate.uses.insert(use);
    }
  return chosen;
}

Result<Prepared> prepareBundle(const Subject &subject, const Options &options,
                               const std::string &folder,
                               const std::function<void(size_t, size_t)> &progress) {
  auto start = std::chrono::steady_clock::now();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return Status::error(ErrorCode::Io, "cannot make the folder " + folder + ": " + error.message());
  unsigned threads = options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  std::vector<Candidate> candidates = chooseCandidates(subject, options.candidates, threads);
  Prepared prepared;
  prepared.legal = schedule::enumerate(subject.shape).size();
  auto planOf = [](size_t index) { return std::to_string(index) + ".plan"; };
  compiler::StepLimits limits = limitsOf(subject, kMostCheckTokens, kMostCheckSequences);
  std::vector<std::string> reasons(candidates.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  size_t done = 0;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::min<size_t>(threads, candidates.size()); ++i)
    workers.emplace_back([&] {
      for (size_t index; (index = next++) < candidates.size();) {
        reasons[index] = compileCandidate(subject, options, candidates[index].choice, limits,
                                          folder + "/" + planOf(index));
        std::lock_guard lock(mutex);
        progress(++done, candidates.size());
      }
    });
  for (std::thread &worker : workers)
    worker.join();
  std::vector<const Candidate *> good;
  std::vector<std::string> plans;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (reasons[i].empty()) {
      good.push_back(&candidates[i]);
      plans.push_back(planOf(i));
      continue;
    }
    fs::remove(folder + "/" + planOf(i), error);
    ++prepared.refused;
    prepared.lastRefusal = schedule::describe(candidates[i].choice) + ": " + reasons[i];
  }
  if (good.empty())
    return Status::error(ErrorCode::Unsupported,
                         subject.signature + ": no schedule compiles; " + prepared.lastRefusal);
  prepared.compiled = good.size();
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(folder + "/" + plans.front()));
  QUIRE_ASSIGN_OR_RETURN(ReferenceCheck check, makeReferenceCheck(subject, plan, options.templates));
  std::span<const uint8_t> bytes(check.bytes);
  QUIRE_RETURN_IF_ERROR(writeFileAtomically(folder + "/check.bin", std::span(&bytes, 1)));
  QUIRE_RETURN_IF_ERROR(
      writeText(folder + "/bundle.json", jsonOf(subject, good, plans, check.json).dump(1) + "\n"));
  fs::remove(folder + "/results.json", error); // of what was there before
  std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  prepared.seconds = spent.count();
  return prepared;
}

} // namespace quire::tune
