// The compiler as a table of contents.
#include "compiler/Pipelines.h"

#include "compiler/cpu/Passes.h"
#include "compiler/cuda/Passes.h"
#include "compiler/graph/Passes.h"
#include "compiler/plan/Passes.h"
#include "compiler/tile/Passes.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace quire::compiler {

static constexpr Stage kStages[] = {Stage::Import, Stage::Graph, Stage::Tile, Stage::Cpu,
                                    Stage::Cuda,   Stage::Plan};

llvm::StringRef stageName(Stage stage) {
  static constexpr llvm::StringRef names[] = {"import", "graph", "tile", "cpu", "cuda", "plan"};
  return names[static_cast<size_t>(stage)];
}

std::string numberedStageName(Stage stage) {
  int number = static_cast<int>(stage);
  // A plan has the one or the other of the two backends.
  return std::to_string(number - (stage >= Stage::Cuda)) + "-" + stageName(stage).str();
}

std::optional<Stage> stageNamed(llvm::StringRef name) {
  for (Stage stage : kStages)
    if (stageName(stage) == name)
      return stage;
  return std::nullopt;
}

void buildStage(Stage stage, OpPassManager &manager, const StageOptions &options) {
  switch (stage) {
  case Stage::Import:
    return;
  case Stage::Graph: { // A: what is computed together
    graph::GraphPipelineOptions graphOptions;
    graphOptions.narrow = options.storage == "rows";
    graphOptions.sample = options.sample;
    graph::buildGraphPipeline(manager, graphOptions);
    return;
  }
  case Stage::Tile: { // B: how one kernel walks its data, on any machine
    tile::TilePipelineOptions tileOptions;
    tileOptions.schedules = options.schedules;
    tileOptions.batchInvariant = options.batchInvariant;
    tileOptions.storage = options.storage;
    tile::buildTilePipeline(manager, tileOptions);
    return;
  }
  case Stage::Cpu: { // C: vectors and registers of one CPU level
    CpuPipelineOptions cpuOptions;
    cpuOptions.level = cpuTarget(options.cpuLevel).name;
    buildCpuPipeline(manager, cpuOptions);
    return;
  }
  case Stage::Cuda: // C: warps, fragments and shared memory of one GPU architecture
    cuda::buildCudaPipeline(manager, options.cudaTarget);
    return;
  case Stage::Plan: // D: what the host does each step
    buildPlanPipeline(manager);
    return;
  }
}

} // namespace quire::compiler
