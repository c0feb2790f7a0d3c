//===- Tokenizer.cpp - Hugging Face's tokenizer.json ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tokenizer.h"
#include "AddedTokens.h"
#include "BytePairEncoding.h"
#include "Decoder.h"
#include "Json.h"
#include "Normalizer.h"
#include "PreTokenizer.h"
#include "Unicode.h"

namespace bitnet::tokenizer {

namespace {

/// tokenizer.json's `post_processor`: token ids around a text.
struct PostProcessor {
  explicit PostProcessor(const Field &field) { add(field); }

  std::vector<int64_t> before, after;

private:
  void add(const Field &field) {
    if (field.isNull())
      return;
    const std::string &type = field["type"].string();
    if (type == "ByteLevel")
      return; // only about offsets
    if (type == "Sequence") {
      Field members = field["processors"];
      for (size_t i = 0, e = members.size(); i < e; ++i)
        add(members[i]);
    } else if (type == "TemplateProcessing") {
      addTemplate(field);
    } else {
      field.fail("is of the type " + type +
                 ", which is not supported (Sequence, ByteLevel and "
                 "TemplateProcessing are)");
    }
  }

  void addTemplate(const Field &field) {
    Field single = field["single"];
    std::vector<int64_t> prefix, suffix;
    bool seen = false;
    for (size_t i = 0, e = single.size(); i < e; ++i) {
      if (!single[i]["Sequence"].isNull()) {
        if (seen)
          single.fail("has the text twice, which is not supported");
        seen = true;
        continue;
      }
      Field special = single[i]["SpecialToken"];
      Field ids = field["special_tokens"][special["id"].string()]["ids"];
      for (size_t k = 0, n = ids.size(); k < n; ++k)
        (seen ? suffix : prefix).push_back(ids[k].id());
    }
    if (!seen)
      single.fail("has no place for the text");
    before.insert(before.begin(), prefix.begin(), prefix.end());
    after.insert(after.end(), suffix.begin(), suffix.end());
  }
};

nlohmann::json parseJson(std::string_view text) {
  nlohmann::json value =
      nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded())
    throw TokenizerError("tokenizer.json: the file is not JSON");
  return value;
}

} // namespace

struct Tokenizer::Parts {
  explicit Parts(const Field &root)
      : normalizer(root["normalizer"]), added(root["added_tokens"], normalizer),
        preTokenizer(root["pre_tokenizer"]), model(root["model"]),
        postProcessor(root["post_processor"]), decoder(root["decoder"]) {
    for (const auto &[token, id] : model.vocabulary())
      setBytes(id, decoder.bytesOf(token));
    for (const AddedTokens::Token &token : added.all())
      setBytes(token.id, token.special ? "" : decoder.bytesOf(token.text));
  }

  void setBytes(int64_t id, std::string bytes) {
    if (bytesOfId.size() <= size_t(id))
      bytesOfId.resize(size_t(id) + 1);
    bytesOfId[size_t(id)] = std::move(bytes);
  }

  void encodeText(std::string_view text, std::vector<int64_t> &ids) const {
    std::string normalized = normalizer.apply(text);
    for (const AddedTokens::Segment &segment : added.split(normalized, true)) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
        continue;
      }
      for (const std::string &word :
           preTokenizer.split(std::string(segment.text)))
        model.encode(word, ids);
    }
  }

  Normalizer normalizer;
  AddedTokens added;
  PreTokenizer preTokenizer;
  BytePairEncoding model;
  PostProcessor postProcessor;
  Decoder decoder;
  std::vector<std::string> bytesOfId;
};

Tokenizer::Tokenizer(std::string_view json) {
  nlohmann::json value = parseJson(json);
  parts = std::make_unique<Parts>(Field(value, ""));
}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer &&) noexcept = default;
Tokenizer &Tokenizer::operator=(Tokenizer &&) noexcept = default;

std::vector<int64_t> Tokenizer::encode(std::string_view text,
                                       bool addSpecialTokens) const {
  if (!isValidUtf8(text))
    throw TokenizerError("the text is not valid UTF-8");
  std::vector<int64_t> ids;
  if (addSpecialTokens)
    ids = parts->postProcessor.before;
  for (const AddedTokens::Segment &segment : parts->added.split(text, false)) {
    if (segment.id >= 0)
      ids.push_back(segment.id);
    else
      parts->encodeText(segment.text, ids);
  }
  if (addSpecialTokens)
    ids.insert(ids.end(), parts->postProcessor.after.begin(),
               parts->postProcessor.after.end());
  return ids;
}

std::string Tokenizer::decode(const std::vector<int64_t> &ids) const {
  StreamDecoder decoder(*this);
  std::string text;
  for (int64_t id : ids)
    text += decoder.push(id);
  return text + decoder.finish();
}

StreamDecoder::StreamDecoder(const Tokenizer &tokenizer)
    : tokenizer(tokenizer), toStrip(tokenizer.parts->decoder.strippedCount()) {}

std::string StreamDecoder::push(int64_t id) {
  const std::vector<std::string> &table = tokenizer.parts->bytesOfId;
  if (id < 0 || size_t(id) >= table.size() || table[size_t(id)].empty())
    return "";
  pending += table[size_t(id)];
  const std::string &stripped = tokenizer.parts->decoder.strippedCharacter();
  while (toStrip > 0 && !stripped.empty() &&
         pending.compare(0, stripped.size(), stripped) == 0) {
    pending.erase(0, stripped.size());
    --toStrip;
  }
  if (!pending.empty())
    toStrip = 0;
  return takeCharacters(pending, /*end=*/false);
}

std::string StreamDecoder::finish() {
  return takeCharacters(pending, /*end=*/true);
}

} // namespace bitnet::tokenizer
