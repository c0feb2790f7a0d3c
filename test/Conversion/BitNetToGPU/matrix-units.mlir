// RUN: bitnet-opt %s --convert-bitnet-to-gpu --split-input-file | FileCheck %s
// RUN: bitnet-opt %s --convert-bitnet-to-gpu --bitnet-outline-launches --split-input-file -o %t.mlir

// Several tokens of bytes: 64 rows and up to 32 tokens a subgroup, products of 16 x 32 by 32 x 8 on
// the machine's matrix units; few tokens split K over eight subgroups, whose sums meet at the end.
// CHECK-LABEL: func.func @several
// CHECK: gpu.launch {{.*}} threads({{.*}}) in ({{.*}} = %c256
// CHECK: vector.load {{.*}} vector<4xi32>
// CHECK: scf.for
// CHECK: arith.andi
// CHECK-COUNT-16: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k32.row.col.s8"
// CHECK-NOT: llvm.call_intrinsic "llvm.nvvm.mma
// CHECK: gpu.barrier
// CHECK: arith.sitofp
module attributes {bitnet.target = #bitnet.target<"cuda:sm_80", triple = "nvptx64-nvidia-cuda", cpu = "sm_80", features = ["sm_80"]>} {
func.func @several(%x: memref<16x1024xi8>, %w: memref<32768xi8>, %s: memref<1xf32>, %step: memref<16xf32>, %sum: memref<16xi32>, %y: memref<16x128xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<16x1024xi8>, memref<32768xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<16xf32>, memref<16xi32>) outs(%y : memref<16x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1024 : i64}
  return
}
}

// -----

// One token, and devices without matrix units, add dot products.
// CHECK-LABEL: func.func @one
// CHECK-NOT: nvvm.mma
// CHECK: llvm.nvvm.idp4a
module attributes {bitnet.target = #bitnet.target<"cuda:sm_80", triple = "nvptx64-nvidia-cuda", cpu = "sm_80", features = ["sm_80"]>} {
func.func @one(%x: memref<1x1024xi8>, %w: memref<32768xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x128xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<1x1024xi8>, memref<32768xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1024 : i64}
  return
}
}

// -----

// CHECK-LABEL: func.func @plain
// CHECK-NOT: nvvm.mma
module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @plain(%x: memref<16x1024xi8>, %w: memref<32768xi8>, %s: memref<1xf32>, %step: memref<16xf32>, %sum: memref<16xi32>, %y: memref<16x128xf32>) {
  bitnet.linear ins(%x, %w, %s : memref<16x1024xi8>, memref<32768xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<16xf32>, memref<16xi32>) outs(%y : memref<16x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1024 : i64}
  return
}
}
