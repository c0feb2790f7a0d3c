// RUN: bitnet-opt %s --convert-bitnet-to-gpu --bitnet-outline-launches -o %t.mlir
// RUN: bitnet-compile %t.mlir --target=cuda:sm_80 --compile-to=asm -o %t.ptx
// RUN: FileCheck %s < %t.ptx

// Pointers, then scalars, and a fixed number of threads. Weights and activations come
// 16 bytes a load, through the read-only path; integers are added by dp4a and exchanged by shuffles.
// CHECK: .target sm_80
// CHECK: .visible .entry linear(
// CHECK-COUNT-6: .param .u64
// CHECK-NOT: .param
// CHECK: .maxntid 256, 1, 1
// CHECK: ld.global.nc{{.*}}.v4
// CHECK: dp4a.u32.s32
// CHECK: shfl.sync.bfly
// CHECK: bar.sync
// CHECK: mul.rn.f32
// CHECK: st.global

// Division and root are IEEE's, and no function is called.
// CHECK: .visible .entry norm(
// CHECK: sqrt.rn.f32
// CHECK: rcp.rn.f32
// CHECK-NOT: call
// CHECK-NOT: .extern
module attributes {bitnet.target = #bitnet.target<"cuda:sm_80", triple = "nvptx64-nvidia-cuda", cpu = "sm_80", features = ["sm_80"]>} {
func.func @main(%archive: memref<?xi8>, %workspace: memref<?xi8>, %x: memref<1x1024xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>) attributes {bitnet.entry, bitnet.workspace = 512 : i64} {
  %c0 = arith.constant 0 : index
  %w = memref.view %archive[%c0][] : memref<?xi8> to memref<32768xi8>
  %y = memref.view %workspace[%c0][] : memref<?xi8> to memref<1x128xf32>
  call @linear(%x, %w, %s, %step, %sum, %y) : (memref<1x1024xi8>, memref<32768xi8>, memref<1xf32>, memref<1xf32>, memref<1xi32>, memref<1x128xf32>) -> ()
  call @norm(%y) : (memref<1x128xf32>) -> ()
  return
}
func.func private @linear(%x: memref<1x1024xi8> {llvm.noalias}, %w: memref<32768xi8> {llvm.noalias}, %s: memref<1xf32> {llvm.noalias}, %step: memref<1xf32> {llvm.noalias}, %sum: memref<1xi32> {llvm.noalias}, %y: memref<1x128xf32> {llvm.noalias}) attributes {bitnet.kernel} {
  bitnet.linear ins(%x, %w, %s : memref<1x1024xi8>, memref<32768xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1024 : i64}
  return
}
func.func private @norm(%y: memref<1x128xf32>) attributes {bitnet.kernel} {
  bitnet.norm ins(%y : memref<1x128xf32>) outs(%y : memref<1x128xf32>)
    {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32}
  return
}
}
