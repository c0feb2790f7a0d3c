//===- Model.h - Owners of the runtime's objects ----------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_MODEL_H
#define BITNET_RUN_MODEL_H

#include "bitnet/runtime.h"

#include <memory>
#include <string>
#include <vector>

namespace bitnet::run {

/// What every command that executes a model is told.
struct SessionOptions {
  std::string artifact;
  int threads = 0;     // 0: one per core
  std::string variant; // empty: the best
  bool timed = false;  // what a device does
};

/// An open artifact.
class Model {
public:
  /// `inspectOnly` opens artifacts for any machine, of which none runs.
  explicit Model(const std::string &path, bool inspectOnly = false);

  bn_model *handle() const { return model.get(); }
  const bn_model_info &info() const { return *bn_model_get_info(model.get()); }
  /// The entry with the ONNX model's own inputs and outputs.
  const bn_entry_info &mainEntry() const;

private:
  struct Close {
    void operator()(bn_model *model) const { bn_model_close(model); }
  };
  std::unique_ptr<bn_model, Close> model;
};

/// A session of a model.
class Session {
public:
  Session(const Model &model, const SessionOptions &options);

  bn_session *handle() const { return session.get(); }
  int threads() const { return bn_session_threads(session.get()); }
  std::string variant() const { return bn_session_variant(session.get()); }
  /// What the variant's code needs of the machine, in LLVM's spelling.
  const std::vector<std::string> &features() const { return needed; }
  /// How long a device worked on the last call; 0 where that is not known.
  double deviceSeconds() const {
    return bn_session_device_seconds(session.get());
  }
  /// Whether the variant is one for a GPU.
  bool isOnDevice() const { return onDevice; }

  /// The outputs in the signature's order, valid until the next call.
  std::vector<bn_tensor> run(const std::vector<bn_tensor> &inputs) const;

private:
  struct Close {
    void operator()(bn_session *session) const { bn_session_close(session); }
  };
  std::unique_ptr<bn_session, Close> session;
  std::vector<std::string> needed;
  uint32_t outputCount;
  bool onDevice;
};

/// Throws Error with the status' message unless the code is BN_OK.
void check(int32_t code, const bn_status &status);

} // namespace bitnet::run

#endif // BITNET_RUN_MODEL_H
