// Runs the step program of a plan on a device. All memory is allocated at creation: the arena at the
// plan's exact size, cache pools, user tensors, and one region for what the host hands to a step
// (batch arrays, work lists, inputs), which reaches a GPU with one copy. `run` allocates nothing but
// for recording: on a device that records launches, steps of one token a sequence whose shape comes
// again are recorded once and replayed. It knows rows, pages and work items, but no model.
//
// Cache pages are memory of the device. Whoever manages them (scheduler, prefix cache, swap store)
// moves them with copyPage, swapOut and swapIn; the order with steps is stated at each.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/exec/CacheFlush.h"
#include "runtime/exec/StepBatch.h"
#include "runtime/plan/Plan.h"
#include "runtime/weights/WeightStore.h"

#include <memory>
#include <span>
#include <string_view>

namespace quire {

struct ExecutorOptions {
  uint32_t pageCount = 0;    ///< cache pages, of all groups together; needed if the plan has pools
  uint32_t maxTokens = 0;    ///< token rows of one step; 0 or more than the plan's: the plan's
  uint32_t maxSequences = 0; ///< likewise
  uint32_t maxSamples = 0;   ///< likewise
  bool record = true;        ///< record and replay steps where the device can
};

/// Exact bytes that the executor allocated on its device.
struct ExecutorMemory {
  uint64_t arena = 0;
  uint64_t pools = 0;     ///< InfoRecord::pageBytes for each page, and for one of zeros where a group
                          ///< has a window; touched when pages are written
  uint64_t workLists = 0;
  uint64_t batch = 0;
  uint64_t tensors = 0;
  uint64_t staging = 0; ///< pinned memory of the host, for a device with memory of its own
  uint64_t total() const { return arena + pools + workLists + batch + tensors; } ///< on the device
};

/// One launch of a traced step.
struct LaunchTrace {
  uint32_t instruction; ///< index in the program
  uint32_t kernel;      ///< index into Plan::kernels()
  int64_t items;
  uint64_t nanoseconds; ///< by the device's clock (Device::beginTiming)
};

/// The caller owns `launches`; `count` says how many were written. Launches beyond the capacity run
/// untraced and are counted in `dropped`. Those without items are not listed when `together`.
struct StepTrace {
  std::span<LaunchTrace> launches;
  uint32_t count = 0;
  uint32_t dropped = 0;
  std::span<const uint8_t> wanted = {}; ///< by kernel, 0: run untraced; empty: all are traced
  bool together = false; ///< adjacent wanted launches are one entry, that of the first, with the
                         ///< time of all: as a kernel and the one that merges its parts
  const CacheFlush *flush = nullptr; ///< runs before every measurement
};

/// A user tensor of the last step, in the host's memory and the executor's until the next run.
struct TensorView {
  const void *data = nullptr;
  plan::ElementType element = plan::ElementType::F32;
  uint64_t rows = 0; ///< without padding
  uint64_t columns = 0;
  uint64_t rowStride = 0; ///< elements
  /// Row `row` of an f32 tensor.
  const float *row(uint64_t row) const {
    return static_cast<const float *>(data) + row * rowStride;
  }
};

class Executor {
public:
  /// `plan`, `device` and `weights` must outlive the executor. Errors: Unsupported when no image fits
  /// the machine, InvalidArgument for options, ResourceExhausted for memory.
  static Result<std::unique_ptr<Executor>> create(const Plan &plan, Device &device,
                                                  const WeightStore &weights,
                                                  const ExecutorOptions &options);
  ~Executor();

  /// What `create` would allocate, to the byte but for the staging memory; `options` within the plan's
  /// limits. For whoever has to know before weights are loaded.
  static ExecutorMemory plannedMemory(const Plan &plan, const ExecutorOptions &options);

  /// Runs one step. A batch that breaks a rule or a limit is refused before anything runs
  /// (InvalidArgument, OutOfRange); then caches and outputs are as they were.
  Status run(const StepBatch &batch, StepTrace *trace = nullptr);

  /// An output tensor of the last successful step. NotFound names the outputs there are. From a GPU
  /// it is copied at the first call after a step.
  Result<TensorView> output(std::string_view name) const;
  /// The same view, of which only `count` rows from `first` on are copied, at every call. OutOfRange
  /// beyond the rows of the step.
  Result<TensorView> outputRows(std::string_view name, uint64_t first, uint64_t count) const;

  // Pages. All groups of layers take theirs from the same ones; a page's bytes are those of its places
  // (plan::PoolRecord::place) one behind the other, InfoRecord::pageBytes in all.

  /// Copies page `source` over page `target`; later steps and copies see it (copy-on-write).
  Status copyPage(int32_t target, int32_t source);
  /// Sets all bytes of a page.
  Status fillPage(int32_t page, uint8_t value);
  /// Reads or writes a whole page and waits for it.
  Status readPage(int32_t page, std::span<uint8_t> bytes) const;
  Status writePage(int32_t page, std::span<const uint8_t> bytes);

  /// Starts copying a page to or from `bytes` beside the steps, after everything submitted so far;
  /// to be fast `bytes` should be staging memory (Device::allocate). Until finishSwaps or swapsDone
  /// says so, neither `bytes` nor the page may change; steps submitted after swapIn see its page.
  Status swapOut(int32_t page, std::span<uint8_t> bytes);
  Status swapIn(int32_t page, std::span<const uint8_t> bytes);
  Status finishSwaps();       ///< waits for all of them
  Result<bool> swapsDone();   ///< never waits

  /// Rows [pages][bytesPerPage] of a pool, where the device shares the host's memory; else empty.
  std::span<uint8_t> pool(uint32_t index) const;

  /// Items of work list `index` as the last step built them. For tests and traces.
  std::span<const plan::WorkItem> workList(uint32_t index) const;

  /// Steps that were replayed from a recording, so far.
  uint64_t replayedSteps() const;

  const Plan &plan() const;
  const ExecutorOptions &limits() const; ///< options after the plan's limits were applied
  const ExecutorMemory &memory() const;

private:
  struct State;
  explicit Executor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace quire
