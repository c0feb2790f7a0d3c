/*===- linear.c - Low-bit matmul and linear layers -----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet_reference.h"

#include <math.h>
#include <stddef.h>

static int64_t integer_at(bn_reference_type type, const void *values,
                          int64_t at) {
  return type == BN_REFERENCE_I8 ? ((const int8_t *)values)[at]
                                 : ((const int16_t *)values)[at];
}

static int64_t integer_dot(bn_reference_type type, const void *lhs,
                           const int8_t *weights, int64_t lhs_at,
                           int64_t weight_at, int64_t count) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += integer_at(type, lhs, lhs_at + i) * weights[weight_at + i];
  return sum;
}

static double float_dot(const float *lhs, const int8_t *weights,
                        int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += (double)lhs[i] * weights[i];
  return sum;
}

void bn_reference_matmul_integer(bn_reference_type type,
                                 const void *activations, const int8_t *weights,
                                 int64_t m, int64_t n, int64_t k,
                                 int32_t *out) {
  for (int64_t row = 0; row < m; ++row)
    for (int64_t column = 0; column < n; ++column)
      out[row * n + column] = (int32_t)integer_dot(type, activations, weights,
                                                   row * k, column * k, k);
}

void bn_reference_matmul_float(const float *activations, const int8_t *weights,
                               int64_t m, int64_t n, int64_t k, float *out) {
  for (int64_t row = 0; row < m; ++row)
    for (int64_t column = 0; column < n; ++column)
      out[row * n + column] =
          (float)float_dot(activations + row * k, weights + column * k, k);
}

float bn_reference_activate(bn_reference_activation activation, float x) {
  switch (activation) {
  case BN_REFERENCE_NONE:
    return x;
  case BN_REFERENCE_RELU:
    return fmaxf(x, 0);
  case BN_REFERENCE_RELU_SQUARED:
    return fmaxf(x, 0) * fmaxf(x, 0);
  case BN_REFERENCE_SILU:
    return (float)(x / (1 + exp(-(double)x)));
  case BN_REFERENCE_GELU:
    return (float)(0.5 * x * (1 + erf(x / sqrt(2.0))));
  }
  return NAN;
}

/* The sum over k of lhs[m, k] * weight[n, k] * scale[n, k / group]. */
static double scaled_dot(const bn_reference_linear *linear, int64_t m,
                         int64_t n) {
  int64_t k = linear->k;
  int64_t group = linear->group ? linear->group : k;
  int64_t groups = group ? (k + group - 1) / group : 0;
  const float *scales =
      linear->scales + (linear->scale_rows == 1 ? 0 : n * groups);
  double sum = 0;
  for (int64_t g = 0; g < groups; ++g) {
    int64_t begin = g * group;
    int64_t count = k - begin < group ? k - begin : group;
    double partial =
        linear->type == BN_REFERENCE_F32
            ? float_dot((const float *)linear->lhs + m * k + begin,
                        linear->weights + n * k + begin, count)
            : (double)integer_dot(linear->type, linear->lhs, linear->weights,
                                  m * k + begin, n * k + begin, count);
    sum += partial * scales[g];
  }
  return sum;
}

void bn_reference_run_linear(const bn_reference_linear *linear, float *out) {
  for (int64_t m = 0; m < linear->m; ++m) {
    float step = 1;
    if (linear->steps)
      step = linear->steps[linear->step_count == 1 ? 0 : m];
    for (int64_t n = 0; n < linear->n; ++n) {
      double sum = scaled_dot(linear, m, n) * step;
      if (linear->bias)
        sum += linear->bias[n];
      out[m * linear->n + n] =
          bn_reference_activate(linear->activation, (float)sum);
    }
  }
}
