// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-in-place-cache="max-context=64 cache-type=f16" --split-input-file --verify-diagnostics | FileCheck %s -DTYPE=f16
// RUN: bitnet-opt %s --bitnet-in-place-cache="max-context=64 cache-type=bf16" --split-input-file --verify-diagnostics | FileCheck %s -DTYPE=bf16
// RUN: not bitnet-opt %s --bitnet-in-place-cache="cache-type=f64" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: 'f64'

// New keys and values stay f32; what the attention reads is the cache.
// CHECK-LABEL: func @decode(
// CHECK-SAME: %[[C0:[^:]*]]: tensor<1x2x64x8x[[TYPE]]> {bitnet.state = 0 : i64, bufferization.writable = true}, %[[C1:[^:]*]]: tensor<1x2x64x8x[[TYPE]]> {bitnet.state = 1 : i64
// CHECK: %[[K:.*]] = bitnet.cache_update ins(%{{.*}}, %{{.*}} : tensor<1x2x1x8xf32>, index) outs(%[[C0]] : tensor<1x2x64x8x[[TYPE]]>)
// CHECK: %[[V:.*]] = bitnet.cache_update ins(%{{.*}}, %{{.*}} : tensor<1x2x1x8xf32>, index) outs(%[[C1]] : tensor<1x2x64x8x[[TYPE]]>)
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %[[V]] : tensor<1x6x1x8xf32>, tensor<1x2x64x8x[[TYPE]]>, tensor<1x2x64x8x[[TYPE]]>)
func.func @decode(%ids: tensor<1x1xi64> {bitnet.role = "tokens"},
    %pastk: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64}, %pastv: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 1 : i64})
    -> (tensor<1x1x48xf32> {bitnet.role = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 1 : i64})
    attributes {bitnet.entry = "decode"} {
  %q = onnx.Constant dense<0.5> : tensor<1x6x1x8xf32>
  %new = onnx.Constant dense<0.25> : tensor<1x2x1x8xf32>
  %shape = onnx.Constant dense<[1, 1, 48]> : tensor<3xi64>
  %k = onnx.Concat %pastk, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  %v = onnx.Concat %pastv, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  %y = bitnet.attention ins(%q, %k, %v : tensor<1x6x1x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) outs(%q : tensor<1x6x1x8xf32>) {scale = 0.25 : f32} -> tensor<1x6x1x8xf32>
  %logits = onnx.Reshape %y, %shape : (tensor<1x6x1x8xf32>, tensor<3xi64>) -> tensor<1x1x48xf32>
  return %logits, %k, %v : tensor<1x1x48xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}

// -----

// A past that something else reads stays f32 and outside, which is not what was asked for.
// expected-error @+1 {{cannot have a cache of}}
func.func @read(%ids: tensor<1x1xi64> {bitnet.role = "tokens"}, %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64})
    -> (tensor<1x1x48xf32> {bitnet.role = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64})
    attributes {bitnet.entry = "decode"} {
  %logits = onnx.Constant dense<0.5> : tensor<1x1x48xf32>
  %twice = onnx.Add %past, %past : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return %logits, %twice : tensor<1x1x48xf32>, tensor<1x2x?x8xf32>
}
