// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-rotary --bitnet-recognize-attention --canonicalize --cse --bitnet-in-place-cache="max-context=64" --canonicalize --cse --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @decode(
// CHECK-SAME: %{{[^:]*}}: tensor<1x1xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %[[P:[^:]*]]: index, %[[C0:[^:]*]]: tensor<1x2x64x8xf32> {bitnet.state = 0 : i64, bufferization.writable = true}, %[[C1:[^:]*]]: tensor<1x2x64x8xf32> {bitnet.state = 1 : i64, bufferization.writable = true}) -> (tensor<1x1x48xf32> {bitnet.role = "logits", onnx.name = "logits"})
// CHECK: %[[K:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x1x8xf32>, index) outs(%[[C0]] :
// CHECK: %[[V:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x1x8xf32>, index) outs(%[[C1]] :
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %[[V]] : {{.*}}) position(%[[P]]) outs(%{{.*}}) {causal, scale = 2.500000e-01 : f32}
func.func @decode(%ids: tensor<1x1xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %am: tensor<1x?xi64> {bitnet.role = "attention_mask"},
    %pos: tensor<1x1xi64> {bitnet.role = "positions"},
    %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64}, %pastv: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 1 : i64})
    -> (tensor<1x1x48xf32> {bitnet.role = "logits", onnx.name = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 1 : i64})
    attributes {bitnet.entry = "decode"} {
  %none = onnx.NoValue {value}
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %c2 = onnx.Constant dense<2> : tensor<1xi64>
  %S = onnx.Constant dense<1> : tensor<i64>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %fzero = onnx.Constant dense<0.0> : tensor<f32>
  %min = onnx.Constant dense<-3.0e38> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x48xf32>
  %ktable = onnx.Constant dense<0.25> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x48xf32>, tensor<1x1xi64>) -> tensor<1x1x48xf32>
  %qs = onnx.Constant dense<[1, 1, 6, 8]> : tensor<4xi64>
  %q0 = onnx.Reshape %e, %qs : (tensor<1x1x48xf32>, tensor<4xi64>) -> tensor<1x1x6x8xf32>
  %q = onnx.Transpose %q0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x1x6x8xf32>) -> tensor<1x6x1x8xf32>
  %ke = onnx.Gather %ktable, %pos : (tensor<16x16xf32>, tensor<1x1xi64>) -> tensor<1x1x16xf32>
  %ks = onnx.Constant dense<[1, 1, 2, 8]> : tensor<4xi64>
  %k0 = onnx.Reshape %ke, %ks : (tensor<1x1x16xf32>, tensor<4xi64>) -> tensor<1x1x2x8xf32>
  %new = onnx.Transpose %k0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x1x2x8xf32>) -> tensor<1x2x1x8xf32>
  %k = onnx.Concat %past, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  %v = onnx.Concat %pastv, %new {axis = -2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  %sh = onnx.Shape %past {start = 2 : i64, end = 3 : i64} : (tensor<1x2x?x8xf32>) -> tensor<1xi64>
  %p = onnx.Squeeze %sh, %none : (tensor<1xi64>, none) -> tensor<i64>
  %t = onnx.Add %p, %S : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %qi = onnx.Range %p, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<1xi64>
  %kj = onnx.Range %zero, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %qu = onnx.Unsqueeze %qi, %c1 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1x1xi64>
  %ku = onnx.Unsqueeze %kj, %c0 : (tensor<?xi64>, tensor<1xi64>) -> tensor<1x?xi64>
  %le = onnx.LessOrEqual %ku, %qu : (tensor<1x?xi64>, tensor<1x1xi64>) -> tensor<1x?xi1>
  %amb = onnx.Cast %am {to = 9 : i64} : (tensor<1x?xi64>) -> tensor<1x?xi1>
  %and = onnx.And %le, %amb : (tensor<1x?xi1>, tensor<1x?xi1>) -> tensor<1x?xi1>
  %mask = onnx.Where %and, %fzero, %min : (tensor<1x?xi1>, tensor<f32>, tensor<f32>) -> tensor<1x?xf32>
  %k5 = onnx.Unsqueeze %k, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %v5 = onnx.Unsqueeze %v, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %r5 = onnx.Constant dense<[1, 1, 3, 1, 1]> : tensor<5xi64>
  %kx = onnx.Expand %k5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %vx = onnx.Expand %v5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %hs = onnx.Constant dense<[1, 6, -1, 8]> : tensor<4xi64>
  %kh = onnx.Reshape %kx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %vh = onnx.Reshape %vx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %kt = onnx.Transpose %kh {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x6x?x8xf32>) -> tensor<1x6x8x?xf32>
  %dot = onnx.MatMul %q, %kt : (tensor<1x6x1x8xf32>, tensor<1x6x8x?xf32>) -> tensor<1x6x1x?xf32>
  %sc = onnx.Mul %dot, %scale : (tensor<1x6x1x?xf32>, tensor<f32>) -> tensor<1x6x1x?xf32>
  %ms = onnx.Add %sc, %mask : (tensor<1x6x1x?xf32>, tensor<1x?xf32>) -> tensor<1x6x1x?xf32>
  %sm = onnx.Softmax %ms : (tensor<1x6x1x?xf32>) -> tensor<1x6x1x?xf32>
  %y = onnx.MatMul %sm, %vh : (tensor<1x6x1x?xf32>, tensor<1x6x?x8xf32>) -> tensor<1x6x1x8xf32>
  %logits_shape = onnx.Constant dense<[1, 1, 48]> : tensor<3xi64>
  %logits = onnx.Reshape %y, %logits_shape : (tensor<1x6x1x8xf32>, tensor<3xi64>) -> tensor<1x1x48xf32>
  return %logits, %k, %v : tensor<1x1x48xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}

