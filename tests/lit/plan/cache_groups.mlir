// RUN: quire-opt %s --split-input-file --quire-build-plan | FileCheck %s

// Layers with and without a window: two groups, whose pools lie over each other, and kernels get the
// slots of their own layer's group. The group of those that keep everything is the first.

// CHECK-DAG: plan.pool @short_k "short.k" elements 1024 of bf16 group 1 place 0 window 64
// CHECK-DAG: plan.pool @all_k "all.k" elements 1024 of bf16 group 0 place 0 window 0
// CHECK-DAG: plan.pool @again_k "again.k" elements 1024 of bf16 group 1 place 1 window 64
// CHECK-DAG: plan.pool @wide_k "wide.k" elements 1024 of bf16 group 0 place 1 window 4096
// CHECK-LABEL: plan.entry @step
// CHECK-DAG: %[[ALL:.*]] = plan.batch slots{{$}}
// CHECK-DAG: %[[SHORT:.*]] = plan.batch slots of group 1
// CHECK: plan.launch @append items {{.*}}(%{{.*}}, %{{.*}}, %[[SHORT]])
// CHECK: plan.launch @append items {{.*}}(%{{.*}}, %{{.*}}, %[[ALL]])
// CHECK: plan.launch @append items {{.*}}(%{{.*}}, %{{.*}}, %[[SHORT]])
// CHECK: plan.launch @append items {{.*}}(%{{.*}}, %{{.*}}, %[[ALL]])

!short = !graph.cache<page = 16, element = bf16, window = 64, components = [<"k", heads = 1, dim = 64>]>
!all = !graph.cache<page = 16, element = bf16, window = 0, components = [<"k", heads = 1, dim = 64>]>
!wide = !graph.cache<page = 16, element = bf16, window = 4096, components = [<"k", heads = 1, dim = 64>]>
module attributes {quire.max_context = 4096 : i64} {
  tile.kernel @append(%x: memref<?x1x64xf32>, %k: memref<?x1x64x16xbf16>, %s: memref<?xi32>)
      binds [<operand>, <pool, 1, "k">, <batch, "slots">] grid [<tokens>] { tile.return }
  func.func @step(%x: tensor<?x1x64xf32> {quire.name = "x"}, %batch: !graph.batch,
                  %a: !short {quire.name = "short"}, %b: !all {quire.name = "all"},
                  %c: !short {quire.name = "again"}, %d: !wide {quire.name = "wide"})
      -> (!short, !all, !short, !wide) {
    %a1 = tile.call @append(%x, %a) : (tensor<?x1x64xf32>, !short) -> !short
    %b1 = tile.call @append(%x, %b) : (tensor<?x1x64xf32>, !all) -> !all
    %c1 = tile.call @append(%x, %c) : (tensor<?x1x64xf32>, !short) -> !short
    %d1 = tile.call @append(%x, %d) : (tensor<?x1x64xf32>, !wide) -> !wide
    return %a1, %b1, %c1, %d1 : !short, !all, !short, !wide
  }
}

// -----

// A kernel has one block table: layers that meet in a kernel are of one group.

// CHECK-DAG: plan.pool @short_k "short.k" elements 1024 of bf16 group 0 place 0 window 64
// CHECK-DAG: plan.pool @all_k "all.k" elements 1024 of bf16 group 0 place 1 window 0
// CHECK-NOT: of group 1

!short = !graph.cache<page = 16, element = bf16, window = 64, components = [<"k", heads = 1, dim = 64>]>
!all = !graph.cache<page = 16, element = bf16, window = 0, components = [<"k", heads = 1, dim = 64>]>
module attributes {quire.max_context = 4096 : i64} {
  tile.kernel @both(%x: memref<?x1x64xf32>, %k: memref<?x1x64x16xbf16>, %l: memref<?x1x64x16xbf16>, %s: memref<?xi32>)
      binds [<operand>, <pool, 1, "k">, <pool, 2, "k">, <batch, "slots">] grid [<tokens>] { tile.return }
  func.func @step(%x: tensor<?x1x64xf32> {quire.name = "x"}, %batch: !graph.batch,
                  %a: !short {quire.name = "short"}, %b: !all {quire.name = "all"}) -> (!short, !all) {
    %a1, %b1 = tile.call @both(%x, %a, %b) : (tensor<?x1x64xf32>, !short, !all) -> (!short, !all)
    return %a1, %b1 : !short, !all
  }
}
