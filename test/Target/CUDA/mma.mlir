// RUN: bitnet-opt %s --convert-bitnet-to-gpu --bitnet-outline-launches -o %t.mlir
// RUN: bitnet-compile %t.mlir --target=cuda:sm_80 --compile-to=asm -o %t.ptx
// RUN: FileCheck %s < %t.ptx

// Codes are unpacked to bytes on the way to the matrix units.
// CHECK: .visible .entry linear(
// CHECK: ld.global.nc{{.*}}.v4
// CHECK: and.b32 {{.*}} 50529027
// CHECK: mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
// CHECK-NOT: call
module attributes {bitnet.target = #bitnet.target<"cuda:sm_80", triple = "nvptx64-nvidia-cuda", cpu = "sm_80", features = ["sm_80"]>} {
func.func @main(%archive: memref<?xi8>, %workspace: memref<?xi8>, %x: memref<16x1024xi8>, %s: memref<1xf32>, %step: memref<16xf32>, %sum: memref<16xi32>) attributes {bitnet.entry, bitnet.workspace = 8192 : i64} {
  %c0 = arith.constant 0 : index
  %w = memref.view %archive[%c0][] : memref<?xi8> to memref<32768xi8>
  %y = memref.view %workspace[%c0][] : memref<?xi8> to memref<16x128xf32>
  call @linear(%x, %w, %s, %step, %sum, %y) : (memref<16x1024xi8>, memref<32768xi8>, memref<1xf32>, memref<16xf32>, memref<16xi32>, memref<16x128xf32>) -> ()
  return
}
func.func private @linear(%x: memref<16x1024xi8> {llvm.noalias}, %w: memref<32768xi8> {llvm.noalias}, %s: memref<1xf32> {llvm.noalias}, %step: memref<16xf32> {llvm.noalias}, %sum: memref<16xi32> {llvm.noalias}, %y: memref<16x128xf32> {llvm.noalias}) attributes {bitnet.kernel} {
  bitnet.linear ins(%x, %w, %s : memref<16x1024xi8>, memref<32768xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<16xf32>, memref<16xi32>) outs(%y : memref<16x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1024 : i64}
  return
}
}
