//===- EvaluateMovement.cpp - Ops that move elements, on constants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace bitnet::onnx {
namespace {

using Ints = SmallVector<int64_t>;

std::optional<Ints> readInts(const Invocation &call, unsigned index) {
  auto values = call[index].getInts();
  return values ? std::optional<Ints>(llvm::to_vector(*values)) : std::nullopt;
}

/// The result of `shape` whose elements lie at `start` and by `strides` in the
/// input.
LogicalResult copyStrided(const Invocation &call, ArrayRef<int64_t> shape,
                          ArrayRef<int64_t> strides, int64_t start,
                          Results &results) {
  Tensor result = call.makeResult(shape, results.size());
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    T *out = result.mutableValues<T>().data();
    forEachOffset(shape, strides, start,
                  [&](int64_t offset) { *out++ = values[offset]; });
  });
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateTranspose(const Invocation &call, Results &results) {
  int64_t rank = call[0].getRank();
  Ints perm = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  if (std::optional<ArrayRef<int64_t>> given =
          cast<TransposeOp>(call.op).getPerm())
    perm = llvm::to_vector(*given);
  Ints own = getStrides(call[0].getShape()), shape, strides;
  for (int64_t axis : perm) {
    shape.push_back(call[0].getShape()[axis]);
    strides.push_back(own[axis]);
  }
  return copyStrided(call, shape, strides, 0, results);
}

/// Whether a tensor that is made of less is too large to be made while
/// compiling; the op then stays.
bool isTooLarge(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    if (llvm::MulOverflow(count, extent, count) || count > (int64_t(1) << 27))
      return !llvm::is_contained(shape, 0);
  return false;
}

LogicalResult evaluateExpand(const Invocation &call, Results &results) {
  std::optional<Ints> wanted = readInts(call, 1);
  if (!wanted || llvm::any_of(*wanted, [](int64_t d) { return d < 0; }))
    return failure();
  auto shape =
      getBroadcastShape({call[0].getShape(), ArrayRef<int64_t>(*wanted)});
  if (!shape || isTooLarge(*shape))
    return failure();
  auto strides = getBroadcastStrides(call[0].getShape(), *shape);
  return strides ? copyStrided(call, *shape, *strides, 0, results) : failure();
}

/// Start and count of one dimension's slice.
std::pair<int64_t, int64_t> resolveSlice(int64_t start, int64_t end,
                                         int64_t step, int64_t extent) {
  if (start < 0)
    start += extent;
  // The least integer stands for "before the first" with a negative step.
  if (end < 0 && end >= -extent)
    end += extent;
  if (step > 0) {
    start = std::clamp<int64_t>(start, 0, extent);
    end = std::clamp<int64_t>(end, 0, extent);
    return {start, end > start ? (end - start - 1) / step + 1 : 0};
  }
  start = std::clamp<int64_t>(start, 0, extent - 1);
  end = std::clamp<int64_t>(end, -1, extent - 1);
  return {start, start > end ? (start - end - 1) / -step + 1 : 0};
}

LogicalResult evaluateSlice(const Invocation &call, Results &results) {
  std::optional<Ints> starts = readInts(call, 1), ends = readInts(call, 2);
  Ints axes =
      llvm::to_vector(llvm::seq<int64_t>(0, starts ? starts->size() : 0));
  Ints steps(axes.size(), 1);
  if (call.has(3))
    axes = *readInts(call, 3);
  if (call.has(4))
    steps = *readInts(call, 4);
  if (!starts || !ends || ends->size() != starts->size() ||
      axes.size() != starts->size() || steps.size() != starts->size())
    return failure();
  Ints shape = llvm::to_vector(call[0].getShape()), strides = getStrides(shape);
  Ints own = strides;
  int64_t offset = 0;
  for (auto [start, end, axis, step] : llvm::zip(*starts, *ends, axes, steps)) {
    std::optional<int64_t> d = normalizeAxis(axis, call[0].getRank());
    if (!d || step == 0 || step == std::numeric_limits<int64_t>::min())
      return failure();
    auto [first, count] =
        resolveSlice(start, end, step, call[0].getShape()[*d]);
    offset += first * own[*d];
    shape[*d] = count;
    strides[*d] = count > 1 ? own[*d] * step : 0;
  }
  return copyStrided(call, shape, strides, offset, results);
}

