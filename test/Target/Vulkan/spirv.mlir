// RUN: bitnet-opt %s \
// RUN:   --pass-pipeline='builtin.module(bitnet-prepare-shaders,bitnet-convert-kernels-to-spirv,spirv.module(spirv-lower-abi-attrs,spirv-update-vce),bitnet-finish-shaders)' | FileCheck %s

// Bindings of buffers in order, none of the push constants; products are not fused.
// CHECK: spirv.module @{{.*}} Logical GLSL450 requires #spirv.vce<v1.0, [Shader, StorageBuffer8BitAccess, Int8
// CHECK-DAG: spirv.GlobalVariable @[[A:.*]] bind(0, 0) : !spirv.ptr<{{.*}}f32{{.*}}, StorageBuffer>
// CHECK-DAG: spirv.GlobalVariable @[[B:.*]] bind(0, 1) : !spirv.ptr<{{.*}}i8{{.*}}, StorageBuffer>
// CHECK-DAG: spirv.GlobalVariable @{{[^ ]*}} : !spirv.ptr<!spirv.struct<(!spirv.array<1 x i32, stride=4> [0])>, PushConstant>
// CHECK: spirv.FMul {{.*}} {no_contraction}
// CHECK: spirv.FAdd {{.*}} {no_contraction}
// CHECK: spirv.EntryPoint "GLCompute" @f
// CHECK: spirv.ExecutionMode @f "LocalSize", 64, 1, 1
module {
gpu.module @kernels {
  gpu.func @f(%a: memref<?xf32>, %b: memref<?xi8>, %n: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = memref.load %a[%n] : memref<?xf32>
    %q = memref.load %b[%n] : memref<?xi8>
    %y = arith.sitofp %q : i8 to f32
    %0 = arith.mulf %x, %y : f32
    %1 = arith.addf %0, %y : f32
    memref.store %1, %a[%n] : memref<?xf32>
    gpu.return
  }
}
}
