//===- Linker.cpp - Shared objects without imports ------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/CodeGen.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

using namespace llvm;

/// Writes the objects where the linker finds them.
static Error writeObjects(ArrayRef<MemoryBufferRef> objects, StringRef folder,
                          std::vector<std::string> &paths) {
  for (auto [i, object] : llvm::enumerate(objects)) {
    SmallString<128> path(folder);
    sys::path::append(path, Twine(i) + ".o");
    std::error_code code;
    raw_fd_ostream os(path, code);
    if (code)
      return createFileError(path, code);
    paths.push_back(path.str().str());
    os << object.getBuffer();
    os.close();
    if (os.has_error())
      return createFileError(path, os.error());
  }
  return Error::success();
}

/// Whether pages are of 4 KiB, whatever the kernel: elsewhere the linker's
/// default is the architecture's largest.
static bool hasSmallPages(MemoryBufferRef image) {
  auto file = object::ObjectFile::createELFObjectFile(image);
  if (!file) {
    consumeError(file.takeError());
    return false;
  }
  return (*file)->getArch() == Triple::x86_64;
}

/// The linker's first complaint.
static std::string firstLine(StringRef log) {
  StringRef line = log.ltrim().split('\n').first;
  line.consume_front("ld.lld: ");
  line.consume_front("error: ");
  return line.str();
}

Error bitnet::linkSharedObject(ArrayRef<MemoryBufferRef> objects,
                               StringRef outputPath) {
  SmallString<128> folder;
  if (std::error_code code = sys::fs::createUniqueDirectory("bitnet", folder))
    return createFileError("temporary folder", code);
  scope_exit cleanUp([&] { (void)sys::fs::remove_directories(folder); });
  std::vector<std::string> paths;
  if (Error error = writeObjects(objects, folder, paths))
    return error;

  std::string output = outputPath.str();
  std::vector<const char *> arguments = {"ld.lld",
                                         "-shared",
                                         "--no-undefined",
                                         "--hash-style=both",
                                         "--gc-sections",
                                         "-z",
                                         "relro",
                                         "-z",
                                         "noexecstack",
                                         "--threads=1",
                                         "-o",
                                         output.c_str()};
  if (hasSmallPages(objects.front()))
    arguments.insert(arguments.end(), {"-z", "max-page-size=4096"});
  for (const std::string &path : paths)
    arguments.push_back(path.c_str());
  std::string log;
  raw_string_ostream os(log);
  lld::Result result =
      lld::lldMain(arguments, os, os, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0)
    return Error::success();
  return createStringError("cannot link '" + output + "': " + firstLine(log));
}
