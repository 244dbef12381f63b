// One run of a step function: values by SSA name, ops evaluated in order.
#pragma once

#include "compiler/reference/Interpreter.h"
#include "compiler/reference/ScalarFunctions.h"

#include "dialect/Graph/Graph.h"

#include <variant>

namespace quire::reference {

/// What an SSA value is at run time: a batch (nothing to hold), a scalar, a tensor, or the cache
/// with this number.
using RuntimeValue = std::variant<std::monostate, double, std::shared_ptr<const Tensor>, size_t>;

/// A single-block region of scalar ops, made ready to be called for every element.
class ScalarRegion {
public:
  static mlir::FailureOr<ScalarRegion> create(mlir::Region &region, Precision precision);
  /// The yielded number.
  double operator()(llvm::ArrayRef<double> arguments);

private:
  struct Step {
    ScalarFunction function;
    llvm::SmallVector<unsigned> operands;
  };
  std::vector<Step> steps;
  unsigned yielded = 0;
  std::vector<double> slots;
};

class Evaluator {
public:
  Evaluator(Interpreter &interpreter, const Batch &batch);

  mlir::FailureOr<std::vector<Tensor>> run(const llvm::StringMap<Tensor> &inputs);

private:
  mlir::LogicalResult bindArguments(const llvm::StringMap<Tensor> &inputs);
  mlir::LogicalResult evaluate(mlir::Block &block);
  mlir::LogicalResult evaluate(mlir::Operation &op);
  mlir::LogicalResult evaluateDispatch(graph::DispatchOp op);
  mlir::LogicalResult evaluateScalarOp(mlir::Operation &op);
  mlir::LogicalResult evaluateSample(graph::SampleOp op);

  mlir::FailureOr<Tensor> compute(mlir::Operation &op);
  mlir::FailureOr<Tensor> computeElementwise(mlir::Operation &op);
  mlir::FailureOr<Tensor> computeEmbed(graph::EmbedOp op);
  mlir::FailureOr<Tensor> computeRotate(graph::RotateOp op);
  mlir::FailureOr<Tensor> computeAttention(graph::AttentionOp op);
  Tensor computePosition(graph::PositionOp op);
  mlir::LogicalResult append(graph::CacheAppendOp op);
  mlir::FailureOr<std::shared_ptr<const Tensor>> constant(mlir::Operation &op);
  mlir::FailureOr<Tensor> loadWeight(graph::WeightOp op);

  /// [T], the shape of one number a token row.
  llvm::SmallVector<int64_t> rowVectorShape() const { return {static_cast<int64_t>(rows.size())}; }
  const Tensor &tensor(mlir::Value value) const;
  const Tensor *optionalTensor(mlir::Value value) const;
  double scalar(mlir::Value value) const { return std::get<double>(values.at(value)); }
  const CacheState &cache(mlir::Value value) const;
  /// Checks that every index is in [0, limit).
  mlir::LogicalResult checkIndices(mlir::Operation *op, const Tensor &indices, int64_t limit);

  Interpreter &interpreter;
  const Batch &batch;
  std::vector<Row> rows;
  std::vector<int64_t> sampleRows;
  llvm::DenseMap<mlir::Value, RuntimeValue> values;
};

} // namespace quire::reference
