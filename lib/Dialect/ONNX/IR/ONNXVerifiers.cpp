//===- ONNXVerifiers.cpp - Verifiers of onnx ops --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// They reject what a later phase could not compile; shapes that ONNX's own
// inference leaves dynamic pass.
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace bitnet::onnx;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static int64_t rankOf(Value value) { return tensorType(value).getRank(); }

/// Whether two extents may be equal at run time.
static bool mayEqual(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

static LogicalResult expectRank(Operation *op, Value value, int64_t rank,
                                StringRef what) {
  if (rankOf(value) == rank)
    return success();
  return op->emitOpError() << what << " has rank " << rankOf(value)
                           << ", expected " << rank;
}

/// The length of a 1-D tensor of integers must be `length`, where it is known.
static LogicalResult expectLength(Operation *op, Value value, int64_t length,
                                  StringRef what) {
  if (isAbsent(value))
    return success();
  if (failed(expectRank(op, value, 1, what)))
    return failure();
  if (!mayEqual(tensorType(value).getDimSize(0), length))
    return op->emitOpError()
           << what << " has " << tensorType(value).getDimSize(0)
           << " elements, expected " << length;
  return success();
}

/// Constant axes must be distinct and within `rank`.
static LogicalResult expectAxes(Operation *op, Value axes, int64_t rank) {
  if (isAbsent(axes))
    return success();
  std::optional<SmallVector<int64_t>> values = getConstantInts(axes);
  if (!values)
    return success();
  SmallVector<bool> seen(rank);
  for (int64_t axis : *values) {
    std::optional<int64_t> normal = normalizeAxis(axis, rank);
    if (!normal)
      return op->emitOpError("axis ")
             << axis << " is out of range for rank " << rank;
    if (std::exchange(seen[*normal], true))
      return op->emitOpError("axis ") << axis << " is repeated";
  }
  return success();
}

static LogicalResult expectShape(Operation *op, RankedTensorType type,
                                 ArrayRef<int64_t> expected) {
  if (type.getRank() == static_cast<int64_t>(expected.size()) &&
      llvm::all_of(llvm::zip(type.getShape(), expected), [](auto pair) {
        return mayEqual(std::get<0>(pair), std::get<1>(pair));
      }))
    return success();
  auto expectedType = RankedTensorType::get(expected, type.getElementType());
  return op->emitOpError("result is ") << type << ", expected " << expectedType;
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

LogicalResult WhereOp::verify() {
  Type element = tensorType(getOutput()).getElementType();
  if (tensorType(getX()).getElementType() != element ||
      tensorType(getY()).getElementType() != element)
    return emitOpError("expects X, Y and the result to have one element type");
  return success();
}

LogicalResult ClipOp::verify() {
  for (Value bound : {getMin(), getMax()}) {
    if (isAbsent(bound))
      continue;
    RankedTensorType type = tensorType(bound);
    bool single = type.getRank() == 0 ||
                  (type.hasStaticShape() && type.getNumElements() == 1);
    if (!single ||
        type.getElementType() != tensorType(getInput()).getElementType())
      return emitOpError("expects bounds to be scalars of the input's element "
                         "type, got ")
             << type;
  }
  return OpTrait::impl::verifySameShapeAsFirst(*this);
}

LogicalResult CastLikeOp::verify() {
  if (tensorType(getOutput()).getElementType() !=
      tensorType(getTargetType()).getElementType())
    return emitOpError("result does not have the element type of target_type");
  return OpTrait::impl::verifySameShapeAsFirst(*this);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

LogicalResult ConstantOfShapeOp::verify() {
  std::optional<ElementsAttr> value = getValue();
  if (value && value->getNumElements() != 1)
    return emitOpError("expects a value of one element");
  Type element =
      value ? value->getElementType() : Float32Type::get(getContext());
  if (tensorType(getOutput()).getElementType() != element)
    return emitOpError("result does not have the value's element type, ")
           << element;
  return expectLength(*this, getInput(), rankOf(getOutput()), "shape");
}

LogicalResult ShapeOp::verify() {
  return expectRank(*this, getShape(), 1, "result");
}

LogicalResult ReshapeOp::verify() {
  if (failed(expectLength(*this, getShape(), rankOf(getReshaped()), "shape")))
    return failure();
  RankedTensorType from = tensorType(getData()), to = tensorType(getReshaped());
  if (from.hasStaticShape() && to.hasStaticShape() &&
      from.getNumElements() != to.getNumElements())
    return emitOpError("cannot make ") << to << " of " << from;
  return success();
}

LogicalResult FlattenOp::verify() {
  int64_t rank = rankOf(getInput());
  if (getAxis() < -rank || getAxis() > rank)
    return emitOpError("axis ")
           << getAxis() << " is out of range for rank " << rank;
  return expectRank(*this, getOutput(), 2, "result");
}

LogicalResult SqueezeOp::verify() {
  int64_t rank = rankOf(getData());
  if (failed(expectAxes(*this, getAxes(), rank)))
    return failure();
  if (isAbsent(getAxes()))
    return success();
  std::optional<SmallVector<int64_t>> axes = getConstantInts(getAxes());
  if (!axes)
    return success();
  for (int64_t axis : *axes)
    if (!mayEqual(tensorType(getData()).getDimSize(*normalizeAxis(axis, rank)),
                  1))
      return emitOpError("dimension ") << axis << " is not of extent 1";
  return expectRank(*this, getSqueezed(), rank - axes->size(), "result");
}

LogicalResult UnsqueezeOp::verify() {
  if (failed(expectAxes(*this, getAxes(), rankOf(getExpanded()))))
    return failure();
  if (std::optional<SmallVector<int64_t>> axes = getConstantInts(getAxes()))
    return expectRank(*this, getExpanded(), rankOf(getData()) + axes->size(),
                      "result");
  return success();
}

LogicalResult ExpandOp::verify() {
  RankedTensorType from = tensorType(getInput()), to = tensorType(getOutput());
  int64_t offset = to.getRank() - from.getRank();
  if (offset < 0)
    return emitOpError("result has a lower rank than the input");
  for (int64_t i = 0, e = from.getRank(); i < e; ++i)
    if (from.getDimSize(i) != 1 &&
        !mayEqual(from.getDimSize(i), to.getDimSize(i + offset)))
      return emitOpError("cannot broadcast ") << from << " to " << to;
  return success();
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::verify() {
  RankedTensorType from = tensorType(getData());
  SmallVector<int64_t> perm;
  if (getPerm())
    llvm::append_range(perm, *getPerm());
  else
    perm =
        llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, from.getRank())));
  SmallVector<bool> seen(from.getRank());
  SmallVector<int64_t> shape;
  for (int64_t axis : perm) {
    if (axis < 0 || axis >= from.getRank() || std::exchange(seen[axis], true))
      return emitOpError("perm is no permutation of the input's ")
             << from.getRank() << " dimensions";
    shape.push_back(from.getDimSize(axis));
  }
  if (static_cast<int64_t>(perm.size()) != from.getRank())
    return emitOpError("perm is no permutation of the input's ")
           << from.getRank() << " dimensions";
  return expectShape(*this, tensorType(getTransposed()), shape);
}

LogicalResult ConcatOp::verify() {
  RankedTensorType result = tensorType(getConcatResult());
  int64_t rank = result.getRank(), total = 0;
  if (rankOf(getInputs().front()) != rank)
    return emitOpError("expects inputs of the result's rank");
  int64_t axis = *normalizeAxis(getAxis(), rank);
  for (Value input : getInputs()) {
    RankedTensorType type = tensorType(input);
    if (type.getRank() != rank)
      return emitOpError("expects inputs of the result's rank");
    for (int64_t i = 0; i < rank; ++i)
      if (i != axis && !mayEqual(type.getDimSize(i), result.getDimSize(i)))
        return emitOpError("cannot join ")
               << type << " into " << result << " along axis " << axis;
    total = ShapedType::isDynamic(total) || type.isDynamicDim(axis)
                ? ShapedType::kDynamic
                : total + type.getDimSize(axis);
  }
  if (!mayEqual(total, result.getDimSize(axis)))
    return emitOpError("inputs have ")
           << total << " elements along axis " << axis << ", the result "
           << result.getDimSize(axis);
  return success();
}

LogicalResult SplitOp::verify() {
  int64_t rank = rankOf(getInput());
  int64_t count = getNumResults();
  for (Value output : getOutputs())
    if (rankOf(output) != rank)
      return emitOpError("expects outputs of the input's rank");
  if (getNumOutputs() && *getNumOutputs() != count)
    return emitOpError("num_outputs is ")
           << *getNumOutputs() << " for " << count << " outputs";
  return expectLength(*this, getSplit(), count, "split");
}

LogicalResult SliceOp::verify() {
  int64_t rank = rankOf(getData());
  int64_t length = tensorType(getStarts()).getRank() == 1
                       ? tensorType(getStarts()).getDimSize(0)
                       : ShapedType::kDynamic;
  if (failed(expectLength(*this, getStarts(), length, "starts")) ||
      failed(expectLength(*this, getEnds(), length, "ends")) ||
      failed(expectLength(*this, getAxes(), length, "axes")) ||
      failed(expectLength(*this, getSteps(), length, "steps")) ||
      failed(expectAxes(*this, getAxes(), rank)))
    return failure();
  if (!isAbsent(getSteps()))
    if (std::optional<SmallVector<int64_t>> steps = getConstantInts(getSteps()))
      if (llvm::is_contained(*steps, 0))
        return emitOpError("steps must not be 0");
  return expectRank(*this, getOutput(), rank, "result");
}

LogicalResult TileOp::verify() {
  if (failed(expectRank(*this, getOutput(), rankOf(getInput()), "result")))
    return failure();
  return expectLength(*this, getRepeats(), rankOf(getInput()), "repeats");
}

LogicalResult PadOp::verify() {
  int64_t rank = rankOf(getData());
  if (!llvm::is_contained({"constant", "edge", "reflect", "wrap"}, getMode()))
    return emitOpError("unknown mode '") << getMode() << "'";
  if (failed(expectAxes(*this, getAxes(), rank)) ||
      failed(expectRank(*this, getOutput(), rank, "result")))
    return failure();
  if (isAbsent(getAxes()))
    return expectLength(*this, getPads(), 2 * rank, "pads");
  return expectRank(*this, getPads(), 1, "pads");
}

LogicalResult GatherOp::verify() {
  RankedTensorType data = tensorType(getData()),
                   indices = tensorType(getIndices());
  int64_t axis = *normalizeAxis(getAxis(), data.getRank());
  SmallVector<int64_t> shape(data.getShape().take_front(axis));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, data.getShape().drop_front(axis + 1));
  return expectShape(*this, tensorType(getOutput()), shape);
}

