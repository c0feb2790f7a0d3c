//===- Reductions.cpp - Reductions over axes ------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

namespace {

using Map = Value (*)(Scalars &, Value);

/// A reduction: what is done to an element before, and to the result after.
struct Recipe {
  Reduction kind;
  Map before = nullptr;
  Map after = nullptr;
  bool mean = false;
  /// The accumulation is of floats even if the elements are integers.
  bool inFloat = false;
};

} // namespace

static Value square(Scalars &s, Value x) { return s.mul(x, x); }
static Value absolute(Scalars &s, Value x) { return s.abs(x); }
static Value exponential(Scalars &s, Value x) {
  return s.apply<math::ExpOp>(x);
}
static Value root(Scalars &s, Value x) { return s.apply<math::SqrtOp>(x); }
static Value logarithm(Scalars &s, Value x) { return s.apply<math::LogOp>(x); }

/// The axes of a reduction in order, all of them where none is given. Nothing
/// if they are only known at run time.
static std::optional<Ints> reductionAxes(Emitter &e, Value axes, bool noop,
                                         int64_t rank) {
  Ints result;
  if (axes && !isAbsent(axes)) {
    std::optional<Sizes> given = e.ints(axes);
    if (!given)
      return std::nullopt;
    for (OpFoldResult axis : *given) {
      std::optional<int64_t> known = getConstantIntValue(axis);
      std::optional<int64_t> valid =
          known ? normalizeAxis(*known, rank) : std::nullopt;
      if (!valid)
        return std::nullopt;
      result.push_back(*valid);
    }
  }
  if (result.empty() && !noop)
    result = dimsBetween(0, rank);
  llvm::sort(result);
  result.erase(llvm::unique(result), result.end());
  return result;
}

static Type accumulatorFor(const Recipe &recipe, Type type) {
  if (isa<FloatType>(type))
    return computeType(type);
  if (recipe.inFloat)
    return Float64Type::get(type.getContext());
  return type;
}

static LogicalResult lowerReduce(Emitter &e, Operation *op,
                                 const Recipe &recipe) {
  Value data = op->getOperand(0), result = op->getResult(0);
  auto flag = [&](StringRef name) {
    return op->getAttrOfType<IntegerAttr>(name).getInt() != 0;
  };
  Value input = e.get(data);
  std::optional<Ints> axes = reductionAxes(
      e, op->getOperand(1), flag("noop_with_empty_axes"), Emitter::rank(input));
  if (!axes)
    return e.unsupported(op, "its axes are known at run time only");
  bool isUnsigned = Emitter::isUnsigned(data);
  Type element = Emitter::element(input);
  Type wide = accumulatorFor(recipe, element);
  auto before = [&](Scalars &s, Value x) {
    x = s.cast(x, wide);
    return recipe.before ? recipe.before(s, x) : x;
  };
  auto after = [&](Scalars &s, Value x, Value count) {
    if (recipe.mean)
      x = s.div(x, count);
    if (recipe.after)
      x = recipe.after(s, x);
    return s.cast(x, element);
  };

  std::optional<Values> list = e.scalars(data);
  if (list && Emitter::rank(result) <= 1 && !list->empty()) {
    Scalars s(e.b, e.loc, isUnsigned);
    if (axes->empty()) {
      for (Value &x : *list)
        x = after(s, before(s, x), s.constant(wide, 1));
      e.setScalars(result, *list);
      return success();
    }
    Value sum = e.initial(s, recipe.kind, wide);
    for (Value x : *list)
      sum = e.combine(s, recipe.kind, sum, before(s, x));
    e.setScalars(result, after(s, sum, s.constant(wide, list->size())));
    return success();
  }

  Value count = e.count(input, *axes, wide);
  Value sum;
  if (axes->empty())
    sum = e.map(
        input, wide,
        [&](Scalars &s, ArrayRef<Value> x) { return before(s, x[0]); },
        isUnsigned);
  else
    sum = e.reduce(input, *axes, flag("keepdims"), recipe.kind, isUnsigned,
                   before, wide);
  if (wide != element || recipe.mean || recipe.after)
    sum = e.map(
        sum, element,
        [&](Scalars &s, ArrayRef<Value> x) { return after(s, x[0], count); },
        isUnsigned);
  e.set(result, sum);
  return success();
}

