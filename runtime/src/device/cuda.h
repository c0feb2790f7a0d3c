/*===- cuda.h - What the parts of the CUDA launcher share ----------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DEVICE_CUDA_H
#define BITNET_SRC_DEVICE_CUDA_H

#include "cuda_driver.h"
#include "device.h"

enum { CUDA_MAXIMUM_ARGUMENTS = 256 }; /* of a kernel */

typedef struct cuda_device {
  bn_device base;
  cu_driver driver;
  cu_device device;
  cu_context context; /* the primary one; NULL until started */
  int version;        /* of the driver's CUDA: 12040 is 12.4 */
  int major, minor;   /* of the compute capability */
  char description[160];
} cuda_device;

typedef struct cuda_kernel {
  const bn_kernel *info;
  cu_function function;
} cuda_kernel;

struct bn_program {
  cuda_device *device;
  cuda_kernel *kernels;
  cu_module *modules;
  uint32_t kernel_count, module_count;
};

/* Reports what the driver says about `error`, after what it was to do. */
int32_t cuda_fail(const cuda_device *device, cu_result error, const char *what,
                  bn_status *status);

/* Makes the device's context that of the thread, and gives the thread back the
   context that it had. */
int32_t cuda_enter(const cuda_device *device, bn_status *status);
void cuda_leave(const cuda_device *device);

int32_t cuda_load(bn_device *device, const bn_kernel *kernels, uint32_t count,
                  bn_program **program, bn_status *status);
void cuda_unload(bn_program *program);

int32_t cuda_create_stream(bn_device *device, bn_program *program,
                           uint32_t entries, bn_stream **stream,
                           bn_status *status);
void cuda_destroy_stream(bn_stream *stream);
int32_t cuda_begin(bn_stream *stream, uint32_t entry, bn_status *status);
int32_t cuda_launch(bn_stream *stream, uint32_t kernel, const uint32_t *grid,
                    const uint64_t *arguments, bn_status *status);
int32_t cuda_copy(bn_stream *stream, uint64_t destination, uint64_t source,
                  uint64_t bytes, bn_status *status);
int32_t cuda_clear(bn_stream *stream, uint64_t address, uint64_t bytes,
                   bn_status *status);
int32_t cuda_write(bn_stream *stream, uint64_t destination, const void *host,
                   uint64_t bytes, bn_status *status);
int32_t cuda_read(bn_stream *stream, void *host, uint64_t source,
                  uint64_t bytes, bn_status *status);
int32_t cuda_submit(bn_stream *stream, bn_status *status);
int32_t cuda_wait(bn_stream *stream, bn_status *status);
int32_t cuda_start_timing(bn_stream *stream, bn_status *status);
double cuda_seconds(bn_stream *stream);

#endif /* BITNET_SRC_DEVICE_CUDA_H */
