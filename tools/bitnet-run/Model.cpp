//===- Model.cpp - Owners of the runtime's objects ------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model.h"
#include "Error.h"

namespace bitnet::run {

void check(int32_t code, const bn_status &status) {
  if (code != BN_OK)
    throw Error(status.message[0]
                    ? status.message
                    : "the runtime reported error " + std::to_string(code));
}

Model::Model(const std::string &path, bool inspectOnly) {
  bn_open_options options = {};
  options.struct_size = sizeof options;
  options.inspect_only = inspectOnly;
  bn_model *opened = nullptr;
  bn_status status = {};
  check(bn_model_open(path.c_str(), &options, &opened, &status), status);
  model.reset(opened);
}

const bn_entry_info &Model::mainEntry() const {
  const bn_model_info &all = info();
  for (uint32_t i = 0; i < all.entry_count; ++i)
    if (all.entries[i].kind == BN_ENTRY_MAIN)
      return all.entries[i];
  throw Error("the artifact has no entry with the model's own signature");
}

Session::Session(const Model &model, const SessionOptions &options)
    : outputCount(0), onDevice(false) {
  bn_session_options created = {};
  created.struct_size = sizeof created;
  created.threads = options.threads;
  created.timed = options.timed;
  created.variant = options.variant.empty() ? nullptr : options.variant.c_str();
  bn_session *opened = nullptr;
  bn_status status = {};
  check(bn_session_create(model.handle(), &created, &opened, &status), status);
  session.reset(opened);
  const bn_model_info &info = model.info();
  for (uint32_t i = 0; i < info.entry_count; ++i)
    if (info.entries[i].kind == BN_ENTRY_MAIN)
      outputCount = info.entries[i].output_count;
  for (uint32_t i = 0; i < info.variant_count; ++i) {
    const bn_variant_info &each = info.variants[i];
    if (each.name != variant())
      continue;
    onDevice = each.device != BN_DEVICE_NONE;
    needed.assign(each.features, each.features + each.feature_count);
  }
}

std::vector<bn_tensor>
Session::run(const std::vector<bn_tensor> &inputs) const {
  std::vector<bn_tensor> outputs(outputCount);
  bn_status status = {};
  check(bn_session_run(session.get(), inputs.data(), uint32_t(inputs.size()),
                       outputs.data(), outputCount, &status),
        status);
  return outputs;
}

} // namespace bitnet::run
