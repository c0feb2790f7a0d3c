// RUN: bitnet-opt %s -bitnet-expand-math -split-input-file | FileCheck %s

// Without a target: plain x86-64, which has neither FMA nor rounding.
// CHECK-LABEL: @exp
// CHECK-NOT: math.exp
// CHECK-NOT: math.fma
// CHECK: arith.shli {{.*}} : vector<16xi32>
func.func @exp(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: @floor
// CHECK-NOT: math.floor
// CHECK: math.absf
// CHECK: math.copysign
func.func @floor(%x: f32) -> f32 {
  %y = math.floor %x : f32
  return %y : f32
}

// The product of f32 numbers is exact in f64.
// CHECK-LABEL: @fma
// CHECK-COUNT-3: arith.extf {{.*}} : vector<4xf32> to vector<4xf64>
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: arith.truncf
func.func @fma(%x: vector<4xf32>) -> vector<4xf32> {
  %y = vector.fma %x, %x, %x : vector<4xf32>
  return %y : vector<4xf32>
}

// CHECK-LABEL: @square
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK: %[[Y:.*]] = arith.mulf %[[X]], %[[X]] : f32
// CHECK-NEXT: return %[[Y]]
func.func @square(%x: f32) -> f32 {
  %two = arith.constant 2.0 : f32
  %y = math.powf %x, %two : f32
  return %y : f32
}

// CHECK-LABEL: @half
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: %[[R:.*]] = math.sqrt %{{.*}} : f32
// CHECK: arith.truncf %[[R]] : f32 to f16
func.func @half(%x: f16) -> f16 {
  %y = math.sqrt %x : f16
  return %y : f16
}

// CHECK-LABEL: @sincos
// CHECK-NOT: math.sin
// CHECK-NOT: math.cos
// CHECK: return
func.func @sincos(%x: f32) -> (f32, f32) {
  %s, %c = math.sincos %x : f32
  return %s, %c : f32, f32
}

// -----

module attributes {bitnet.target = #bitnet.target<"x86-64-v3", triple = "x86_64-unknown-linux-gnu",
    cpu = "haswell", features = ["sse2", "sse4.1", "avx2", "fma"]>} {
  // CHECK-LABEL: @exp_fma
  // CHECK: math.fma
  func.func @exp_fma(%x: f32) -> f32 {
    %y = math.exp %x : f32
    return %y : f32
  }

  // CHECK-LABEL: @kept
  // CHECK: math.floor
  // CHECK: vector.fma
  func.func @kept(%x: f32, %v: vector<8xf32>) -> (f32, vector<8xf32>) {
    %y = math.floor %x : f32
    %w = vector.fma %v, %v, %v : vector<8xf32>
    return %y, %w : f32, vector<8xf32>
  }
}
