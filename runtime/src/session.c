/*===- session.c - Making and calling sessions ---------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "session.h"

#include "status.h"
#include "variant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAXIMUM_THREADS = 1024 };
/* The most that states of a session have of huge pages. */
#define HUGE_STATES_BYTES (UINT64_C(256) << 20)

/*===----------------------------------------------------------------------===
 * The environment of compiled code
 *===----------------------------------------------------------------------===*/

static void *environment_allocate(void *user, uint64_t bytes) {
  return bn_arena_allocate(((bn_session *)user)->arena, bytes);
}

static void environment_release(void *user, void *pointer) {
  bn_arena_release(((bn_session *)user)->arena, pointer);
}

static void environment_parallel_for(void *user, bn_task_fn task, void *context,
                                     int64_t count) {
  bn_thread_pool_run(((bn_session *)user)->pool, task, context, count);
}

/*===----------------------------------------------------------------------===
 * Memory and code
 *===----------------------------------------------------------------------===*/

static int32_t find_entries(bn_session *session, bn_status *status) {
  const bn_model_info *info = &session->model->manifest.info;
  session->entries = calloc(info->entry_count, sizeof(*session->entries));
  if (!session->entries)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  for (uint32_t i = 0; i < info->entry_count; ++i) {
    session->entries[i] =
        session->model->code.query(BN_ABI_VERSION, session->variant, i);
    if (!session->entries[i])
      return bn_report(status, BN_CORRUPT,
                       "the artifact has no code for entry '%s' of variant "
                       "'%s'",
                       info->entries[i].name,
                       info->variants[session->variant].name);
  }
  return BN_OK;
}

/* Adds an aligned part to `total`; false on overflow. */
static bool add_part(uint64_t *total, uint64_t bytes) {
  return !__builtin_add_overflow(bytes, BN_ALIGNMENT - 1, &bytes) &&
         !__builtin_add_overflow(*total, bytes / BN_ALIGNMENT * BN_ALIGNMENT,
                                 total);
}

/* The sizes of the parts: where the states begin, and the logits, and the end.
 */
typedef struct memory_plan {
  uint64_t states, logits, end;
} memory_plan;

static bool plan_memory(const bn_manifest *manifest, memory_plan *plan) {
  const bn_model_info *info = &manifest->info;
  uint64_t workspace = 0;
  for (uint32_t i = 0; i < info->entry_count; ++i)
    if (info->entries[i].workspace_bytes > workspace)
      workspace = info->entries[i].workspace_bytes;
  uint64_t total = 0;
  bool fits = add_part(&total, workspace);
  plan->states = total;
  for (uint32_t i = 0; i < info->state_count; ++i)
    fits = fits && add_part(&total, manifest->states[i].bytes);
  plan->logits = total;
  uint64_t logits_bytes;
  fits = fits &&
         !__builtin_mul_overflow((uint64_t)info->vocabulary, sizeof(float),
                                 &logits_bytes) &&
         add_part(&total, logits_bytes);
  plan->end = total;
  return fits && total <= PTRDIFF_MAX;
}

static void place_states(bn_session *session, unsigned char *state) {
  const bn_manifest *manifest = &session->model->manifest;
  for (uint32_t i = 0; i < manifest->info.state_count; ++i) {
    session->states[i] = state;
    uint64_t bytes = 0;
    add_part(&bytes, manifest->states[i].bytes);
    state += bytes;
  }
}

