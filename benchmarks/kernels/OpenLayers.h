//===- OpenLayers.h - Layers ready to be timed ------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_KERNELS_OPENLAYERS_H
#define BITNET_KERNELS_OPENLAYERS_H

#include "CompileLayers.h"
#include "Model.h"
#include "RandomInputs.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bitnet::kernels {

/// A folder that exists as long as this object.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string file(const std::string &name) const { return path + "/" + name; }

private:
  std::string path;
};

/// The layers that were asked for last, compiled for several variants, and a
/// session of one of these. Weights of all variants take much longer to pack
/// than code to compile.
class OpenLayers {
public:
  /// Those of `candidates`, names of targets, that this machine runs.
  std::vector<std::string>
  findRunnable(const std::vector<std::string> &candidates);

  /// Opens the layers unless they are; throws bitnet::run::Error. The session
  /// has run once.
  void open(const Layers &layers, const std::vector<std::string> &variants,
            const std::string &variant, int threads);

  void run() const { session->run(inputs->tensors); }

  const bitnet::run::Model &getModel() const { return *model; }
  const bitnet::run::Session &getSession() const { return *session; }

private:
  void compile(const Layers &layers, const std::vector<std::string> &variants);

  TemporaryFolder folder;
  std::optional<Layers> compiled;
  std::unique_ptr<bitnet::run::Model> model;
  std::unique_ptr<bitnet::run::RandomInputs> inputs;
  std::unique_ptr<bitnet::run::Session> session;
};

} // namespace bitnet::kernels

#endif // BITNET_KERNELS_OPENLAYERS_H
