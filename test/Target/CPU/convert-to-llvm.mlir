// RUN: bitnet-opt %s --bitnet-convert-to-llvm | FileCheck %s

// Every dialect that the loops phase leaves, in one conversion.
// CHECK-LABEL: llvm.func @all
// CHECK-SAME: (%{{.*}}: i64, %{{.*}}: f32
// CHECK-NOT: {{(arith|cf|memref|math|func)\.}}
// CHECK: llvm.icmp "slt"
// CHECK: llvm.cond_br
// CHECK: llvm.getelementptr
// CHECK: llvm.load
// CHECK: llvm.intr.sqrt
// CHECK: llvm.return
func.func @all(%i: index, %x: f32, %m: memref<8xf32>) -> f32 {
  %c8 = arith.constant 8 : index
  %fits = arith.cmpi slt, %i, %c8 : index
  cf.cond_br %fits, ^yes, ^no
^yes:
  %v = memref.load %m[%i] : memref<8xf32>
  %s = arith.addf %v, %x : f32
  %r = math.sqrt %s : f32
  return %r : f32
^no:
  return %x : f32
}

// What is LLVM's already stays.
// CHECK-LABEL: llvm.func @kept
// CHECK: llvm.call_intrinsic "llvm.fabs.f32"
llvm.func @kept(%x: f32) -> f32 {
  %0 = llvm.call_intrinsic "llvm.fabs.f32"(%x) : (f32) -> f32
  llvm.return %0 : f32
}
