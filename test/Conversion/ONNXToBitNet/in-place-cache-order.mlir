// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Keys that are written where each batch's own past ends, and then read by index: in an
// entry for decoding the index counts up, and all are kept.

// RUN: bitnet-opt %s --bitnet-in-place-cache="max-context=64" --canonicalize --cse --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @decode(
// CHECK-SAME: %[[P:[^:]*]]: index, %[[C:[^:]*]]: tensor<1x2x64x8xf32>
// CHECK: %[[K:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x1x8xf32>, index) outs(%[[C]] :
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %[[K]] : {{.*}}) position(%[[P]])
func.func @decode(%ids: tensor<1x1xi64> {bitnet.role = "tokens"}, %am: tensor<1x?xi64> {bitnet.role = "attention_mask"},
    %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64})
    -> (tensor<1x1x16xf32> {bitnet.role = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64})
    attributes {bitnet.entry = "decode"} {
  %none = onnx.NoValue {value}
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %outer = onnx.Constant dense<[1, 3]> : tensor<2xi64>
  %fzero = onnx.Constant dense<0.0> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x16xf32>, tensor<1x1xi64>) -> tensor<1x1x16xf32>
  %heads = onnx.Constant dense<[1, 2, 1, 8]> : tensor<4xi64>
  %new = onnx.Reshape %e, %heads : (tensor<1x1x16xf32>, tensor<4xi64>) -> tensor<1x2x1x8xf32>
  %grown = onnx.Concat %past, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  // The number of tokens, and what is left of it before the new ones.
  %count = onnx.ReduceSum %am, %c1 {keepdims = 0 : i64} : (tensor<1x?xi64>, tensor<1xi64>) -> tensor<1xi64>
  %before = onnx.Sub %count, %c1 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %start = onnx.Max %before, %c0 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %starts = onnx.Unsqueeze %start, %c1 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1x1xi64>
  // 0, 1, 2, ... of all keys.
  %pastCount = onnx.Shape %past {start = 2 : i64, end = 3 : i64} : (tensor<1x2x?x8xf32>) -> tensor<1xi64>
  %total = onnx.Shape %am {start = 1 : i64, end = 2 : i64} : (tensor<1x?xi64>) -> tensor<1xi64>
  %most = onnx.Max %pastCount, %total : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %limit = onnx.Squeeze %most, %none : (tensor<1xi64>, none) -> tensor<i64>
  %rows = onnx.Range %zero, %limit, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %isPast = onnx.Less %rows, %starts : (tensor<?xi64>, tensor<1x1xi64>) -> tensor<1x?xi1>
  %steps = onnx.Sub %rows, %starts : (tensor<?xi64>, tensor<1x1xi64>) -> tensor<1x?xi64>
  %near = onnx.Min %steps, %c0 : (tensor<1x?xi64>, tensor<1xi64>) -> tensor<1x?xi64>
  %appended = onnx.Add %pastCount, %near : (tensor<1xi64>, tensor<1x?xi64>) -> tensor<1x?xi64>
  %order = onnx.Where %isPast, %rows, %appended : (tensor<1x?xi1>, tensor<?xi64>, tensor<1x?xi64>) -> tensor<1x?xi64>
  %column = onnx.Unsqueeze %order, %outer : (tensor<1x?xi64>, tensor<2xi64>) -> tensor<1x1x?x1xi64>
  %isUsed = onnx.Less %steps, %c1 : (tensor<1x?xi64>, tensor<1xi64>) -> tensor<1x?xi1>
  %used = onnx.Unsqueeze %isUsed, %outer : (tensor<1x?xi1>, tensor<2xi64>) -> tensor<1x1x?x1xi1>
  %byHead = onnx.Constant dense<[1, 2, 1, 1]> : tensor<4xi64>
  %indices = onnx.Expand %column, %byHead : (tensor<1x1x?x1xi64>, tensor<4xi64>) -> tensor<1x2x?x1xi64>
  %ordered = onnx.GatherND %grown, %indices {batch_dims = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x?x1xi64>) -> tensor<1x2x?x8xf32>
  %present = onnx.Where %used, %ordered, %fzero : (tensor<1x1x?x1xi1>, tensor<1x2x?x8xf32>, tensor<f32>) -> tensor<1x2x?x8xf32>
  %empty = tensor.empty() : tensor<1x2x1x8xf32>
  %attended = bitnet.attention ins(%new, %present, %present : tensor<1x2x1x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>)
      outs(%empty : tensor<1x2x1x8xf32>) {scale = 0.25 : f32} -> tensor<1x2x1x8xf32>
  %flat = onnx.Constant dense<[1, 1, 16]> : tensor<3xi64>
  %logits = onnx.Reshape %attended, %flat : (tensor<1x2x1x8xf32>, tensor<3xi64>) -> tensor<1x1x16xf32>
  return %logits, %present : tensor<1x1x16xf32>, tensor<1x2x?x8xf32>
}

