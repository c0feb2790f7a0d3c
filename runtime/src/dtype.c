/*===- dtype.c - Types of elements ---------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "dtype.h"

/* The names and sizes, up to BFLOAT16. */
static const struct {
  const char *name;
  uint32_t bytes;
} dtypes[] = {
    {"undefined", 0}, {"float32", 4}, {"uint8", 1},     {"int8", 1},
    {"uint16", 2},    {"int16", 2},   {"int32", 4},     {"int64", 8},
    {"string", 0},    {"bool", 1},    {"float16", 2},   {"float64", 8},
    {"uint32", 4},    {"uint64", 8},  {"complex64", 8}, {"complex128", 16},
    {"bfloat16", 2},
};
enum { DTYPE_COUNT = sizeof(dtypes) / sizeof(dtypes[0]) };

const char *bn_dtype_name(uint32_t dtype) {
  return dtype < DTYPE_COUNT ? dtypes[dtype].name : "an unknown type";
}

uint32_t bn_dtype_bytes(uint32_t dtype) {
  return dtype < DTYPE_COUNT ? dtypes[dtype].bytes : 0;
}

bool bn_tensor_bytes(uint32_t dtype, const int64_t *shape, uint32_t rank,
                     uint64_t *bytes) {
  *bytes = bn_dtype_bytes(dtype);
  bool is_empty = false, fits = true;
  for (uint32_t i = 0; i < rank; ++i) {
    if (shape[i] < 0)
      return false;
    is_empty = is_empty || shape[i] == 0;
    if (shape[i] > 0 &&
        __builtin_mul_overflow(*bytes, (uint64_t)shape[i], bytes))
      fits = false;
  }
  if (is_empty)
    *bytes = 0;
  return is_empty || (fits && *bytes <= INT64_MAX);
}
