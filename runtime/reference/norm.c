/*===- norm.c - RMSNorm and LayerNorm ------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet_reference.h"

#include <math.h>
#include <stddef.h>

/* The mean of (x - offset)^power, power being 1 or 2. */
static double moment(const float *x, int64_t count, double offset, int power) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    double difference = x[i] - offset;
    sum += power == 1 ? difference : difference * difference;
  }
  return sum / (double)count;
}

void bn_reference_norm(bn_reference_norm_kind kind, float epsilon,
                       const float *x, const float *weight, const float *bias,
                       int64_t rows, int64_t columns, float *out) {
  for (int64_t row = 0; row < rows; ++row) {
    const float *from = x + row * columns;
    double mean =
        kind == BN_REFERENCE_LAYER_NORM ? moment(from, columns, 0, 1) : 0;
    double deviation = sqrt(moment(from, columns, mean, 2) + epsilon);
    for (int64_t i = 0; i < columns; ++i) {
      double y = (from[i] - mean) / deviation;
      if (weight)
        y *= weight[i];
      if (bias)
        y += bias[i];
      out[row * columns + i] = (float)y;
    }
  }
}
