/*===- attention.c - Rotary embedding and attention ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet_reference.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

void bn_reference_rotary(const float *x, const float *cos, const float *sin,
                         int64_t batch, int64_t heads, int64_t length,
                         int64_t width, int64_t cos_batch, float *out) {
  int64_t half = width / 2;
  for (int64_t row = 0; row < batch * heads * length; ++row) {
    int64_t b = row / (heads * length), s = row % length;
    int64_t angle = ((cos_batch == 1 ? 0 : b) * length + s) * width;
    const float *from = x + row * width;
    for (int64_t i = 0; i < width; ++i) {
      float rotated = i < half ? -from[i + half] : from[i - half];
      out[row * width + i] = (float)((double)from[i] * cos[angle + i] +
                                     (double)rotated * sin[angle + i]);
    }
  }
}

/* How many keys the query `i` sees at most. */
static int64_t visible_keys(const bn_reference_attention *attention,
                            int64_t i) {
  int64_t position = attention->has_position ? attention->position : 0;
  int64_t keys = attention->capacity;
  if (attention->has_position && position + attention->length < keys)
    keys = position + attention->length;
  if (attention->causal && position + i + 1 < keys)
    keys = position + i + 1;
  return keys;
}

static double mask_at(const bn_reference_attention *attention, int64_t b,
                      int64_t h, int64_t i, int64_t j) {
  if (!attention->mask)
    return 0;
  int64_t row = attention->mask_batch == 1 ? 0 : b;
  row = row * attention->mask_heads + (attention->mask_heads == 1 ? 0 : h);
  row = row * attention->mask_length + (attention->mask_length == 1 ? 0 : i);
  return attention->mask[row * attention->capacity + j];
}

/* Turns scores into softmax's weights; all zero where all are -inf. */
static void softmax(double *scores, int64_t count) {
  double largest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < count; ++j)
    largest = fmax(largest, scores[j]);
  for (int64_t j = 0; j < count; ++j) {
    scores[j] = largest == -INFINITY ? 0 : exp(scores[j] - largest);
    sum += scores[j];
  }
  for (int64_t j = 0; j < count; ++j)
    scores[j] = sum > 0 ? scores[j] / sum : 0;
}

static void attend(const bn_reference_attention *attention, int64_t b,
                   int64_t h, int64_t i, double *scores, float *out) {
  int64_t d = attention->width, e = attention->value_width;
  int64_t g = h / (attention->heads / attention->groups);
  int64_t first_key = (b * attention->groups + g) * attention->capacity;
  const float *q =
      attention->q + ((b * attention->heads + h) * attention->length + i) * d;
  int64_t keys = visible_keys(attention, i);
  for (int64_t j = 0; j < keys; ++j) {
    const float *k = attention->k + (first_key + j) * d;
    double dot = 0;
    for (int64_t c = 0; c < d; ++c)
      dot += (double)q[c] * k[c];
    scores[j] = dot * attention->scale + mask_at(attention, b, h, i, j);
  }
  softmax(scores, keys);
  for (int64_t c = 0; c < e; ++c) {
    double sum = 0;
    for (int64_t j = 0; j < keys; ++j)
      if (scores[j] > 0) /* a masked value may be anything */
        sum += scores[j] * attention->v[(first_key + j) * e + c];
    out[c] = (float)sum;
  }
}

bool bn_reference_run_attention(const bn_reference_attention *attention,
                                float *out) {
  double *scores = calloc((size_t)attention->capacity + 1, sizeof(double));
  if (!scores)
    return false;
  for (int64_t b = 0; b < attention->batch; ++b)
    for (int64_t h = 0; h < attention->heads; ++h)
      for (int64_t i = 0; i < attention->length; ++i) {
        attend(attention, b, h, i, scores, out);
        out += attention->value_width;
      }
  free(scores);
  return true;
}
