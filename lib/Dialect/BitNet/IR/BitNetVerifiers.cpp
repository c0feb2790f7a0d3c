//===- BitNetVerifiers.cpp - Verifiers of bitnet ops ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

namespace {

/// Says what an op's shaped operand must be; the first violation is reported.
class OperandCheck {
public:
  OperandCheck(Operation *op, StringRef name, Value value)
      : op(op), name(name), type(cast<ShapedType>(value.getType())) {}

  int64_t extent(unsigned index) const { return type.getDimSize(index); }
  int64_t rank() const { return type.getRank(); }
  Type element() const { return type.getElementType(); }

  InFlightDiagnostic error() const {
    return op->emitOpError()
           << "operand '" << name << "' of type " << type << ' ';
  }

  LogicalResult hasRank(int64_t expected) const {
    if (rank() != expected)
      return error() << "must have rank " << expected;
    return success();
  }

  LogicalResult isF32() const {
    if (!element().isF32())
      return error() << "must have elements of type f32";
    return success();
  }

  LogicalResult isInteger(unsigned width) const {
    if (!element().isSignlessInteger(width))
      return error() << "must have elements of type i" << width;
    return success();
  }

  /// Whether an extent is the wanted one, or 1 where it may broadcast. Dynamic
  /// extents agree with every other.
  LogicalResult hasExtent(unsigned index, int64_t expected,
                          bool broadcasts = false) const {
    int64_t actual = extent(index);
    if (actual == expected || ShapedType::isDynamic(actual) ||
        ShapedType::isDynamic(expected) || (broadcasts && actual == 1))
      return success();
    InFlightDiagnostic diagnostic = error();
    diagnostic << "must have extent " << expected;
    if (broadcasts && expected != 1)
      diagnostic << " or 1";
    return diagnostic << " in dimension " << index;
  }

  LogicalResult hasShape(ArrayRef<int64_t> expected) const {
    if (failed(hasRank(expected.size())))
      return failure();
    for (auto [index, extent] : llvm::enumerate(expected))
      if (failed(hasExtent(index, extent)))
        return failure();
    return success();
  }

  /// A vector of `expected` elements, or of one.
  LogicalResult isVector(int64_t expected, bool broadcasts) const {
    return success(succeeded(isF32()) && succeeded(hasRank(1)) &&
                   succeeded(hasExtent(0, expected, broadcasts)));
  }

private:
  Operation *op;
  StringRef name;
  ShapedType type;
};

} // namespace

/// Either all shaped operands are tensors, with a result for each init, or all
/// are memrefs, without results.
static LogicalResult verifySemantics(DestinationStyleOpInterface op) {
  bool tensors = false, memrefs = false;
  for (Value operand : op->getOperands()) {
    tensors |= isa<RankedTensorType>(operand.getType());
    memrefs |= isa<MemRefType>(operand.getType());
  }
  if (tensors && memrefs)
    return op->emitOpError("mixes tensors and memrefs");
  return success();
}

static LogicalResult verifyFiniteNonNegative(Operation *op, StringRef name,
                                             const APFloat &value) {
  if (!value.isFinite() || value.isNegative())
    return op->emitOpError()
           << "attribute '" << name << "' must be finite and not negative";
  return success();
}

static LogicalResult all(std::initializer_list<LogicalResult> results) {
  return success(llvm::all_of(
      results, [](LogicalResult result) { return succeeded(result); }));
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (type.getRank() != 2 || !type.hasStaticShape() ||
      !isLowBitType(type.getElementType()))
    return emitOpError("must be a static tensor of rank 2 of !bitnet.ternary "
                       "or !bitnet.binary, got ")
           << type;
  auto resource = dyn_cast<DenseResourceElementsAttr>(getValue());
  if (!resource)
    return emitOpError("value must be a dense_resource");
  // A resource may be declared before its blob is known.
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return success();
  int64_t bits = type.getNumElements() * getCodeBitWidth(type.getElementType());
  int64_t expected = llvm::divideCeil(bits, 8);
  int64_t actual = blob->getData().size();
  if (actual != expected)
    return emitOpError("value must hold ")
           << expected << " bytes of codes, got " << actual;
  return success();
}

