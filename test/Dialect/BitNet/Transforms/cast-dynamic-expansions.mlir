// RUN: bitnet-opt %s --bitnet-cast-dynamic-expansions | FileCheck %s

// Two dynamic extents in a group.
// CHECK-LABEL: func.func @two
// CHECK-SAME: (%[[X:.*]]: memref<?x384xf32>, %[[B:.*]]: index, %[[S:.*]]: index)
// CHECK-NOT: memref.expand_shape
// CHECK: memref.extract_strided_metadata %[[X]]
// CHECK: memref.reinterpret_cast {{.*}} sizes: [%[[B]], %[[S]], 384]
func.func @two(%x: memref<?x384xf32>, %b: index, %s: index) -> memref<?x?x384xf32> {
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%b, %s, 384] : memref<?x384xf32> into memref<?x?x384xf32>
  return %y : memref<?x?x384xf32>
}

// One a group is what upstream takes.
// CHECK-LABEL: func.func @one
// CHECK: memref.expand_shape
// CHECK-NOT: memref.reinterpret_cast
func.func @one(%x: memref<?x384xf32>, %s: index) -> memref<2x?x384xf32> {
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [2, %s, 384] : memref<?x384xf32> into memref<2x?x384xf32>
  return %y : memref<2x?x384xf32>
}
