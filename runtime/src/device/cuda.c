/*===- cuda.c - CUDA's devices, their memory and kernels -----------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "cuda.h"

#include "../status.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CUDA 11.4 brought the last of BN_CUDA_FUNCTIONS. */
enum { MINIMUM_VERSION = 11040 };

int32_t cuda_fail(const cuda_device *device, cu_result error, const char *what,
                  bn_status *status) {
  const char *name = NULL, *text = NULL;
  device->driver.error_name(error, &name);
  device->driver.error_string(error, &text);
  return bn_report(status,
                   error == CU_OUT_OF_MEMORY ? BN_OUT_OF_MEMORY : BN_FAILED,
                   "CUDA: %s: %s (%s)", what, text ? text : "unknown error",
                   name ? name : "?");
}

int32_t cuda_enter(const cuda_device *device, bn_status *status) {
  cu_result error = device->driver.context_push(device->context);
  return error
             ? cuda_fail(device, error, "the device's context is lost", status)
             : BN_OK;
}

void cuda_leave(const cuda_device *device) {
  cu_context context;
  device->driver.context_pop(&context);
}

/*===----------------------------------------------------------------------===
 * The driver and its devices
 *===----------------------------------------------------------------------===*/

static int32_t load_driver(cuda_device *device, bn_status *status) {
  void *library;
  int32_t code = bn_device_load_driver(
      "BITNET_CUDA_DRIVER", "libcuda.so.1",
      "CUDA: no driver: libcuda.so.1 cannot be loaded", &library, status);
  if (code)
    return code;
  const char *lacking = NULL;
  cu_driver *driver = &device->driver;
  /* POSIX's way around ISO C, which has no cast from void * to a function. */
#define BN_CUDA_FIND(field, symbol, parameters)                                \
  *(void **)&driver->field = dlsym(library, symbol);                           \
  if (!driver->field && !lacking)                                              \
    lacking = symbol;
  BN_CUDA_FUNCTIONS(BN_CUDA_FIND)
#undef BN_CUDA_FIND
  if (driver->get_version && driver->get_version(&device->version))
    device->version = 0;
  if (lacking || device->version < MINIMUM_VERSION)
    return bn_report(status, BN_UNSUPPORTED,
                     "CUDA: the driver is too old: it is for CUDA %d.%d, "
                     "%d.%d is needed%s%s",
                     device->version / 1000, device->version % 1000 / 10,
                     MINIMUM_VERSION / 1000, MINIMUM_VERSION % 1000 / 10,
                     lacking ? "; it lacks " : "", lacking ? lacking : "");
  return BN_OK;
}

static int32_t choose_device(cuda_device *device, bn_status *status) {
  cu_driver *driver = &device->driver;
  cu_result error = driver->init(0);
  int count = 0;
  if (!error)
    error = driver->device_count(&count);
  if (error == CU_NO_DEVICE || (!error && count < 1))
    return bn_report(status, BN_UNSUPPORTED,
                     "CUDA: no GPU: the driver is there but finds none");
  int64_t chosen = 0;
  if (!error) {
    int32_t code = bn_device_chosen("BITNET_CUDA_DEVICE", (uint32_t)count,
                                    &chosen, status);
    if (code)
      return code;
    error = driver->device_get(&device->device, chosen < 0 ? 0 : (int)chosen);
  }
  if (!error)
    error = driver->device_attribute(&device->major, CU_DEVICE_CAPABILITY_MAJOR,
                                     device->device);
  if (!error)
    error = driver->device_attribute(&device->minor, CU_DEVICE_CAPABILITY_MINOR,
                                     device->device);
  char name[96] = "";
  if (!error)
    error = driver->device_name(name, sizeof(name), device->device);
  if (error) {
    cuda_fail(device, error, "the driver does not start", status);
    if (status)
      status->code = BN_UNSUPPORTED;
    return BN_UNSUPPORTED;
  }
  name[sizeof(name) - 1] = '\0';
  snprintf(device->description, sizeof(device->description),
           "%s (sm_%d%d, driver for CUDA %d.%d)", name, device->major,
           device->minor, device->version / 1000, device->version % 1000 / 10);
  return BN_OK;
}

static void cuda_close(bn_device *base) {
  cuda_device *device = (cuda_device *)base;
  if (device && device->context)
    device->driver.context_release(device->device);
  free(device);
}

