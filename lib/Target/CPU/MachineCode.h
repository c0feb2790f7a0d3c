//===- MachineCode.h - LLVM IR to machine code ------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_MACHINECODE_H
#define BITNET_LIB_TARGET_CPU_MACHINECODE_H

#include "bitnet/Target/CPU/CodeGen.h"

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace bitnet {

void optimize(llvm::Module &module, llvm::TargetMachine &machine);

llvm::Error emitMachineCode(llvm::Module &module, llvm::TargetMachine &machine,
                            CodeGenOutput output, CodeGenBuffer &buffer);

/// The symbol of an entry's code in a variant.
std::string getEntrySymbol(llvm::StringRef entry, TargetAttr variant);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_MACHINECODE_H
