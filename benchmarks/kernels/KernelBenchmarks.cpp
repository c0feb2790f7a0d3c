//===- KernelBenchmarks.cpp - Low-bit matmuls under Google Benchmark ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times single low-bit layers in every lowering, packing and variant of the
// machine, and compares them with what the machine can do at most. Layers are
// compiled as their benchmarks come up.
//
//===----------------------------------------------------------------------===//

#include "Error.h"
#include "Machine.h"
#include "OpenLayers.h"

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>

using namespace bitnet;
using namespace bitnet::kernels;

namespace {

size_t largestCacheBytes() {
  size_t largest = size_t(16) << 20; // where the system does not say
  for (const auto &cache : benchmark::CPUInfo::Get().caches)
    largest = std::max(largest, size_t(cache.size));
  return largest;
}

/// What is benchmarked, and with how many weights.
struct Options {
  /// From the plainest to the best; those that this machine runs.
  std::vector<std::string> variants = {
#if defined(__x86_64__)
      "x86-64-v2",
      "x86-64-v3",
      "x86-64-v3+avxvnni",
      "x86-64-v4",
      "x86-64-v4+vnni",
      "x86-64-v4+vnni+vbmi",
      "x86-64-v4+vnni+vbmi+amx"
#elif defined(__aarch64__)
      "aarch64", "aarch64+dotprod", "aarch64+i8mm", "aarch64+i8mm+sve2"
#endif
  };
  std::vector<std::string> shapes = {"2560x6912", "6912x2560", "4096x14336"};
  std::vector<int64_t> tokens = {1, 2, 3, 4, 6, 8, 12, 16, 32, 128, 512};
  std::vector<int> threads = {1, 2};
  /// Bytes of weights that a run reads: they come from memory, not from caches.
  size_t workingSet = 4 * largestCacheBytes();
};

/// Few layers of many tokens do: what they compute takes longer than to read
/// weights, wherever these are.
constexpr int64_t maxMacsPerRun = int64_t(1) << 33;

struct Packing {
  const char *name;
  double bitsPerWeight;
  bool isRead(const std::string &lowering) const {
    // Tables and words are indexed by bits of codes, which base3 has not.
    return lowering == "dot" || lowering == "addsub" ||
           std::string(name) != "base3";
  }
};
constexpr Packing packings[] = {{"planes2", 2}, {"base3", 1.6}, {"planes1", 1}};
constexpr const char *lowerings[] = {"dot", "lut", "addsub", "popcount"};

/// What benchmarks share.
struct Context {
  explicit Context(const Options &options)
      : workingSet(options.workingSet),
        variants(layers.findRunnable(options.variants)) {}