static int32_t cuda_open(bn_device **opened, bn_status *status) {
  cuda_device *device = calloc(1, sizeof(*device));
  if (!device)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  device->base.api = &bn_cuda_api;
  int32_t code = load_driver(device, status);
  if (!code)
    code = choose_device(device, status);
  if (code) {
    cuda_close(&device->base);
    return code;
  }
  *opened = &device->base;
  return BN_OK;
}

static bool cuda_has_feature(const bn_device *base, const char *feature) {
  const cuda_device *device = (const cuda_device *)base;
  uint64_t number, minor;
  const char *rest;
  if (bn_feature_number(feature, "sm_", &number, &rest)) {
    uint64_t capability =
        (uint64_t)device->major * 10 + (uint64_t)device->minor;
    if (strcmp(rest, "a") == 0)
      return capability == number;
    return !*rest && capability >= number;
  }
  if (bn_feature_number(feature, "cuda", &number, &rest) &&
      bn_feature_number(rest, ".", &minor, &rest) && !*rest && minor < 100)
    return (uint64_t)device->version >= number * 1000 + minor * 10;
  return false;
}

static const char *cuda_describe(const bn_device *base) {
  return ((const cuda_device *)base)->description;
}

static bool cuda_is_processor(const bn_device *device) {
  (void)device;
  return false;
}

static int32_t cuda_start(bn_device *base, bn_status *status) {
  cuda_device *device = (cuda_device *)base;
  if (device->context)
    return BN_OK;
  cu_result error =
      device->driver.context_retain(&device->context, device->device);
  if (!error)
    return BN_OK;
  device->context = NULL;
  return cuda_fail(device, error, "the device cannot be had", status);
}

/*===----------------------------------------------------------------------===
 * Memory
 *===----------------------------------------------------------------------===*/

static int32_t cuda_allocate(bn_device *base, uint64_t bytes, uint64_t *address,
                             bn_status *status) {
  cuda_device *device = (cuda_device *)base;
  int32_t code = cuda_enter(device, status);
  if (code)
    return code;
  cu_result error = device->driver.memory_allocate(address, bytes ? bytes : 1);
  size_t available = 0, total = 0;
  if (error == CU_OUT_OF_MEMORY)
    device->driver.memory_info(&available, &total);
  cuda_leave(device);
  if (error == CU_OUT_OF_MEMORY)
    return bn_report(status, BN_OUT_OF_MEMORY,
                     "CUDA: out of device memory: %llu bytes are asked for, "
                     "%zu of %zu are free",
                     (unsigned long long)bytes, available, total);
  return error ? cuda_fail(device, error, "no memory is given", status) : BN_OK;
}

static uint64_t cuda_buffer_range(const bn_device *device) {
  (void)device;
  return UINT64_MAX;
}

static void cuda_release(bn_device *base, uint64_t address) {
  cuda_device *device = (cuda_device *)base;
  if (!address || cuda_enter(device, NULL))
    return;
  device->driver.memory_free(address);
  cuda_leave(device);
}

static void *cuda_allocate_host(bn_device *base, uint64_t bytes) {
  cuda_device *device = (cuda_device *)base;
  void *pointer = NULL;
  if (cuda_enter(device, NULL))
    return NULL;
  if (device->driver.host_allocate(&pointer, bytes ? bytes : 1))
    pointer = NULL;
  cuda_leave(device);
  return pointer;
}

static void cuda_release_host(bn_device *base, void *pointer) {
  cuda_device *device = (cuda_device *)base;
  if (!pointer || cuda_enter(device, NULL))
    return;
  device->driver.host_free(pointer);
  cuda_leave(device);
}

const bn_device_api bn_cuda_api = {
    .name = "CUDA",
    .open = cuda_open,
    .close = cuda_close,
    .has_feature = cuda_has_feature,
    .describe = cuda_describe,
    .is_processor = cuda_is_processor,
    .start = cuda_start,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .buffer_range = cuda_buffer_range,
    .allocate_host = cuda_allocate_host,
    .release_host = cuda_release_host,
    .load = cuda_load,
    .unload = cuda_unload,
    .create_stream = cuda_create_stream,
    .destroy_stream = cuda_destroy_stream,
    .begin = cuda_begin,
    .launch = cuda_launch,
    .copy = cuda_copy,
    .clear = cuda_clear,
    .write = cuda_write,
    .read = cuda_read,
    .submit = cuda_submit,
    .wait = cuda_wait,
    .start_timing = cuda_start_timing,
    .seconds = cuda_seconds,
};
