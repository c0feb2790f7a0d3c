// RUN: bitnet-opt %s -bitnet-lower-entries | FileCheck %s

// Before a launch the entry asks whether the device can give a kernel a buffer of
// an extent that the compiler does not know: 4 n elements of 4 bytes, and from a
// view's offset on. Of fixed ones it does not ask.
// CHECK: func.func @main
// CHECK: llvm.call %{{.*}}(%{{[^,]*}}, %{{[^,]*}}, %[[ARGUMENT:[^,]*]], %[[REACH:[^,]*]], %[[BYTES:[^,]*]]) : !llvm.ptr, (!llvm.ptr, i32, i32, i64, i64) -> i32
// CHECK: llvm.icmp "ne"
// CHECK: llvm.call %{{.*}} : !llvm.ptr, (!llvm.ptr, i32, i32, i64, i64) -> i32
// CHECK-NOT: (!llvm.ptr, i32, i32, i64, i64)
// CHECK: llvm.call %{{.*}} : !llvm.ptr, (!llvm.ptr, i32, !llvm.ptr, !llvm.ptr) -> i32
// CHECK-NOT: (!llvm.ptr, i32, i32, i64, i64)
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @kernel(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) kernel attributes {known_block_size = array<i32: 1, 1, 1>} {
      gpu.return
    }
  }
  func.func @main(%call: !llvm.ptr, %archive: memref<?xi8>, %workspace: memref<?xi8>,
      %x: memref<?x4xf32>, %f: memref<8x4xf32>) -> memref<?x4xf32> attributes {bitnet.entry} {
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %n = memref.dim %x, %c0 : memref<?x4xf32>
    %part = memref.subview %x[%n, 0] [2, 2] [1, 1] : memref<?x4xf32> to memref<2x2xf32, strided<[4, 1], offset: ?>>
    %a = builtin.unrealized_conversion_cast %x : memref<?x4xf32> to memref<?xf32>
    %b = builtin.unrealized_conversion_cast %f : memref<8x4xf32> to memref<?xf32>
    %c = builtin.unrealized_conversion_cast %part : memref<2x2xf32, strided<[4, 1], offset: ?>> to memref<?xf32>
    gpu.launch_func @kernels::@kernel blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%a : memref<?xf32>, %b : memref<?xf32>, %c : memref<?xf32>)
    return %x : memref<?x4xf32>
  }
}
