// Creates the named memory of a plan (weights, tables, pools, tensors, partitions) once each.
#pragma once

#include "compiler/schedule/Storage.h"
#include "dialect/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace quire {

/// How the kernels of `module` store weights, keys and activations.
inline Storage storageOf(mlir::ModuleOp module) {
  auto name = module->getAttrOfType<mlir::StringAttr>(kStorageAttr);
  return name ? storageNamed(name.getValue()).value_or(Storage::Panels) : Storage::Panels;
}

class PlanSymbols {
public:
  explicit PlanSymbols(mlir::ModuleOp module)
      : symbols(module), builder(module.getContext()), storage(storageOf(module)) {}
  /// New symbols are inserted before `anchor`, in order of creation.
  void insertBefore(mlir::Operation *anchor) { builder.setInsertionPoint(anchor); }

  /// A weight: where kernels have panels in panels of 32 rows (matrices of linears, and vectors, whose
  /// tail is padded) or in row-major order, otherwise in row-major order with padded rows.
  mlir::StringAttr weight(graph::WeightOp weight, bool panels);
  mlir::StringAttr rotaryTable(graph::RotaryTableOp table);
  /// Component `component` of the cache argument called `cache`, whose layer belongs to `group`. It
  /// lies over a pool of another group that is as large, if there is one.
  mlir::StringAttr pool(mlir::Location loc, llvm::StringRef cache, graph::CacheType type,
                        llvm::StringRef component, unsigned group);
  /// A user tensor [rows, …] whose columns are the product of the trailing dimensions.
  mlir::StringAttr tensor(mlir::Location loc, llvm::StringRef name, mlir::RankedTensorType type,
                          planir::RowExtent extent, bool output);
  mlir::StringAttr partition(mlir::Location loc, tile::PartitionAttr partition);

  /// Elements of a row in an activation buffer: columns padded, so that rows stay aligned and tiles of
  /// columns always fit.
  int64_t rowStride(int64_t columns) const {
    int64_t multiple = columnPadding(storage);
    return (columns + multiple - 1) / multiple * multiple;
  }

private:
  mlir::StringAttr unique(llvm::StringRef wish);

  mlir::SymbolTable symbols;
  mlir::OpBuilder builder;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, mlir::StringAttr> weights;
  llvm::DenseMap<mlir::Attribute, mlir::StringAttr> tables, partitions;
  llvm::StringMap<mlir::StringAttr> pools;
  /// Places of pools: the bytes of a page and, a bit for each, the groups with a pool there.
  struct Place {
    int64_t pageBytes;
    unsigned groups;
  };
  llvm::SmallVector<Place> places;
  Storage storage;
};

/// Bytes of a page of one component.
int64_t pageBytes(graph::CacheType type, graph::ComponentAttr component);
/// Product of all dimensions but the first.
int64_t rowElements(mlir::RankedTensorType type);

} // namespace quire
