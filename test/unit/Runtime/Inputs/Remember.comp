// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cache[position + i] = ids[i]; arguments: ids, position (i64), cache, count (i32). Elements are of 64 bits.
#version 450
layout(local_size_x = 32) in;

layout(std430, binding = 0) readonly buffer Ids { uvec2 ids[]; };
layout(std430, binding = 1) buffer Cache { uvec2 cache[]; };
layout(push_constant) uniform Scalars { uint words[3]; };

void main() {
  uint i = gl_GlobalInvocationID.x;
  if (words[1] == 0 && i < words[2])
    cache[words[0] + i] = ids[i];
}
