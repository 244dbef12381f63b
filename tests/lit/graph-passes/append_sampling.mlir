// RUN: quire-opt %s --quire-append-sampling | FileCheck %s
// RUN: quire-opt %s --quire-graph-pipeline="sample=true" | FileCheck %s --check-prefix=STAGE
// RUN: quire-opt %s --quire-graph-pipeline | FileCheck %s --check-prefix=HOST

// The tokens that follow are drawn by the step; its logits stay a result.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[BATCH:[a-z0-9]+]]: !graph.batch)
// CHECK-SAME: -> (tensor<?x96xf32> {quire.name = "logits"}, tensor<?x1xi32> {quire.name = "token"}, tensor<?x1xf32> {quire.name = "log_probability"})
// CHECK: %[[LOGITS:.+]] = graph.linear
// CHECK: %[[TOKEN:.+]], %[[LOG:.+]] = graph.sample %[[LOGITS]] of %[[BATCH]] : tensor<?x96xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
// CHECK: return %[[LOGITS]], %[[TOKEN]], %[[LOG]]

// Sampling needs whole rows: it is no epilogue of the linear before it.
// STAGE-LABEL: func.func @step
// STAGE: graph.dispatch
// STAGE: graph.linear
// STAGE: quire.kernel_name = "linear"
// STAGE: graph.dispatch
// STAGE-NEXT: ^bb0
// STAGE-NEXT: graph.sample
// STAGE-NEXT: graph.yield
// STAGE-NEXT: quire.kernel_name = "sample"
// HOST-NOT: graph.sample
func.func @step(%x: tensor<?x32xf32>, %batch: !graph.batch) -> (tensor<?x96xf32> {quire.name = "logits"}) {
  %w = graph.weight "w" [<"w", rows = 96, columns = 32>] : tensor<96x32xbf16>
  %r = graph.take_rows %x of %batch : tensor<?x32xf32> -> tensor<?x32xf32>
  %y = graph.linear %r, %w : tensor<?x32xf32>, tensor<96x32xbf16> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// Logits of all token rows are no rows to sample, and what is not called logits is none.
// CHECK-LABEL: func.func @all_rows
// CHECK-NOT: graph.sample
func.func @all_rows(%x: tensor<?x32xf32>, %batch: !graph.batch) -> (tensor<?x32xf32> {quire.name = "logits"}) {
  return %x : tensor<?x32xf32>
}
// CHECK-LABEL: func.func @no_logits
// CHECK-NOT: graph.sample
func.func @no_logits(%x: tensor<?x32xf32>, %batch: !graph.batch) -> (tensor<?x32xf32> {quire.name = "y"}) {
  %r = graph.take_rows %x of %batch : tensor<?x32xf32> -> tensor<?x32xf32>
  return %r : tensor<?x32xf32>
}
