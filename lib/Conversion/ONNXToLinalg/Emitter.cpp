//===- Emitter.cpp - Values and sizes of lowered ops ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace bitnet::onnx;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

void Emitter::startOp(Operation *op) {
  b.setInsertionPoint(op);
  loc = op->getLoc();
}

Value Emitter::get(Value value) {
  auto it = lowered.find(value);
  return it == lowered.end() ? value : it->second;
}

/// The name in `onnx.dims` of a dimension, "" if it has none.
StringRef Emitter::dimName(Value value, int64_t dim) const {
  ArrayAttr names;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function =
        dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
    if (function)
      names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                   "onnx.dims");
  } else {
    auto result = cast<OpResult>(value);
    auto all = result.getOwner()->getAttrOfType<ArrayAttr>("onnx.dims");
    if (all && result.getResultNumber() < all.size())
      names = dyn_cast<ArrayAttr>(all[result.getResultNumber()]);
  }
  if (!names || dim >= static_cast<int64_t>(names.size()))
    return "";
  auto name = dyn_cast<StringAttr>(names[dim]);
  return name ? name.getValue() : "";
}

/// `tensor` with the static sizes of `type` too.
Value Emitter::matchType(Value tensor, RankedTensorType type) {
  auto from = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(from.getShape());
  for (auto [size, known] : llvm::zip(shape, type.getShape()))
    if (ShapedType::isDynamic(size))
      size = known;
  auto to = from.clone(shape);
  return to == from ? tensor : tensor::CastOp::create(b, loc, to, tensor);
}

/// Records `tensor` for `value`, unifying dimensions of one name.
void Emitter::note(Value value, Value tensor) {
  Sizes all = sizes(tensor);
  for (auto [dim, size] : llvm::enumerate(all)) {
    StringRef name = dimName(value, dim);
    if (name.empty() || isa<Attribute>(size))
      continue;
    auto [it, isNew] = symbols.try_emplace(name, size);
    if (isNew)
      continue;
    // The runtime compares those of the inputs.
    if (!isa<BlockArgument>(value))
      requireEqual(size, it->second);
    size = it->second;
  }
  knownSizes[tensor] = all;
  lowered[value] = tensor;
}

void Emitter::set(Value result, Value tensor) {
  Sizes before = sizes(tensor);
  auto type = cast<RankedTensorType>(result.getType());
  Value matched = matchType(tensor, type);
  if (matched != tensor) {
    Sizes &after = knownSizes[matched];
    after.clear();
    auto shape = cast<RankedTensorType>(matched.getType()).getShape();
    for (auto [size, known] : llvm::zip(before, shape)) {
      after.push_back(ShapedType::isDynamic(known) ? size : asSize(known));
      requireEqual(size, after.back());
    }
  }
  note(result, matched);
}

void Emitter::setScalars(Value result, ArrayRef<Value> elements) {
  auto type = cast<RankedTensorType>(result.getType());
  SmallVector<int64_t> shape;
  if (type.getRank() == 1)
    shape.push_back(elements.size());
  Value tensor = elements.empty()
                     ? empty({asSize(0)}, toSignless(type.getElementType()))
                     : fromElements(elements, shape);
  knownScalars[tensor] = Values(elements);
  note(result, tensor);
}

void Emitter::adopt(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (type)
    note(value, value);
}

Value Emitter::getAs(Value value, Type type) {
  Value tensor = get(value);
  Type wanted = toSignless(type);
  if (tensor.getType() == wanted || !isa<RankedTensorType>(wanted))
    return tensor;
  return tensor::CastOp::create(b, loc, wanted, tensor);
}

