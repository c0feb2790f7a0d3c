//===- BytePairEncoding.cpp - From words to token ids ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BytePairEncoding.h"
#include "Unicode.h"

#include <cstdio>
#include <queue>

namespace bitnet::tokenizer {

static uint64_t pairKey(int64_t left, int64_t right) {
  return uint64_t(left) << 32 | uint64_t(right);
}

BytePairEncoding::BytePairEncoding(const Field &field) {
  Field type = field["type"];
  if (!type.isNull() && type.string() != "BPE")
    type.fail("is " + type.string() + ", which is not supported (BPE is)");
  if (!field["dropout"].isNull())
    field["dropout"].fail("is not null: merges at random are not supported");
  for (const char *name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!field[name].isNull() && !field[name].string().empty())
      field[name].fail("is not supported");
  readVocabulary(field["vocab"]);
  readMerges(field["merges"]);
  if (!field["unk_token"].isNull())
    unknown = idOf(field["unk_token"].string(), field["unk_token"]);
  fuseUnknown = field["fuse_unk"].boolean();
  byteFallback = field["byte_fallback"].boolean();
  ignoreMerges = field["ignore_merges"].boolean();
}

void BytePairEncoding::readVocabulary(const Field &vocabulary) {
  idOfToken.reserve(vocabulary.object().size());
  for (const auto &entry : vocabulary.object().items())
    idOfToken.emplace(
        entry.key(),
        Field(entry.value(), vocabulary.name() + "." + entry.key()).id());
}

int64_t BytePairEncoding::idOf(const std::string &token,
                               const Field &field) const {
  auto found = idOfToken.find(token);
  if (found == idOfToken.end())
    field.fail("has the token \"" + token + "\", which is not in model.vocab");
  return found->second;
}

void BytePairEncoding::readMerges(const Field &list) {
  size_t count = list.size();
  merges.reserve(count);
  for (size_t rank = 0; rank < count; ++rank) {
    Field entry = list[rank];
    std::string left, right;
    if (entry.isString()) {
      const std::string &pair = entry.string();
      size_t space = pair.find(' ');
      if (space == pair.npos || pair.find(' ', space + 1) != pair.npos)
        entry.fail("is not two tokens with a space between");
      left = pair.substr(0, space);
      right = pair.substr(space + 1);
    } else {
      if (entry.size() != 2)
        entry.fail("is not a pair of tokens");
      left = entry[0].string();
      right = entry[1].string();
    }
    uint64_t key = pairKey(idOf(left, entry), idOf(right, entry));
    merges[key] = {int64_t(rank), idOf(left + right, entry)};
  }
}

const BytePairEncoding::Merge *
BytePairEncoding::findMerge(int64_t left, int64_t right) const {
  auto found = merges.find(pairKey(left, right));
  return found == merges.end() ? nullptr : &found->second;
}

bool BytePairEncoding::appendBytes(std::string_view character,
                                   std::vector<int64_t> &ids) const {
  size_t before = ids.size();
  for (char byte : character) {
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", unsigned(uint8_t(byte)));
    auto found = idOfToken.find(name);
    if (found == idOfToken.end()) {
      ids.resize(before);
      return false;
    }
    ids.push_back(found->second);
  }
  return true;
}

std::vector<int64_t>
BytePairEncoding::idsOfCharacters(const std::string &word) const {
  std::vector<int64_t> ids;
  bool afterUnknown = false;
  for (size_t position = 0; position < word.size();) {
    size_t length = characterLength(word, position);
    std::string character = word.substr(position, length);
    position += length;
    auto found = idOfToken.find(character);
    if (found != idOfToken.end()) {
      ids.push_back(found->second);
      afterUnknown = false;
    } else if (byteFallback && appendBytes(character, ids)) {
      afterUnknown = false;
    } else if (unknown >= 0) {
      if (!afterUnknown || !fuseUnknown)
        ids.push_back(unknown);
      afterUnknown = true;
    }
  }
  return ids;
}

/// Merges the pair of the lowest rank, the leftmost first, until none is left.
void BytePairEncoding::merge(std::vector<int64_t> &ids) const {
  struct Symbol {
    int64_t id;
    int previous, next;
  };
  struct Candidate {
    int64_t rank;
    int left;
    int64_t leftId, rightId;
    bool operator<(const Candidate &other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::vector<Symbol> symbols(ids.size());
  int count = int(ids.size());
  for (int i = 0; i < count; ++i)
    symbols[i] = {ids[i], i - 1, i + 1 < count ? i + 1 : -1};
  std::priority_queue<Candidate> queue;
  auto consider = [&](int left) {
    if (left < 0 || symbols[left].next < 0)
      return;
    int64_t leftId = symbols[left].id;
    int64_t rightId = symbols[symbols[left].next].id;
    if (const Merge *merge = findMerge(leftId, rightId))
      queue.push({merge->rank, left, leftId, rightId});
  };
  for (int i = 0; i + 1 < count; ++i)
    consider(i);

  while (!queue.empty()) {
    Candidate candidate = queue.top();
    queue.pop();
    Symbol &left = symbols[candidate.left];
    // A merged-away symbol has the id -1, so that stale candidates differ.
    if (left.id != candidate.leftId || left.next < 0 ||
        symbols[left.next].id != candidate.rightId)
      continue;
    Symbol &right = symbols[left.next];
    left.id = findMerge(left.id, right.id)->result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0)
      symbols[left.next].previous = candidate.left;
    consider(left.previous);
    consider(candidate.left);
  }
  ids.clear();
  for (int i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next)
    ids.push_back(symbols[i].id);
}

void BytePairEncoding::encode(const std::string &word,
                              std::vector<int64_t> &ids) const {
  if (ignoreMerges) {
    auto found = idOfToken.find(word);
    if (found != idOfToken.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  std::vector<int64_t> wordIds = idsOfCharacters(word);
  merge(wordIds);
  ids.insert(ids.end(), wordIds.begin(), wordIds.end());
}

} // namespace bitnet::tokenizer
