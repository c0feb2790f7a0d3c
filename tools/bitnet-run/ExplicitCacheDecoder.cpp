//===- ExplicitCacheDecoder.cpp - Past and present by hand ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExplicitCacheDecoder.h"
#include "DataType.h"
#include "Error.h"

#include <cstring>

namespace bitnet::run {

[[noreturn]] static void notADecoder(const std::string &why) {
  throw NotADecoder("the model is no decoder that can write text: " + why);
}

static bool contains(const char *name, const char *part) {
  return strstr(name, part) != nullptr;
}

static bool isInteger(uint32_t type) { return type == 6 || type == Int64; }

ExplicitCacheDecoder::ExplicitCacheDecoder(const Model &model,
                                           const Session &session)
    : session(session), contextLimit(model.info().max_context) {
  const bn_entry_info &entry = model.mainEntry();
  classifyInputs(entry);
  classifyOutputs(entry);
  if (model.info().vocabulary > 0)
    vocabularySize = model.info().vocabulary;
}

void ExplicitCacheDecoder::classifyInputs(const bn_entry_info &entry) {
  bool hasTokens = false;
  for (uint32_t i = 0; i < entry.input_count; ++i) {
    const bn_tensor_info &tensor = entry.inputs[i];
    if (contains(tensor.name, "past")) {
      inputs.push_back({&tensor, Role::Past, pasts.size()});
      addPast(tensor);
    } else if (contains(tensor.name, "mask") && tensor.rank == 2) {
      inputs.push_back({&tensor, Role::Mask, 0});
    } else if (contains(tensor.name, "position") && isInteger(tensor.dtype) &&
               (tensor.rank == 1 || tensor.rank == 2)) {
      inputs.push_back({&tensor, Role::Positions, 0});
    } else if (!hasTokens && isInteger(tensor.dtype) && tensor.rank == 2) {
      inputs.push_back({&tensor, Role::Tokens, 0});
      hasTokens = true;
    } else {
      notADecoder("its input " + std::string(tensor.name) +
                  " is neither tokens, mask, positions nor a past");
    }
  }
  if (!hasTokens)
    notADecoder("it has no input of token ids ([batch, tokens], int64)");
}

/// Beside the batch in front, the one dynamic dimension counts the tokens.
void ExplicitCacheDecoder::addPast(const bn_tensor_info &tensor) {
  Past past = {tensor.dtype, {}, 0, {}};
  if (!sizeOfType(tensor.dtype))
    notADecoder("its input " + std::string(tensor.name) + " has elements of " +
                nameOfType(tensor.dtype));
  for (uint32_t i = 0; i < tensor.rank; ++i) {
    int64_t extent = tensor.dims[i].extent;
    past.shape.push_back(extent >= 0 ? extent : i == 0 ? 1 : 0);
    if (extent < 0 && i > 0) {
      if (past.axis)
        notADecoder("its input " + std::string(tensor.name) +
                    " has several dynamic dimensions");
      past.axis = i;
    }
  }
  if (!past.axis)
    notADecoder("its input " + std::string(tensor.name) +
                " has no dynamic dimension for the tokens");
  pasts.push_back(std::move(past));
}

void ExplicitCacheDecoder::classifyOutputs(const bn_entry_info &entry) {
  bool hasLogits = false;
  for (uint32_t i = 0; i < entry.output_count; ++i) {
    const bn_tensor_info &tensor = entry.outputs[i];
    if (contains(tensor.name, "present") || hasLogits) {
      presentOutputs.push_back(i);
      continue;
    }
    if (tensor.dtype != Float32 || tensor.rank != 3)
      notADecoder("its output " + std::string(tensor.name) +
                  " is no logits ([batch, tokens, vocabulary], float32)");
    logitsOutput = i;
    vocabularySize = tensor.dims[2].extent;
    hasLogits = true;
  }
  if (!hasLogits || vocabularySize <= 0)
    notADecoder("it has no logits with a fixed vocabulary");
  if (presentOutputs.size() < pasts.size())
    notADecoder("it has " + std::to_string(pasts.size()) + " past inputs and " +
                std::to_string(presentOutputs.size()) + " present outputs");
  presentOutputs.resize(pasts.size());
}

template <typename T>
static void fill(std::string &storage, const std::vector<int64_t> &values) {
  for (int64_t value : values) {
    T element = T(value);
    storage.append(reinterpret_cast<const char *>(&element), sizeof element);
  }
}

/// The input for the tokens [begin, end) of the history.
bn_tensor ExplicitCacheDecoder::makeInput(const Input &input, int64_t begin,
                                          int64_t end, std::string &storage) {
  bn_tensor tensor = {};
  tensor.name = input.info->name;
  tensor.dtype = input.info->dtype;
  tensor.rank = input.info->rank;
  if (input.role == Role::Past) {
    Past &past = pasts[input.past];
    std::copy(past.shape.begin(), past.shape.end(), tensor.shape);
    tensor.data = past.data.data();
    return tensor;
  }
  std::vector<int64_t> values;
  if (input.role == Role::Tokens)
    values.assign(history.begin() + begin, history.begin() + end);
  else if (input.role == Role::Mask)
    values.assign(size_t(end), 1);
  else
    for (int64_t i = begin; i < end; ++i)
      values.push_back(i);
  tensor.shape[0] = 1;
  tensor.shape[tensor.rank - 1] = int64_t(values.size());
  switch (tensor.dtype) {
  case Int64:
    fill<int64_t>(storage, values);
    break;
  case 6:
    fill<int32_t>(storage, values);
    break;
  case Bool:
    fill<uint8_t>(storage, values);
    break;
  case Float32:
    fill<float>(storage, values);
    break;
  default:
    notADecoder("its input " + std::string(tensor.name) + " has elements of " +
                nameOfType(tensor.dtype));
  }
  tensor.data = storage.data();
  return tensor;
}

const float *ExplicitCacheDecoder::append(const int64_t *tokens, int64_t count,
                                          float *all) {
  if (count < 1)
    throw Error("there are no tokens to read");
  for (int64_t i = 0; i < count; ++i)
    if (tokens[i] < 0 || tokens[i] >= vocabularySize)
      throw Error("the token " + std::to_string(tokens[i]) +
                  " is not in the vocabulary of " +
                  std::to_string(vocabularySize));
  int64_t before = position();
  if (contextLimit > 0 && before + count > contextLimit)
    throw Error(std::to_string(before + count) +
                " tokens exceed the context of " +
                std::to_string(contextLimit));
  history.insert(history.end(), tokens, tokens + count);
  int64_t begin = pasts.empty() ? 0 : before, end = position();
  std::vector<std::string> storage(inputs.size());
  std::vector<bn_tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i)
    tensors.push_back(makeInput(inputs[i], begin, end, storage[i]));
  std::vector<bn_tensor> outputs;
  try {
    outputs = session.run(tensors);
  } catch (...) {
    history.resize(size_t(before));
    throw;
  }
  const bn_tensor &logits = outputs[logitsOutput];
  if (logits.shape[1] != end - begin || logits.shape[2] != vocabularySize)
    notADecoder("it gives no logits for every token");
  keepPresent(outputs);
  const float *rows = static_cast<const float *>(logits.data);
  if (all)
    memcpy(all, rows + (before - begin) * vocabularySize,
           size_t(count * vocabularySize) * sizeof(float));
  return rows + (end - begin - 1) * vocabularySize;
}

