// RUN: bitnet-opt %s --bitnet-outline-launches | FileCheck %s

// Buffers come first, from the base of what they view; then what of their layout is not
// static, each once. A truth is a byte; an index that came from memory saturates.
// CHECK: gpu.module @kernels
// CHECK: gpu.func @scale(%[[I:.*]]: memref<?xi64>, %[[A:.*]]: memref<?xf32>, %[[P:.*]]: memref<?xi8>, %[[OFFSET:.*]]: index, %[[STRIDE:.*]]: index, %[[F:.*]]: f32) kernel attributes {known_block_size = array<i32: 128, 1, 1>
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: memref.load %[[I]]
// CHECK: arith.maxsi {{.*}}, %c-2147483648_i64
// CHECK: arith.minsi {{.*}}, %c2147483647_i64
// CHECK: %[[ROW:.*]] = arith.muli %[[T]], %[[STRIDE]]
// CHECK: arith.addi %[[OFFSET]], %[[ROW]]
// CHECK: memref.load %[[A]]
// CHECK: %[[BYTE:.*]] = memref.load %[[P]]
// CHECK: arith.cmpi ne, %[[BYTE]], %c0_i8
// CHECK: gpu.return

// CHECK: func.func @main(%[[X:.*]]: memref<64x?xf32, strided<[?, 1], offset: ?>>, %[[Q:.*]]: memref<64xi1>, %[[J:.*]]: memref<1xi64>, %[[S:.*]]: f32)
// CHECK: %{{.*}}, %[[O:.*]], %{{.*}}:2, %[[D:.*]]:2 = memref.extract_strided_metadata %[[X]]
// CHECK: gpu.launch_func @kernels::@scale
// CHECK-SAME: args({{.*}} : memref<?xi64>, {{.*}} : memref<?xf32>, {{.*}} : memref<?xi8>, %[[O]] : index, %[[D]]#0 : index, %[[S]] : f32)
// CHECK: gpu.launch_func @kernels::@scale
// CHECK: return
// CHECK-NOT: func.func private
module {
func.func @main(%x: memref<64x?xf32, strided<[?, 1], offset: ?>>, %q: memref<64xi1>, %j: memref<1xi64>, %s: f32) attributes {bitnet.entry} {
  call @scale(%x, %q, %j, %s) : (memref<64x?xf32, strided<[?, 1], offset: ?>>, memref<64xi1>, memref<1xi64>, f32) -> ()
  call @scale(%x, %q, %j, %s) : (memref<64x?xf32, strided<[?, 1], offset: ?>>, memref<64xi1>, memref<1xi64>, f32) -> ()
  return
}
func.func private @scale(%x: memref<64x?xf32, strided<[?, 1], offset: ?>>, %q: memref<64xi1>, %j: memref<1xi64>, %s: f32) attributes {bitnet.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%sx = %c128, %sy = %c1, %sz = %c1) {
    %k = memref.load %j[%c0] : memref<1xi64>
    %i = arith.index_cast %k : i64 to index
    %v = memref.load %x[%tx, %i] : memref<64x?xf32, strided<[?, 1], offset: ?>>
    %p = memref.load %q[%tx] : memref<64xi1>
    %w = arith.mulf %v, %s : f32
    %z = arith.select %p, %v, %w : f32
    memref.store %z, %x[%tx, %i] : memref<64x?xf32, strided<[?, 1], offset: ?>>
    gpu.terminator
  }
  return
}
}
