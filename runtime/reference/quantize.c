/*===- quantize.c - Absmax quantisation ----------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet_reference.h"

#include <math.h>
#include <stddef.h>

static float absmax(const float *x, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i)
    largest = fmaxf(largest, fabsf(x[i]));
  return largest;
}

/* Every intermediate is rounded to float, as the graph's operations do. */
static float scaled(bn_reference_scaling scaling, float x, float a,
                    float bound) {
  switch (scaling) {
  case BN_REFERENCE_RECIPROCAL_MULTIPLY: {
    float reciprocal = 1.0f / a;
    float factor = reciprocal * bound;
    return x * factor;
  }
  case BN_REFERENCE_DIVIDE_MULTIPLY: {
    float factor = bound / a;
    return x * factor;
  }
  case BN_REFERENCE_MULTIPLY_DIVIDE: {
    float product = x * bound;
    return product / a;
  }
  case BN_REFERENCE_DIVIDE_STEP: {
    float step = a / bound;
    return x / step;
  }
  }
  return NAN;
}

/* Half to even, whatever the rounding mode. */
static float round_even(float x) {
  float floor = floorf(x);
  float fraction = x - floor;
  if (fraction < 0.5f)
    return floor;
  if (fraction > 0.5f)
    return floor + 1;
  return fmodf(floor, 2) == 0 ? floor : floor + 1;
}

static int32_t quantize_one(const bn_reference_quantizer *quantizer, float x,
                            float a) {
  float rounded =
      round_even(scaled(quantizer->scaling, x, a, quantizer->bound));
  if (rounded < (float)quantizer->minimum)
    return quantizer->minimum;
  if (rounded > (float)quantizer->maximum)
    return quantizer->maximum;
  return (int32_t)rounded;
}

void bn_reference_quantize(const bn_reference_quantizer *quantizer,
                           const float *x, int64_t rows, int64_t columns,
                           bn_reference_type type, void *values, float *steps,
                           int32_t *sums) {
  bool per_tensor = quantizer->granularity == BN_REFERENCE_PER_TENSOR;
  float tensor_absmax = per_tensor ? absmax(x, rows * columns) : 0;
  for (int64_t m = 0; m < rows; ++m) {
    float a = per_tensor ? tensor_absmax : absmax(x + m * columns, columns);
    a = fmaxf(a, quantizer->epsilon);
    if (steps && (m == 0 || !per_tensor))
      steps[m] = a / quantizer->bound;
    int32_t sum = 0;
    for (int64_t k = 0; k < columns; ++k) {
      int64_t at = m * columns + k;
      int32_t value = quantize_one(quantizer, x[at], a);
      sum += value;
      if (type == BN_REFERENCE_I8)
        ((int8_t *)values)[at] = (int8_t)value;
      else
        ((int16_t *)values)[at] = (int16_t)value;
    }
    if (sums)
      sums[m] = sum;
  }
}
