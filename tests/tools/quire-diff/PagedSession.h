// Runs a plan step by step on a device, as an engine would, in the most hostile memory: every
// cache element that no step has written is NaN, pages are handed out in random order, unused
// entries of the block table name no page, and pages behind a window are given back and made NaN.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/exec/Executor.h"
#include "runtime/plan/CacheGroups.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace quire::test {

/// What one sequence adds in a step, maybe nothing.
struct SequenceRows {
  int64_t sequence;
  std::vector<int32_t> tokens;
  std::vector<int64_t> samples; ///< rows of `tokens` whose results are wanted
};

struct SessionOptions {
  std::string plan;
  uint32_t pages = 64;  ///< of the cache, for each group
  uint32_t threads = 2;
  bool newestLevel = true; ///< false: code for x86-64-v3 even if the machine has more
  std::string device = "cpu"; ///< as `quire run --device` takes it
  std::string model = "";     ///< folder of the weights instead of the plan's
};

class PagedSession {
public:
  static Result<std::unique_ptr<PagedSession>> open(const SessionOptions &options,
                                                    std::mt19937_64 &random);

  /// Appends and runs. ResourceExhausted when pages run out.
  Status step(const std::vector<SequenceRows> &rows);
  /// Runs a plan that is no language model.
  Status step(const StepInput &input);
  /// Gives a sequence's pages back and fills them with NaN. A device that cannot says so at the next
  /// step.
  void forget(int64_t sequence);

  /// Whether a page that belongs to no sequence was written.
  Status checkUnusedPages() const;

  Executor &executor() { return *executor_; }
  Device &device() { return *device_; }
  const Plan &plan() const { return plan_; }
  uint32_t freePages() const { return static_cast<uint32_t>(free_.size()); }
  int64_t length(int64_t sequence) const;

private:
  struct State {
    std::vector<std::vector<int32_t>> pages; ///< by group; kGivenBack behind the window
    int64_t length = 0;
  };
  PagedSession(Plan plan, std::mt19937_64 &random) : plan_(std::move(plan)), random_(random) {}
  Status poison(int32_t page);
  void giveBack(int32_t page);
  Status makeRoom(State &state, int64_t tokens);
  /// Gives back what the next tokens do not see.
  void leaveBehind(State &state);

  Plan plan_;
  std::mt19937_64 &random_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<WeightStore> weights_;
  std::unique_ptr<Executor> executor_;
  plan::CacheGroups groups_;
  std::vector<int32_t> free_;
  std::map<int64_t, State> sequences_;
};

} // namespace quire::test
