/*===- DeviceModel.c - A model on a device, written by hand --------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What TestModel.c computes, but by kernels: ScaleAdd, Remember and Logits, the
 * variant's kernels 0, 1 and 2. Without a device (variant 0) it gives 99
 * for all entries. Some values of n in the main entry make it fail.
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet/artifact.h"

enum { CONTEXT = 70, VOCABULARY = 16, COLUMNS = 3, BLOCK = 32 };
enum { SCALE_ADD, REMEMBER, LOGITS };

static uint64_t address(const void *pointer) {
  return (uint64_t)(uintptr_t)pointer;
}

static uint64_t bits_of(float value) {
  union {
    float value;
    uint32_t bits;
  } both = {value};
  return both.bits;
}

/* z = x + w * y + 1 with `count` elements. */
static int32_t scale_add(const bn_call *call, const void *x, const void *y,
                         void *z, int64_t count) {
  const bn_environment *environment = call->environment;
  const uint32_t grid[] = {(uint32_t)((count + BLOCK - 1) / BLOCK), 1, 1};
  const uint64_t arguments[] = {
      (uint64_t)count,        address(x), address(y), bits_of(1.0f),
      address(call->archive), address(z)};
  return environment->launch(environment->user, SCALE_ADD, grid, arguments);
}

/* The ways to fail, each by its own number of rows. */
static int32_t fail(const bn_call *call, int64_t rows) {
  const bn_environment *environment = call->environment;
  const uint32_t one[] = {1, 1, 1};
  const uint32_t huge[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
  const void *x = call->inputs[0].data;
  const uint64_t misaligned[] = {
      1, address(x) + 4,         address(x),
      0, address(call->archive), address(call->workspace)};
  const uint64_t aligned[] = {1,
                              address(x),
                              address(x),
                              0,
                              address(call->archive),
                              address(call->workspace)};
  switch (rows) {
  case 13:
    return environment->launch(environment->user, 99, one, aligned);
  case 14:
    return environment->launch(environment->user, SCALE_ADD, huge, aligned);
  case 15:
    return environment->allocate(environment->user, UINT64_MAX / 8)
               ? BN_ENTRY_OK
               : BN_ENTRY_OUT_OF_MEMORY;
  case 16:
    return environment->launch(environment->user, SCALE_ADD, one, misaligned);
  case 17:
    return environment->launch(environment->user, SCALE_ADD, one, aligned)
               ? BN_ENTRY_DEVICE_FAILED
               : BN_ENTRY_BAD_SHAPE;
  case 18:
    return environment->check_buffer(environment->user, SCALE_ADD, 1,
                                     INT64_C(1) << 31, 1);
  case 19:
    return environment->check_buffer(environment->user, SCALE_ADD, 1,
                                     BN_DEVICE_ELEMENTS, 8);
  case 20:
    return environment->check_buffer(environment->user, SCALE_ADD, 1,
                                     INT64_C(1) << 25, 4);
  default:
    return BN_ENTRY_OK;
  }
}

static int32_t run_main(const bn_call *call) {
  const bn_environment *environment = call->environment;
  if (!environment->launch)
    return 99;
  int64_t rows = call->inputs[0].shape[0], pick = -1;
  int32_t result = fail(call, rows);
  if (!result)
    result = environment->read(environment->user, &pick,
                               address(call->inputs[2].data), sizeof(pick));
  if (result)
    return result;
  if (pick < 0 || pick >= rows)
    return BN_ENTRY_BAD_INDEX;
  uint64_t bytes = (uint64_t)rows * COLUMNS * sizeof(float);
  /* Memory that was given back is given again while it may still be in use. */
  float *first = environment->allocate(environment->user, bytes);
  if (!first)
    return BN_ENTRY_OUT_OF_MEMORY;
  result = scale_add(call, call->inputs[0].data, call->inputs[1].data, first,
                     rows * COLUMNS);
  environment->release(environment->user, first);
  float *z = environment->allocate(environment->user, bytes);
  if (!z)
    return BN_ENTRY_OUT_OF_MEMORY;
  if (!result)
    result = scale_add(call, call->inputs[0].data, call->inputs[1].data, z,
                       rows * COLUMNS);
  call->outputs[0].data = z;
  call->outputs[0].shape[0] = rows;
  call->outputs[0].shape[1] = COLUMNS;
  /* The row, and behind it a number that the host makes of its first. */
  float mark = 0;
  unsigned char *row = call->workspace;
  if (!result)
    result =
        environment->copy(environment->user, address(row),
                          address(z) + (uint64_t)pick * COLUMNS * sizeof(float),
                          COLUMNS * sizeof(float));
  if (!result)
    result =
        environment->read(environment->user, &mark, address(row), sizeof(mark));
  mark += 4711.0f;
  if (!result)
    result = environment->write(environment->user,
                                address(row) + COLUMNS * sizeof(float), &mark,
                                sizeof(mark));
  call->outputs[1].data = row;
  call->outputs[1].shape[0] = COLUMNS + 1;
  return result;
}

static int32_t run_cached(const bn_call *call, int64_t tokens) {
  const bn_environment *environment = call->environment;
  if (!environment->launch || call->position < 0 ||
      call->position + tokens > CONTEXT)
    return 99;
  const uint32_t grid[] = {(uint32_t)((tokens + BLOCK - 1) / BLOCK), 1, 1};
  const uint64_t remember[] = {address(call->inputs[0].data),
                               (uint64_t)call->position,
                               address(call->states[1]), (uint64_t)tokens};
  const uint64_t logits[] = {address(call->states[1]), (uint64_t)call->position,
                             (uint64_t)tokens, address(call->workspace)};
  int32_t result =
      environment->launch(environment->user, REMEMBER, grid, remember);
  if (!result)
    result = environment->launch(environment->user, LOGITS, grid, logits);
  call->outputs[0].data = call->workspace;
  call->outputs[0].shape[0] = 1;
  call->outputs[0].shape[1] = tokens;
  call->outputs[0].shape[2] = VOCABULARY;
  return result;
}

static int32_t run_8(const bn_call *call) { return run_cached(call, 8); }
static int32_t run_1(const bn_call *call) { return run_cached(call, 1); }
static int32_t run_32(const bn_call *call) { return run_cached(call, 32); }

__attribute__((visibility("default"))) bn_entry_fn
bitnet_query(uint32_t abi_version, uint32_t variant, uint32_t entry) {
  static bn_entry_fn const entries[] = {run_main, run_8, run_1, run_32};
  return abi_version == BN_ABI_VERSION && variant < 4 && entry < 4
             ? entries[entry]
             : 0;
}
