//===- EvaluateElementwise.cpp - Elementwise ops on constants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace bitnet::onnx {
namespace {

template <typename T> constexpr bool isInt = std::is_same_v<T, int64_t>;

/// Integer arithmetic wraps.
template <typename T, typename Op> T wrapping(T a, T b, Op op) {
  if constexpr (isInt<T>)
    return static_cast<int64_t>(
        op(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  else
    return op(a, b);
}

//===----------------------------------------------------------------------===//
// One input
//===----------------------------------------------------------------------===//

template <typename F> Kernel unary(F function) {
  return [function](const Invocation &call, Results &results) -> LogicalResult {
    Tensor result = call.makeResult(call[0].getShape());
    call[0].visit([&](auto values) {
      using T = typename decltype(values)::value_type;
      llvm::transform(values, result.mutableValues<T>().begin(), function);
    });
    result.conform();
    results.push_back(std::move(result));
    return success();
  };
}

/// Of floats only; the verifier keeps others away.
template <typename F> Kernel floatUnary(F function) {
  return unary([function](auto x) {
    if constexpr (isInt<decltype(x)>)
      return x;
    else
      return static_cast<decltype(x)>(function(x));
  });
}

void addUnary(KernelTable &table) {
  table["Abs"] = unary([](auto x) {
    return x < 0    ? wrapping(decltype(x)(0), x, std::minus<>())
           : x == 0 ? decltype(x)(0)
                    : x;
  });
  table["Neg"] = unary([](auto x) {
    if constexpr (isInt<decltype(x)>)
      return wrapping(int64_t(0), x, std::minus<>());
    else
      return -x;
  });
  table["Sign"] = unary([](auto x) {
    using T = decltype(x);
    return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x;
  });
  table["Relu"] = unary([](auto x) { return x < 0 ? decltype(x)(0) : x; });
  table["Not"] = unary([](auto x) { return decltype(x)(x == 0); });
  table["BitwiseNot"] = unary([](auto x) {
    if constexpr (isInt<decltype(x)>)
      return ~x;
    else
      return x;
  });
  // The default rounding mode is half to even.
  table["Round"] = floatUnary([](auto x) { return std::nearbyint(x); });
  table["Ceil"] = floatUnary([](auto x) { return std::ceil(x); });
  table["Floor"] = floatUnary([](auto x) { return std::floor(x); });
  table["Reciprocal"] = floatUnary([](auto x) { return decltype(x)(1) / x; });
  table["Sqrt"] = floatUnary([](auto x) { return std::sqrt(x); });
  table["Exp"] = floatUnary([](auto x) { return std::exp(x); });
  table["Log"] = floatUnary([](auto x) { return std::log(x); });
  table["Erf"] = floatUnary([](auto x) { return std::erf(x); });
  table["Tanh"] = floatUnary([](auto x) { return std::tanh(x); });
  table["Sigmoid"] = floatUnary(
      [](auto x) { return decltype(x)(1) / (decltype(x)(1) + std::exp(-x)); });
  table["Cos"] = floatUnary([](auto x) { return std::cos(x); });
  table["Sin"] = floatUnary([](auto x) { return std::sin(x); });
  table["Tan"] = floatUnary([](auto x) { return std::tan(x); });
  table["Identity"] = unary([](auto x) { return x; });
}

//===----------------------------------------------------------------------===//
// Several inputs, broadcast
//===----------------------------------------------------------------------===//

/// Reads a tensor, broadcast to `shape`, in order.
template <typename T, typename Action>
LogicalResult readBroadcast(const Tensor &tensor, ArrayRef<int64_t> shape,
                            Action &&action) {
  auto strides = getBroadcastStrides(tensor.getShape(), shape);
  if (!strides)
    return failure();
  ArrayRef<T> values = tensor.values<T>();
  int64_t at = 0;
  forEachOffset(shape, *strides, 0,
                [&](int64_t offset) { action(at++, values[offset]); });
  return success();
}

std::optional<SmallVector<int64_t>> broadcastShape(const Invocation &call) {
  SmallVector<ArrayRef<int64_t>> shapes;
  for (const Tensor *operand : call.operands)
    shapes.push_back(operand->getShape());
  return getBroadcastShape(shapes);
}

/// Left to right over all inputs, which have one element type. The function
/// says by nothing that it is not defined.
template <typename F> Kernel nary(F function) {
  return [function](const Invocation &call, Results &results) -> LogicalResult {
    auto shape = broadcastShape(call);
    if (!shape || call.operands.empty())
      return failure();
    Tensor result = call.makeResult(*shape);
    LogicalResult status = call[0].visit([&](auto first) -> LogicalResult {
      using T = typename decltype(first)::value_type;
      MutableArrayRef<T> out = result.mutableValues<T>();
      if (failed(readBroadcast<T>(call[0], *shape,
                                  [&](int64_t i, T x) { out[i] = x; })))
        return failure();
      bool defined = true;
      for (const Tensor *operand : call.operands.drop_front()) {
        if (failed(readBroadcast<T>(*operand, *shape, [&](int64_t i, T x) {
              std::optional<T> value = function(out[i], x);
              defined &= value.has_value();
              out[i] = value.value_or(T(0));
            })))
          return failure();
      }
      return success(defined);
    });
    if (failed(status))
      return failure();
    result.conform();
    results.push_back(std::move(result));
    return success();
  };
}

template <typename F> Kernel binary(F function) {
  return nary([function](auto a, auto b) {
    return std::optional<decltype(a)>(function(a, b));
  });
}

template <typename F> Kernel compare(F function) {
  return [function](const Invocation &call, Results &results) -> LogicalResult {
    auto shape = broadcastShape(call);
    if (!shape)
      return failure();
    Tensor result = call.makeResult(*shape);
    MutableArrayRef<int64_t> out = result.mutableValues<int64_t>();
    LogicalResult status = call[0].visit([&](auto first) -> LogicalResult {
      using T = typename decltype(first)::value_type;
      std::vector<T> left(out.size());
      if (failed(readBroadcast<T>(call[0], *shape,
                                  [&](int64_t i, T x) { left[i] = x; })))
        return failure();
      return readBroadcast<T>(call[1], *shape, [&](int64_t i, T x) {
        out[i] = function(left[i], x);
      });
    });
    results.push_back(std::move(result));
    return status;
  };
}

template <typename T> std::optional<T> divide(T a, T b) {
  if constexpr (isInt<T>) {
    if (b == 0 || (a == std::numeric_limits<T>::min() && b == -1))
      return std::nullopt;
  }
  return a / b;
}

/// The remainder with the divisor's sign, or the dividend's.
LogicalResult evaluateMod(const Invocation &call, Results &results) {
  bool fmod = call.getInt("fmod", 0) != 0;
  return nary([fmod](auto a, auto b) -> std::optional<decltype(a)> {
    if constexpr (isInt<decltype(a)>) {
      if (b == 0 || b == -1)
        return b == 0 ? std::nullopt : std::optional<int64_t>(0);
      int64_t rest = a % b;
      return !fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
      auto rest = std::fmod(a, b);
      return !fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
  })(call, results);
}

LogicalResult evaluateShift(const Invocation &call, Results &results) {
  auto direction = call.op->getAttrOfType<StringAttr>("direction");
  bool left = direction && direction.getValue() == "LEFT";
  return nary([left](auto a, auto b) -> std::optional<decltype(a)> {
    if constexpr (isInt<decltype(a)>) {
      if (b < 0 || b > 63)
        return 0;
      uint64_t bits = static_cast<uint64_t>(a);
      return static_cast<int64_t>(left ? bits << b : bits >> b);
    }
    return std::nullopt;
  })(call, results);
}

/// The exponent may have another type than the base.
LogicalResult evaluatePow(const Invocation &call, Results &results) {
  auto shape = broadcastShape(call);
  if (!shape)
    return failure();
  std::vector<double> exponents(
      RankedTensorType::get(*shape, call.getElementType()).getNumElements());
  LogicalResult status = call[1].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    return readBroadcast<T>(call[1], *shape,
                            [&](int64_t i, T x) { exponents[i] = x; });
  });
  Tensor result = call.makeResult(*shape);
  if (failed(status))
    return failure();
  status = call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    MutableArrayRef<T> out = result.mutableValues<T>();
    return readBroadcast<T>(call[0], *shape, [&](int64_t i, T x) {
      out[i] = isInt<T> || exponents[i] != 2
                   ? static_cast<T>(std::pow(x, static_cast<T>(exponents[i])))
                   : x * x;
    });
  });
  result.conform();
  results.push_back(std::move(result));
  return status;
}

