// RUN: bitnet-opt %s --split-input-file --bitnet-derive-entries=min-rows=4 --canonicalize | FileCheck %s
// RUN: bitnet-opt %s --split-input-file --bitnet-derive-entries="min-rows=4 screens=0" | FileCheck %s --check-prefix=FILL
// RUN: bitnet-opt %s --split-input-file --bitnet-derive-entries | FileCheck %s --check-prefix=FILL

// A head of five rows; what @decode and @prefill return stays.

#h = affine_map<(m, v, k) -> (m, k)>
#w = affine_map<(m, v, k) -> (v, k)>
#o = affine_map<(m, v, k) -> (m, v)>

// CHECK-LABEL: func.func @decode(
// CHECK: linalg.generic
// CHECK-LABEL: func.func @top(
// CHECK-SAME: %[[HIDDEN:.*]]: tensor<1x4xf32>, %[[K:.*]]: tensor<1xi64> {bitnet.dtype = 7 : i64, onnx.name = "top_k"})
// CHECK-SAME: -> (tensor<1x1x5xf32> {bitnet.dtype = 1 : i64}, tensor<1xi64> {bitnet.dtype = 7 : i64}) attributes {bitnet.entry = "top"}
// The scale of row 1, whose largest magnitude is 254, is 2; row 4 is all zeros.
// CHECK-DAG: %[[SCALE:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 1.000000e+00, 1.000000e+00, 0.000000e+00]> : tensor<5xf32>
// CHECK-DAG: %[[BOUNDS:.*]] = arith.constant dense<{{.*}}> : tensor<2x5xf32>
// CHECK-DAG: %[[HIGH:.*]] = arith.constant dense_resource<head_high> : tensor<5x64xi8>
// CHECK-DAG: %[[LOW:.*]] = arith.constant dense_resource<head_low> : tensor<5x64xi8>
// CHECK-NOT: linalg.generic
// CHECK: %[[TOP:.*]]:3 = bitnet.top_logits ins(%[[HIDDEN]], %{{.*}}, %[[K]]
// CHECK-SAME: screen(%[[HIGH]], %[[LOW]], %[[SCALE]], %[[BOUNDS]]
// CHECK: %[[LOGITS:.*]] = tensor.expand_shape %[[TOP]]#0
// CHECK: return %[[LOGITS]], %[[TOP]]#2
// FILL-LABEL: func.func @decode(
// FILL-NOT: func.func @top
func.func @decode(%hidden: tensor<1x4xf32>) -> tensor<1x1x5xf32> attributes {bitnet.entry = "decode"} {
  %w = arith.constant dense<[[127., 1., 2., 3.], [254., 2., 4., 6.], [-127., 0., 0., 1.], [1., -1., 127., 0.], [0., 0., 0., 0.]]> : tensor<5x4xf32>
  %zero = arith.constant dense<0.0> : tensor<1x5xf32>
  %0 = linalg.generic {indexing_maps = [#h, #w, #o], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%hidden, %w : tensor<1x4xf32>, tensor<5x4xf32>) outs(%zero : tensor<1x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x5xf32>
  %1 = tensor.expand_shape %0 [[0], [1, 2]] output_shape [1, 1, 5] : tensor<1x5xf32> into tensor<1x1x5xf32>
  return %1 : tensor<1x1x5xf32>
}

// CHECK-LABEL: func.func @prefill(
// CHECK: linalg.generic
// CHECK-LABEL: func.func @fill(
// CHECK-SAME: %[[HIDDEN:.*]]: tensor<2x4xf32>) -> (tensor<1x2x4xf32> {bitnet.dtype = 1 : i64}) attributes {bitnet.entry = "fill"}
// CHECK-NEXT: %[[RESULT:.*]] = tensor.expand_shape %[[HIDDEN]]
// CHECK-NEXT: return %[[RESULT]]
// FILL-LABEL: func.func @fill(
// FILL-NOT: func.func @top
func.func @prefill(%hidden: tensor<2x4xf32>) -> tensor<1x2x5xf32> attributes {bitnet.entry = "prefill"} {
  %w = arith.constant dense<[[127., 1., 2., 3.], [254., 2., 4., 6.], [-127., 0., 0., 1.], [1., -1., 127., 0.], [0., 0., 0., 0.]]> : tensor<5x4xf32>
  %zero = arith.constant dense<0.0> : tensor<2x5xf32>
  %0 = linalg.generic {indexing_maps = [#h, #w, #o], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%hidden, %w : tensor<2x4xf32>, tensor<5x4xf32>) outs(%zero : tensor<2x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x5xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [1, 2, 5] : tensor<2x5xf32> into tensor<1x2x5xf32>
  return %1 : tensor<1x2x5xf32>
}

// -----

// Of two lengths of a prompt the longer one has no logits.

#h = affine_map<(m, v, k) -> (m, k)>
#w = affine_map<(m, v, k) -> (v, k)>
#o = affine_map<(m, v, k) -> (m, v)>

// CHECK-LABEL: func.func @decode(
// CHECK-LABEL: func.func @prefill(
// CHECK-LABEL: func.func @fill(
// CHECK-SAME: attributes {bitnet.entry = "fill"}
// CHECK-NOT: func.func @prefill_3
// CHECK: func.func @fill_3(
// CHECK-SAME: attributes {bitnet.entry = "fill"}
// CHECK-NOT: func.func @prefill_3
// FILL-LABEL: func.func @decode(
func.func @decode(%logits: tensor<1x1x5xf32>) -> tensor<1x1x5xf32> attributes {bitnet.entry = "decode"} {
  return %logits : tensor<1x1x5xf32>
}
func.func @prefill(%hidden: tensor<2x4xf32>) -> tensor<2x5xf32> attributes {bitnet.entry = "prefill"} {
  %w = arith.constant dense<1.0> : tensor<5x4xf32>
  %zero = arith.constant dense<0.0> : tensor<2x5xf32>
  %0 = linalg.generic {indexing_maps = [#h, #w, #o], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%hidden, %w : tensor<2x4xf32>, tensor<5x4xf32>) outs(%zero : tensor<2x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}
func.func @prefill_3(%hidden: tensor<3x4xf32>) -> tensor<3x5xf32> attributes {bitnet.entry = "prefill"} {
  %w = arith.constant dense<1.0> : tensor<5x4xf32>
  %zero = arith.constant dense<0.0> : tensor<3x5xf32>
  %0 = linalg.generic {indexing_maps = [#h, #w, #o], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%hidden, %w : tensor<3x4xf32>, tensor<5x4xf32>) outs(%zero : tensor<3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// -----

// Logits that are something else give no entries.

// CHECK-LABEL: func.func @decode(
// CHECK-NOT: func.func @top
// CHECK-LABEL: func.func @prefill(
// CHECK-NOT: func.func @fill
// FILL-LABEL: func.func @decode(
// FILL-NOT: func.func @fill
func.func @decode(%logits: tensor<1x1x5xf32>) -> tensor<1x1x5xf32> attributes {bitnet.entry = "decode"} {
  return %logits : tensor<1x1x5xf32>
}
func.func @prefill(%logits: tensor<1x2x5xf32>) -> tensor<1x2x5xf32> attributes {bitnet.entry = "prefill"} {
  return %logits : tensor<1x2x5xf32>
}