void ExplicitCacheDecoder::keepPresent(const std::vector<bn_tensor> &outputs) {
  for (size_t i = 0; i < pasts.size(); ++i) {
    const bn_tensor &present = outputs[presentOutputs[i]];
    Past &past = pasts[i];
    size_t bytes = sizeOfType(past.type);
    bool fits = present.dtype == past.type && present.rank == past.shape.size();
    for (size_t d = 0; fits && d < past.shape.size(); ++d) {
      int64_t expected = d == past.axis ? position() : past.shape[d];
      fits = present.shape[d] == expected;
      bytes *= size_t(present.shape[d]);
    }
    if (!fits)
      notADecoder("its output " + std::string(present.name) +
                  " is not the past of its next call");
    past.shape[past.axis] = position();
    past.data.assign(static_cast<const char *>(present.data), bytes);
  }
}

void ExplicitCacheDecoder::truncate(Past &past, int64_t length) const {
  size_t outer = 1, inner = sizeOfType(past.type);
  for (size_t d = 0; d < past.shape.size(); ++d)
    (d < past.axis ? outer : inner) *=
        d == past.axis ? 1 : size_t(past.shape[d]);
  size_t from = size_t(past.shape[past.axis]) * inner;
  size_t to = size_t(length) * inner;
  std::string kept;
  kept.reserve(outer * to);
  for (size_t i = 0; i < outer; ++i)
    kept.append(past.data, i * from, to);
  past.data = std::move(kept);
  past.shape[past.axis] = length;
}

void ExplicitCacheDecoder::rewind(int64_t position) {
  if (position < 0 || position > this->position())
    throw Error("there are fewer than " + std::to_string(position) +
                " tokens to go back to");
  for (Past &past : pasts)
    truncate(past, position);
  history.resize(size_t(position));
}

double ExplicitCacheDecoder::cacheBytes(double position) const {
  double bytes = 0;
  for (const Past &past : pasts) {
    double one = double(sizeOfType(past.type));
    for (size_t d = 0; d < past.shape.size(); ++d)
      one *= d == past.axis ? position : double(past.shape[d]);
    bytes += one;
  }
  return bytes;
}

} // namespace bitnet::run
