//===- CPUMathTest.cpp - Accuracy of the generated functions --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compile.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace bitnet::test;

namespace {
using Reference = long double (*)(long double);

struct Function {
  const char *name;
  Reference reference;
  double maxUlps; // of f32
  /// Beyond this magnitude only the range of the result is checked.
  double limit = std::numeric_limits<double>::infinity();
};
} // namespace

static long double roundEven(long double x) { return std::nearbyint(x); }
static long double rsqrt(long double x) { return 1 / std::sqrt(x); }

static const Function functions[] = {
    {"acos", std::acos, 1},    {"acosh", std::acosh, 1},
    {"asin", std::asin, 1},    {"asinh", std::asinh, 1},
    {"atan", std::atan, 1},    {"atanh", std::atanh, 1},
    {"cbrt", std::cbrt, 1},    {"ceil", std::ceil, 0},
    {"cos", std::cos, 1, 1e6}, {"cosh", std::cosh, 1},
    {"erf", std::erf, 2},      {"erfc", std::erfc, 1},
    {"exp", std::exp, 2},      {"exp2", std::exp2, 2},
    {"expm1", std::expm1, 1},  {"floor", std::floor, 0},
    {"log", std::log, 1},      {"log10", std::log10, 1},
    {"log1p", std::log1p, 1},  {"log2", std::log2, 1},
    {"round", std::round, 0},  {"roundeven", roundEven, 0},
    {"rsqrt", rsqrt, 2},       {"sin", std::sin, 1, 1e6},
    {"sinh", std::sinh, 1},    {"tan", std::tan, 1, 1e6},
    {"tanh", std::tanh, 2},    {"trunc", std::trunc, 0},
};

/// One entry a function: y[i] = f(x[i]), or f(x[i], z[i]) where binary.
static std::string makeEntry(const std::string &name,
                             const std::string &element,
                             const std::string &op) {
  std::string memref = "memref<?x" + element + ">";
  return "func.func @" + name +
         "(%archive: memref<?xi8>, %workspace: memref<?xi8>, %x: " + memref +
         ", %z: " + memref + ") -> " + memref +
         " attributes {bitnet.entry} {\n"
         "  %c0 = arith.constant 0 : index\n"
         "  %c1 = arith.constant 1 : index\n"
         "  %n = memref.dim %x, %c0 : " +
         memref +
         "\n"
         "  %y = memref.alloc(%n) : " +
         memref +
         "\n"
         "  scf.for %i = %c0 to %n step %c1 {\n"
         "    %a = memref.load %x[%i] : " +
         memref +
         "\n"
         "    %b = memref.load %z[%i] : " +
         memref +
         "\n"
         "    " +
         op +
         "\n"
         "    memref.store %r, %y[%i] : " +
         memref +
         "\n"
         "  }\n"
         "  return %y : " +
         memref + "\n}\n";
}

/// Every exponent with some mantissas, and the special numbers.
static std::vector<float> makeSweep() {
  std::vector<float> values = {0.0f,
                               -0.0f,
                               1.0f,
                               -1.0f,
                               0.5f,
                               -0.5f,
                               1.5f,
                               2.5f,
                               -2.5f,
                               88.7228f,
                               88.7229f,
                               -87.34f,
                               -103.97f,
                               -103.98f,
                               0.625f,
                               8388607.5f,
                               8388609.0f,
                               std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(),
                               std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::denorm_min()};
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 150011) {
    uint32_t word = bits;
    float value;
    std::memcpy(&value, &word, sizeof value);
    values.push_back(value);
  }
  // Where functions bend.
  for (int i = -60000; i <= 60000; ++i)
    values.push_back(i * 0.001723f);
  return values;
}

/// The distance from the exact result in units of its last place.
template <typename T> static double measureUlps(T value, long double exact) {
  T nearest = T(exact);
  if (std::isnan(nearest) || std::isnan(value))
    return std::isnan(nearest) == std::isnan(value) ? 0 : 1e30;
  if (value == nearest)
    return std::signbit(value) == std::signbit(nearest) ? 0 : 1e30;
  if (std::isinf(nearest) || std::isinf(value)) {
    // Next to the largest number, either is within an ulp.
    T largest = std::numeric_limits<T>::max();
    return std::abs(value) == largest || std::abs(nearest) == largest ? 1
                                                                      : 1e30;
  }
  int exponent;
  std::frexp(nearest, &exponent);
  exponent = std::max(exponent - std::numeric_limits<T>::digits,
                      std::numeric_limits<T>::min_exponent -
                          std::numeric_limits<T>::digits);
  return double(std::abs((long double)value - exact) /
                std::ldexp((long double)1, exponent));
}

