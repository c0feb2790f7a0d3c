// RUN: bitnet-opt %s -convert-onnx-to-linalg -verify-diagnostics

// All that cannot be lowered is listed.
func.func @f(%x: tensor<2x3xf32>, %axes: tensor<1xi64>) -> (tensor<?x?xf32>, tensor<2x3xf32>) {
  // expected-error @below {{ReduceSum cannot be compiled: its axes are known at run time only}}
  %0 = onnx.ReduceSum %x, %axes : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  // expected-error @below {{CumSum cannot be compiled: its axis is known at run time only}}
  %1 = onnx.CumSum %x, %axes : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3xf32>
  return %0, %1 : tensor<?x?xf32>, tensor<2x3xf32>
}

func.func @resize(%x: tensor<2x3xf32>, %scales: tensor<2xf32>) -> tensor<?x?xf32> {
  %none = onnx.NoValue
  // expected-error @below {{Resize cannot be compiled: axis 0 has sizes or a scale that are not known at compile time}}
  %0 = onnx.Resize %x, %none, %scales, %none : (tensor<2x3xf32>, none, tensor<2xf32>, none) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