// CHECK-LABEL: func @prefill(
// CHECK-SAME: %{{[^:]*}}: tensor<1x4xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %[[P:[^:]*]]: index, %[[C0:[^:]*]]: tensor<1x2x64x8xf32> {bitnet.state = 0 : i64, bufferization.writable = true}, %[[C1:[^:]*]]: tensor<1x2x64x8xf32> {bitnet.state = 1 : i64, bufferization.writable = true}) -> (tensor<1x4x48xf32> {bitnet.role = "logits", onnx.name = "logits"})
// CHECK: %[[K:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x4x8xf32>, index) outs(%[[C0]] :
// CHECK: %[[V:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x4x8xf32>, index) outs(%[[C1]] :
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %[[V]] : {{.*}}) position(%[[P]]) outs(%{{.*}}) {causal, scale = 2.500000e-01 : f32}
func.func @prefill(%ids: tensor<1x4xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %am: tensor<1x?xi64> {bitnet.role = "attention_mask"},
    %pos: tensor<1x4xi64> {bitnet.role = "positions"},
    %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64}, %pastv: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 1 : i64})
    -> (tensor<1x4x48xf32> {bitnet.role = "logits", onnx.name = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 1 : i64})
    attributes {bitnet.entry = "prefill"} {
  %none = onnx.NoValue {value}
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %c2 = onnx.Constant dense<2> : tensor<1xi64>
  %S = onnx.Constant dense<4> : tensor<i64>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %fzero = onnx.Constant dense<0.0> : tensor<f32>
  %min = onnx.Constant dense<-3.0e38> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x48xf32>
  %ktable = onnx.Constant dense<0.25> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x48xf32>, tensor<1x4xi64>) -> tensor<1x4x48xf32>
  %qs = onnx.Constant dense<[1, 4, 6, 8]> : tensor<4xi64>
  %q0 = onnx.Reshape %e, %qs : (tensor<1x4x48xf32>, tensor<4xi64>) -> tensor<1x4x6x8xf32>
  %q = onnx.Transpose %q0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x6x8xf32>) -> tensor<1x6x4x8xf32>
  %ke = onnx.Gather %ktable, %pos : (tensor<16x16xf32>, tensor<1x4xi64>) -> tensor<1x4x16xf32>
  %ks = onnx.Constant dense<[1, 4, 2, 8]> : tensor<4xi64>
  %k0 = onnx.Reshape %ke, %ks : (tensor<1x4x16xf32>, tensor<4xi64>) -> tensor<1x4x2x8xf32>
  %new = onnx.Transpose %k0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x2x8xf32>) -> tensor<1x2x4x8xf32>
  %k = onnx.Concat %past, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x?x8xf32>
  %v = onnx.Concat %pastv, %new {axis = -2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x?x8xf32>
  %sh = onnx.Shape %past {start = 2 : i64, end = 3 : i64} : (tensor<1x2x?x8xf32>) -> tensor<1xi64>
  %p = onnx.Squeeze %sh, %none : (tensor<1xi64>, none) -> tensor<i64>
  %t = onnx.Add %p, %S : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %qi = onnx.Range %p, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<4xi64>
  %kj = onnx.Range %zero, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %qu = onnx.Unsqueeze %qi, %c1 : (tensor<4xi64>, tensor<1xi64>) -> tensor<4x1xi64>
  %ku = onnx.Unsqueeze %kj, %c0 : (tensor<?xi64>, tensor<1xi64>) -> tensor<1x?xi64>
  %le = onnx.LessOrEqual %ku, %qu : (tensor<1x?xi64>, tensor<4x1xi64>) -> tensor<4x?xi1>
  %amb = onnx.Cast %am {to = 9 : i64} : (tensor<1x?xi64>) -> tensor<1x?xi1>
  %and = onnx.And %le, %amb : (tensor<4x?xi1>, tensor<1x?xi1>) -> tensor<4x?xi1>
  %mask = onnx.Where %and, %fzero, %min : (tensor<4x?xi1>, tensor<f32>, tensor<f32>) -> tensor<4x?xf32>
  %k5 = onnx.Unsqueeze %k, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %v5 = onnx.Unsqueeze %v, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %r5 = onnx.Constant dense<[1, 1, 3, 1, 1]> : tensor<5xi64>
  %kx = onnx.Expand %k5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %vx = onnx.Expand %v5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %hs = onnx.Constant dense<[1, 6, -1, 8]> : tensor<4xi64>
  %kh = onnx.Reshape %kx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %vh = onnx.Reshape %vx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %kt = onnx.Transpose %kh {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x6x?x8xf32>) -> tensor<1x6x8x?xf32>
  %dot = onnx.MatMul %q, %kt : (tensor<1x6x4x8xf32>, tensor<1x6x8x?xf32>) -> tensor<1x6x4x?xf32>
  %sc = onnx.Mul %dot, %scale : (tensor<1x6x4x?xf32>, tensor<f32>) -> tensor<1x6x4x?xf32>
  %ms = onnx.Add %sc, %mask : (tensor<1x6x4x?xf32>, tensor<4x?xf32>) -> tensor<1x6x4x?xf32>
  %sm = onnx.Softmax %ms : (tensor<1x6x4x?xf32>) -> tensor<1x6x4x?xf32>
  %y = onnx.MatMul %sm, %vh : (tensor<1x6x4x?xf32>, tensor<1x6x?x8xf32>) -> tensor<1x6x4x8xf32>
  %logits_shape = onnx.Constant dense<[1, 4, 48]> : tensor<3xi64>
  %logits = onnx.Reshape %y, %logits_shape : (tensor<1x6x4x8xf32>, tensor<3xi64>) -> tensor<1x4x48xf32>
  return %logits, %k, %v : tensor<1x4x48xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}

