// Creates the named memory of a plan (weights, tables, pools, tensors, partitions) once each.
#pragma once

#include "dialect/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace quire {

class PlanSymbols {
public:
  explicit PlanSymbols(mlir::ModuleOp module) : symbols(module), builder(module.getContext()) {}
  /// New symbols are inserted before `anchor`, in order of creation.
  void insertBefore(mlir::Operation *anchor) { builder.setInsertionPoint(anchor); }

  /// A weight in panels of 32 rows (matrices of linears, and vectors, whose tail is padded) or in
  /// row-major order.
  mlir::StringAttr weight(graph::WeightOp weight, bool panels);
  mlir::StringAttr rotaryTable(graph::RotaryTableOp table);
  /// Component `component` of the cache argument called `cache`.
  mlir::StringAttr pool(mlir::Location loc, llvm::StringRef cache, graph::CacheType type,
                        llvm::StringRef component);
  /// A user tensor [rows, …] whose columns are the product of the trailing dimensions.
  mlir::StringAttr tensor(mlir::Location loc, llvm::StringRef name, mlir::RankedTensorType type,
                          planir::RowExtent extent, bool output);
  mlir::StringAttr partition(mlir::Location loc, tile::PartitionAttr partition);

private:
  mlir::StringAttr unique(llvm::StringRef wish);

  mlir::SymbolTable symbols;
  mlir::OpBuilder builder;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, mlir::StringAttr> weights;
  llvm::DenseMap<mlir::Attribute, mlir::StringAttr> tables, partitions;
  llvm::StringMap<mlir::StringAttr> pools;
};

/// Elements of a row in an activation buffer: columns rounded up to 32, so that rows stay aligned and
/// panels of 32 columns always fit.
inline int64_t rowStride(int64_t columns) { return (columns + 31) / 32 * 32; }

/// Product of all dimensions but the first.
int64_t rowElements(mlir::RankedTensorType type);

} // namespace quire