template <typename T>
static std::vector<T> call(const Program &program, uint32_t variant,
                           uint32_t entry, std::vector<T> &x,
                           std::vector<T> &z) {
  Host host;
  int64_t count = x.size();
  bn_buffer inputs[2] = {{x.data(), {count}}, {z.data(), {count}}}, output;
  bn_call call = {sizeof(bn_call), 0,      &host.environment, nullptr, nullptr,
                  nullptr,         inputs, &output,           0};
  if (program.getEntry(variant, entry)(&call) != BN_ENTRY_OK)
    return {};
  T *data = static_cast<T *>(output.data);
  return std::vector<T>(data, data + count);
}

static std::string getTargets(std::vector<std::string> &names) {
  std::string list;
  for (const std::string &name : getRunnableTargets())
    if (name != "x86-64-v2" && name != "x86-64-v3+avxvnni") {
      names.push_back(name);
      list += (list.empty() ? "" : ",") + name;
    }
  return list;
}

template <typename T>
static void checkUnary(const Function &function, const std::vector<T> &x,
                       const std::vector<T> &y, double allowed) {
  ASSERT_EQ(x.size(), y.size());
  double worst = 0;
  T where = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::abs(x[i]) > function.limit && !std::isinf(x[i])) {
      if (std::strcmp(function.name, "tan"))
        EXPECT_LE(std::abs(y[i]), 1.0) << function.name << "(" << x[i] << ")";
      continue;
    }
    double ulps = measureUlps(y[i], function.reference(x[i]));
    if (ulps > worst) {
      worst = ulps;
      where = x[i];
    }
  }
  EXPECT_LE(worst, allowed) << function.name << "(" << where << ")";
}

TEST(CPUMath, SingleFunctionsAreWithinTwoUlps) {
  std::string source;
  for (const Function &function : functions)
    source +=
        makeEntry(function.name, "f32",
                  std::string("%r = math.") + function.name + " %a : f32");
  std::vector<std::string> targets;
  Program program(source, getTargets(targets));
  ASSERT_EQ(program.getError(), "");
  std::vector<float> x = makeSweep();
  for (size_t variant = 0; variant < targets.size(); ++variant) {
    SCOPED_TRACE(targets[variant]);
    for (size_t entry = 0; entry < std::size(functions); ++entry)
      checkUnary(functions[entry], x, call(program, variant, entry, x, x),
                 functions[entry].maxUlps);
  }
}

TEST(CPUMath, DoubleFunctionsAreWithin1e12) {
  std::string source;
  for (const Function &function : functions)
    source +=
        makeEntry(function.name, "f64",
                  std::string("%r = math.") + function.name + " %a : f64");
  std::vector<std::string> targets;
  Program program(source, getTargets(targets));
  ASSERT_EQ(program.getError(), "");
  std::vector<double> x;
  for (int i = -20000; i <= 20000; ++i)
    x.push_back(i * 0.00523);
  for (int exponent = -60; exponent <= 60; ++exponent)
    x.push_back(std::ldexp(1.37, exponent));
  for (size_t variant = 0; variant < targets.size(); ++variant) {
    SCOPED_TRACE(targets[variant]);
    for (size_t entry = 0; entry < std::size(functions); ++entry) {
      // 1e-12, in units of the last place; near a zero of the function these
      // are too fine.
      const Function &function = functions[entry];
      std::vector<double> y = call(program, variant, entry, x, x);
      ASSERT_EQ(x.size(), y.size());
      for (size_t i = 0; i < x.size(); ++i) {
        long double exact = function.reference(x[i]);
        if (std::abs(x[i]) > function.limit || std::isnan(exact))
          continue;
        long double error = std::abs(y[i] - exact);
        EXPECT_TRUE(y[i] == double(exact) ||
                    error <= 1e-12L * std::abs(exact) + 1e-15L)
            << function.name << "(" << x[i] << ") = " << y[i] << ", not "
            << double(exact);
      }
    }
  }
}