LogicalResult ArchiveOp::verify() {
  auto type = cast<ShapedType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("must have a static shape, got ") << type;
  if (!type.getElementType().isIntOrIndexOrFloat())
    return emitOpError("must have integers or floats as elements, got ")
           << type;
  if (auto memref = dyn_cast<MemRefType>(getType());
      memref && !memref.getLayout().isIdentity())
    return emitOpError("must have the identity layout, got ") << type;
  if (static_cast<int64_t>(getOffset()) < 0)
    return emitOpError("offset must not be negative");
  return success();
}

//===----------------------------------------------------------------------===//
// Quantised linear layers
//===----------------------------------------------------------------------===//

/// Checks qmin and qmax against the integers' type and the range of a row's
/// sum.
static LogicalResult verifyQuantizedRange(QuantizeOp op, Type element,
                                          int64_t columns) {
  int64_t qmin = op.getQmin(), qmax = op.getQmax();
  if (!element.isSignlessInteger(8) && !element.isSignlessInteger(16))
    return op.emitOpError("operand 'values' must have elements of type i8 or "
                          "i16, got ")
           << element;
  unsigned width = element.getIntOrFloatBitWidth();
  if (qmin > 0 || qmax < 0 || qmin == qmax)
    return op.emitOpError("needs qmin <= 0 <= qmax and qmin < qmax");
  if (!llvm::isIntN(width, qmin) || !llvm::isIntN(width, qmax))
    return op.emitOpError("qmin and qmax must fit in ") << element;
  if (ShapedType::isDynamic(columns))
    return success();
  int64_t magnitude = std::max(-qmin, qmax);
  if (columns > std::numeric_limits<int32_t>::max() / magnitude)
    return op.emitOpError("the sum of a row may exceed i32");
  return success();
}

LogicalResult QuantizeOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck input(*this, "input", getInput());
  OperandCheck values(*this, "values", getValues());
  OperandCheck steps(*this, "steps", getSteps());
  OperandCheck sums(*this, "sums", getSums());
  if (failed(input.hasRank(2)) || failed(input.isF32()) ||
      failed(values.hasRank(2)))
    return failure();
  int64_t rows = input.extent(0), columns = input.extent(1);
  if (failed(values.hasExtent(0, rows)))
    return failure();
  if (!ShapedType::isDynamic(columns) &&
      !ShapedType::isDynamic(values.extent(1)) && values.extent(1) < columns)
    return values.error() << "must have at least " << columns << " columns";
  bool perTensor = getGranularity() == Granularity::Tensor;
  if (failed(steps.isVector(perTensor ? 1 : rows, false)) ||
      failed(sums.isInteger(32)) || failed(sums.hasShape({rows})))
    return failure();
  APFloat bound = getBound();
  if (!bound.isFinite() || bound.isNegative() || bound.isZero())
    return emitOpError("attribute 'bound' must be finite and positive");
  if (failed(verifyFiniteNonNegative(*this, "epsilon", getEpsilon())))
    return failure();
  return verifyQuantizedRange(*this, values.element(), columns);
}

/// The extents of unpacked weights `[N, K]`.
static LogicalResult verifyLowBitWeight(const OperandCheck &weight) {
  if (failed(weight.hasRank(2)))
    return failure();
  if (!isLowBitType(weight.element()))
    return weight.error() << "must have elements of type !bitnet.ternary or "
                             "!bitnet.binary";
  return success();
}

LogicalResult MatmulOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck lhs(*this, "lhs", getLhs());
  OperandCheck weight(*this, "weight", getWeight());
  OperandCheck output(*this, "output", getOutput());
  if (failed(lhs.hasRank(2)) || failed(verifyLowBitWeight(weight)) ||
      failed(lhs.hasExtent(1, weight.extent(1))) ||
      failed(output.hasShape({lhs.extent(0), weight.extent(0)})))
    return failure();
  if (lhs.element().isF32())
    return output.isF32();
  if (!lhs.element().isSignlessInteger(8) &&
      !lhs.element().isSignlessInteger(16))
    return lhs.error() << "must have elements of type i8, i16 or f32";
  return output.isInteger(32);
}

LogicalResult RescaleOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck acc(*this, "acc", getAcc());
  OperandCheck output(*this, "output", getOutput());
  if (failed(acc.hasRank(2)) || failed(acc.isInteger(32)) ||
      failed(output.isF32()) ||
      failed(output.hasShape({acc.extent(0), acc.extent(1)})))
    return failure();
  return all({OperandCheck(*this, "step", getStep())
                  .isVector(acc.extent(0), /*broadcasts=*/true),
              OperandCheck(*this, "scale", getScale())
                  .isVector(acc.extent(1), /*broadcasts=*/true)});
}