LogicalResult evaluateSplit(const Invocation &call, Results &results) {
  int64_t axis = *normalizeAxis(call.getInt("axis", 0), call[0].getRank());
  int64_t extent = call[0].getShape()[axis], count = call.op->getNumResults();
  Ints lengths(count, (extent + count - 1) / count);
  lengths.back() = extent - lengths.front() * (count - 1);
  if (call.has(1))
    lengths = *readInts(call, 1);
  int64_t total = 0;
  for (int64_t length : lengths)
    total += length;
  if (static_cast<int64_t>(lengths.size()) != count || total != extent ||
      llvm::any_of(lengths, [](int64_t l) { return l < 0; }))
    return failure();
  Ints strides = getStrides(call[0].getShape());
  int64_t offset = 0;
  for (int64_t length : lengths) {
    Ints shape = llvm::to_vector(call[0].getShape());
    shape[axis] = length;
    if (failed(copyStrided(call, shape, strides, offset, results)))
      return failure();
    offset += length * strides[axis];
  }
  return success();
}

//===----------------------------------------------------------------------===//
// New shapes of the same elements
//===----------------------------------------------------------------------===//

LogicalResult reshapeTo(const Invocation &call, ArrayRef<int64_t> shape,
                        Results &results) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  if (count != call[0].getNumElements())
    return failure();
  results.push_back(call[0].withShape(shape));
  return success();
}

LogicalResult evaluateReshape(const Invocation &call, Results &results) {
  std::optional<Ints> shape = readInts(call, 1);
  if (!shape)
    return failure();
  bool allowZero = call.getInt("allowzero", 0) != 0;
  int64_t known = 1, unknown = -1;
  for (auto [i, extent] : llvm::enumerate(*shape)) {
    if (extent == 0 && !allowZero) {
      if (static_cast<int64_t>(i) >= call[0].getRank())
        return failure();
      extent = call[0].getShape()[i];
    }
    if (extent < -1 || (extent == -1 && unknown >= 0))
      return failure();
    if (extent == -1)
      unknown = i;
    else
      known *= extent;
  }
  if (unknown >= 0) {
    if (known == 0)
      return failure();
    (*shape)[unknown] = call[0].getNumElements() / known;
  }
  return reshapeTo(call, *shape, results);
}

LogicalResult evaluateFlatten(const Invocation &call, Results &results) {
  int64_t axis = call.getInt("axis", 1), rank = call[0].getRank();
  axis = axis < 0 ? axis + rank : axis;
  int64_t rows = 1, columns = 1;
  for (auto [i, extent] : llvm::enumerate(call[0].getShape()))
    (static_cast<int64_t>(i) < axis ? rows : columns) *= extent;
  return reshapeTo(call, {rows, columns}, results);
}

LogicalResult evaluateSqueeze(const Invocation &call, Results &results) {
  int64_t rank = call[0].getRank();
  SmallVector<bool> dropped(rank, false);
  if (call.has(1)) {
    for (int64_t axis : *readInts(call, 1)) {
      std::optional<int64_t> normal = normalizeAxis(axis, rank);
      if (!normal || call[0].getShape()[*normal] != 1)
        return failure();
      dropped[*normal] = true;
    }
  } else {
    for (int64_t i = 0; i < rank; ++i)
      dropped[i] = call[0].getShape()[i] == 1;
  }
  Ints shape;
  for (int64_t i = 0; i < rank; ++i)
    if (!dropped[i])
      shape.push_back(call[0].getShape()[i]);
  return reshapeTo(call, shape, results);
}

LogicalResult evaluateUnsqueeze(const Invocation &call, Results &results) {
  Ints axes = *readInts(call, 1);
  int64_t rank = call[0].getRank() + axes.size();
  SmallVector<bool> inserted(rank, false);
  for (int64_t axis : axes) {
    std::optional<int64_t> normal = normalizeAxis(axis, rank);
    if (!normal || std::exchange(inserted[*normal], true))
      return failure();
  }
  Ints shape;
  for (int64_t i = 0, next = 0; i < rank; ++i)
    shape.push_back(inserted[i] ? 1 : call[0].getShape()[next++]);
  return reshapeTo(call, shape, results);
}

//===----------------------------------------------------------------------===//
// Joining and choosing
//===----------------------------------------------------------------------===//

