// Recognises decomposed attention: from a mix back through softmax and score mathematics to scores.
#pragma once

#include "dialect/Graph/Graph.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

#include <string>

namespace quire::graph {

/// One condition of the mask: the key is seen where `condition` (i1 tensor or scalar) is true, or
/// false when `negated`.
struct MaskTerm {
  mlir::Value condition;
  bool negated;
};

/// Decomposed attention that can be fused.
struct AttentionMatch {
  ScoresOp scores;
  SoftmaxOp softmax;
  MixOp mix;
  /// Operand of softmax. Reading it through `unmasked` gives the score without its mask.
  mlir::Value score;
  /// Result of a masking op → the score it masks.
  llvm::DenseMap<mlir::Value, mlir::Value> unmasked;
  /// Conjunction: a key is seen when all terms hold.
  llvm::SmallVector<MaskTerm> mask;
  /// Every op between scores and softmax, users before producers.
  llvm::SetVector<mlir::Operation *> ops;
};

/// Matches the attention that ends in `mix`. On failure `reason` says why, naming the op.
mlir::FailureOr<AttentionMatch> matchAttention(MixOp mix, std::string &reason);

} // namespace quire::graph
