// RUN: quire-opt %s --quire-plan-buffers --quire-verify-plan | FileCheck %s

// %a and %c never live together, so they share their place; %b lives with both. Sample rows have a
// region of their own, and so have the items of each work list: what two layers leave there shares a
// place.

tile.kernel @one(%x: memref<?x64xf32>) binds [<operand>] { tile.return }
tile.kernel @two(%x: memref<?x64xf32>, %y: memref<?x64xf32>) binds [<operand>, <result>] { tile.return }
// CHECK: plan.partition @p <{{.*}}> workspace 72
plan.partition @p <queries = 1, min = 1, max = 1, split = 64>
// CHECK: plan.partition @q <{{.*}}> workspace 32
plan.partition @q <queries = 8, min = 2, max = 0, split = 64>
// CHECK: plan.partition @r <{{.*}}>{{$}}
plan.partition @r <queries = 8, min = 2, max = 0>
// CHECK: plan.entry @step arena tokens 384 samples 512
plan.entry @step {
  %n = plan.input tokens
  // CHECK: plan.arena tokens bytes 256 offset 0
  %a = plan.arena tokens bytes 256
  // CHECK: plan.arena tokens bytes 128 offset 256
  %b = plan.arena tokens bytes 128
  // CHECK: plan.arena tokens bytes 256 offset 0
  %c = plan.arena tokens bytes 256
  // CHECK: plan.arena samples bytes 512 offset 0
  %d = plan.arena samples bytes 512
  plan.launch @one items %n (%a) : !plan.buffer
  plan.select %n limits [1, 0] {
    plan.launch @two items %n (%a, %b) : !plan.buffer, !plan.buffer
  }, {
    plan.launch @two items %n (%a, %b) : !plan.buffer, !plan.buffer
  }
  plan.launch @two items %n (%b, %c) : !plan.buffer, !plan.buffer
  plan.launch @two items %n (%c, %d) : !plan.buffer, !plan.buffer
  // CHECK: plan.arena items of @p bytes 64 offset 0
  %e = plan.arena items of @p bytes 64
  // CHECK: plan.arena items of @p bytes 8 offset 64
  %f = plan.arena items of @p bytes 8
  // CHECK: plan.arena items of @p bytes 64 offset 0
  %g = plan.arena items of @p bytes 64
  // CHECK: plan.arena items of @q bytes 32 offset 0
  %h = plan.arena items of @q bytes 32
  plan.launch @two items %n (%e, %f) : !plan.buffer, !plan.buffer
  plan.launch @two items %n (%g, %h) : !plan.buffer, !plan.buffer
}
