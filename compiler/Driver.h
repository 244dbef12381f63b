// The driver: from a model directory (or a graph module) to a plan file, through all stages or up to
// one. It reports everything it was told on the way; it prints nothing itself.
#pragma once

#include "compiler/CudaCode.h"
#include "compiler/Pipelines.h"
#include "compiler/plan/WritePlan.h"

#include <functional>
#include <string>
#include <vector>

namespace mlir {
class MLIRContext;
}

namespace quire::compiler {

struct CompileOptions {
  std::string input;          ///< model directory, or a .mlir file with @step: a graph, or what a
                              ///< stage left; stages that are done already are not run again
  std::string modelDirectory; ///< where a .mlir module's weights are; empty: as the module says
  std::string operatorSignature; ///< instead of `input`, see compiler/operator/ImportOperator.h
  std::string output;         ///< the plan file
  std::string templates;      ///< folder of model templates, for model directories
  std::string schedules;      ///< folder of schedule files; empty: defaults
  bool batchInvariant = false; ///< results of a sequence that do not depend on the batch, bit by bit
  int64_t context = 0;        ///< tokens of a sequence; 0: the model's own
  int64_t pageSize = 32;      ///< tokens of a cache page, for model directories
  std::string cacheElement = "auto"; ///< "f32", "f16", "bf16"; auto: as most weights
  StepLimits limits;
  std::vector<CpuLevel> cpuLevels{CpuLevel::X86_64_V3, CpuLevel::X86_64_V4};
  std::string storage; ///< "panels" or "rows", see compiler/schedule/Storage.h; empty: the target's own
  std::optional<bool> sample; ///< the step draws the next tokens itself; unset: on GPUs
  std::vector<cuda::CudaTarget> cudaTargets; ///< with any the plan is for GPUs, otherwise for CPUs
  NvrtcSearch nvrtc;       ///< where NVRTC may be, for GPUs
  std::string kernelCache; ///< folder of compiled GPU kernels; empty: none
  std::optional<Stage> stopAfter;          ///< then `text` of the report holds the IR
  std::vector<std::string> disabledPasses; ///< arguments of passes that do not run
  std::string dumpIr;      ///< folder: the module after every stage and every pass that changed it
  std::string dumpKernels; ///< folder: every kernel's tile IR, CUDA C++ and native code
  bool passTiming = false; ///< fill `passTimes`
  std::string description; ///< the options as JSON, for people; travels in the plan
  /// Called when a stage is done.
  std::function<void(llvm::StringRef stage, double seconds)> onStage;
  /// Called while a stage is compiling kernels, one call at a time.
  std::function<void(llvm::StringRef stage, size_t done, size_t total)> onProgress;
};

enum class CompileFailure {
  None,
  Usage,   ///< options that can never work
  Model,   ///< what was read is missing, damaged or unknown
  Compile, ///< a pass, a verifier or the code generator refused
  Output,  ///< a file could not be written
};

/// One kernel for one CPU level or GPU architecture.
struct KernelTime {
  std::string kernel, level;
  uint64_t bytes;       ///< of code and constants
  double lowerSeconds;  ///< tile IR to the LLVM dialect or to CUDA C++
  double emitSeconds;   ///< from there to native code, when that was done
  bool cached = false;  ///< the native code came from the kernel cache
  uint32_t threads = 0, registers = 0, sharedBytes = 0; ///< of a block, a thread, a block: GPUs
};

struct CompileReport {
  CompileFailure failure = CompileFailure::None;
  std::vector<std::string> errors, warnings, remarks; ///< one line each, with the place
  std::vector<std::pair<std::string, double>> stages; ///< seconds
  std::vector<KernelTime> kernels;
  std::string text;      ///< IR after `stopAfter`
  std::string explain;   ///< what was fused, what was not and why, kernels
  std::string passTimes; ///< table of passes
};

/// Fills `context` with what all stages need. Once for each context.
void prepareContext(mlir::MLIRContext &context);

/// Compiles. On failure nothing is at `output` that was not there before.
CompileReport compileModel(mlir::MLIRContext &context, const CompileOptions &options);

/// "quire-compile 0.1.0 (LLVM 22.1.0)"
std::string compilerVersion();

} // namespace quire::compiler
