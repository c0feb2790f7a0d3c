/*===- run.c - Running the model's own signature -------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "dtype.h"
#include "session.h"
#include "status.h"

#include <stdio.h>
#include <string.h>

/* Writes "[1, sequence, 8]" as the signature has it, or, where `shape` is not
   NULL, the extents of a tensor. */
static void print_shape(const bn_dim *dims, const int64_t *shape, uint32_t rank,
                        char *text, size_t bytes) {
  size_t used = (size_t)snprintf(text, bytes, "[");
  for (uint32_t i = 0; i < rank && used < bytes; ++i) {
    const char *separator = i ? ", " : "";
    if (!shape && dims[i].extent < 0)
      used += (size_t)snprintf(text + used, bytes - used, "%s%.30s", separator,
                               dims[i].symbol[0] ? dims[i].symbol : "?");
    else
      used += (size_t)snprintf(text + used, bytes - used, "%s%lld", separator,
                               (long long)(shape ? shape[i] : dims[i].extent));
  }
  if (used < bytes)
    snprintf(text + used, bytes - used, "]");
}

/* Whether the extents fit the signature, and the bytes a size. */
static bool shape_fits(const bn_tensor_info *expected, const bn_tensor *given) {
  if (given->rank != expected->rank)
    return false;
  for (uint32_t i = 0; i < given->rank; ++i)
    if (expected->dims[i].extent >= 0 &&
        given->shape[i] != expected->dims[i].extent)
      return false;
  uint64_t bytes;
  return bn_tensor_bytes(expected->dtype, given->shape, given->rank, &bytes);
}

static bool has_elements(const bn_tensor *tensor) {
  for (uint32_t i = 0; i < tensor->rank; ++i)
    if (tensor->shape[i] == 0)
      return false;
  return true;
}

static int32_t check_input(const bn_tensor_info *expected,
                           const bn_tensor *given, bn_status *status) {
  if (given->dtype != expected->dtype)
    return bn_report(status, BN_INVALID, "input '%.100s' is of %s, got %s",
                     expected->name, bn_dtype_name(expected->dtype),
                     bn_dtype_name(given->dtype));
  if (!shape_fits(expected, given)) {
    char wanted[160], got[160];
    uint32_t rank = given->rank < BN_MAX_RANK ? given->rank : BN_MAX_RANK;
    print_shape(expected->dims, NULL, expected->rank, wanted, sizeof(wanted));
    print_shape(NULL, given->shape, rank, got, sizeof(got));
    return bn_report(status, BN_INVALID,
                     "input '%.100s' has the shape %s, got %s", expected->name,
                     wanted, got);
  }
  if (!given->data && has_elements(given))
    return bn_report(status, BN_INVALID, "input '%.100s' has no data",
                     expected->name);
  return BN_OK;
}

/* Finds the given tensor of each input of the signature, and checks it. */
static int32_t bind_inputs(bn_session *session, const bn_entry_info *entry,
                           const bn_tensor *inputs, uint32_t input_count,
                           bn_status *status) {
  for (uint32_t i = 0; i < input_count; ++i) {
    uint32_t known = 0;
    while (known < entry->input_count && inputs[i].name &&
           strcmp(entry->inputs[known].name, inputs[i].name) != 0)
      ++known;
    if (!inputs[i].name || known == entry->input_count)
      return bn_report(status, BN_INVALID, "the model has no input '%.100s'",
                       inputs[i].name ? inputs[i].name : "");
  }
  for (uint32_t i = 0; i < entry->input_count; ++i) {
    const bn_tensor_info *expected = &entry->inputs[i];
    const bn_tensor *given = NULL;
    for (uint32_t j = 0; j < input_count; ++j) {
      if (strcmp(expected->name, inputs[j].name) != 0)
        continue;
      if (given)
        return bn_report(status, BN_INVALID, "input '%.100s' is given twice",
                         expected->name);
      given = &inputs[j];
    }
    if (!given)
      return bn_report(status, BN_INVALID, "input '%.100s' is missing",
                       expected->name);
    int32_t code = check_input(expected, given, status);
    if (code)
      return code;
    session->inputs[i].data = given->data;
    memcpy(session->inputs[i].shape, given->shape,
           given->rank * sizeof(int64_t));
  }
  return BN_OK;
}

