//===- ArtifactManifest.cpp - The manifest's encoding ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Artifact.h"

#include "llvm/Support/EndianStream.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace bitnet;

namespace {

/// Where a code lies in the section of kernels.
struct CodeRange {
  uint64_t offset, bytes;
};

/// Lays the codes out, one after another.
class CodePlacer {
public:
  CodeRange place(const ArtifactVariant &variant, llvm::StringRef code) {
    // PTX ends in a NUL, which its driver looks for.
    uint64_t bytes = code.size() + (variant.device == BN_DEVICE_CUDA ? 1 : 0);
    CodeRange range = {llvm::alignTo(end, BN_ALIGNMENT), bytes};
    end = range.offset + bytes;
    return range;
  }

private:
  uint64_t end = 0;
};

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

  void variant(const ArtifactVariant &variant, CodePlacer &placer) {
    str(variant.name);
    list(variant.features, [&](const std::string &name) { str(name); });
    u32(variant.device);
    std::vector<CodeRange> codes;
    for (const std::string &code : variant.codes)
      codes.push_back(placer.place(variant, code));
    list(variant.kernels, [&](const ArtifactKernel &kernel) {
      str(kernel.name);
      for (uint32_t extent : kernel.block)
        u32(extent);
      u32(kernel.sharedBytes);
      list(kernel.arguments,
           [&](bn_argument_kind kind) { writer.write<uint8_t>(kind); });
      u64(codes[kernel.code].offset);
      u64(codes[kernel.code].bytes);
    });
  }

  void entry(const ArtifactEntry &entry) {
    str(entry.name);
    u32(entry.kind);
    i64(entry.tokens);
    u64(entry.workspaceBytes);
    u64(entry.macs);
    u64(entry.weightBytes);
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
  CodePlacer placer;
  writer.list(manifest.variants, [&](const ArtifactVariant &variant) {
    writer.variant(variant, placer);
  });
  writer.list(manifest.states, [&](const ArtifactState &state) {
    writer.str(state.name);
    writer.u64(state.bytes);
  });
  writer.list(manifest.entries,
              [&](const ArtifactEntry &entry) { writer.entry(entry); });
  return bytes;
}

std::string bitnet::serializeKernels(const ArtifactManifest &manifest) {
  std::string bytes;
  CodePlacer placer;
  for (const ArtifactVariant &variant : manifest.variants)
    for (const std::string &code : variant.codes) {
      CodeRange range = placer.place(variant, code);
      bytes.resize(range.offset);
      bytes += code;
      bytes.resize(range.offset + range.bytes);
    }
  return bytes;
}
