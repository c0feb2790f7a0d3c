// RUN: bitnet-opt %s -bitnet-outline-parallel -split-input-file -verify-diagnostics | FileCheck %s

// CHECK: func.func private @fill_body(%{{.*}}: !llvm.ptr, %[[V:.*]]: f32, %[[M:.*]]: memref<8x6xf32> {llvm.noalias}, %[[BEGIN:.*]]: index, %[[END:.*]]: index) attributes {no_inline}
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]] to %[[END]]
// CHECK-DAG: arith.remui %[[I]]
// CHECK-DAG: arith.divui %[[I]]
// The inner parallel loop is sequential.
// CHECK: scf.for
// CHECK-NOT: scf.parallel
// CHECK: memref.store %[[V]], %[[M]]

// CHECK: llvm.func internal @fill_task(%[[CONTEXT:.*]]: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CHECK: llvm.load
// CHECK: call @fill_body

// CHECK: func.func private @fill(%[[CALL:.*]]: !llvm.ptr, %{{.*}}: memref<8x6xf32> {llvm.noalias}, %{{.*}}: f32)
// CHECK: %[[SPACE:.*]] = llvm.alloca
// CHECK-COUNT-3: llvm.store
// CHECK: %[[TASK:.*]] = llvm.mlir.addressof @fill_task
// CHECK: %[[ENVIRONMENT_FIELD:.*]] = llvm.getelementptr %[[CALL]][8]
// CHECK: llvm.call %{{.*}}(%{{.*}}, %[[TASK]], %[[SPACE]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
func.func private @fill(%m: memref<8x6xf32> {llvm.noalias}, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c8 = arith.constant 8 : index
  scf.parallel (%i, %h) = (%c0, %c0) to (%c8, %c3) step (%c1, %c1) {
    %first = arith.muli %h, %c2 : index
    scf.parallel (%k) = (%c0) to (%c2) step (%c1) {
      %j = arith.addi %first, %k : index
      memref.store %v, %m[%i, %j] : memref<8x6xf32>
      scf.reduce
    }
    scf.reduce
  }
  return
}

// CHECK: func.func @entry(%[[CALL:.*]]: !llvm.ptr, %{{.*}}: memref<8x6xf32>, %{{.*}}: f32)
// CHECK: call @fill(%[[CALL]],
func.func @entry(%m: memref<8x6xf32>, %v: f32) {
  func.call @fill(%m, %v) : (memref<8x6xf32>, f32) -> ()
  return
}

// -----

// A view of the same memory is captured too: the argument is no longer unaliased.
// CHECK: @views_body(%{{.*}}: !llvm.ptr, %{{.*}}: memref<8xf32>, %{{.*}}: memref<4xf32, strided<[1]>>, %{{.*}}: index, %{{.*}}: index)
func.func private @views(%m: memref<8xf32> {llvm.noalias}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %view = memref.subview %m[0] [4] [1] : memref<8xf32> to memref<4xf32, strided<[1]>>
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    %v = memref.load %m[%i] : memref<8xf32>
    memref.store %v, %view[%i] : memref<4xf32, strided<[1]>>
    scf.reduce
  }
  return
}

// -----

// One iteration needs no other thread.
// CHECK: func.func private @single
// CHECK-NOT: llvm.call
// CHECK: return
func.func private @single(%m: memref<8xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%c1) step (%c1) {
    memref.store %v, %m[%i] : memref<8xf32>
    scf.reduce
  }
  return
}

// -----

func.func private @sum(%m: memref<8xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{parallel reductions have no lowering for a CPU}}
  %s = scf.parallel (%i) = (%c0) to (%c8) step (%c1) init (%zero) -> f32 {
    %v = memref.load %m[%i] : memref<8xf32>
    scf.reduce(%v : f32) {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      scf.reduce.return %c : f32
    }
  }
  return %s : f32
}
