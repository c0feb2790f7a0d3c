//===- Tokenize.cpp - bitnet-run tokenize, for tests ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Array.h"
#include "Commands.h"
#include "Tokenizer.h"

#include <nlohmann/json.hpp>

#include <iostream>

namespace bitnet::run {

void printTokens(const std::string &tokenizerFile) {
  tokenizer::Tokenizer tokenizer(readFile(tokenizerFile));
  std::string line;
  while (std::getline(std::cin, line)) {
    auto text = nlohmann::json::parse(line).get<std::string>();
    std::vector<int64_t> ids = tokenizer.encode(text, false);
    nlohmann::json result = {{"ids", ids},
                             {"special", tokenizer.encode(text, true)},
                             {"text", tokenizer.decode(ids)}};
    print(result.dump() + "\n");
  }
}

} // namespace bitnet::run
