// Stage D as a table of contents.
#include "compiler/plan/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void quire::buildPlanPipeline(OpPassManager &manager) {
  manager.addPass(createBuildPlanPass());
  manager.addPass(createPlanBuffersPass());
  manager.addPass(createVerifyPlanPass());
}

void quire::registerPlanPipeline() {
  PassPipelineRegistration<>("quire-plan-pipeline",
                             "Stage D: kernel calls to a plan with placed buffers",
                             buildPlanPipeline);
}
