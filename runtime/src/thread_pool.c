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
  LEAST_SHARE = 8, /* of a part: a slice is no less than an eighth */
  /* A sleeper looks again this often: should a wake-up ever get lost, in a
     virtual machine that was stopped and copied, say, nothing hangs. */
  SLEEP_SECONDS = 1,
};

/* A part of a loop, of which threads take slices: that whose part it is, and
   those that have done theirs. So a loop waits no longer than for a slice where
   a processor is slow, or another process has it. */
typedef struct part {
  alignas(CACHE_LINE) _Atomic int64_t next;
  int64_t end;
  /* A slice has no fewer, but for the last: it begins a stream of weights,
     which costs a little. */
  int64_t least;
} part;

typedef struct worker {
  alignas(CACHE_LINE) atomic_uint jobs; /* handed to this worker so far */
  /* The last job that the worker took, or that the caller took back, all of the
     loop being done, since the worker slept, say. */
  atomic_uint taken;
  atomic_bool sleeping;

  part part;
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
  /* The loop; written before it is handed out. */
  bn_task_fn task; /* NULL: end */
  void *context;
  int64_t parts;
  part part; /* the caller's */
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

static void hand_out(worker *to) {
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

static part *get_part(bn_thread_pool *pool, int64_t index) {
  return index ? &pool->workers[index - 1].part : &pool->part;
}

/* The length of a slice where `left` are left: half, but no less than the
   least. */
static int64_t get_slice(const part *of, int64_t left) {
  int64_t slice = left - left / 2;
  if (slice < of->least)
    slice = of->least;
  return slice < left ? slice : left;
}

/* Runs slices of a part until none is left. */
static void run_part(bn_thread_pool *pool, part *of) {
  int64_t begin = atomic_load(&of->next);
  while (begin < of->end) {
    int64_t end = begin + get_slice(of, of->end - begin);
    if (!atomic_compare_exchange_weak(&of->next, &begin, end))
      continue;
    pool->task(pool->context, begin, end);
    begin = atomic_load(&of->next);
  }
}

/* Runs a thread's own part, then what is left of the others. */
static void run_parts(bn_thread_pool *pool, int64_t own) {
  for (int64_t i = 0; i < pool->parts; ++i)
    run_part(pool, get_part(pool, (own + i) % pool->parts));
}

static void *run_worker(void *argument) {
  worker *self = argument;
  bn_thread_pool *pool = self->pool;
  for (unsigned seen = 0;;) {
    await_job(self, seen);
    seen = atomic_load(&self->jobs);
    if (!take_job(self, seen))
      continue;
    if (!pool->task)
      return NULL;
    run_parts(pool, self - pool->workers + 1);
    finish_job(pool);
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
  pool->task = NULL;
  for (int32_t i = 0; i < pool->started; ++i)
    hand_out(&pool->workers[i]);
  for (int32_t i = 0; i < pool->started; ++i)
    pthread_join(pool->workers[i].thread, NULL);
  free(pool);
}

/* Takes its newest job back from a worker that has not begun it. */
static void take_back_job(worker *from) {
  if (take_job(from, atomic_load(&from->jobs)))
    atomic_fetch_sub(&from->pool->pending, 1);
}

int32_t bn_thread_pool_size(const bn_thread_pool *pool) {
  return pool->threads;
}

/* Where one of the loop's parts begins, without overflow. */
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
  pool->task = task;
  pool->context = context;
  pool->parts = parts;
  for (int64_t i = 0; i < parts; ++i) {
    part *to = get_part(pool, i);
    atomic_store(&to->next, part_begin(count, parts, i));
    to->end = part_begin(count, parts, i + 1);
    to->least = (to->end - to->next) / LEAST_SHARE;
  }
  for (int64_t i = 1; i < parts; ++i)
    hand_out(&pool->workers[i - 1]);
  run_parts(pool, 0);
  for (int64_t i = 1; i < parts; ++i)
    take_back_job(&pool->workers[i - 1]);
  await_finish(pool);
  atomic_store(&pool->busy, false);
}
