//===- DecoderSignature.h - Which inputs make a graph a decoder -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_DECODERSIGNATURE_H
#define BITNET_LIB_IMPORT_DECODERSIGNATURE_H

#include "llvm/ADT/StringMap.h"
#include <onnx/onnx_pb.h>
#include <optional>
#include <string>

namespace bitnet::import {

/// The parts that the inputs and outputs of an autoregressive decoder play.
struct DecoderSignature {
  /// tokens, attention_mask, positions, past, by input; logits, present, by
  /// output.
  llvm::StringMap<std::string> inputRoles, outputRoles;
  /// The number that a past and its present share.
  llvm::StringMap<int64_t> inputStates, outputStates;
};

/// Recognises token ids [batch, seq] that feed an embedding, and past states
/// with a present each; nothing for other graphs. Shapes must be inferred.
std::optional<DecoderSignature>
findDecoderSignature(const ::onnx::GraphProto &graph);

/// Fixes the batch to 1 and the sequence to `sequence` in the inputs' types,
/// and in whatever shares these dimensions' names. False if that contradicts
/// the types that the inputs have.
bool specializeDecoder(::onnx::GraphProto &graph,
                       const DecoderSignature &signature, int64_t sequence);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_DECODERSIGNATURE_H
