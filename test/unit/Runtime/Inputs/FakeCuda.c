/*===- FakeCuda.c - A driver of CUDA without a GPU -----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Stands in for libcuda.so.1. Its device is the host's memory; it knows the
 * kernels of DeviceModel.c by name and does on the host what they would do.
 * A stream collects its work and does it when the host waits, so that what is
 * used before that is found out. fake_cuda_count says how often a function was
 * called. The environment's FAKE_CUDA names one thing that goes wrong.
 *
 *===----------------------------------------------------------------------===*/

#include "device/cuda_driver.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
  INVALID_VALUE = 1,
  INVALID_CONTEXT = 201,
  INVALID_PTX = 218,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
  MAXIMUM_ARGUMENTS = 8,
  MAXIMUM_WORK = 4096,
};

struct cu_function {
  const char *name;
  void (*run)(const uint32_t *grid, const uint32_t *block, void **arguments);
  size_t argument_bytes[MAXIMUM_ARGUMENTS]; /* 0 behind the last */
};

/* A kernel or a copy, with arguments of its own. */
typedef struct work {
  cu_function function; /* NULL: a copy */
  uint32_t grid[3], block[3];
  uint64_t words[MAXIMUM_ARGUMENTS];
} work;

typedef struct work_list {
  work items[MAXIMUM_WORK];
  uint32_t count;
} work_list;

struct cu_stream {
  work_list pending;
};
struct cu_graph {
  work_list nodes;
};
struct cu_exec {
  work_list nodes;
};

static int context_depth, live_allocations, live_objects;
static struct {
  const char *name;
  int count;
} counts[64];

static void count_call(const char *name) {
  for (int i = 0; i < 64; ++i) {
    if (!counts[i].name)
      counts[i].name = name;
    if (strcmp(counts[i].name, name) == 0) {
      ++counts[i].count;
      return;
    }
  }
}

#define EXPORT __attribute__((visibility("default")))

EXPORT int fake_cuda_count(const char *name) {
  if (strcmp(name, "live") == 0)
    return live_allocations + live_objects + context_depth;
  for (int i = 0; i < 64 && counts[i].name; ++i)
    if (strcmp(counts[i].name, name) == 0)
      return counts[i].count;
  return 0;
}

static bool goes_wrong(const char *what) {
  const char *wrong = getenv("FAKE_CUDA");
  return wrong && strcmp(wrong, what) == 0;
}

/*===----------------------------------------------------------------------===
 * The kernels
 *===----------------------------------------------------------------------===*/

static uint32_t item_count(const uint32_t *grid, const uint32_t *block) {
  return grid[0] * grid[1] * grid[2] * block[0] * block[1] * block[2];
}

static void scale_add(const uint32_t *grid, const uint32_t *block,
                      void **arguments) {
  int64_t count = *(int64_t *)arguments[0];
  const float *x = *(float **)arguments[1], *y = *(float **)arguments[2];
  float bias = *(float *)arguments[3];
  const float *w = *(float **)arguments[4];
  float *z = *(float **)arguments[5];
  for (uint32_t i = 0; i < item_count(grid, block) && i < count; ++i)
    z[i] = x[i] + w[0] * y[i] + bias;
}

static void remember(const uint32_t *grid, const uint32_t *block,
                     void **arguments) {
  const int64_t *ids = *(int64_t **)arguments[0];
  int64_t position = *(int64_t *)arguments[1];
  int64_t *cache = *(int64_t **)arguments[2];
  int32_t count = *(int32_t *)arguments[3];
  for (int32_t i = 0; i < (int32_t)item_count(grid, block) && i < count; ++i)
    cache[position + i] = ids[i];
}

static void logits(const uint32_t *grid, const uint32_t *block,
                   void **arguments) {
  const int64_t *cache = *(int64_t **)arguments[0];
  int32_t position = *(int32_t *)arguments[1];
  int32_t count = *(int32_t *)arguments[2];
  float *rows = *(float **)arguments[3];
  for (int32_t i = 0; i < (int32_t)item_count(grid, block) && i < count; ++i) {
    int64_t hash = 7;
    for (int32_t j = 0; j <= position + i; ++j)
      hash = (hash * 31 + cache[j]) % 1000003;
    memset(rows + i * 16, 0, 16 * sizeof(float));
    rows[i * 16] = (float)hash;
    rows[i * 16 + 1] = (float)count;
    rows[i * 16 + 2] = (float)(position + i);
    rows[i * 16 + 3] = (float)cache[position + i];
  }
}

static struct cu_function functions[] = {
    {"ScaleAdd", scale_add, {8, 8, 8, 4, 8, 8}},
    {"Remember", remember, {8, 8, 8, 4}},
    {"Logits", logits, {8, 4, 4, 8}},
};

