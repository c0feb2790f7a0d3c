/*===- cuda_graph.c - Work that repeats ----------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "cuda_graph.h"

#include "../status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINIMUM_GRAPH = 2 }; /* commands that a graph pays for */

/*===----------------------------------------------------------------------===
 * Lists of commands
 *===----------------------------------------------------------------------===*/

void cuda_commands_free(cuda_commands *commands) {
  free(commands->commands);
  free(commands->words);
  memset(commands, 0, sizeof(*commands));
}

/* Room for `more` elements behind `count`. */
static bool reserve(void **array, uint32_t count, uint32_t more,
                    uint32_t *capacity, size_t bytes_each) {
  if (more <= *capacity - count)
    return true;
  uint32_t wanted = (count + more) * 2 + 64;
  void *grown = realloc(*array, wanted * bytes_each);
  if (!grown)
    return false;
  *array = grown;
  *capacity = wanted;
  return true;
}

bool cuda_commands_add(cuda_commands *commands, int64_t kernel,
                       const uint32_t *grid, const uint64_t *words,
                       uint32_t count) {
  if (!reserve((void **)&commands->commands, commands->count, 1,
               &commands->capacity, sizeof(cuda_command)) ||
      !reserve((void **)&commands->words, commands->word_count, count,
               &commands->word_capacity, sizeof(uint64_t)))
    return false;
  cuda_command *added = &commands->commands[commands->count++];
  *added = (cuda_command){
      .kernel = kernel, .first = commands->word_count, .count = count};
  if (grid)
    memcpy(added->grid, grid, sizeof(added->grid));
  if (count)
    memcpy(commands->words + commands->word_count, words,
           count * sizeof(uint64_t));
  commands->word_count += count;
  return true;
}

/* The same kernels and copies in the same order. */
static bool resemble(const cuda_commands *a, const cuda_commands *b) {
  if (a->count != b->count)
    return false;
  for (uint32_t i = 0; i < a->count; ++i)
    if (a->commands[i].kernel != b->commands[i].kernel)
      return false;
  return true;
}

/* Whether the command at `index` is the same in both lists, which resemble. */
static bool is_unchanged(const cuda_commands *a, const cuda_commands *b,
                         uint32_t index) {
  const cuda_command *left = &a->commands[index], *right = &b->commands[index];
  return memcmp(left->grid, right->grid, sizeof(left->grid)) == 0 &&
         (!left->count ||
          memcmp(a->words + left->first, b->words + right->first,
                 left->count * sizeof(uint64_t)) == 0);
}

/*===----------------------------------------------------------------------===
 * What the driver is told of a command
 *===----------------------------------------------------------------------===*/

static cu_copy_parameters copy_parameters(const uint64_t *words) {
  cu_copy_parameters parameters = {
      .source = {.memory_type = CU_MEMORY_DEVICE,
                 .device = words[1],
                 .pitch = words[2],
                 .height = 1},
      .destination = {.memory_type = CU_MEMORY_DEVICE,
                      .device = words[0],
                      .pitch = words[2],
                      .height = 1},
      .width = words[2],
      .height = 1,
      .depth = 1};
  return parameters;
}

/* Fills `pointers` with where the arguments are: at the low end of their
   words. */
static cu_kernel_parameters kernel_parameters(const cuda_kernel *kernel,
                                              const cuda_command *command,
                                              uint64_t *words,
                                              void **pointers) {
  for (uint32_t i = 0; i < command->count; ++i)
    pointers[i] = &words[i];
  cu_kernel_parameters parameters = {.function = kernel->function,
                                     .shared_bytes = kernel->info->shared_bytes,
                                     .parameters = pointers};
  memcpy(parameters.grid, command->grid, sizeof(parameters.grid));
  memcpy(parameters.block, kernel->info->block, sizeof(parameters.block));
  return parameters;
}

/*===----------------------------------------------------------------------===
 * One by one
 *===----------------------------------------------------------------------===*/

static int32_t run_plainly(bn_program *program, cuda_commands *commands,
                           cu_stream stream, bn_status *status) {
  const cu_driver *driver = &program->device->driver;
  void *pointers[CUDA_MAXIMUM_ARGUMENTS];
  for (uint32_t i = 0; i < commands->count; ++i) {
    const cuda_command *command = &commands->commands[i];
    uint64_t *words = commands->words + command->first;
    if (command->kernel == CUDA_COMMAND_COPY) {
      cu_result error = driver->copy(words[0], words[1], words[2], stream);
      if (error)
        return cuda_fail(program->device, error, "a copy fails", status);
      continue;
    }
    const cuda_kernel *kernel = &program->kernels[command->kernel];
    cu_kernel_parameters p =
        kernel_parameters(kernel, command, words, pointers);
    cu_result error = driver->launch(
        p.function, p.grid[0], p.grid[1], p.grid[2], p.block[0], p.block[1],
        p.block[2], p.shared_bytes, stream, p.parameters, NULL);
    if (!error)
      continue;
    char what[192];
    snprintf(what, sizeof(what),
             "the kernel '%.100s' cannot be launched on %u x %u x %u blocks",
             kernel->info->name, p.grid[0], p.grid[1], p.grid[2]);
    return cuda_fail(program->device, error, what, status);
  }
  return BN_OK;
}

