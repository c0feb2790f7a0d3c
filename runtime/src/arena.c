/*===- arena.c - Memory that compiled code asks for ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "arena.h"

#include "bitnet/artifact.h"

#include <pthread.h>
#include <stdlib.h>

enum {
  CLASSES_PER_OCTAVE = 4, /* wastes at most a fifth of a block */
  CLASS_COUNT = 64 * CLASSES_PER_OCTAVE,
  RESETS_UNTIL_FREED = 2,
};

/* Apart from the memory, which the host may be unable to read. */
typedef struct block {
  struct block *next;
  struct block *previous; /* of a live one */
  void *memory;
  uint32_t size_class;
  uint64_t last_use; /* the period in which it was last handed out */
} block;

struct bn_arena {
  pthread_mutex_t mutex;
  bn_memory_source source;
  uint64_t period; /* resets so far */
  block *live;
  block *unused[CLASS_COUNT];
};

/* Sizes of classes are (4 + i) * 2^e, i < 4. */
static uint64_t class_bytes(uint32_t size_class) {
  return (uint64_t)(CLASSES_PER_OCTAVE + size_class % CLASSES_PER_OCTAVE)
         << size_class / CLASSES_PER_OCTAVE;
}

/* The smallest class that holds `bytes`. */
static uint32_t class_of(uint64_t bytes) {
  if (bytes < BN_ALIGNMENT)
    bytes = BN_ALIGNMENT;
  uint32_t log2 = 63 - (uint32_t)__builtin_clzll(bytes);
  uint32_t size_class = (log2 - 2) * CLASSES_PER_OCTAVE;
  while (class_bytes(size_class) < bytes)
    ++size_class;
  return size_class;
}

static void *allocate_on_host(void *user, uint64_t bytes) {
  (void)user;
  return aligned_alloc(BN_ALIGNMENT, bytes);
}

static void release_on_host(void *user, void *pointer) {
  (void)user;
  free(pointer);
}

bn_arena *bn_arena_create(const bn_memory_source *source) {
  static const bn_memory_source host = {NULL, allocate_on_host,
                                        release_on_host};
  bn_arena *arena = calloc(1, sizeof(*arena));
  if (!arena)
    return NULL;
  arena->source = source ? *source : host;
  pthread_mutex_init(&arena->mutex, NULL);
  return arena;
}

static void free_block(const bn_arena *arena, block *freed) {
  arena->source.release(arena->source.user, freed->memory);
  free(freed);
}

static void free_list(const bn_arena *arena, block *list) {
  while (list) {
    block *next = list->next;
    free_block(arena, list);
    list = next;
  }
}

void bn_arena_destroy(bn_arena *arena) {
  if (!arena)
    return;
  free_list(arena, arena->live);
  for (uint32_t i = 0; i < CLASS_COUNT; ++i)
    free_list(arena, arena->unused[i]);
  pthread_mutex_destroy(&arena->mutex);
  free(arena);
}

/* A new block. Its bytes are a multiple of the alignment: the classes from 256
   bytes on are, smaller ones are rounded up. */
static block *create_block(const bn_arena *arena, uint32_t size_class) {
  uint64_t bytes = class_bytes(size_class);
  bytes = (bytes + BN_ALIGNMENT - 1) / BN_ALIGNMENT * BN_ALIGNMENT;
  block *created = malloc(sizeof(*created));
  if (!created)
    return NULL;
  created->size_class = size_class;
  created->memory = arena->source.allocate(arena->source.user, bytes);
  if (created->memory)
    return created;
  free(created);
  return NULL;
}

void *bn_arena_allocate(bn_arena *arena, uint64_t bytes) {
  if (bytes > (uint64_t)PTRDIFF_MAX / 2)
    return NULL;
  uint32_t size_class = class_of(bytes);
  pthread_mutex_lock(&arena->mutex);
  block *taken = arena->unused[size_class];
  if (taken)
    arena->unused[size_class] = taken->next;
  else
    taken = create_block(arena, size_class);
  if (taken) {
    taken->last_use = arena->period;
    taken->previous = NULL;
    taken->next = arena->live;
    if (arena->live)
      arena->live->previous = taken;
    arena->live = taken;
  }
  pthread_mutex_unlock(&arena->mutex);
  return taken ? taken->memory : NULL;
}

static void put_back(bn_arena *arena, block *returned) {
  returned->next = arena->unused[returned->size_class];
  arena->unused[returned->size_class] = returned;
}

void bn_arena_release(bn_arena *arena, void *pointer) {
  if (!pointer)
    return;
  pthread_mutex_lock(&arena->mutex);
  /* Mostly one of the last that were handed out. */
  block *returned = arena->live;
  while (returned->memory != pointer)
    returned = returned->next;
  if (returned->previous)
    returned->previous->next = returned->next;
  else
    arena->live = returned->next;
  if (returned->next)
    returned->next->previous = returned->previous;
  put_back(arena, returned);
  pthread_mutex_unlock(&arena->mutex);
}

void bn_arena_reset(bn_arena *arena) {
  while (arena->live) {
    block *returned = arena->live;
    arena->live = returned->next;
    put_back(arena, returned);
  }
  ++arena->period;
  for (uint32_t i = 0; i < CLASS_COUNT; ++i)
    for (block **link = &arena->unused[i]; *link;) {
      block *candidate = *link;
      if (candidate->last_use + RESETS_UNTIL_FREED >= arena->period) {
        link = &candidate->next;
        continue;
      }
      *link = candidate->next;
      free_block(arena, candidate);
    }
}
