/*===- cuda_driver.h - The part of CUDA's driver API in use --------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Declared here, so that no CUDA toolkit is needed to build. The names of
 * structures' fields and the values are those of the driver's binary interface,
 * which does not change.
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DEVICE_CUDA_DRIVER_H
#define BITNET_SRC_DEVICE_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef int cu_result;
typedef int cu_device;
typedef uint64_t cu_pointer;
typedef struct cu_context *cu_context;
typedef struct cu_module *cu_module;
typedef struct cu_function *cu_function;
typedef struct cu_stream *cu_stream;
typedef struct cu_event *cu_event;
typedef struct cu_graph *cu_graph;
typedef struct cu_node *cu_node;
typedef struct cu_exec *cu_exec;

enum { /* cu_result */
       CU_SUCCESS = 0,
       CU_OUT_OF_MEMORY = 2,
       CU_NO_DEVICE = 100,
       CU_UNSUPPORTED_PTX_VERSION = 222,
};

enum { /* attributes of devices and functions, options of the JIT compiler */
       CU_DEVICE_CAPABILITY_MAJOR = 75,
       CU_DEVICE_CAPABILITY_MINOR = 76,
       CU_FUNCTION_MAX_THREADS = 0,
       CU_FUNCTION_MAX_DYNAMIC_SHARED = 8,
       CU_JIT_ERROR_LOG = 5,
       CU_JIT_ERROR_LOG_BYTES = 6,
       CU_STREAM_NON_BLOCKING = 1,
       CU_MEMORY_DEVICE = 2,
};

typedef struct cu_kernel_parameters { /* CUDA_KERNEL_NODE_PARAMS, version 1 */
  cu_function function;
  unsigned grid[3], block[3];
  unsigned shared_bytes;
  void **parameters;
  void **extra;
} cu_kernel_parameters;

typedef struct cu_copy_side {
  size_t x, y, z, level;
  int memory_type;
  void *host;
  cu_pointer device;
  void *array, *reserved;
  size_t pitch, height;
} cu_copy_side;

typedef struct cu_copy_parameters { /* CUDA_MEMCPY3D, version 2 */
  cu_copy_side source, destination;
  size_t width, height, depth;
} cu_copy_parameters;

/* X(field, symbol, parameters). The first two serve to learn whether the driver
   is new enough for the others. */
