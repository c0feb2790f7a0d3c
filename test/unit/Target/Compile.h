//===- Compile.h - Compiling small modules for tests ------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TEST_UNIT_TARGET_COMPILE_H
#define BITNET_TEST_UNIT_TARGET_COMPILE_H

#include "bitnet/artifact.h"

#include <memory>
#include <string>
#include <vector>

namespace bitnet::test {

/// The variants of which this machine can run code.
std::vector<std::string> getRunnableTargets();

/// A compiled module, loaded into this process.
class Program {
public:
  /// Compiles a module at the end of the loops phase for these targets, links
  /// and loads it. On failure the diagnostics are in getError().
  Program(const std::string &source, const std::string &targets);
  ~Program();
  const std::string &getError() const { return error; }
  const std::string &getPath() const { return path; }
  bn_entry_fn getEntry(uint32_t variant, uint32_t entry,
                       uint32_t version = BN_ABI_VERSION) const;

private:
  std::string error, path;
  void *library = nullptr;
  bn_query_fn query = nullptr;
};

/// An environment over malloc that runs parallel loops in pieces.
class Host {
public:
  Host();
  ~Host();
  /// Allocations that succeed before NULL is returned.
  int allowed = 1 << 20;
  int released = 0;
  int64_t parallelCounts = 0;
  std::vector<void *> memory;
  bn_environment environment;
};

} // namespace bitnet::test

#endif // BITNET_TEST_UNIT_TARGET_COMPILE_H
