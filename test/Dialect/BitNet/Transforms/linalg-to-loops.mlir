// RUN: bitnet-opt %s --bitnet-linalg-to-loops --canonicalize --split-input-file | FileCheck %s
// RUN: bitnet-opt %s --bitnet-linalg-to-loops=grain=0 --split-input-file | FileCheck %s --check-prefix=SEQ

// SEQ-NOT: scf.parallel

// Side by side everywhere: one loop.
// CHECK-LABEL: func @merged
// CHECK: %[[N:.*]] = arith.constant 32 : index
// CHECK: memref.collapse_shape %{{.*}} {{\[\[}}0, 1]]
// CHECK: scf.for %{{.*}} to %[[N]]
// CHECK-NOT: scf.for
// CHECK: return
func.func @merged(%a: memref<4x8xf32>, %s: f32) {
  linalg.fill ins(%s : f32) outs(%a : memref<4x8xf32>)
  return
}

// -----

// A row of a wider buffer cannot be merged.
// CHECK-LABEL: func @strided
// CHECK-COUNT-2: scf.for
// CHECK: memref.store
func.func @strided(%a: memref<4x8xf32, strided<[16, 1]>>, %s: f32) {
  linalg.fill ins(%s : f32) outs(%a : memref<4x8xf32, strided<[16, 1]>>)
  return
}

// -----

// Sums along rows stay in a register; only the sum may be reordered.
// CHECK-LABEL: func @row_sum
// CHECK-SAME: %[[A:.*]]: memref<4x8xf32>, %[[O:.*]]: memref<4xf32>
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[INIT:.*]] = memref.load %[[O]][%[[I]]]
// CHECK: %[[SUM:.*]] = scf.for %[[J:.*]] = {{.*}} iter_args(%[[ACC:.*]] = %[[INIT]])
// CHECK: %[[X:.*]] = memref.load %[[A]][%[[I]], %[[J]]]
// CHECK: %[[S:.*]] = arith.mulf %[[X]], %[[X]] : f32
// CHECK: %[[N:.*]] = arith.addf %[[ACC]], %[[S]] fastmath<reassoc,contract>
// CHECK: scf.yield %[[N]]
// CHECK: memref.store %[[SUM]], %[[O]][%[[I]]]
func.func @row_sum(%a: memref<4x8xf32>, %o: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]} ins(%a : memref<4x8xf32>) outs(%o : memref<4xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %s = arith.mulf %x, %x : f32
    %n = arith.addf %acc, %s fastmath<contract> : f32
    linalg.yield %n : f32
  }
  return
}

// -----

// Sums along columns: the contiguous dimension is innermost, the sums in memory.
// CHECK-LABEL: func @column_sum
// CHECK-SAME: %[[A:.*]]: memref<4x8xf32>, %[[O:.*]]: memref<8xf32>
// CHECK: scf.for %[[I:.*]] =
// CHECK-NEXT: scf.for %[[J:.*]] =
// CHECK-NOT: iter_args
// CHECK: memref.load %[[A]][%[[I]], %[[J]]]
// CHECK: memref.store %{{.*}}, %[[O]][%[[J]]]
func.func @column_sum(%a: memref<4x8xf32>, %o: memref<8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(j, i) -> (i, j)>, affine_map<(j, i) -> (j)>],
      iterator_types = ["parallel", "reduction"]} ins(%a : memref<4x8xf32>) outs(%o : memref<8xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %n = arith.addf %acc, %x : f32
    linalg.yield %n : f32
  }
  return
}

// -----

// The factor of a row is read once a row.
// CHECK-LABEL: func @broadcast
// CHECK-SAME: %[[A:.*]]: memref<4x8xf32>, %[[F:.*]]: memref<4xf32>
// CHECK: scf.for %[[I:.*]] =
// CHECK-NEXT: %[[S:.*]] = memref.load %[[F]][%[[I]]]
// CHECK: scf.for
// CHECK: arith.mulf %{{.*}}, %[[S]]
func.func @broadcast(%a: memref<4x8xf32>, %f: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%f : memref<4xf32>) outs(%a : memref<4x8xf32>) {
  ^bb0(%s: f32, %x: f32):
    %n = arith.mulf %x, %s : f32
    linalg.yield %n : f32
  }
  return
}

// -----

// Rows go to threads in chunks, the last of which may be short.
// CHECK-LABEL: func @parallel_rows
// CHECK: scf.parallel (%[[C:.*]]) =
// CHECK: %[[BEGIN:.*]] = arith.muli %[[C]]
// CHECK: %[[END:.*]] = arith.minui
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]] to %[[END]]
// CHECK: iter_args
func.func @parallel_rows(%a: memref<1000x300xf32>, %o: memref<1000xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]} ins(%a : memref<1000x300xf32>) outs(%o : memref<1000xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %n = arith.addf %acc, %x : f32
    linalg.yield %n : f32
  }
  return
}

// -----

// Heavy rows are an iteration each, numbered over both outer dimensions.
// CHECK-LABEL: func @parallel_heavy
// CHECK: %[[SIX:.*]] = arith.constant 6 : index
// CHECK: scf.parallel (%[[C:.*]]) = {{.*}} to (%[[SIX]])
// CHECK: arith.remui
// CHECK: arith.divui
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: memref.store
func.func @parallel_heavy(%a: memref<2x3x40000xf32>, %o: memref<3x2xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (j, i)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a : memref<2x3x40000xf32>) outs(%o : memref<3x2xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %n = arith.addf %acc, %x : f32
    linalg.yield %n : f32
  }
  return
}

// -----

// One long dynamic dimension is cut into chunks.
// CHECK-LABEL: func @parallel_vector
// CHECK: scf.parallel
// CHECK: scf.for
// CHECK: math.exp
func.func @parallel_vector(%a: memref<?x64xf32>) {
  linalg.exp ins(%a : memref<?x64xf32>) outs(%a : memref<?x64xf32>)
  return
}

// -----

// A copy is a loop; inside another loop nothing is parallel.
// CHECK-LABEL: func @copy_in_loop
// CHECK: scf.for
// CHECK-NOT: scf.parallel
// CHECK: scf.for
// CHECK: memref.load
// CHECK: memref.store
// CHECK-NOT: memref.copy
func.func @copy_in_loop(%a: memref<1000000xf32>, %b: memref<1000000xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    memref.copy %a, %b : memref<1000000xf32> to memref<1000000xf32>
  }
  return
}

// -----

// One element: no loop. Indices of the body are those of the loops.
// CHECK-LABEL: func @single
// CHECK-NOT: scf
// CHECK: memref.store
func.func @single(%a: memref<1x1xi64>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%a : memref<1x1xi64>) {
  ^bb0(%x: i64):
    %i = linalg.index 1 : index
    %n = arith.index_cast %i : index to i64
    linalg.yield %n : i64
  }
  return
}

// -----

// A transposition is written forwards.
// CHECK-LABEL: func @transpose
// CHECK-SAME: %[[A:.*]]: memref<4x8xf32>, %[[B:.*]]: memref<8x4xf32>
// CHECK: scf.for %[[J:.*]] =
// CHECK: scf.for %[[I:.*]] =
// CHECK: memref.load %[[A]][%[[I]], %[[J]]]
// CHECK: memref.store %{{.*}}, %[[B]][%[[J]], %[[I]]]
func.func @transpose(%a: memref<4x8xf32>, %b: memref<8x4xf32>) {
  linalg.transpose ins(%a : memref<4x8xf32>) outs(%b : memref<8x4xf32>) permutation = [1, 0]
  return
}
