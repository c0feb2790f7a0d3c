/*===- cuda_program.c - Loading a variant's PTX --------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "../status.h"
#include "cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts a log to its first line that says something. */
static const char *first_line(char *log) {
  while (*log == '\n' || *log == ' ')
    ++log;
  log[strcspn(log, "\n")] = '\0';
  return *log ? log : "the driver does not say why";
}

/* The version of PTX that a text asks for, such as "8.0". */
static void find_ptx_version(const bn_kernel *kernel, char version[16]) {
  const char *text = strstr((const char *)kernel->code.data, ".version");
  if (!text || sscanf(text, ".version %15s", version) != 1)
    snprintf(version, 16, "?");
}

static int32_t load_module(bn_program *program, const bn_kernel *kernel,
                           bn_status *status) {
  cuda_device *device = program->device;
  char log[2048] = "";
  int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES};
  void *values[] = {log, (void *)(uintptr_t)(sizeof(log) - 1)};
  cu_result error =
      device->driver.module_load(&program->modules[program->module_count],
                                 kernel->code.data, 2, options, values);
  if (!error) {
    ++program->module_count;
    return BN_OK;
  }
  if (error == CU_UNSUPPORTED_PTX_VERSION) {
    char version[16];
    find_ptx_version(kernel, version);
    return bn_report(status, BN_UNSUPPORTED,
                     "CUDA: the driver is too old: the kernel '%.100s' is PTX "
                     "%s, which a driver for CUDA %d.%d does not know",
                     kernel->name, version, device->version / 1000,
                     device->version % 1000 / 10);
  }
  const char *name = NULL;
  device->driver.error_name(error, &name);
  return bn_report(status,
                   error == CU_OUT_OF_MEMORY ? BN_OUT_OF_MEMORY : BN_FAILED,
                   "CUDA: the kernel '%.100s' does not load: %s: %.250s",
                   kernel->name, name ? name : "?", first_line(log));
}

static int32_t find_function(bn_program *program, cuda_kernel *kernel,
                             cu_module module, bn_status *status) {
  const bn_kernel *info = kernel->info;
  const cu_driver *driver = &program->device->driver;
  cu_result error =
      driver->module_function(&kernel->function, module, info->name);
  int threads = 0;
  if (!error)
    error = driver->function_attribute(&threads, CU_FUNCTION_MAX_THREADS,
                                       kernel->function);
  if (!error && info->argument_count > CUDA_MAXIMUM_ARGUMENTS)
    return bn_report(status, BN_UNSUPPORTED,
                     "CUDA: the kernel '%.100s' does not load: it takes %u "
                     "arguments, %d are the limit",
                     info->name, info->argument_count, CUDA_MAXIMUM_ARGUMENTS);
  uint64_t block = (uint64_t)info->block[0] * info->block[1] * info->block[2];
  if (!error && block > (uint64_t)threads)
    return bn_report(status, BN_UNSUPPORTED,
                     "CUDA: the kernel '%.100s' does not load: it has blocks "
                     "of %llu threads, the device runs it with %d",
                     info->name, (unsigned long long)block, threads);
  if (!error && info->shared_bytes)
    error = driver->function_set_attribute(kernel->function,
                                           CU_FUNCTION_MAX_DYNAMIC_SHARED,
                                           (int)info->shared_bytes);
  if (!error)
    return BN_OK;
  char what[160];
  snprintf(what, sizeof(what), "the kernel '%.100s' does not load", info->name);
  return cuda_fail(program->device, error, what, status);
}

/* The module of a kernel's code, which earlier kernels may share. */
static int32_t load_kernel(bn_program *program, uint32_t *modules_of,
                           uint32_t index, bn_status *status) {
  const bn_kernel *info = program->kernels[index].info;
  uint32_t other = 0;
  while (other < index &&
         program->kernels[other].info->code.data != info->code.data)
    ++other;
  modules_of[index] = other < index ? modules_of[other] : program->module_count;
  if (other == index) {
    int32_t code = load_module(program, info, status);
    if (code)
      return code;
  }
  return find_function(program, &program->kernels[index],
                       program->modules[modules_of[index]], status);
}

int32_t cuda_load(bn_device *device, const bn_kernel *kernels, uint32_t count,
                  bn_program **loaded, bn_status *status) {
  bn_program *program = calloc(1, sizeof(*program));
  uint32_t *modules_of = calloc(count + 1u, sizeof(*modules_of));
  if (program) {
    program->device = (cuda_device *)device;
    program->kernels = calloc(count + 1u, sizeof(*program->kernels));
    program->modules = calloc(count + 1u, sizeof(*program->modules));
  }
  int32_t code;
  if (!program || !modules_of || !program->kernels || !program->modules)
    code = bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  else
    code = cuda_enter(program->device, status);
  if (!code) {
    for (uint32_t i = 0; i < count && !code; ++i) {
      program->kernels[i].info = &kernels[i];
      ++program->kernel_count;
      code = load_kernel(program, modules_of, i, status);
    }
    cuda_leave(program->device);
  }
  free(modules_of);
  if (code) {
    cuda_unload(program);
    return code;
  }
  *loaded = program;
  return BN_OK;
}

void cuda_unload(bn_program *program) {
  if (!program)
    return;
  if (program->module_count && !cuda_enter(program->device, NULL)) {
    for (uint32_t i = 0; i < program->module_count; ++i)
      program->device->driver.module_unload(program->modules[i]);
    cuda_leave(program->device);
  }
  free(program->modules);
  free(program->kernels);
  free(program);
}
