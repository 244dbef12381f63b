// The way of a model through the compiler, stage by stage. Every stage ends with a verifier of its
// own, so what leaves a stage is what the next one expects.
#pragma once

#include "compiler/cpu/CpuTarget.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace mlir {
class OpPassManager;
}

namespace quire::compiler {

/// Where a compilation can stop; the values are in order.
enum class Stage {
  Import, ///< the model's graph, decomposed
  Graph,  ///< A: dispatches
  Tile,   ///< B: kernels of static tiles, shared by all targets
  Cpu,    ///< C: the LLVM dialect of one CPU level
  Cuda,   ///< C: tiles as the warps of one GPU architecture walk them
  Plan,   ///< D: the step program with placed buffers
};

/// "import", "graph", "tile", "cpu", "cuda", "plan".
llvm::StringRef stageName(Stage stage);
/// "0-import" … "3-cpu", "3-cuda", "4-plan": sorts as the stages follow each other.
std::string numberedStageName(Stage stage);
std::optional<Stage> stageNamed(llvm::StringRef name);

struct StageOptions {
  std::string schedules;                       ///< folder of schedule files; empty: defaults
  bool batchInvariant = false;                 ///< see CompileOptions
  std::string storage = "panels";              ///< of weights and keys: panels or rows
  bool sample = false;                         ///< the step draws the next tokens itself
  CpuLevel cpuLevel = CpuLevel::X86_64_V4;     ///< of stage C for CPUs
  std::string cudaTarget = "sm_90a";           ///< of stage C for GPUs
};

/// Adds the passes of one stage, to run on a module. Import has none.
void buildStage(Stage stage, mlir::OpPassManager &manager, const StageOptions &options);

} // namespace quire::compiler
