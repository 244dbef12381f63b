// StepPlan: what one step of the engine does, as plain data. The scheduler decides it, the engine
// carries it out, and a record of it is enough to repeat the decision.
#pragma once

#include <cstdint>
#include <vector>

namespace quire {

/// Names a live request; small and dense, reused after the request has ended.
using RequestId = int32_t;

/// One sequence of the step: its tokens [firstToken, firstToken + tokenCount) are computed.
struct StepItem {
  RequestId request;
  int32_t firstToken; ///< tokens computed before this step
  int32_t tokenCount; ///< at least 1
  int32_t pageCount;  ///< cache pages the sequence holds during the step
  bool sample;        ///< the step reaches the last known token: its logits give the next one
};

/// To be carried out in this order: preempted requests give their pages back, then each item's
/// block table grows to its page count, then the step runs.
struct StepPlan {
  std::vector<RequestId> preempted; ///< leave running, latest admitted first; recomputed later
  std::vector<RequestId> admitted;  ///< leave waiting, in order of arrival
  std::vector<StepItem> items;      ///< decode rows first, then prefill chunks
  int32_t tokenCount = 0;           ///< over all items
  int32_t sampleCount = 0;          ///< items with `sample`

  void reserve(int32_t maxSequences) {
    preempted.reserve(maxSequences);
    admitted.reserve(maxSequences);
    items.reserve(maxSequences);
  }
  void clear() {
    preempted.clear();
    admitted.clear();
    items.clear();
    tokenCount = sampleCount = 0;
  }
};

} // namespace quire
