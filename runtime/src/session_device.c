/*===- session_device.c - Sessions of a device variant -------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "session.h"

#include "dtype.h"
#include "status.h"

#include <string.h>

static void *pointer_of(uint64_t address) { return (void *)(uintptr_t)address; }

static uint64_t address_of(const void *pointer) {
  return (uint64_t)(uintptr_t)pointer;
}

/*===----------------------------------------------------------------------===
 * The arena's memory
 *===----------------------------------------------------------------------===*/

static void *source_allocate(void *user, uint64_t bytes) {
  bn_session *session = user;
  uint64_t address = 0;
  return session->device->api->allocate(session->device, bytes, &address,
                                        &session->fault)
             ? NULL
             : pointer_of(address);
}

static void source_release(void *user, void *pointer) {
  bn_session *session = user;
  /* What the device still does may use it. */
  session->device->api->wait(session->stream, NULL);
  session->device->api->release(session->device, address_of(pointer));
}

/*===----------------------------------------------------------------------===
 * The environment of compiled code
 *===----------------------------------------------------------------------===*/

static int32_t result_of(int32_t code) {
  switch (code) {
  case BN_OK:
    return BN_ENTRY_OK;
  case BN_OUT_OF_MEMORY:
    return BN_ENTRY_OUT_OF_MEMORY;
  default:
    return BN_ENTRY_DEVICE_FAILED;
  }
}

static void *environment_allocate(void *user, uint64_t bytes) {
  bn_session *session = user;
  void *pointer = bn_arena_allocate(session->arena, bytes);
  if (!pointer && !session->fault.code)
    bn_report(&session->fault, BN_OUT_OF_MEMORY,
              "out of device memory: %llu bytes are asked for",
              (unsigned long long)bytes);
  return pointer;
}

static int32_t environment_launch(void *user, uint32_t kernel,
                                  const uint32_t *grid,
                                  const uint64_t *arguments) {
  bn_session *session = user;
  const bn_manifest *manifest = &session->model->manifest;
  if (kernel >= manifest->variants[session->variant].kernel_count)
    return result_of(bn_report(&session->fault, BN_FAILED,
                               "kernel %u is launched, which the variant does "
                               "not have",
                               kernel));
  if (!grid[0] || !grid[1] || !grid[2])
    return BN_ENTRY_OK;
  const bn_kernel *info = &manifest->kernels[session->variant][kernel];
  for (uint32_t i = 0; i < info->argument_count; ++i)
    if (info->arguments[i] == BN_ARGUMENT_BUFFER && arguments[i] % BN_ALIGNMENT)
      return result_of(bn_report(&session->fault, BN_FAILED,
                                 "argument %u of the kernel '%.100s' is a "
                                 "buffer at an address that is not aligned",
                                 i, info->name));
  return result_of(session->device->api->launch(session->stream, kernel, grid,
                                                arguments, &session->fault));
}

static int32_t environment_check_buffer(void *user, uint32_t kernel,
                                        uint32_t argument, int64_t elements,
                                        uint64_t element_bytes) {
  bn_session *session = user;
  const bn_device_api *api = session->device->api;
  const bn_manifest *manifest = &session->model->manifest;
  const bn_variant_info *variant = &manifest->variants[session->variant];
  const char *name = kernel < variant->kernel_count
                         ? manifest->kernels[session->variant][kernel].name
                         : "";
  if (elements > BN_DEVICE_ELEMENTS)
    return result_of(bn_report(
        &session->fault, BN_UNSUPPORTED,
        "%s: argument %u of the kernel '%.100s' is a buffer of %lld elements, "
        "kernels can index %lld",
        api->name, argument, name, (long long)elements,
        (long long)BN_DEVICE_ELEMENTS));
  uint64_t range = api->buffer_range(session->device), bytes;
  if (elements > 0 &&
      (__builtin_mul_overflow((uint64_t)elements, element_bytes, &bytes) ||
       bytes > range))
    return result_of(bn_report(
        &session->fault, BN_UNSUPPORTED,
        "%s: argument %u of the kernel '%.100s' is a buffer of %llu bytes, the "
        "device gives a kernel at most %llu of one",
        api->name, argument, name, (unsigned long long)bytes,
        (unsigned long long)range));
  return BN_ENTRY_OK;
}

