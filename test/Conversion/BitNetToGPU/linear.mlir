// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-gpu | FileCheck %s

// One token, any device: 4 threads for each of 64 rows read a word of codes each; bytes
// are multiplied one by one.
// CHECK-LABEL: func.func @one_token
// CHECK: %[[W:.*]] = memref.view %arg1[%c0{{.*}}][] : memref<12288xi8> to memref<3072xi32>
// CHECK: %[[BYTES:.*]] = memref.collapse_shape %arg0
// CHECK: %[[X:.*]] = memref.view %[[BYTES]]
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c2{{.*}}) threads({{.*}}) in ({{.*}} = %c256
// CHECK: scf.for {{.*}} to %c6{{.*}} step %c1
// CHECK: memref.load %[[W]]
// CHECK: memref.load %[[X]]
// CHECK: arith.muli
// CHECK: memref.alloc() : memref<256xi32, #gpu.address_space<workgroup>>
// CHECK: arith.subi
// CHECK: arith.sitofp
// CHECK: memref.store {{.*}} : memref<1x128xf32>
module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @one_token(%x: memref<1x384xi8>, %w: memref<12288xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x128xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<1x384xi8>, memref<12288xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 384 : i64}
  return
}
}

// -----

// A gate and a residual come last.
// CHECK-LABEL: func.func @gated
// CHECK: arith.sitofp
// CHECK: %[[F:.*]] = memref.load %arg5{{.*}} : memref<1x128xf32>
// CHECK: %[[P:.*]] = arith.mulf %{{.*}}, %[[F]] : f32
// CHECK: %[[R:.*]] = memref.load %arg6{{.*}} : memref<1x128xf32>
// CHECK: %[[Y:.*]] = arith.addf %[[P]], %[[R]] : f32
// CHECK: memref.store %[[Y]], %arg7
module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @gated(%x: memref<1x384xi8>, %w: memref<12288xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %f: memref<1x128xf32>, %r: memref<1x128xf32>, %y: memref<1x128xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<1x384xi8>, memref<12288xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) times(%f : memref<1x128xf32>) plus(%r : memref<1x128xf32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 384 : i64}
  return
}
}

// -----

// CUDA: dp4a, four words a load; 16 rows a group where there are few.
// CHECK-LABEL: func.func @dp4a
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c8{{.*}})
// CHECK: vector.load {{.*}} : memref<3072xi32>, vector<4xi32>
// CHECK: llvm.call_intrinsic "llvm.nvvm.idp4a.u.s"
module attributes {bitnet.target = #bitnet.target<"cuda:sm_80", triple = "nvptx64-nvidia-cuda", cpu = "sm_80", features = ["sm_80"]>} {
func.func @dp4a(%x: memref<1x384xi8>, %w: memref<12288xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x128xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<1x384xi8>, memref<12288xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 384 : i64}
  return
}
}

// -----

// Many tokens of floats: no words of activations, no correction; four tokens at a time.
// CHECK-LABEL: func.func @floats
// CHECK-NOT: memref.collapse_shape
// CHECK: gpu.launch
// CHECK: memref.load %arg0{{.*}} : memref<?x32xf32>
// CHECK: arith.mulf {{.*}} fastmath<reassoc,contract> : f32
module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @floats(%x: memref<?x32xf32>, %w: memref<256xi8>, %s: memref<20xf32>, %y: memref<?x20xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<?x32xf32>, memref<256xi8>, memref<20xf32>) outs(%y : memref<?x20xf32>)
    {packing = #bitnet.packing<planes1, rows = 64>, rows = 20 : i64, columns = 20 : i64}
  return
}
}

// -----

// Sums alone: the activations' own are added up on the way. What the CPU calls another lowering is
// the same kernel.
// CHECK-LABEL: func.func @sums
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (i32, i32)
// CHECK: arith.subi {{.*}} : i32
// CHECK: memref.store {{.*}} : memref<1x128xi32>
module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @sums(%x: memref<1x384xi8>, %w: memref<12288xi8>, %y: memref<1x128xi32>) {
  bitnet.matmul ins(%x, %w : memref<1x384xi8>, memref<12288xi8>) outs(%y : memref<1x128xi32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 384 : i64, lowering = #bitnet.lowering<addsub>}
  return
}
}
