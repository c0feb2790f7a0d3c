//===- TestArtifact.h - Artifacts made by hand ------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TEST_UNIT_RUNTIME_TESTARTIFACT_H
#define BITNET_TEST_UNIT_RUNTIME_TESTARTIFACT_H

#include "bitnet/runtime.h"

#include <memory>
#include <string>
#include <vector>

namespace bitnet_test {

/// A name in the temporary directory, whose file is removed in the end.
class TemporaryFile {
public:
  TemporaryFile();
  explicit TemporaryFile(const std::string &contents);
  TemporaryFile(const TemporaryFile &) = delete;
  ~TemporaryFile();

  void write(const std::string &contents) const;
  const char *path() const { return name.c_str(); }

private:
  std::string name;
};

std::string readFile(const std::string &path);

/// Little-endian primitives of the manifest.
std::string u32(uint32_t value);
std::string u64(uint64_t value);
std::string str(const std::string &value);
/// A list's count and its elements.
std::string list(const std::vector<std::string> &elements);
std::string tensor(const std::string &name, uint32_t dtype,
                   const std::vector<std::string> &dims);
/// `features` and `kernels` are lists' elements.
std::string variant(const std::string &name,
                    const std::vector<std::string> &features = {},
                    uint32_t device = BN_DEVICE_NONE,
                    const std::vector<std::string> &kernels = {});
/// `arguments` are the kinds, a byte each.
std::string kernel(const std::string &name, const std::string &arguments,
                   uint64_t codeOffset, uint64_t codeBytes, uint32_t block = 1);
std::string fixedDim(int64_t extent);
std::string dynamicDim(const std::string &symbol);

/// The parts of the artifact of Inputs/TestModel.c, each of which a test may
/// replace.
struct TestArtifact {
  TestArtifact();

  std::string image, tokenizer, kernels, archive;
  uint32_t manifestVersion = BN_ABI_VERSION;
  int64_t maxContext = 70, vocabulary = 16;
  uint64_t cacheBytes = 70 * sizeof(int64_t);
  std::vector<std::string> stopTokens{"2", "15"};
  std::vector<std::string> variants, entries;

  std::string manifest() const;
  std::string build() const { return build(manifest()); }
  /// With another manifest than its own.
  std::string build(const std::string &manifest) const;
};

/// A cached entry of the test model.
std::string cachedEntry(const std::string &name, int64_t tokens,
                        uint32_t kind = BN_ENTRY_CACHED);

/// Ends a file with a seal.
std::string seal(std::string contents);

struct CloseModel {
  void operator()(bn_model *model) const { bn_model_close(model); }
};
using Model = std::unique_ptr<bn_model, CloseModel>;

struct CloseSession {
  void operator()(bn_session *session) const { bn_session_close(session); }
};
using Session = std::unique_ptr<bn_session, CloseSession>;

/// Opens a file, and expects that to succeed.
Model openModel(const char *path);
/// The same for a session.
Session createSession(const Model &model, int threads = 1,
                      const char *variant = nullptr);

} // namespace bitnet_test

#endif // BITNET_TEST_UNIT_RUNTIME_TESTARTIFACT_H