std::optional<Values> Emitter::scalars(Value value) {
  Value tensor = get(value);
  auto known = knownScalars.find(tensor);
  if (known != knownScalars.end())
    return known->second;
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || type.getRank() > 1 || !type.hasStaticShape() ||
      type.getNumElements() > maxScalars)
    return std::nullopt;
  Values elements;
  DenseElementsAttr constant;
  if (matchPattern(tensor, m_Constant(&constant))) {
    for (Attribute element : constant.getValues<Attribute>())
      elements.push_back(
          arith::ConstantOp::create(b, loc, cast<TypedAttr>(element)));
    return elements;
  }
  if (!isa<IntegerType>(type.getElementType()))
    return std::nullopt;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    Values indices;
    if (type.getRank() == 1)
      indices.push_back(arith::ConstantIndexOp::create(b, loc, i));
    elements.push_back(extract(b, tensor, indices));
  }
  knownScalars[tensor] = elements;
  return elements;
}

std::optional<Sizes> Emitter::ints(Value value, int64_t length) {
  std::optional<Values> elements = scalars(value);
  Value tensor = get(value);
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!elements) {
    if (type.getRank() == 1 && type.hasStaticShape())
      length = type.getDimSize(0);
    if (length < 0 || !isa<IntegerType>(type.getElementType()))
      return std::nullopt;
    elements.emplace();
    for (int64_t i = 0; i < length; ++i)
      elements->push_back(
          extract(b, tensor, {arith::ConstantIndexOp::create(b, loc, i)}));
  }
  Scalars s(b, loc, isUnsigned(value));
  Sizes result;
  for (Value element : *elements)
    result.push_back(asSize(s.toIndex(element)));
  return result;
}

Value Emitter::scalar(Value value) {
  if (std::optional<Values> elements = scalars(value);
      elements && elements->size() == 1)
    return elements->front();
  Value tensor = get(value);
  Values zeros(rank(tensor), nullptr);
  for (Value &zero : zeros)
    zero = arith::ConstantIndexOp::create(b, loc, 0);
  return extract(b, tensor, zeros);
}

void Emitter::require(Value condition, bool isIndex) {
  // Loops that become kernels cannot report.
  if (isa<FunctionOpInterface>(b.getInsertionBlock()->getParentOp()))
    cf::AssertOp::create(b, loc, condition,
                         isIndex ? "index out of range"
                                 : "shapes do not fit together");
}

void Emitter::requireEqual(OpFoldResult x, OpFoldResult y) {
  if (!areEqual(x, y))
    require(Scalars(b, loc).compare(Compare::EQ, asValue(x), asValue(y)));
}

void Emitter::requireBroadcast(OpFoldResult size, OpFoldResult result) {
  if (areEqual(size, result) || isConstantIntValue(size, 1))
    return;
  Scalars s(b, loc);
  Value given = asValue(size);
  require(s.logicalOr(s.compare(Compare::EQ, given, s.index(1)),
                      s.compare(Compare::EQ, given, asValue(result))));
}

/// Whether constant indices are valid for every size that is not known.
static bool areKnownValid(Value indices, ArrayRef<OpFoldResult> sizes) {
  DenseIntElementsAttr constant;
  if (!matchPattern(indices, m_Constant(&constant)))
    return false;
  for (auto [i, index] : llvm::enumerate(constant.getValues<APInt>())) {
    std::optional<int64_t> size = getConstantIntValue(sizes[i % sizes.size()]);
    int64_t value = index.getSExtValue();
    if (!size || value < -*size || value >= *size)
      return false;
  }
  return true;
}

void Emitter::requireIndices(Value indices, ArrayRef<OpFoldResult> sizes) {
  if (sizes.empty() || areKnownValid(indices, sizes))
    return;
  Values bounds;
  for (OpFoldResult size : sizes)
    bounds.push_back(asValue(size));
  auto isValid = [&](Scalars &s, Value index) {
    Value bound = bounds.front();
    for (size_t i = 1; i < bounds.size(); ++i)
      bound = s.select(
          s.compare(Compare::EQ, s.position(rank(indices) - 1), s.index(i)),
          bounds[i], bound);
    index = s.toIndex(index);
    return s.logicalAnd(s.compare(Compare::GE, s.add(index, bound), s.index(0)),
                        s.compare(Compare::LT, index, bound));
  };
  Scalars s(b, loc);
  if (rank(indices) == 0)
    return require(isValid(s, extract(b, indices, {})), /*isIndex=*/true);
  auto asNumber = [&](Scalars &s, Value index) {
    return s.select(isValid(s, index), s.integer(b.getI64Type(), 1),
                    s.integer(b.getI64Type(), 0));
  };
  Value least = reduce(indices, dimsBetween(0, rank(indices)),
                       /*keepDims=*/false, Reduction::Min,
                       /*isUnsigned=*/false, asNumber, b.getI64Type());
  require(s.compare(Compare::NE, extract(b, least, {}),
                    s.integer(b.getI64Type(), 0)),
          /*isIndex=*/true);
}