static int32_t environment_copy(void *user, uint64_t destination,
                                uint64_t source, uint64_t bytes) {
  bn_session *session = user;
  if (!bytes)
    return BN_ENTRY_OK;
  return result_of(session->device->api->copy(session->stream, destination,
                                              source, bytes, &session->fault));
}

static int32_t environment_read(void *user, void *host, uint64_t source,
                                uint64_t bytes) {
  bn_session *session = user;
  if (!bytes)
    return BN_ENTRY_OK;
  /* Nothing writes to inputs, so the host need not wait for what it has. */
  for (uint32_t i = 0; i < session->copy_count; ++i) {
    const bn_input_copy *copy = &session->copies[i];
    uint64_t offset = source - copy->address;
    if (source < copy->address || offset >= copy->bytes ||
        bytes > copy->bytes - offset)
      continue;
    memcpy(host, (const unsigned char *)copy->host + offset, bytes);
    return BN_ENTRY_OK;
  }
  return result_of(session->device->api->read(session->stream, host, source,
                                              bytes, &session->fault));
}

static int32_t environment_write(void *user, uint64_t destination,
                                 const void *host, uint64_t bytes) {
  bn_session *session = user;
  if (!bytes)
    return BN_ENTRY_OK;
  return result_of(session->device->api->write(session->stream, destination,
                                               host, bytes, &session->fault));
}

/*===----------------------------------------------------------------------===
 * Sessions
 *===----------------------------------------------------------------------===*/

double bn_session_device_seconds(const bn_session *session) {
  const bn_device *device = session->device;
  return device ? device->api->seconds(session->stream) : 0;
}

int32_t bn_session_open_device(bn_session *session, bool timed,
                               bn_status *status) {
  bn_model *model = session->model;
  const bn_manifest *manifest = &model->manifest;
  int32_t code =
      bn_accelerators_load(&model->accelerators, manifest, model->file.archive,
                           session->variant, status);
  if (code)
    return code;
  uint32_t kind = manifest->variants[session->variant].device;
  const bn_accelerator *accelerator = &model->accelerators.kinds[kind];
  session->device = accelerator->device;
  session->archive = pointer_of(accelerator->archive);
  code = session->device->api->create_stream(
      session->device, model->accelerators.programs[session->variant],
      manifest->info.entry_count, &session->stream, status);
  if (!code && timed)
    code = session->device->api->start_timing(session->stream, status);
  if (code)
    return code;
  bn_memory_source source = {session, source_allocate, source_release};
  session->arena = bn_arena_create(&source);
  session->results = bn_arena_create(NULL);
  if (!session->arena || !session->results)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  session->environment.allocate = environment_allocate;
  session->environment.launch = environment_launch;
  session->environment.copy = environment_copy;
  session->environment.read = environment_read;
  session->environment.write = environment_write;
  session->environment.check_buffer = environment_check_buffer;
  return BN_OK;
}

void bn_session_close_device(bn_session *session) {
  if (!session->device)
    return;
  const bn_device_api *api = session->device->api;
  if (session->stream)
    api->wait(session->stream, NULL);
  bn_arena_destroy(session->arena);
  session->arena = NULL;
  bn_arena_destroy(session->results);
  if (session->workspace)
    api->release(session->device, address_of(session->workspace));
  if (session->device_states)
    api->release(session->device, session->device_states);
  api->release_host(session->device, session->logits);
  api->destroy_stream(session->stream);
}

