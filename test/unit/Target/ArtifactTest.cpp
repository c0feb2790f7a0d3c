//===- ArtifactTest.cpp - Writing artifacts, and reading them back --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Artifact.h"

#include "TestArtifact.h"

#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <gtest/gtest.h>

using namespace bitnet;
using namespace bitnet_test;

namespace {

/// The manifest of the test model, as the compiler has it.
ArtifactManifest makeManifest() {
  ArtifactManifest manifest;
  manifest.producer = "a unit test";
  manifest.triple = "x86_64-unknown-linux-gnu";
  manifest.maxContext = 70;
  manifest.vocabulary = 16;
  manifest.stopTokens = {2, 11};
  manifest.variants = {{"base", {}}, {"best", {"imaginary"}}};
  manifest.states = {{"unused", 3}, {"cache", 70 * sizeof(int64_t)}};
  ArtifactEntry main;
  main.name = "main";
  main.workspaceBytes = 64;
  main.inputs = {{"x", 1, {{-1, "n"}, {3, ""}}},
                 {"y", 1, {{-1, "n"}, {3, ""}}},
                 {"pick", 7, {}}};
  main.outputs = {{"z", 1, {{-1, "n"}, {3, ""}}}, {"row", 1, {{3, ""}}}};
  ArtifactEntry chunk;
  chunk.name = "chunk";
  chunk.kind = BN_ENTRY_CACHED;
  chunk.tokens = 8;
  chunk.workspaceBytes = 8 * 16 * sizeof(float);
  chunk.macs = 12345;
  chunk.inputs = {{"tokens", 7, {{1, ""}, {8, ""}}}};
  chunk.outputs = {{"logits", 1, {{1, ""}, {8, ""}, {16, ""}}}};
  manifest.entries = {main, chunk};
  return manifest;
}

llvm::ArrayRef<char> bytesOf(const std::string &text) {
  return llvm::ArrayRef<char>(text.data(), text.size());
}

class ArtifactTest : public testing::Test {
protected:
  ArtifactTest() {
    llvm::SmallString<128> path(testing::TempDir());
    llvm::sys::fs::createUniqueDirectory(path + "bitnet-artifact", folder);
    output = (folder + "/model.so").str();
  }
  ~ArtifactTest() override { llvm::sys::fs::remove_directories(folder); }

  /// The message, empty on success.
  std::string write(const ArchiveSource &archive,
                    const std::string &tokenizer = "{}") {
    return llvm::toString(writeArtifact(output,
                                        llvm::MemoryBufferRef(image, "image"),
                                        manifest, tokenizer, archive));
  }

  /// The names in the folder.
  std::vector<std::string> files() {
    std::vector<std::string> names;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(folder, code), end;
         it != end && !code; it.increment(code))
      names.push_back(llvm::sys::path::filename(it->path()).str());
    return names;
  }

  ArchiveSource makeArchive() {
    ArchiveSource archive;
    archive.append(bytesOf(weights));
    return archive;
  }

  llvm::SmallString<128> folder;
  std::string output;
  ArtifactManifest manifest = makeManifest();
  std::string image = readFile(BITNET_TEST_IMAGE);
  std::string weights{"\0\0\0\x3f\0\0\x80\x3f", 8}; // 0.5 and 1
};

TEST_F(ArtifactTest, ManifestRoundTrip) {
  ASSERT_EQ(write(makeArchive(), "{\"a\": 1}"), "");
  EXPECT_EQ(files(), std::vector<std::string>{"model.so"});
  Model model = openModel(output.c_str());
  ASSERT_NE(model, nullptr);
  const bn_model_info *info = bn_model_get_info(model.get());
  EXPECT_STREQ(info->producer, "a unit test");
  EXPECT_STREQ(info->triple, "x86_64-unknown-linux-gnu");
  EXPECT_EQ(info->archive_bytes, 8u);
  EXPECT_EQ(info->weight_bytes, 8u);
  EXPECT_EQ(info->max_context, 70);
  EXPECT_EQ(info->vocabulary, 16);
  ASSERT_EQ(info->stop_token_count, 2u);
  EXPECT_EQ(info->stop_tokens[1], 11);
  EXPECT_EQ(info->state_bytes, 563u);
  EXPECT_EQ(std::string(info->tokenizer, info->tokenizer_bytes), "{\"a\": 1}");
  ASSERT_EQ(info->variant_count, 2u);
  EXPECT_STREQ(info->variants[1].name, "best");
  ASSERT_EQ(info->variants[1].feature_count, 1u);
  EXPECT_STREQ(info->variants[1].features[0], "imaginary");
  ASSERT_EQ(info->entry_count, 2u);
  ASSERT_EQ(info->entries[0].input_count, 3u);
  EXPECT_STREQ(info->entries[0].inputs[0].dims[0].symbol, "n");
  EXPECT_EQ(info->entries[0].inputs[0].dims[1].extent, 3);
  EXPECT_EQ(info->entries[0].inputs[2].rank, 0u);
  EXPECT_EQ(info->entries[0].inputs[2].dtype, 7u);
  EXPECT_STREQ(info->entries[0].outputs[1].name, "row");
  EXPECT_EQ(info->entries[1].kind, uint32_t(BN_ENTRY_CACHED));
  EXPECT_EQ(info->entries[1].tokens, 8);
  EXPECT_EQ(info->entries[1].workspace_bytes, 512u);
  EXPECT_EQ(info->entries[1].macs, 12345u);
}

