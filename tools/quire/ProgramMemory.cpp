// Implementation of ProgramMemory.
#include "tools/quire/ProgramMemory.h"

#include "tools/quire/Console.h"
#include "tools/quire/GenerationDefaults.h"

#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/engine/Engine.h"
#include "runtime/engine/ExecutorRunner.h"
#include "runtime/plan/Plan.h"
#include "runtime/text/Tokenizer.h"

#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace quire::cli {

namespace {

constexpr int32_t kTokens = 4;

/// A step costs nothing and every token is as likely as the others.
class ZeroRunner : public StepRunner {
public:
  explicit ZeroRunner(const plan::InfoRecord &info) : zeros(info.vocabularySize) {
    bounds.maxTokens = static_cast<int32_t>(info.maxTokens);
    bounds.maxSequences = bounds.maxSamples = 1;
    bounds.maxContext = static_cast<int32_t>(info.maxContext);
    bounds.pageSize = static_cast<int32_t>(info.pageSize);
    bounds.pageCount =
        static_cast<int32_t>((uint64_t(info.maxContext) + info.pageSize - 1) / info.pageSize);
    bounds.vocabularySize = static_cast<int32_t>(info.vocabularySize);
  }
  const StepLimits &limits() const override { return bounds; }
  Status run(const StepBatch &) override { return Status::ok(); }
  std::span<const float> logits(int32_t) const override { return zeros; }

private:
  StepLimits bounds;
  std::vector<float> zeros;
};

/// Resident bytes of this process, page by page as the kernel maps them. The counters of
/// /proc/self/status are kept for each core and lag behind.
Result<uint64_t> residentBytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;)
    if (uint64_t kilobytes = 0; word == "Rss:" && file >> kilobytes)
      return kilobytes * 1024;
  return Status::error(ErrorCode::Io, "/proc/self/smaps_rollup does not say what is resident");
}

/// Lets an engine write a few tokens.
Status serve(StepRunner &runner, const Plan &plan, const text::Tokenizer &tokenizer,
             const GenerationDefaults &defaults) {
  Engine engine(runner, &tokenizer, {0, 0, {plan.stops().begin(), plan.stops().end()}});
  Request request;
  QUIRE_ASSIGN_OR_RETURN(request.prompt, tokenizer.encode("a"));
  request.sampling = defaults.sampling;
  request.maxNewTokens = kTokens;
  request.ignoreStopTokens = true;
  size_t written = 0;
  request.onUpdate = [&](const RequestUpdate &update) { written += update.text.size(); };
  QUIRE_ASSIGN_OR_RETURN([[maybe_unused]] RequestHandle handle, engine.submit(std::move(request)));
  for (bool more = true; more;) {
    QUIRE_ASSIGN_OR_RETURN(more, engine.step());
  }
  return Status::ok();
}

Result<uint64_t> measure(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(path));
  QUIRE_RETURN_IF_ERROR(ExecutorRunner::check(plan));
  std::string directory(plan.string(plan.info().modelDirectory));
  QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<text::Tokenizer> tokenizer,
                         text::Tokenizer::fromDirectory(directory));
  QUIRE_ASSIGN_OR_RETURN(GenerationDefaults defaults, readGenerationDefaults(directory));
  QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, createCpuDevice({}));
  auto runner = std::make_unique<ZeroRunner>(plan.info());
  QUIRE_RETURN_IF_ERROR(serve(*runner, plan, *tokenizer, defaults));
  runner.reset(); // its logits are among the plan's tensors
  return residentBytes();
}

} // namespace

int printProgramMemory(const std::string &plan) {
  Result<uint64_t> bytes = measure(plan);
  if (!bytes.isOk())
    return fail(kModel, bytes.status());
  Status status = writeOutput(std::to_string(*bytes) + "\n");
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

} // namespace quire::cli
