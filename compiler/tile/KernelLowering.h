// Lowers the body of one graph.dispatch into a tile.kernel in structured form: whole tensors are
// loaded, computed on with linalg and tensor operations, and stored. One file for each family of
// ops.
#pragma once

#include "compiler/schedule/Storage.h"
#include "dialect/Graph/Graph.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace quire::tile {

/// Rows of a weight panel.
inline constexpr int64_t kPanel = 32;
/// Rows that a structured attention kernel is written for; its schedule takes the first `queries`.
inline constexpr int64_t kMaxQueries = 192;

/// Discardable kernel attributes between outlining and tiling.
inline constexpr llvm::StringLiteral kFamilyAttr = "family"; ///< "linear", "attention" or "rows"
inline constexpr llvm::StringLiteral kExtentAttr = "extent"; ///< #tile.extent: rows of the results

/// Facts about the step function that a dispatch alone does not show.
struct StepFacts {
  Storage storage = Storage::Panels;
  llvm::DenseSet<mlir::Value> linearWeights; ///< matrices that some linear reads
  llvm::DenseSet<mlir::Value> sampleValues;  ///< tensors with a row for each sample row
  /// The components of a cache that some attention reads as its key, by value of the step.
  llvm::DenseMap<mlir::Value, llvm::DenseSet<llvm::StringRef>> keyComponents;
};

class KernelLowering {
public:
  KernelLowering(graph::DispatchOp dispatch, KernelOp kernel, const StepFacts &facts);

  /// Lowers the whole body and stores its results.
  mlir::LogicalResult run();

  // What the families use.
  mlir::OpBuilder builder;
  Storage storage() const { return facts.storage; }
  /// True in a linear kernel: values of N columns are [rows, ceil(N / 32), 32], or [rows, N] with N
  /// padded where weights are stored by rows.
  bool isLinear() const { return linear; }
  /// What a graph value became: a tensor, or a scalar for a splat. Loads dispatch inputs on first
  /// use.
  mlir::Value get(mlir::Value graphValue);
  void set(mlir::Value graphValue, mlir::Value lowered) { values.map(graphValue, lowered); }
  /// A [rows, columns] input read by rows, whatever the kernel's form.
  mlir::Value getRows(mlir::Value graphValue);
  /// The buffer of a dispatch input, as `type`.
  mlir::Value buffer(mlir::BlockArgument input, mlir::MemRefType type);
  mlir::Value batchArray(llvm::StringRef name, unsigned rank = 1);
  mlir::Value scalar(llvm::StringRef name);
  mlir::Value workList();
  mlir::Value pool(mlir::BlockArgument cache, graph::ComponentAttr component, bool tokensInnermost);
  mlir::Value result(unsigned number, mlir::MemRefType type);
  /// A batch array with an element for each row of the kernel, as a tensor.
  mlir::Value rowArray(llvm::StringRef name);
  /// Rows of the kernel: token rows or sample rows.
  ExtentKind extent() const { return rowExtent; }
  /// The memory of a matrix: in panels if a linear reads it and the storage has them.
  mlir::MemRefType matrixType(mlir::BlockArgument weight);
  /// Whether a cache component is stored with tokens innermost: keys, where the storage has panels.
  bool hasTokensInnermost(mlir::BlockArgument cache, llvm::StringRef component);

  mlir::Value index(int64_t constant);
  mlir::Value load(mlir::Value buffer);
  /// tensor.empty of `shape`; a dynamic first dimension is the kernel's rows, as `rowsOf` has them.
  mlir::Value empty(mlir::ArrayRef<int64_t> shape, mlir::Type element, mlir::Value rowsOf);
  mlir::Value filled(mlir::Value scalar, mlir::Value empty);
  mlir::Value constant(double value);

  /// The type of an activation buffer [rows, …] whose rows are padded (columnPadding).
  mlir::MemRefType rowsType(mlir::RankedTensorType type) const;
  /// The same buffer as a linear sees it, with the padding: blocked, or wider.
  mlir::MemRefType linearType(mlir::RankedTensorType type) const;

private:
  mlir::Value argument(BindAttr bind, mlir::Type type);
  mlir::Value input(mlir::BlockArgument argument, mlir::MemRefType type);
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult storeResults(mlir::Operation *yield);

  graph::DispatchOp dispatch;
  KernelOp kernel;
  const StepFacts &facts;
  mlir::IRMapping values;
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Type>, mlir::Value> arguments;
  llvm::SmallVector<BindAttr> binds;
  llvm::DenseMap<mlir::Value, mlir::Value> loads;
  mlir::Value rowCount;
  ExtentKind rowExtent = ExtentKind::Tokens;
  bool linear = false;
};

// One function for each family; each reports what it cannot lower.
mlir::LogicalResult lowerLinear(graph::LinearOp op, KernelLowering &lowering);
mlir::LogicalResult lowerElementwise(mlir::Operation *op, KernelLowering &lowering);
mlir::LogicalResult lowerNorm(graph::NormOp op, KernelLowering &lowering);
mlir::LogicalResult lowerRotate(graph::RotateOp op, KernelLowering &lowering);
mlir::LogicalResult lowerEmbed(graph::EmbedOp op, KernelLowering &lowering);
mlir::LogicalResult lowerReshape(graph::ReshapeOp op, KernelLowering &lowering);
mlir::LogicalResult lowerColumns(graph::ColumnsOp op, KernelLowering &lowering);
mlir::LogicalResult lowerCacheAppend(graph::CacheAppendOp op, KernelLowering &lowering);
mlir::LogicalResult lowerAttention(graph::AttentionOp op, KernelLowering &lowering);

/// `value` as f32 inside a linalg body.
mlir::Value toF32(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);
/// `value` (f32) as `type` inside a linalg body.
mlir::Value fromF32(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                    mlir::Type type);

} // namespace quire::tile
