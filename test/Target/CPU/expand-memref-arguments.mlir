// RUN: bitnet-opt %s -bitnet-expand-memref-arguments | FileCheck %s

// CHECK: func.func private @k(%{{.*}}: !llvm.ptr {llvm.noalias, llvm.nonnull, llvm.noundef}, %[[N:.*]]: i64, %[[S:.*]]: f32)
// CHECK: llvm.mlir.poison : !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>
func.func private @k(%m: memref<?x8xf32> {llvm.noalias}, %s: f32) {
  %c0 = arith.constant 0 : index
  memref.store %s, %m[%c0, %c0] : memref<?x8xf32>
  return
}

// Offset and stride are open: two more arguments.
// CHECK: func.func private @v(%{{.*}}: !llvm.ptr {llvm.nonnull, llvm.noundef}, %{{.*}}: i64, %{{.*}}: i64)
func.func private @v(%m: memref<4xf32, strided<[?], offset: ?>>) {
  return
}

// CHECK: func.func @caller(%{{.*}}: memref<?x8xf32>
// CHECK: call @k(%{{.*}}, %{{.*}}, %{{.*}}) : (!llvm.ptr, i64, f32) -> ()
func.func @caller(%m: memref<?x8xf32>, %s: f32) {
  call @k(%m, %s) : (memref<?x8xf32>, f32) -> ()
  return
}