// Past rows in another order: the general entry serves.
// CHECK-NOT: func @prefill
// expected-remark@below {{its past is not the growing keys and values of attentions; the general entry serves}}
func.func @prefill(%ids: tensor<1x1xi64> {bitnet.role = "tokens"}, %am: tensor<1x?xi64> {bitnet.role = "attention_mask"},
    %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64})
    -> (tensor<1x1x16xf32> {bitnet.role = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64})
    attributes {bitnet.entry = "prefill"} {
  %none = onnx.NoValue {value}
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %outer = onnx.Constant dense<[1, 3]> : tensor<2xi64>
  %fzero = onnx.Constant dense<0.0> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x16xf32>, tensor<1x1xi64>) -> tensor<1x1x16xf32>
  %heads = onnx.Constant dense<[1, 2, 1, 8]> : tensor<4xi64>
  %new = onnx.Reshape %e, %heads : (tensor<1x1x16xf32>, tensor<4xi64>) -> tensor<1x2x1x8xf32>
  %grown = onnx.Concat %past, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x1x8xf32>) -> tensor<1x2x?x8xf32>
  %count = onnx.ReduceSum %am, %c1 {keepdims = 0 : i64} : (tensor<1x?xi64>, tensor<1xi64>) -> tensor<1xi64>
  %before = onnx.Sub %count, %c1 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %start = onnx.Max %before, %c0 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %starts = onnx.Unsqueeze %start, %c1 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1x1xi64>
  %pastCount = onnx.Shape %past {start = 2 : i64, end = 3 : i64} : (tensor<1x2x?x8xf32>) -> tensor<1xi64>
  %total = onnx.Shape %am {start = 1 : i64, end = 2 : i64} : (tensor<1x?xi64>) -> tensor<1xi64>
  %most = onnx.Max %pastCount, %total : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %limit = onnx.Squeeze %most, %none : (tensor<1xi64>, none) -> tensor<i64>
  %rows = onnx.Range %zero, %limit, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %isPast = onnx.Less %rows, %starts : (tensor<?xi64>, tensor<1x1xi64>) -> tensor<1x?xi1>
  %steps = onnx.Sub %rows, %starts : (tensor<?xi64>, tensor<1x1xi64>) -> tensor<1x?xi64>
  %near = onnx.Min %steps, %c0 : (tensor<1x?xi64>, tensor<1xi64>) -> tensor<1x?xi64>
  %appended = onnx.Add %pastCount, %near : (tensor<1xi64>, tensor<1x?xi64>) -> tensor<1x?xi64>
  %order = onnx.Where %isPast, %near, %appended : (tensor<1x?xi1>, tensor<1x?xi64>, tensor<1x?xi64>) -> tensor<1x?xi64>
  %column = onnx.Unsqueeze %order, %outer : (tensor<1x?xi64>, tensor<2xi64>) -> tensor<1x1x?x1xi64>
  %isUsed = onnx.Less %steps, %c1 : (tensor<1x?xi64>, tensor<1xi64>) -> tensor<1x?xi1>
  %used = onnx.Unsqueeze %isUsed, %outer : (tensor<1x?xi1>, tensor<2xi64>) -> tensor<1x1x?x1xi1>
  %byHead = onnx.Constant dense<[1, 2, 1, 1]> : tensor<4xi64>
  %indices = onnx.Expand %column, %byHead : (tensor<1x1x?x1xi64>, tensor<4xi64>) -> tensor<1x2x?x1xi64>
  %ordered = onnx.GatherND %grown, %indices {batch_dims = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x?x1xi64>) -> tensor<1x2x?x8xf32>
  %present = onnx.Where %used, %ordered, %fzero : (tensor<1x1x?x1xi1>, tensor<1x2x?x8xf32>, tensor<f32>) -> tensor<1x2x?x8xf32>
  %empty = tensor.empty() : tensor<1x2x1x8xf32>
  %attended = bitnet.attention ins(%new, %present, %present : tensor<1x2x1x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>)
      outs(%empty : tensor<1x2x1x8xf32>) {scale = 0.25 : f32} -> tensor<1x2x1x8xf32>
  %flat = onnx.Constant dense<[1, 1, 16]> : tensor<3xi64>
  %logits = onnx.Reshape %attended, %flat : (tensor<1x2x1x8xf32>, tensor<3xi64>) -> tensor<1x1x16xf32>
  return %logits, %present : tensor<1x1x16xf32>, tensor<1x2x?x8xf32>
}
