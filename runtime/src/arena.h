/*===- arena.h - Memory that compiled code asks for ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_ARENA_H
#define BITNET_SRC_ARENA_H

#include <stdint.h>

/* BN_ALIGNMENT-aligned blocks that live until the arena is reset. Blocks are
   used again, so that calls of one shape soon ask the system for nothing. Safe
   to use from several threads, except for reset and destroy. */
typedef struct bn_arena bn_arena;

/* Where an arena's memory comes from. */
typedef struct bn_memory_source {
  void *user;
  void *(*allocate)(void *user, uint64_t bytes); /* NULL if exhausted */
  void (*release)(void *user, void *pointer);
} bn_memory_source;

/* `source` is NULL for the host's memory. NULL if memory is exhausted. */
bn_arena *bn_arena_create(const bn_memory_source *source);
void bn_arena_destroy(bn_arena *arena);

/* NULL if memory is exhausted. */
void *bn_arena_allocate(bn_arena *arena, uint64_t bytes);
/* Gives one block back early. */
void bn_arena_release(bn_arena *arena, void *pointer);
/* Takes all blocks back, and returns to the system those that went unused for a
   while. */
void bn_arena_reset(bn_arena *arena);

#endif /* BITNET_SRC_ARENA_H */
