// Stage B in order. After it, kernels are static tiles on buffers and the step only calls them.
#include "compiler/tile/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_REGISTRATION
#include "compiler/tile/Passes.h.inc"
} // namespace quire::tile

void quire::tile::buildTilePipeline(OpPassManager &manager, const TilePipelineOptions &options) {
  manager.addPass(createOutlineKernelsPass({options.storage}));
  manager.addPass(createDeduplicateKernelsPass());
  manager.addPass(createAssignSchedulesPass({options.schedules, options.batchInvariant}));
  OpPassManager &items = manager.nest<KernelOp>();
  items.addPass(createTileParallelPass());
  items.addPass(createCanonicalizerPass());
  items.addPass(createCSEPass());
  manager.addPass(createSplitAttentionPass());
  OpPassManager &kernel = manager.nest<KernelOp>();
  kernel.addPass(createTileReductionPass());
  kernel.addPass(createBoundMaskPass());
  kernel.addPass(createCanonicalizerPass());
  kernel.addPass(createDecomposeOnlineAttentionPass());
  kernel.addPass(createResolveGathersPass());
  kernel.addPass(createResolveAppendsPass());
  kernel.addPass(createLowerAffinePass());
  kernel.addPass(createCanonicalizerPass());
  kernel.addPass(createCSEPass());
  kernel.addPass(createVerifyTileKernelsPass());
}

void quire::tile::registerTileKernelPasses() {
  registerDeduplicateKernelsPass();
  registerAssignSchedulesPass();
  registerTileParallelPass();
  registerSplitAttentionPass();
  registerTileReductionPass();
  registerBoundMaskPass();
  registerDecomposeOnlineAttentionPass();
  registerResolveGathersPass();
  registerResolveAppendsPass();
  registerVerifyTileKernelsPass();
  registerPass([] { return createLowerAffinePass(); });
}

void quire::tile::registerTilePasses() {
  registerOutlineKernelsPass();
  registerTileKernelPasses();
  PassPipelineRegistration<TilePipelineOptions>(
      "quire-tile-pipeline", "Stage B: dispatches become kernels of static tiles",
      [](OpPassManager &manager, const TilePipelineOptions &options) {
        buildTilePipeline(manager, options);
      });
}
