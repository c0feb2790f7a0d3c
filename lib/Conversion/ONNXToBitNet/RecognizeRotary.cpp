//===- RecognizeRotary.cpp - Rotary position embeddings -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

namespace bitnet {
#define GEN_PASS_DEF_RECOGNIZEROTARY
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct RecognizeRotary
    : public bitnet::impl::RecognizeRotaryBase<RecognizeRotary> {
  void runOnOperation() override;
};

/// A part of a tensor along its last dimension.
struct Part {
  Value source;
  int64_t begin, end;
};

} // namespace

/// Reads a Slice or a result of Split along the last dimension.
static std::optional<Part> matchPart(Value value) {
  if (auto split = value.getDefiningOp<onnx::SplitOp>()) {
    RankedTensorType type = getTensorType(split.getInput());
    auto axis = onnx::normalizeAxis(split.getAxis(), type.getRank());
    if (!axis || *axis != type.getRank() - 1)
      return std::nullopt;
    int64_t begin = 0;
    for (Value part : split.getOutputs()) {
      int64_t extent = getTensorType(part).getShape().back();
      if (ShapedType::isDynamic(extent))
        return std::nullopt;
      if (part == value)
        return Part{split.getInput(), begin, begin + extent};
      begin += extent;
    }
    return std::nullopt;
  }
  auto slice = value.getDefiningOp<onnx::SliceOp>();
  if (!slice)
    return std::nullopt;
  RankedTensorType type = getTensorType(slice.getData());
  auto starts = onnx::getConstantInts(slice.getStarts());
  auto ends = onnx::getConstantInts(slice.getEnds());
  auto axes = onnx::getConstantInts(slice.getAxes());
  auto steps = onnx::getConstantInts(slice.getSteps());
  int64_t width = type.getShape().back();
  if (!starts || !ends || !axes || starts->size() != 1 || ends->size() != 1 ||
      axes->size() != 1 || ShapedType::isDynamic(width) ||
      (!steps && !onnx::isAbsent(slice.getSteps())) ||
      (steps && (steps->size() != 1 || steps->front() != 1)))
    return std::nullopt;
  auto axis = onnx::normalizeAxis(axes->front(), type.getRank());
  if (!axis || *axis != type.getRank() - 1)
    return std::nullopt;
  auto clamp = [&](int64_t position) {
    return std::clamp<int64_t>(position < 0 ? position + width : position, 0,
                               width);
  };
  return Part{slice.getData(), clamp(starts->front()), clamp(ends->front())};
}

/// x of Concat(-x[half:], x[:half]).
static Value matchRotatedHalves(Value value) {
  auto concat = value.getDefiningOp<onnx::ConcatOp>();
  if (!concat || concat.getInputs().size() != 2)
    return {};
  RankedTensorType type = getTensorType(value);
  auto axis = onnx::normalizeAxis(concat.getAxis(), type.getRank());
  auto neg = concat.getInputs()[0].getDefiningOp<onnx::NegOp>();
  if (!axis || *axis != type.getRank() - 1 || !neg)
    return {};
  auto upper = matchPart(neg.getInput());
  auto lower = matchPart(concat.getInputs()[1]);
  if (!upper || !lower || upper->source != lower->source)
    return {};
  int64_t width = getTensorType(upper->source).getShape().back();
  if (width % 2 != 0 || lower->begin != 0 || lower->end != width / 2 ||
      upper->begin != width / 2 || upper->end != width)
    return {};
  return upper->source;
}

/// Whether a value is [B or 1, 1, S, D] for an input [B, H, S, D].
static bool isTable(Value value, RankedTensorType input) {
  if (!isF32Tensor(value, 4))
    return false;
  ArrayRef<int64_t> shape = getTensorType(value).getShape();
  return shape[1] == 1 && shape[2] == input.getDimSize(2) &&
         shape[3] == input.getDimSize(3) &&
         (shape[0] == 1 || shape[0] == input.getDimSize(0));
}

/// Drops the dimension of heads.
static Value makeTable(OpBuilder &builder, Location loc, Value value) {
  if (auto unsqueeze = value.getDefiningOp<onnx::UnsqueezeOp>()) {
    auto axes = onnx::getConstantInts(unsqueeze.getAxes());
    if (axes && axes->size() == 1 &&
        (axes->front() == 1 || axes->front() == -3))
      return unsqueeze.getData();
  }
  SmallVector<ReassociationIndices> groups = {{0, 1}, {2}, {3}};
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(value);
  return tensor::CollapseShapeOp::create(builder, loc, value, groups);
}