LogicalResult GatherElementsOp::verify() {
  if (failed(expectRank(*this, getIndices(), rankOf(getData()), "indices")))
    return failure();
  return expectShape(*this, tensorType(getOutput()),
                     tensorType(getIndices()).getShape());
}

/// Index tuples: their length must be known and fit the data.
static LogicalResult verifyTuples(Operation *op, Value data, Value indices,
                                  int64_t batch) {
  RankedTensorType type = tensorType(indices);
  if (type.getRank() == 0)
    return op->emitOpError("expects indices of rank 1 or more");
  int64_t length = type.getShape().back();
  if (batch < 0 || batch >= type.getRank() || batch > rankOf(data))
    return op->emitOpError("batch_dims is out of range");
  if (!ShapedType::isDynamic(length) && length > rankOf(data) - batch)
    return op->emitOpError("index tuples of length ")
           << length << " exceed the data's rank, " << rankOf(data);
  return success();
}

LogicalResult GatherNDOp::verify() {
  return verifyTuples(*this, getData(), getIndices(), getBatchDims());
}

LogicalResult ScatterNDOp::verify() {
  return verifyTuples(*this, getData(), getIndices(), 0);
}

LogicalResult TriluOp::verify() {
  if (rankOf(getInput()) < 2)
    return emitOpError("expects an input of rank 2 or more");
  return success();
}

