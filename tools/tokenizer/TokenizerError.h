//===- TokenizerError.h - What is wrong with a tokenizer --------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_TOKENIZERERROR_H
#define BITNET_TOKENIZER_TOKENIZERERROR_H

#include <stdexcept>

namespace bitnet::tokenizer {

/// A tokenizer.json that is ill formed or unsupported; names the field.
class TokenizerError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_TOKENIZERERROR_H