static void run(const work_list *list) {
  for (uint32_t i = 0; i < list->count; ++i) {
    const work *item = &list->items[i];
    if (!item->function) {
      memcpy((void *)item->words[0], (void *)item->words[1], item->words[2]);
      continue;
    }
    void *arguments[MAXIMUM_ARGUMENTS];
    for (int j = 0; j < MAXIMUM_ARGUMENTS; ++j)
      arguments[j] = (void *)&item->words[j];
    item->function->run(item->grid, item->block, arguments);
  }
}

static cu_result add_work(work_list *list, cu_function function,
                          const uint32_t *grid, const uint32_t *block,
                          void **parameters, work **added) {
  if (list->count == MAXIMUM_WORK || !context_depth)
    return INVALID_CONTEXT;
  work *item = &list->items[list->count++];
  memset(item, 0, sizeof(*item));
  item->function = function;
  memcpy(item->grid, grid, sizeof(item->grid));
  memcpy(item->block, block, sizeof(item->block));
  /* As the driver does: so many bytes as the kernel's signature has. */
  for (int i = 0; i < MAXIMUM_ARGUMENTS && function->argument_bytes[i]; ++i)
    memcpy(&item->words[i], parameters[i], function->argument_bytes[i]);
  if (added)
    *added = item;
  return CU_SUCCESS;
}

static cu_result add_copy(work_list *list, uint64_t to, uint64_t from,
                          uint64_t bytes) {
  if (list->count == MAXIMUM_WORK || !context_depth)
    return INVALID_CONTEXT;
  work *item = &list->items[list->count++];
  memset(item, 0, sizeof(*item));
  item->words[0] = to;
  item->words[1] = from;
  item->words[2] = bytes;
  return CU_SUCCESS;
}

/*===----------------------------------------------------------------------===
 * The driver
 *===----------------------------------------------------------------------===*/

