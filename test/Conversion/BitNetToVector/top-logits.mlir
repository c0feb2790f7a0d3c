// RUN: bitnet-opt %s --convert-bitnet-to-vector | FileCheck %s

// The rows of the copy by dot products of bytes, fetched far ahead, in two planes of the hidden state; then those that are
// left, fetched a few rows before they are used; then what is still left, by the weights themselves. python/tests/test_head.py checks the numbers.

// CHECK-LABEL: func.func @top(
// CHECK-SAME: %[[LOWER:[a-z0-9]+]]: memref<130xf32>, %{{[a-z0-9]+}}: memref<1xi64>)
// CHECK: %[[PLANES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x128xi8>
// CHECK: scf.parallel
// CHECK: scf.for
// CHECK: memref.prefetch %[[HIGH:[a-z0-9]+]][{{.*}}], read, locality<2>
// CHECK: memref.prefetch %[[HIGH]][{{.*}}], read, locality<3>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// The largest, and more where more logits are wanted: they get better lower bounds.
// CHECK: vector.reduction <maxnumf>
// CHECK: scf.while
// CHECK: scf.parallel
// CHECK: arith.cmpf oge
// CHECK: scf.if
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: memref.store %{{.*}}, %[[LOWER]][
// The largest lower bound.
// CHECK: vector.load %[[LOWER]]
// CHECK: vector.reduction <maxnumf>
// CHECK: scf.while
// CHECK: scf.parallel
// CHECK: arith.cmpf olt
// CHECK: scf.if
// CHECK: memref.prefetch %[[HIGH]][{{.*}}], read, locality<2>
// CHECK: memref.prefetch
// CHECK: arith.cmpf olt
// CHECK: scf.if
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: scf.while
// CHECK: scf.parallel
// CHECK: scf.if
// CHECK: math.fma
module attributes {bitnet.target = #bitnet.target<"x86-64-v4+vnni", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4",
                   features = ["avx2", "avx512bw", "avx512f", "avx512vl", "avx512vnni", "fma", "ssse3"]>} {
  func.func @top(%h: memref<1x100xf32>, %w: memref<130x100xbf16>, %n: memref<1xi64>, %high: memref<130x64xi8>, %low: memref<130x64xi8>,
                 %s: memref<130xf32>, %b: memref<2x130xf32>, %l: memref<1x130xf32>, %lower: memref<130xf32>, %read: memref<1xi64>) {
    bitnet.top_logits ins(%h, %w, %n : memref<1x100xf32>, memref<130x100xbf16>, memref<1xi64>)
        screen(%high, %low, %s, %b : memref<130x64xi8>, memref<130x64xi8>, memref<130xf32>, memref<2x130xf32>)
        outs(%l, %lower, %read : memref<1x130xf32>, memref<130xf32>, memref<1xi64>)
    return
  }
}
