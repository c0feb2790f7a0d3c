//===- TestArtifact.cpp - Artifacts made by hand --------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"

#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace bitnet_test;

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TemporaryFile::TemporaryFile() {
  name = testing::TempDir() + "bitnet-test-XXXXXX";
  int descriptor = mkstemp(name.data());
  EXPECT_GE(descriptor, 0) << name;
  if (descriptor >= 0)
    close(descriptor);
}

TemporaryFile::TemporaryFile(const std::string &contents) : TemporaryFile() {
  write(contents);
}

TemporaryFile::~TemporaryFile() { std::remove(name.c_str()); }

void TemporaryFile::write(const std::string &contents) const {
  std::ofstream stream(name, std::ios::binary | std::ios::trunc);
  stream << contents;
  EXPECT_TRUE(stream.flush().good()) << name;
}

std::string bitnet_test::readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.good()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

//===----------------------------------------------------------------------===//
// The manifest
//===----------------------------------------------------------------------===//

static std::string bytesOf(uint64_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i)
    bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return bytes;
}

std::string bitnet_test::u32(uint32_t value) { return bytesOf(value, 4); }
std::string bitnet_test::u64(uint64_t value) { return bytesOf(value, 8); }

std::string bitnet_test::str(const std::string &value) {
  return u32(value.size()) + value;
}

std::string bitnet_test::list(const std::vector<std::string> &elements) {
  std::string bytes = u32(elements.size());
  for (const std::string &element : elements)
    bytes += element;
  return bytes;
}

std::string bitnet_test::tensor(const std::string &name, uint32_t dtype,
                                const std::vector<std::string> &dims) {
  return str(name) + u32(dtype) + list(dims);
}

std::string bitnet_test::variant(const std::string &name,
                                 const std::vector<std::string> &features,
                                 uint32_t device,
                                 const std::vector<std::string> &kernels) {
  std::vector<std::string> names;
  for (const std::string &feature : features)
    names.push_back(str(feature));
  return str(name) + list(names) + u32(device) + list(kernels);
}

std::string bitnet_test::kernel(const std::string &name,
                                const std::string &arguments,
                                uint64_t codeOffset, uint64_t codeBytes,
                                uint32_t block) {
  return str(name) + u32(block) + u32(1) + u32(1) + u32(0) + str(arguments) +
         u64(codeOffset) + u64(codeBytes);
}

std::string bitnet_test::fixedDim(int64_t extent) {
  return u64(extent) + str("");
}

std::string bitnet_test::dynamicDim(const std::string &symbol) {
  return u64(-1) + str(symbol);
}

static std::string entry(const std::string &name, uint32_t kind, int64_t tokens,
                         uint64_t workspace,
                         const std::vector<std::string> &inputs,
                         const std::vector<std::string> &outputs) {
  return str(name) + u32(kind) + u64(tokens) + u64(workspace) +
         u64(100 * uint64_t(tokens)) + u64(0) + list(inputs) + list(outputs);
}

std::string bitnet_test::cachedEntry(const std::string &name, int64_t tokens,
                                     uint32_t kind) {
  return entry(
      name, kind, tokens, tokens * 16 * sizeof(float),
      {tensor("tokens", 7, {fixedDim(1), fixedDim(tokens)})},
      {tensor("logits", 1, {fixedDim(1), fixedDim(tokens), fixedDim(16)})});
}

TestArtifact::TestArtifact()
    : image(readFile(BITNET_TEST_IMAGE)), tokenizer("{\"model\": {}}") {
  const float weights[] = {0.5f, 1.0f};
  archive.assign(reinterpret_cast<const char *>(weights), sizeof(weights));
  variants = {variant("base"), variant("better"),
              variant("best", {"+imaginary", "impossible"})};
  entries = {entry("main", BN_ENTRY_MAIN, 0, 64,
                   {tensor("x", 1, {dynamicDim("n"), fixedDim(3)}),
                    tensor("y", 1, {dynamicDim("n"), fixedDim(3)}),
                    tensor("pick", 7, {})},
                   {tensor("z", 1, {dynamicDim("n"), fixedDim(3)}),
                    tensor("row", 1, {fixedDim(3)})}),
             cachedEntry("chunk8", 8), cachedEntry("decode", 1),
             cachedEntry("chunk32", 32)};
}

std::string TestArtifact::manifest() const {
  std::vector<std::string> stops;
  for (const std::string &token : stopTokens)
    stops.push_back(str(token));
  std::string bytes = u32(BN_MANIFEST_MAGIC) + u32(manifestVersion) +
                      str("unit test") + str("x86_64-unknown-linux-gnu");
  bytes += u64(archive.size()) + u64(archive.size());
  bytes += u64(maxContext) + u64(vocabulary);
  bytes += list(stops) + list(variants);
  bytes += list({str("unused") + u64(3), str("cache") + u64(cacheBytes)});
  return bytes + list(entries);
}

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

std::string bitnet_test::seal(std::string contents) {
  bn_seal seal = {BN_SEAL_MAGIC, contents.size() + sizeof(bn_seal),
                  XXH3_64bits(contents.data(), contents.size())};
  return contents.append(reinterpret_cast<const char *>(&seal), sizeof(seal));
}

std::string TestArtifact::build(const std::string &manifest) const {
  std::string file = image;
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof(header));
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), file.data() + header.e_shoff,
              sections.size() * sizeof(Elf64_Shdr));
  std::string names(file.data() + sections[header.e_shstrndx].sh_offset,
                    sections[header.e_shstrndx].sh_size);
  auto add = [&](const char *name, const std::string &bytes, size_t alignment) {
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    Elf64_Shdr section = {};
    section.sh_name = names.size();
    section.sh_type = SHT_PROGBITS;
    section.sh_offset = file.size();
    section.sh_size = bytes.size();
    sections.push_back(section);
    names.append(name).push_back('\0');
    file += bytes;
  };
  add(".bitnet.manifest", manifest, 1);
  if (!tokenizer.empty())
    add(".bitnet.tokenizer", tokenizer, 1);
  if (!kernels.empty())
    add(".bitnet.kernels", kernels, BN_ALIGNMENT);
  add(".bitnet.archive", archive, BN_ARCHIVE_ALIGNMENT);
  sections[header.e_shstrndx].sh_offset = file.size();
  sections[header.e_shstrndx].sh_size = names.size();
  file += names;
  header.e_shoff = file.size();
  header.e_shnum = sections.size();
  std::memcpy(file.data(), &header, sizeof(header));
  file.append(reinterpret_cast<const char *>(sections.data()),
              sections.size() * sizeof(Elf64_Shdr));
  return seal(file);
}

Model bitnet_test::openModel(const char *path) {
  bn_model *model = nullptr;
  bn_status status;
  EXPECT_EQ(bn_model_open(path, nullptr, &model, &status), BN_OK)
      << status.message;
  return Model(model);
}

Session bitnet_test::createSession(const Model &model, int threads,
                                   const char *variant) {
  bn_session_options options = {sizeof(options), threads, variant, 0};
  bn_session *session = nullptr;
  bn_status status;
  EXPECT_EQ(bn_session_create(model.get(), &options, &session, &status), BN_OK)
      << status.message;
  return Session(session);
}
