//===- TensorBuilders.cpp - Structured ops that lowerings compose ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace bitnet::onnx;
using utils::IteratorType;

Value Emitter::empty(ArrayRef<OpFoldResult> sizes, Type type) {
  Value tensor = tensor::EmptyOp::create(b, loc, sizes, type);
  knownSizes[tensor] = Sizes(sizes);
  return tensor;
}

Value Emitter::filled(ArrayRef<OpFoldResult> sizes, Value scalar) {
  Value init = empty(sizes, scalar.getType());
  Value tensor =
      linalg::FillOp::create(b, loc, ValueRange{scalar}, ValueRange{init})
          .getResult(0);
  knownSizes[tensor] = Sizes(sizes);
  return tensor;
}

Value Emitter::fromElements(ArrayRef<Value> elements, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, elements.front().getType());
  return b.createOrFold<tensor::FromElementsOp>(loc, type, elements);
}

Value Emitter::extract(OpBuilder &builder, Value tensor,
                       ArrayRef<Value> indices) {
  return builder.createOrFold<tensor::ExtractOp>(loc, tensor, indices);
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

/// Widens narrow floats, runs `body`, and rounds its result once.
static Value computeElement(Scalars &s, ValueRange args, Type elementType,
                            ElementFn body) {
  Values wide;
  for (Value arg : args)
    wide.push_back(isa<FloatType>(arg.getType())
                       ? s.cast(arg, computeType(arg.getType()))
                       : arg);
  Value result = body(s, wide);
  return isa<FloatType>(elementType) && isa<FloatType>(result.getType())
             ? s.cast(result, elementType)
             : result;
}

Value Emitter::generate(ArrayRef<OpFoldResult> sizes, Type elementType,
                        ValueRange inputs, ArrayRef<AffineMap> maps,
                        ElementFn body, bool isUnsigned) {
  Value init = empty(sizes, elementType);
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(b.getMultiDimIdentityMap(sizes.size()));
  SmallVector<IteratorType> iterators(sizes.size(), IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, loc, TypeRange{init.getType()}, inputs, ValueRange{init}, allMaps,
      iterators, [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at, isUnsigned);
        linalg::YieldOp::create(
            nested, at, computeElement(s, args.drop_back(), elementType, body));
      });
  knownSizes[op.getResult(0)] = Sizes(sizes);
  return op.getResult(0);
}

Value Emitter::generate(
    ArrayRef<OpFoldResult> sizes, Type elementType,
    function_ref<Value(Scalars &, Values &positions)> body) {
  return generate(sizes, elementType, {}, {}, [&](Scalars &s, ArrayRef<Value>) {
    Values positions;
    for (size_t dim = 0; dim < sizes.size(); ++dim)
      positions.push_back(s.position(dim));
    return body(s, positions);
  });
}

Sizes Emitter::broadcastSizes(ArrayRef<Sizes> shapes, Value result) {
  size_t rank = 0;
  for (const Sizes &shape : shapes)
    rank = std::max(rank, shape.size());
  auto type = result ? dyn_cast<RankedTensorType>(result.getType())
                     : RankedTensorType();
  Sizes all;
  for (size_t dim = 0; dim < rank; ++dim) {
    // Sizes other than 1 are equal, unless one is 1 at run time.
    Sizes candidates;
    OpFoldResult constant;
    for (const Sizes &shape : shapes) {
      if (dim + shape.size() < rank)
        continue;
      OpFoldResult size = shape[dim + shape.size() - rank];
      std::optional<int64_t> value = getConstantIntValue(size);
      if (value && *value != 1)
        constant = size;
      else if (!value && llvm::none_of(candidates, [&](OpFoldResult other) {
                 return areEqual(size, other);
               }))
        candidates.push_back(size);
    }
    if (!constant && candidates.size() > 1 && type) {
      StringRef name = dimName(result, dim);
      if (!type.isDynamicDim(dim))
        constant = asSize(type.getDimSize(dim));
      else if (auto known = symbols.find(name); known != symbols.end())
        constant = known->second;
    }
    OpFoldResult size = constant;
    if (!size && candidates.empty())
      size = asSize(1);
    for (OpFoldResult candidate : constant ? Sizes() : candidates) {
      if (!size) {
        size = candidate;
        continue;
      }
      Scalars s(b, loc);
      Value isOne = s.compare(Compare::EQ, asValue(size), s.index(1));
      size = asSize(s.select(isOne, asValue(candidate), asValue(size)));
    }
    all.push_back(size);
  }
  return all;
}

