// RUN: bitnet-opt %s --bitnet-outline-kernels --split-input-file | FileCheck %s

// Equal ops share a kernel; constants go in, other scalars are passed, an operand
// used twice once. Another constant makes another kernel.
// CHECK-LABEL: func @main
// CHECK-SAME: %[[A:.*]]: memref<4x8xf32>, %[[B:.*]]: memref<4x8xf32>, %[[S:.*]]: f32
// CHECK: call @kernel_fill_4x8_0(%[[A]])
// CHECK: call @kernel_fill_4x8_0(%[[B]])
// CHECK: call @kernel_fill_4x8_1(%[[A]])
// CHECK: call @kernel_fill_4x8_2(%[[S]], %[[A]])
// CHECK: call @kernel_add_4x8_0(%[[A]], %[[B]])
// CHECK: call @kernel_copy_4x8_0(%[[A]], %[[B]])
// CHECK-NOT: linalg
// CHECK: func private @kernel_fill_4x8_0(%[[ARG:.*]]: memref<4x8xf32>) attributes {bitnet.kernel, no_inline}
// CHECK: %[[Z:.*]] = arith.constant 0.0
// CHECK: linalg.fill ins(%[[Z]] : f32) outs(%[[ARG]]
// CHECK: func private @kernel_add_4x8_0(%[[X:.*]]: memref<4x8xf32>, %[[Y:.*]]: memref<4x8xf32>)
// CHECK: linalg.add ins(%[[X]], %[[Y]] : {{.*}}) outs(%[[X]]
func.func @main(%a: memref<4x8xf32>, %b: memref<4x8xf32>, %s: f32) attributes {bitnet.entry} {
  %z = arith.constant 0.0 : f32
  %o = arith.constant 1.0 : f32
  linalg.fill ins(%z : f32) outs(%a : memref<4x8xf32>)
  linalg.fill ins(%z : f32) outs(%b : memref<4x8xf32>)
  linalg.fill ins(%o : f32) outs(%a : memref<4x8xf32>)
  linalg.fill ins(%s : f32) outs(%a : memref<4x8xf32>)
  linalg.add ins(%a, %b : memref<4x8xf32>, memref<4x8xf32>) outs(%a : memref<4x8xf32>)
  memref.copy %a, %b : memref<4x8xf32> to memref<4x8xf32>
  return
}

// -----

// A captured memref becomes an argument; dynamic extents are d.
// CHECK-LABEL: func @gather
// CHECK-SAME: %[[T:.*]]: memref<?x8xf32>, %[[I:.*]]: memref<?xi64>, %[[O:.*]]: memref<?x8xf32>
// CHECK: call @kernel_map_dx8_0(%[[I]], %[[O]], %[[T]])
func.func @gather(%t: memref<?x8xf32>, %ids: memref<?xi64>, %out: memref<?x8xf32>) attributes {bitnet.entry} {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%ids : memref<?xi64>) outs(%out : memref<?x8xf32>) {
  ^bb0(%id: i64, %o: f32):
    %i = arith.index_cast %id : i64 to index
    %j = linalg.index 1 : index
    %v = memref.load %t[%i, %j] : memref<?x8xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// Single elements, scalars and loops around calls stay; the ops in the loop go.
// CHECK-LABEL: func @stays
// CHECK: linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : memref<1xf32>)
// CHECK: arith.addi
// CHECK: scf.for
// CHECK:   func.call @kernel_quantize_1x4_0
// CHECK: call @kernel_for_0
func.func @stays(%a: memref<1xf32>, %n: index, %x: memref<1x4xf32>, %q: memref<1x4xi8>, %s: memref<1xf32>, %u: memref<1xi32>)
    attributes {bitnet.entry} {
  %z = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  linalg.fill ins(%z : f32) outs(%a : memref<1xf32>)
  %m = arith.addi %n, %n : index
  scf.for %i = %c0 to %m step %c1 {
    bitnet.quantize ins(%x : memref<1x4xf32>) outs(%q, %s, %u : memref<1x4xi8>, memref<1xf32>, memref<1xi32>)
        {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
  }
  scf.for %i = %c0 to %m step %c1 {
    memref.store %z, %x[%c0, %i] : memref<1x4xf32>
  }
  return
}

// -----

// Not an entry.
// CHECK-LABEL: func @helper
// CHECK: linalg.fill
func.func @helper(%a: memref<4xf32>, %z: f32) {
  linalg.fill ins(%z : f32) outs(%a : memref<4xf32>)
  return
}
