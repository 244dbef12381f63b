// Decides which ops of a step function share a dispatch. Deciding is apart from doing: nothing here
// changes the function, except that every reader of a splat gets one of its own.
#pragma once

#include "dialect/Graph/Graph.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <memory>

namespace quire::graph {

/// What an op is to a dispatch.
enum class DispatchRole {
  Held,       ///< stays in the function: weights and tables
  Copied,     ///< cloned into every dispatch that reads it: scalars, splats, positions
  View,       ///< a reshape: joins its producer's row group, is cloned into row readers, else stays
  Work,       ///< done once, in one dispatch
  Decomposed, ///< attention that was not fused and has no size to be written; no dispatch holds it
};

DispatchRole dispatchRole(mlir::Operation *op);

enum class DispatchKind { Linear, Attention, Sample, Row };

/// The ops of one dispatch, in program order.
struct DispatchGroup {
  DispatchKind kind;
  llvm::SmallVector<mlir::Operation *> members;
};

/// A readable snake_case name made from the ops of a group, such as "linear_add".
std::string kernelName(const DispatchGroup &group);

/// Groups of all Work ops of a block. The graph of groups has no cycle.
class DispatchGroups {
public:
  explicit DispatchGroups(mlir::Block &block);

  /// The group of an op, or null for ops that are in none.
  const DispatchGroup *groupOf(mlir::Operation *op) const { return groups.lookup(op); }
  /// Every group, producers before their readers.
  llvm::SmallVector<const DispatchGroup *> inExecutionOrder() const;

private:
  using OpSet = llvm::SmallPtrSet<mlir::Operation *, 16>;

  void separateSplats(mlir::Block &block);
  void pairLinears(llvm::ArrayRef<mlir::Operation *> ops);
  void takeRoots(llvm::ArrayRef<mlir::Operation *> ops);
  void takeScoreMath(DispatchGroup *group);
  void growEpilogues(llvm::ArrayRef<mlir::Operation *> ops);
  void formRowGroups(llvm::ArrayRef<mlir::Operation *> ops);
  void joinAttentionInputs(llvm::ArrayRef<mlir::Operation *> ops);

  DispatchGroup *start(DispatchKind kind, mlir::Operation *op);
  void add(DispatchGroup *group, mlir::Operation *op);
  DispatchGroup *merge(llvm::ArrayRef<DispatchGroup *> parts);
  llvm::SmallVector<DispatchGroup *> producers(mlir::Operation *op, DispatchKind kind) const;
  bool canMerge(llvm::ArrayRef<DispatchGroup *> parts, mlir::Operation *op = nullptr) const;
  unsigned closedBefore(unsigned position) const;
  void sortMembers(DispatchGroup &group) const;

  llvm::SmallVector<std::unique_ptr<DispatchGroup>> owned;
  llvm::DenseMap<mlir::Operation *, DispatchGroup *> groups;
  llvm::DenseMap<mlir::Operation *, unsigned> positions;
};

} // namespace quire::graph
