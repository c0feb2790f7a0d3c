//===- OutputFile.cpp - Writing the files that are asked for --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <filesystem>

using namespace bitnet;
namespace fs = llvm::sys::fs;

/// Where symbolic links lead, whether something is there or not.
static std::error_code followLinks(llvm::StringRef path, std::string &real) {
  std::filesystem::path place(path.str());
  std::error_code code;
  // As many as Linux follows.
  for (int links = 0; links < 40; ++links) {
    if (!std::filesystem::is_symlink(place, code)) {
      real = place.string();
      return {};
    }
    std::filesystem::path next = std::filesystem::read_symlink(place, code);
    if (code)
      return code;
    // An absolute path replaces what it is appended to.
    place = place.parent_path() / next;
  }
  return std::make_error_code(std::errc::too_many_symbolic_link_levels);
}

namespace {
struct Place {
  std::string path;
  bool isStream; /// There is something that cannot be replaced.
};
} // namespace

static std::error_code findPlace(llvm::StringRef path, Place &place) {
  fs::file_status status;
  bool exists = !fs::status(path, status);
  if (exists && status.type() == fs::file_type::directory_file)
    return std::make_error_code(std::errc::is_a_directory);
  place.isStream = exists && status.type() != fs::file_type::regular_file;
  place.path = path.str();
  return place.isStream ? std::error_code() : followLinks(path, place.path);
}

/// Linux may cache what is written at once, and aligned, in one piece. Where
/// that is a huge page, a mapped artifact is read a sixth faster.
static constexpr size_t hugePage = 2 << 20;

static llvm::Error
writeTo(int descriptor,
        llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write) {
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/false);
  os.SetBufferSize(hugePage);
  llvm::Error error = write(os);
  os.flush();
  std::error_code code = os.error();
  os.clear_error();
  if (error)
    return error;
  return llvm::errorCodeToError(code);
}

llvm::Error bitnet::writeOutputFile(
    llvm::StringRef path,
    llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write) {
  Place place;
  if (std::error_code code = findPlace(path, place))
    return llvm::createFileError(path, code);
  if (place.isStream) {
    int descriptor;
    if (std::error_code code = fs::openFileForWrite(
            path, descriptor, fs::CD_OpenExisting, fs::OF_None))
      return llvm::createFileError(path, code);
    llvm::Error error = writeTo(descriptor, write);
    fs::file_t file = fs::convertFDToNativeFile(descriptor);
    (void)fs::closeFile(file);
    return error ? llvm::createFileError(path, std::move(error))
                 : llvm::Error::success();
  }
  llvm::Expected<fs::TempFile> file =
      fs::TempFile::create(place.path + ".%%%%%%.tmp", fs::all_all);
  if (!file)
    return llvm::createFileError(path, file.takeError());
  if (llvm::Error error = writeTo(file->FD, write)) {
    llvm::consumeError(file->discard());
    return llvm::createFileError(path, std::move(error));
  }
  if (llvm::Error error = file->keep(place.path))
    return llvm::createFileError(path, std::move(error));
  return llvm::Error::success();
}

std::error_code bitnet::probeOutputFile(llvm::StringRef path) {
  Place place;
  std::error_code code = findPlace(path, place);
  if (code || place.isStream)
    return code;
  llvm::SmallString<256> name;
  int descriptor;
  code = fs::createUniqueFile(place.path + ".%%%%%%.tmp", descriptor, name);
  if (code)
    return code;
  fs::file_t file = fs::convertFDToNativeFile(descriptor);
  (void)fs::closeFile(file);
  return fs::remove(name);
}

void bitnet::removeOutputFile(llvm::StringRef path) {
  Place place;
  if (!findPlace(path, place) && !place.isStream)
    (void)fs::remove(place.path);
}
