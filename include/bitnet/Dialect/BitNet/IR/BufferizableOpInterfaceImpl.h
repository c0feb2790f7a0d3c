//===- BufferizableOpInterfaceImpl.h - Bufferization of bitnet ops ---*- C++
//-*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_IR_BUFFERIZABLEOPINTERFACEIMPL_H
#define BITNET_DIALECT_BITNET_IR_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace bitnet {

/// Attaches bufferization's models to the ops of the bitnet dialect.
void registerBufferizableOpInterfaceExternalModels(
    mlir::DialectRegistry &registry);

} // namespace bitnet

#endif // BITNET_DIALECT_BITNET_IR_BUFFERIZABLEOPINTERFACEIMPL_H
