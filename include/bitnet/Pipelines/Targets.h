//===- Targets.h - CPUs and devices as variants of an artifact --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_PIPELINES_TARGETS_H
#define BITNET_PIPELINES_TARGETS_H

#include "bitnet/Target/Artifact.h"
#include "bitnet/Target/GPU/DeviceTarget.h"
#include "mlir/IR/BuiltinOps.h"

namespace bitnet {

/// Parses a comma-separated list of CPUs (parseCPUTargets) and devices
/// (parseDeviceTarget), the best last.
llvm::Expected<llvm::SmallVector<TargetAttr>>
parseTargets(mlir::MLIRContext *context, llvm::StringRef list);

/// The target of a variant's host code: of a CPU's the variant itself, of a
/// device's the plainest CPU, under the variant's name.
llvm::Expected<TargetAttr> getHostTarget(TargetAttr variant);

/// What the manifest says of a variant, and a device's kernels compiled. What a
/// module at the end of the loops phase then holds is the host's. `assembly`,
/// if not null, gets the text of a device's code.
mlir::FailureOr<ArtifactVariant>
emitDeviceCode(mlir::ModuleOp module, TargetAttr variant,
               std::string *assembly = nullptr);

} // namespace bitnet

#endif // BITNET_PIPELINES_TARGETS_H