TEST_F(ArtifactTest, Runs) {
  ASSERT_EQ(write(makeArchive()), "");
  Session session = createSession(openModel(output.c_str()));
  float x[] = {1, 2, 3}, y[] = {10, 20, 30};
  int64_t pick = 0;
  bn_tensor inputs[] = {{"x", 1, 2, {1, 3}, x},
                        {"y", 1, 2, {1, 3}, y},
                        {"pick", 7, 0, {}, &pick}};
  bn_tensor outputs[2];
  bn_status status;
  ASSERT_EQ(bn_session_run(session.get(), inputs, 3, outputs, 2, &status),
            BN_OK)
      << status.message;
  // The archive's first weight is 0.5.
  EXPECT_EQ(static_cast<float *>(outputs[0].data)[2], 18.0f);
  const int64_t tokens[] = {1, 2, 3};
  const float *logits = nullptr;
  ASSERT_EQ(
      bn_session_append(session.get(), tokens, 3, &logits, nullptr, &status),
      BN_OK)
      << status.message;
  EXPECT_EQ(logits[3], 3.0f);
}

TEST_F(ArtifactTest, SectionsAreWellFormed) {
  ASSERT_EQ(write(makeArchive(), "{}"), "");
  auto file = llvm::MemoryBuffer::getFile(output);
  ASSERT_TRUE(bool(file));
  auto object = llvm::object::ObjectFile::createELFObjectFile(**file);
  if (!object)
    FAIL() << llvm::toString(object.takeError());
  size_t found = 0;
  for (const llvm::object::SectionRef &section : (*object)->sections()) {
    llvm::Expected<llvm::StringRef> name = section.getName();
    ASSERT_TRUE(bool(name)) << llvm::toString(name.takeError());
    llvm::Expected<llvm::StringRef> contents = section.getContents();
    ASSERT_TRUE(bool(contents)) << llvm::toString(contents.takeError());
    if (*name == ".bitnet.archive") {
      EXPECT_EQ((contents->data() - (*file)->getBufferStart()) %
                    BN_ARCHIVE_ALIGNMENT,
                0);
      EXPECT_EQ(contents->str(), weights);
    }
    if (*name == ".bitnet.tokenizer") {
      EXPECT_EQ(contents->str(), "{}");
    }
    EXPECT_TRUE(!name->starts_with(".bitnet") || !section.isText());
    found += name->starts_with(".bitnet");
  }
  EXPECT_EQ(found, 3u);
  // The image itself is as the linker wrote it, but for the header.
  EXPECT_EQ((*file)->getBuffer().slice(64, image.size()),
            llvm::StringRef(image).drop_front(64));
}

//===----------------------------------------------------------------------===//
// Archives
//===----------------------------------------------------------------------===//

TEST_F(ArtifactTest, ArchivePieces) {
  std::string first(100, 'a'), second(64, 'b');
  ArchiveSource archive;
  EXPECT_EQ(archive.append(bytesOf(first)), 0u);
  EXPECT_EQ(archive.append(bytesOf(second)), 128u);
  // In parts, and beyond a gap; then, before it, another.
  archive.insert(1024, 3000, [](ArchiveSource::Sink sink) {
    std::string part(1000, 'c');
    for (int i = 0; i < 3; ++i)
      sink(bytesOf(part));
    return llvm::Error::success();
  });
  archive.insert(512, bytesOf(first));
  archive.insert(512, llvm::ArrayRef<char>()); // empty ones overlap nothing
  EXPECT_EQ(archive.getBytes(), 4024u);
  EXPECT_EQ(archive.getWeightBytes(), 3264u);
  EXPECT_EQ(archive.append(bytesOf(second)), 4032u);
  ASSERT_EQ(write(archive), "");

  Model model = openModel(output.c_str());
  EXPECT_EQ(bn_model_get_info(model.get())->archive_bytes, 4096u);
  EXPECT_EQ(bn_model_get_info(model.get())->weight_bytes, 3328u);
  std::string expected(4096, '\0');
  expected.replace(0, 100, first).replace(128, 64, second);
  expected.replace(512, 100, first).replace(1024, 3000, 3000, 'c');
  expected.replace(4032, 64, second);
  std::string file = readFile(output);
  size_t at = file.find(expected);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(at % BN_ARCHIVE_ALIGNMENT, 0u);
}