// A mask that hides one key more is kept.
// CHECK-LABEL: func @strict(
// CHECK-SAME: %{{[^:]*}}: tensor<1x4xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %[[P:[^:]*]]: index, %[[C0:[^:]*]]: tensor<1x2x64x8xf32> {bitnet.state = 0 : i64, bufferization.writable = true}, %[[C1:[^:]*]]: tensor<1x2x64x8xf32> {bitnet.state = 1 : i64, bufferization.writable = true}) -> (tensor<1x4x48xf32> {bitnet.role = "logits", onnx.name = "logits"})
// CHECK: %[[K:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x4x8xf32>, index) outs(%[[C0]] :
// CHECK: %[[V:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x4x8xf32>, index) outs(%[[C1]] :
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %[[V]] : {{.*}}) mask(%{{.*}} : tensor<1x1x4x?xf32>) position(%[[P]]) outs(%{{.*}}) {scale = 2.500000e-01 : f32}
func.func @strict(%ids: tensor<1x4xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %am: tensor<1x?xi64> {bitnet.role = "attention_mask"},
    %pos: tensor<1x4xi64> {bitnet.role = "positions"},
    %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64}, %pastv: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 1 : i64})
    -> (tensor<1x4x48xf32> {bitnet.role = "logits", onnx.name = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 1 : i64})
    attributes {bitnet.entry = "prefill"} {
  %none = onnx.NoValue {value}
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %c2 = onnx.Constant dense<2> : tensor<1xi64>
  %S = onnx.Constant dense<4> : tensor<i64>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %fzero = onnx.Constant dense<0.0> : tensor<f32>
  %min = onnx.Constant dense<-3.0e38> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x48xf32>
  %ktable = onnx.Constant dense<0.25> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x48xf32>, tensor<1x4xi64>) -> tensor<1x4x48xf32>
  %qs = onnx.Constant dense<[1, 4, 6, 8]> : tensor<4xi64>
  %q0 = onnx.Reshape %e, %qs : (tensor<1x4x48xf32>, tensor<4xi64>) -> tensor<1x4x6x8xf32>
  %q = onnx.Transpose %q0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x6x8xf32>) -> tensor<1x6x4x8xf32>
  %ke = onnx.Gather %ktable, %pos : (tensor<16x16xf32>, tensor<1x4xi64>) -> tensor<1x4x16xf32>
  %ks = onnx.Constant dense<[1, 4, 2, 8]> : tensor<4xi64>
  %k0 = onnx.Reshape %ke, %ks : (tensor<1x4x16xf32>, tensor<4xi64>) -> tensor<1x4x2x8xf32>
  %new = onnx.Transpose %k0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x2x8xf32>) -> tensor<1x2x4x8xf32>
  %k = onnx.Concat %past, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x?x8xf32>
  %v = onnx.Concat %pastv, %new {axis = -2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x?x8xf32>
  %sh = onnx.Shape %past {start = 2 : i64, end = 3 : i64} : (tensor<1x2x?x8xf32>) -> tensor<1xi64>
  %p = onnx.Squeeze %sh, %none : (tensor<1xi64>, none) -> tensor<i64>
  %t = onnx.Add %p, %S : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %qi = onnx.Range %p, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<4xi64>
  %kj = onnx.Range %zero, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %qu = onnx.Unsqueeze %qi, %c1 : (tensor<4xi64>, tensor<1xi64>) -> tensor<4x1xi64>
  %ku = onnx.Unsqueeze %kj, %c0 : (tensor<?xi64>, tensor<1xi64>) -> tensor<1x?xi64>
  %le = onnx.Less %ku, %qu : (tensor<1x?xi64>, tensor<4x1xi64>) -> tensor<4x?xi1>
  %amb = onnx.Cast %am {to = 9 : i64} : (tensor<1x?xi64>) -> tensor<1x?xi1>
  %and = onnx.And %le, %amb : (tensor<4x?xi1>, tensor<1x?xi1>) -> tensor<4x?xi1>
  %mask = onnx.Where %and, %fzero, %min : (tensor<4x?xi1>, tensor<f32>, tensor<f32>) -> tensor<4x?xf32>
  %k5 = onnx.Unsqueeze %k, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %v5 = onnx.Unsqueeze %v, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %r5 = onnx.Constant dense<[1, 1, 3, 1, 1]> : tensor<5xi64>
  %kx = onnx.Expand %k5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %vx = onnx.Expand %v5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %hs = onnx.Constant dense<[1, 6, -1, 8]> : tensor<4xi64>
  %kh = onnx.Reshape %kx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %vh = onnx.Reshape %vx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %kt = onnx.Transpose %kh {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x6x?x8xf32>) -> tensor<1x6x8x?xf32>
  %dot = onnx.MatMul %q, %kt : (tensor<1x6x4x8xf32>, tensor<1x6x8x?xf32>) -> tensor<1x6x4x?xf32>
  %sc = onnx.Mul %dot, %scale : (tensor<1x6x4x?xf32>, tensor<f32>) -> tensor<1x6x4x?xf32>
  %ms = onnx.Add %sc, %mask : (tensor<1x6x4x?xf32>, tensor<4x?xf32>) -> tensor<1x6x4x?xf32>
  %sm = onnx.Softmax %ms : (tensor<1x6x4x?xf32>) -> tensor<1x6x4x?xf32>
  %y = onnx.MatMul %sm, %vh : (tensor<1x6x4x?xf32>, tensor<1x6x?x8xf32>) -> tensor<1x6x4x8xf32>
  %logits_shape = onnx.Constant dense<[1, 4, 48]> : tensor<3xi64>
  %logits = onnx.Reshape %y, %logits_shape : (tensor<1x6x4x8xf32>, tensor<3xi64>) -> tensor<1x4x48xf32>
  return %logits, %k, %v : tensor<1x4x48xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}

