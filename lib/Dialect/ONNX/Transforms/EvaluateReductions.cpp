//===- EvaluateReductions.cpp - Reductions and products on constants ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;

namespace bitnet::onnx {
namespace {

/// The reduced axes, and what the result looks like.
struct Reduction {
  SmallVector<bool> reduced;
  SmallVector<int64_t> keptShape;
  SmallVector<int64_t> resultShape;
  int64_t count = 1;
};

std::optional<Reduction> getReduction(const Invocation &call) {
  int64_t rank = call[0].getRank();
  Reduction result;
  result.reduced.resize(rank);
  SmallVector<int64_t> axes;
  if (call.has(1))
    axes = llvm::to_vector(*call[1].getInts());
  if (axes.empty() && call.getInt("noop_with_empty_axes", 0) == 0)
    llvm::append_range(axes, llvm::seq<int64_t>(0, rank));
  for (int64_t axis : axes) {
    std::optional<int64_t> normal = normalizeAxis(axis, rank);
    if (!normal)
      return std::nullopt;
    result.reduced[*normal] = true;
  }
  bool keep = call.getInt("keepdims", 1) != 0;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t extent = call[0].getShape()[i];
    result.keptShape.push_back(result.reduced[i] ? 1 : extent);
    if (result.reduced[i])
      result.count *= extent;
    if (!result.reduced[i] || keep)
      result.resultShape.push_back(result.keptShape.back());
  }
  return result;
}

/// Accumulates in double or int64_t: `step(accumulated, value)`, then
/// `finish(accumulated, count)`.
template <typename Step, typename Finish>
Kernel reduce(std::optional<double> initial, Step step, Finish finish) {
  return [=](const Invocation &call, Results &results) -> LogicalResult {
    std::optional<Reduction> reduction = getReduction(call);
    // Extrema of nothing have no value.
    if (!reduction || (!initial && reduction->count == 0))
      return failure();
    Tensor result = call.makeResult(reduction->resultShape);
    SmallVector<int64_t> strides = getStrides(reduction->keptShape);
    for (auto [i, reduced] : llvm::enumerate(reduction->reduced))
      if (reduced)
        strides[i] = 0;
    call[0].visit([&](auto values) {
      using T = typename decltype(values)::value_type;
      using Sum =
          std::conditional_t<std::is_same_v<T, int64_t>, int64_t, double>;
      std::vector<Sum> sums(result.getNumElements(),
                            static_cast<Sum>(initial.value_or(0)));
      std::vector<bool> started(sums.size(), initial.has_value());
      int64_t at = 0;
      forEachOffset(call[0].getShape(), strides, 0, [&](int64_t out) {
        Sum value = static_cast<Sum>(values[at++]);
        sums[out] = started[out] ? step(sums[out], value) : value;
        started[out] = true;
      });
      MutableArrayRef<T> out = result.mutableValues<T>();
      for (size_t i = 0; i < sums.size(); ++i)
        out[i] = static_cast<T>(finish(sums[i], reduction->count));
    });
    result.conform();
    results.push_back(std::move(result));
    return success();
  };
}

/// A matrix of a batch: rows by k by columns.
template <typename T>
void multiply(const T *a, const T *b, T *out, int64_t rows, int64_t depth,
              int64_t columns) {
  using Sum = std::conditional_t<std::is_same_v<T, int64_t>, int64_t, double>;
  std::vector<Sum> row(columns);
  for (int64_t i = 0; i < rows; ++i) {
    std::fill(row.begin(), row.end(), Sum(0));
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t j = 0; j < columns; ++j)
        row[j] += static_cast<Sum>(a[i * depth + k]) *
                  static_cast<Sum>(b[k * columns + j]);
    for (int64_t j = 0; j < columns; ++j)
      out[i * columns + j] = static_cast<T>(row[j]);
  }
}

/// More multiplications than this are left to the artifact.
constexpr int64_t kMaxMultiplications = int64_t(1) << 26;

LogicalResult evaluateMatMul(const Invocation &call, Results &results) {
  if (call[0].getRank() < 2 || call[1].getRank() < 2)
    return failure();
  ArrayRef<int64_t> a = call[0].getShape(), b = call[1].getShape();
  int64_t rows = a[a.size() - 2], depth = a.back(), columns = b.back();
  if (b[b.size() - 2] != depth)
    return failure();
  auto batch = getBroadcastShape({a.drop_back(2), b.drop_back(2)});
  if (!batch)
    return failure();
  auto aStrides = getBroadcastStrides(a.drop_back(2), *batch);
  auto bStrides = getBroadcastStrides(b.drop_back(2), *batch);
  SmallVector<int64_t> shape = *batch, aOffsets, bOffsets;
  shape.append({rows, columns});
  Tensor result = call.makeResult(shape);
  if (!aStrides || !bStrides ||
      result.getNumElements() * depth > kMaxMultiplications)
    return failure();
  forEachOffset(*batch, *aStrides, 0,
                [&](int64_t i) { aOffsets.push_back(i * rows * depth); });
  forEachOffset(*batch, *bStrides, 0,
                [&](int64_t i) { bOffsets.push_back(i * depth * columns); });
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    T *out = result.mutableValues<T>().data();
    const T *other = call[1].template values<T>().data();
    for (auto [i, j] : llvm::zip(aOffsets, bOffsets)) {
      multiply<T>(values.data() + i, other + j, out, rows, depth, columns);
      out += rows * columns;
    }
  });
  result.conform();
  results.push_back(std::move(result));
  return success();
}
} // namespace

void addReductionKernels(KernelTable &table) {
  auto same = [](auto sum, int64_t) { return sum; };
  table["ReduceSum"] = reduce(0, [](auto a, auto x) { return a + x; }, same);
  table["ReduceMean"] = reduce(
      0, [](auto a, auto x) { return a + x; },
      [](auto sum, int64_t count) { return count ? sum / count : sum; });
  table["ReduceL1"] =
      reduce(0, [](auto a, auto x) { return a + (x < 0 ? -x : x); }, same);
  table["ReduceL2"] = reduce(
      0, [](auto a, auto x) { return a + x * x; },
      [](auto sum, int64_t) { return std::sqrt(static_cast<double>(sum)); });
  table["ReduceSumSquare"] =
      reduce(0, [](auto a, auto x) { return a + x * x; }, same);
  table["ReduceProd"] = reduce(1, [](auto a, auto x) { return a * x; }, same);
  table["ReduceMax"] = reduce(
      std::nullopt, [](auto a, auto x) { return a != a || a > x ? a : x; },
      same);
  table["ReduceMin"] = reduce(
      std::nullopt, [](auto a, auto x) { return a != a || a < x ? a : x; },
      same);
  table["MatMul"] = evaluateMatMul;
}

} // namespace bitnet::onnx
