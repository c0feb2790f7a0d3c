//===- ReferenceTest.cpp - Reference kernels on known values --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet_reference.h"

#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

namespace {

const bn_reference_quantizer tokenQuantizer = {BN_REFERENCE_PER_TOKEN,
                                               BN_REFERENCE_RECIPROCAL_MULTIPLY,
                                               127,
                                               1e-5f,
                                               -128,
                                               127};

TEST(Quantize, PerToken) {
  const std::vector<float> x = {1, -0.5f, 0.25f, 0, -2, 4, 1, 0, 0};
  std::vector<int8_t> values(9);
  float steps[3];
  int32_t sums[3];
  bn_reference_quantize(&tokenQuantizer, x.data(), 3, 3, BN_REFERENCE_I8,
                        values.data(), steps, sums);
  // -63.5 and 63.5 go to the even neighbour.
  EXPECT_EQ(values,
            (std::vector<int8_t>{127, -64, 32, 0, -64, 127, 127, 0, 0}));
  EXPECT_EQ(steps[0], 1.0f / 127);
  EXPECT_EQ(steps[1], 4.0f / 127);
  EXPECT_EQ(sums[0], 95);
  EXPECT_EQ(sums[1], 63);
}

TEST(Quantize, RoundsHalfToEven) {
  bn_reference_quantizer quantizer = tokenQuantizer;
  quantizer.bound = 8;
  const std::vector<float> x = {8, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 3.5f};
  std::vector<int16_t> values(8);
  bn_reference_quantize(&quantizer, x.data(), 1, 8, BN_REFERENCE_I16,
                        values.data(), nullptr, nullptr);
  EXPECT_EQ(values, (std::vector<int16_t>{8, 0, 2, 2, 0, -2, -2, 4}));
}

TEST(Quantize, PerTensorAndClipped) {
  bn_reference_quantizer quantizer = {BN_REFERENCE_PER_TENSOR,
                                      BN_REFERENCE_DIVIDE_MULTIPLY,
                                      128,
                                      1e-5f,
                                      -127,
                                      127};
  const std::vector<float> x = {1, -2, 0.5f, -1};
  std::vector<int8_t> values(4);
  float step[2] = {0, -1};
  bn_reference_quantize(&quantizer, x.data(), 2, 2, BN_REFERENCE_I8,
                        values.data(), step, nullptr);
  EXPECT_EQ(values, (std::vector<int8_t>{64, -127, 32, -64}));
  EXPECT_EQ(step[0], 2.0f / 128);
  EXPECT_EQ(step[1], -1) << "one step a tensor";
}

TEST(Quantize, EpsilonBoundsTheAbsmax) {
  const std::vector<float> x = {0, 0, 1e-6f, 0};
  std::vector<int8_t> values(4);
  float steps[2];
  bn_reference_quantize(&tokenQuantizer, x.data(), 2, 2, BN_REFERENCE_I8,
                        values.data(), steps, nullptr);
  EXPECT_EQ(values, (std::vector<int8_t>{0, 0, 13, 0}));
  EXPECT_EQ(steps[0], 1e-5f / 127);
}

TEST(Quantize, ScalingsFollowTheirOperations) {
  // Around the halves the four forms round differently; each must be its own.
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-1, 1);
  int differences = 0;
  for (int round = 0; round < 2000; ++round) {
    float a = std::fabs(uniform(random)) + 0.01f;
    // a's share that lies at a half, as nearly as floats can say.
    float half = float(random() % 100) + 0.5f;
    std::vector<float> x = {a, a * half / 127};
    volatile float reciprocal = 1 / a, factor = reciprocal * 127,
                   quotient = 127 / a, product = x[1] * 127, step = a / 127;
    const float expected[] = {
        std::nearbyintf(x[1] * factor), std::nearbyintf(x[1] * quotient),
        std::nearbyintf(product / a), std::nearbyintf(x[1] / step)};
    for (int form = 0; form < 4; ++form) {
      bn_reference_quantizer quantizer = tokenQuantizer;
      quantizer.scaling = bn_reference_scaling(form);
      int16_t values[2];
      bn_reference_quantize(&quantizer, x.data(), 1, 2, BN_REFERENCE_I16,
                            values, nullptr, nullptr);
      ASSERT_EQ(values[1], expected[form]) << form;
      differences += expected[form] != expected[0];
    }
  }
  EXPECT_GT(differences, 0) << "the inputs do not tell the forms apart";
}

//===----------------------------------------------------------------------===//
// Matmul and linear
//===----------------------------------------------------------------------===//

const std::vector<int8_t> weights = {1, 0, -1, 1, /**/ -1, -1, 1, 0};

