/*===- model.c - Opening models ------------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "model.h"

#include "status.h"
#include "variant.h"

#include <stdlib.h>
#include <string.h>

bool bn_read_options(const void *options, void *defaults, uint32_t bytes) {
  if (!options)
    return true;
  uint32_t struct_size;
  memcpy(&struct_size, options, sizeof(struct_size));
  if (struct_size < sizeof(struct_size))
    return false;
  memcpy(defaults, options, struct_size < bytes ? struct_size : bytes);
  return true;
}

static int32_t read_manifest(const char *path, bn_model *model,
                             bn_status *status) {
  int32_t code = bn_manifest_read(model->file.manifest, model->file.kernels,
                                  path, &model->manifest, status);
  if (code)
    return code;
  bn_manifest *manifest = &model->manifest;
  if (manifest->info.archive_bytes != model->file.archive.count)
    return bn_report(status, BN_CORRUPT,
                     "%s: its archive has %llu bytes where the manifest says "
                     "%llu",
                     path, (unsigned long long)model->file.archive.count,
                     (unsigned long long)manifest->info.archive_bytes);
  manifest->info.tokenizer = (const char *)model->file.tokenizer.data;
  manifest->info.tokenizer_bytes = model->file.tokenizer.count;
  code = bn_accelerators_open(&model->accelerators, manifest, status);
  return code ? code : bn_judge_variants(model, status);
}

static int32_t check_machine(const char *path, const bn_model *model,
                             bn_status *status) {
  uint16_t machine = model->file.machine;
  if (machine == bn_machine_of_process())
    return BN_OK;
  const char *process = bn_machine_name(bn_machine_of_process());
  if (!process)
    process = "of another kind";
  if (bn_machine_name(machine))
    return bn_report(status, BN_UNSUPPORTED,
                     "%s: compiled for %s, this machine is %s", path,
                     bn_machine_name(machine), process);
  return bn_report(status, BN_UNSUPPORTED,
                   "%s: compiled for ELF machine %u, this machine is %s", path,
                   machine, process);
}

int32_t bn_model_open(const char *path, const bn_open_options *options,
                      bn_model **model, bn_status *status) {
  if (!path || !model)
    return bn_report(status, BN_INVALID, "bn_model_open: a NULL argument");
  *model = NULL;
  bn_open_options chosen = {sizeof(chosen), 0};
  if (!bn_read_options(options, &chosen, sizeof(chosen)))
    return bn_report(status, BN_INVALID,
                     "bn_model_open: options without a struct_size");
  bn_model *opened = calloc(1, sizeof(*opened));
  if (!opened)
    return bn_report(status, BN_OUT_OF_MEMORY, "%s: out of memory", path);
  atomic_init(&opened->references, 1);
  opened->cpu = bn_cpu_detect();
  opened->inspect_only = chosen.inspect_only != 0;
  int32_t code = bn_file_open(path, &opened->file, status);
  if (!code)
    code = read_manifest(path, opened, status);
  if (!code && !chosen.inspect_only) {
    code = check_machine(path, opened, status);
    if (!code)
      code = bn_code_load(path, &opened->file, &opened->code, status);
  }
  if (code) {
    bn_model_close(opened);
    return code;
  }
  *model = opened;
  return bn_succeed(status);
}

const bn_model_info *bn_model_get_info(const bn_model *model) {
  return &model->manifest.info;
}

void bn_model_retain(bn_model *model) {
  atomic_fetch_add(&model->references, 1);
}

void bn_model_close(bn_model *model) {
  if (!model || atomic_fetch_sub(&model->references, 1) != 1)
    return;
  bn_code_unload(&model->code);
  bn_accelerators_close(&model->accelerators, &model->manifest);
  free(model->obstacles);
  bn_manifest_free(&model->manifest);
  bn_file_close(&model->file);
  free(model);
}
