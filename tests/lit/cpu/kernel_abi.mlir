// RUN: quire-opt %s --quire-cpu-kernel-abi | FileCheck %s
// Buffers and scalars are numbered apart; the item is split by the constant grid dimensions.

// CHECK-LABEL: func.func @k(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64)
// CHECK: llvm.getelementptr %arg0[0]
// CHECK: llvm.load {{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.getelementptr %arg1[0]
// CHECK: llvm.load {{.*}} : !llvm.ptr -> i64
// CHECK: llvm.getelementptr %arg0[1]
// CHECK: arith.remui %{{.*}}, %c3
// CHECK: arith.divui %{{.*}}, %c3
// CHECK-NOT: tile.work_item
// CHECK: return
// CHECK-NOT: variants
tile.kernel @k(%x: memref<?x64xf32>, %n: index, %y: memref<?x64xf32>) binds [<operand>, <scalar, "tokens">, <result>]
    grid [<tokens>, <constant, 3>] {
  %i = tile.work_item 0
  %j = tile.work_item 1
  %r = arith.addi %i, %n : index
  %v = memref.load %x[%r, %j] : memref<?x64xf32>
  memref.store %v, %y[%r, %j] : memref<?x64xf32>
  tile.return
}
tile.variants @ks [@k] rows [0]
