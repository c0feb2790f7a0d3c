//===- CommandLine.cpp - The options of bitnet-compile --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommandLine.h"

#include <CLI/CLI.hpp>
#include <iostream>

static void addModelOptions(CLI::App &app, CommandLine &options) {
  app.footer(
      "Examples:\n"
      "  bitnet-compile decoder.onnx -o decoder.so --tokenizer=tokenizer.json\n"
      "  bitnet-compile mlp.onnx -o mlp.so --target=native\n"
      "  bitnet-compile decoder.onnx -o decoder.mlir --compile-to=bitnet");
  app.set_version_flag("--version", "bitnet-compile " BITNET_VERSION);
  app.add_option("model", options.model,
                 "the model: .onnx, or .mlir that --compile-to wrote")
      ->required()
      ->option_text("MODEL");
  app.add_option("-o,--output", options.output, "the file to write")
      ->required()
      ->option_text("FILE");
  app.add_option(
         "--target", options.target,
         "what to generate code for, comma-separated: native, levels such "
         "as\n"
         "x86-64-v3, x86-64-v4+vnni, aarch64+dotprod, or CPUs such as "
         "cortex-a76. CPUs are\n"
         "of one architecture; the best that a machine has is picked when it "
         "loads the\n"
         "artifact, in whatever order they are listed. Default: the list of "
         "the machine at hand; x86-64-default "
         "is\n"
         "x86-64,x86-64-v3,x86-64-v4+vnni,x86-64-v4+vnni+amx, "
         "aarch64-default is\n"
         "aarch64,aarch64+dotprod,aarch64+i8mm,aarch64+i8mm+sve2. GPUs: "
         "vulkan, cuda[:sm_80|...]\n"
         "or rocm[:gfx90a|...], alone or behind CPUs of x86-64")
      ->option_text("LIST");
}

/// What only decoders heed.
static void addDecoderOptions(CLI::App &app, CommandLine &options) {
  app.add_option("--tokenizer", options.tokenizer,
                 "a Hugging Face tokenizer.json to embed, so that bitnet-run "
                 "takes text")
      ->option_text("FILE");
  app.add_option("--stop-token", options.stopTokens,
                 "a token that ends a text, by id or text; may be repeated. "
                 "Default: the\n"
                 "tokenizer's </s>, <|endoftext|> and the like")
      ->option_text("TOKEN");
  app.add_option("--max-context", options.maxContext,
                 "the tokens that a decoder's KV cache holds")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24))
      ->option_text("N");
  app.add_option(
         "--cache-type", options.cacheType,
         "what a decoder's KV cache holds: f32, or keys and values rounded to "
         "f16 or bf16,\n"
         "in half of the memory, which changes results")
      ->capture_default_str()
      ->option_text("TYPE");
  app.add_option("--prefill-chunk", options.chunks,
                 "the tokens of a prompt taken at a time; of several numbers, "
                 "comma-separated,\n"
                 "the larger while so many are left")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(int64_t(2), int64_t(4096)))
      ->option_text("N[,N...]");
}

static void addPhaseOptions(CLI::App &app, CommandLine &options) {
  app.add_option(
         "--lowering", options.lowering,
         "the inner loop of low-bit matmuls: auto (the cost model), dot, "
         "lut, addsub or\n"
         "popcount; where it does not serve a matmul (docs/lowerings.md), "
         "what auto stands for")
      ->capture_default_str()
      ->option_text("NAME");
  app.add_option(
         "--ternary-packing", options.ternaryPacking,
         "how ternary weights share bytes: planes2 (2 bits each) or base3 (1.6 "
         "bits, read\n"
         "by CPUs)")
      ->capture_default_str()
      ->option_text("NAME");
  app.add_option(
         "--compile-to", options.compileTo,
         "stop after a phase and write its IR or code: onnx, bitnet, packed, "
         "loops,\n"
         "llvm, asm, obj (from loops on: of one target, by default the best)")
      ->option_text("PHASE");
  app.add_option(
         "--report", options.report,
         "write layers recognised, bytes packed, time and memory of each phase")
      ->option_text("FILE.json");
}

bool parseCommandLine(int argc, char **argv, CommandLine &options,
                      int &status) {
  CLI::App app(
      "Compiles a 1-bit or 1.58-bit network to native code.\n\n"
      "Reads an ONNX model (external data beside it) and writes one file: a "
      "shared\n"
      "object with the code for each CPU level and the packed weights, which\n"
      "bitnet-run executes.",
      "bitnet-compile");
  addModelOptions(app, options);
  addDecoderOptions(app, options);
  addPhaseOptions(app, options);
  try {
    app.parse(argc, argv);
    for (const char *name :
         {"--stop-token", "--max-context", "--cache-type", "--prefill-chunk"})
      if (app.count(name))
        options.decoderOptions.push_back(name);
    return true;
  } catch (const CLI::Success &result) {
    status = app.exit(result);
  } catch (const CLI::ParseError &error) {
    std::cerr << "bitnet-compile: error: " << error.what()
              << "; see bitnet-compile --help\n";
    status = 1;
  }
  return false;
}
