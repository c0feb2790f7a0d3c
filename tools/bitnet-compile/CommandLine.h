//===- CommandLine.h - The options of bitnet-compile ------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOOLS_BITNET_COMPILE_COMMANDLINE_H
#define BITNET_TOOLS_BITNET_COMPILE_COMMANDLINE_H

#include <cstdint>
#include <string>
#include <vector>

/// The command line as it was given; names are not yet looked up.
struct CommandLine {
  std::string model, output, target, tokenizer, report;
  std::string lowering = "auto", ternaryPacking = "planes2", cacheType = "f32",
              compileTo;
  std::vector<std::string> stopTokens;
  int64_t maxContext = 1024;
  std::vector<int64_t> chunks = {128, 32};
  /// Of --stop-token, --max-context, --cache-type and --prefill-chunk those
  /// that are given.
  std::vector<std::string> decoderOptions;
};

/// Parses the command line. Returns true to go on; otherwise `status` is what
/// the process exits with (help and version are 0).
bool parseCommandLine(int argc, char **argv, CommandLine &options, int &status);

#endif // BITNET_TOOLS_BITNET_COMPILE_COMMANDLINE_H
