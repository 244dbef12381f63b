// Implements Result.h.
#include "tools/quire-compile/Result.h"

#include "tools/common/AskProgramMemory.h"
#include "tools/common/Format.h"

#include "runtime/plan/CacheGroups.h"
#include "runtime/plan/Describe.h"
#include "runtime/plan/Names.h"
#include "runtime/plan/Plan.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

namespace quire {
namespace {

std::string amount(uint64_t bytes) {
  return format("%14llu bytes  %10.3f MB", static_cast<unsigned long long>(bytes),
                static_cast<double>(bytes) / 1e6);
}

/// Resident memory that does not depend on the number of cache pages, at the limits of a step.
struct Memory {
  explicit Memory(const Plan &plan) {
    const plan::InfoRecord &info = plan.info();
    weights = info.weightBytes;
    workLists = info.workListBytes;
    uint64_t tokens = plan::padRows(info.maxTokens, info.rowPadding);
    uint64_t samples = plan::padRows(info.maxSamples, info.rowPadding);
    arena = plan::evaluate(info.arena, tokens, samples);
    for (const plan::TensorRecord &tensor : plan.tensors()) {
      uint64_t rows = tensor.extent == plan::Extent::Tokens    ? tokens
                      : tensor.extent == plan::Extent::Samples ? samples
                                                               : 1;
      tensors += rows * tensor.rowStride * plan::elementBytes(tensor.element);
    }
    page = info.pageBytes;
    if (info.pageSize == 0)
      return;
    plan::CacheGroups groups = plan::cacheGroups(plan.pools());
    token = info.pageBytes / info.pageSize * groups.count;
    sequence = info.pageBytes * plan::pagesHeld(groups, info.maxContext, info.maxTokens,
                                                info.pageSize);
  }
  uint64_t weights, arena, tensors = 0, workLists, page, token = 0, sequence = 0;
};

/// What `quire` beside this program needs for itself.
Result<uint64_t> programMemory(const std::string &plan) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path quire = fs::read_symlink("/proc/self/exe", error).parent_path() / "quire";
  if (error || !fs::exists(quire, error))
    return Status::error(ErrorCode::NotFound, "there is no quire beside quire-compile");
  return askProgramMemory(quire.string(), plan);
}

/// What the kernels of a GPU plan take, a line for each architecture.
std::string kernelTable(const compiler::CompileReport &report) {
  std::string text;
  for (const compiler::KernelTime &time : report.kernels) {
    if (time.threads == 0)
      continue;
    if (text.empty())
      text = format("\n%-40s %-7s %7s %9s %12s %8s\n", "kernel", "target", "threads", "registers",
                    "shared bytes", "NVRTC s");
    text += format("%-40s %-7s %7u %9u %12u %8.3f%s\n", time.kernel.c_str(), time.level.c_str(),
                   time.threads, time.registers, time.sharedBytes, time.emitSeconds,
                   time.cached ? " (cached)" : "");
  }
  return text;
}

std::string asText(const Plan &plan, const Result<uint64_t> &program) {
  const plan::InfoRecord &info = plan.info();
  Memory memory(plan);
  std::string text = format("plan      %s: %zu kernels, %zu instructions, %zu bytes\n",
                            plan.name().c_str(), plan.kernels().size(), plan.instructions().size(),
                            plan.bytes().size());
  for (const plan::ImageRecord &image : plan.images())
    text += format("code      %-24s %s\n",
                   plan::targetName(image.target),
                   amount(image.bytes).c_str());
  text += format("weights   %-24s %s\n", "", amount(memory.weights).c_str());
  text += format("arena     %-24s %s\n",
                 format("at %u tokens, %u samples", info.maxTokens, info.maxSamples).c_str(),
                 amount(memory.arena).c_str());
  text += format("          = %s bytes (T, S: rows padded to %u)\n", describeSize(info.arena).c_str(),
                 info.rowPadding);
  for (const plan::PartitionRecord &partition : plan.partitions())
    if (partition.workspaceItemBytes)
      text += format("          with %llu bytes for parts of keys split by %u: %u items of %llu bytes\n",
                     static_cast<unsigned long long>(partition.workspaceItemBytes *
                                                     partition.capacity),
                     partition.split, partition.capacity,
                     static_cast<unsigned long long>(partition.workspaceItemBytes));
  text += format("in/out    %-24s %s\n", "", amount(memory.tensors).c_str());
  text += format("lists     %-24s %s\n", "", amount(memory.workLists).c_str());
  if (program.isOk())
    text += format("program   %-24s %s\n", "quire itself, measured", amount(*program).c_str());
  else
    text += "program   not measured: " + program.status().message() + "\n";
  if (info.pageSize) {
    text += format("cache     %-24s %s\n", "for each token", amount(memory.token).c_str());
    text += format("          %-24s %s\n", format("for a page of %u tokens", info.pageSize).c_str(),
                   amount(memory.page).c_str());
    text += format("          %-24s %s\n",
                   format("for %u tokens, at most", info.maxContext).c_str(),
                   amount(memory.sequence).c_str());
  }
  return text;
}

std::string asJson(const Plan &plan, const CommandLine &line, const compiler::CompileReport &report,
                   const Result<uint64_t> &program) {
  Memory memory(plan);
  nlohmann::json stages = nlohmann::json::array();
  for (const auto &[name, seconds] : report.stages)
    stages.push_back({{"stage", name}, {"seconds", seconds}});
  nlohmann::json kernels = nlohmann::json::array();
  for (const compiler::KernelTime &time : report.kernels)
    kernels.push_back({{"kernel", time.kernel},
                       {"level", time.level},
                       {"bytes", time.bytes},
                       {"lower_seconds", time.lowerSeconds},
                       {"emit_seconds", time.emitSeconds},
                       {"cached", time.cached},
                       {"threads", time.threads},
                       {"registers", time.registers},
                       {"shared_bytes", time.sharedBytes}});
  nlohmann::json result = {
      {"plan", line.compile.output},
      {"bytes", plan.bytes().size()},
      {"stages", stages},
      {"native_code", kernels},
      {"warnings", report.warnings},
      {"remarks", report.remarks},
      {"memory",
       {{"weight_bytes", memory.weights},
        {"arena_bytes", memory.arena},
        {"tensor_bytes", memory.tensors},
        {"work_list_bytes", memory.workLists},
        {"program_bytes", program.isOk() ? nlohmann::json(*program) : nlohmann::json()},
        {"cache_bytes_per_token", memory.token},
        {"cache_bytes_per_page", memory.page},
        {"cache_bytes_per_sequence", memory.sequence}}},
      {"description", describeJson(plan)}};
  return result.dump(2) + "\n";
}

} // namespace

Result<std::string> describeResult(const CommandLine &line,
                                   const compiler::CompileReport &report) {
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(line.compile.output));
  Result<uint64_t> program = programMemory(line.compile.output);
  if (line.json)
    return asJson(plan, line, report, program);
  std::string text = line.explain ? report.explain + "\n" : std::string();
  return text + asText(plan, program) + kernelTable(report);
}

} // namespace quire
