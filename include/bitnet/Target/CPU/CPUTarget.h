//===- CPUTarget.h - CPUs that code is generated for ------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_CPU_CPUTARGET_H
#define BITNET_TARGET_CPU_CPUTARGET_H

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace bitnet {

/// Parses a comma-separated list of CPU levels, or CPUs by name, each with
/// `+feature` words, such as `x86-64-v3,x86-64-v4+vnni`; `native` is the
/// machine that the compiler runs on. All are of one architecture.
/// `aarch64-default` stands for that architecture's list, an empty list for
/// that of the host's. A target with all features of another comes behind it,
/// whatever the list's order, which is kept otherwise: the best is last. A
/// failure names the word at fault and what is accepted.
llvm::Expected<llvm::SmallVector<TargetAttr>>
parseCPUTargets(mlir::MLIRContext *context, llvm::StringRef list);

/// The levels and feature words that parseCPUTargets accepts, for `--help`.
std::string describeCPUTargets();

/// Puts each target behind those that it is better than, and keeps the order of
/// the others.
void sortTargets(llvm::SmallVectorImpl<TargetAttr> &targets,
                 llvm::function_ref<bool(TargetAttr, TargetAttr)> isBetter);

/// What lowerings ask about the CPU that a module is compiled for.
class CPUTarget {
public:
  explicit CPUTarget(TargetAttr attribute) : attribute(attribute) {}

  /// The module's `bitnet.target`, or the plain level of the host's
  /// architecture where it has none.
  static CPUTarget get(mlir::Operation *op);

  TargetAttr getAttribute() const { return attribute; }
  /// Whether code may use the feature, in LLVM's spelling.
  bool has(llvm::StringRef feature) const;
  /// Bits of the widest vector register.
  unsigned vectorBits() const;

  llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
  createTargetMachine() const;

private:
  TargetAttr attribute;
};

/// Sets `bitnet.target`, the triple and the data layout on the module.
llvm::Error setTarget(mlir::ModuleOp module, TargetAttr target);

} // namespace bitnet

#endif // BITNET_TARGET_CPU_CPUTARGET_H