EXPORT cu_result cuDriverGetVersion(int *version) {
  *version = goes_wrong("old driver") ? 11020 : 12040;
  return CU_SUCCESS;
}
EXPORT cu_result cuInit(unsigned flags) {
  (void)flags;
  return goes_wrong("no device") ? CU_NO_DEVICE : CU_SUCCESS;
}
EXPORT cu_result cuGetErrorName(cu_result error, const char **name) {
  *name = error == INVALID_PTX       ? "CUDA_ERROR_INVALID_PTX"
          : error == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                     : "CUDA_ERROR";
  return CU_SUCCESS;
}
EXPORT cu_result cuGetErrorString(cu_result error, const char **text) {
  *text = error == ILLEGAL_ADDRESS ? "an illegal memory access" : "an error";
  return CU_SUCCESS;
}
EXPORT cu_result cuDeviceGetCount(int *count) {
  *count = 2;
  return CU_SUCCESS;
}
EXPORT cu_result cuDeviceGet(cu_device *device, int ordinal) {
  *device = ordinal;
  return CU_SUCCESS;
}
EXPORT cu_result cuDeviceGetName(char *name, int bytes, cu_device device) {
  strncpy(name, device ? "Other fake GPU" : "Fake GPU", (size_t)bytes);
  return CU_SUCCESS;
}
EXPORT cu_result cuDeviceGetAttribute(int *value, int attribute,
                                      cu_device device) {
  (void)device;
  *value = attribute == CU_DEVICE_CAPABILITY_MAJOR ? 9 : 0;
  if (goes_wrong("old device"))
    *value = attribute == CU_DEVICE_CAPABILITY_MAJOR ? 7 : 5;
  return CU_SUCCESS;
}
EXPORT cu_result cuDevicePrimaryCtxRetain(cu_context *context,
                                          cu_device device) {
  (void)device;
  ++live_objects;
  *context = (cu_context)&context_depth;
  return CU_SUCCESS;
}
EXPORT cu_result cuDevicePrimaryCtxRelease_v2(cu_device device) {
  (void)device;
  --live_objects;
  return CU_SUCCESS;
}
EXPORT cu_result cuCtxPushCurrent_v2(cu_context context) {
  ++context_depth;
  return context ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuCtxPopCurrent_v2(cu_context *context) {
  *context = NULL;
  --context_depth;
  return CU_SUCCESS;
}
EXPORT cu_result cuMemGetInfo_v2(size_t *available, size_t *total) {
  *available = 1000;
  *total = 2000;
  return CU_SUCCESS;
}
EXPORT cu_result cuMemAlloc_v2(cu_pointer *pointer, size_t bytes) {
  count_call("cuMemAlloc");
  size_t limit = goes_wrong("no memory") ? 1000 : (size_t)1 << 40;
  void *memory = NULL;
  if (!context_depth)
    return INVALID_CONTEXT;
  if (bytes > limit || !(memory = aligned_alloc(256, (bytes + 255) & ~255ull)))
    return CU_OUT_OF_MEMORY;
  ++live_allocations;
  memset(memory, 0xa5, bytes);
  *pointer = (cu_pointer)memory;
  return CU_SUCCESS;
}
EXPORT cu_result cuMemFree_v2(cu_pointer pointer) {
  --live_allocations;
  free((void *)pointer);
  return context_depth ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuMemAllocHost_v2(void **pointer, size_t bytes) {
  ++live_allocations;
  *pointer = malloc(bytes);
  return CU_SUCCESS;
}
EXPORT cu_result cuMemFreeHost(void *pointer) {
  --live_allocations;
  free(pointer);
  return CU_SUCCESS;
}
EXPORT cu_result cuStreamSynchronize(cu_stream stream) {
  count_call("cuStreamSynchronize");
  if (goes_wrong("lost"))
    return ILLEGAL_ADDRESS;
  run(&stream->pending);
  stream->pending.count = 0;
  return context_depth ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuMemcpyHtoDAsync_v2(cu_pointer to, const void *from,
                                      size_t bytes, cu_stream stream) {
  count_call("cuMemcpyHtoDAsync");
  run(&stream->pending);
  stream->pending.count = 0;
  memcpy((void *)to, from, bytes);
  return context_depth ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuMemcpyDtoHAsync_v2(void *to, cu_pointer from, size_t bytes,
                                      cu_stream stream) {
  count_call("cuMemcpyDtoHAsync");
  return add_copy(&stream->pending, (uint64_t)(uintptr_t)to, from, bytes);
}
EXPORT cu_result cuMemcpyDtoDAsync_v2(cu_pointer to, cu_pointer from,
                                      size_t bytes, cu_stream stream) {
  return add_copy(&stream->pending, to, from, bytes);
}
EXPORT cu_result cuMemsetD8Async(cu_pointer pointer, unsigned char value,
                                 size_t bytes, cu_stream stream) {
  run(&stream->pending);
  stream->pending.count = 0;
  memset((void *)pointer, value, bytes);
  return context_depth ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuModuleLoadDataEx(cu_module *module, const void *image,
                                    unsigned option_count, int *options,
                                    void **values) {
  count_call("cuModuleLoadDataEx");
  (void)image;
  if (goes_wrong("old ptx"))
    return CU_UNSUPPORTED_PTX_VERSION;
  if (goes_wrong("bad ptx")) {
    for (unsigned i = 0; i < option_count; ++i)
      if (options[i] == CU_JIT_ERROR_LOG)
        strcpy(values[i], "\nptxas, line 7; unknown opcode\nptxas fatal");
    return INVALID_PTX;
  }
  ++live_objects;
  *module = (cu_module)functions;
  return CU_SUCCESS;
}
EXPORT cu_result cuModuleUnload(cu_module module) {
  (void)module;
  --live_objects;
  return CU_SUCCESS;
}
EXPORT cu_result cuModuleGetFunction(cu_function *function, cu_module module,
                                     const char *name) {
  (void)module;
  for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); ++i)
    if (strcmp(functions[i].name, name) == 0) {
      *function = &functions[i];
      return CU_SUCCESS;
    }
  return NOT_FOUND;
}
EXPORT cu_result cuFuncGetAttribute(int *value, int attribute,
                                    cu_function function) {
  (void)attribute, (void)function;
  *value = goes_wrong("small blocks") ? 16 : 1024;
  return CU_SUCCESS;
}
EXPORT cu_result cuFuncSetAttribute(cu_function function, int attribute,
                                    int value) {
  (void)function, (void)attribute, (void)value;
  return CU_SUCCESS;
}
EXPORT cu_result cuLaunchKernel(cu_function function, unsigned grid_x,
                                unsigned grid_y, unsigned grid_z,
                                unsigned block_x, unsigned block_y,
                                unsigned block_z, unsigned shared_bytes,
                                cu_stream stream, void **parameters,
                                void **extra) {
  count_call("cuLaunchKernel");
  (void)shared_bytes, (void)extra;
  const uint32_t grid[] = {grid_x, grid_y, grid_z};
  const uint32_t block[] = {block_x, block_y, block_z};
  if (grid_x > INT32_MAX || grid_y > UINT16_MAX)
    return INVALID_VALUE;
  return add_work(&stream->pending, function, grid, block, parameters, NULL);
}
EXPORT cu_result cuStreamCreate(cu_stream *stream, unsigned flags) {
  (void)flags;
  ++live_objects;
  *stream = calloc(1, sizeof(**stream));
  return CU_SUCCESS;
}
EXPORT cu_result cuStreamDestroy_v2(cu_stream stream) {
  --live_objects;
  free(stream);
  return CU_SUCCESS;
}
/* Time is how often an event was recorded, in milliseconds. */
struct cu_event {
  int time;
};
static int event_clock;
EXPORT cu_result cuEventCreate(cu_event *event, unsigned flags) {
  (void)flags;
  ++live_objects;
  *event = calloc(1, sizeof(**event));
  return CU_SUCCESS;
}
EXPORT cu_result cuEventDestroy_v2(cu_event event) {
  --live_objects;
  free(event);
  return CU_SUCCESS;
}
EXPORT cu_result cuEventRecord(cu_event event, cu_stream stream) {
  count_call("cuEventRecord");
  (void)stream;
  event->time = ++event_clock;
  return context_depth ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuEventElapsedTime(float *milliseconds, cu_event begin,
                                    cu_event end) {
  *milliseconds = (float)(end->time - begin->time);
  return context_depth ? CU_SUCCESS : INVALID_CONTEXT;
}
EXPORT cu_result cuGraphCreate(cu_graph *graph, unsigned flags) {
  count_call("cuGraphCreate");
  (void)flags;
  if (goes_wrong("no graphs"))
    return INVALID_VALUE;
  ++live_objects;
  *graph = calloc(1, sizeof(**graph));
  return CU_SUCCESS;
}
EXPORT cu_result cuGraphDestroy(cu_graph graph) {
  --live_objects;
  free(graph);
  return CU_SUCCESS;
}
/* Nodes are their position plus one. */
static cu_result set_node(cu_node *node, const work_list *list,
                          const cu_node *before, size_t count) {
  *node = (cu_node)(uintptr_t)list->count;
  /* Each must wait for the one before it. */
  bool chained = list->count == 1 ? count == 0
                                  : count == 1 && (uintptr_t)before[0] + 1 ==
                                                      (uintptr_t)*node;
  return chained ? CU_SUCCESS : INVALID_VALUE;
}
EXPORT cu_result cuGraphAddKernelNode(cu_node *node, cu_graph graph,
                                      const cu_node *before, size_t count,
                                      const cu_kernel_parameters *parameters) {
  cu_result error =
      add_work(&graph->nodes, parameters->function, parameters->grid,
               parameters->block, parameters->parameters, NULL);
  return error ? error : set_node(node, &graph->nodes, before, count);
}
EXPORT cu_result cuGraphAddMemcpyNode(cu_node *node, cu_graph graph,
                                      const cu_node *before, size_t count,
                                      const cu_copy_parameters *parameters,
                                      cu_context context) {
  if (!context || parameters->height != 1 || parameters->depth != 1)
    return INVALID_VALUE;
  cu_result error = add_copy(&graph->nodes, parameters->destination.device,
                             parameters->source.device, parameters->width);
  return error ? error : set_node(node, &graph->nodes, before, count);
}
EXPORT cu_result cuGraphInstantiateWithFlags(cu_exec *exec, cu_graph graph,
                                             unsigned long long flags) {
  count_call("cuGraphInstantiate");
  (void)flags;
  ++live_objects;
  *exec = malloc(sizeof(**exec));
  (*exec)->nodes = graph->nodes;
  return CU_SUCCESS;
}
EXPORT cu_result cuGraphExecKernelNodeSetParams(
    cu_exec exec, cu_node node, const cu_kernel_parameters *parameters) {
  count_call("cuGraphExecKernelNodeSetParams");
  if (goes_wrong("no updates"))
    return INVALID_VALUE;
  work_list one = {.count = 0};
  cu_result error = add_work(&one, parameters->function, parameters->grid,
                             parameters->block, parameters->parameters, NULL);
  if (!error)
    exec->nodes.items[(uintptr_t)node - 1] = one.items[0];
  return error;
}
EXPORT cu_result cuGraphExecMemcpyNodeSetParams(
    cu_exec exec, cu_node node, const cu_copy_parameters *parameters,
    cu_context context) {
  count_call("cuGraphExecMemcpyNodeSetParams");
  (void)context;
  work *item = &exec->nodes.items[(uintptr_t)node - 1];
  item->words[0] = parameters->destination.device;
  item->words[1] = parameters->source.device;
  item->words[2] = parameters->width;
  return CU_SUCCESS;
}
EXPORT cu_result cuGraphLaunch(cu_exec exec, cu_stream stream) {
  count_call("cuGraphLaunch");
  work_list *pending = &stream->pending;
  if (pending->count + exec->nodes.count > MAXIMUM_WORK || !context_depth)
    return INVALID_CONTEXT;
  memcpy(pending->items + pending->count, exec->nodes.items,
         exec->nodes.count * sizeof(work));
  pending->count += exec->nodes.count;
  return CU_SUCCESS;
}
EXPORT cu_result cuGraphExecDestroy(cu_exec exec) {
  --live_objects;
  free(exec);
  return CU_SUCCESS;
}
