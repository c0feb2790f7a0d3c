//===- ONNXInterfaces.td - Interfaces of onnx ops -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXINTERFACES
#define BITNET_DIALECT_ONNX_IR_ONNXINTERFACES

include "mlir/IR/OpBase.td"

def ONNX_NodeOpInterface : OpInterface<"NodeOpInterface"> {
  let cppNamespace = "::bitnet::onnx";
  let description = [{
    What the importer has to know of an op to build it from a node: how many
    inputs and outputs the standard gives it, and whether the last one is
    variadic. Ops derived from `ONNX_Op` have it by their declaration.
  }];
  let methods = [
    StaticInterfaceMethod<"The inputs and outputs of the operator.",
      "::bitnet::onnx::NodeSignature", "getNodeSignature", (ins), [{
        return {ConcreteOp::numInputs, ConcreteOp::numOutputs,
                ConcreteOp::variadicInputs, ConcreteOp::variadicOutputs};
      }]>
  ];
}

#endif // BITNET_DIALECT_ONNX_IR_ONNXINTERFACES
