//===- TinyDecoder.cpp - A decoder made by hand ---------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TinyDecoder.h"

#include <algorithm>

using namespace bitnet_test;

static std::string mainEntry() {
  auto dynamic = [](std::vector<const char *> symbols) {
    std::vector<std::string> dims;
    for (const char *symbol : symbols)
      dims.push_back(dynamicDim(symbol));
    return dims;
  };
  auto cacheDims = [](const char *length) {
    return std::vector<std::string>{dynamicDim("b"), fixedDim(2),
                                    dynamicDim(length), fixedDim(1)};
  };
  return str("main") + u32(BN_ENTRY_MAIN) + u64(0) + u64(0) + u64(0) + u64(0) +
         list({tensor("input_ids", 7, dynamic({"b", "s"})),
               tensor("attention_mask", 7, dynamic({"b", "t"})),
               tensor("position_ids", 7, dynamic({"b", "s"})),
               tensor("past.0.key", 1, cacheDims("p"))}) +
         list({tensor("logits", 1,
                      {dynamicDim("b"), dynamicDim("s"), fixedDim(16)}),
               tensor("present.0.key", 1, cacheDims("p + s"))});
}

TestArtifact bitnet_test::tinyDecoder(bool cached) {
  TestArtifact artifact;
  artifact.image = readFile(TINY_DECODER_IMAGE);
  artifact.tokenizer = tinyTokenizer();
  artifact.variants = {variant("base")};
  artifact.maxContext = cached ? 40 : 0;
  artifact.cacheBytes = 40 * sizeof(float);
  artifact.vocabulary = cached ? 16 : 0;
  artifact.entries = {mainEntry()};
  if (cached) {
    artifact.entries.push_back(cachedEntry("decode", 1));
    artifact.entries.push_back(cachedEntry("chunk8", 8));
  }
  return artifact;
}

std::vector<float> bitnet_test::tinyLogits(const std::vector<int64_t> &tokens) {
  uint32_t hash = 7;
  for (int64_t token : tokens)
    hash = hash * 31 + uint32_t(token);
  std::vector<float> logits;
  for (uint32_t i = 0; i < 16; ++i)
    logits.push_back(float(((hash + i * 977) * 2654435761u) >> 20) / 1024.0f);
  return logits;
}

std::vector<int64_t> bitnet_test::tinyGreedy(std::vector<int64_t> tokens,
                                             int64_t count) {
  std::vector<int64_t> chosen;
  while (int64_t(chosen.size()) < count) {
    std::vector<float> logits = tinyLogits(tokens);
    int64_t token =
        std::max_element(logits.begin(), logits.end()) - logits.begin();
    if (token == 2 || token == 15)
      break;
    chosen.push_back(token);
    tokens.push_back(token);
  }
  return chosen;
}

std::string bitnet_test::tinyTokenizer() {
  std::string vocabulary;
  for (int i = 0; i < 15; ++i)
    vocabulary +=
        std::string("\"") + char('a' + i) + "\": " + std::to_string(i) + ", ";
  return R"({"added_tokens": [], "normalizer": null, "pre_tokenizer":
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {)" +
         vocabulary + R"("ab": 15}, "merges": ["a b"]}})";
}
