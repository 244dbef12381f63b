// What a kernel can do before it waits for earlier kernels: scalars that follow from its item's
// number, and reads of weights at places that they give. The latency of a weight then overlaps the
// end of the kernel before (programmatic dependent launch).
#pragma once

#include "compiler/cuda/KernelContext.h"

namespace quire::cuda {

class EarlyReads {
public:
  explicit EarlyReads(const KernelContext &context) : context(context) {}

  /// Whether a scalar of the kernel's own block needs nothing that an earlier kernel writes. Asked
  /// once for every scalar, in order.
  bool isEarly(mlir::Operation *op);

  /// Whether the buffer of this name is a weight, which no kernel of a step writes, and is read at
  /// early places only.
  bool reads(llvm::StringRef buffer) const;

private:
  const KernelContext &context;
  llvm::DenseSet<mlir::Operation *> scalars;
};

} // namespace quire::cuda
