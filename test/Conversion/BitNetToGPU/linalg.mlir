// RUN: bitnet-opt %s --convert-linalg-to-gpu | FileCheck %s

module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {

// A thread an element, the last dimension of the output the fastest.
// CHECK-LABEL: func.func private @transpose
// CHECK: gpu.launch blocks(%[[B:.*]], %{{.*}}, %{{.*}}) in ({{.*}} = %c8{{.*}}) threads(%[[T:.*]], %{{.*}}, %{{.*}}) in ({{.*}} = %c256
// CHECK: %[[BASE:.*]] = arith.muli %[[B]], %c256
// CHECK: %[[I:.*]] = arith.addi %[[BASE]], %[[T]]
// CHECK: %[[COLUMN:.*]] = arith.remui %[[I]], %c32
// CHECK: %[[ROW:.*]] = arith.divui %[[I]], %c32
// CHECK: %[[V:.*]] = memref.load %arg0[%[[COLUMN]], %[[ROW]]]
// CHECK: memref.store %[[V]], %arg1[%[[ROW]], %[[COLUMN]]]
func.func private @transpose(%a: memref<32x64xf32>, %b: memref<64x32xf32>) attributes {bitnet.kernel} {
  linalg.transpose ins(%a : memref<32x64xf32>) outs(%b : memref<64x32xf32>) permutation = [1, 0]
  return
}

// More elements than the largest launch has threads, perhaps: they loop.
// CHECK-LABEL: func.func private @fill
// CHECK: gpu.launch
// CHECK: scf.for
// CHECK: memref.store %arg1
func.func private @fill(%a: memref<?xf32>, %v: f32) attributes {bitnet.kernel} {
  linalg.fill ins(%v : f32) outs(%a : memref<?xf32>)
  return
}

// A sum along rows: a group an output.
// CHECK-LABEL: func.func private @matvec
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c100{{.*}}) threads({{.*}}) in ({{.*}} = %c128
// CHECK: scf.for {{.*}} step %c128{{.*}} iter_args
// CHECK: gpu.barrier
// CHECK: memref.store {{.*}} : memref<100xf32>
func.func private @matvec(%a: memref<100x512xf32>, %x: memref<512xf32>, %y: memref<100xf32>) attributes {bitnet.kernel} {
  linalg.matvec ins(%a, %x : memref<100x512xf32>, memref<512xf32>) outs(%y : memref<100xf32>)
  return
}

// A sum across rows: a thread an output.
// CHECK-LABEL: func.func private @vecmat
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c2{{.*}}) threads({{.*}}) in ({{.*}} = %c256
// CHECK: scf.for {{.*}} = %c0{{.*}} to %c512{{.*}} step %c1
// CHECK-NOT: gpu.barrier
// CHECK: memref.store {{.*}} : memref<512xf32>
func.func private @vecmat(%x: memref<512xf32>, %a: memref<512x512xf32>, %y: memref<512xf32>) attributes {bitnet.kernel} {
  linalg.generic {indexing_maps = [affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> (n)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x, %a : memref<512xf32>, memref<512x512xf32>) outs(%y : memref<512xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// CHECK-LABEL: func.func private @copy
// CHECK: gpu.launch
// CHECK: memref.load %arg0
// CHECK: memref.store
// CHECK-NOT: memref.copy
func.func private @copy(%a: memref<8xf32>, %b: memref<8xf32>) attributes {bitnet.kernel} {
  memref.copy %a, %b : memref<8xf32> to memref<8xf32>
  return
}

// A loop of scalars is one thread's.
// CHECK-LABEL: func.func private @loop
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c1{{.*}}) threads({{.*}}) in ({{.*}} = %c1
// CHECK: scf.for
func.func private @loop(%a: memref<8xf32>, %n: index) attributes {bitnet.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %0 = memref.load %a[%i] : memref<8xf32>
    %1 = arith.addf %0, %0 : f32
    memref.store %1, %a[%i] : memref<8xf32>
  }
  return
}

// Only kernels are converted.
// CHECK-LABEL: func.func @entry
// CHECK-NEXT: linalg.fill
func.func @entry(%a: memref<8xf32>, %v: f32) {
  linalg.fill ins(%v : f32) outs(%a : memref<8xf32>)
  return
}
}
