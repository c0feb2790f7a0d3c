//===- Generate.cpp - bitnet-run generate ---------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Decoder.h"
#include "Error.h"
#include "Tokenizer.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bitnet::run {

std::vector<int64_t> parseIds(const std::string &text) {
  std::vector<int64_t> ids;
  const char *at = text.c_str();
  while (true) {
    char *end;
    errno = 0;
    ids.push_back(strtoll(at, &end, 10));
    if (end == at || errno)
      throw Error("'" + text + "' is no list of token ids like 1,2,3");
    while (*end == ' ')
      ++end;
    if (!*end)
      return ids;
    if (*end != ',')
      throw Error("'" + text + "' is no list of token ids like 1,2,3");
    at = end + 1;
  }
}

void print(const std::string &text) {
  if (fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
      fflush(stdout))
    throw Error(std::string("cannot write to standard output: ") +
                strerror(errno));
}

static tokenizer::Tokenizer readTokenizer(const bn_model_info &info) {
  if (!info.tokenizer)
    throw Error("the artifact has no tokenizer: compile it with --tokenizer, "
                "or use --prompt-ids and --ids");
  return tokenizer::Tokenizer({info.tokenizer, info.tokenizer_bytes});
}

static bool isStop(const bn_model_info &info, int64_t token) {
  for (uint32_t i = 0; i < info.stop_token_count; ++i)
    if (info.stop_tokens[i] == token)
      return true;
  return false;
}

static std::vector<int64_t>
readPrompt(const GenerateOptions &options,
           const std::optional<tokenizer::Tokenizer> &tokenizer) {
  std::vector<int64_t> ids = options.promptIds
                                 ? parseIds(*options.promptIds)
                                 : tokenizer->encode(*options.prompt);
  if (ids.empty())
    throw Error("the prompt is empty");
  return ids;
}

static void checkPrompt(const std::vector<int64_t> &ids,
                        const Decoder &decoder) {
  int64_t limit = decoder.maxContext();
  if (limit > 0 && int64_t(ids.size()) > limit)
    throw Error("the prompt has " + std::to_string(ids.size()) +
                " tokens, more than the context of " + std::to_string(limit));
  for (int64_t id : ids)
    if (id < 0 || id >= decoder.vocabulary())
      throw Error("the prompt's token " + std::to_string(id) +
                  " is not in the vocabulary of " +
                  std::to_string(decoder.vocabulary()));
}

void generate(const GenerateOptions &options) {
  if (options.prompt.has_value() == options.promptIds.has_value())
    throw Error("generate needs either --prompt or --prompt-ids");
  Model model(options.session.artifact);
  const bn_model_info &info = model.info();
  std::optional<tokenizer::Tokenizer> tokenizer;
  if (options.prompt || !options.printIds)
    tokenizer = readTokenizer(info);
  std::vector<int64_t> prompt = readPrompt(options, tokenizer);
  Session session(model, options.session);
  std::unique_ptr<Decoder> decoder = Decoder::create(model, session);
  checkPrompt(prompt, *decoder);

  Sampler sampler(options.sampling,
                  options.seed ? *options.seed : std::random_device()());
  std::optional<tokenizer::StreamDecoder> text;
  if (!options.printIds)
    text.emplace(*tokenizer);
  int64_t written = 0;
  if (options.maxTokens > 0) {
    auto append = [&](const int64_t *tokens, int64_t count) {
      int64_t considered = sampler.considered();
      return considered ? decoder->appendTop(tokens, count, considered)
                        : decoder->append(tokens, count);
    };
    const float *logits = append(prompt.data(), int64_t(prompt.size()));
    while (true) {
      int64_t token = sampler.choose(logits, decoder->vocabulary());
      if (isStop(info, token))
        break;
      if (text)
        print(text->push(token));
      else
        print((written ? "," : "") + std::to_string(token));
      ++written;
      if (written == options.maxTokens ||
          (decoder->maxContext() > 0 &&
           decoder->position() == decoder->maxContext()))
        break;
      logits = append(&token, 1);
    }
  }
  print((text ? text->finish() : "") + "\n");
}

} // namespace bitnet::run
