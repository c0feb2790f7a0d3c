//===- Error.h - What ends a command ----------------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_ERROR_H
#define BITNET_RUN_ERROR_H

#include <stdexcept>

namespace bitnet::run {

/// What ends a command with one line on standard error and exit status 1.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace bitnet::run

#endif // BITNET_RUN_ERROR_H