/*===----------------------------------------------------------------------===
 * Graphs
 *===----------------------------------------------------------------------===*/

static void drop_graph(const cuda_device *device, cuda_stretch *stretch) {
  if (stretch->exec)
    device->driver.exec_destroy(stretch->exec);
  if (stretch->graph)
    device->driver.graph_destroy(stretch->graph);
  free(stretch->nodes);
  stretch->exec = NULL;
  stretch->graph = NULL;
  stretch->nodes = NULL;
}

void cuda_stretch_free(const cuda_device *device, cuda_stretch *stretch) {
  drop_graph(device, stretch);
  cuda_commands_free(&stretch->last);
}

/* A chain of nodes, each behind the one before it. False where the driver
   refuses. */
static bool build_graph(bn_program *program, cuda_stretch *stretch,
                        cuda_commands *commands) {
  const cuda_device *device = program->device;
  const cu_driver *driver = &device->driver;
  void *pointers[CUDA_MAXIMUM_ARGUMENTS];
  stretch->nodes = calloc(commands->count, sizeof(cu_node));
  if (!stretch->nodes || driver->graph_create(&stretch->graph, 0))
    return false;
  for (uint32_t i = 0; i < commands->count; ++i) {
    const cuda_command *command = &commands->commands[i];
    uint64_t *words = commands->words + command->first;
    const cu_node *before = i ? &stretch->nodes[i - 1] : NULL;
    cu_result error;
    if (command->kernel == CUDA_COMMAND_COPY) {
      cu_copy_parameters parameters = copy_parameters(words);
      error = driver->graph_add_copy(&stretch->nodes[i], stretch->graph, before,
                                     i ? 1 : 0, &parameters, device->context);
    } else {
      cu_kernel_parameters parameters = kernel_parameters(
          &program->kernels[command->kernel], command, words, pointers);
      error = driver->graph_add_kernel(&stretch->nodes[i], stretch->graph,
                                       before, i ? 1 : 0, &parameters);
    }
    if (error)
      return false;
  }
  return !driver->graph_instantiate(&stretch->exec, stretch->graph, 0);
}

/* Tells the graph what differs from the last call. */
static bool update_graph(bn_program *program, cuda_stretch *stretch,
                         cuda_commands *commands) {
  const cuda_device *device = program->device;
  void *pointers[CUDA_MAXIMUM_ARGUMENTS];
  for (uint32_t i = 0; i < commands->count; ++i) {
    if (is_unchanged(&stretch->last, commands, i))
      continue;
    const cuda_command *command = &commands->commands[i];
    uint64_t *words = commands->words + command->first;
    cu_result error;
    if (command->kernel == CUDA_COMMAND_COPY) {
      cu_copy_parameters parameters = copy_parameters(words);
      error = device->driver.graph_set_copy(stretch->exec, stretch->nodes[i],
                                            &parameters, device->context);
    } else {
      cu_kernel_parameters parameters = kernel_parameters(
          &program->kernels[command->kernel], command, words, pointers);
      error = device->driver.graph_set_kernel(stretch->exec, stretch->nodes[i],
                                              &parameters);
    }
    if (error)
      return false;
  }
  return true;
}

int32_t cuda_stretch_run(bn_program *program, cuda_stretch *stretch,
                         cuda_commands *commands, cu_stream stream,
                         bn_status *status) {
  if (!commands->count)
    return BN_OK;
  const cuda_device *device = program->device;
  bool repeats = commands->count >= MINIMUM_GRAPH && !stretch->is_plain &&
                 resemble(&stretch->last, commands);
  bool ready = false;
  if (!repeats) {
    drop_graph(device, stretch);
  } else {
    ready = stretch->exec ? update_graph(program, stretch, commands)
                          : build_graph(program, stretch, commands);
    if (!ready) {
      /* It works without, if the commands are sound. */
      drop_graph(device, stretch);
      stretch->is_plain = true;
    }
  }
  int32_t code = BN_OK;
  if (ready) {
    cu_result error = device->driver.graph_launch(stretch->exec, stream);
    if (error)
      code = cuda_fail(device, error, "a graph cannot be launched", status);
  } else {
    code = run_plainly(program, commands, stream, status);
  }
  cuda_commands empty = stretch->last;
  stretch->last = *commands;
  *commands = empty;
  commands->count = commands->word_count = 0;
  return code;
}
