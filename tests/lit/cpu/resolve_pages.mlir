// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-resolve-pages,canonicalize,cse))' --split-input-file --verify-diagnostics | FileCheck %s
// A tile of keys or values is a view of one page, found through the block table.

// CHECK-LABEL: tile.kernel @half_pages(
// CHECK-SAME: %[[POOL:[a-z0-9]+]]: memref<?x2x64x32xbf16>, %[[TABLE:[a-z0-9]+]]: memref<?xi32>, %[[FIRST:[a-z0-9]+]]: index, %[[HEAD:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index
// CHECK-DAG: %[[PAGE:.+]] = arith.divui %[[N]], %c32
// CHECK-DAG: %[[IN:.+]] = arith.remui %[[N]], %c32
// CHECK: %[[ENTRY:.+]] = arith.addi %[[FIRST]], %[[PAGE]]
// CHECK: %[[T:.+]] = tile.load %[[TABLE]][%[[ENTRY]]]
// CHECK: %[[NARROW:.+]] = tensor.extract %[[T]]
// CHECK: %[[P:.+]] = arith.index_cast %[[NARROW]]
// CHECK: tile.load %[[POOL]][%[[P]], %[[HEAD]], %c0, %[[IN]]] : memref<?x2x64x32xbf16> -> tensor<64x16xbf16>
tile.kernel @half_pages(%pool: memref<?x2x64x32xbf16>, %table: memref<?xi32>, %first: index, %head: index, %n: index, %end: index, %y: memref<?x64x16xbf16>)
    binds [<pool, 0, "k">, <batch, "block_table">, <scalar, "a">, <scalar, "b">, <scalar, "c">, <scalar, "d">, <result>] {
  %c0 = arith.constant 0 : index
  %k = tile.load_pages %pool, %table[%first] head %head at %n to %end tokens 1 : memref<?x2x64x32xbf16>, memref<?xi32> -> tensor<64x16xbf16>
  tile.store %k, %y[%c0, %c0, %c0] : tensor<64x16xbf16>, memref<?x64x16xbf16>
  tile.return
}

// -----

// A tile of several pages is put together page by page. The last page of the sequence stands for those
// at or beyond the end, whose entries are not read.
// CHECK-LABEL: tile.kernel @two_pages(
// CHECK-SAME: %[[POOL:[a-z0-9]+]]: memref<?x2x32x64xbf16>, %[[TABLE:[a-z0-9]+]]: memref<?xi32>, %[[FIRST:[a-z0-9]+]]: index, %[[HEAD:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK-DAG: %[[BEGIN:.+]] = arith.divui %[[N]], %c32
// CHECK-DAG: %[[KEY:.+]] = arith.subi %[[END]], %c1
// CHECK-DAG: %[[LAST:.+]] = arith.divui %[[KEY]], %c32
// CHECK: %[[T:.+]] = scf.for %[[P:.+]] = %c0 to %c2 step %c1 iter_args(%[[TILE:.+]] = %{{.+}}) -> (tensor<64x64xbf16>)
// CHECK: %[[WANTED:.+]] = arith.addi %[[BEGIN]], %[[P]]
// CHECK: %[[PRESENT:.+]] = arith.minui %[[WANTED]], %[[LAST]]
// CHECK: %[[ENTRY:.+]] = arith.addi %[[FIRST]], %[[PRESENT]]
// CHECK: tile.load %[[TABLE]][%[[ENTRY]]]
// CHECK: %[[V:.+]] = tile.load %[[POOL]][%{{.+}}, %[[HEAD]], %c0, %c0] : memref<?x2x32x64xbf16> -> tensor<32x64xbf16>
// CHECK-DAG: %[[AT:.+]] = arith.muli %[[P]], %c32
// CHECK: %[[PLACE:.+]] = tensor.extract_slice %[[TILE]][%[[AT]], 0] [32, 64] [1, 1]
// CHECK: %[[COPY:.+]] = linalg.copy ins(%[[V]] : {{.+}}) outs(%[[PLACE]] :
// CHECK: tensor.insert_slice %[[COPY]] into %[[TILE]][%[[AT]], 0] [32, 64] [1, 1]
tile.kernel @two_pages(%pool: memref<?x2x32x64xbf16>, %table: memref<?xi32>, %first: index, %head: index, %n: index, %end: index, %y: memref<?x64x64xbf16>)
    binds [<pool, 0, "v">, <batch, "block_table">, <scalar, "a">, <scalar, "b">, <scalar, "c">, <scalar, "d">, <result>] {
  %c0 = arith.constant 0 : index
  %v = tile.load_pages %pool, %table[%first] head %head at %n to %end tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<64x64xbf16>
  tile.store %v, %y[%c0, %c0, %c0] : tensor<64x64xbf16>, memref<?x64x64xbf16>
  tile.return
}
