// One attention layer as a plan of its own, compiled in this process with attention fused or not,
// on a cache that holds random keys and values. Inputs are the query, key and value rows of a step.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/exec/Executor.h"

#include <memory>
#include <string>
#include <vector>

namespace quire::bench {

struct LayerShape {
  uint32_t heads, cacheHeads, dim;
  uint32_t context; ///< tokens of the sequence, and what the plan is compiled for
};

struct LayerOptions {
  bool fused = true;
  int64_t split = -1; ///< keys of a split for single queries, 0: not split, -1: the compiler's choice
  unsigned threads = 1;
};

/// Seconds of one step.
struct LayerTime {
  double processor; ///< for each thread: what other programs take of a busy machine does not count
  double wall;
};

class AttentionLayer {
public:
  /// `queries` is the most tokens of a step. Ends the process with a message when anything fails.
  AttentionLayer(const LayerShape &shape, uint32_t queries, const LayerOptions &options);
  ~AttentionLayer();

  /// Runs the last `queries` tokens of the context.
  LayerTime run(uint32_t queries);
  /// Output rows of the last run, [queries, heads * dim].
  std::vector<float> output() const;
  uint64_t arenaBytes() const { return executor->memory().arena; }

private:
  LayerShape shape;
  unsigned threads;
  std::string path;
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  std::vector<float> queryRows, keyRows, valueRows;
  std::vector<int32_t> positions, table;
};

} // namespace quire::bench