TEST(Matmul, Integer) {
  const std::vector<int8_t> lhs = {1, 2, 3, 4, /**/ -128, 127, 127, -128};
  std::vector<int32_t> out(4);
  bn_reference_matmul_integer(BN_REFERENCE_I8, lhs.data(), weights.data(), 2, 2,
                              4, out.data());
  EXPECT_EQ(out, (std::vector<int32_t>{2, 0, -383, 128}));
  const std::vector<int16_t> wide = {300, 2, -300, 1};
  out.resize(2);
  bn_reference_matmul_integer(BN_REFERENCE_I16, wide.data(), weights.data(), 1,
                              2, 4, out.data());
  EXPECT_EQ(out, (std::vector<int32_t>{601, -602}));
}

TEST(Matmul, Float) {
  const std::vector<float> lhs = {0.5f, 1, 0.25f, 2};
  std::vector<float> out(2);
  bn_reference_matmul_float(lhs.data(), weights.data(), 1, 2, 4, out.data());
  EXPECT_EQ(out, (std::vector<float>{2.25f, -1.25f}));
}

bn_reference_linear makeLinear(const int8_t *lhs, const float *scales) {
  bn_reference_linear linear = {};
  linear.m = 2, linear.n = 2, linear.k = 4;
  linear.type = BN_REFERENCE_I8;
  linear.lhs = lhs;
  linear.weights = weights.data();
  linear.scales = scales;
  linear.scale_rows = 1;
  return linear;
}

TEST(Linear, ScalesStepsAndBias) {
  const int8_t lhs[] = {1, 2, 3, 4, /**/ 4, 3, 2, 1};
  // Sums: 2, 0; 3, -5.
  const float tensorScale[] = {0.5f}, rowScales[] = {0.5f, 2},
              steps[] = {1, 10}, bias[] = {1, -1};
  std::vector<float> out(4);
  bn_reference_linear linear = makeLinear(lhs, tensorScale);
  bn_reference_run_linear(&linear, out.data());
  EXPECT_EQ(out, (std::vector<float>{1, 0, 1.5f, -2.5f}));
  linear.steps = steps, linear.step_count = 2;
  linear.scales = rowScales, linear.scale_rows = 2;
  linear.bias = bias;
  bn_reference_run_linear(&linear, out.data());
  EXPECT_EQ(out, (std::vector<float>{2, -1, 16, -101}));
  linear.steps = steps + 1, linear.step_count = 1;
  linear.activation = BN_REFERENCE_RELU_SQUARED;
  bn_reference_run_linear(&linear, out.data());
  EXPECT_EQ(out, (std::vector<float>{121, 0, 256, 0}));
}

TEST(Linear, GroupsOfK) {
  const int8_t lhs[] = {1, 2, 3, 4, /**/ 4, 3, 2, 1};
  // Groups of 3: k = 0..2 and k = 3. Sums: -2|4, 0|0; 2|1, -5|0.
  const float scales[] = {1, 10, /**/ 100, 1000};
  std::vector<float> out(4);
  bn_reference_linear linear = makeLinear(lhs, scales);
  linear.scale_rows = 2, linear.group = 3;
  bn_reference_run_linear(&linear, out.data());
  EXPECT_EQ(out, (std::vector<float>{38, 0, 12, -500}));
}

TEST(Linear, FloatActivations) {
  const std::vector<float> lhs = {0.5f, 1, 0.25f, 2, /**/ 0, 0, 0, 0};
  const float scale[] = {2};
  std::vector<float> out(4);
  bn_reference_linear linear = makeLinear(nullptr, scale);
  linear.type = BN_REFERENCE_F32, linear.lhs = lhs.data();
  bn_reference_run_linear(&linear, out.data());
  EXPECT_EQ(out, (std::vector<float>{4.5f, -2.5f, 0, 0}));
}

TEST(Linear, Activations) {
  EXPECT_EQ(bn_reference_activate(BN_REFERENCE_NONE, -2), -2);
  EXPECT_EQ(bn_reference_activate(BN_REFERENCE_RELU, -2), 0);
  EXPECT_EQ(bn_reference_activate(BN_REFERENCE_RELU, 3), 3);
  EXPECT_EQ(bn_reference_activate(BN_REFERENCE_RELU_SQUARED, 3), 9);
  EXPECT_FLOAT_EQ(bn_reference_activate(BN_REFERENCE_SILU, 1), 0.73105858f);
  EXPECT_FLOAT_EQ(bn_reference_activate(BN_REFERENCE_GELU, 1), 0.84134475f);
  EXPECT_FLOAT_EQ(bn_reference_activate(BN_REFERENCE_GELU, -1), -0.15865525f);
}

