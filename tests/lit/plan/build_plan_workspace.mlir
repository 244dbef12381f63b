// RUN: quire-opt %s --quire-build-plan | FileCheck %s
// RUN: quire-opt %s --quire-plan-pipeline | FileCheck %s --check-prefix=PLACED

// The kernels of one call that bind the same workspace over the same work list share a buffer with a row
// for each item; the next call has buffers of its own, which are placed where the first ones were.

// CHECK: plan.partition @[[$P:.*]] <queries = 1, min = 1, max = 1, split = 64>
// CHECK-LABEL: plan.entry @step
// CHECK: %[[ACC:.*]] = plan.arena items of @[[$P]] bytes 256
// CHECK: %[[MAX:.*]] = plan.arena items of @[[$P]] bytes 16
// CHECK: plan.launch @parts items %{{.*}}(%{{.*}}, %[[ACC]], %[[MAX]])
// CHECK: plan.launch @merge items %{{.*}}(%{{.*}}, %[[MAX]], %[[ACC]], %{{.*}})
// CHECK: %[[ACC2:.*]] = plan.arena items of @[[$P]] bytes 256
// CHECK: plan.launch @parts items %{{.*}}(%{{.*}}, %[[ACC2]], %{{.*}})

// PLACED: plan.partition @[[$P:.*]] <queries = 1, min = 1, max = 1, split = 64> workspace 272
// PLACED: plan.entry @step arena tokens 256 samples 0
// PLACED: plan.arena items of @[[$P]] bytes 256 offset 0
// PLACED: plan.arena items of @[[$P]] bytes 16 offset 256
// PLACED: plan.arena items of @[[$P]] bytes 256 offset 0
// PLACED: plan.arena items of @[[$P]] bytes 16 offset 256

tile.kernel @parts(%x: memref<?x64xf32>, %acc: memref<?x2x32xf32>, %max: memref<?x2x2xf32>)
    binds [<operand>, <workspace>, <workspace, 1>] grid [<work_list>, <constant, 2>]
    partition <queries = 1, min = 1, max = 1, split = 64> { tile.return }
tile.kernel @merge(%items: memref<?x8xi32>, %max: memref<?x2x2xf32>, %acc: memref<?x2x32xf32>, %y: memref<?x64xf32>)
    binds [<work_list>, <workspace, 1>, <workspace>, <result>] grid [<work_list>, <constant, 2>]
    partition <queries = 1, min = 1, max = 1, split = 64> { tile.return }
tile.variants @attention [@parts, @merge] rows [0, 0] all

func.func @step(%x: tensor<?x64xf32> {quire.name = "x"}) -> (tensor<?x64xf32> {quire.name = "y"}) {
  %h = tile.call @attention(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %y = tile.call @attention(%h) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