void addBinary(KernelTable &table) {
  table["Add"] =
      binary([](auto a, auto b) { return wrapping(a, b, std::plus<>()); });
  table["Sub"] =
      binary([](auto a, auto b) { return wrapping(a, b, std::minus<>()); });
  table["Mul"] = binary(
      [](auto a, auto b) { return wrapping(a, b, std::multiplies<>()); });
  table["Div"] = nary([](auto a, auto b) { return divide(a, b); });
  table["Sum"] = table["Add"];
  table["Mod"] = evaluateMod;
  table["Pow"] = evaluatePow;
  table["BitShift"] = evaluateShift;
  // NaN wins.
  table["Max"] = binary([](auto a, auto b) {
    return a != a ? a : (b != b || b > a) ? b : a;
  });
  table["Min"] = binary([](auto a, auto b) {
    return a != a ? a : (b != b || b < a) ? b : a;
  });
  table["And"] =
      binary([](auto a, auto b) { return decltype(a)(a != 0 && b != 0); });
  table["Or"] =
      binary([](auto a, auto b) { return decltype(a)(a != 0 || b != 0); });
  table["Xor"] =
      binary([](auto a, auto b) { return decltype(a)((a != 0) != (b != 0)); });
  auto bitwise = [](auto op) {
    return binary([op](auto a, auto b) {
      if constexpr (isInt<decltype(a)>)
        return op(a, b);
      else
        return a;
    });
  };
  table["BitwiseAnd"] = bitwise(std::bit_and<>());
  table["BitwiseOr"] = bitwise(std::bit_or<>());
  table["BitwiseXor"] = bitwise(std::bit_xor<>());
  table["Equal"] = compare(std::equal_to<>());
  table["Less"] = compare(std::less<>());
  table["LessOrEqual"] = compare(std::less_equal<>());
  table["Greater"] = compare(std::greater<>());
  table["GreaterOrEqual"] = compare(std::greater_equal<>());
}