TEST(CPUMath, BinaryFunctions) {
  struct Binary {
    const char *op;
    long double (*reference)(long double, long double);
  };
  const Binary binary[] = {
      {"%r = math.powf %a, %b : f32", std::pow},
      {"%r = math.atan2 %a, %b : f32", std::atan2},
      {"%r = arith.remf %a, %b : f32", std::fmod},
      {"%r = math.copysign %a, %b : f32", std::copysign},
  };
  std::string source;
  for (size_t i = 0; i < std::size(binary); ++i)
    source += makeEntry("f" + std::to_string(i), "f32", binary[i].op);
  std::vector<std::string> targets;
  Program program(source, getTargets(targets));
  ASSERT_EQ(program.getError(), "");

  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> base = {0.0f,     -0.0f,     1.0f,         -1.0f, 2.0f,
                             -2.0f,    0.5f,      3.0f,         -3.0f, -2.5f,
                             1e-30f,   -1e-30f,   1e30f,        7.25f, 1e-44f,
                             infinity, -infinity, std::nanf("")};
  for (int i = 0; i < 300; ++i)
    base.push_back(std::ldexp(1.0f + i * 0.0031f, i % 250 - 125) *
                   (i % 3 ? 1 : -1));
  std::vector<float> x, z;
  for (float a : base)
    for (float b : base) {
      x.push_back(a);
      z.push_back(b);
    }
  for (int i = 0; i < 100000; ++i) {
    x.push_back(0.001f + i * 0.0013f);
    z.push_back((i % 977) * 0.037f - 17.0f);
  }
  for (size_t variant = 0; variant < targets.size(); ++variant)
    for (size_t entry = 0; entry < std::size(binary); ++entry) {
      std::vector<float> y = call(program, variant, entry, x, z);
      ASSERT_EQ(y.size(), x.size());
      for (size_t i = 0; i < x.size(); ++i)
        ASSERT_LE(measureUlps(y[i], binary[entry].reference(x[i], z[i])), 1)
            << targets[variant] << ": " << binary[entry].op << " of " << x[i]
            << ", " << z[i] << " = " << y[i];
    }
}

TEST(CPUMath, SquaresAreExact) {
  Program program(makeEntry("square", "f32",
                            "%two = arith.constant 2.0 : f32\n"
                            "%r = math.powf %a, %two : f32") +
                      makeEntry("power", "f32",
                                "%k = arith.constant -3 : i32\n"
                                "%r = math.fpowi %a, %k : f32, i32"),
                  "x86-64");
  ASSERT_EQ(program.getError(), "");
  std::vector<float> x;
  for (int i = -5000; i < 5000; ++i)
    x.push_back(i * 0.3317f);
  std::vector<float> squares = call(program, 0, 0, x, x);
  std::vector<float> powers = call(program, 0, 1, x, x);
  ASSERT_EQ(squares.size(), x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(squares[i], x[i] * x[i]);
    EXPECT_LE(measureUlps(powers[i], std::pow((long double)x[i], -3)), 1)
        << x[i];
  }
}

TEST(CPUMath, IntegerPowers) {
  std::string source =
      makeEntry("power", "i32", "%r = math.ipowi %a, %b : i32");
  Program program(source, "x86-64");
  ASSERT_EQ(program.getError(), "");
  std::vector<int32_t> x = {2, -3, 7, 1, -1, -1, 5, 2, 0};
  std::vector<int32_t> z = {10, 3, 0, -4, -3, -2, -1, 31, 0};
  EXPECT_EQ(call(program, 0, 0, x, z),
            (std::vector<int32_t>{1024, -27, 1, 1, -1, 1, 0, INT32_MIN, 1}));
}

//===----------------------------------------------------------------------===//
// Small floats
//===----------------------------------------------------------------------===//

/// Stores the bits of a conversion of every element.
static std::string makeConversion(const std::string &name,
                                  const std::string &from,
                                  const std::string &to,
                                  const std::string &op) {
  std::string in = "memref<?x" + from + ">", out = "memref<?x" + to + ">";
  return "func.func @" + name +
         "(%archive: memref<?xi8>, %workspace: memref<?xi8>, %x: " + in +
         ", %y: " + out + ") -> " + out +
         " attributes {bitnet.entry} {\n"
         "  %c0 = arith.constant 0 : index\n"
         "  %c1 = arith.constant 1 : index\n"
         "  %n = memref.dim %x, %c0 : " +
         in +
         "\n"
         "  scf.for %i = %c0 to %n step %c1 {\n"
         "    %a = memref.load %x[%i] : " +
         in +
         "\n"
         "    " +
         op +
         "\n"
         "    memref.store %r, %y[%i] : " +
         out +
         "\n  }\n"
         "  return %y : " +
         out + "\n}\n";
}

