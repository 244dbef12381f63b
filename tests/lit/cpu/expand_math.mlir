// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-expand-math))' | FileCheck %s
// CHECK-LABEL: tile.kernel @k
// CHECK-NOT: math.{{exp|tanh|sin|cos|erf|log}}
// CHECK: math.fma {{.*}} : vector<16xf32>
// CHECK: arith.shli {{.*}} : vector<16xi32>
// CHECK-NOT: math.{{exp|tanh|sin|cos|erf|log}}
// CHECK: tile.return
tile.kernel @k(%x: memref<16xf32>) binds [<operand>] {
  %c0 = arith.constant 0 : index
  %v = vector.load %x[%c0] : memref<16xf32>, vector<16xf32>
  %a = math.exp %v : vector<16xf32>
  %b = math.tanh %a : vector<16xf32>
  %c = math.sin %b : vector<16xf32>
  %d = math.cos %c : vector<16xf32>
  %e = math.erf %d : vector<16xf32>
  %f = math.log %e : vector<16xf32>
  %g = math.exp2 %f : vector<16xf32>
  vector.store %g, %x[%c0] : memref<16xf32>, vector<16xf32>
  tile.return
}
