/*===- cuda_graph.h - Work that repeats ----------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DEVICE_CUDA_GRAPH_H
#define BITNET_SRC_DEVICE_CUDA_GRAPH_H

#include "cuda.h"

enum { CUDA_COMMAND_COPY = -1 };

/* A launch of a kernel, or a copy within the device. */
typedef struct cuda_command {
  int64_t kernel; /* or CUDA_COMMAND_COPY */
  uint32_t grid[3];
  uint32_t first, count; /* its arguments in the list's words; of a copy:
                            destination, source, bytes */
} cuda_command;

/* What was asked for and not yet given to the driver. */
typedef struct cuda_commands {
  cuda_command *commands;
  uint32_t count, capacity;
  uint64_t *words;
  uint32_t word_count, word_capacity;
} cuda_commands;

void cuda_commands_free(cuda_commands *commands);
/* False where memory is exhausted. `grid` may be NULL. */
bool cuda_commands_add(cuda_commands *commands, int64_t kernel,
                       const uint32_t *grid, const uint64_t *words,
                       uint32_t count);

/* A stretch of an entry's work: what the last call asked for, and once two
   calls asked for the same kernels in the same order, a graph of it. */
typedef struct cuda_stretch {
  cuda_commands last;
  cu_graph graph;
  cu_exec exec; /* NULL: none */
  cu_node *nodes;
  bool is_plain; /* the driver refused a graph */
} cuda_stretch;

void cuda_stretch_free(const cuda_device *device, cuda_stretch *stretch);

/* Gives `commands` to the stream and empties it: as an updated graph where they
   resemble those of the last call, else one by one. The context is current. */
int32_t cuda_stretch_run(bn_program *program, cuda_stretch *stretch,
                         cuda_commands *commands, cu_stream stream,
                         bn_status *status);

#endif /* BITNET_SRC_DEVICE_CUDA_GRAPH_H */