LogicalResult evaluateWhere(const Invocation &call, Results &results) {
  auto shape = broadcastShape(call);
  if (!shape)
    return failure();
  Tensor result = call.makeResult(*shape);
  std::vector<bool> condition(result.getNumElements());
  if (failed(readBroadcast<int64_t>(call[0], *shape, [&](int64_t i, int64_t x) {
        condition[i] = x != 0;
      })))
    return failure();
  LogicalResult status = call[1].visit([&](auto values) -> LogicalResult {
    using T = typename decltype(values)::value_type;
    MutableArrayRef<T> out = result.mutableValues<T>();
    if (failed(readBroadcast<T>(call[1], *shape,
                                [&](int64_t i, T x) { out[i] = x; })))
      return failure();
    return readBroadcast<T>(call[2], *shape, [&](int64_t i, T x) {
      if (!condition[i])
        out[i] = x;
    });
  });
  results.push_back(std::move(result));
  return status;
}

LogicalResult evaluateClip(const Invocation &call, Results &results) {
  Tensor result = call.makeResult(call[0].getShape());
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    MutableArrayRef<T> out = result.mutableValues<T>();
    std::optional<T> low, high;
    if (call.has(1))
      low = call[1].template values<T>().front();
    if (call.has(2))
      high = call[2].template values<T>().front();
    for (size_t i = 0; i < values.size(); ++i) {
      T x = values[i];
      if (low && x < *low)
        x = *low;
      if (high && x > *high)
        x = *high;
      out[i] = x;
    }
  });
  results.push_back(std::move(result));
  return success();
}