TEST_F(ArtifactTest, EmptyArchiveAndTokenizer) {
  ASSERT_EQ(write(ArchiveSource(), ""), "");
  Model model = openModel(output.c_str());
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(bn_model_get_info(model.get())->archive_bytes, 0u);
  EXPECT_EQ(bn_model_get_info(model.get())->tokenizer, nullptr);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

TEST_F(ArtifactTest, KernelsRoundTrip) {
  manifest.variants.push_back({"cuda", {"sm_80"}, BN_DEVICE_CUDA});
  ArtifactVariant &cuda = manifest.variants.back();
  cuda.codes = {"first text", "second"};
  cuda.kernels = {{"one", {32, 2, 1}, 0, {BN_ARGUMENT_BUFFER}, 1},
                  {"two", {64, 1, 1}, 512, {}, 0},
                  {"three", {1, 1, 1}, 0, {BN_ARGUMENT_F32}, 1}};
  manifest.variants.push_back({"vulkan", {"int8"}, BN_DEVICE_VULKAN});
  ArtifactVariant &vulkan = manifest.variants.back();
  vulkan.codes = {"words"};
  vulkan.kernels = {{"one", {8, 1, 1}, 0, {BN_ARGUMENT_I64}, 0}};
  ASSERT_EQ(write(makeArchive()), "");

  Model model = openModel(output.c_str());
  ASSERT_NE(model, nullptr);
  const bn_model_info *info = bn_model_get_info(model.get());
  ASSERT_EQ(info->variant_count, 4u);
  EXPECT_EQ(info->variants[0].device, uint32_t(BN_DEVICE_NONE));
  EXPECT_EQ(info->variants[0].kernel_count, 0u);
  EXPECT_EQ(info->variants[2].device, uint32_t(BN_DEVICE_CUDA));
  EXPECT_EQ(info->variants[2].kernel_count, 3u);
  EXPECT_STREQ(info->variants[2].features[0], "sm_80");
  EXPECT_EQ(info->variants[3].device, uint32_t(BN_DEVICE_VULKAN));
  // The runtime checked where each code lies, and that PTX ends in a NUL.
  std::string codes = serializeKernels(manifest);
  EXPECT_EQ(codes.substr(0, 11), std::string("first text\0", 11));
  EXPECT_EQ(codes.substr(64, 7), std::string("second\0", 7));
  EXPECT_EQ(codes.substr(128), "words");
  EXPECT_NE(readFile(output).find(codes), std::string::npos);
}

TEST_F(ArtifactTest, RefusesBadKernels) {
  manifest.variants.back().kernels = {{"lost"}};
  EXPECT_NE(write(makeArchive()).find("kernels but no device"),
            std::string::npos);
  manifest.variants.back().device = BN_DEVICE_VULKAN;
  EXPECT_NE(write(makeArchive())
                .find("'lost' of the variant 'best' has no "
                      "code"),
            std::string::npos);
  EXPECT_TRUE(files().empty());
}

//===----------------------------------------------------------------------===//
// Failures leave nothing
//===----------------------------------------------------------------------===//

TEST_F(ArtifactTest, RefusesBadPieces) {
  std::string piece(100, 'a');
  auto producerOf = [](uint64_t bytes) {
    return [bytes](ArchiveSource::Sink sink) {
      std::string part(bytes, 'x');
      sink(bytesOf(part));
      return llvm::Error::success();
    };
  };
  ArchiveSource overlapping;
  overlapping.insert(0, bytesOf(piece));
  overlapping.insert(64, bytesOf(piece));
  EXPECT_NE(write(overlapping).find("overlaps"), std::string::npos);
  ArchiveSource misaligned;
  misaligned.insert(8, bytesOf(piece));
  EXPECT_NE(write(misaligned).find("misaligned"), std::string::npos);
  for (uint64_t bytes : {99, 101}) {
    ArchiveSource wrong;
    wrong.append(100, producerOf(bytes));
    EXPECT_NE(write(wrong).find("100 bytes"), std::string::npos);
  }
  ArchiveSource failing;
  failing.append(100, [](ArchiveSource::Sink) {
    return llvm::createStringError("the weights are gone");
  });
  std::string message = write(failing);
  EXPECT_NE(message.find("the weights are gone"), std::string::npos);
  EXPECT_NE(message.find("model.so"), std::string::npos);
  EXPECT_TRUE(files().empty());
}

TEST_F(ArtifactTest, FailureKeepsTheOldFile) {
  ASSERT_EQ(write(makeArchive()), "");
  std::string before = readFile(output);
  ArchiveSource misaligned;
  misaligned.insert(8, bytesOf(weights));
  EXPECT_NE(write(misaligned), "");
  EXPECT_EQ(readFile(output), before);
  EXPECT_EQ(files(), std::vector<std::string>{"model.so"});
}

TEST_F(ArtifactTest, RefusesBadImages) {
  for (std::string bad :
       {std::string(), std::string("text"), std::string(5000, 'x'),
        image.substr(0, 100), image.substr(0, image.size() - 10)}) {
    image = bad;
    EXPECT_NE(write(makeArchive()).find("linked image"), std::string::npos);
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(ArtifactTest, RefusesBadOutputs) {
  output = (folder + "/no/such/folder/model.so").str();
  EXPECT_NE(write(makeArchive()), "");
  output = folder.str().str();
  EXPECT_NE(write(makeArchive()).find("not a regular file"), std::string::npos);
  output = "/dev/null";
  EXPECT_NE(write(makeArchive()).find("not a regular file"), std::string::npos);
  EXPECT_TRUE(files().empty());
}

} // namespace