  size_t workingSet; // bytes
  OpenLayers layers;
  std::vector<std::string> variants;
};

void timeLayers(benchmark::State &state, Context &context, const Layers &layers,
                const std::string &variant, int threads) {
  OpenLayers &open = context.layers;
  open.open(layers, context.variants, variant, threads);
  // Measured now: others use a virtual machine's memory and cores too, and what
  // they leave changes within seconds.
  run::Limits limits = run::measureLimits(threads, open.getSession().features(),
                                          context.workingSet);

  auto begin = std::chrono::steady_clock::now();
  for (auto _ : state)
    open.run();
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - begin;

  double seconds = elapsed.count() / double(state.iterations());
  double bytes = double(open.getModel().info().weight_bytes);
  double macs = double(open.getModel().mainEntry().macs);
  double leastSeconds =
      std::max(bytes / *limits.readBandwidth, macs / *limits.dotPeak);
  state.counters["us/layer"] = 1e6 * seconds / double(layers.count);
  state.counters["GB/s"] = 1e-9 * bytes / seconds;
  state.counters["GMAC/s"] = 1e-9 * macs / seconds;
  state.counters["MAC/byte"] = macs / bytes;
  state.counters["fraction"] = leastSeconds / seconds;
  state.counters["GB/s limit"] = 1e-9 * *limits.readBandwidth;
  state.counters["GMAC/s limit"] = 1e-9 * *limits.dotPeak;
  if (limits.tilePeak)
    state.counters["GMAC/s tile limit"] = 1e-9 * *limits.tilePeak;
  state.SetLabel(limits.dotInstruction);
}

/// Names such as gemv/2560x6912/dot/base3/x86-64-v3/threads:1.
std::string makeName(const std::string &shape, const Layers &layers,
                     const std::string &variant, int threads) {
  std::string name = layers.tokens == 1 ? "gemv/" : "gemm/";
  name += shape + "/" + layers.lowering + "/" + layers.packing + "/" + variant;
  if (layers.tokens > 1)
    name += "/tokens:" + std::to_string(layers.tokens);
  return name + "/threads:" + std::to_string(threads);
}

void registerLayers(Context &context, const Options &options,
                    const std::string &shape, Layers layers,
                    const Packing &packing) {
  double weights = double(layers.outputs) * double(layers.inputs);
  double bytes = weights * packing.bitsPerWeight / 8;
  int64_t affordable = int64_t(maxMacsPerRun / (weights * layers.tokens));
  layers.count = std::max<int64_t>(
      1, std::min(affordable, int64_t(options.workingSet / bytes) + 1));
  for (const std::string &variant : context.variants)
    for (int threads : options.threads) {
      auto body = [&context, layers, variant,
                   threads](benchmark::State &state) {
        try {
          timeLayers(state, context, layers, variant, threads);
        } catch (const std::exception &error) {
          state.SkipWithError(error.what());
        }
      };
      std::string name = makeName(shape, layers, variant, threads);
      benchmark::RegisterBenchmark(name.c_str(), body)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
}

/// In an order that compiles every layer once.
void registerAll(Context &context, const Options &options) {
  for (const std::string &shape : options.shapes) {
    Layers layers = {};
    char end;
    if (sscanf(shape.c_str(), "%ldx%ld%c", &layers.outputs, &layers.inputs,
               &end) != 2 ||
        layers.outputs < 1 || layers.inputs < 8 || layers.inputs % 8)
      throw run::Error("a shape is OUTPUTSxINPUTS, with a multiple of 8 "
                       "inputs; this is " +
                       shape);
    for (const char *lowering : lowerings)
      for (const Packing &packing : packings)
        for (int64_t tokens : options.tokens) {
          if (!packing.isRead(lowering))
            continue;
          layers.lowering = lowering;
          layers.packing = packing.name;
          layers.tokens = tokens;
          registerLayers(context, options, shape, layers, packing);
        }
  }
}

std::unique_ptr<CLI::App> makeCommandLine(Options &options) {
  auto app = std::make_unique<CLI::App>(
      "Times low-bit layers, and compares them with the machine's limits.",
      "bitnet-kernel-benchmarks");
  app->add_option("--shapes", options.shapes, "OUTPUTSxINPUTS of layers")
      ->delimiter(',')
      ->capture_default_str();
  app->add_option("--variants", options.variants,
                  "Targets of bitnet-compile, each the code of a variant")
      ->delimiter(',')
      ->capture_default_str();
  app->add_option("--tokens", options.tokens, "Numbers of tokens")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--threads", options.threads, "Numbers of threads")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app->add_option("--working-set", options.workingSet,
                  "Bytes of weights that a run reads; four times the "
                  "last-level cache unless told otherwise")
      ->check(CLI::Range(size_t(1) << 12, size_t(1) << 40))
      ->capture_default_str();
  return app;
}

void printHelp() {
  Options options;
  printf("%s\n", makeCommandLine(options)->help().c_str());
  benchmark::PrintDefaultHelp();
}

/// What the JSON says of the machine, beside what Google Benchmark does.
void describeMachine(const Options &options) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != line.npos) {
      benchmark::AddCustomContext("processor",
                                  line.substr(line.find(": ") + 2));
      break;
    }
  benchmark::AddCustomContext("working_set_bytes",
                              std::to_string(options.workingSet));
}

int runBenchmarks(const Options &options) {
  Context context(options);
  describeMachine(options);
  registerAll(context, options);
  size_t count = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return count ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv, printHelp);
  Options options;
  std::unique_ptr<CLI::App> app = makeCommandLine(options);
  try {
    app->parse(argc, argv);
    return runBenchmarks(options);
  } catch (const CLI::ParseError &error) {
    return app->exit(error);
  } catch (const std::exception &error) {
    fprintf(stderr, "bitnet-kernel-benchmarks: error: %s\n", error.what());
    return 1;
  }
}
