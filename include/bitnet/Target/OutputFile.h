//===- OutputFile.h - Writing the files that are asked for ------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_OUTPUTFILE_H
#define BITNET_TARGET_OUTPUTFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class raw_pwrite_stream;
}

namespace bitnet {

/// Writes the whole file or, on failure, nothing: the bytes go to a temporary
/// file beside it, which then takes its place. Of a symbolic link that place is
/// where it leads. What is there and no regular file, a pipe or a terminal, is
/// written to as it is, and a folder is refused.
llvm::Error writeOutputFile(
    llvm::StringRef path,
    llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write);

/// Whether writeOutputFile can begin.
std::error_code probeOutputFile(llvm::StringRef path);

/// Removes what writeOutputFile made; links and what is no regular file stay.
void removeOutputFile(llvm::StringRef path);

} // namespace bitnet

#endif // BITNET_TARGET_OUTPUTFILE_H