/// The operands of a product in the order (x, table), for a given x.
static Value matchTable(Value product, Value input) {
  auto mul = product.getDefiningOp<onnx::MulOp>();
  if (!mul)
    return {};
  for (unsigned index : {0u, 1u})
    if (mul->getOperand(index) == input &&
        isTable(mul->getOperand(1 - index), getTensorType(input)))
      return mul->getOperand(1 - index);
  return {};
}

static bool convertRotary(onnx::AddOp add) {
  if (!isF32Tensor(add.getOutput(), 4))
    return false;
  for (unsigned index : {0u, 1u}) {
    auto mul = add->getOperand(index).getDefiningOp<onnx::MulOp>();
    if (!mul)
      continue;
    for (unsigned side : {0u, 1u}) {
      Value rotated = mul->getOperand(side), sin = mul->getOperand(1 - side);
      Value input = matchRotatedHalves(rotated);
      if (!input || input.getType() != add.getType() ||
          !isTable(sin, getTensorType(input)))
        continue;
      Value cos = matchTable(add->getOperand(1 - index), input);
      if (!cos)
        continue;
      OpBuilder builder(add);
      Location loc = add.getLoc();
      Value empty = makeEmptyLike(builder, loc, input);
      auto rotary = RotaryOp::create(builder, loc, empty.getType(), input,
                                     makeTable(builder, loc, cos),
                                     makeTable(builder, loc, sin), empty);
      add.getOutput().replaceAllUsesWith(
          castTo(builder, loc, rotary.getResult(), add.getType()));
      return true;
    }
  }
  return false;
}

/// A cache of cosines or sines of half the channels as a table [B or 1, S, D]
/// of all of them; null where it is not that of `input`.
static Value makeFullTable(OpBuilder &builder, Location loc, Value cache,
                           Value positions, RankedTensorType input) {
  if (!isF32Tensor(cache))
    return {};
  RankedTensorType type = getTensorType(cache);
  ArrayRef<int64_t> extents = input.getShape();
  SmallVector<int64_t> shape = {extents[0], extents[2], extents[3] / 2};
  if (!onnx::isAbsent(positions)) {
    RankedTensorType at = getTensorType(positions);
    if (type.getRank() != 2 || type.getDimSize(1) != shape[2] ||
        at.getRank() != 2 || at.getDimSize(1) != shape[1] ||
        (at.getDimSize(0) != 1 && at.getDimSize(0) != shape[0]))
      return {};
    shape[0] = at.getDimSize(0);
    cache = onnx::GatherOp::create(builder, loc, type.clone(shape), cache,
                                   positions);
  } else if (type.getRank() != 3 ||
             type.getShape().drop_front() !=
                 ArrayRef<int64_t>(shape).drop_front() ||
             (type.getDimSize(0) != 1 && type.getDimSize(0) != shape[0])) {
    return {};
  } else {
    shape[0] = type.getDimSize(0);
  }
  shape[2] *= 2;
  return onnx::ConcatOp::create(builder, loc, type.clone(shape),
                                ValueRange{cache, cache}, 2);
}

/// The standard's RotaryEmbedding of halves, of all channels.
static bool convertStandard(onnx::RotaryEmbeddingOp op) {
  Value input = op.getX();
  RankedTensorType type = getTensorType(input);
  if (!isF32Tensor(input, 4) || op.getInterleaved() != 0 ||
      ShapedType::isDynamic(type.getDimSize(3)) || type.getDimSize(3) % 2 ||
      input.getType() != op.getY().getType())
    return false;
  int64_t rotated = op.getRotaryEmbeddingDim();
  if (rotated != 0 && rotated != type.getDimSize(3))
    return false;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value positions = op.getPositionIds();
  Value cos = makeFullTable(builder, loc, op.getCosCache(), positions, type);
  Value sin = makeFullTable(builder, loc, op.getSinCache(), positions, type);
  if (!cos || !sin)
    return false;
  Value empty = makeEmptyLike(builder, loc, input);
  auto rotary =
      RotaryOp::create(builder, loc, empty.getType(), input, cos, sin, empty);
  op.getY().replaceAllUsesWith(
      castTo(builder, loc, rotary.getResult(), op.getY().getType()));
  return true;
}

void RecognizeRotary::runOnOperation() {
  SmallVector<Operation *> candidates;
  getOperation()->walk([&](Operation *op) {
    if (isa<onnx::AddOp, onnx::RotaryEmbeddingOp>(op))
      candidates.push_back(op);
  });
  for (Operation *op : candidates) {
    auto add = dyn_cast<onnx::AddOp>(op);
    if (add ? convertRotary(add)
            : convertStandard(cast<onnx::RotaryEmbeddingOp>(op)))
      ++numRotaries;
  }
}
