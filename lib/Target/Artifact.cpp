//===- Artifact.cpp - Writing artifacts -----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Artifact.h"
#include "bitnet/Target/OutputFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFTypes.h"
#include "llvm/Support/Errc.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <tuple>

using namespace bitnet;

using ELFHeader = llvm::object::ELF64LE::Ehdr;
using ELFSection = llvm::object::ELF64LE::Shdr;

//===----------------------------------------------------------------------===//
// ArchiveSource
//===----------------------------------------------------------------------===//

static ArchiveSource::Producer produceBytes(llvm::ArrayRef<char> bytes) {
  return [bytes](ArchiveSource::Sink sink) -> llvm::Error {
    sink(bytes);
    return llvm::Error::success();
  };
}

uint64_t ArchiveSource::append(llvm::ArrayRef<char> bytes) {
  return append(bytes.size(), produceBytes(bytes));
}

uint64_t ArchiveSource::append(uint64_t bytes, Producer produce) {
  uint64_t offset = llvm::alignTo(end, BN_ALIGNMENT);
  insert(offset, bytes, std::move(produce));
  return offset;
}

void ArchiveSource::insert(uint64_t offset, llvm::ArrayRef<char> bytes) {
  insert(offset, bytes.size(), produceBytes(bytes));
}

void ArchiveSource::insert(uint64_t offset, uint64_t bytes, Producer produce) {
  pieces.push_back({offset, bytes, std::move(produce)});
  end = std::max(end, offset + bytes);
  weightBytes += bytes;
}

//===----------------------------------------------------------------------===//
// Sealed output
//===----------------------------------------------------------------------===//

namespace {

/// Writes to a file, hashing what it writes.
class SealedStream {
public:
  explicit SealedStream(llvm::raw_ostream &os) : os(os) {
    XXH3_64bits_reset(&state);
  }

  void write(llvm::ArrayRef<char> bytes) {
    os.write(bytes.data(), bytes.size());
    XXH3_64bits_update(&state, bytes.data(), bytes.size());
    position += bytes.size();
  }

  void write(llvm::StringRef bytes) {
    write(llvm::ArrayRef<char>(bytes.data(), bytes.size()));
  }

  template <typename T> void writeObject(const T &object) {
    write(llvm::ArrayRef<char>(reinterpret_cast<const char *>(&object),
                               sizeof(object)));
  }

  /// Writes zeros up to `offset`, which must not lie behind.
  void padTo(uint64_t offset) {
    static const char zeros[256] = {};
    while (position < offset)
      write(llvm::ArrayRef<char>(
          zeros, std::min<uint64_t>(offset - position, sizeof(zeros))));
  }

  /// Ends the file.
  void seal() {
    bn_seal seal;
    seal.magic = BN_SEAL_MAGIC;
    seal.file_bytes = position + sizeof(seal);
    seal.digest = XXH3_64bits_digest(&state);
    writeObject(seal);
  }

  uint64_t getPosition() const { return position; }

private:
  llvm::raw_ostream &os;
  XXH3_state_t state;
  uint64_t position = 0;
};

//===----------------------------------------------------------------------===//
// ELF
//===----------------------------------------------------------------------===//

/// The parts of the linked image that change.
struct LinkedImage {
  ELFHeader header;
  llvm::SmallVector<ELFSection> sections;
  std::string sectionNames;
};

/// The bytes of the sections that come before the archive.
struct Payload {
  std::string manifest;
  llvm::StringRef tokenizer;
  std::string kernels;
};

} // namespace

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::errc::invalid_argument, message);
}

static llvm::Expected<LinkedImage> readLinkedImage(llvm::StringRef bytes) {
  LinkedImage image;
  auto error = [] {
    return makeError("the linked image is not a little-endian ELF64 file with "
                     "section headers");
  };
  if (bytes.size() < sizeof(ELFHeader))
    return error();
  std::memcpy(&image.header, bytes.data(), sizeof(ELFHeader));
  const ELFHeader &header = image.header;
  if (!header.checkMagic() || header.getFileClass() != llvm::ELF::ELFCLASS64 ||
      header.getDataEncoding() != llvm::ELF::ELFDATA2LSB ||
      header.e_shentsize != sizeof(ELFSection) || header.e_shnum == 0 ||
      header.e_shstrndx >= header.e_shnum || header.e_shoff > bytes.size() ||
      header.e_shnum * sizeof(ELFSection) > bytes.size() - header.e_shoff)
    return error();
  image.sections.resize(header.e_shnum);
  std::memcpy(image.sections.data(), bytes.data() + header.e_shoff,
              header.e_shnum * sizeof(ELFSection));
  const ELFSection &names = image.sections[header.e_shstrndx];
  if (names.sh_offset > bytes.size() ||
      names.sh_size > bytes.size() - names.sh_offset)
    return error();
  image.sectionNames = bytes.substr(names.sh_offset, names.sh_size).str();
  return image;
}

