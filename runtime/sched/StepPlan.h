// StepPlan: what one step of the engine does, as plain data. Scheduler::plan decides it,
// Scheduler::commit moves the pages and fills in the copies, the engine carries it out:
//
//   1. swap-outs and swap-ins start (they run beside the steps; transferDone tells their end)
//   2. page copies, in their order
//   3. the items run as one ragged batch
#pragma once

#include "runtime/sched/Sequence.h"

namespace quire {

/// One sequence of the step: its tokens [firstToken, firstToken + tokenCount) are computed.
struct StepItem {
  RequestId request;
  int32_t firstToken; ///< tokens computed before this step
  int32_t tokenCount; ///< at least 1
  uint32_t epoch;     ///< Sequence::epoch when it was planned
  bool sample;        ///< the step reaches the last known token: its logits give the next one
};

enum class PreemptionKind : uint8_t { Recompute, Swap };

struct Preemption {
  RequestId victim;
  RequestId beneficiary; ///< whom the pages are for; kNoRequest: kept free for predicted growth
  PreemptionKind kind;
  int32_t pages; ///< that it will give back
};

/// A request that joins the running ones: for the first time, or to be computed again.
struct Admission {
  RequestId request;
  int32_t hitTokens; ///< not to be computed, from the prefix cache
  int32_t hitPages;
  PageId partialSource; ///< copied for the last hit tokens, or kNoPage
};

/// Pages of one request between the device and the host.
struct Transfer {
  RequestId request;
  bool out;      ///< to the host
  int32_t begin; ///< first of `count` entries in StepPlan::transferPages
  int32_t count;
};

/// Why the next request in line was not admitted.
enum class Blocked : uint8_t {
  Nothing,    ///< the queue is empty, or all of it was admitted
  Budget,     ///< the step has no token left
  Sequences,  ///< the running queue is full
  Pages,      ///< not enough pages
  Watermark,  ///< enough now, but not for the predicted growth
  Preempting, ///< pages are being taken from running requests
  SamePrefix, ///< a running request is computing the prefix that it needs
  Resuming,   ///< a preempted request comes first
};
const char *blockedName(Blocked reason);

struct StepPlan {
  int64_t step = 0;
  Micros now = 0;
  std::vector<Preemption> preempted;
  std::vector<Admission> admitted;
  std::vector<RequestId> swapIns; ///< swapped requests that return
  std::vector<StepItem> items;    ///< running ones by seniority, then admitted ones
  int32_t tokenCount = 0;         ///< over all items
  int32_t sampleCount = 0;        ///< items with `sample`
  int32_t decodeCount = 0;        ///< items of running requests with one token
  int32_t pagesNeeded = 0;        ///< bound of the pages that commit takes
  int32_t stalled = 0;            ///< running requests that get no token for want of pages
  StepWork shape;
  RequestId blockedRequest = kNoRequest; ///< the next in line
  Blocked blocked = Blocked::Nothing;    ///< and why it was not admitted

  // Filled by commit.
  std::vector<PageCopy> copies;
  std::vector<Transfer> transfers;
  std::vector<PageTransfer> transferPages;

  bool empty() const { return items.empty() && preempted.empty() && swapIns.empty(); }
  std::span<const PageTransfer> pagesOf(const Transfer &transfer) const {
    return std::span(transferPages).subspan(transfer.begin, transfer.count);
  }
  void reserve(int32_t maxSequences, int32_t pageCount, int32_t groupCount) {
    preempted.reserve(maxSequences);
    admitted.reserve(maxSequences);
    swapIns.reserve(maxSequences);
    items.reserve(maxSequences);
    copies.reserve(size_t(maxSequences) * (groupCount + 1));
    transfers.reserve(2 * size_t(maxSequences));
    transferPages.reserve(2 * size_t(pageCount));
  }
  void clear() {
    preempted.clear();
    admitted.clear();
    swapIns.clear();
    items.clear();
    copies.clear();
    transfers.clear();
    transferPages.clear();
    tokenCount = sampleCount = decodeCount = pagesNeeded = stalled = 0;
    shape = {};
    blockedRequest = kNoRequest;
    blocked = Blocked::Nothing;
  }
};

} // namespace quire