/* Memory of zeros. */
static int32_t allocate_zeros(bn_session *session, uint64_t bytes,
                              uint64_t *address, bn_status *status) {
  const bn_device_api *api = session->device->api;
  int32_t code = api->allocate(session->device, bytes, address, status);
  if (!code && bytes)
    code = api->clear(session->stream, *address, bytes, status);
  return code;
}

int32_t bn_session_allocate_on_device(bn_session *session,
                                      uint64_t workspace_bytes,
                                      uint64_t states_bytes,
                                      uint64_t logits_bytes,
                                      bn_status *status) {
  uint64_t workspace = 0;
  int32_t code = allocate_zeros(session, workspace_bytes, &workspace, status);
  session->workspace = pointer_of(workspace);
  if (!code)
    code =
        allocate_zeros(session, states_bytes, &session->device_states, status);
  if (!code)
    code = session->device->api->wait(session->stream, status);
  if (code)
    return code;
  session->logits =
      session->device->api->allocate_host(session->device, logits_bytes);
  return session->logits ? BN_OK
                         : bn_report(status, BN_OUT_OF_MEMORY,
                                     "the %llu bytes of the logits cannot be "
                                     "had",
                                     (unsigned long long)logits_bytes);
}

int32_t bn_session_begin_on_device(bn_session *session, uint32_t entry,
                                   bn_status *status) {
  const bn_device_api *api = session->device->api;
  const bn_entry_info *info = &session->model->manifest.info.entries[entry];
  session->fault.code = BN_OK;
  session->copy_count = 0;
  int32_t code = api->begin(session->stream, entry, status);
  bn_arena_reset(session->arena);
  bn_arena_reset(session->results);
  for (uint32_t i = 0; i < info->input_count && !code; ++i) {
    bn_buffer *input = &session->inputs[i];
    uint64_t bytes = 0;
    if (!bn_tensor_bytes(info->inputs[i].dtype, input->shape,
                         info->inputs[i].rank, &bytes))
      return bn_report(status, BN_INVALID, "input '%.100s' is too large",
                       info->inputs[i].name);
    void *data = environment_allocate(session, bytes);
    if (!data)
      return bn_report(status, BN_OUT_OF_MEMORY, "input '%.100s': %s",
                       info->inputs[i].name, session->fault.message);
    if (bytes)
      code = api->write(session->stream, address_of(data), input->data, bytes,
                        status);
    session->copies[session->copy_count++] =
        (bn_input_copy){input->data, address_of(data), bytes};
    input->data = data;
  }
  return code;
}

int32_t bn_session_end_on_device(bn_session *session, int32_t result,
                                 bn_status *status) {
  const bn_device_api *api = session->device->api;
  if (result == BN_ENTRY_OK)
    return api->submit(session->stream, status);
  /* What was launched already comes to its end before anything else. */
  api->wait(session->stream, NULL);
  return BN_OK;
}

int32_t bn_session_read(bn_session *session, void *host, const void *data,
                        uint64_t bytes, bn_status *status) {
  if (!bytes)
    return BN_OK;
  if (session->device)
    return session->device->api->read(session->stream, host, address_of(data),
                                      bytes, status);
  memcpy(host, data, bytes);
  return BN_OK;
}

int32_t bn_session_give_output(bn_session *session, const bn_tensor_info *info,
                               bn_buffer *output, bn_status *status) {
  if (!session->device)
    return BN_OK;
  uint64_t bytes = 0;
  void *host = NULL;
  if (bn_tensor_bytes(info->dtype, output->shape, info->rank, &bytes))
    host = bn_arena_allocate(session->results, bytes);
  if (!host)
    return bn_report(status, BN_OUT_OF_MEMORY,
                     "out of memory: output '%.100s' has %llu bytes",
                     info->name, (unsigned long long)bytes);
  int32_t code = bn_session_read(session, host, output->data, bytes, status);
  output->data = host;
  return code;
}
