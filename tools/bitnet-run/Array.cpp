//===- Array.cpp - Arrays and their files ---------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Array.h"
#include "Error.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <unistd.h>

namespace bitnet::run {

int64_t Array::elementCount() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

namespace {
struct CloseFile {
  void operator()(FILE *file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

[[noreturn]] void fail(const std::string &path, const char *what) {
  throw Error(path + ": cannot be " + what + ": " + strerror(errno));
}
} // namespace

std::string readFile(const std::string &path) {
  File file(fopen(path.c_str(), "rb"));
  if (!file)
    fail(path, "opened");
  std::string content;
  char block[1 << 16];
  while (size_t count = fread(block, 1, sizeof block, file.get()))
    content.append(block, count);
  if (ferror(file.get()))
    fail(path, "read");
  return content;
}

Array readNpy(const std::string &path) {
  return parseNpy(readFile(path), path);
}

/// Where symbolic links lead, whether something is there or not.
static std::string followLinks(const std::string &path) {
  std::filesystem::path place(path);
  std::error_code code;
  for (int links = 0; links < 40 && std::filesystem::is_symlink(place, code);
       ++links)
    place = place.parent_path() / std::filesystem::read_symlink(place, code);
  return place.string();
}

void writeFile(const std::string &path, std::string_view bytes) {
  // Renaming would replace a link, or a pipe, instead of writing to it.
  std::string place = followLinks(path);
  std::error_code code;
  if (std::filesystem::exists(place, code) &&
      !std::filesystem::is_regular_file(place, code)) {
    errno = EINVAL;
    fail(path, "written, it is no regular file");
  }
  std::string temporary = place + ".tmp" + std::to_string(getpid());
  File file(fopen(temporary.c_str(), "wb"));
  if (!file)
    fail(path, "written");
  bool good = fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  good &= fclose(file.release()) == 0;
  if (good && rename(temporary.c_str(), place.c_str()) == 0)
    return;
  int error = errno;
  remove(temporary.c_str());
  errno = error;
  fail(path, "written");
}

std::string fileNameOf(std::string_view tensor) {
  std::string name(tensor);
  for (char &c : name) {
    bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!kept)
      c = '_';
  }
  return name + ".npy";
}

} // namespace bitnet::run
