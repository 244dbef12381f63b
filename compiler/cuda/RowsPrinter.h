// The walk by rows as it is shared by its two parts: stores and control flow (RowsPrinter.cpp), and
// reductions (RowsReductions.cpp); the walk by slices has its stores.
#pragma once

#include "compiler/cuda/EarlyReads.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace quire::cuda {

class RowsPrinter {
public:
  explicit RowsPrinter(KernelContext &context);
  virtual ~RowsPrinter() = default;

  virtual mlir::LogicalResult run() { return block(context.kernel.entry()); }

protected:
  virtual ElementScope scope(CodeText &chunk, CodeText &element, int64_t width);
  mlir::LogicalResult store(tile::StoreOp op);

  KernelContext &context;
  CodeText &text;
  int64_t vector; ///< elements of a chunk of what is stored, at most

private:
  mlir::LogicalResult block(mlir::Block &ops);
  mlir::LogicalResult print(mlir::Operation &op);
  mlir::LogicalResult extract(mlir::tensor::ExtractOp op);
  mlir::LogicalResult conditional(mlir::scf::IfOp branch);
  mlir::LogicalResult repeated(mlir::scf::WhileOp loop);
  /// Declares a variable for each value; `start`, where given, has their first contents.
  mlir::LogicalResult declare(mlir::ValueRange values, mlir::ValueRange start = {});
  /// Variables of `values` take what `sources` hold. Sources may be among the variables.
  mlir::LogicalResult assign(mlir::ValueRange values, mlir::ValueRange sources);
  mlir::FailureOr<std::string> scalar(mlir::Value value);

  std::optional<std::string> held(mlir::Value value, const Coordinates &at);
  /// A loop of the block (or warp) over `count` units of work, as one variable.
  void openShared(CodeText &out, llvm::StringRef name, llvm::StringRef first, int64_t count,
                  int64_t workers);

  mlir::LogicalResult storePart(tile::StoreOp op, mlir::RankedTensorType type, int64_t begin,
                                int64_t end);
  void write(const Address &where, const std::string &value, int64_t width, llvm::StringRef number,
             int64_t units, CodeText &chunk, CodeText &element);

  mlir::LogicalResult reduce(mlir::linalg::GenericOp op);
  mlir::FailureOr<std::string> step(mlir::linalg::GenericOp op, const Coordinates &loops,
                                    llvm::StringRef partial, ElementPrinter &printer,
                                    CodeText &inner);
  mlir::LogicalResult finish(mlir::linalg::GenericOp op, const Combiner &combiner,
                             const Coordinates &resultAt, llvm::StringRef name,
                             llvm::StringRef parts, llvm::StringRef partial);

  EarlyReads early;
};

} // namespace quire::cuda
