//===- CheckTokenizer.h - Whether a tokenizer can be used -------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOOLS_BITNETCOMPILE_CHECKTOKENIZER_H
#define BITNET_TOOLS_BITNETCOMPILE_CHECKTOKENIZER_H

#include <string>
#include <string_view>

/// What bitnet-run would say of a tokenizer.json, empty where it can use it: an
/// artifact with a tokenizer that fails when it is run is of no use.
std::string findTokenizerError(std::string_view json);

#endif // BITNET_TOOLS_BITNETCOMPILE_CHECKTOKENIZER_H