/// Floats convert to integers towards 0, and stop at what the type holds.
int64_t toInt(double value, Type element) {
  unsigned width = element.getIntOrFloatBitWidth();
  bool isUnsigned = element.isUnsignedInteger();
  double low = isUnsigned ? 0 : -std::ldexp(1.0, width - 1);
  double high = std::ldexp(1.0, isUnsigned ? width : width - 1);
  if (value != value)
    return 0;
  if (value <= low)
    return isUnsigned ? 0 : static_cast<int64_t>(low);
  if (value >= high)
    return isUnsigned ? static_cast<int64_t>(~uint64_t(0) >> (64 - width))
                      : static_cast<int64_t>(~uint64_t(0) >> (65 - width));
  return isUnsigned ? static_cast<int64_t>(static_cast<uint64_t>(value))
                    : static_cast<int64_t>(value);
}

LogicalResult evaluateCast(const Invocation &call, Results &results) {
  Tensor result = call.makeResult(call[0].getShape());
  Type element = call.getElementType();
  // 64-bit unsigned values are held as their bits.
  if (call[0].getElementType().isUnsignedInteger(64) && isa<FloatType>(element))
    return failure();
  call[0].visit([&](auto values) {
    using From = typename decltype(values)::value_type;
    result.visit([&](auto typed) {
      using To = typename decltype(typed)::value_type;
      MutableArrayRef<To> out = result.mutableValues<To>();
      for (size_t i = 0; i < values.size(); ++i) {
        if (element.isInteger(1))
          out[i] = static_cast<To>(values[i] != 0);
        else if constexpr (isInt<To> && !isInt<From>)
          out[i] = toInt(values[i], element);
        else
          out[i] = static_cast<To>(values[i]);
      }
    });
  });
  result.conform();
  results.push_back(std::move(result));
  return success();
}

/// Constant weights may be quantised in the graph. Their inverse is not here:
/// integers stay integers.
LogicalResult evaluateQuantizeLinear(const Invocation &call, Results &results) {
  auto element = dyn_cast<IntegerType>(call.getElementType());
  if (!element || element.getWidth() > 16 ||
      call.getInt("block_size", 0) != 0 || !call[0].getElementType().isF32() ||
      !call[1].getElementType().isF32())
    return failure();
  auto axis = normalizeAxis(call.getInt("axis", 1),
                            std::max<int64_t>(call[0].getRank(), 1));
  ArrayRef<float> scales = call[1].values<float>();
  auto zeros = call.has(2)
                   ? call[2].getInts()
                   : std::optional<ArrayRef<int64_t>>(ArrayRef<int64_t>());
  int64_t extent = 1, inner = 1;
  if (scales.size() != 1 && axis) {
    ArrayRef<int64_t> shape = call[0].getShape();
    extent = shape.empty() ? 1 : shape[*axis];
    for (int64_t size :
         shape.drop_front(std::min<size_t>(*axis + 1, shape.size())))
      inner *= size;
  }
  if (!zeros || static_cast<int64_t>(scales.size()) != extent ||
      (!zeros->empty() && zeros->size() != scales.size()))
    return failure();
  Tensor result = call.makeResult(call[0].getShape());
  ArrayRef<float> values = call[0].values<float>();
  MutableArrayRef<int64_t> out = result.mutableValues<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    size_t index = i / inner % extent;
    double zero = zeros->empty() ? 0.0 : (*zeros)[index];
    out[i] = toInt(std::nearbyint(values[i] / scales[index]) + zero, element);
  }
  results.push_back(std::move(result));
  return success();
}
} // namespace

void addElementwiseKernels(KernelTable &table) {
  addUnary(table);
  addBinary(table);
  table["Where"] = evaluateWhere;
  table["Clip"] = evaluateClip;
  table["QuantizeLinear"] = evaluateQuantizeLinear;
  table["Cast"] = evaluateCast;
  table["CastLike"] = evaluateCast;
}

} // namespace bitnet::onnx