#define BN_CUDA_FUNCTIONS(X)                                                   \
  X(get_version, "cuDriverGetVersion", (int *version))                         \
  X(init, "cuInit", (unsigned flags))                                          \
  X(error_name, "cuGetErrorName", (cu_result error, const char **name))        \
  X(error_string, "cuGetErrorString", (cu_result error, const char **text))    \
  X(device_count, "cuDeviceGetCount", (int *count))                            \
  X(device_get, "cuDeviceGet", (cu_device * device, int ordinal))              \
  X(device_name, "cuDeviceGetName", (char *name, int bytes, cu_device device)) \
  X(device_attribute, "cuDeviceGetAttribute",                                  \
    (int *value, int attribute, cu_device device))                             \
  X(context_retain, "cuDevicePrimaryCtxRetain",                                \
    (cu_context * context, cu_device device))                                  \
  X(context_release, "cuDevicePrimaryCtxRelease_v2", (cu_device device))       \
  X(context_push, "cuCtxPushCurrent_v2", (cu_context context))                 \
  X(context_pop, "cuCtxPopCurrent_v2", (cu_context * context))                 \
  X(memory_info, "cuMemGetInfo_v2", (size_t *free, size_t *total))             \
  X(memory_allocate, "cuMemAlloc_v2", (cu_pointer * pointer, size_t bytes))    \
  X(memory_free, "cuMemFree_v2", (cu_pointer pointer))                         \
  X(host_allocate, "cuMemAllocHost_v2", (void **pointer, size_t bytes))        \
  X(host_free, "cuMemFreeHost", (void *pointer))                               \
  X(copy_to_device, "cuMemcpyHtoDAsync_v2",                                    \
    (cu_pointer to, const void *from, size_t bytes, cu_stream stream))         \
  X(copy_to_host, "cuMemcpyDtoHAsync_v2",                                      \
    (void *to, cu_pointer from, size_t bytes, cu_stream stream))               \
  X(copy, "cuMemcpyDtoDAsync_v2",                                              \
    (cu_pointer to, cu_pointer from, size_t bytes, cu_stream stream))          \
  X(fill, "cuMemsetD8Async",                                                   \
    (cu_pointer pointer, unsigned char value, size_t bytes, cu_stream stream)) \
  X(module_load, "cuModuleLoadDataEx",                                         \
    (cu_module * module, const void *image, unsigned option_count,             \
     int *options, void **values))                                             \
  X(module_unload, "cuModuleUnload", (cu_module module))                       \
  X(module_function, "cuModuleGetFunction",                                    \
    (cu_function * function, cu_module module, const char *name))              \
  X(function_attribute, "cuFuncGetAttribute",                                  \
    (int *value, int attribute, cu_function function))                         \
  X(function_set_attribute, "cuFuncSetAttribute",                              \
    (cu_function function, int attribute, int value))                          \
  X(launch, "cuLaunchKernel",                                                  \
    (cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,  \
     unsigned block_x, unsigned block_y, unsigned block_z,                     \
     unsigned shared_bytes, cu_stream stream, void **parameters,               \
     void **extra))                                                            \
  X(stream_create, "cuStreamCreate", (cu_stream * stream, unsigned flags))     \
  X(stream_destroy, "cuStreamDestroy_v2", (cu_stream stream))                  \
  X(stream_synchronize, "cuStreamSynchronize", (cu_stream stream))             \
  X(event_create, "cuEventCreate", (cu_event * event, unsigned flags))         \
  X(event_destroy, "cuEventDestroy_v2", (cu_event event))                      \
  X(event_record, "cuEventRecord", (cu_event event, cu_stream stream))         \
  X(event_elapsed, "cuEventElapsedTime",                                       \
    (float *milliseconds, cu_event begin, cu_event end))                       \
  X(graph_create, "cuGraphCreate", (cu_graph * graph, unsigned flags))         \
  X(graph_destroy, "cuGraphDestroy", (cu_graph graph))                         \
  X(graph_add_kernel, "cuGraphAddKernelNode",                                  \
    (cu_node * node, cu_graph graph, const cu_node *before, size_t count,      \
     const cu_kernel_parameters *parameters))                                  \
  X(graph_add_copy, "cuGraphAddMemcpyNode",                                    \
    (cu_node * node, cu_graph graph, const cu_node *before, size_t count,      \
     const cu_copy_parameters *parameters, cu_context context))                \
  X(graph_instantiate, "cuGraphInstantiateWithFlags",                          \
    (cu_exec * exec, cu_graph graph, unsigned long long flags))                \
  X(graph_set_kernel, "cuGraphExecKernelNodeSetParams",                        \
    (cu_exec exec, cu_node node, const cu_kernel_parameters *parameters))      \
  X(graph_set_copy, "cuGraphExecMemcpyNodeSetParams",                          \
    (cu_exec exec, cu_node node, const cu_copy_parameters *parameters,         \
     cu_context context))                                                      \
  X(graph_launch, "cuGraphLaunch", (cu_exec exec, cu_stream stream))           \
  X(exec_destroy, "cuGraphExecDestroy", (cu_exec exec))

typedef struct cu_driver {
#define BN_CUDA_DECLARE(field, symbol, parameters) cu_result(*field) parameters;
  BN_CUDA_FUNCTIONS(BN_CUDA_DECLARE)
#undef BN_CUDA_DECLARE
} cu_driver;

#endif /* BITNET_SRC_DEVICE_CUDA_DRIVER_H */
