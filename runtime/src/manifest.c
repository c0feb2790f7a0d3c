/*===- manifest.c - Reading the manifest ---------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "manifest.h"

#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ONNX's TensorProto.DataType of a cached entry's tensors. */
enum { DTYPE_FLOAT = 1, DTYPE_INT64 = 7 };

/* What must stay for as long as the manifest does. */
typedef struct bn_memory {
  struct bn_memory *next;
  _Alignas(16) unsigned char data[];
} bn_memory;

/* Reads forward; after the first fault every read gives zeros. */
typedef struct reader {
  const unsigned char *at, *end;
  bn_bytes kernels;
  bn_manifest *manifest;
  const char *fault; /* NULL: none */
  bool out_of_memory;
} reader;

static void set_fault(reader *reader, const char *fault) {
  if (!reader->fault)
    reader->fault = fault;
}

static void *allocate(reader *reader, uint64_t count, uint64_t bytes_each) {
  /* `count` was checked against the bytes of the file. */
  bn_memory *memory = calloc(1, sizeof(bn_memory) + count * bytes_each);
  if (!memory) {
    reader->out_of_memory = true;
    set_fault(reader, "out of memory");
    return NULL;
  }
  memory->next = reader->manifest->memory;
  reader->manifest->memory = memory;
  return memory->data;
}

static void read_bytes(reader *reader, void *to, size_t bytes) {
  memset(to, 0, bytes);
  if (reader->fault)
    return;
  if ((size_t)(reader->end - reader->at) < bytes) {
    set_fault(reader, "it ends too early");
    return;
  }
  memcpy(to, reader->at, bytes);
  reader->at += bytes;
}

static uint32_t read_u32(reader *reader) {
  unsigned char bytes[4];
  read_bytes(reader, bytes, sizeof(bytes));
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
         (uint32_t)bytes[3] << 24;
}

static uint64_t read_u64(reader *reader) {
  uint64_t low = read_u32(reader);
  return low | (uint64_t)read_u32(reader) << 32;
}

static int64_t read_i64(reader *reader) { return (int64_t)read_u64(reader); }

/* The count of a list whose elements take `bytes_each` at least, so that no
   count makes us allocate much more than the file holds. */
static uint32_t read_count(reader *reader, size_t bytes_each) {
  uint32_t count = read_u32(reader);
  if (reader->fault)
    return 0;
  if (count > (size_t)(reader->end - reader->at) / bytes_each) {
    set_fault(reader, "it ends too early");
    return 0;
  }
  return count;
}

static const char *read_string(reader *reader) {
  uint32_t bytes = read_count(reader, 1);
  char *string = reader->fault ? NULL : allocate(reader, bytes + 1ull, 1);
  if (!string)
    return "";
  read_bytes(reader, string, bytes);
  if (memchr(string, '\0', bytes))
    set_fault(reader, "a name in it is not text");
  return string;
}

enum { MINIMUM_STRING = 4, MINIMUM_DIM = 12 };

static void read_tensor(reader *reader, bn_tensor_info *tensor) {
  tensor->name = read_string(reader);
  tensor->dtype = read_u32(reader);
  tensor->rank = read_count(reader, MINIMUM_DIM);
  if (tensor->rank > BN_MAX_RANK) {
    set_fault(reader, "a tensor has more dimensions than the runtime allows");
    return;
  }
  bn_dim *dims = allocate(reader, tensor->rank, sizeof(bn_dim));
  tensor->dims = dims;
  for (uint32_t i = 0; i < tensor->rank && !reader->fault; ++i) {
    dims[i].extent = read_i64(reader);
    dims[i].symbol = read_string(reader);
    if (dims[i].extent < -1)
      set_fault(reader, "a tensor has a negative extent");
  }
}

static const bn_tensor_info *read_tensors(reader *reader, uint32_t *count) {
  *count = read_count(reader, MINIMUM_STRING + 8);
  bn_tensor_info *tensors = allocate(reader, *count, sizeof(bn_tensor_info));
  for (uint32_t i = 0; i < *count && !reader->fault; ++i)
    read_tensor(reader, &tensors[i]);
  return tensors;
}

static bool is_tensor(const bn_tensor_info *tensor, uint32_t dtype,
                      uint32_t rank) {
  return tensor->dtype == dtype && tensor->rank == rank;
}

