//===- BitNetVerifiers.cpp - Verifiers of bitnet ops ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OperandCheck.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bitnet;

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

LogicalResult TopLogitsOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck weight(*this, "weight", getWeight());
  if (failed(weight.hasRank(2)))
    return failure();
  if (!isa<FloatType>(weight.element()))
    return weight.error() << "must have floats as elements";
  int64_t rows = weight.extent(0), columns = weight.extent(1);
  if (ShapedType::isDynamic(rows) || ShapedType::isDynamic(columns))
    return weight.error() << "must have a static shape";
  int64_t bytes = getRowBytes(columns);
  OperandCheck hidden(*this, "hidden", getHidden());
  OperandCheck count(*this, "count", getCount());
  OperandCheck high(*this, "high", getHigh());
  OperandCheck low(*this, "low", getLow());
  OperandCheck scale(*this, "scale", getScale());
  OperandCheck bounds(*this, "bounds", getBounds());
  OperandCheck logits(*this, "logits", getLogits());
  OperandCheck lower(*this, "lower", getLower());
  OperandCheck read(*this, "read", getRead());
  return all({hidden.isF32(), hidden.hasShape({1, columns}),
              count.isInteger(64), count.hasShape({1}), high.isInteger(8),
              high.hasShape({rows, bytes}), low.isInteger(8),
              low.hasShape({rows, bytes}), scale.isVector(rows, false),
              bounds.isF32(), bounds.hasShape({2, rows}), logits.isF32(),
              logits.hasShape({1, rows}), lower.isVector(rows, false),
              read.isInteger(64), read.hasShape({1})});
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
      failed(output.isCacheable()) || failed(output.hasRank(4)))
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
  if (failed(all({query.isF32(), query.hasRank(4), key.isCacheable(),
                  key.hasRank(4), value.isCacheable(), value.hasRank(4)})))
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
