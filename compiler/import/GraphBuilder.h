// Emits the operations of @step. Every function checks what it is given and says what is wrong in a
// message that starts with the thing; so nothing reaches MLIR that its verifiers would refuse.
// Weights, tables and positions that are asked for again are the same value.
#pragma once

#include "compiler/import/Value.h"
#include "compiler/import/WeightCatalog.h"
#include "runtime/base/Status.h"

#include "dialect/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <string>
#include <vector>

namespace quire::importer {

struct GraphSettings {
  int64_t pageSize = 32;
  int64_t context = 0; ///< positions of rotary tables
  plan::ElementType cacheElement = plan::ElementType::F32;
  uint64_t maxOperations = 1'000'000;
};

/// Largest dimension of any tensor, and most elements of a weight or table.
inline constexpr int64_t kMaxDimension = int64_t(1) << 24;
inline constexpr int64_t kMaxElements = int64_t(1) << 40;

class GraphBuilder {
public:
  GraphBuilder(mlir::MLIRContext &context, const GraphSettings &settings);

  mlir::OpBuilder builder;
  GraphSettings settings;

  mlir::Location location() const { return currentLocation; }
  /// The place in the template that the next operations come from.
  void setLocation(llvm::StringRef place);
  /// Counts an operation about to be made. Error: OutOfRange beyond the limit.
  Status count();

  mlir::Type elementType(plan::ElementType type);
  /// f32 unless told otherwise, one row for each token (or sample).
  mlir::RankedTensorType rowType(llvm::ArrayRef<int64_t> row, mlir::Type element = {});

  Tensor input(const std::string &name, bool isInteger, llvm::ArrayRef<int64_t> row);
  /// `shape` after transposition: [out, in] or [n]. `name` is unique for each tensor.
  Tensor weight(const std::string &name, const std::string &tensor, llvm::ArrayRef<int64_t> shape,
                bool transposed, plan::ElementType element);
  Result<Tensor> rotaryTable(llvm::ArrayRef<float> frequencies, double scale);
  Tensor positions();
  mlir::Value batch();
  /// Makes cache `name` of the function, appends this step's rows and gives the cache after it.
  Result<Cache> append(const std::string &name, int64_t window,
                       llvm::ArrayRef<std::pair<std::string, Tensor>> components);
  Status output(const std::string &name, const Value &value);

  /// Ends the function and hands out the module.
  mlir::OwningOpRef<mlir::ModuleOp> finish();

  /// Makes an op of type Op at the current place; count() came first.
  template <class Op, class... Args> mlir::Value make(Args &&...args) {
    return Op::create(builder, currentLocation, std::forward<Args>(args)...).getResult();
  }

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  mlir::Block *block;
  mlir::Location currentLocation;
  uint64_t operations = 0;
  std::map<std::string, Tensor> weights;
  std::vector<std::pair<std::vector<float>, Tensor>> tables;
  Tensor positionsValue{{}, Rows::Tokens};
  mlir::Value batchValue;
  struct Named {
    std::string name;
    mlir::Value value;
  };
  std::vector<Named> arguments, outputs, caches;

  mlir::Value addArgument(const std::string &name, mlir::Type type);
};

} // namespace quire::importer
