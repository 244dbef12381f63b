// quire-verify-plan: checks what the plan writer relies on, independently of the placement.
#include "compiler/plan/Lifetimes.h"
#include "compiler/plan/Passes.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace quire;

namespace quire {
#define GEN_PASS_DEF_VERIFYPLANPASS
#include "compiler/plan/PlanPasses.h.inc"
} // namespace quire

namespace {

/// A page means nothing to pools of another group.
LogicalResult verifyGroup(planir::LaunchOp launch, const SymbolTable &symbols) {
  std::optional<int64_t> group;
  for (Value argument : launch.getArguments()) {
    std::optional<int64_t> other;
    if (auto use = argument.getDefiningOp<planir::UseOp>()) {
      if (auto pool = symbols.lookup<planir::PoolOp>(use.getSymbol()))
        other = pool.getGroup();
    } else if (auto batch = argument.getDefiningOp<planir::BatchOp>()) {
      if (batch.getArray() == planir::BatchArray::Slots ||
          batch.getArray() == planir::BatchArray::BlockTable)
        other = batch.getGroup();
    }
    if (group && other && *group != *other)
      return launch.emitOpError() << "mixes pools or block tables of groups " << *group << " and "
                                  << *other;
    if (other)
      group = other;
  }
  return success();
}

LogicalResult verifyLaunch(planir::LaunchOp launch, const SymbolTable &symbols) {
  auto kernel = symbols.lookup<tile::KernelOp>(launch.getKernel());
  if (!kernel)
    return launch.emitOpError() << "launches @" << launch.getKernel() << ", which is no kernel";
  if (kernel.getBinds().size() != launch.getArguments().size())
    return launch.emitOpError() << "passes " << launch.getArguments().size()
                                << " arguments, the kernel takes " << kernel.getBinds().size();
  for (auto [bind, argument] : llvm::zip(kernel.getBinds(), launch.getArguments()))
    if ((bind.getKind() == tile::BindKind::Scalar) != isa<IndexType>(argument.getType()))
      return launch.emitOpError() << "passes " << argument.getType() << " for the argument bound as "
                                  << tile::stringifyBindKind(bind.getKind());
  return verifyGroup(launch, symbols);
}

LogicalResult verifyUse(planir::UseOp use, const SymbolTable &symbols) {
  Operation *target = symbols.lookup(use.getSymbol());
  if (!isa_and_nonnull<planir::WeightOp, planir::RotaryTableOp, planir::PoolOp, planir::TensorOp,
                       planir::PartitionOp>(target))
    return use.emitOpError() << "@" << use.getSymbol() << " names no memory";
  return success();
}

/// Bytes a row of the region that holds `buffer`.
std::optional<uint64_t> regionBytes(planir::ArenaOp buffer, planir::EntryOp entry,
                                    const SymbolTable &symbols) {
  switch (buffer.getExtent()) {
  case planir::RowExtent::Tokens:
    return entry.getPerToken();
  case planir::RowExtent::Samples:
    return entry.getPerSample();
  case planir::RowExtent::Items:
    if (auto partition = symbols.lookup<planir::PartitionOp>(*buffer.getPartition()))
      return partition.getWorkspace();
    break;
  case planir::RowExtent::One:
    break;
  }
  return std::nullopt;
}

LogicalResult verifyArena(planir::EntryOp entry, const SymbolTable &symbols) {
  std::vector<Lifetime> lifetimes = arenaLifetimes(entry);
  for (const Lifetime &one : lifetimes) {
    std::optional<uint64_t> total = regionBytes(one.buffer, entry, symbols);
    if (!one.buffer.getOffset() || !total ||
        *one.buffer.getOffset() + one.buffer.getBytes() > *total)
      return one.buffer->emitOpError() << "has no place in the arena";
  }
  for (size_t a = 0; a < lifetimes.size(); ++a)
    for (size_t b = a + 1; b < lifetimes.size(); ++b) {
      planir::ArenaOp first = lifetimes[a].buffer, second = lifetimes[b].buffer;
      if (lifetimes[a].sharesRegion(lifetimes[b]) && lifetimes[a].meets(lifetimes[b]) &&
          *first.getOffset() < *second.getOffset() + second.getBytes() &&
          *second.getOffset() < *first.getOffset() + first.getBytes())
        return second.emitOpError() << "overlaps a buffer that is alive at the same time";
    }
  return success();
}

struct VerifyPlan : quire::impl::VerifyPlanPassBase<VerifyPlan> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    WalkResult result = getOperation().walk([&](Operation *op) {
      LogicalResult valid = success();
      if (auto launch = dyn_cast<planir::LaunchOp>(op))
        valid = verifyLaunch(launch, symbols);
      else if (auto use = dyn_cast<planir::UseOp>(op))
        valid = verifyUse(use, symbols);
      else if (auto entry = dyn_cast<planir::EntryOp>(op))
        valid = verifyArena(entry, symbols);
      return failed(valid) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
