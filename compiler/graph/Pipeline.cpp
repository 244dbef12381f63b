// Stage A in order. After it, a step function holds weights, tables and dispatches.
#include "compiler/graph/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_REGISTRATION
#include "compiler/graph/Passes.h.inc"
} // namespace quire::graph

void quire::graph::buildGraphPipeline(OpPassManager &manager, const GraphPipelineOptions &options) {
  OpPassManager &step = manager.nest<func::FuncOp>();
  if (options.sample)
    step.addPass(createAppendSamplingPass());
  step.addPass(createCanonicalizerPass());
  step.addPass(createCSEPass());
  step.addPass(createFuseLinearsPass());
  step.addPass(createFuseAttentionPass());
  step.addPass(createCanonicalizerPass());
  step.addPass(createCSEPass());
  step.addPass(createMaterializeScoresPass());
  step.addPass(createFormDispatchesPass());
  if (options.narrow)
    step.addPass(createNarrowActivationsPass());
  step.addPass(createCSEPass());
  step.addPass(createVerifyDispatchesPass());
}

void quire::graph::registerGraphPasses() {
  registerQuireGraphPasses();
  PassPipelineRegistration<GraphPipelineOptions>(
      "quire-graph-pipeline", "Stage A: a decomposed model graph becomes dispatches",
      [](OpPassManager &manager, const GraphPipelineOptions &options) {
        buildGraphPipeline(manager, options);
      });
}