LogicalResult OneHotOp::verify() {
  int64_t rank = rankOf(getIndices()) + 1;
  if (!normalizeAxis(getAxis(), rank))
    return emitOpError("axis ")
           << getAxis() << " is out of range for rank " << rank;
  if (failed(expectLength(*this, getValues(), 2, "values")))
    return failure();
  if (tensorType(getValues()).getElementType() !=
      tensorType(getOutput()).getElementType())
    return emitOpError("result does not have the element type of values");
  return expectRank(*this, getOutput(), rank, "result");
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static LogicalResult verifyMatMul(Operation *op, Value lhs, Value rhs) {
  RankedTensorType a = tensorType(lhs), b = tensorType(rhs);
  if (a.getRank() == 0 || b.getRank() == 0)
    return op->emitOpError("expects inputs of rank 1 or more");
  int64_t k =
      b.getRank() == 1 ? b.getDimSize(0) : b.getDimSize(b.getRank() - 2);
  if (!mayEqual(a.getShape().back(), k))
    return op->emitOpError("cannot multiply ") << a << " by " << b;
  int64_t rank = std::max<int64_t>({a.getRank(), b.getRank(), 2}) -
                 (a.getRank() == 1) - (b.getRank() == 1);
  int64_t batch = std::min(a.getRank(), b.getRank()) - 2;
  for (int64_t i = 0; i < batch; ++i) {
    int64_t m = a.getDimSize(a.getRank() - 3 - i),
            n = b.getDimSize(b.getRank() - 3 - i);
    if (m != 1 && n != 1 && !mayEqual(m, n))
      return op->emitOpError("cannot multiply ") << a << " by " << b;
  }
  return expectRank(op, op->getResult(0), rank, "result");
}

LogicalResult MatMulOp::verify() { return verifyMatMul(*this, getA(), getB()); }

LogicalResult MatMulIntegerOp::verify() {
  for (Value input : {getA(), getB()})
    if (!tensorType(input).getElementType().isInteger(8))
      return emitOpError("expects int8 or uint8 inputs, got ")
             << input.getType();
  return verifyMatMul(*this, getA(), getB());
}

LogicalResult GemmOp::verify() {
  for (Value value : {getA(), getB(), getY()})
    if (rankOf(value) != 2)
      return emitOpError("expects matrices, got ") << value.getType();
  RankedTensorType a = tensorType(getA()), b = tensorType(getB());
  int64_t k = a.getDimSize(getTransA() ? 0 : 1);
  if (!mayEqual(k, b.getDimSize(getTransB() ? 1 : 0)))
    return emitOpError("cannot multiply ") << a << " by " << b;
  SmallVector<int64_t> shape = {a.getDimSize(getTransA() ? 1 : 0),
                                b.getDimSize(getTransB() ? 0 : 1)};
  if (!isAbsent(getC())) {
    RankedTensorType c = tensorType(getC());
    if (c.getRank() > 2)
      return emitOpError("cannot add ") << c << " to a matrix";
    for (int64_t i = 0, offset = 2 - c.getRank(); i < c.getRank(); ++i)
      if (c.getDimSize(i) != 1 && !mayEqual(c.getDimSize(i), shape[i + offset]))
        return emitOpError("cannot add ")
               << c << " to a matrix of " << shape[0] << " x " << shape[1];
  }
  return expectShape(*this, tensorType(getY()), shape);
}

LogicalResult AttentionOp::verify() {
  int64_t rank = rankOf(getQ());
  if ((rank != 3 && rank != 4) || rankOf(getK()) != rank ||
      rankOf(getV()) != rank)
    return emitOpError("expects Q, K and V of one rank, 3 or 4");
  if (rank == 3 && (!getQNumHeads() || !getKvNumHeads()))
    return emitOpError(
        "expects q_num_heads and kv_num_heads with inputs of rank 3");
  for (std::optional<int64_t> heads : {getQNumHeads(), getKvNumHeads()})
    if (heads && *heads <= 0)
      return emitOpError("expects a positive number of heads");
  if (isAbsent(getPastKey()) != isAbsent(getPastValue()))
    return emitOpError("expects both past_key and past_value or neither");
  for (Value past : {getPastKey(), getPastValue()})
    if (!isAbsent(past) && failed(expectRank(*this, past, 4, "past")))
      return failure();
  return expectRank(*this, getY(), rank, "result");
}

LogicalResult ConvOp::verify() {
  RankedTensorType x = tensorType(getX()), w = tensorType(getW());
  if (w.getRank() != x.getRank() || w.getElementType() != x.getElementType())
    return emitOpError("expects a kernel of the input's rank and element type");
  if (getGroup() < 1)
    return emitOpError("expects a positive group");
  if (!x.isDynamicDim(1) && !w.isDynamicDim(1) &&
      x.getDimSize(1) != w.getDimSize(1) * getGroup())
    return emitOpError("cannot convolve ")
           << x << " with " << w << " in " << getGroup() << " groups";
  if (!w.isDynamicDim(0) && w.getDimSize(0) % getGroup() != 0)
    return emitOpError("group does not divide the output channels");
  if (!isAbsent(getB()))
    return expectLength(*this, getB(), w.getDimSize(0), "bias");
  return success();
}

LogicalResult ConvTransposeOp::verify() {
  RankedTensorType x = tensorType(getX()), w = tensorType(getW());
  if (w.getRank() != x.getRank() || w.getElementType() != x.getElementType())
    return emitOpError("expects a kernel of the input's rank and element type");
  int64_t group = getGroup();
  if (group < 1)
    return emitOpError("expects a positive group");
  if (!mayEqual(x.getDimSize(1), w.getDimSize(0)))
    return emitOpError("cannot convolve ") << x << " with " << w;
  if (!w.isDynamicDim(0) && w.getDimSize(0) % group != 0)
    return emitOpError("group does not divide the input channels");
  for (auto list : {getOutputPadding(), getOutputShape()})
    if (list && static_cast<int64_t>(list->size()) != x.getRank() - 2)
      return emitOpError("expects output_padding and output_shape of ")
             << x.getRank() - 2 << " values";
  if (!isAbsent(getB()) && !w.isDynamicDim(1))
    return expectLength(*this, getB(), w.getDimSize(1) * group, "bias");
  return success();
}

LogicalResult ResizeOp::verify() {
  int64_t rank = rankOf(getX());
  if (rankOf(getY()) != rank)
    return emitOpError("expects input and result of one rank");
  SmallVector<bool> seen(rank);
  int64_t count = rank;
  if (auto axes = getAxes()) {
    count = axes->size();
    for (int64_t axis : *axes) {
      auto position = normalizeAxis(axis, rank);
      if (!position || seen[*position])
        return emitOpError("expects distinct axes within rank ") << rank;
      seen[*position] = true;
    }
  }
  // An empty list stands for an absent one.
  auto isGiven = [](Value list) {
    return !isAbsent(list) &&
           !(rankOf(list) == 1 && tensorType(list).getDimSize(0) == 0);
  };
  if (isGiven(getScales()) == isGiven(getSizes()))
    return emitOpError("expects either scales or sizes");
  if (isGiven(getScales()))
    return expectLength(*this, getScales(), count, "scales");
  return expectLength(*this, getSizes(), count, "sizes");
}
