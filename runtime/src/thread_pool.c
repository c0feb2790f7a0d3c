/*===- thread_pool.c - Parallel loops ------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "thread_pool.h"

#include "cpu.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  CACHE_LINE = 64,
  /* Loops of one model follow each other within microseconds: a thread that
     slept between them would wake too late. */
  SPIN_NANOSECONDS = 50000,
  SPINS_BETWEEN_CLOCKS = 64,
  /* A sleeper looks again this often, whatever became of its wake-up. */
  SLEEP_SECONDS = 1,
};

typedef struct worker {
  alignas(CACHE_LINE) atomic_uint jobs; /* handed to this worker so far */
  /* The last job that somebody took. A worker that comes late, because it slept
     or another process has its processor, finds that the caller has taken its
     job. */
  atomic_uint taken;
  atomic_bool sleeping;
  /* The job; written before `jobs` grows, read by who takes it. */
  bn_task_fn task; /* NULL: end */
  void *context;
  int64_t begin, end;

  pthread_t thread;
  struct bn_thread_pool *pool;
} worker;

struct bn_thread_pool {
  int32_t threads;
  int32_t started; /* workers that run */
  int64_t spin_nanoseconds;
  atomic_bool busy;                        /* a loop is running */
  alignas(CACHE_LINE) atomic_uint pending; /* workers that still run it */
  atomic_bool waiting;                     /* the caller sleeps until none is */
  worker workers[];
};

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sleeps until `word` is woken, unless it holds another value than `value`
   already. May return early. */
static void sleep_on(atomic_uint *word, unsigned value) {
  struct timespec timeout = {.tv_sec = SLEEP_SECONDS};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &timeout, NULL, 0);
}

static void wake(atomic_uint *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool has_new_job(worker *self, unsigned seen) {
  return atomic_load(&self->jobs) != seen;
}

static bool is_finished(bn_thread_pool *pool) {
  return atomic_load(&pool->pending) == 0;
}

/* Waits for a job beyond the first `seen`: by spinning, then asleep. */
static void await_job(worker *self, unsigned seen) {
  if (self->pool->spin_nanoseconds) {
    int64_t deadline = now_nanoseconds() + self->pool->spin_nanoseconds;
    do
      for (int i = 0; i < SPINS_BETWEEN_CLOCKS; ++i) {
        if (has_new_job(self, seen))
          return;
        pause_briefly();
      }
    while (now_nanoseconds() < deadline);
  }
  /* Either this sees the new job, or who hands it out sees `sleeping`. */
  atomic_store(&self->sleeping, true);
  while (!has_new_job(self, seen))
    sleep_on(&self->jobs, seen);
  atomic_store(&self->sleeping, false);
}

/* Takes job `number` of the worker, unless it is taken. */
static bool take_job(worker *of, unsigned number) {
  unsigned before = number - 1;
  return atomic_compare_exchange_strong(&of->taken, &before, number);
}

static void hand_out(worker *to, bn_task_fn task, void *context, int64_t begin,
                     int64_t end) {
  to->task = task;
  to->context = context;
  to->begin = begin;
  to->end = end;
  atomic_fetch_add(&to->jobs, 1);
  if (atomic_load(&to->sleeping))
    wake(&to->jobs);
}

static void finish_job(bn_thread_pool *pool) {
  if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->waiting))
    wake(&pool->pending);
}

static void await_finish(bn_thread_pool *pool) {
  if (pool->spin_nanoseconds) {
    int64_t deadline = now_nanoseconds() + pool->spin_nanoseconds;
    do
      for (int i = 0; i < SPINS_BETWEEN_CLOCKS; ++i) {
        if (is_finished(pool))
          return;
        pause_briefly();
      }
    while (now_nanoseconds() < deadline);
  }
  atomic_store(&pool->waiting, true);
  for (unsigned left; (left = atomic_load(&pool->pending)) != 0;)
    sleep_on(&pool->pending, left);
  atomic_store(&pool->waiting, false);
}

static void *run_worker(void *argument) {
  worker *self = argument;
  for (unsigned seen = 0;;) {
    await_job(self, seen);
    seen = atomic_load(&self->jobs);
    if (!take_job(self, seen))
      continue;
    if (!self->task)
      return NULL;
    self->task(self->context, self->begin, self->end);
    finish_job(self->pool);
  }
}

static bool start_worker(bn_thread_pool *pool, worker *self) {
  atomic_init(&self->jobs, 0);
  atomic_init(&self->taken, 0);
  atomic_init(&self->sleeping, false);
  self->pool = pool;
  return pthread_create(&self->thread, NULL, run_worker, self) == 0;
}

bn_thread_pool *bn_thread_pool_create(int32_t threads) {
  size_t bytes =
      sizeof(bn_thread_pool) + (size_t)(threads - 1) * sizeof(worker);
  bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  bn_thread_pool *pool = aligned_alloc(CACHE_LINE, bytes);
  if (!pool)
    return NULL;
  memset(pool, 0, bytes);
  pool->threads = threads;
  /* With more threads than processors, spinning only delays the others. */
  pool->spin_nanoseconds = threads <= bn_cpu_count() ? SPIN_NANOSECONDS : 0;
  atomic_init(&pool->busy, false);
  atomic_init(&pool->pending, 0);
  atomic_init(&pool->waiting, false);
  for (; pool->started < threads - 1; ++pool->started)
    if (!start_worker(pool, &pool->workers[pool->started])) {
      bn_thread_pool_destroy(pool);
      return NULL;
    }
  return pool;
}

void bn_thread_pool_destroy(bn_thread_pool *pool) {
  if (!pool)
    return;
  for (int32_t i = 0; i < pool->started; ++i)
    hand_out(&pool->workers[i], NULL, NULL, 0, 0);
  for (int32_t i = 0; i < pool->started; ++i)
    pthread_join(pool->workers[i].thread, NULL);
  free(pool);
}

/* Does the worker's newest job if it has not begun. */
static void do_late_job(worker *late) {
  if (!take_job(late, atomic_load(&late->jobs)))
    return;
  late->task(late->context, late->begin, late->end);
  atomic_fetch_sub(&late->pool->pending, 1);
}

int32_t bn_thread_pool_size(const bn_thread_pool *pool) {
  return pool->threads;
}

/* Where part `index` of `parts` begins, without overflow. */
static int64_t part_begin(int64_t count, int64_t parts, int64_t index) {
  int64_t remainder = count % parts;
  return count / parts * index + (index < remainder ? index : remainder);
}

void bn_thread_pool_run(bn_thread_pool *pool, bn_task_fn task, void *context,
                        int64_t count) {
  if (count <= 0)
    return;
  int64_t parts = count < pool->threads ? count : pool->threads;
  if (parts == 1 || atomic_exchange(&pool->busy, true)) {
    task(context, 0, count);
    return;
  }
  atomic_store(&pool->pending, (unsigned)parts - 1);
  for (int64_t i = 1; i < parts; ++i)
    hand_out(&pool->workers[i - 1], task, context, part_begin(count, parts, i),
             part_begin(count, parts, i + 1));
  task(context, 0, part_begin(count, parts, 1));
  for (int64_t i = 1; i < parts; ++i)
    do_late_job(&pool->workers[i - 1]);
  await_finish(pool);
  atomic_store(&pool->busy, false);
}
