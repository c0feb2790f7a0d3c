//===- VectorEpilogue.cpp - From sums to the outputs of a matmul ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VectorEpilogue.h"

using namespace mlir;
using namespace bitnet;

void VectorEpilogue::store(ArrayRef<Value> totals, Value row, Value token,
                           int64_t vectors, Value laneRows) {
  for (int64_t v = 0; v < vectors; ++v) {
    Value first = b.add(row, b.mul(laneRows, v));
    SmallVector<Value> column;
    for (size_t at = v; at < totals.size(); at += vectors)
      column.push_back(totals[at]);
    if (op.n % op.packing->getRows() == 0) {
      storeColumn(column, first, token, Value());
      continue;
    }
    // The last tile's rows beyond N exist in the weights only.
    Value left = b.create<arith::SubIOp>(b.index(op.n), first);
    Value whole =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, left, laneRows);
    b.conditional(
        whole, [&] { storeColumn(column, first, token, Value()); },
        [&] {
          Value mask = b.create<vector::CreateMaskOp>(
              b.vectorType(lanes, b.getI1Type()), left);
          storeColumn(column, first, token, mask);
        });
  }
}

SmallVector<Value> VectorEpilogue::getTouched() const {
  SmallVector<Value> touched;
  for (Value memref : {op.output, op.factor, op.addend})
    if (memref)
      touched.push_back(memref);
  return touched;
}

void VectorEpilogue::prefetch(Value memref, Value row, Value token,
                              int64_t tokens, int64_t vectors) {
  constexpr int64_t line = KernelBuilder::cacheLine / sizeof(float);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t at = 0; at < vectors * lanes; at += line)
      b.prefetch(memref, {b.add(token, t), b.add(row, at)});
}

void VectorEpilogue::storeColumn(ArrayRef<Value> column, Value first,
                                 Value token, Value mask) {
  Value scale, bias;
  if (op.scale && op.getGroups() == 1)
    scale = loadOutputs(op.scale, Value(), first, mask);
  if (op.bias)
    bias = loadOutputs(op.bias, Value(), first, mask);
  bool isFloat = cast<MemRefType>(op.output.getType()).getElementType().isF32();
  for (auto [t, total] : llvm::enumerate(column)) {
    Value m = b.add(token, t), value = isFloat ? toFloat(total) : total;
    if (op.step) {
      bool shared = cast<MemRefType>(op.step.getType()).getDimSize(0) == 1;
      Value step = b.load(op.step, shared ? b.index(0) : m);
      value = b.create<arith::MulFOp>(value, b.splat(step, lanes));
    }
    if (scale)
      value = b.create<arith::MulFOp>(value, scale);
    if (bias)
      value = b.create<arith::AddFOp>(value, bias);
    value = activate(value);
    if (op.factor)
      value = b.create<arith::MulFOp>(value, load(op.factor, {m, first}, mask));
    if (op.addend)
      value = b.create<arith::AddFOp>(value, load(op.addend, {m, first}, mask));
    if (!mask)
      b.storeVector(value, op.output, {m, first});
    else if (isInnermostContiguous(op.output))
      b.create<vector::MaskedStoreOp>(op.output, ValueRange{m, first}, mask,
                                      value);
    else
      b.loop(b.index(0), b.sub(b.index(op.n), first), 1, [&](Value lane) {
        b.store(b.create<vector::ExtractOp>(value, lane), op.output,
                {m, b.add(first, lane)});
      });
  }
}

Value VectorEpilogue::toFloat(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  if (type.getElementType().isF32())
    return vector;
  return b.create<arith::SIToFPOp>(type.clone(b.getF32Type()), vector);
}

Value VectorEpilogue::loadOutputs(Value memref, Value group, Value first,
                                  Value mask) {
  auto type = cast<MemRefType>(memref.getType());
  if (type.getRank() == 1 && type.getDimSize(0) == 1)
    return b.splat(b.load(memref, b.index(0)), lanes);
  SmallVector<Value> indices;
  if (group)
    indices.push_back(group);
  indices.push_back(first);
  if (group && op.n % op.packing->getRows())
    mask = b.create<vector::CreateMaskOp>(b.vectorType(lanes, b.getI1Type()),
                                          ValueRange{clampedLeft(first)});
  return load(memref, indices, mask);
}

Value VectorEpilogue::load(Value memref, ValueRange indices, Value mask) {
  if (!mask)
    return b.loadVector(memref, indices, lanes);
  if (!isInnermostContiguous(memref)) {
    // What is beyond the last output is loaded for nothing, so anything does.
    SmallVector<Value> elements, at(indices);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      at.back() = b.create<arith::MinSIOp>(b.add(indices.back(), lane),
                                           b.index(op.n - 1));
      elements.push_back(b.load(memref, at));
    }
    return b.create<vector::FromElementsOp>(b.vectorType(lanes, b.getF32Type()),
                                            elements);
  }
  Value zero = b.zeroVector(lanes, b.getF32Type());
  return b.create<vector::MaskedLoadOp>(b.vectorType(lanes, b.getF32Type()),
                                        memref, indices, mask, zero);
}

Value VectorEpilogue::clampedLeft(Value first) {
  Value left = b.create<arith::SubIOp>(b.index(op.n), first);
  return b.create<arith::MaxSIOp>(left, b.index(0));
}

Value VectorEpilogue::activate(Value value) {
  if (op.activation == Activation::None)
    return value;
  Value zero = b.zeroVector(lanes, b.getF32Type());
  // NaN passes, as it does in the graph's Relu.
  Value negative =
      b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, value, zero);
  value = b.create<arith::SelectOp>(negative, zero, value);
  if (op.activation == Activation::ReluSquared)
    value = b.create<arith::MulFOp>(value, value);
  return value;
}
