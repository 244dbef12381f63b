// Passes of stage D: from calls of kernels on whole tensors to the program of one step.
#ifndef QUIRE_PLAN_PASSES
#define QUIRE_PLAN_PASSES

include "mlir/Pass/PassBase.td"

def BuildPlanPass : Pass<"quire-build-plan", "::mlir::ModuleOp"> {
  let summary = "turn @step with its kernel calls into a plan";
  let description = [{
    Before: `%y = tile.call @linear(%x, %w) : …` in `func.func @step`, kernels with `binds`.
    After:  `plan.weight`, `plan.pool`, `plan.tensor`, `plan.partition` symbols and a `plan.entry` with
            `plan.arena` temporaries, grid arithmetic, `plan.select` over shape variants, `plan.launch`.
  }];
  let dependentDialects = ["::quire::planir::PlanDialect", "::mlir::arith::ArithDialect"];
}

def PlanBuffersPass : Pass<"quire-plan-buffers", "::mlir::ModuleOp"> {
  let summary = "place temporaries in the arena by lifetime";
  let description = [{
    Before: `%a = plan.arena tokens bytes 256`
    After:  `%a = plan.arena tokens bytes 256 offset 0`, and the arena's size a row on the entry.
    Sizes and offsets count bytes a row, so one packing holds for every number of tokens. Workspaces,
    whose rows are the items of a work list, are placed apart: `plan.partition … workspace 924`.
  }];
}

def VerifyPlanPass : Pass<"quire-verify-plan", "::mlir::ModuleOp"> {
  let summary = "check what the plan writer relies on";
  let description = [{
    Symbols resolve to the right ops, launches have the kernel's arguments in order, every arena
    buffer has an offset inside the arena, and no two that live together overlap.
  }];
}

#endif
