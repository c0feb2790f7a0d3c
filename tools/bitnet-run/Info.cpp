//===- Info.cpp - bitnet-run info -----------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "DataType.h"

#include <nlohmann/json.hpp>

namespace bitnet::run {

using Json = nlohmann::ordered_json;

static Json describeTensors(const bn_tensor_info *tensors, uint32_t count) {
  Json list = Json::array();
  for (uint32_t i = 0; i < count; ++i) {
    Json shape = Json::array();
    for (uint32_t d = 0; d < tensors[i].rank; ++d) {
      int64_t extent = tensors[i].dims[d].extent;
      shape.push_back(extent < 0 ? Json(nullptr) : Json(extent));
    }
    list.push_back({{"name", tensors[i].name},
                    {"dtype", nameOfType(tensors[i].dtype)},
                    {"shape", std::move(shape)}});
  }
  return list;
}

static const char *nameOfDevice(uint32_t kind) {
  switch (kind) {
  case BN_DEVICE_NONE:
    return "cpu";
  case BN_DEVICE_CUDA:
    return "cuda";
  case BN_DEVICE_VULKAN:
    return "vulkan";
  default:
    return "rocm";
  }
}

static Json describeVariant(const bn_variant_info &variant) {
  Json features = Json::array();
  for (uint32_t i = 0; i < variant.feature_count; ++i)
    features.push_back(variant.features[i]);
  return {
      {"name", variant.name},
      {"device", nameOfDevice(variant.device)},
      {"features", std::move(features)},
      {"kernels", variant.kernel_count},
      {"obstacle", variant.runnable ? Json(nullptr) : Json(variant.obstacle)}};
}

/// Such as "cuda: 12 kernels (not on this machine: no driver)".
static std::string variantLine(const bn_variant_info &variant) {
  std::string text = std::string("  ") + variant.name;
  if (variant.device == BN_DEVICE_NONE)
    return text + (variant.runnable ? "" : " (not on this machine)") + "\n";
  text += std::string(": ") + std::to_string(variant.kernel_count) +
          " kernels on " + nameOfDevice(variant.device);
  if (!variant.runnable)
    text += std::string(" (not on this machine: ") + variant.obstacle + ")";
  return text + "\n";
}

static std::string jsonInfo(const Model &model) {
  const bn_model_info &info = model.info();
  const bn_entry_info &main = model.mainEntry();
  Json variants = Json::array(), runnable = Json::array(),
       details = Json::array(), entries = Json::array();
  for (uint32_t i = 0; i < info.variant_count; ++i) {
    variants.push_back(info.variants[i].name);
    if (info.variants[i].runnable)
      runnable.push_back(info.variants[i].name);
    details.push_back(describeVariant(info.variants[i]));
  }
  for (uint32_t i = 0; i < info.entry_count; ++i)
    entries.push_back(info.entries[i].name);
  Json result = {{"inputs", describeTensors(main.inputs, main.input_count)},
                 {"outputs", describeTensors(main.outputs, main.output_count)},
                 {"target", info.triple},
                 {"variants", std::move(variants)},
                 {"runnable_variants", std::move(runnable)},
                 {"variant_details", std::move(details)},
                 {"entries", std::move(entries)},
                 {"weight_bytes", info.weight_bytes},
                 {"max_context", info.max_context},
                 {"vocabulary", info.vocabulary},
                 {"has_tokenizer", info.tokenizer != nullptr},
                 {"producer", info.producer}};
  return result.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

static std::string tensorLines(const char *title, const bn_tensor_info *tensors,
                               uint32_t count) {
  std::string text = std::string(title) + "\n";
  for (uint32_t i = 0; i < count; ++i) {
    text += std::string("  ") + tensors[i].name + ": " +
            nameOfType(tensors[i].dtype) + " [";
    for (uint32_t d = 0; d < tensors[i].rank; ++d) {
      const bn_dim &dim = tensors[i].dims[d];
      text += d ? ", " : "";
      if (dim.extent >= 0)
        text += std::to_string(dim.extent);
      else
        text += dim.symbol && dim.symbol[0] ? dim.symbol : "?";
    }
    text += "]\n";
  }
  return text;
}

static std::string plainInfo(const Model &model) {
  const bn_model_info &info = model.info();
  const bn_entry_info &main = model.mainEntry();
  std::string text = std::string("compiled by ") + info.producer + " for " +
                     info.triple + "\n";
  text += "weights: " + std::to_string(info.weight_bytes) + " bytes\n";
  if (info.max_context > 0)
    text += "context: " + std::to_string(info.max_context) + " tokens, " +
            std::to_string(info.state_bytes) + " bytes of cache\n";
  text += std::string("tokenizer: ") + (info.tokenizer ? "embedded" : "none") +
          "\nvariants:\n";
  for (uint32_t i = 0; i < info.variant_count; ++i)
    text += variantLine(info.variants[i]);
  text += "entries:\n";
  for (uint32_t i = 0; i < info.entry_count; ++i)
    text += std::string("  ") + info.entries[i].name + "\n";
  text += tensorLines("inputs:", main.inputs, main.input_count);
  text += tensorLines("outputs:", main.outputs, main.output_count);
  return text;
}

void printInfo(const InfoOptions &options) {
  Model model(options.artifact, /*inspectOnly=*/true);
  print(options.json ? jsonInfo(model) : plainInfo(model));
}

} // namespace bitnet::run
