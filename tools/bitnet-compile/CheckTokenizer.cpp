//===- CheckTokenizer.cpp - Whether a tokenizer can be used ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckTokenizer.h"
#include "Tokenizer.h"

#include <exception>

std::string findTokenizerError(std::string_view json) {
  try {
    bitnet::tokenizer::Tokenizer tokenizer(json);
    return "";
  } catch (const std::exception &error) {
    return error.what();
  }
}