/// log(sum(exp(x))), less the maximum before and with it after.
static LogicalResult lowerReduceLogSumExp(Emitter &e, ReduceLogSumExpOp op) {
  Value input = e.get(op.getData());
  Type element = Emitter::element(input);
  std::optional<Ints> axes = reductionAxes(
      e, op.getAxes(), op.getNoopWithEmptyAxes(), Emitter::rank(input));
  if (!axes)
    return e.unsupported(op, "its axes are known at run time only");
  bool isUnsigned = Emitter::isUnsigned(op.getData());
  Type wide =
      isa<FloatType>(element) ? computeType(element) : Type(e.b.getF64Type());
  input = e.castElements(input, wide, isUnsigned);
  if (!axes->empty()) {
    Value max = e.reduce(input, *axes, /*keepDims=*/true, Reduction::Max);
    // Infinite maxima would give inf - inf.
    max = e.map(max, wide, [](Scalars &s, ArrayRef<Value> x) {
      Value isFinite =
          s.compare(Compare::LT, s.abs(x[0]), s.highest(x[0].getType()));
      return s.select(isFinite, x[0], s.constant(x[0].getType(), 0));
    });
    Value shifted =
        e.map({input, max}, wide, [](Scalars &s, ArrayRef<Value> x) {
          return exponential(s, s.sub(x[0], x[1]));
        });
    Value sum = e.reduce(shifted, *axes, /*keepDims=*/true, Reduction::Sum);
    input = e.map({sum, max}, wide, [](Scalars &s, ArrayRef<Value> x) {
      return s.add(logarithm(s, x[0]), x[1]);
    });
    if (!op.getKeepdims())
      input = e.dropUnits(input, *axes);
  }
  e.set(op.getReduced(), e.castElements(input, element, false, isUnsigned));
  return success();
}

/// ArgMax and ArgMin: the best element so far and its index; NaN wins.
static LogicalResult lowerArg(Emitter &e, Operation *op, Reduction kind) {
  Value data = op->getOperand(0), input = e.get(data);
  auto number = [&](StringRef name) {
    return op->getAttrOfType<IntegerAttr>(name).getInt();
  };
  int64_t rank = Emitter::rank(input);
  int64_t axis = *normalizeAxis(number("axis"), rank);
  bool last = number("select_last_index");
  Type element = Emitter::element(input), i64 = e.b.getI64Type();
  bool isUnsigned = Emitter::isUnsigned(data);
  Scalars outer(e.b, e.loc, isUnsigned);
  Sizes out = e.sizes(input);
  out.erase(out.begin() + axis);
  SmallVector<AffineExpr> exprs;
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators[axis] = utils::IteratorType::reduction;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != axis)
      exprs.push_back(e.b.getAffineDimExpr(dim));
  AffineMap outMap = AffineMap::get(rank, 0, exprs, e.b.getContext());
  Value best = e.filled(out, e.initial(outer, kind, element));
  Value index = e.filled(out, outer.integer(i64, 0));
  auto generic = linalg::GenericOp::create(
      e.b, e.loc, TypeRange{best.getType(), index.getType()}, ValueRange{input},
      ValueRange{best, index},
      ArrayRef<AffineMap>{e.b.getMultiDimIdentityMap(rank), outMap, outMap},
      iterators, [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at, isUnsigned);
        bool max = kind == Reduction::Max;
        Compare better = max ? (last ? Compare::GE : Compare::GT)
                             : (last ? Compare::LE : Compare::LT);
        Value take = s.compare(better, args[0], args[1]);
        if (isa<FloatType>(element)) {
          Value first =
              s.logicalAnd(s.isNaN(args[0]), s.logicalNot(s.isNaN(args[1])));
          take = s.logicalOr(take, first);
        }
        Value position = s.cast(s.position(axis), i64);
        linalg::YieldOp::create(nested, at,
                                ValueRange{s.select(take, args[0], args[1]),
                                           s.select(take, position, args[2])});
      });
  Value result = generic.getResult(1);
  if (number("keepdims"))
    result = e.insertUnits(result, axis);
  e.set(op->getResult(0), result);
  return success();
}

void bitnet::onnx::addReductionLowerings(LoweringTable &table) {
  auto add = [&](StringRef name, Recipe recipe) {
    table.add(name, [recipe](Emitter &e, Operation *op) {
      return lowerReduce(e, op, recipe);
    });
  };
  constexpr Reduction sum = Reduction::Sum;
  add(ReduceSumOp::getOperationName(), {sum});
  add(ReduceMeanOp::getOperationName(), {sum, nullptr, nullptr, true});
  add(ReduceProdOp::getOperationName(), {Reduction::Prod});
  add(ReduceMaxOp::getOperationName(), {Reduction::Max});
  add(ReduceMinOp::getOperationName(), {Reduction::Min});
  add(ReduceL1Op::getOperationName(), {sum, absolute});
  add(ReduceL2Op::getOperationName(), {sum, square, root, false, true});
  add(ReduceSumSquareOp::getOperationName(), {sum, square});
  add(ReduceLogSumOp::getOperationName(),
      {sum, nullptr, logarithm, false, true});
  table.add(lowerReduceLogSumExp);
  table.add(ArgMaxOp::getOperationName(), [](Emitter &e, Operation *op) {
    return lowerArg(e, op, Reduction::Max);
  });
  table.add(ArgMinOp::getOperationName(), [](Emitter &e, Operation *op) {
    return lowerArg(e, op, Reduction::Min);
  });
}
