// The program follows the graph: the same ops in another order are another plan and other outputs,
// with nothing rebuilt.
// RUN: sed -e s/math.exp/math.OTHER/ -e s/math.tanh/math.exp/ -e s/math.OTHER/math.tanh/ %s > %t.swapped.mlir
// RUN: quire-diff %s
// RUN: quire-diff %t.swapped.mlir
// RUN: not quire-diff %t.swapped.mlir --oracle %s | FileCheck %s
// CHECK: y[{{.*}}] is {{.*}}, the reference says
func.func @step(%x: tensor<?x40xf32> {quire.name = "x"}) -> (tensor<?x33xf32> {quire.name = "y"}) {
  %a = math.exp %x : tensor<?x40xf32>
  %b = math.tanh %a : tensor<?x40xf32>
  %w = graph.weight "w" [<"w", rows = 33, columns = 40>] : tensor<33x40xbf16>
  %y = graph.linear %b, %w : tensor<?x40xf32>, tensor<33x40xbf16> -> tensor<?x33xf32>
  return %y : tensor<?x33xf32>
}