/// A scalar constant for a tensor of one known value, else null.
Value Emitter::splatElement(Value tensor, OpBuilder &builder) {
  DenseElementsAttr constant;
  if (!matchPattern(tensor, m_Constant(&constant)) || !constant.isSplat())
    return nullptr;
  return arith::ConstantOp::create(
      builder, loc, cast<TypedAttr>(constant.getSplatValue<Attribute>()));
}

Value Emitter::map(ValueRange inputs, Type elementType, ElementFn body,
                   bool isUnsigned, std::optional<Sizes> resultSizes) {
  if (!resultSizes) {
    SmallVector<Sizes> shapes;
    for (Value input : inputs)
      shapes.push_back(sizes(input));
    resultSizes = broadcastSizes(shapes);
  }
  const Sizes &out = *resultSizes;
  int64_t outRank = out.size();
  // Each input is a constant, an operand with an indexing map, or read in the
  // body at a clamped position where a dimension may be 1 at run time.
  enum Kind { Constant, Operand, Clamped };
  SmallVector<Kind> kinds;
  Values operands;
  SmallVector<AffineMap> maps;
  for (Value input : inputs) {
    Scalars s(b, loc);
    if (splatElement(input, b)) {
      kinds.push_back(Constant);
      continue;
    }
    SmallVector<AffineExpr> exprs;
    bool clamped = false;
    Sizes shape = sizes(input);
    for (auto [dim, size] : llvm::enumerate(shape)) {
      int64_t outDim = dim + outRank - shape.size();
      bool same = areEqual(size, out[outDim]);
      bool one = isConstantIntValue(size, 1);
      clamped |= !same && !one;
      requireBroadcast(size, out[outDim]);
      exprs.push_back(same ? b.getAffineDimExpr(outDim)
                           : b.getAffineConstantExpr(0));
    }
    kinds.push_back(clamped ? Clamped : Operand);
    if (clamped)
      continue;
    operands.push_back(input);
    maps.push_back(AffineMap::get(outRank, 0, exprs, b.getContext()));
  }
  auto readClamped = [&](Scalars &s, Value input) {
    Values indices;
    Sizes shape = sizes(input);
    for (auto [dim, size] : llvm::enumerate(shape)) {
      Value position = s.position(dim + outRank - shape.size());
      if (!areEqual(size, out[dim + outRank - shape.size()]))
        position = s.min(
            position, s.sub(getValueOrCreateConstantIndexOp(s.b, s.loc, size),
                            s.index(1)));
      indices.push_back(position);
    }
    Value element = extract(s.b, input, indices);
    return isa<FloatType>(element.getType())
               ? s.cast(element, computeType(element.getType()))
               : element;
  };
  return generate(
      out, elementType, operands, maps,
      [&](Scalars &s, ArrayRef<Value> args) {
        Values all;
        size_t next = 0;
        for (auto [input, kind] : llvm::zip(inputs, kinds)) {
          if (kind == Operand) {
            all.push_back(args[next++]);
          } else if (kind == Clamped) {
            all.push_back(readClamped(s, input));
          } else {
            Value element = splatElement(input, s.b);
            all.push_back(isa<FloatType>(element.getType())
                              ? s.cast(element, computeType(element.getType()))
                              : element);
          }
        }
        return body(s, all);
      },
      isUnsigned);
}

Value Emitter::broadcastTo(Value tensor, Sizes target) {
  if (llvm::equal(sizes(tensor), target, areEqual))
    return tensor;
  return map(
      tensor, element(tensor),
      [](Scalars &, ArrayRef<Value> x) { return x[0]; }, false,
      std::move(target));
}

Value Emitter::castElements(Value tensor, Type elementType, bool fromUnsigned,
                            bool toUnsigned) {
  if (element(tensor) == elementType)
    return tensor;
  return map(tensor, elementType, [&](Scalars &s, ArrayRef<Value> x) {
    return s.cast(x[0], elementType, fromUnsigned, toUnsigned);
  });
}

//===----------------------------------------------------------------------===//
// Reductions and contractions
//===----------------------------------------------------------------------===//

Value Emitter::combine(Scalars &s, Reduction kind, Value x, Value y) {
  switch (kind) {
  case Reduction::Sum:
    return s.add(x, y, /*reassociate=*/true);
  case Reduction::Prod:
    return s.mul(x, y, /*reassociate=*/true);
  case Reduction::Max:
    return s.max(x, y);
  case Reduction::Min:
    return s.min(x, y);
  }
  return nullptr;
}

