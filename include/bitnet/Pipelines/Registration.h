//===- Registration.h - Every dialect, pass and pipeline --------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_PIPELINES_REGISTRATION_H
#define BITNET_PIPELINES_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace bitnet {

/// The dialects that models pass through, with the external interface models
/// and translations that the phases need.
void registerDialects(mlir::DialectRegistry &registry);

/// The project's passes, and a pipeline for each phase, for tools that name
/// passes in text.
void registerPasses();

} // namespace bitnet

#endif // BITNET_PIPELINES_REGISTRATION_H
