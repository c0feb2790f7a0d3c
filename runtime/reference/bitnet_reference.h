/*===- bitnet_reference.h - Reference kernels ----------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What the ops of the bitnet dialect compute, in plain C: the oracle of tests.
 * Clear rather than fast. Tensors are dense and row-major. Integer sums are
 * exact; sums of floats are taken in double and rounded once, so that a kernel
 * under test may differ by the rounding of its own order of summation.
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_REFERENCE_H
#define BITNET_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bn_reference_type {
  BN_REFERENCE_I8,
  BN_REFERENCE_I16,
  BN_REFERENCE_F32
} bn_reference_type;

/* What shares an activation scale. */
typedef enum bn_reference_granularity {
  BN_REFERENCE_PER_TOKEN,
  BN_REFERENCE_PER_TENSOR
} bn_reference_granularity;

/* The float operations by which a quantiser scales; `a` is the absmax. */
typedef enum bn_reference_scaling {
  BN_REFERENCE_RECIPROCAL_MULTIPLY, /* x * ((1 / a) * bound) */
  BN_REFERENCE_DIVIDE_MULTIPLY,     /* x * (bound / a) */
  BN_REFERENCE_MULTIPLY_DIVIDE,     /* (x * bound) / a */
  BN_REFERENCE_DIVIDE_STEP          /* x / (a / bound) */
} bn_reference_scaling;

typedef struct bn_reference_quantizer {
  bn_reference_granularity granularity;
  bn_reference_scaling scaling;
  float bound;              /* Qb: 127, say */
  float epsilon;            /* the least absmax */
  int32_t minimum, maximum; /* integers are clipped to these */
} bn_reference_quantizer;

/* Quantises x [rows, columns]:
 *
 *     values = clip(roundeven(x scaled by bound / absmax), minimum, maximum)
 *     steps  = absmax / bound     one a row, or a single one (per tensor)
 *     sums   = the sums of the rows of values
 *
 * `values` is of type I8 or I16. `steps` and `sums` may be NULL. */
void bn_reference_quantize(const bn_reference_quantizer *quantizer,
                           const float *x, int64_t rows, int64_t columns,
                           bn_reference_type type, void *values, float *steps,
                           int32_t *sums);

/* out[m, n] = sum over k of activations[m, k] * weights[n, k], the weights
 * being unpacked to -1, 0, 1. Integer activations sum into i32 ... */
void bn_reference_matmul_integer(bn_reference_type type,
                                 const void *activations, const int8_t *weights,
                                 int64_t m, int64_t n, int64_t k, int32_t *out);
/* ... and floats into f32. */
void bn_reference_matmul_float(const float *activations, const int8_t *weights,
                               int64_t m, int64_t n, int64_t k, float *out);

typedef enum bn_reference_activation {
  BN_REFERENCE_NONE,
  BN_REFERENCE_RELU,
  BN_REFERENCE_RELU_SQUARED,
  BN_REFERENCE_SILU, /* x / (1 + exp(-x)) */
  BN_REFERENCE_GELU  /* x * (1 + erf(x / sqrt(2))) / 2 */
} bn_reference_activation;

float bn_reference_activate(bn_reference_activation activation, float x);

/* out[m, n] = f(sum over k of lhs[m, k] * weight[n, k] * scale[n, k / group]
 *               * step[m] + bias[n]) */
typedef struct bn_reference_linear {
  int64_t m, n, k;
  bn_reference_type type; /* of lhs */
  const void *lhs;        /* [m, k] */
  const int8_t *weights;  /* [n, k], unpacked */
  const float *scales;    /* [scale_rows, ceil(k / group)] */
  int64_t scale_rows;     /* n, or 1 where all rows share theirs */
  int64_t group;          /* K that shares a scale; 0: all of it */
  const float *steps;     /* [step_count]; NULL: 1 */
  int64_t step_count;     /* m or 1 */
  const float *bias;      /* [n] or NULL */
  bn_reference_activation activation;
} bn_reference_linear;

void bn_reference_run_linear(const bn_reference_linear *linear, float *out);

typedef enum bn_reference_norm_kind {
  BN_REFERENCE_RMS_NORM,  /* x / sqrt(mean(x^2) + epsilon) * weight + bias */
  BN_REFERENCE_LAYER_NORM /* (x - mean(x)) / sqrt(var(x) + epsilon) * weight
                             + bias */
} bn_reference_norm_kind;

/* Over rows of x [rows, columns]; `weight` and `bias` are [columns] or NULL. */
void bn_reference_norm(bn_reference_norm_kind kind, float epsilon,
                       const float *x, const float *weight, const float *bias,
                       int64_t rows, int64_t columns, float *out);

/* out = x * cos + rotate_half(x) * sin on [batch, heads, length, width]; cos
 * and sin are [cos_batch, length, width], cos_batch being `batch` or 1.
 * rotate_half swaps the halves and negates the new first one. */
void bn_reference_rotary(const float *x, const float *cos, const float *sin,
                         int64_t batch, int64_t heads, int64_t length,
                         int64_t width, int64_t cos_batch, float *out);

/* Grouped-query attention, group of head h being h / (heads / groups):
 *
 *     out[b, h, i] = sum over j of
 *         softmax_j(q[b, h, i] . k[b, g, j] * scale + mask[b, h, i, j])
 *         * v[b, g, j]
 *
 * Keys exist for j < position + length at most; with `causal`, query i sees
 * those with j <= position + i. A query that sees no key, or only masked ones
 * (-inf), gives zeros. */
typedef struct bn_reference_attention {
  int64_t batch, heads, groups;
  int64_t length;      /* of q: S */
  int64_t capacity;    /* of k and v: T */
  int64_t width;       /* of q and k: D */
  int64_t value_width; /* of v and out: E */
  const float *q;      /* [batch, heads, S, D] */
  const float *k;      /* [batch, groups, T, D] */
  const float *v;      /* [batch, groups, T, E] */
  const float *mask;   /* NULL, or [mask_batch, mask_heads, mask_length, T] */
  int64_t mask_batch, mask_heads, mask_length; /* each the full extent or 1 */
  float scale;
  bool has_position; /* else all T keys exist */
  int64_t position;  /* 0 without has_position */
  bool causal;
} bn_reference_attention;

/* `out` is [batch, heads, S, E]. False if memory is exhausted. */
bool bn_reference_run_attention(const bn_reference_attention *attention,
                                float *out);

#ifdef __cplusplus
}
#endif
#endif /* BITNET_REFERENCE_H */