LogicalResult Emitter::unsupported(Operation *op, const Twine &what) {
  return emitError(op->getLoc())
         << op->getName().stripDialect() << " cannot be compiled: " << what;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Sizes Emitter::sizes(Value tensor) {
  auto [it, isNew] = knownSizes.try_emplace(tensor);
  if (!isNew)
    return it->second;
  Sizes result;
  auto type = cast<RankedTensorType>(tensor.getType());
  // At the definition, so that every later user may take it.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(tensor);
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    result.push_back(
        ShapedType::isDynamic(size)
            ? asSize(b.createOrFold<tensor::DimOp>(loc, tensor, dim))
            : asSize(size));
  return knownSizes[tensor] = result;
}

Value Emitter::size(Value tensor, int64_t dim) {
  return asValue(sizes(tensor)[dim]);
}

Value Emitter::asValue(OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(b, loc, size);
}

OpFoldResult Emitter::asSize(Value index) { return getAsOpFoldResult(index); }

bool Emitter::areEqual(OpFoldResult x, OpFoldResult y) {
  return isEqualConstantIntOrValue(x, y);
}

template <typename Op>
static OpFoldResult fold(Emitter &e, OpFoldResult x, OpFoldResult y) {
  return e.asSize(e.b.createOrFold<Op>(e.loc, e.asValue(x), e.asValue(y)));
}

OpFoldResult Emitter::addSizes(OpFoldResult x, OpFoldResult y) {
  return fold<arith::AddIOp>(*this, x, y);
}
OpFoldResult Emitter::subSizes(OpFoldResult x, OpFoldResult y) {
  return fold<arith::SubIOp>(*this, x, y);
}
OpFoldResult Emitter::mulSizes(OpFoldResult x, OpFoldResult y) {
  return fold<arith::MulIOp>(*this, x, y);
}
OpFoldResult Emitter::minSizes(OpFoldResult x, OpFoldResult y) {
  return areEqual(x, y) ? x : fold<arith::MinSIOp>(*this, x, y);
}
OpFoldResult Emitter::maxSizes(OpFoldResult x, OpFoldResult y) {
  return areEqual(x, y) ? x : fold<arith::MaxSIOp>(*this, x, y);
}

Sizes Emitter::factors(OpFoldResult size) {
  auto value = dyn_cast<Value>(size);
  auto product = value ? value.getDefiningOp<arith::MulIOp>() : nullptr;
  if (!product)
    return {size};
  Sizes result = factors(getAsOpFoldResult(product.getLhs()));
  llvm::append_range(result, factors(getAsOpFoldResult(product.getRhs())));
  return result;
}

OpFoldResult Emitter::product(ArrayRef<OpFoldResult> sizes) {
  int64_t constant = 1;
  OpFoldResult result;
  for (OpFoldResult size : sizes) {
    if (std::optional<int64_t> value = getConstantIntValue(size))
      constant *= *value;
    else
      result = result ? mulSizes(result, size) : size;
  }
  if (!result)
    return asSize(constant);
  return constant == 1 ? result : mulSizes(result, asSize(constant));
}

Value bitnet::onnx::wrapIndex(Scalars &s, Value index, Value size) {
  Value zero = s.index(0);
  Value isNegative = s.compare(Compare::LT, index, zero);
  Value wrapped = s.select(isNegative, s.add(index, size), index);
  Value last = s.sub(size, s.index(1));
  return s.max(s.min(wrapped, last), zero);
}
