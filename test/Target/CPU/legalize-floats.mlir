// RUN: bitnet-opt %s -bitnet-legalize-floats -split-input-file | FileCheck %s

// CHECK-LABEL: @bf16
// CHECK: arith.bitcast %{{.*}} : bf16 to i16
// CHECK: arith.extui %{{.*}} : i16 to i32
// CHECK: arith.shli
// CHECK: arith.bitcast %{{.*}} : i32 to f32
func.func @bf16(%x: bf16) -> f32 {
  %y = arith.extf %x : bf16 to f32
  return %y : f32
}

// CHECK-LABEL: @add
// CHECK: arith.addf %{{.*}}, %{{.*}} : vector<8xf32>
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @add(%x: vector<8xbf16>) -> vector<8xbf16> {
  %y = arith.addf %x, %x : vector<8xbf16>
  return %y : vector<8xbf16>
}

// CHECK-LABEL: @half
// CHECK-NOT: arith.extf
// CHECK: return
func.func @half(%x: f16) -> f32 {
  %y = arith.extf %x : f16 to f32
  return %y : f32
}

// CHECK-LABEL: @round
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @round(%x: vector<8xf32>) -> (vector<8xf16>, vector<8xbf16>) {
  %y = arith.truncf %x : vector<8xf32> to vector<8xf16>
  %z = arith.truncf %x : vector<8xf32> to vector<8xbf16>
  return %y, %z : vector<8xf16>, vector<8xbf16>
}

// CHECK-LABEL: @integer
// CHECK: arith.sitofp %{{.*}} : i64 to f64
// CHECK-NOT: arith.truncf {{.*}} to bf16
// CHECK: return
func.func @integer(%x: i64) -> bf16 {
  %y = arith.sitofp %x : i64 to bf16
  return %y : bf16
}

// -----

module attributes {bitnet.target = #bitnet.target<"x86-64-v3", triple = "x86_64-unknown-linux-gnu",
    cpu = "haswell", features = ["f16c"]>} {
  // CHECK-LABEL: @half_f16c
  // CHECK: arith.extf %{{.*}} : f16 to f32
  func.func @half_f16c(%x: f16) -> f32 {
    %y = arith.extf %x : f16 to f32
    return %y : f32
  }
}

// -----

// ARM converts f16 without an extension.
module attributes {bitnet.target = #bitnet.target<"aarch64", triple = "aarch64-unknown-linux-gnu",
    cpu = "generic", features = ["neon"]>} {
  // CHECK-LABEL: @half_arm
  // CHECK: arith.extf %{{.*}} : f16 to f32
  func.func @half_arm(%x: f16) -> f32 {
    %y = arith.extf %x : f16 to f32
    return %y : f32
  }
}