Value Emitter::initial(Scalars &s, Reduction kind, Type type) {
  switch (kind) {
  case Reduction::Sum:
    return s.constant(type, 0.0);
  case Reduction::Prod:
    return s.constant(type, 1.0);
  case Reduction::Max:
    return s.lowest(type);
  case Reduction::Min:
    return s.highest(type);
  }
  return nullptr;
}

Value Emitter::reduce(Value tensor, ArrayRef<int64_t> axes, bool keepDims,
                      Reduction kind, bool isUnsigned,
                      function_ref<Value(Scalars &, Value)> prepare,
                      Type accumulatorType) {
  Type type = accumulatorType ? accumulatorType : computeType(element(tensor));
  const Sizes in = sizes(tensor);
  SmallVector<IteratorType> iterators(in.size(), IteratorType::parallel);
  for (int64_t axis : axes)
    iterators[axis] = IteratorType::reduction;
  Sizes out;
  SmallVector<AffineExpr> exprs;
  for (auto [dim, size] : llvm::enumerate(in)) {
    if (iterators[dim] == IteratorType::reduction)
      continue;
    out.push_back(size);
    exprs.push_back(b.getAffineDimExpr(dim));
  }
  Scalars outer(b, loc, isUnsigned);
  Value init = filled(out, initial(outer, kind, type));
  SmallVector<AffineMap> maps = {
      b.getMultiDimIdentityMap(in.size()),
      AffineMap::get(in.size(), 0, exprs, b.getContext())};
  auto op = linalg::GenericOp::create(
      b, loc, TypeRange{init.getType()}, ValueRange{tensor}, ValueRange{init},
      maps, iterators, [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at, isUnsigned);
        Value x = args[0];
        if (isa<FloatType>(x.getType()))
          x = s.cast(x, computeType(x.getType()));
        if (prepare)
          x = prepare(s, x);
        linalg::YieldOp::create(nested, at, combine(s, kind, args[1], x));
      });
  Value result = op.getResult(0);
  knownSizes[result] = out;
  return keepDims ? insertUnits(result, axes) : result;
}

Value Emitter::count(Value tensor, ArrayRef<int64_t> axes, Type type) {
  Sizes reduced;
  for (int64_t axis : axes)
    reduced.push_back(sizes(tensor)[axis]);
  return Scalars(b, loc).cast(asValue(product(reduced)), type);
}

Value Emitter::contract(Value x, AffineMap mapX, Value y, AffineMap mapY,
                        ArrayRef<OpFoldResult> loopSizes, unsigned numParallel,
                        Type type) {
  unsigned numLoops = loopSizes.size();
  SmallVector<IteratorType> iterators(numParallel, IteratorType::parallel);
  iterators.append(numLoops - numParallel, IteratorType::reduction);
  Sizes out(loopSizes.take_front(numParallel));
  for (auto [tensor, map] : {std::pair(x, mapX), std::pair(y, mapY)})
    for (auto [size, expr] : llvm::zip(sizes(tensor), map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        requireEqual(size, loopSizes[loop.getPosition()]);
  Scalars outer(b, loc);
  Value init = filled(out, outer.constant(type, 0.0));
  AffineMap mapOut = AffineMap::getMultiDimIdentityMap(numLoops, b.getContext())
                         .getMajorSubMap(numParallel);
  auto op = linalg::GenericOp::create(
      b, loc, TypeRange{init.getType()}, ValueRange{x, y}, ValueRange{init},
      ArrayRef<AffineMap>{mapX, mapY, mapOut}, iterators,
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at);
        Value product = s.mul(s.cast(args[0], type), s.cast(args[1], type));
        linalg::YieldOp::create(nested, at,
                                s.add(args[2], product, /*reassociate=*/true));
      });
  knownSizes[op.getResult(0)] = out;
  return op.getResult(0);
}

Values Emitter::loops(ArrayRef<OpFoldResult> bounds, ValueRange inits,
                      function_ref<Values(Scalars &, ArrayRef<Value> ivs,
                                          ArrayRef<Value> carried)>
                          body) {
  Scalars outer(b, loc);
  if (bounds.empty())
    return body(outer, {}, Values(inits));
  Values lower(bounds.size(), outer.index(0)), upper;
  Values steps(bounds.size(), outer.index(1));
  for (OpFoldResult bound : bounds)
    upper.push_back(asValue(bound));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, upper, steps, inits,
      [&](OpBuilder &nested, Location at, ValueRange ivs, ValueRange carried) {
        Scalars s(nested, at);
        Values results = body(s, Values(ivs), Values(carried));
        return scf::ValueVector(results.begin(), results.end());
      });
  return Values(nest.results);
}
