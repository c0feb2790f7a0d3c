//===- CompileLayers.h - Layers of one shape as an artifact -----*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_KERNELS_COMPILELAYERS_H
#define BITNET_KERNELS_COMPILELAYERS_H

#include <cstdint>
#include <string>

namespace bitnet::kernels {

/// Low-bit layers of one shape, each with weights and activations of its own.
struct Layers {
  int64_t outputs, inputs; // of one layer
  int64_t tokens;
  int64_t count;
  std::string lowering; // as bitnet-compile --lowering=
  std::string packing;  // planes2 or base3: ternary weights; planes1: binary

  bool operator==(const Layers &other) const {
    return outputs == other.outputs && inputs == other.inputs &&
           tokens == other.tokens && count == other.count &&
           lowering == other.lowering && packing == other.packing;
  }
};

/// Compiles them with random weights to an artifact that takes activations as
/// they are after a quantiser: what runs is the matmul and its epilogue, and
/// what `lut` and `popcount` prepare. `targets` is a list as of bitnet-compile.
/// Returns what went wrong, or nothing.
std::string compileLayers(const Layers &layers, const std::string &targets,
                          const std::string &path);

} // namespace bitnet::kernels

#endif // BITNET_KERNELS_COMPILELAYERS_H
