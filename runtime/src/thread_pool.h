/*===- thread_pool.h - Parallel loops ------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_THREAD_POOL_H
#define BITNET_SRC_THREAD_POOL_H

#include "bitnet/artifact.h"

/* The caller's thread and `threads - 1` more. */
typedef struct bn_thread_pool bn_thread_pool;

/* NULL if the threads or the memory cannot be had. `threads` >= 1. */
bn_thread_pool *bn_thread_pool_create(int32_t threads);
void bn_thread_pool_destroy(bn_thread_pool *pool);
int32_t bn_thread_pool_size(const bn_thread_pool *pool);

/* Runs task over [0, count), split evenly in at most one part a thread. Each
   thread begins with its own part, so that it mostly meets the same weights in
   its cache from call to call, and goes on with what is left of the others':
   the task is called for several ranges, each half of a part at most, rounded
   up. While a loop runs, another one, from within a task or from another
   thread, is run by its caller, in one range. */
void bn_thread_pool_run(bn_thread_pool *pool, bn_task_fn task, void *context,
                        int64_t count);

#endif /* BITNET_SRC_THREAD_POOL_H */
