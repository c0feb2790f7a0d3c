// RUN: bitnet-opt %s --split-input-file --verify-diagnostics --bitnet-prepare-shaders | FileCheck %s

// Each function alone; scalars are words, an i64 two; quotients and roots of f32 are
// rounded from f64.
// CHECK: gpu.module @first
// CHECK: gpu.func @first(%[[A:.*]]: memref<?xf32, #spirv.storage_class<StorageBuffer>>, %[[C:.*]]: memref<4xi32, #spirv.storage_class<PushConstant>>) kernel
// CHECK-SAME: spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [64, 1, 1]>
// CHECK: %[[N:.*]] = memref.load %[[C]][%c0
// CHECK: arith.index_cast %[[N]]
// CHECK: memref.load %[[C]][%c1
// CHECK: memref.load %[[C]][%c2
// CHECK: arith.shli {{.*}} : i64
// CHECK: %[[F:.*]] = memref.load %[[C]][%c3
// CHECK: arith.bitcast %[[F]] : i32 to f32
// CHECK: memref.alloc() : memref<64xf32, #spirv.storage_class<Workgroup>>
// CHECK: arith.divf {{.*}} : f64
// CHECK: arith.truncf
// CHECK: math.sqrt {{.*}} : f64
// CHECK: gpu.module @second
// CHECK: gpu.func @second(%{{.*}}: memref<?xi8, #spirv.storage_class<StorageBuffer>>) kernel
module {
gpu.module @kernels {
  gpu.func @first(%a: memref<?xf32>, %n: index, %l: i64, %f: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %shared = memref.alloc() : memref<64xf32, #gpu.address_space<workgroup>>
    %x = memref.load %a[%n] : memref<?xf32>
    %0 = arith.divf %x, %f : f32
    %1 = math.sqrt %0 : f32
    %2 = arith.sitofp %l : i64 to f32
    %3 = arith.addf %1, %2 : f32
    memref.store %3, %shared[%n] : memref<64xf32, #gpu.address_space<workgroup>>
    memref.store %3, %a[%n] : memref<?xf32>
    gpu.return
  }
  gpu.func @second(%a: memref<?xi8>) kernel attributes {known_block_size = array<i32: 1, 1, 1>} {
    gpu.return
  }
}
}

// -----

// A loop that does not run has results too.
// CHECK: %[[LOOP:.*]] = scf.for
// CHECK: arith.select %{{.*}}, %[[LOOP]], %cst
module {
gpu.module @kernels {
  gpu.func @loop(%a: memref<?xf32>, %n: index) kernel attributes {known_block_size = array<i32: 1, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %s = scf.for %i = %c0 to %n step %c1 iter_args(%t = %zero) -> f32 {
      %x = memref.load %a[%i] : memref<?xf32>
      %u = arith.addf %t, %x : f32
      scf.yield %u : f32
    }
    memref.store %s, %a[%c0] : memref<?xf32>
    gpu.return
  }
}
}

// -----

module {
gpu.module @kernels {
  // expected-error @below {{needs 34 words of push constants; a device has 32}}
  gpu.func @many(%0: i64, %1: i64, %2: i64, %3: i64, %4: i64, %5: i64, %6: i64, %7: i64, %8: i64, %9: i64, %10: i64, %11: i64,
                 %12: i64, %13: i64, %14: i64, %15: i64, %16: i64) kernel attributes {known_block_size = array<i32: 1, 1, 1>} {
    gpu.return
  }
}
}
