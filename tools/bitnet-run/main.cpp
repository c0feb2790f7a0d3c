//===- main.cpp - The command bitnet-run ----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>

using namespace bitnet::run;

namespace {

/// What numbers of tokens and the like are at most.
constexpr int64_t kMaxCount = int64_t(1) << 30;

/// A range of floats does not exclude NaN.
std::string rejectNaN(const std::string &text) {
  return std::isnan(std::strtod(text.c_str(), nullptr))
             ? "'" + text + "' is no number"
             : "";
}

void addSession(CLI::App &command, SessionOptions &options) {
  command
      .add_option("ARTIFACT", options.artifact,
                  "A model compiled by bitnet-compile")
      ->required();
  command
      .add_option("--threads", options.threads,
                  "Threads to use; 0: one per core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  command.add_option("--variant", options.variant,
                     "Code for a CPU level or a device, as listed by info "
                     "(default: the best that this machine runs)");
}

void addInfo(CLI::App &app) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App *command =
      app.add_subcommand("info", "Print what an artifact holds");
  command
      ->add_option("ARTIFACT", options->artifact,
                   "A model compiled by bitnet-compile, for any machine")
      ->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example:\n  bitnet-run info model.so");
  command->callback([options] { printInfo(*options); });
}

void addRun(CLI::App &app) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command = app.add_subcommand(
      "run", "Run the ONNX model's own inputs and outputs on NumPy files");
  addSession(*command, options->session);
  command
      ->add_option("--input", options->inputs,
                   "NAME=FILE.npy, one for every input")
      ->allow_extra_args(false);
  command
      ->add_option("--output-dir", options->outputFolder,
                   "Folder for the outputs, one NAME.npy each; characters of "
                   "NAME outside A-Za-z0-9._- become _, bfloat16 becomes "
                   "float32")
      ->required();
  command->footer("Example:\n  bitnet-run run model.so --input x=x.npy "
                  "--output-dir results");
  command->callback([options] { runModel(*options); });
}

void addGenerate(CLI::App &app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App *command =
      app.add_subcommand("generate", "Write text that follows a prompt");
  addSession(*command, options->session);
  auto *prompt = command->add_option("--prompt", options->prompt,
                                     "The text to go on from");
  command
      ->add_option("--prompt-ids", options->promptIds,
                   "The same as token ids: 1,2,3")
      ->excludes(prompt);
  command
      ->add_option("--max-tokens", options->maxTokens,
                   "Write at most so many tokens")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(0), kMaxCount));
  command
      ->add_option("--temperature", options->sampling.temperature,
                   "How freely to choose; 0 always takes the likeliest token")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0))
      ->check(rejectNaN);
  command
      ->add_option("--top-k", options->sampling.topK,
                   "Choose among the K likeliest tokens; 0: among all")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(0), kMaxCount));
  command
      ->add_option("--top-p", options->sampling.topP,
                   "Choose among the likeliest tokens that together have this "
                   "probability")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->check(rejectNaN);
  command
      ->add_option("--seed", options->seed,
                   "Repeat the choices of the same seed (default: random)")
      ->check(CLI::Range(int64_t(0), std::numeric_limits<int64_t>::max()));
  command->add_flag("--ids", options->printIds,
                    "Print token ids, comma-separated, instead of text");
  command->footer("Example:\n  bitnet-run generate model.so --prompt \"This "
                  "package provides\" --temperature 0");
  command->callback([options] { generate(*options); });
}

void addPerplexity(CLI::App &app) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App *command = app.add_subcommand(
      "perplexity", "Measure how well a model predicts sequences of tokens");
  addSession(*command, options->session);
  command
      ->add_option("--tokens", options->tokens,
                   "FILE.npy with token ids, int64 [sequences, length]")
      ->required();
  command->footer(
      "Prints exp of the mean negative log-likelihood of all tokens but each\n"
      "sequence's first.\n\nExample:\n  bitnet-run perplexity model.so "
      "--tokens tokens.npy");
  command->callback([options] { measurePerplexity(*options); });
}

void addBench(CLI::App &app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand(
      "bench", "Measure speed, and how near it is to the machine's limits");
  addSession(*command, options->session);
  command
      ->add_option("--prompt-tokens", options->promptTokens,
                   "Tokens to read at once; fewer where the context is small")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), kMaxCount));
  command
      ->add_option("--gen-tokens", options->generatedTokens,
                   "Tokens to read one by one after them")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), kMaxCount));
  command
      ->add_option("--repetitions", options->repetitions,
                   "Report the medians of so many repetitions")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), kMaxCount));
  command
      ->add_option("--contexts", options->contexts,
                   "Time decoding after contexts of these lengths, too, such "
                   "as 512,1024, and the bandwidth at which the cache is read")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), kMaxCount))
      ->option_text("N,N,...");
  command
      ->add_option("--copies", options->copies,
                   "A model that is no decoder: open it so many times and run "
                   "the copies in turn, so that caches do not hold its weights")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--dynamic-extent", options->dynamicExtent,
                   "A model that is no decoder: the extent of every dynamic "
                   "dimension of its inputs")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1), kMaxCount));
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example:\n  bitnet-run bench model.so --threads 1 --json");
  command->callback([options] { bench(*options); });
}

void addTokenize(CLI::App &app) {
  auto file = std::make_shared<std::string>();
  CLI::App *command = app.add_subcommand("tokenize", "");
  command->group(""); // only for tests: not listed
  command->add_option("TOKENIZER", *file)->required();
  command->callback([file] { printTokens(*file); });
}

} // namespace

/// One line, whatever the message holds.
static int fail(std::string message) {
  while (!message.empty() && message.back() == '\n')
    message.pop_back();
  for (char &c : message)
    if (c == '\n')
      c = ' ';
  fprintf(stderr, "bitnet-run: error: %s\n", message.c_str());
  return 1;
}

int main(int argc, char **argv) {
  CLI::App app("Runs models that bitnet-compile made. `bitnet-run COMMAND "
               "--help` explains a command.",
               "bitnet-run");
  app.require_subcommand(1);
  app.set_version_flag("--version", "bitnet-run " BITNET_VERSION);
  addInfo(app);
  addRun(app);
  addGenerate(app);
  addPerplexity(app);
  addBench(app);
  addTokenize(app);
  app.footer("Example:\n  bitnet-run generate model.so --prompt \"Hello\"");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0)
      return app.exit(error); // --help and --version
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-')
      return fail("there is no command " + std::string(argv[1]) +
                  "; see bitnet-run --help");
    return fail(error.what());
  } catch (const std::bad_alloc &) {
    return fail("out of memory");
  } catch (const std::exception &error) {
    return fail(error.what());
  }
  return 0;
}
