//===- CodeGen.h - From the loops phase to a shared object ------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_CPU_CODEGEN_H
#define BITNET_TARGET_CPU_CODEGEN_H

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <string>

namespace bitnet {

enum class CodeGenOutput { LLVMIR, Assembly, Object };

/// The bytes of an object, or the text of an assembly file.
using CodeGenBuffer = llvm::SmallVector<char, 0>;

/// Adds the passes from the end of the loops phase to the LLVM dialect.
void buildLLVMPipeline(mlir::OpPassManager &manager);

/// Runs them on a module of one variant, which carries `bitnet.target`.
mlir::LogicalResult lowerToLLVMDialect(mlir::ModuleOp module);

/// The LLVM IR of a variant, with all that generating its code needs: it can be
/// generated on a thread of its own.
struct VariantCode {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
};

/// Translates a module of the LLVM dialect. Entries get hidden symbols named
/// after the variant, everything else is local.
mlir::FailureOr<VariantCode> translateVariant(mlir::ModuleOp module);

/// Optimises and emits. Fails where an object would need a symbol that it does
/// not define.
llvm::Error generateCode(VariantCode &code, CodeGenOutput output,
                         CodeGenBuffer &buffer);

/// Both of these at once.
mlir::LogicalResult emitVariant(mlir::ModuleOp module, CodeGenOutput output,
                                CodeGenBuffer &buffer);

/// The names of a module's entries, in its order, which is that of the manifest
/// and of bitnet_query's index.
llvm::SmallVector<std::string> getEntryNames(mlir::ModuleOp module);

/// Emits bitnet_query over the entries of every variant.
llvm::Error emitDispatch(llvm::ArrayRef<TargetAttr> variants,
                         llvm::ArrayRef<std::string> entries,
                         CodeGenBuffer &buffer);

/// Links objects into a shared object without imports. No file is left behind
/// on failure.
llvm::Error linkSharedObject(llvm::ArrayRef<llvm::MemoryBufferRef> objects,
                             llvm::StringRef outputPath);

} // namespace bitnet

#endif // BITNET_TARGET_CPU_CODEGEN_H