/// Checks the weight, unpacked or packed, so that getN() and getK() hold.
static LogicalResult verifyLinearWeight(LinearOp op) {
  OperandCheck weight(op, "weight", op.getWeight());
  std::optional<PackingAttr> packing = op.getPacking();
  bool hasExtents = op.getRows() && op.getColumns();
  if (!packing) {
    if (op.getRows() || op.getColumns())
      return op.emitOpError("has rows or columns without a packing");
    return verifyLowBitWeight(weight);
  }
  if (!hasExtents)
    return op.emitOpError("needs rows and columns beside its packing");
  int64_t n = *op.getRows(), k = *op.getColumns();
  constexpr int64_t kLimit = std::numeric_limits<int32_t>::max();
  if (n < 1 || k < 1 || n > kLimit || k > kLimit)
    return op.emitOpError("rows and columns must be positive and below 2^31");
  if (failed(weight.isInteger(8)) || failed(weight.hasRank(1)))
    return failure();
  return weight.hasExtent(0, packing->getByteSize(n, k));
}

/// Checks the activations: integers with steps and sums, or floats without.
static LogicalResult verifyLinearInput(LinearOp op) {
  OperandCheck lhs(op, "lhs", op.getLhs());
  int64_t k = op.getK();
  if (failed(lhs.hasRank(2)))
    return failure();
  if (static_cast<bool>(op.getStep()) != static_cast<bool>(op.getSum()))
    return op.emitOpError("needs both of step and sum, or none");
  if (!op.getStep()) {
    if (!lhs.element().isF32())
      return lhs.error() << "must have elements of type f32 where there is no "
                            "step";
    // Packed weights have whole blocks of K, and so have their activations.
    return lhs.hasExtent(
        1, op.getPacking() ? op.getPacking()->getPaddedColumns(k) : k);
  }
  if (!lhs.element().isSignlessInteger(8) &&
      !lhs.element().isSignlessInteger(16))
    return lhs.error() << "must have elements of type i8 or i16 where there "
                          "is a step";
  if (!ShapedType::isDynamic(lhs.extent(1)) && !ShapedType::isDynamic(k) &&
      lhs.extent(1) < k)
    return lhs.error() << "must have at least " << k << " columns";
  OperandCheck sum(op, "sum", op.getSum());
  return all({OperandCheck(op, "step", op.getStep())
                  .isVector(lhs.extent(0), /*broadcasts=*/true),
              sum.isInteger(32), sum.hasShape({lhs.extent(0)})});
}

static LogicalResult verifyLinearScale(LinearOp op) {
  OperandCheck scale(op, "scale", op.getScale());
  int64_t n = op.getN(), k = op.getK();
  if (scale.rank() == 1)
    return scale.isVector(n, /*broadcasts=*/true);
  // Beside packed weights the scales of a group are contiguous.
  unsigned rowDim = op.getPacking() ? 1 : 0;
  if (failed(scale.isF32()) || failed(scale.hasRank(2)) ||
      failed(scale.hasExtent(rowDim, n)))
    return failure();
  int64_t groups = scale.extent(1 - rowDim);
  if (ShapedType::isDynamic(groups) || groups < 1 ||
      (!ShapedType::isDynamic(k) && k % groups != 0))
    return scale.error() << "must have a static number of groups that divides "
                         << k << " columns";
  return success();
}

LogicalResult LinearOp::verify() {
  if (failed(verifySemantics(*this)) || failed(verifyLinearWeight(*this)) ||
      failed(verifyLinearInput(*this)) || failed(verifyLinearScale(*this)))
    return failure();
  int64_t rows = cast<ShapedType>(getLhs().getType()).getDimSize(0);
  if (getBias() && failed(OperandCheck(*this, "bias", getBias())
                              .isVector(getN(), /*broadcasts=*/false)))
    return failure();
  OperandCheck output(*this, "output", getOutput());
  return all({output.isF32(), output.hasShape({rows, getN()})});
}

//===----------------------------------------------------------------------===//
// The rest of a transformer block
//===----------------------------------------------------------------------===//

