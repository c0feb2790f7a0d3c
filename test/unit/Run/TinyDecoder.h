//===- TinyDecoder.h - A decoder made by hand -------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TEST_UNIT_RUN_TINYDECODER_H
#define BITNET_TEST_UNIT_RUN_TINYDECODER_H

#include "../Runtime/TestArtifact.h"

namespace bitnet_test {

/// The artifact of Inputs/TinyDecoder.c: with entries of their own cache, or
/// with the ONNX model's signature alone.
TestArtifact tinyDecoder(bool cached);

/// The logits after these tokens, as Inputs/TinyDecoder.c has them.
std::vector<float> tinyLogits(const std::vector<int64_t> &tokens);

/// The tokens that greedily follow, up to a stop token (2 or 15).
std::vector<int64_t> tinyGreedy(std::vector<int64_t> tokens, int64_t count);

/// A byte-level vocabulary of the letters a to p and the merge ab.
std::string tinyTokenizer();

} // namespace bitnet_test

#endif // BITNET_TEST_UNIT_RUN_TINYDECODER_H