/* What session.c relies on. */
static void check_decoder_entry(reader *reader, const bn_entry_info *entry) {
  const bn_model_info *info = &reader->manifest->info;
  uint32_t count = entry->kind == BN_ENTRY_TOP ? 2 : 1;
  bool good = entry->tokens >= 1 && entry->tokens <= info->max_context &&
              info->vocabulary >= 1 && entry->input_count == count &&
              entry->output_count == count &&
              is_tensor(&entry->inputs[0], DTYPE_INT64, 2) &&
              is_tensor(&entry->outputs[0], DTYPE_FLOAT, 3);
  if (good && entry->kind == BN_ENTRY_TOP)
    good = entry->tokens == 1 && is_tensor(&entry->inputs[1], DTYPE_INT64, 1) &&
           is_tensor(&entry->outputs[1], DTYPE_INT64, 1);
  if (!good)
    set_fault(reader, "an entry of a decoder does not map tokens to logits");
}

static void read_entries(reader *reader) {
  bn_model_info *info = &reader->manifest->info;
  info->entry_count = read_count(reader, MINIMUM_STRING + 44);
  bn_entry_info *entries =
      allocate(reader, info->entry_count, sizeof(bn_entry_info));
  info->entries = entries;
  for (uint32_t i = 0; i < info->entry_count && !reader->fault; ++i) {
    bn_entry_info *entry = &entries[i];
    entry->name = read_string(reader);
    entry->kind = read_u32(reader);
    entry->tokens = read_i64(reader);
    entry->workspace_bytes = read_u64(reader);
    entry->macs = read_u64(reader);
    entry->weight_bytes = read_u64(reader);
    entry->inputs = read_tensors(reader, &entry->input_count);
    entry->outputs = read_tensors(reader, &entry->output_count);
    if (entry->kind != BN_ENTRY_MAIN && !reader->fault)
      check_decoder_entry(reader, entry);
  }
}

static void read_kernel(reader *reader, bn_kernel *kernel) {
  kernel->name = read_string(reader);
  for (int i = 0; i < 3; ++i) {
    kernel->block[i] = read_u32(reader);
    if (!kernel->block[i])
      set_fault(reader, "a kernel has an empty block");
  }
  kernel->shared_bytes = read_u32(reader);
  kernel->argument_count = read_count(reader, 1);
  uint8_t *arguments = allocate(reader, kernel->argument_count + 1ull, 1);
  kernel->arguments = arguments;
  if (arguments)
    read_bytes(reader, arguments, kernel->argument_count);
  for (uint32_t i = 0; i < kernel->argument_count && !reader->fault; ++i)
    if (arguments[i] > BN_ARGUMENT_F32)
      set_fault(reader, "an argument of a kernel is of an unknown kind");
  uint64_t offset = read_u64(reader), bytes = read_u64(reader);
  if (!bytes || offset % BN_ALIGNMENT || offset > reader->kernels.count ||
      bytes > reader->kernels.count - offset)
    set_fault(reader, "the code of a kernel lies outside its section");
  if (!reader->fault)
    kernel->code = (bn_bytes){reader->kernels.data + offset, bytes};
}

static const bn_kernel *read_kernels(reader *reader, bn_variant_info *variant) {
  variant->device = read_u32(reader);
  if (variant->device > BN_DEVICE_ROCM)
    set_fault(reader, "a variant is for an unknown device");
  variant->kernel_count = read_count(reader, MINIMUM_STRING + 44);
  if (variant->device == BN_DEVICE_NONE && variant->kernel_count)
    set_fault(reader, "a variant has kernels but no device");
  bn_kernel *kernels =
      allocate(reader, variant->kernel_count, sizeof(bn_kernel));
  for (uint32_t i = 0; i < variant->kernel_count && !reader->fault; ++i) {
    read_kernel(reader, &kernels[i]);
    if (!reader->fault && variant->device == BN_DEVICE_CUDA &&
        kernels[i].code.data[kernels[i].code.count - 1])
      set_fault(reader, "the PTX of a kernel does not end in a NUL");
  }
  return kernels;
}

