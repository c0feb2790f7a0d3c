// RUN: bitnet-opt %s -bitnet-lower-fetch-distance -split-input-file -verify-diagnostics | FileCheck %s

// One load of each distance, before the loops.
// CHECK-LABEL: func.func private @kernel
// CHECK-SAME: (%[[CALL:.*]]: !llvm.ptr, %[[W:.*]]: memref<?xi8>, %{{.*}}: index)
// CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[CALL]][8] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[ENVIRONMENT:.*]] = llvm.load %[[FIELD]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[FAR_FIELD:.*]] = llvm.getelementptr %[[ENVIRONMENT]][80] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[FAR_I64:.*]] = llvm.load %[[FAR_FIELD]] : !llvm.ptr -> i64
// CHECK: %[[FAR:.*]] = builtin.unrealized_conversion_cast %[[FAR_I64]] : i64 to index
// CHECK: %[[NEAR_FIELD:.*]] = llvm.getelementptr %{{.*}}[88] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: %[[NEAR_I64:.*]] = llvm.load %[[NEAR_FIELD]] : !llvm.ptr -> i64
// CHECK: %[[NEAR:.*]] = builtin.unrealized_conversion_cast %[[NEAR_I64]] : i64 to index
// CHECK-NOT: llvm.load
// CHECK: scf.for %[[I:.*]] =
// CHECK-NEXT: %[[FIRST:.*]] = arith.addi %[[I]], %[[FAR]]
// CHECK-NEXT: memref.prefetch %[[W]][%[[FIRST]]]
// CHECK-NEXT: %[[SECOND:.*]] = arith.addi %[[I]], %[[NEAR]]
// CHECK-NEXT: memref.prefetch %[[W]][%[[SECOND]]]
// CHECK-NEXT: %[[THIRD:.*]] = arith.addi %[[FIRST]], %[[FAR]]
// CHECK-NEXT: memref.prefetch %[[W]][%[[THIRD]]]
// CHECK-NOT: bitnet.fetch_distance
func.func private @kernel(%call: !llvm.ptr, %w: memref<?xi8>, %n: index) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  scf.for %i = %c0 to %n step %c64 {
    %far = bitnet.fetch_distance <far>
    %first = arith.addi %i, %far : index
    memref.prefetch %w[%first], read, locality<2>, data : memref<?xi8>
    %near = bitnet.fetch_distance <near>
    %second = arith.addi %i, %near : index
    memref.prefetch %w[%second], read, locality<3>, data : memref<?xi8>
    %again = bitnet.fetch_distance <far>
    %third = arith.addi %first, %again : index
    memref.prefetch %w[%third], read, locality<2>, data : memref<?xi8>
  }
  return
}

// Functions that ask for no distance are left as they are, with a call or without,
// and so are prefetches a constant ahead.
// CHECK-LABEL: func.func private @constant
// CHECK-NEXT: arith.constant
// CHECK-NEXT: memref.prefetch
// CHECK-NEXT: return
func.func private @constant(%call: !llvm.ptr, %w: memref<?xi8>) {
  %c64 = arith.constant 64 : index
  memref.prefetch %w[%c64], read, locality<2>, data : memref<?xi8>
  return
}

// CHECK-LABEL: func.func private @none()
// CHECK-NEXT: return
func.func private @none() {
  return
}

// CHECK: func.func private @declared()
func.func private @declared()

// -----

func.func private @kernel(%n: index) -> index {
  // expected-error @below {{needs a function whose first argument is the call}}
  %far = bitnet.fetch_distance <far>
  return %far : index
}