LogicalResult evaluateConcat(const Invocation &call, Results &results) {
  int64_t rank = call[0].getRank();
  int64_t axis = *normalizeAxis(call.getInt("axis", 0), rank);
  Ints shape = llvm::to_vector(call[0].getShape());
  shape[axis] = 0;
  int64_t outer = 1;
  for (int64_t i = 0; i < axis; ++i)
    outer *= shape[i];
  for (const Tensor *operand : call.operands)
    shape[axis] += operand->getShape()[axis];
  Tensor result = call.makeResult(shape);
  call[0].visit([&](auto first) {
    using T = typename decltype(first)::value_type;
    T *out = result.mutableValues<T>().data();
    for (int64_t i = 0; i < outer; ++i)
      for (const Tensor *operand : call.operands) {
        ArrayRef<T> values = operand->values<T>();
        int64_t run = values.size() / outer;
        out = std::copy_n(values.data() + i * run, run, out);
      }
  });
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateGather(const Invocation &call, Results &results) {
  ArrayRef<int64_t> data = call[0].getShape();
  int64_t axis = *normalizeAxis(call.getInt("axis", 0), call[0].getRank());
  Ints indices = *readInts(call, 1);
  for (int64_t &index : indices) {
    std::optional<int64_t> normal = normalizeAxis(index, data[axis]);
    if (!normal)
      return failure();
    index = *normal;
  }
  Ints shape = llvm::to_vector(data.take_front(axis));
  llvm::append_range(shape, call[1].getShape());
  llvm::append_range(shape, data.drop_front(axis + 1));
  int64_t outer = 1, inner = 1;
  for (auto [i, extent] : llvm::enumerate(data))
    (static_cast<int64_t>(i) < axis ? outer : inner) *=
        static_cast<int64_t>(i) == axis ? 1 : extent;
  Tensor result = call.makeResult(shape);
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    T *out = result.mutableValues<T>().data();
    for (int64_t i = 0; i < outer; ++i)
      for (int64_t index : indices)
        out = std::copy_n(values.data() + (i * data[axis] + index) * inner,
                          inner, out);
  });
  results.push_back(std::move(result));
  return success();
}

/// Where each index tuple, the innermost dimension of indices, points in
/// `data`; nothing if one is out of range.
std::optional<Ints> resolveTuples(const Tensor &indices, ArrayRef<int64_t> data,
                                  int64_t length) {
  Ints strides = getStrides(data), offsets;
  ArrayRef<int64_t> values = *indices.getInts();
  for (size_t i = 0; i + length <= values.size() && length > 0; i += length) {
    int64_t offset = 0;
    for (int64_t d = 0; d < length; ++d) {
      std::optional<int64_t> normal = normalizeAxis(values[i + d], data[d]);
      if (!normal)
        return std::nullopt;
      offset += *normal * strides[d];
    }
    offsets.push_back(offset);
  }
  return offsets;
}

LogicalResult evaluateGatherND(const Invocation &call, Results &results) {
  ArrayRef<int64_t> data = call[0].getShape();
  int64_t length = call[1].getShape().back();
  if (call.getInt("batch_dims", 0) != 0 || length > call[0].getRank() ||
      length == 0)
    return failure();
  std::optional<Ints> offsets = resolveTuples(call[1], data, length);
  if (!offsets)
    return failure();
  Ints shape = llvm::to_vector(call[1].getShape().drop_back());
  llvm::append_range(shape, data.drop_front(length));
  int64_t run = 1;
  for (int64_t extent : data.drop_front(length))
    run *= extent;
  Tensor result = call.makeResult(shape);
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    T *out = result.mutableValues<T>().data();
    for (int64_t offset : *offsets)
      out = std::copy_n(values.data() + offset, run, out);
  });
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateScatterND(const Invocation &call, Results &results) {
  auto reduction = call.op->getAttrOfType<StringAttr>("reduction");
  if (reduction && reduction.getValue() != "none")
    return failure();
  int64_t length = call[1].getShape().back();
  if (length > call[0].getRank() || length == 0)
    return failure();
  std::optional<Ints> offsets =
      resolveTuples(call[1], call[0].getShape(), length);
  if (!offsets || offsets->empty())
    return failure();
  int64_t run = call[2].getNumElements() / offsets->size();
  int64_t expected = 1;
  for (int64_t extent : call[0].getShape().drop_front(length))
    expected *= extent;
  if (run != expected)
    return failure();
  Tensor result = call.makeResult(call[0].getShape());
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    T *out = result.mutableValues<T>().data();
    std::copy(values.begin(), values.end(), out);
    const T *updates = call[2].template values<T>().data();
    for (auto [i, offset] : llvm::enumerate(*offsets))
      std::copy_n(updates + i * run, run, out + offset);
  });
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateTrilu(const Invocation &call, Results &results) {
  int64_t k = call.has(1) ? call[1].getInts()->front() : 0;
  bool upper = call.getInt("upper", 1) != 0;
  int64_t rows = call[0].getShape()[call[0].getRank() - 2],
          columns = call[0].getShape().back();
  Tensor result = call.makeResult(call[0].getShape());
  call[0].visit([&](auto values) {
    using T = typename decltype(values)::value_type;
    MutableArrayRef<T> out = result.mutableValues<T>();
    for (int64_t i = 0, e = values.size(); i < e; ++i) {
      int64_t diagonal = i % columns - i / columns % rows;
      bool kept = upper ? diagonal >= k : diagonal <= k;
      out[i] = kept ? values[i] : T(0);
    }
  });
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateTile(const Invocation &call, Results &results) {
  std::optional<Ints> repeats = readInts(call, 1);
  int64_t rank = call[0].getRank();
  if (!repeats || static_cast<int64_t>(repeats->size()) != rank)
    return failure();
  // Read as [repeat, extent] pairs, of which the repeats have no stride.
  Ints own = getStrides(call[0].getShape()), pairs, strides, shape;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t repeat = (*repeats)[i], extent = call[0].getShape()[i];
    if (repeat < 0)
      return failure();
    pairs.append({repeat, extent});
    strides.append({0, own[i]});
  }
  if (isTooLarge(pairs))
    return failure();
  for (int64_t i = 0; i < rank; ++i)
    shape.push_back((*repeats)[i] * call[0].getShape()[i]);
  Results paired;
  if (failed(copyStrided(call, pairs, strides, 0, paired)))
    return failure();
  results.push_back(paired.front().withShape(shape));
  return success();
}

