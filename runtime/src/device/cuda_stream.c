/*===- cuda_stream.c - Work in its order on CUDA -------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Launches and copies are collected until the host waits for one, or the call
 * ends: a decode step then goes to the driver as one graph.
 *
 *===----------------------------------------------------------------------===*/

#include "../status.h"
#include "cuda_graph.h"

#include <stdlib.h>
#include <string.h>

enum { COPIED_ASIDE = 1 << 15 };

/* The stretches of an entry's calls, between what the host waits for. */
typedef struct entry_stretches {
  cuda_stretch *stretches;
  uint32_t count;
} entry_stretches;

struct bn_stream {
  cuda_device *device;
  bn_program *program;
  cu_stream stream;
  cuda_commands pending;
  entry_stretches *entries;
  uint32_t entry_count;
  uint32_t entry, stretch; /* where the call under way is */
  cu_event first, last;    /* around the call's work; NULL: it is not timed */
};

int32_t cuda_create_stream(bn_device *device, bn_program *program,
                           uint32_t entries, bn_stream **created,
                           bn_status *status) {
  bn_stream *stream = calloc(1, sizeof(*stream));
  if (!stream)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  stream->device = (cuda_device *)device;
  stream->program = program;
  stream->entry_count = entries ? entries : 1;
  stream->entries = calloc(stream->entry_count, sizeof(*stream->entries));
  int32_t code = stream->entries
                     ? cuda_enter(stream->device, status)
                     : bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  if (!code) {
    cu_result error = stream->device->driver.stream_create(
        &stream->stream, CU_STREAM_NON_BLOCKING);
    cuda_leave(stream->device);
    if (error) {
      stream->stream = NULL;
      code = cuda_fail(stream->device, error, "no stream is given", status);
    }
  }
  if (code) {
    cuda_destroy_stream(stream);
    return code;
  }
  *created = stream;
  return BN_OK;
}

void cuda_destroy_stream(bn_stream *stream) {
  if (!stream)
    return;
  cuda_device *device = stream->device;
  if (stream->stream && !cuda_enter(device, NULL)) {
    device->driver.stream_synchronize(stream->stream);
    for (uint32_t i = 0; i < stream->entry_count; ++i)
      for (uint32_t j = 0; j < stream->entries[i].count; ++j)
        cuda_stretch_free(device, &stream->entries[i].stretches[j]);
    if (stream->first)
      device->driver.event_destroy(stream->first);
    if (stream->last)
      device->driver.event_destroy(stream->last);
    device->driver.stream_destroy(stream->stream);
    cuda_leave(device);
  }
  for (uint32_t i = 0; stream->entries && i < stream->entry_count; ++i)
    free(stream->entries[i].stretches);
  free(stream->entries);
  cuda_commands_free(&stream->pending);
  free(stream);
}

/* Gives the driver what is pending. The context is current. */
static int32_t flush(bn_stream *stream, bn_status *status) {
  if (!stream->pending.count)
    return BN_OK;
  entry_stretches *entry = &stream->entries[stream->entry];
  if (stream->stretch == entry->count) {
    cuda_stretch *grown =
        realloc(entry->stretches, (entry->count + 1u) * sizeof(cuda_stretch));
    if (!grown)
      return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
    memset(&grown[entry->count++], 0, sizeof(cuda_stretch));
    entry->stretches = grown;
  }
  const cu_driver *driver = &stream->device->driver;
  if (stream->last && !stream->stretch)
    driver->event_record(stream->first, stream->stream);
  int32_t code =
      cuda_stretch_run(stream->program, &entry->stretches[stream->stretch++],
                       &stream->pending, stream->stream, status);
  if (stream->last)
    driver->event_record(stream->last, stream->stream);
  return code;
}

/* Enters, and flushes: what the following functions begin with. */
static int32_t enter_in_order(bn_stream *stream, bn_status *status) {
  int32_t code = cuda_enter(stream->device, status);
  if (code)
    return code;
  code = flush(stream, status);
  if (code)
    cuda_leave(stream->device);
  return code;
}

