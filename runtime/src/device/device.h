/*===- device.h - What the runtime needs of devices ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A device, its memory, the kernels of a variant, and streams of work, behind
 * one table of functions for each kind. Functions that can fail give a bn_code
 * and a message. A device and a program may be used from several threads, a
 * stream from one at a time.
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DEVICE_DEVICE_H
#define BITNET_SRC_DEVICE_DEVICE_H

#include "../manifest.h"

#include <stdbool.h>

typedef struct bn_device_api bn_device_api;

/* The first field of each kind's own structure. */
typedef struct bn_device {
  const bn_device_api *api;
} bn_device;

typedef struct bn_program bn_program; /* the kernels of a variant, loaded */
typedef struct bn_stream bn_stream;   /* work that is done in its order */

struct bn_device_api {
  const char *name;

  /* Finds the driver and chooses a device; holds little until `start`. */
  int32_t (*open)(bn_device **device, bn_status *status);
  /* Everything that was made on the device must be gone. */
  void (*close)(bn_device *device);
  bool (*has_feature)(const bn_device *device, const char *feature);
  /* Such as "NVIDIA H200 (sm_90, driver for CUDA 12.4)". */
  const char *(*describe)(const bn_device *device);
  /* Whether it is the processor in truth. */
  bool (*is_processor)(const bn_device *device);
  /* Makes the device ready for all below. */
  int32_t (*start)(bn_device *device, bn_status *status);

  /* BN_ALIGNMENT-aligned memory of the device. */
  int32_t (*allocate)(bn_device *device, uint64_t bytes, uint64_t *address,
                      bn_status *status);
  void (*release)(bn_device *device, uint64_t address);
  /* The most bytes of a buffer that a kernel reaches. */
  uint64_t (*buffer_range)(const bn_device *device);
  /* Memory of the host to which reads are fast; NULL if exhausted. */
  void *(*allocate_host)(bn_device *device, uint64_t bytes);
  void (*release_host)(bn_device *device, void *pointer);

  int32_t (*load)(bn_device *device, const bn_kernel *kernels, uint32_t count,
                  bn_program **program, bn_status *status);
  void (*unload)(bn_program *program);

  /* `program` may be NULL: such a stream launches nothing. Outlives no program.
     `entries` is how many entries `begin` may name. */
  int32_t (*create_stream)(bn_device *device, bn_program *program,
                           uint32_t entries, bn_stream **stream,
                           bn_status *status);
  /* Waits for what the stream still does. */
  void (*destroy_stream)(bn_stream *stream);
  /* What follows is a call of an entry, which may resemble earlier ones. */
  int32_t (*begin)(bn_stream *stream, uint32_t entry, bn_status *status);
  int32_t (*launch)(bn_stream *stream, uint32_t kernel, const uint32_t *grid,
                    const uint64_t *arguments, bn_status *status);
  int32_t (*copy)(bn_stream *stream, uint64_t destination, uint64_t source,
                  uint64_t bytes, bn_status *status);
  /* Zeros; address and bytes are multiples of 4. */
  int32_t (*clear)(bn_stream *stream, uint64_t address, uint64_t bytes,
                   bn_status *status);
  int32_t (*write)(bn_stream *stream, uint64_t destination, const void *host,
                   uint64_t bytes, bn_status *status);
  /* Waits for all before it. */
  int32_t (*read)(bn_stream *stream, void *host, uint64_t source,
                  uint64_t bytes, bn_status *status);
  /* Ends a call: the device gets what it was not given yet. */
  int32_t (*submit)(bn_stream *stream, bn_status *status);
  int32_t (*wait)(bn_stream *stream, bn_status *status);
  /* Has calls timed from now on, if the device has a clock. */
  int32_t (*start_timing)(bn_stream *stream, bn_status *status);
  /* The time of the launches and copies of the last call, once they are waited
     for; 0 if it is not known. */
  double (*seconds)(bn_stream *stream);
};

extern const bn_device_api bn_cuda_api, bn_vulkan_api;

/* Opens a device of that kind, which is not BN_DEVICE_NONE. */
int32_t bn_device_open(uint32_t kind, bn_device **device, bn_status *status);

/*===----------------------------------------------------------------------===
 * For the kinds of devices
 *===----------------------------------------------------------------------===*/

/* Loads a driver's library: the file that `variable` of the environment names,
   or `name` from where the system keeps libraries. */
int32_t bn_device_load_driver(const char *variable, const char *name,
                              const char *missing, void **library,
                              bn_status *status);

/* The index that `variable` of the environment gives, -1 where it is not set.
   Fails where that is not one of `count` devices. */
int32_t bn_device_chosen(const char *variable, uint32_t count, int64_t *index,
                         bn_status *status);

/* Whether `feature` is `prefix` and a number, which goes to `number`, and then
   a rest that begins at `rest`. */
bool bn_feature_number(const char *feature, const char *prefix,
                       uint64_t *number, const char **rest);

#endif /* BITNET_SRC_DEVICE_DEVICE_H */
