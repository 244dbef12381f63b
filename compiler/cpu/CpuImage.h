// All kernels of a module as native code for one CPU level.
#pragma once

#include "compiler/cpu/CpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quire::compiler {

struct CpuKernelCode {
  std::string name;
  uint64_t offset;      ///< of the entry in the image
  uint64_t bytes;       ///< code and constants
  double lowerSeconds;  ///< tile to LLVM dialect
  double emitSeconds;   ///< LLVM IR to image
};

/// Bytes that can be mapped read + execute at any page as they are (plan::ImageRecord), and where
/// each kernel (plan::CpuKernel) starts, in module order.
struct CpuImage {
  std::vector<uint8_t> bytes;
  std::vector<CpuKernelCode> kernels;
};

/// Compiles every tile.kernel of `module` for `level`; the module stays as it is. Kernels are
/// compiled side by side on the context's threads; the image does not depend on their number.
/// Errors are diagnostics that name the kernel.
mlir::FailureOr<CpuImage> compileCpuImage(mlir::ModuleOp module, CpuLevel level);

} // namespace quire::compiler