/// Describes bytes of the file that no program loads.
static void addSection(LinkedImage &image, llvm::StringRef name,
                       uint64_t offset, uint64_t bytes, uint64_t alignment) {
  ELFSection section;
  std::memset(&section, 0, sizeof(section));
  section.sh_name = image.sectionNames.size();
  section.sh_type = llvm::ELF::SHT_PROGBITS;
  section.sh_offset = offset;
  section.sh_size = bytes;
  section.sh_addralign = alignment;
  image.sections.push_back(section);
  image.sectionNames.append(name.data(), name.size());
  image.sectionNames.push_back('\0');
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static llvm::Error writePiece(SealedStream &stream,
                              const ArchiveSource::Piece &piece) {
  uint64_t produced = 0;
  llvm::Error error = piece.produce([&](llvm::ArrayRef<char> bytes) {
    produced += bytes.size();
    // What is beyond the piece would lie in the next one.
    if (produced <= piece.bytes)
      stream.write(bytes);
  });
  if (error)
    return error;
  if (produced != piece.bytes)
    return makeError("a weight of " + llvm::Twine(piece.bytes) +
                     " bytes in the archive came as " + llvm::Twine(produced));
  return llvm::Error::success();
}

static llvm::Error writeArchive(SealedStream &stream,
                                const ArchiveSource &archive) {
  uint64_t begin = stream.getPosition();
  llvm::SmallVector<const ArchiveSource::Piece *> pieces;
  for (const ArchiveSource::Piece &piece : archive.getPieces())
    pieces.push_back(&piece);
  // An empty piece may share its offset with the one behind it.
  llvm::sort(pieces, [](const auto *lhs, const auto *rhs) {
    return std::tie(lhs->offset, lhs->bytes) <
           std::tie(rhs->offset, rhs->bytes);
  });
  for (const ArchiveSource::Piece *piece : pieces) {
    uint64_t offset = begin + piece->offset;
    if (piece->offset % BN_ALIGNMENT != 0 || offset < stream.getPosition())
      return makeError("the weight at offset " + llvm::Twine(piece->offset) +
                       " of the archive is misaligned or overlaps another");
    stream.padTo(offset);
    if (llvm::Error error = writePiece(stream, *piece))
      return error;
  }
  return llvm::Error::success();
}

/// Writes the image, with its new header, and the sections behind it. Where
/// they will lie must be known before: the header comes first.
static llvm::Error writeSections(SealedStream &stream, LinkedImage &image,
                                 llvm::StringRef imageBytes,
                                 const Payload &payload,
                                 const ArchiveSource &archive) {
  uint64_t position = llvm::alignTo(imageBytes.size(), BN_ALIGNMENT);
  uint64_t manifestOffset = position;
  addSection(image, ".bitnet.manifest", position, payload.manifest.size(), 1);
  position += payload.manifest.size();
  if (!payload.tokenizer.empty()) {
    addSection(image, ".bitnet.tokenizer", position, payload.tokenizer.size(),
               1);
    position += payload.tokenizer.size();
  }
  uint64_t kernelsOffset = llvm::alignTo(position, BN_ALIGNMENT);
  if (!payload.kernels.empty()) {
    addSection(image, ".bitnet.kernels", kernelsOffset, payload.kernels.size(),
               BN_ALIGNMENT);
    position = kernelsOffset + payload.kernels.size();
  }
  uint64_t archiveOffset = llvm::alignTo(position, BN_ARCHIVE_ALIGNMENT);
  addSection(image, ".bitnet.archive", archiveOffset, archive.getBytes(),
             BN_ARCHIVE_ALIGNMENT);
  uint64_t namesOffset = archiveOffset + archive.getBytes();
  ELFSection &names = image.sections[image.header.e_shstrndx];
  names.sh_offset = namesOffset;
  names.sh_size = image.sectionNames.size();
  image.header.e_shoff = llvm::alignTo(namesOffset + names.sh_size, 8);
  image.header.e_shnum = image.sections.size();

  stream.writeObject(image.header);
  stream.write(imageBytes.drop_front(sizeof(ELFHeader)));
  stream.padTo(manifestOffset);
  stream.write(llvm::StringRef(payload.manifest));
  stream.write(payload.tokenizer);
  if (!payload.kernels.empty()) {
    stream.padTo(kernelsOffset);
    stream.write(llvm::StringRef(payload.kernels));
  }
  stream.padTo(archiveOffset);
  if (llvm::Error error = writeArchive(stream, archive))
    return error;
  stream.padTo(namesOffset);
  stream.write(llvm::StringRef(image.sectionNames));
  stream.padTo(image.header.e_shoff);
  for (const ELFSection &section : image.sections)
    stream.writeObject(section);
  stream.seal();
  return llvm::Error::success();
}

/// What the manifest cannot express must not be written.
static llvm::Error checkKernels(const ArtifactManifest &manifest) {
  for (const ArtifactVariant &variant : manifest.variants) {
    if (variant.device == BN_DEVICE_NONE &&
        !(variant.kernels.empty() && variant.codes.empty()))
      return makeError("the variant '" + variant.name +
                       "' has kernels but no device");
    for (const ArtifactKernel &kernel : variant.kernels)
      if (kernel.code >= variant.codes.size())
        return makeError("the kernel '" + kernel.name + "' of the variant '" +
                         variant.name + "' has no code");
  }
  return llvm::Error::success();
}

llvm::Error bitnet::writeArtifact(llvm::StringRef outputPath,
                                  llvm::MemoryBufferRef linkedImage,
                                  const ArtifactManifest &manifest,
                                  llvm::StringRef tokenizerJson,
                                  const ArchiveSource &archive) {
  // An artifact is mapped, so a pipe or a device holds none.
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(outputPath, status) &&
      status.type() != llvm::sys::fs::file_type::regular_file)
    return llvm::createFileError(outputPath, makeError("not a regular file"));
  llvm::Expected<LinkedImage> image = readLinkedImage(linkedImage.getBuffer());
  if (!image)
    return llvm::createFileError(outputPath, image.takeError());
  if (llvm::Error error = checkKernels(manifest))
    return llvm::createFileError(outputPath, std::move(error));
  Payload payload;
  payload.manifest =
      serializeManifest(manifest, archive.getBytes(), archive.getWeightBytes());
  payload.tokenizer = tokenizerJson;
  payload.kernels = serializeKernels(manifest);
  return writeOutputFile(outputPath, [&](llvm::raw_pwrite_stream &os) {
    SealedStream stream(os);
    return writeSections(stream, *image, linkedImage.getBuffer(), payload,
                         archive);
  });
}
