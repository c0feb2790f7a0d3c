//===- ModelTest.cpp - Opening artifacts, good and bad --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"

#include <cstddef>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>
#include <random>
#include <string>

using namespace bitnet_test;

namespace {

/// Opens a file that must be refused; gives the message.
std::string openFails(const std::string &contents, int32_t code,
                      bool inspectOnly = false) {
  TemporaryFile file(contents);
  bn_open_options options = {sizeof(options), inspectOnly};
  bn_model *model = reinterpret_cast<bn_model *>(1);
  bn_status status = {-1, "unset"};
  EXPECT_EQ(bn_model_open(file.path(), &options, &model, &status), code);
  EXPECT_EQ(status.code, code) << status.message;
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(bn_model_open(file.path(), &options, &model, nullptr), code);
  EXPECT_EQ(std::string(status.message).find(file.path()), 0u)
      << "a message begins with the file's name: " << status.message;
  return status.message;
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(Model, TellsWhatItIs) {
  TemporaryFile file(TestArtifact().build());
  Model model = openModel(file.path());
  const bn_model_info *info = bn_model_get_info(model.get());
  EXPECT_EQ(info->struct_size, sizeof(bn_model_info));
  EXPECT_STREQ(info->producer, "unit test");
  EXPECT_STREQ(info->triple, "x86_64-unknown-linux-gnu");
  EXPECT_EQ(info->archive_bytes, 8u);
  EXPECT_EQ(info->weight_bytes, 8u);
  EXPECT_EQ(info->state_bytes, 3u + 560u);
  EXPECT_EQ(info->max_context, 70);
  EXPECT_EQ(info->vocabulary, 16);
  ASSERT_EQ(info->stop_token_count, 2u);
  EXPECT_EQ(info->stop_tokens[0], 2);
  EXPECT_EQ(info->stop_tokens[1], 15);
  EXPECT_EQ(info->state_count, 2u);
  EXPECT_EQ(std::string(info->tokenizer, info->tokenizer_bytes),
            "{\"model\": {}}");

  ASSERT_EQ(info->variant_count, 3u);
  EXPECT_STREQ(info->variants[0].name, "base");
  EXPECT_TRUE(info->variants[0].runnable);
  EXPECT_TRUE(info->variants[1].runnable);
  EXPECT_FALSE(info->variants[2].runnable);
  ASSERT_EQ(info->variants[2].feature_count, 2u);
  EXPECT_STREQ(info->variants[2].features[1], "impossible");
}

TEST(Model, TellsItsSignature) {
  TemporaryFile file(TestArtifact().build());
  Model model = openModel(file.path());
  const bn_model_info *info = bn_model_get_info(model.get());
  ASSERT_EQ(info->entry_count, 4u);
  const bn_entry_info &main = info->entries[0];
  EXPECT_STREQ(main.name, "main");
  EXPECT_EQ(main.kind, uint32_t(BN_ENTRY_MAIN));
  EXPECT_EQ(main.workspace_bytes, 64u);
  EXPECT_EQ(main.macs, 0u);
  EXPECT_EQ(info->entries[1].macs, 800u);
  ASSERT_EQ(main.input_count, 3u);
  ASSERT_EQ(main.output_count, 2u);
  EXPECT_STREQ(main.inputs[1].name, "y");
  EXPECT_EQ(main.inputs[1].dtype, 1u);
  ASSERT_EQ(main.inputs[1].rank, 2u);
  EXPECT_EQ(main.inputs[1].dims[0].extent, -1);
  EXPECT_STREQ(main.inputs[1].dims[0].symbol, "n");
  EXPECT_EQ(main.inputs[1].dims[1].extent, 3);
  EXPECT_STREQ(main.inputs[1].dims[1].symbol, "");
  EXPECT_EQ(main.inputs[2].rank, 0u);
  EXPECT_EQ(info->entries[3].kind, uint32_t(BN_ENTRY_CACHED));
  EXPECT_EQ(info->entries[3].tokens, 32);
}

TEST(Model, NeedsNoTokenizer) {
  TestArtifact artifact;
  artifact.tokenizer.clear();
  TemporaryFile file(artifact.build());
  Model model = openModel(file.path());
  EXPECT_EQ(bn_model_get_info(model.get())->tokenizer, nullptr);
  EXPECT_EQ(bn_model_get_info(model.get())->tokenizer_bytes, 0u);
}

TEST(Model, OpensTwiceAtOnce) {
  TemporaryFile file(TestArtifact().build());
  Model first = openModel(file.path());
  Model second = openModel(file.path());
  first.reset();
  EXPECT_NE(createSession(second), nullptr);
}

//===----------------------------------------------------------------------===//
// Bad files
//===----------------------------------------------------------------------===//

TEST(BadModel, Missing) {
  bn_model *model = nullptr;
  bn_status status;
  EXPECT_EQ(bn_model_open("/nonexistent/model.so", nullptr, &model, &status),
            BN_IO);
  EXPECT_TRUE(contains(status.message, "/nonexistent/model.so"));
  EXPECT_EQ(bn_model_open(testing::TempDir().c_str(), nullptr, &model, &status),
            BN_IO);
  EXPECT_TRUE(contains(status.message, "not a regular file"));
  EXPECT_EQ(bn_model_open(nullptr, nullptr, &model, &status), BN_INVALID);
  bn_open_options options = {0, 0};
  EXPECT_EQ(bn_model_open("x", &options, &model, &status), BN_INVALID);
}

TEST(BadModel, TruncatedAnywhere) {
  std::string whole = TestArtifact().build();
  TemporaryFile file;
  bn_model *model = nullptr;
  bn_status status;
  for (size_t length = 0; length < whole.size();
       length += length < 200 || length + 200 > whole.size() ? 1 : 61) {
    file.write(whole.substr(0, length));
    ASSERT_EQ(bn_model_open(file.path(), nullptr, &model, &status), BN_CORRUPT)
        << length;
    ASSERT_TRUE(contains(status.message, "not a bitnet artifact"))
        << status.message;
  }
}

TEST(BadModel, Lengthened) {
  EXPECT_TRUE(contains(openFails(TestArtifact().build() + "x", BN_CORRUPT),
                       "truncated or not a bitnet artifact"));
}

TEST(BadModel, AnyByteFlipped) {
  std::string whole = TestArtifact().build();
  TemporaryFile file;
  bn_model *model = nullptr;
  bn_status status;
  for (size_t at = 0; at < whole.size();
       at += at < 200 || at + 200 > whole.size() ? 1 : 61) {
    std::string changed = whole;
    changed[at] ^= char(1 << at % 8);
    file.write(changed);
    ASSERT_EQ(bn_model_open(file.path(), nullptr, &model, &status), BN_CORRUPT)
        << at;
  }
  std::string changed = whole;
  changed[whole.size() / 2] ^= 1;
  EXPECT_TRUE(contains(openFails(changed, BN_CORRUPT), "digest"));
}

TEST(BadModel, Random) {
  std::mt19937 random(1);
  for (size_t length : {0, 1, 63, 64, 100, 5000, 100000}) {
    std::string contents(length, 0);
    for (char &byte : contents)
      byte = char(random());
    openFails(contents, BN_CORRUPT);
    openFails("\x7f"
              "ELF\x02\x01" +
                  contents,
              BN_CORRUPT);
  }
  // A sound library that is no artifact.
  EXPECT_TRUE(contains(openFails(readFile(BITNET_TEST_IMAGE), BN_CORRUPT),
                       "not a bitnet artifact"));
  EXPECT_TRUE(contains(openFails(seal(readFile(BITNET_TEST_IMAGE)), BN_CORRUPT),
                       "sections are missing"));
}

TEST(BadModel, OtherMachine) {
  TestArtifact artifact;
  const uint16_t other =
#if defined(__aarch64__)
      EM_X86_64;
#else
      EM_AARCH64;
#endif
  std::memcpy(&artifact.image[offsetof(Elf64_Ehdr, e_machine)], &other, 2);
  std::string message = openFails(artifact.build(), BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "compiled for ")) << message;
  EXPECT_TRUE(contains(message, "x86_64")) << message;
  EXPECT_TRUE(contains(message, "aarch64")) << message;

  TemporaryFile file(artifact.build());
  bn_open_options options = {sizeof(options), true};
  bn_model *inspected = nullptr;
  ASSERT_EQ(bn_model_open(file.path(), &options, &inspected, nullptr), BN_OK);
  Model model(inspected);
  EXPECT_EQ(bn_model_get_info(inspected)->entry_count, 4u);
  EXPECT_FALSE(bn_model_get_info(inspected)->variants[0].runnable);
  bn_session *session = nullptr;
  bn_status status;
  EXPECT_EQ(bn_session_create(inspected, nullptr, &session, &status),
            BN_INVALID);
  EXPECT_TRUE(contains(status.message, "inspection"));
}

TEST(BadModel, OtherVersion) {
  TestArtifact artifact;
  artifact.manifestVersion = 99;
  EXPECT_TRUE(
      contains(openFails(artifact.build(), BN_UNSUPPORTED), "version 99"));
}

TEST(BadModel, NoQueryFunction) {
  TestArtifact artifact;
  for (size_t at;
       (at = artifact.image.find("bitnet_query")) != std::string::npos;)
    artifact.image[at] = 'B';
  EXPECT_TRUE(
      contains(openFails(artifact.build(), BN_CORRUPT), "bitnet_query"));
}

TEST(BadModel, SectionsOutsideTheFile) {
  std::string whole = TestArtifact().build();
  std::string contents = whole.substr(0, whole.size() - sizeof(bn_seal));
  Elf64_Ehdr header;
  std::memcpy(&header, contents.data(), sizeof(header));
  const unsigned manifest = header.e_shnum - 3, tokenizer = manifest + 1;
  for (unsigned i = 0; i < header.e_shnum; ++i)
    for (size_t field :
         {offsetof(Elf64_Shdr, sh_name), offsetof(Elf64_Shdr, sh_offset),
          offsetof(Elf64_Shdr, sh_size)}) {
      std::string changed = contents;
      std::memset(&changed[header.e_shoff + i * sizeof(Elf64_Shdr) + field],
                  0xff, 4);
      changed = seal(changed);
      // Other sections than ours do not concern the runtime, and a tokenizer
      // without its name is none.
      bool matters = i >= manifest || i == header.e_shstrndx;
      if (field == offsetof(Elf64_Shdr, sh_name))
        matters = i >= manifest && i != tokenizer;
      if (matters) {
        openFails(changed, BN_CORRUPT);
      } else {
        TemporaryFile file(changed);
        EXPECT_NE(openModel(file.path()), nullptr) << "section " << i;
      }
    }
}

//===----------------------------------------------------------------------===//
// Bad manifests
//===----------------------------------------------------------------------===//

TEST(BadManifest, TruncatedAnywhere) {
  TestArtifact artifact;
  std::string manifest = artifact.manifest();
  for (size_t length = 1; length < manifest.size(); length += 3)
    ASSERT_TRUE(contains(
        openFails(artifact.build(manifest.substr(0, length)), BN_CORRUPT),
        "manifest is malformed"));
  openFails(artifact.build(manifest + "x"), BN_CORRUPT);
}

TEST(BadManifest, AnyByteChanged) {
  // Many changes are harmless (a letter of a name): nothing must crash.
  TestArtifact artifact;
  std::string manifest = artifact.manifest();
  TemporaryFile file;
  bn_open_options options = {sizeof(options), true};
  for (size_t at = 0; at < manifest.size(); ++at)
    for (char value : {'\xff', '\0', '\x7f'}) {
      std::string changed = manifest;
      changed[at] = value;
      file.write(artifact.build(changed));
      bn_model *model = nullptr;
      bn_status status;
      int32_t code = bn_model_open(file.path(), &options, &model, &status);
      ASSERT_TRUE(code == BN_OK || code == BN_CORRUPT || code == BN_UNSUPPORTED)
          << at << ": " << status.message;
      bn_model_close(model);
    }
}

TEST(BadManifest, HugeCounts) {
  TestArtifact artifact;
  artifact.variants = {str("v") + u32(0xffffffff)};
  openFails(artifact.build(), BN_CORRUPT);
  artifact = TestArtifact();
  artifact.entries[0] =
      str("main") + u32(0) + u64(0) + u64(0) + u32(0x7fffffff);
  openFails(artifact.build(), BN_CORRUPT);
  artifact.entries[0] = u32(0xfffffff0);
  openFails(artifact.build(), BN_CORRUPT);
}

TEST(BadManifest, Kernels) {
  auto with = [](const std::string &variant) {
    TestArtifact artifact;
    artifact.kernels = std::string(64, 'x') + "code";
    artifact.variants.push_back(variant);
    return artifact.build();
  };
  auto onVulkan = [&](const std::string &kernel) {
    return with(variant("gpu", {}, BN_DEVICE_VULKAN, {kernel}));
  };
  std::string good = kernel("k", std::string("\0\3", 2), 64, 4, 32);
  TemporaryFile file(onVulkan(good));
  Model model = openModel(file.path());
  const bn_variant_info &info = bn_model_get_info(model.get())->variants[3];
  EXPECT_EQ(info.device, uint32_t(BN_DEVICE_VULKAN));
  EXPECT_EQ(info.kernel_count, 1u);

  std::string outside = "lies outside its section";
  for (const std::string &bad :
       {kernel("k", "", 64, 5), kernel("k", "", 0, 0), kernel("k", "", 32, 4),
        kernel("k", "", 128, 0), kernel("k", "", 64, UINT64_MAX),
        kernel("k", "", UINT64_MAX - 63, 4)})
    EXPECT_TRUE(contains(openFails(onVulkan(bad), BN_CORRUPT), outside));
  EXPECT_TRUE(
      contains(openFails(onVulkan(kernel("k", "\4", 64, 4)), BN_CORRUPT),
               "unknown kind"));
  EXPECT_TRUE(contains(
      openFails(onVulkan(kernel("k", "", 64, 4, /*block=*/0)), BN_CORRUPT),
      "empty block"));
  EXPECT_TRUE(contains(openFails(with(variant("gpu", {}, 4)), BN_CORRUPT),
                       "unknown device"));
  EXPECT_TRUE(contains(
      openFails(with(variant("gpu", {}, BN_DEVICE_NONE, {good})), BN_CORRUPT),
      "no device"));
  EXPECT_TRUE(contains(
      openFails(with(variant("gpu", {}, BN_DEVICE_CUDA, {good})), BN_CORRUPT),
      "does not end in a NUL"));
}

TEST(BadManifest, ContradictsItself) {
  TestArtifact artifact;
  artifact.entries.clear();
  openFails(artifact.build(), BN_CORRUPT);
  artifact = TestArtifact();
  artifact.variants.clear();
  openFails(artifact.build(), BN_CORRUPT);
  artifact = TestArtifact();
  artifact.stopTokens = {"two"};
  EXPECT_TRUE(contains(openFails(artifact.build(), BN_CORRUPT), "stop token"));
  artifact = TestArtifact();
  artifact.vocabulary = 0;
  EXPECT_TRUE(
      contains(openFails(artifact.build(), BN_CORRUPT), "entry of a decoder"));
  artifact = TestArtifact();
  artifact.maxContext = 31; // less than a chunk
  openFails(artifact.build(), BN_CORRUPT);
  artifact = TestArtifact();
  artifact.cacheBytes = UINT64_MAX;
  openFails(artifact.build(), BN_CORRUPT);
  artifact = TestArtifact();
  std::string manifest = artifact.manifest();
  artifact.archive += "more";
  EXPECT_TRUE(contains(openFails(artifact.build(manifest), BN_CORRUPT),
                       "archive has 12 bytes where the manifest says 8"));
}

} // namespace
