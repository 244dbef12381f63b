// RUN: quire-opt %s --quire-build-plan | FileCheck %s

// Cache components become pools of their argument's name, an append's cache is the one it was given,
// and `all` variants run one after the other over their own work lists, each built once.

// CHECK-DAG: plan.pool @cache_0_k "cache.0.k" elements 4096 of bf16 group 0 place {{[01]}} window 24
// CHECK-DAG: plan.pool @cache_0_v "cache.0.v" elements 4096 of bf16 group 0 place {{[01]}} window 24
// CHECK-DAG: plan.partition @[[$P1:.*]] <queries = 1, min = 1, max = 1>
// CHECK-DAG: plan.partition @[[$P8:.*]] <queries = 8, min = 2, max = 0>
// CHECK-LABEL: plan.entry @step
// CHECK-DAG: %[[K:.*]] = plan.use @cache_0_k
// CHECK-DAG: %[[SLOTS:.*]] = plan.batch slots
// CHECK-DAG: %[[N1:.*]] = plan.items @[[$P1]]
// CHECK-DAG: %[[N8:.*]] = plan.items @[[$P8]]
// CHECK-DAG: %[[L1:.*]] = plan.use @[[$P1]]
// CHECK-DAG: %[[PAGES:.*]] = plan.input max_pages
// CHECK: plan.launch @append items {{.*}}(%{{.*}}, %[[K]], %{{.*}}, %[[SLOTS]])
// CHECK: %[[I1:.*]] = arith.muli %[[N1]]
// CHECK: plan.launch @attention_q1 items %[[I1]](%{{.*}}, %[[K]], %[[L1]], %[[PAGES]], %{{.*}})
// CHECK: %[[I8:.*]] = arith.muli %[[N8]]
// CHECK: plan.launch @attention_q8 items %[[I8]]

!cache = !graph.cache<page = 32, element = bf16, window = 24, components = [<"k", heads = 2, dim = 64>, <"v", heads = 2, dim = 64>]>
tile.kernel @append(%x: memref<?x2x64xf32>, %k: memref<?x2x64x32xbf16>, %v: memref<?x2x32x64xbf16>, %s: memref<?xi32>)
    binds [<operand>, <pool, 1, "k">, <pool, 1, "v">, <batch, "slots">] grid [<tokens>] { tile.return }
tile.kernel @attention_q1(%q: memref<?x2x64xf32>, %k: memref<?x2x64x32xbf16>, %items: memref<?x8xi32>, %pages: index, %y: memref<?x2x64xf32>)
    binds [<operand>, <pool, 1, "k">, <work_list>, <scalar, "max_pages">, <result>]
    grid [<work_list>, <constant, 2>] partition <queries = 1, min = 1, max = 1> { tile.return }
tile.kernel @attention_q8(%q: memref<?x2x64xf32>, %k: memref<?x2x64x32xbf16>, %items: memref<?x8xi32>, %pages: index, %y: memref<?x2x64xf32>)
    binds [<operand>, <pool, 1, "k">, <work_list>, <scalar, "max_pages">, <result>]
    grid [<work_list>, <constant, 2>] partition <queries = 8, min = 2, max = 0> { tile.return }
tile.variants @attention [@attention_q1, @attention_q8] rows [0, 0] all

func.func @step(%x: tensor<?x2x64xf32> {quire.name = "x"}, %batch: !graph.batch, %c: !cache {quire.name = "cache.0"})
    -> (tensor<?x2x64xf32> {quire.name = "y"}, !cache) {
  %c1 = tile.call @append(%x, %c) : (tensor<?x2x64xf32>, !cache) -> !cache
  %y = tile.call @attention(%x, %c1) : (tensor<?x2x64xf32>, !cache) -> tensor<?x2x64xf32>
  return %y, %c1 : tensor<?x2x64xf32>, !cache
}