/* Fresh pages are zeros: no state holds a NaN that a masked sum would keep. */
static int32_t map_memory(bn_session *session, const memory_plan *plan,
                          bn_status *status) {
  if (!plan->end)
    return BN_OK;
  void *memory = mmap(NULL, plan->end, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return bn_report(status, BN_OUT_OF_MEMORY,
                     "the %llu bytes of a session cannot be had: %s",
                     (unsigned long long)plan->end, strerror(errno));
  /* Activations of many tokens lie a row apart, and caches are read through:
     fewer misses of the TLB. But a short context touches little of a large
     cache, and would have all of it. */
  uint64_t states = plan->logits - plan->states;
  uint64_t huge = states <= HUGE_STATES_BYTES ? plan->end : plan->states;
  (void)madvise(memory, huge, MADV_HUGEPAGE);
  session->memory = memory;
  session->memory_bytes = plan->end;
  session->workspace = memory;
  place_states(session, (unsigned char *)memory + plan->states);
  session->logits = (float *)((unsigned char *)memory + plan->logits);
  return BN_OK;
}

static int32_t allocate_memory(bn_session *session, bn_status *status) {
  const bn_manifest *manifest = &session->model->manifest;
  uint32_t state_count = manifest->info.state_count;
  memory_plan plan;
  if (!plan_memory(manifest, &plan))
    return bn_report(status, BN_OUT_OF_MEMORY,
                     "the artifact asks for more memory than can be addressed");
  session->states = calloc(state_count + 1u, sizeof(*session->states));
  if (!session->states)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  if (!session->device)
    return map_memory(session, &plan, status);
  int32_t code = bn_session_allocate_on_device(session, plan.states,
                                               plan.logits - plan.states,
                                               plan.end - plan.logits, status);
  if (!code)
    place_states(session, (unsigned char *)(uintptr_t)session->device_states);
  return code;
}

/* Adds to `count` chunks, the largest first. */
static void insert_chunk(bn_chunk *chunks, uint32_t count, bn_chunk chunk) {
  uint32_t at = count;
  for (; at > 0 && chunks[at - 1].tokens < chunk.tokens; --at)
    chunks[at] = chunks[at - 1];
  chunks[at] = chunk;
}

/* The arrays that calls use, and the cached entries by size. */
static int32_t prepare_calls(bn_session *session, bn_status *status) {
  const bn_model_info *info = &session->model->manifest.info;
  uint32_t inputs = 1, outputs = 1;
  int64_t largest = 1;
  session->chunks = calloc(info->entry_count, sizeof(*session->chunks));
  session->fills = calloc(info->entry_count, sizeof(*session->fills));
  if (!session->chunks || !session->fills)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  for (uint32_t i = 0; i < info->entry_count; ++i) {
    const bn_entry_info *entry = &info->entries[i];
    inputs = entry->input_count > inputs ? entry->input_count : inputs;
    outputs = entry->output_count > outputs ? entry->output_count : outputs;
    if (entry->kind == BN_ENTRY_MAIN)
      continue;
    largest = entry->tokens > largest ? entry->tokens : largest;
    bn_chunk chunk = {i, entry->tokens};
    if (entry->kind == BN_ENTRY_TOP)
      session->top = chunk;
    else if (entry->kind == BN_ENTRY_FILL)
      insert_chunk(session->fills, session->fill_count++, chunk);
    else
      insert_chunk(session->chunks, session->chunk_count++, chunk);
  }
  session->inputs = calloc(inputs, sizeof(bn_buffer));
  session->outputs = calloc(outputs, sizeof(bn_buffer));
  session->copies = calloc(inputs, sizeof(bn_input_copy));
  session->chunk_tokens = calloc((size_t)largest, sizeof(int64_t));
  if (!session->inputs || !session->outputs || !session->copies ||
      !session->chunk_tokens)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  return BN_OK;
}

static int32_t start_threads(bn_session *session, int32_t threads,
                             bn_status *status) {
  if (threads < 0 || threads > MAXIMUM_THREADS)
    return bn_report(status, BN_INVALID,
                     "%d threads are asked for; 0 (one per core) to %d can be "
                     "had",
                     threads, MAXIMUM_THREADS);
  if (threads == 0) /* the code of a device variant has little to do */
    threads = session->device ? 1 : bn_cpu_count();
  if (!session->arena)
    session->arena = bn_arena_create(NULL);
  session->pool = bn_thread_pool_create(threads);
  if (!session->arena || !session->pool)
    return bn_report(status, BN_OUT_OF_MEMORY, "%d threads cannot be started",
                     threads);
  return BN_OK;
}

/* The variant, and what it needs but memory. */
static int32_t open_variant(bn_session *session,
                            const bn_session_options *options,
                            bn_status *status) {
  bn_model *model = session->model;
  int32_t code =
      bn_choose_variant(model, options->variant, &session->variant, status);
  if (code)
    return code;
  session->archive = model->file.archive.data;
  session->environment = (bn_environment){
      .struct_size = sizeof(bn_environment),
      .abi_version = BN_ABI_VERSION,
      .user = session,
      .allocate = environment_allocate,
      .release = environment_release,
      .parallel_for = environment_parallel_for,
  };
  bn_cpu_fetch_distance(session->environment.fetch_distance);
  if (model->manifest.variants[session->variant].device != BN_DEVICE_NONE)
    code = bn_session_open_device(session, options->timed, status);
  return code ? code : find_entries(session, status);
}

/*===----------------------------------------------------------------------===
 * Sessions
 *===----------------------------------------------------------------------===*/

int32_t bn_session_create(bn_model *model, const bn_session_options *options,
                          bn_session **session, bn_status *status) {
  if (!model || !session)
    return bn_report(status, BN_INVALID, "bn_session_create: a NULL argument");
  *session = NULL;
  bn_session_options chosen = {.struct_size = sizeof(chosen)};
  if (!bn_read_options(options, &chosen, sizeof(chosen)))
    return bn_report(status, BN_INVALID,
                     "bn_session_create: options without a struct_size");
  if (!model->code.query)
    return bn_report(status, BN_INVALID,
                     "the model was opened for inspection only");
  bn_session *created = calloc(1, sizeof(*created));
  if (!created)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  created->model = model;
  bn_model_retain(model);
  int32_t code = open_variant(created, &chosen, status);
  if (!code)
    code = allocate_memory(created, status);
  if (!code)
    code = prepare_calls(created, status);
  if (!code)
    code = start_threads(created, chosen.threads, status);
  if (code) {
    bn_session_close(created);
    return code;
  }
  *session = created;
  return bn_succeed(status);
}

void bn_session_close(bn_session *session) {
  if (!session)
    return;
  bn_thread_pool_destroy(session->pool);
  bn_session_close_device(session);
  bn_arena_destroy(session->arena);
  if (session->memory)
    munmap(session->memory, session->memory_bytes);
  free(session->states);
  free(session->entries);
  free(session->inputs);
  free(session->outputs);
  free(session->copies);
  free(session->chunks);
  free(session->fills);
  free(session->chunk_tokens);
  bn_model_close(session->model);
  free(session);
}

const char *bn_session_variant(const bn_session *session) {
  return session->model->manifest.info.variants[session->variant].name;
}

int32_t bn_session_threads(const bn_session *session) {
  return bn_thread_pool_size(session->pool);
}

/* Reports what an entry gave. */
static int32_t report_result(const bn_session *session, const char *entry,
                             int32_t result, bn_status *status) {
  switch (result) {
  case BN_ENTRY_OK:
    return BN_OK;
  case BN_ENTRY_OUT_OF_MEMORY:
    return bn_report(status, BN_OUT_OF_MEMORY, "entry '%s': %s", entry,
                     session->fault.code ? session->fault.message
                                         : "out of memory");
  case BN_ENTRY_BAD_SHAPE:
    return bn_report(status, BN_INVALID,
                     "entry '%s': the inputs' shapes do not fit together",
                     entry);
  case BN_ENTRY_BAD_INDEX:
    return bn_report(status, BN_INVALID,
                     "entry '%s': an index in the inputs (a token id, say) is "
                     "out of range",
                     entry);
  case BN_ENTRY_DEVICE_FAILED:
    return bn_report(status, BN_FAILED, "entry '%s': %s", entry,
                     session->fault.code ? session->fault.message
                                         : "its device failed");
  default:
    return bn_report(status, BN_FAILED,
                     "entry '%s' failed with the unknown code %d", entry,
                     result);
  }
}

int32_t bn_session_call(bn_session *session, uint32_t entry, int64_t position,
                        bn_status *status) {
  const bn_entry_info *info = &session->model->manifest.info.entries[entry];
  memset(session->outputs, 0, info->output_count * sizeof(bn_buffer));
  if (session->device) {
    int32_t code = bn_session_begin_on_device(session, entry, status);
    if (code)
      return code;
  } else {
    bn_arena_reset(session->arena);
  }
  bn_call call = {
      .struct_size = sizeof(call),
      .environment = &session->environment,
      .archive = session->archive,
      .workspace = session->workspace,
      .states = session->states,
      .inputs = session->inputs,
      .outputs = session->outputs,
      .position = position,
  };
  int32_t result = session->entries[entry](&call);
  if (session->device) {
    int32_t code = bn_session_end_on_device(session, result, status);
    if (code)
      return code;
  }
  return report_result(session, info->name, result, status);
}
