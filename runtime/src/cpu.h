/*===- cpu.h - What the processor can do ---------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_CPU_H
#define BITNET_SRC_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* The features of a processor that its operating system lets programs use. */
typedef struct bn_cpu {
  uint64_t bits[2];
} bn_cpu;

bn_cpu bn_cpu_detect(void);

/* Whether the processor has a feature, in LLVM's spelling; a '+' before it is
   allowed. No processor has a feature that this runtime does not know. */
bool bn_cpu_has(const bn_cpu *cpu, const char *feature);

/* Whether the operating system lets this process use a feature that the
   processor has. For those of AMX it is asked: what it grants, it grants for
   good, and signals need larger stacks from then on. */
bool bn_cpu_ask(const char *feature);

/* The distances of bn_environment that suit this processor. */
void bn_cpu_fetch_distance(int64_t distance[2]);

/* Whether a processor of x86 fetches weights in time without being asked: by
   its vendor (12 characters) and signature, as leaves 0 and 1 of cpuid give. */
bool bn_cpu_fetches_ahead(const char *vendor, uint32_t signature);

/* How many processors this process may use. */
int32_t bn_cpu_count(void);

#endif /* BITNET_SRC_CPU_H */