/* Dimensions of one name must have one extent. Compares the dimension with the
   first of its name. */
static int32_t check_symbol(const bn_session *session,
                            const bn_entry_info *entry, uint32_t input,
                            uint32_t dim, bn_status *status) {
  const char *symbol = entry->inputs[input].dims[dim].symbol;
  int64_t extent = session->inputs[input].shape[dim];
  for (uint32_t i = 0; i <= input; ++i)
    for (uint32_t j = 0; j < entry->inputs[i].rank; ++j) {
      const bn_dim *other = &entry->inputs[i].dims[j];
      if (other->extent >= 0 || strcmp(other->symbol, symbol) != 0)
        continue;
      if (session->inputs[i].shape[j] == extent)
        return BN_OK;
      return bn_report(
          status, BN_INVALID,
          "dimension '%.60s' is %lld in input '%.100s' but %lld in '%.100s'",
          symbol, (long long)extent, entry->inputs[input].name,
          (long long)session->inputs[i].shape[j], entry->inputs[i].name);
    }
  return BN_OK;
}

static int32_t check_symbols(const bn_session *session,
                             const bn_entry_info *entry, bn_status *status) {
  for (uint32_t i = 0; i < entry->input_count; ++i)
    for (uint32_t j = 0; j < entry->inputs[i].rank; ++j) {
      const bn_dim *dim = &entry->inputs[i].dims[j];
      if (dim->extent >= 0 || !dim->symbol[0])
        continue;
      int32_t code = check_symbol(session, entry, i, j, status);
      if (code)
        return code;
    }
  return BN_OK;
}

static int32_t give_outputs(bn_session *session, const bn_entry_info *entry,
                            bn_tensor *outputs, bn_status *status) {
  for (uint32_t i = 0; i < entry->output_count; ++i) {
    const bn_tensor_info *info = &entry->outputs[i];
    int32_t code =
        bn_session_give_output(session, info, &session->outputs[i], status);
    if (code)
      return code;
    memset(&outputs[i], 0, sizeof(outputs[i]));
    outputs[i].name = info->name;
    outputs[i].dtype = info->dtype;
    outputs[i].rank = info->rank;
    outputs[i].data = session->outputs[i].data;
    memcpy(outputs[i].shape, session->outputs[i].shape,
           info->rank * sizeof(int64_t));
  }
  return BN_OK;
}

int32_t bn_session_run(bn_session *session, const bn_tensor *inputs,
                       uint32_t input_count, bn_tensor *outputs,
                       uint32_t output_count, bn_status *status) {
  if (!session || (!inputs && input_count) || (!outputs && output_count))
    return bn_report(status, BN_INVALID, "bn_session_run: a NULL argument");
  const bn_model_info *info = &session->model->manifest.info;
  uint32_t index = 0;
  while (index < info->entry_count &&
         info->entries[index].kind != BN_ENTRY_MAIN)
    ++index;
  if (index == info->entry_count)
    return bn_report(status, BN_UNSUPPORTED,
                     "the artifact has no code for the model's own signature");
  const bn_entry_info *entry = &info->entries[index];
  if (output_count < entry->output_count)
    return bn_report(status, BN_INVALID,
                     "the model has %u outputs, there is room for %u",
                     entry->output_count, output_count);
  int32_t code = bind_inputs(session, entry, inputs, input_count, status);
  if (!code)
    code = check_symbols(session, entry, status);
  if (!code)
    code = bn_session_call(session, index, 0, status);
  if (!code)
    code = give_outputs(session, entry, outputs, status);
  return code ? code : bn_succeed(status);
}
