// quire-plan-buffers: temporaries share the arena when their lifetimes do not meet.
//
//   %a = plan.arena tokens bytes 256          %a = plan.arena tokens bytes 256 offset 0
//   … last use of %a …                   =>   …
//   %b = plan.arena tokens bytes 128          %b = plan.arena tokens bytes 128 offset 0
// Sizes and offsets are bytes a row: scaled by any row count, a packing stays free of overlaps. Token
// rows, sample rows and the items of each work list are placed apart.
// First fit in order of size, largest first (Pisarchyk and Lee, arXiv 2001.03288, "greedy by size").
#include "compiler/plan/Lifetimes.h"
#include "compiler/plan/Passes.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace quire;

namespace quire {
#define GEN_PASS_DEF_PLANBUFFERSPASS
#include "compiler/plan/PlanPasses.h.inc"
} // namespace quire

namespace {

/// Places all buffers of one region and returns the bytes a row that they need together.
int64_t place(std::vector<Lifetime> lifetimes, planir::RowExtent extent,
              FlatSymbolRefAttr partition = {}) {
  std::erase_if(lifetimes, [&](const Lifetime &one) {
    return one.buffer.getExtent() != extent || one.buffer.getPartitionAttr() != partition;
  });
  llvm::sort(lifetimes, [](const Lifetime &a, const Lifetime &b) {
    return std::tuple(b.buffer.getBytes(), a.first, a.last) <
           std::tuple(a.buffer.getBytes(), b.first, b.last);
  });
  std::vector<Lifetime> placed;
  int64_t total = 0;
  for (Lifetime &next : lifetimes) {
    // Neighbours in time, by offset: the first gap that is wide enough.
    int64_t offset = 0;
    for (const Lifetime &other : placed) {
      int64_t begin = *other.buffer.getOffset(), end = begin + other.buffer.getBytes();
      if (next.meets(other) && offset + static_cast<int64_t>(next.buffer.getBytes()) > begin)
        offset = std::max(offset, end);
    }
    next.buffer.setOffset(offset);
    total = std::max<int64_t>(total, offset + next.buffer.getBytes());
    placed.insert(llvm::upper_bound(placed, next,
                                    [](const Lifetime &a, const Lifetime &b) {
                                      return *a.buffer.getOffset() < *b.buffer.getOffset();
                                    }),
                  next);
  }
  return total;
}

struct PlanBuffers : quire::impl::PlanBuffersPassBase<PlanBuffers> {
  void runOnOperation() override {
    Builder builder(&getContext());
    for (auto entry : getOperation().getOps<planir::EntryOp>()) {
      std::vector<Lifetime> lifetimes = arenaLifetimes(entry);
      for (planir::RowExtent extent : {planir::RowExtent::Tokens, planir::RowExtent::Samples}) {
        int64_t total = place(lifetimes, extent);
        if (extent == planir::RowExtent::Tokens)
          entry.setPerToken(total);
        else
          entry.setPerSample(total);
      }
      for (auto partition : getOperation().getOps<planir::PartitionOp>())
        if (int64_t total = place(lifetimes, planir::RowExtent::Items,
                                  FlatSymbolRefAttr::get(partition.getSymNameAttr())))
          partition.setWorkspace(total);
    }
  }
};

} // namespace
