//===- Artifact.h - Writing artifacts ------------------------------*- C++
//-*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An artifact is a linked ELF64 image to which the manifest, the tokenizer, the
// kernels and the weights are added as sections, sealed by a digest. The format
// is described in bitnet/artifact.h, which the runtime shares.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_ARTIFACT_H
#define BITNET_TARGET_ARTIFACT_H

#include "bitnet/artifact.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bitnet {

//===----------------------------------------------------------------------===//
// Manifest
//===----------------------------------------------------------------------===//

/// A dimension: fixed, or dynamic and then perhaps named.
struct ArtifactDim {
  int64_t extent = -1;
  std::string symbol;
};

struct ArtifactTensor {
  std::string name;
  uint32_t dtype = 0; // ONNX's TensorProto.DataType
  std::vector<ArtifactDim> dims;
};

/// A function that runs on a device.
struct ArtifactKernel {
  std::string name;                          // the entry point in its code
  std::array<uint32_t, 3> block = {1, 1, 1}; // work items of a workgroup
  uint32_t sharedBytes = 0; // of workgroup memory beyond what the code declares
  std::vector<bn_argument_kind> arguments = {};
  size_t code = 0; // which of the variant's codes
};

/// The code for one level of CPU features, or for a kind of device.
struct ArtifactVariant {
  std::string name;
  std::vector<std::string> features; // in LLVM's spelling, or the device's
  bn_device_kind device = BN_DEVICE_NONE;
  std::vector<ArtifactKernel> kernels =
      {};                              // in the order that the host code knows
  std::vector<std::string> codes = {}; // PTX texts, or SPIR-V modules
};

/// Memory that a session keeps between calls, such as a cache tensor.
struct ArtifactState {
  std::string name;
  uint64_t bytes = 0;
};

struct ArtifactEntry {
  std::string name;
  bn_entry_kind kind = BN_ENTRY_MAIN;
  int64_t tokens = 0; // of a cached entry
  uint64_t workspaceBytes = 0;
  uint64_t macs = 0; // multiply-adds of a call's matmuls; 0: unknown
  /// Bytes of the archive that a call reads; of a screened head nothing.
  uint64_t weightBytes = 0;
  std::vector<ArtifactTensor> inputs, outputs;
};

/// What a model is. The sizes of the archive are the ArchiveSource's.
struct ArtifactManifest {
  std::string producer, triple;
  int64_t maxContext = 0; // 0: no cache
  int64_t vocabulary = 0; // 0: no logits
  std::vector<int64_t> stopTokens;
  std::vector<ArtifactVariant> variants; // the best last
  std::vector<ArtifactState> states;
  std::vector<ArtifactEntry> entries;
};

/// The manifest's bytes in the file.
std::string serializeManifest(const ArtifactManifest &manifest,
                              uint64_t archiveBytes, uint64_t weightBytes);

/// The codes of all kernels, as the manifest refers to them.
std::string serializeKernels(const ArtifactManifest &manifest);

//===----------------------------------------------------------------------===//
// Archive
//===----------------------------------------------------------------------===//

/// The weights, as pieces that are produced only when they are written, so that
/// the archive need never be in memory as a whole.
class ArchiveSource {
public:
  /// Takes the next bytes of a piece.
  using Sink = llvm::function_ref<void(llvm::ArrayRef<char>)>;
  /// Gives a piece to the sink, in as many parts as it likes.
  using Producer = std::function<llvm::Error(Sink)>;

  struct Piece {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    Producer produce;
  };

  /// Adds a piece behind the others, aligned; returns its offset. The bytes
  /// must live until the artifact is written.
  uint64_t append(llvm::ArrayRef<char> bytes);
  uint64_t append(uint64_t bytes, Producer produce);

  /// Adds a piece whose offset is already known to the code. Pieces may be
  /// added in any order, but must be aligned to BN_ALIGNMENT and not overlap;
  /// that is checked as the artifact is written.
  void insert(uint64_t offset, llvm::ArrayRef<char> bytes);
  void insert(uint64_t offset, uint64_t bytes, Producer produce);

  llvm::ArrayRef<Piece> getPieces() const { return pieces; }
  /// The end of the last piece.
  uint64_t getBytes() const { return end; }
  /// The bytes of all pieces, without the gaps between them.
  uint64_t getWeightBytes() const { return weightBytes; }

private:
  std::vector<Piece> pieces;
  uint64_t end = 0, weightBytes = 0;
};

//===----------------------------------------------------------------------===//
// Artifact
//===----------------------------------------------------------------------===//

/// Writes an artifact: `linkedImage`, a little-endian ELF64 shared object, then
/// the sections. An empty `tokenizerJson` leaves the tokenizer out. The file
/// appears under its name only once it is complete.
llvm::Error writeArtifact(llvm::StringRef outputPath,
                          llvm::MemoryBufferRef linkedImage,
                          const ArtifactManifest &manifest,
                          llvm::StringRef tokenizerJson,
                          const ArchiveSource &archive);

} // namespace bitnet

#endif // BITNET_TARGET_ARTIFACT_H
