// RUN: bitnet-opt %s -convert-onnx-to-linalg -canonicalize | FileCheck %s

// The sum may be reassociated, nothing else.
// CHECK-LABEL: func.func @mean
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc> : f32
// CHECK: tensor.expand_shape
// CHECK: arith.divf
// CHECK-NOT: fastmath
func.func @mean(%x: tensor<?x8xf32>) -> tensor<?x1xf32> {
  %axes = onnx.Constant dense<-1> : tensor<1xi64>
  %0 = onnx.ReduceMean %x, %axes : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  return %0 : tensor<?x1xf32>
}