//===----------------------------------------------------------------------===//
// Norms, rotary embedding, attention
//===----------------------------------------------------------------------===//

TEST(Norm, RootMeanSquare) {
  const float x[] = {3, 4, 0, 0}, weight[] = {1, 2}, bias[] = {0, 1};
  float out[4];
  bn_reference_norm(BN_REFERENCE_RMS_NORM, 1e-5f, x, weight, bias, 2, 2, out);
  EXPECT_NEAR(out[0], 3 / std::sqrt(12.5), 1e-5);
  EXPECT_NEAR(out[1], 8 / std::sqrt(12.5) + 1, 1e-5);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(out[3], 1);
}

TEST(Norm, Layer) {
  const float x[] = {1, 3};
  float out[2];
  bn_reference_norm(BN_REFERENCE_LAYER_NORM, 3, x, nullptr, nullptr, 1, 2, out);
  EXPECT_FLOAT_EQ(out[0], -0.5f);
  EXPECT_FLOAT_EQ(out[1], 0.5f);
}

TEST(Rotary, RotatesHalves) {
  const float x[] = {1, 2, 3, 4, /**/ 1, 2, 3, 4};
  const float cos[] = {1, 1, 1, 1, /**/ 0, 0, 0, 0};
  const float sin[] = {0, 0, 0, 0, /**/ 1, 1, 1, 1};
  float out[8];
  bn_reference_rotary(x, cos, sin, 1, 1, 2, 4, 1, out);
  EXPECT_EQ(std::vector<float>(out, out + 8),
            (std::vector<float>{1, 2, 3, 4, /**/ -3, -4, 1, 2}));
  // Two heads at one position share its angles.
  bn_reference_rotary(x, cos + 4, sin + 4, 1, 2, 1, 4, 1, out);
  EXPECT_EQ(std::vector<float>(out, out + 8),
            (std::vector<float>{-3, -4, 1, 2, /**/ -3, -4, 1, 2}));
}

bn_reference_attention makeAttention(const float *q, const float *k,
                                     const float *v) {
  bn_reference_attention attention = {};
  attention.batch = 1, attention.heads = 2, attention.groups = 1;
  attention.length = 1, attention.capacity = 3;
  attention.width = 1, attention.value_width = 1;
  attention.q = q, attention.k = k, attention.v = v;
  attention.scale = 1;
  return attention;
}

TEST(Attention, SharesKeysAmongHeads) {
  const float q[] = {0, std::log(2.0f)}, k[] = {0, 1, 2}, v[] = {10, 20, 30};
  float out[2];
  bn_reference_attention attention = makeAttention(q, k, v);
  ASSERT_TRUE(bn_reference_run_attention(&attention, out));
  EXPECT_FLOAT_EQ(out[0], 20);
  EXPECT_FLOAT_EQ(out[1], (10 + 2 * 20 + 4 * 30) / 7.0f);
  attention.scale = 0;
  ASSERT_TRUE(bn_reference_run_attention(&attention, out));
  EXPECT_FLOAT_EQ(out[1], 20);
}

TEST(Attention, Masks) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float q[] = {0, 0}, k[] = {0, 0, 0}, v[] = {10, 20, NAN};
  const float mask[] = {0, std::log(3.0f), -infinity};
  float out[2];
  bn_reference_attention attention = makeAttention(q, k, v);
  attention.mask = mask;
  attention.mask_batch = attention.mask_heads = attention.mask_length = 1;
  ASSERT_TRUE(bn_reference_run_attention(&attention, out));
  EXPECT_FLOAT_EQ(out[0], 17.5f);
  const float none[] = {-infinity, -infinity, -infinity};
  attention.mask = none;
  ASSERT_TRUE(bn_reference_run_attention(&attention, out));
  EXPECT_EQ(out[0], 0);
}

TEST(Attention, CausalWithAPosition) {
  // Two queries after one cached key; the fourth row of the cache is unwritten.
  const float q[] = {0, 0}, k[] = {0, 0, 0, NAN}, v[] = {1, 2, 6, NAN};
  float out[2];
  bn_reference_attention attention = makeAttention(q, k, v);
  attention.heads = 1, attention.length = 2, attention.capacity = 4;
  attention.has_position = true, attention.position = 1;
  attention.causal = true;
  ASSERT_TRUE(bn_reference_run_attention(&attention, out));
  EXPECT_FLOAT_EQ(out[0], 1.5f);
  EXPECT_FLOAT_EQ(out[1], 3);
  attention.causal = false;
  ASSERT_TRUE(bn_reference_run_attention(&attention, out));
  EXPECT_FLOAT_EQ(out[0], 3);
}

} // namespace
