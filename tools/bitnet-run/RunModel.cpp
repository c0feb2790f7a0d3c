//===- RunModel.cpp - bitnet-run run --------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Array.h"
#include "Commands.h"
#include "DataType.h"
#include "Error.h"

#include <cstdio>
#include <map>
#include <set>
#include <system_error>

#include <filesystem>

namespace bitnet::run {

/// The input whose name begins NAME=FILE; both may hold further '='.
static const bn_tensor_info &findInput(const bn_entry_info &entry,
                                       const std::string &argument) {
  const bn_tensor_info *found = nullptr;
  std::string names;
  for (uint32_t i = 0; i < entry.input_count; ++i) {
    std::string name = entry.inputs[i].name;
    if (argument.compare(0, name.size() + 1, name + "=") == 0 &&
        (!found || name.size() > std::string(found->name).size()))
      found = &entry.inputs[i];
    names += (i ? ", " : "") + name;
  }
  if (found)
    return *found;
  size_t equals = argument.find('=');
  if (equals == argument.npos)
    throw Error("--input " + argument + ": expected NAME=FILE.npy");
  throw Error("the model has no input " + argument.substr(0, equals) +
              " (its inputs: " + names + ")");
}

namespace {
/// The arrays of the inputs by name.
using Arrays = std::map<std::string, Array>;
} // namespace

static Arrays readInputs(const bn_entry_info &entry,
                         const std::vector<std::string> &arguments) {
  Arrays arrays;
  for (const std::string &argument : arguments) {
    const bn_tensor_info &input = findInput(entry, argument);
    std::string name = input.name;
    if (arrays.count(name))
      throw Error("the input " + name + " is given twice");
    Array array = readNpy(argument.substr(name.size() + 1));
    if (input.dtype == BFloat16 && array.type == Float32)
      array = convertFloat(array, BFloat16);
    if (array.shape.size() > BN_MAX_RANK)
      throw Error("the input " + name + " has " +
                  std::to_string(array.shape.size()) +
                  " dimensions, more than " + std::to_string(BN_MAX_RANK));
    arrays.emplace(name, std::move(array));
  }
  for (uint32_t i = 0; i < entry.input_count; ++i)
    if (!arrays.count(entry.inputs[i].name))
      throw Error("the input " + std::string(entry.inputs[i].name) +
                  " is missing: add --input " + entry.inputs[i].name +
                  "=FILE.npy");
  return arrays;
}

/// The .npy files of the outputs; bfloat16, which has no form there, widens.
static std::map<std::string, std::string>
formatOutputs(const bn_entry_info &entry,
              const std::vector<bn_tensor> &outputs) {
  std::map<std::string, std::string> files, owners;
  for (uint32_t i = 0; i < entry.output_count; ++i) {
    Array array;
    array.type = outputs[i].dtype;
    array.shape.assign(outputs[i].shape, outputs[i].shape + outputs[i].rank);
    size_t bytes = size_t(array.elementCount()) * sizeOfType(array.type);
    if (bytes)
      array.data.assign(static_cast<const char *>(outputs[i].data), bytes);
    if (array.type == BFloat16)
      array = convertFloat(array, Float32);
    // A graph may list one output twice, which is the same value.
    std::string tensor = entry.outputs[i].name, name = fileNameOf(tensor);
    auto [owner, isNew] = owners.emplace(name, tensor);
    if (!isNew && owner->second != tensor)
      throw Error("the outputs " + owner->second + " and " + tensor +
                  " would both be written to " + name);
    files[name] = formatNpy(array);
  }
  return files;
}

static void writeAll(const std::filesystem::path &folder,
                     const std::map<std::string, std::string> &files) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw Error(folder.string() + ": cannot be made: " + error.message());
  std::vector<std::string> written;
  try {
    for (const auto &[name, content] : files) {
      std::string path = (folder / name).string();
      writeFile(path, content);
      written.push_back(path);
    }
  } catch (...) {
    // All outputs or none.
    for (const std::string &path : written)
      remove(path.c_str());
    throw;
  }
}

void runModel(const RunOptions &options) {
  Model model(options.session.artifact);
  const bn_entry_info &entry = model.mainEntry();
  Arrays arrays = readInputs(entry, options.inputs);
  std::vector<bn_tensor> inputs;
  for (auto &[name, array] : arrays) {
    bn_tensor tensor = {};
    tensor.name = name.c_str();
    tensor.dtype = array.type;
    tensor.rank = uint32_t(array.shape.size());
    std::copy(array.shape.begin(), array.shape.end(), tensor.shape);
    tensor.data = array.data.data();
    inputs.push_back(tensor);
  }
  Session session(model, options.session);
  writeAll(options.outputFolder, formatOutputs(entry, session.run(inputs)));
}

} // namespace bitnet::run
