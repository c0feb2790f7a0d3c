//===- OpenLayers.cpp - Layers ready to be timed --------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpenLayers.h"
#include "Error.h"

#include <cstdlib>
#include <filesystem>

using namespace bitnet;
using namespace bitnet::kernels;

TemporaryFolder::TemporaryFolder()
    : path(std::filesystem::temp_directory_path() / "bitnet-kernels-XXXXXX") {
  if (!mkdtemp(path.data()))
    throw run::Error("cannot make a temporary folder " + path);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

void OpenLayers::compile(const Layers &layers,
                         const std::vector<std::string> &variants) {
  session.reset();
  model.reset();
  compiled.reset();
  std::string targets;
  for (const std::string &variant : variants)
    targets += (targets.empty() ? "" : ",") + variant;
  std::string path = folder.file("layers.so");
  std::string message = compileLayers(layers, targets, path);
  if (!message.empty())
    throw run::Error(message);
  model = std::make_unique<run::Model>(path);
  inputs = std::make_unique<run::RandomInputs>(model->mainEntry(), 1);
  compiled = layers;
}

std::vector<std::string>
OpenLayers::findRunnable(const std::vector<std::string> &candidates) {
  compile({64, 64, 1, 1, "dot", "planes2"}, candidates);
  std::vector<std::string> names;
  const bn_model_info &info = model->info();
  for (uint32_t i = 0; i < info.variant_count; ++i)
    if (info.variants[i].runnable)
      names.push_back(info.variants[i].name);
  return names;
}

void OpenLayers::open(const Layers &layers,
                      const std::vector<std::string> &variants,
                      const std::string &variant, int threads) {
  if (!compiled || !(*compiled == layers))
    compile(layers, variants);
  if (session && session->variant() == variant && session->threads() == threads)
    return;
  session.reset();
  run::SessionOptions options;
  options.threads = threads;
  options.variant = variant;
  session = std::make_unique<run::Session>(*model, options);
  run(); // Makes every page present.
}