// New keys in front of the past: the general entry serves.
// CHECK-NOT: func @reversed
// expected-remark @+1 {{its past is not the growing keys and values of attentions; the general entry serves}}
func.func @reversed(%ids: tensor<1x1xi64> {bitnet.role = "tokens", onnx.name = "ids"}, %am: tensor<1x?xi64> {bitnet.role = "attention_mask"},
    %pos: tensor<1x1xi64> {bitnet.role = "positions"},
    %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64}, %pastv: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 1 : i64})
    -> (tensor<1x1x48xf32> {bitnet.role = "logits", onnx.name = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 1 : i64})
    attributes {bitnet.entry = "decode"} {
  %none = onnx.NoValue {value}
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %c2 = onnx.Constant dense<2> : tensor<1xi64>
  %S = onnx.Constant dense<1> : tensor<i64>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %fzero = onnx.Constant dense<0.0> : tensor<f32>
  %min = onnx.Constant dense<-3.0e38> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x48xf32>
  %ktable = onnx.Constant dense<0.25> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x48xf32>, tensor<1x1xi64>) -> tensor<1x1x48xf32>
  %qs = onnx.Constant dense<[1, 1, 6, 8]> : tensor<4xi64>
  %q0 = onnx.Reshape %e, %qs : (tensor<1x1x48xf32>, tensor<4xi64>) -> tensor<1x1x6x8xf32>
  %q = onnx.Transpose %q0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x1x6x8xf32>) -> tensor<1x6x1x8xf32>
  %ke = onnx.Gather %ktable, %pos : (tensor<16x16xf32>, tensor<1x1xi64>) -> tensor<1x1x16xf32>
  %ks = onnx.Constant dense<[1, 1, 2, 8]> : tensor<4xi64>
  %k0 = onnx.Reshape %ke, %ks : (tensor<1x1x16xf32>, tensor<4xi64>) -> tensor<1x1x2x8xf32>
  %new = onnx.Transpose %k0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x1x2x8xf32>) -> tensor<1x2x1x8xf32>
  %k = onnx.Concat %new, %past {axis = 2 : i64} : (tensor<1x2x1x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  %v = onnx.Concat %pastv, %new {axis = -2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  %sh = onnx.Shape %past {start = 2 : i64, end = 3 : i64} : (tensor<1x2x?x8xf32>) -> tensor<1xi64>
  %p = onnx.Squeeze %sh, %none : (tensor<1xi64>, none) -> tensor<i64>
  %t = onnx.Add %p, %S : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %qi = onnx.Range %p, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<1xi64>
  %kj = onnx.Range %zero, %t, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %qu = onnx.Unsqueeze %qi, %c1 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1x1xi64>
  %ku = onnx.Unsqueeze %kj, %c0 : (tensor<?xi64>, tensor<1xi64>) -> tensor<1x?xi64>
  %le = onnx.LessOrEqual %ku, %qu : (tensor<1x?xi64>, tensor<1x1xi64>) -> tensor<1x?xi1>
  %amb = onnx.Cast %am {to = 9 : i64} : (tensor<1x?xi64>) -> tensor<1x?xi1>
  %and = onnx.And %le, %amb : (tensor<1x?xi1>, tensor<1x?xi1>) -> tensor<1x?xi1>
  %mask = onnx.Where %and, %fzero, %min : (tensor<1x?xi1>, tensor<f32>, tensor<f32>) -> tensor<1x?xf32>
  %k5 = onnx.Unsqueeze %k, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %v5 = onnx.Unsqueeze %v, %c2 : (tensor<1x2x?x8xf32>, tensor<1xi64>) -> tensor<1x2x1x?x8xf32>
  %r5 = onnx.Constant dense<[1, 1, 3, 1, 1]> : tensor<5xi64>
  %kx = onnx.Expand %k5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %vx = onnx.Expand %v5, %r5 : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x3x?x8xf32>
  %hs = onnx.Constant dense<[1, 6, -1, 8]> : tensor<4xi64>
  %kh = onnx.Reshape %kx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %vh = onnx.Reshape %vx, %hs : (tensor<1x2x3x?x8xf32>, tensor<4xi64>) -> tensor<1x6x?x8xf32>
  %kt = onnx.Transpose %kh {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x6x?x8xf32>) -> tensor<1x6x8x?xf32>
  %dot = onnx.MatMul %q, %kt : (tensor<1x6x1x8xf32>, tensor<1x6x8x?xf32>) -> tensor<1x6x1x?xf32>
  %sc = onnx.Mul %dot, %scale : (tensor<1x6x1x?xf32>, tensor<f32>) -> tensor<1x6x1x?xf32>
  %ms = onnx.Add %sc, %mask : (tensor<1x6x1x?xf32>, tensor<1x?xf32>) -> tensor<1x6x1x?xf32>
  %sm = onnx.Softmax %ms : (tensor<1x6x1x?xf32>) -> tensor<1x6x1x?xf32>
  %y = onnx.MatMul %sm, %vh : (tensor<1x6x1x?xf32>, tensor<1x6x?x8xf32>) -> tensor<1x6x1x8xf32>
  %logits_shape = onnx.Constant dense<[1, 1, 48]> : tensor<3xi64>
  %logits = onnx.Reshape %y, %logits_shape : (tensor<1x6x1x8xf32>, tensor<3xi64>) -> tensor<1x1x48xf32>
  return %logits, %k, %v : tensor<1x1x48xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}

