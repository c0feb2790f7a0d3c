// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row of logits for each token, as in TestModel.c; arguments: cache, position (i32), count (i32), logits.
#version 450
layout(local_size_x = 32) in;

layout(std430, binding = 0) readonly buffer Cache { uvec2 cache[]; };
layout(std430, binding = 1) buffer Rows { float logits[]; };
layout(push_constant) uniform Scalars { uint words[2]; };

void main() {
  uint row = gl_GlobalInvocationID.x;
  if (row >= words[1])
    return;
  uint position = words[0] + row, hash = 7;
  for (uint i = 0; i <= position; ++i)
    hash = (hash * 31 + cache[i].x) % 1000003;
  for (uint i = 4; i < 16; ++i)
    logits[row * 16 + i] = 0.0;
  logits[row * 16] = float(hash);
  logits[row * 16 + 1] = float(words[1]);
  logits[row * 16 + 2] = float(position);
  logits[row * 16 + 3] = float(cache[position].x);
}
