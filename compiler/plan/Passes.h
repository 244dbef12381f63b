// Passes and pipeline of stage D.
#pragma once

#include "mlir/Pass/Pass.h"

#include "dialect/Plan/Plan.h"

namespace quire {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/plan/PlanPasses.h.inc"

/// build-plan, plan-buffers, verify-plan, on a module.
void buildPlanPipeline(mlir::OpPassManager &manager);
void registerPlanPipeline();

} // namespace quire