LogicalResult NormOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck input(*this, "input", getInput());
  OperandCheck output(*this, "output", getOutput());
  if (failed(input.isF32()) || failed(input.hasRank(2)) ||
      failed(output.isF32()) ||
      failed(output.hasShape({input.extent(0), input.extent(1)})))
    return failure();
  if (getWeight() && failed(OperandCheck(*this, "weight", getWeight())
                                .isVector(input.extent(1), false)))
    return failure();
  if (getBias() && failed(OperandCheck(*this, "bias", getBias())
                              .isVector(input.extent(1), false)))
    return failure();
  return verifyFiniteNonNegative(*this, "epsilon", getEpsilon());
}

LogicalResult RotaryOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck input(*this, "input", getInput());
  OperandCheck output(*this, "output", getOutput());
  if (failed(input.isF32()) || failed(input.hasRank(4)) ||
      failed(output.isF32()) ||
      failed(
          output.hasShape(cast<ShapedType>(getInput().getType()).getShape())))
    return failure();
  int64_t width = input.extent(3);
  if (ShapedType::isDynamic(width) || width % 2 != 0)
    return input.error() << "must have an even, static last dimension";
  for (auto [name, value] :
       {std::pair("cos", getCos()), std::pair("sin", getSin())}) {
    OperandCheck table(*this, name, value);
    if (failed(table.isF32()) || failed(table.hasRank(3)) ||
        failed(table.hasExtent(0, input.extent(0), /*broadcasts=*/true)) ||
        failed(table.hasExtent(1, input.extent(2))) ||
        failed(table.hasExtent(2, width)))
      return failure();
  }
  return success();
}

LogicalResult CacheUpdateOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck input(*this, "input", getInput());
  OperandCheck output(*this, "output", getOutput());
  if (failed(input.isF32()) || failed(input.hasRank(4)) ||
      failed(output.isF32()) || failed(output.hasRank(4)))
    return failure();
  for (unsigned index : {0u, 1u, 3u})
    if (failed(output.hasExtent(index, input.extent(index))))
      return failure();
  int64_t tokens = input.extent(2), capacity = output.extent(2);
  if (!ShapedType::isDynamic(tokens) && !ShapedType::isDynamic(capacity) &&
      tokens > capacity)
    return input.error() << "must fit in a cache of capacity " << capacity;
  return success();
}

/// Checks key and value against the query; extents are [B, G, T, D], [B, G, T,
/// E].
static LogicalResult verifyKeyValue(AttentionOp op, const OperandCheck &query) {
  OperandCheck key(op, "key", op.getKey());
  OperandCheck value(op, "value", op.getValue());
  for (const OperandCheck &each : {query, key, value})
    if (failed(each.isF32()) || failed(each.hasRank(4)))
      return failure();
  int64_t heads = query.extent(1), groups = key.extent(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups) &&
      (groups == 0 || heads % groups != 0))
    return key.error() << "must have a number of heads that divides " << heads;
  return all(
      {key.hasExtent(0, query.extent(0)), key.hasExtent(3, query.extent(3)),
       value.hasExtent(0, key.extent(0)), value.hasExtent(1, key.extent(1)),
       value.hasExtent(2, key.extent(2))});
}

static LogicalResult verifyMask(AttentionOp op, const OperandCheck &query) {
  OperandCheck mask(op, "mask", op.getMask());
  if (failed(mask.isF32()) || failed(mask.hasRank(4)))
    return failure();
  for (unsigned index : {0u, 1u, 2u})
    if (failed(mask.hasExtent(index, query.extent(index), true)))
      return failure();
  int64_t keys = cast<ShapedType>(op.getKey().getType()).getDimSize(2);
  // Over a cache, the mask covers the keys that exist, not the capacity.
  if (!op.getPosition())
    return mask.hasExtent(3, keys);
  if (!ShapedType::isDynamic(keys) && !ShapedType::isDynamic(mask.extent(3)) &&
      mask.extent(3) > keys)
    return mask.error() << "must not exceed a capacity of " << keys;
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck query(*this, "query", getQuery());
  OperandCheck output(*this, "output", getOutput());
  if (failed(verifyKeyValue(*this, query)) || failed(output.isF32()) ||
      failed(output.hasShape(
          {query.extent(0), query.extent(1), query.extent(2),
           cast<ShapedType>(getValue().getType()).getDimSize(3)})))
    return failure();
  if (getMask() && failed(verifyMask(*this, query)))
    return failure();
  if (!getScale().isFinite())
    return emitOpError("attribute 'scale' must be finite");
  return success();
}