static void read_variants(reader *reader) {
  bn_manifest *manifest = reader->manifest;
  bn_model_info *info = &manifest->info;
  info->variant_count = read_count(reader, MINIMUM_STRING + 12);
  manifest->variants =
      allocate(reader, info->variant_count, sizeof(bn_variant_info));
  manifest->kernels =
      allocate(reader, info->variant_count, sizeof(bn_kernel *));
  info->variants = manifest->variants;
  for (uint32_t i = 0; i < info->variant_count && !reader->fault; ++i) {
    bn_variant_info *variant = &manifest->variants[i];
    variant->name = read_string(reader);
    variant->feature_count = read_count(reader, MINIMUM_STRING);
    const char **features =
        allocate(reader, variant->feature_count, sizeof(char *));
    variant->features = features;
    for (uint32_t j = 0; j < variant->feature_count && !reader->fault; ++j)
      features[j] = read_string(reader);
    manifest->kernels[i] = read_kernels(reader, variant);
  }
}

static void read_states(reader *reader) {
  bn_manifest *manifest = reader->manifest;
  manifest->info.state_count = read_count(reader, MINIMUM_STRING + 8);
  manifest->states =
      allocate(reader, manifest->info.state_count, sizeof(bn_state_info));
  for (uint32_t i = 0; i < manifest->info.state_count && !reader->fault; ++i) {
    manifest->states[i].name = read_string(reader);
    manifest->states[i].bytes = read_u64(reader);
    if (__builtin_add_overflow(manifest->info.state_bytes,
                               manifest->states[i].bytes,
                               &manifest->info.state_bytes))
      set_fault(reader, "the sizes of its states overflow");
  }
}

static void read_stop_tokens(reader *reader) {
  bn_model_info *info = &reader->manifest->info;
  info->stop_token_count = read_count(reader, MINIMUM_STRING);
  int64_t *tokens = allocate(reader, info->stop_token_count, sizeof(int64_t));
  info->stop_tokens = tokens;
  for (uint32_t i = 0; i < info->stop_token_count && !reader->fault; ++i) {
    const char *text = read_string(reader);
    char *end;
    errno = 0;
    long long token = strtoll(text, &end, 10);
    if (end == text || *end || errno || token < 0)
      set_fault(reader, "a stop token is not a number");
    else
      tokens[i] = token;
  }
}

static void read_body(reader *reader) {
  bn_model_info *info = &reader->manifest->info;
  info->producer = read_string(reader);
  info->triple = read_string(reader);
  info->archive_bytes = read_u64(reader);
  info->weight_bytes = read_u64(reader);
  info->max_context = read_i64(reader);
  info->vocabulary = read_i64(reader);
  if (info->max_context < 0 || info->vocabulary < 0)
    set_fault(reader, "its context or vocabulary is negative");
  read_stop_tokens(reader);
  read_variants(reader);
  read_states(reader);
  read_entries(reader);
  if (!info->variant_count || !info->entry_count)
    set_fault(reader, "it has no variants or no entries");
  if (reader->at != reader->end)
    set_fault(reader, "more bytes follow it");
}

int32_t bn_manifest_read(bn_bytes bytes, bn_bytes kernels, const char *path,
                         bn_manifest *manifest, bn_status *status) {
  memset(manifest, 0, sizeof(*manifest));
  manifest->info.struct_size = sizeof(manifest->info);
  reader reader = {.at = bytes.data,
                   .end = bytes.data + bytes.count,
                   .kernels = kernels,
                   .manifest = manifest};
  if (read_u32(&reader) != BN_MANIFEST_MAGIC)
    set_fault(&reader, "it begins with the wrong magic number");
  uint32_t version = read_u32(&reader);
  if (!reader.fault && version != BN_ABI_VERSION)
    return bn_report(
        status, BN_UNSUPPORTED,
        "%s: has version %u of the artifact's format, this runtime "
        "reads version %u",
        path, version, BN_ABI_VERSION);
  if (!reader.fault)
    read_body(&reader);
  if (!reader.fault)
    return BN_OK;
  bn_manifest_free(manifest);
  if (reader.out_of_memory)
    return bn_report(status, BN_OUT_OF_MEMORY, "%s: out of memory", path);
  return bn_report(status, BN_CORRUPT, "%s: its manifest is malformed: %s",
                   path, reader.fault);
}

void bn_manifest_free(bn_manifest *manifest) {
  while (manifest->memory) {
    bn_memory *next = manifest->memory->next;
    free(manifest->memory);
    manifest->memory = next;
  }
  memset(manifest, 0, sizeof(*manifest));
}