template <typename From, typename To>
static std::vector<To> convert(const Program &program, uint32_t variant,
                               uint32_t entry, std::vector<From> &x) {
  std::vector<To> y(x.size());
  Host host;
  int64_t count = x.size();
  bn_buffer inputs[2] = {{x.data(), {count}}, {y.data(), {count}}}, output;
  bn_call call = {sizeof(bn_call), 0,      &host.environment, nullptr, nullptr,
                  nullptr,         inputs, &output,           0};
  EXPECT_EQ(program.getEntry(variant, entry)(&call), BN_ENTRY_OK);
  return y;
}

static uint32_t getBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

TEST(CPUMath, SmallFloats) {
  std::vector<std::string> targets;
  Program program(
      makeConversion("h2f", "f16", "f32", "%r = arith.extf %a : f16 to f32") +
          makeConversion("f2h", "f32", "f16",
                         "%r = arith.truncf %a : f32 to f16") +
          makeConversion("b2f", "bf16", "f32",
                         "%r = arith.extf %a : bf16 to f32") +
          makeConversion("f2b", "f32", "bf16",
                         "%r = arith.truncf %a : f32 to bf16") +
          makeConversion("d2h", "f64", "f16",
                         "%r = arith.truncf %a : f64 to f16") +
          makeConversion(
              "hexp", "f16", "f16",
              "%e = math.exp %a : f16\n%r = arith.addf %e, %a : f16") +
          makeConversion("ibf", "i64", "bf16",
                         "%e = arith.sitofp %a : i64 to bf16\n"
                         "%r = arith.mulf %e, %e : bf16"),
      getTargets(targets));
  ASSERT_EQ(program.getError(), "");
  std::vector<uint16_t> all(1 << 16);
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = uint16_t(i);
  std::vector<float> sweep = makeSweep();
  // Ties and their neighbours.
  for (uint32_t i = 0; i < (1 << 16); ++i)
    for (int offset : {-1, 0, 1}) {
      uint32_t bits = (i << 16) + 0x8000 + offset;
      float value;
      std::memcpy(&value, &bits, sizeof value);
      sweep.push_back(value);
      bits = (i << 13) + 0x1000 + offset + 0x30000000;
      std::memcpy(&value, &bits, sizeof value);
      sweep.push_back(value);
    }
  auto getHalf = [](float value) {
    _Float16 half = _Float16(value);
    uint16_t bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
  };
  std::vector<double> doubles;
  for (float value : sweep)
    doubles.push_back(value * (1.0 + 0x1p-40));
  for (size_t variant = 0; variant < targets.size(); ++variant) {
    SCOPED_TRACE(targets[variant]);
    auto singles = convert<uint16_t, float>(program, variant, 0, all);
    for (size_t i = 0; i < all.size(); ++i) {
      _Float16 half;
      std::memcpy(&half, &all[i], sizeof half);
      if (std::isnan(float(half)))
        ASSERT_TRUE(std::isnan(singles[i]));
      else
        ASSERT_EQ(getBits(singles[i]), getBits(float(half))) << i;
    }
    auto halves = convert<float, uint16_t>(program, variant, 1, sweep);
    for (size_t i = 0; i < sweep.size(); ++i) {
      if (std::isnan(sweep[i]))
        ASSERT_GT(halves[i] & 0x7fff, 0x7c00);
      else
        ASSERT_EQ(halves[i], getHalf(sweep[i])) << sweep[i];
    }
    auto widened = convert<uint16_t, float>(program, variant, 2, all);
    for (size_t i = 0; i < all.size(); ++i)
      ASSERT_EQ(getBits(widened[i]), uint32_t(i) << 16);
    auto brains = convert<float, uint16_t>(program, variant, 3, sweep);
    for (size_t i = 0; i < sweep.size(); ++i) {
      uint32_t bits = getBits(sweep[i]);
      if (std::isnan(sweep[i])) {
        ASSERT_GT(brains[i] & 0x7fff, 0x7f80);
        continue;
      }
      uint32_t rest = bits & 0xffff, whole = bits >> 16;
      ASSERT_EQ(brains[i],
                whole + (rest > 0x8000 || (rest == 0x8000 && (whole & 1))));
    }
    // Rounded once, not by way of f32.
    auto direct = convert<double, uint16_t>(program, variant, 4, doubles);
    for (size_t i = 0; i < doubles.size(); ++i) {
      if (std::isnan(doubles[i]))
        continue;
      _Float16 half = _Float16(doubles[i]);
      uint16_t bits;
      std::memcpy(&bits, &half, sizeof bits);
      ASSERT_EQ(direct[i], bits) << doubles[i];
    }
  }
  std::vector<int64_t> integers = {0, 3, -7, 100, 12345};
  EXPECT_EQ((convert<int64_t, uint16_t>(program, 0, 6, integers)[1]), 0x4110);
}
