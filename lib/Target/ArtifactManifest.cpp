//===- ArtifactManifest.cpp - The manifest's encoding
//-------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Artifact.h"

#include "llvm/Support/EndianStream.h"
#include "llvm/Support/raw_ostream.h"

using namespace bitnet;

namespace {

/// Writes the primitives that bitnet/artifact.h defines.
class ManifestWriter {
public:
  explicit ManifestWriter(llvm::raw_ostream &os)
      : os(os), writer(os, llvm::endianness::little) {}

  void u32(uint32_t value) { writer.write<uint32_t>(value); }
  void u64(uint64_t value) { writer.write<uint64_t>(value); }
  void i64(int64_t value) { writer.write<int64_t>(value); }

  void str(llvm::StringRef value) {
    u32(value.size());
    os << value;
  }

  template <typename T, typename Fn>
  void list(const std::vector<T> &values, Fn &&write) {
    u32(values.size());
    for (const T &value : values)
      write(value);
  }

  void tensor(const ArtifactTensor &tensor) {
    str(tensor.name);
    u32(tensor.dtype);
    list(tensor.dims, [&](const ArtifactDim &dim) {
      i64(dim.extent);
      str(dim.symbol);
    });
  }

  void variant(const ArtifactVariant &variant) {
    str(variant.name);
    list(variant.features, [&](const std::string &name) { str(name); });
  }

  void entry(const ArtifactEntry &entry) {
    str(entry.name);
    u32(entry.kind);
    i64(entry.tokens);
    u64(entry.workspaceBytes);
    u64(entry.macs);
    auto write = [&](const ArtifactTensor &value) { tensor(value); };
    list(entry.inputs, write);
    list(entry.outputs, write);
  }

private:
  llvm::raw_ostream &os;
  llvm::support::endian::Writer writer;
};

} // namespace

std::string bitnet::serializeManifest(const ArtifactManifest &manifest,
                                      uint64_t archiveBytes,
                                      uint64_t weightBytes) {
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  ManifestWriter writer(os);
  writer.u32(BN_MANIFEST_MAGIC);
  writer.u32(BN_ABI_VERSION);
  writer.str(manifest.producer);
  writer.str(manifest.triple);
  writer.u64(archiveBytes);
  writer.u64(weightBytes);
  writer.i64(manifest.maxContext);
  writer.i64(manifest.vocabulary);
  writer.list(manifest.stopTokens,
              [&](int64_t token) { writer.str(std::to_string(token)); });
  writer.list(manifest.variants,
              [&](const ArtifactVariant &variant) { writer.variant(variant); });
  writer.list(manifest.states, [&](const ArtifactState &state) {
    writer.str(state.name);
    writer.u64(state.bytes);
  });
  writer.list(manifest.entries,
              [&](const ArtifactEntry &entry) { writer.entry(entry); });
  return bytes;
}
