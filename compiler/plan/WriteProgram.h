// The step program of a plan: plan.entry becomes instructions over registers.
#pragma once

#include "runtime/plan/Writer.h"

#include "dialect/Plan/Plan.h"

#include "llvm/ADT/StringMap.h"

namespace quire::compiler {

/// Where the records of the module's symbols are: what an operand of a launch can point to.
struct PlanIndices {
  llvm::StringMap<uint32_t> weights; ///< plan.weight and plan.rotary_table
  llvm::StringMap<uint32_t> pools;
  llvm::StringMap<uint32_t> tensors;
  llvm::StringMap<uint32_t> partitions;
  llvm::StringMap<uint32_t> kernels;
};

/// Adds all instructions of `entry`, ending with End, and sets registerCount and arena of the
/// writer's InfoRecord. Constants are set once, before anything branches. Fails with a diagnostic on
/// the op that has no instruction.
mlir::LogicalResult writeProgram(planir::EntryOp entry, const PlanIndices &indices,
                                 PlanWriter &writer);

} // namespace quire::compiler