//===----------------------------------------------------------------------===//
// Made of nothing
//===----------------------------------------------------------------------===//

LogicalResult evaluateRange(const Invocation &call, Results &results) {
  return call[0].visit([&](auto start) -> LogicalResult {
    using T = typename decltype(start)::value_type;
    T first = start.front(), limit = call[1].template values<T>().front();
    T delta = call[2].template values<T>().front();
    if (!(delta != 0))
      return failure();
    double count = std::ceil(
        (static_cast<double>(limit) - static_cast<double>(first)) / delta);
    if (!(count <= 0x1p27))
      return failure();
    Tensor result =
        call.makeResult({std::max<int64_t>(static_cast<int64_t>(count), 0)});
    for (auto [i, value] : llvm::enumerate(result.mutableValues<T>()))
      value = first + static_cast<T>(i) * delta;
    result.conform();
    results.push_back(std::move(result));
    return success();
  });
}

LogicalResult evaluateConstantOfShape(const Invocation &call,
                                      Results &results) {
  std::optional<Ints> shape = readInts(call, 0);
  if (!shape || llvm::any_of(*shape, [](int64_t d) { return d < 0; }) ||
      isTooLarge(*shape))
    return failure();
  Tensor result = call.makeResult(*shape);
  if (std::optional<ElementsAttr> value =
          cast<ConstantOfShapeOp>(call.op).getValue()) {
    std::optional<Tensor> scalar = Tensor::get(*value);
    if (!scalar)
      return failure();
    scalar->visit([&](auto values) {
      using T = typename decltype(values)::value_type;
      llvm::fill(result.mutableValues<T>(), values.front());
    });
  }
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateShape(const Invocation &call, Results &results) {
  int64_t rank = call[0].getRank();
  auto clamp = [&](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank);
  };
  int64_t start = clamp(call.getInt("start", 0)),
          end = clamp(call.getInt("end", rank));
  ArrayRef<int64_t> dims =
      call[0].getShape().slice(start, std::max<int64_t>(end - start, 0));
  Tensor result = call.makeResult({static_cast<int64_t>(dims.size())});
  llvm::copy(dims, result.mutableValues<int64_t>().begin());
  results.push_back(std::move(result));
  return success();
}

LogicalResult evaluateSize(const Invocation &call, Results &results) {
  Tensor result = call.makeResult({});
  result.mutableValues<int64_t>().front() = call[0].getNumElements();
  results.push_back(std::move(result));
  return success();
}
} // namespace

void addMovementKernels(KernelTable &table) {
  table["Transpose"] = evaluateTranspose;
  table["Expand"] = evaluateExpand;
  table["Slice"] = evaluateSlice;
  table["Split"] = evaluateSplit;
  table["Reshape"] = evaluateReshape;
  table["Flatten"] = evaluateFlatten;
  table["Squeeze"] = evaluateSqueeze;
  table["Unsqueeze"] = evaluateUnsqueeze;
  table["Concat"] = evaluateConcat;
  table["Gather"] = evaluateGather;
  table["GatherND"] = evaluateGatherND;
  table["ScatterND"] = evaluateScatterND;
  table["Trilu"] = evaluateTrilu;
  table["Tile"] = evaluateTile;
  table["Range"] = evaluateRange;
  table["ConstantOfShape"] = evaluateConstantOfShape;
  table["Shape"] = evaluateShape;
  table["Size"] = evaluateSize;
}

} // namespace bitnet::onnx