static int32_t leave(bn_stream *stream, cu_result error, const char *what,
                     bn_status *status) {
  int32_t code = error ? cuda_fail(stream->device, error, what, status) : BN_OK;
  cuda_leave(stream->device);
  return code;
}

int32_t cuda_begin(bn_stream *stream, uint32_t entry, bn_status *status) {
  int32_t code = cuda_submit(stream, status);
  stream->pending.count = stream->pending.word_count = 0;
  stream->entry = entry < stream->entry_count ? entry : 0;
  stream->stretch = 0;
  return code;
}

int32_t cuda_launch(bn_stream *stream, uint32_t kernel, const uint32_t *grid,
                    const uint64_t *arguments, bn_status *status) {
  const bn_kernel *info = stream->program->kernels[kernel].info;
  return cuda_commands_add(&stream->pending, kernel, grid, arguments,
                           info->argument_count)
             ? BN_OK
             : bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
}

int32_t cuda_copy(bn_stream *stream, uint64_t destination, uint64_t source,
                  uint64_t bytes, bn_status *status) {
  uint64_t words[] = {destination, source, bytes};
  return cuda_commands_add(&stream->pending, CUDA_COMMAND_COPY, NULL, words, 3)
             ? BN_OK
             : bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
}

int32_t cuda_clear(bn_stream *stream, uint64_t address, uint64_t bytes,
                   bn_status *status) {
  int32_t code = enter_in_order(stream, status);
  if (code)
    return code;
  cu_result error =
      stream->device->driver.fill(address, 0, bytes, stream->stream);
  return leave(stream, error, "memory cannot be cleared", status);
}

int32_t cuda_write(bn_stream *stream, uint64_t destination, const void *host,
                   uint64_t bytes, bn_status *status) {
  int32_t code = enter_in_order(stream, status);
  if (code)
    return code;
  const cu_driver *driver = &stream->device->driver;
  cu_result error =
      driver->copy_to_device(destination, host, bytes, stream->stream);
  /* Little is copied aside at once; the host may not change what is not. */
  if (!error && bytes > COPIED_ASIDE)
    error = driver->stream_synchronize(stream->stream);
  return leave(stream, error, "writing to the device fails", status);
}

int32_t cuda_read(bn_stream *stream, void *host, uint64_t source,
                  uint64_t bytes, bn_status *status) {
  int32_t code = enter_in_order(stream, status);
  if (code)
    return code;
  const cu_driver *driver = &stream->device->driver;
  cu_result error = driver->copy_to_host(host, source, bytes, stream->stream);
  if (!error)
    error = driver->stream_synchronize(stream->stream);
  return leave(stream, error, "the device fails", status);
}

int32_t cuda_submit(bn_stream *stream, bn_status *status) {
  if (!stream->pending.count)
    return BN_OK;
  int32_t code = enter_in_order(stream, status);
  if (!code)
    cuda_leave(stream->device);
  return code;
}

int32_t cuda_wait(bn_stream *stream, bn_status *status) {
  int32_t code = enter_in_order(stream, status);
  if (code)
    return code;
  return leave(stream,
               stream->device->driver.stream_synchronize(stream->stream),
               "the device fails", status);
}

int32_t cuda_start_timing(bn_stream *stream, bn_status *status) {
  int32_t code = cuda_enter(stream->device, status);
  if (code)
    return code;
  const cu_driver *driver = &stream->device->driver;
  cu_result error = driver->event_create(&stream->first, 0);
  if (!error)
    error = driver->event_create(&stream->last, 0);
  return leave(stream, error, "the device cannot be timed", status);
}

double cuda_seconds(bn_stream *stream) {
  float milliseconds = 0;
  if (!stream->last || !stream->stretch || cuda_enter(stream->device, NULL))
    return 0;
  if (stream->device->driver.event_elapsed(&milliseconds, stream->first,
                                           stream->last))
    milliseconds = 0;
  cuda_leave(stream->device);
  return (double)milliseconds / 1000;
}
