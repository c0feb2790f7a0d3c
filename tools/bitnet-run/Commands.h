//===- Commands.h - The subcommands of bitnet-run ---------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_COMMANDS_H
#define BITNET_RUN_COMMANDS_H

#include "Model.h"
#include "Sampler.h"

#include <optional>
#include <string>
#include <vector>

namespace bitnet::run {

/// Each subcommand is a function of its options; all throw on errors.

struct InfoOptions {
  std::string artifact;
  bool json = false;
};
void printInfo(const InfoOptions &options);

struct RunOptions {
  SessionOptions session;
  std::vector<std::string> inputs; // NAME=FILE.npy
  std::string outputFolder;
};
void runModel(const RunOptions &options);

struct GenerateOptions {
  SessionOptions session;
  std::optional<std::string> prompt, promptIds;
  int64_t maxTokens = 128;
  SamplingOptions sampling;
  std::optional<uint64_t> seed;
  bool printIds = false;
};
void generate(const GenerateOptions &options);

struct PerplexityOptions {
  SessionOptions session;
  std::string tokens;
};
void measurePerplexity(const PerplexityOptions &options);

struct BenchOptions {
  SessionOptions session;
  int64_t promptTokens = 512, generatedTokens = 64;
  int repetitions = 5;
  // Lengths of context after which to time decoding once more.
  std::vector<int64_t> contexts;
  // Of models that are no decoders: how often the model is open, its copies run
  // in turn, and the extent of dynamic dimensions.
  int copies = 1;
  int64_t dynamicExtent = 1;
  bool json = false;
};
void bench(const BenchOptions &options);

/// For tests: the ids of texts, read as a JSON string a line from standard
/// input and printed as a JSON object a line.
void printTokens(const std::string &tokenizerFile);

/// "1,2,3"; throws Error on anything else.
std::vector<int64_t> parseIds(const std::string &text);

/// Writes to standard output at once; throws Error where that fails.
void print(const std::string &text);

} // namespace bitnet::run

#endif // BITNET_RUN_COMMANDS_H
