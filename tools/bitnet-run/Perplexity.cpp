//===- Perplexity.cpp - bitnet-run perplexity -----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Array.h"
#include "Commands.h"
#include "DataType.h"
#include "Decoder.h"
#include "Error.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bitnet::run {

/// The summed negative log-likelihood of tokens[1..], each given those before.
static double sequenceLoss(Decoder &decoder, const int64_t *tokens,
                           int64_t length, std::vector<float> &logits) {
  int64_t vocabulary = decoder.vocabulary();
  int64_t chunk = int64_t(logits.size()) / vocabulary;
  double loss = 0;
  decoder.rewind(0);
  for (int64_t begin = 0; begin + 1 < length; begin += chunk) {
    int64_t count = std::min(chunk, length - 1 - begin);
    decoder.append(tokens + begin, count, logits.data());
    for (int64_t i = 0; i < count; ++i)
      loss += negativeLogLikelihood(logits.data() + i * vocabulary, vocabulary,
                                    tokens[begin + i + 1]);
  }
  return loss;
}

static Array readTokens(const std::string &path, const Decoder &decoder) {
  Array tokens = readNpy(path);
  if (tokens.type != Int64 || tokens.shape.size() != 2)
    throw Error(path + ": expected an int64 array [sequences, length]");
  if (tokens.shape[0] < 1 || tokens.shape[1] < 2)
    throw Error(path + ": nothing to predict: needs a sequence of two tokens");
  for (int64_t i = 0, e = tokens.elementCount(); i < e; ++i) {
    int64_t token = tokens.as<int64_t>()[i];
    if (token < 0 || token >= decoder.vocabulary())
      throw Error(path + ": the token " + std::to_string(token) +
                  " is not in the vocabulary of " +
                  std::to_string(decoder.vocabulary()));
  }
  if (decoder.maxContext() > 0 && tokens.shape[1] - 1 > decoder.maxContext())
    throw Error(path + ": sequences of " + std::to_string(tokens.shape[1]) +
                " tokens exceed the context of " +
                std::to_string(decoder.maxContext()));
  return tokens;
}

void measurePerplexity(const PerplexityOptions &options) {
  Model model(options.session.artifact);
  Session session(model, options.session);
  std::unique_ptr<Decoder> decoder = Decoder::create(model, session);
  Array tokens = readTokens(options.tokens, *decoder);
  int64_t sequences = tokens.shape[0], length = tokens.shape[1];
  // Whole chunks, as many as 64 MB of logits hold, at least one.
  int64_t rows = (int64_t(16) << 20) / decoder->vocabulary();
  int64_t chunk = std::max<int64_t>(rows / decoder->chunk(), 1);
  chunk = std::min(chunk * decoder->chunk(), length);
  std::vector<float> logits(size_t(chunk * decoder->vocabulary()));
  double loss = 0;
  for (int64_t i = 0; i < sequences; ++i)
    loss += sequenceLoss(*decoder, tokens.as<int64_t>() + i * length, length,
                         logits);
  char line[64];
  snprintf(line, sizeof line, "perplexity: %.6f\n",
           std::exp(loss / double(sequences * (length - 1))));
  print(line);
}

} // namespace bitnet::run
