// The reference interpreter: every graph op in its naive definition, decomposed or fused, inside
// dispatches or not. It is the oracle of the test suite and shares no code with the runtime or with
// the lowering of kernels. Errors are diagnostics on the op that failed.
#pragma once

#include "compiler/reference/AttentionOps.h"
#include "compiler/reference/Tensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>

namespace quire::reference {

/// Elements of a checkpoint tensor, row-major as stored, or failure after a diagnostic.
using WeightLoader = std::function<mlir::FailureOr<std::vector<float>>(llvm::StringRef tensor)>;

/// What one sequence adds in a step.
struct SequenceStep {
  int64_t sequence;                  ///< any number; the state of earlier steps is found by it
  std::vector<int32_t> tokens;       ///< new tokens, after those of earlier steps
  std::vector<int64_t> samples = {}; ///< rows of `tokens` whose results are wanted, 0-based
};

/// The ragged batch of a step, packed in this order.
using Batch = std::vector<SequenceStep>;

/// Runs a step function over and over; caches live between runs, one for each sequence.
class Interpreter {
public:
  /// `step` must outlive the interpreter. Weights are loaded when first read, and kept.
  Interpreter(mlir::func::FuncOp step, WeightLoader loader,
              Precision precision = Precision::Float64);

  /// The tensor results of one step, in order. The argument called "tokens" is the batch's; every
  /// other tensor argument is looked up in `inputs` by its quire.name. After a failure the caches
  /// are unusable.
  mlir::FailureOr<std::vector<Tensor>> run(const Batch &batch,
                                           const llvm::StringMap<Tensor> &inputs = {});

  /// Drops a sequence's state.
  void forget(int64_t sequence);

private:
  friend class Evaluator;

  mlir::func::FuncOp step;
  WeightLoader loader;
  Precision precision;
  llvm::DenseMap<mlir::Operation *, std::shared_ptr<const Tensor>> constants;
  std::vector<CacheState> caches;
  std::map<int64_t, int64_t> computed;
};

} // namespace quire::reference
