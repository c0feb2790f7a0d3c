// RUN: bitnet-opt %s --convert-bitnet-to-gpu --bitnet-outline-launches -o %t.mlir
// RUN: bitnet-compile %t.mlir --target=rocm:gfx90a --compile-to=asm -o %t.s
// RUN: FileCheck %s < %t.s

// CHECK: .amdgcn_target "amdgcn-amd-amdhsa--gfx90a"
// CHECK: linear:
// CHECK: global_load_dwordx4
// CHECK: v_dot4{{c?}}_i32_i8
// CHECK: s_barrier
// CHECK: .amdhsa_kernel linear
module attributes {bitnet.target = #bitnet.target<"rocm:gfx90a", triple = "amdgcn-amd-amdhsa", cpu = "gfx90a", features = ["gfx90a"]>} {
func.func @main(%archive: memref<?xi8>, %workspace: memref<?xi8>, %x: memref<1x1024xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>) attributes {bitnet.entry, bitnet.workspace = 512 : i64} {
  %c0 = arith.constant 0 : index
  %w = memref.view %archive[%c0][] : memref<?xi8> to memref<32768xi8>
  %y = memref.view %workspace[%c0][] : memref<?xi8> to memref<1x128xf32>
  call @linear(%x, %w, %s, %step, %sum, %y) : (memref<1x1024xi8>, memref<32768xi8>, memref<1xf32>, memref<1xf32>, memref<1xi32>, memref<1x128xf32>) -> ()
  return
}
func.func private @linear(%x: memref<1x1024xi8>, %w: memref<32768xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x128xf32>) attributes {bitnet.kernel} {
  bitnet.linear ins(%x, %w, %s : memref<1x1024xi8>, memref<32768xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1024 : i64}
  return
}
}
