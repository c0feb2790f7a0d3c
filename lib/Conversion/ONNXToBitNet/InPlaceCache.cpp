//===- InPlaceCache.cpp - KV caches updated in place ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MaskAnalysis.h"
#include "MatchUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

#include <numeric>

namespace bitnet {
#define GEN_PASS_DEF_INPLACECACHE
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// A past, the op that appends to it, and the state that both are.
struct Past {
  BlockArgument argument;
  onnx::ConcatOp concat;
  Attribute state;
};

/// A specialised entry of a decoder, as found before it is changed.
struct DecoderEntry {
  func::FuncOp function;
  BlockArgument tokens, attentionMask, positions;
  SmallVector<Past> pasts;
  SmallVector<bitnet::AttentionOp> attentions;
  unsigned logits = 0;
  DecoderContext context;
};

struct InPlaceCache : public bitnet::impl::InPlaceCacheBase<InPlaceCache> {
  using InPlaceCacheBase::InPlaceCacheBase;
  void runOnOperation() override;

private:
  Type getCacheElement();
  void rewrite(DecoderEntry &entry);
  void rewriteAttentions(DecoderEntry &entry, Value position);
};

} // namespace

//===----------------------------------------------------------------------===//
// What an entry holds
//===----------------------------------------------------------------------===//

static StringRef getRole(Attribute attr) {
  auto role = dyn_cast_or_null<StringAttr>(attr);
  return role ? role.getValue() : StringRef();
}

/// Finds the one op that appends to a past; its other uses read its shape.
static LogicalResult findConcat(Past &past) {
  for (Operation *user : past.argument.getUsers()) {
    if (isa<onnx::ShapeOp, tensor::DimOp>(user))
      continue;
    auto concat = dyn_cast<onnx::ConcatOp>(user);
    if (!concat || past.concat || concat.getInputs().size() != 2 ||
        concat.getInputs()[0] != past.argument ||
        concat.getInputs()[1] == past.argument)
      return failure();
    auto axis = onnx::normalizeAxis(concat.getAxis(), 4);
    if (!axis || *axis != 2)
      return failure();
    past.concat = concat;
  }
  return success(static_cast<bool>(past.concat));
}

/// Reads the arguments by their roles.
static LogicalResult readArguments(DecoderEntry &entry) {
  func::FuncOp function = entry.function;
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    StringRef role = getRole(function.getArgAttr(index, "bitnet.role"));
    if (role == "tokens" && !entry.tokens) {
      entry.tokens = argument;
    } else if (role == "attention_mask" && !entry.attentionMask) {
      entry.attentionMask = argument;
    } else if (role == "positions" && !entry.positions) {
      entry.positions = argument;
    } else if (role == "past") {
      RankedTensorType type = getTensorType(argument);
      if (!isF32Tensor(argument, 4) || type.getDimSize(0) != 1 ||
          type.isDynamicDim(1) || !type.isDynamicDim(2) || type.isDynamicDim(3))
        return failure();
      entry.pasts.push_back(
          {argument, {}, function.getArgAttr(index, "bitnet.state")});
    } else {
      return failure();
    }
  }
  RankedTensorType tokens =
      entry.tokens ? getTensorType(entry.tokens) : RankedTensorType();
  if (!tokens || tokens.getRank() != 2 || !tokens.hasStaticShape() ||
      tokens.getDimSize(0) != 1 || entry.pasts.empty())
    return failure();
  for (Value companion : {entry.positions, entry.attentionMask})
    if (companion && getTensorType(companion).getRank() != 2)
      return failure();
  if (entry.positions &&
      getTensorType(entry.positions).getShape() != tokens.getShape())
    return failure();
  entry.context.tokens = tokens.getDimSize(1);
  entry.context.attentionMask = entry.attentionMask;
  entry.context.positions = entry.positions;
  for (const Past &past : entry.pasts)
    entry.context.pasts.insert(past.argument);
  return success();
}

/// The place of the only dynamic extent, or -1.
static int64_t getDynamicDim(RankedTensorType type) {
  int64_t dim = -1;
  for (int64_t i = 0; type && i < type.getRank(); ++i)
    if (type.isDynamicDim(i)) {
      if (dim != -1)
        return -1;
      dim = i;
    }
  return dim;
}

/// Whether an op keeps the only dynamic extent of its operand, the number of
/// keys.
static bool keepsDynamicExtent(MaskAnalysis &analysis, Operation *op) {
  if (!isa<onnx::ReshapeOp, onnx::UnsqueezeOp, onnx::SqueezeOp,
           onnx::TransposeOp, onnx::ExpandOp>(op))
    return false;
  RankedTensorType from = getTensorType(op->getOperand(0));
  RankedTensorType to = getTensorType(op->getResult(0));
  int64_t source = getDynamicDim(from), result = getDynamicDim(to);
  if (source < 0 || result < 0)
    return false;
  if (auto expand = dyn_cast<onnx::ExpandOp>(op)) {
    RankedTensorType shape = getTensorType(expand.getShape());
    int64_t rank = to.getRank(), at = result - rank + shape.getDimSize(0);
    if (shape.isDynamicDim(0) || source + rank - from.getRank() != result)
      return false;
    auto constant = onnx::getConstantInts(expand.getShape());
    return at < 0 || (constant && (*constant)[at] == 1) ||
           analysis.isNumberOfKeys(expand.getShape(), at);
  }
  auto countOthers = [](RankedTensorType type) {
    int64_t count = 1;
    for (int64_t extent : type.getShape())
      count *= ShapedType::isDynamic(extent) ? 1 : extent;
    return count;
  };
  return countOthers(from) == countOthers(to);
}

/// Reads the shape of the grown past's views, such as keys repeated for every
/// query head, from the past itself.
static void redirectShapeReads(DecoderEntry &entry) {
  MaskAnalysis analysis(entry.context);
  SmallVector<onnx::ShapeOp> reads;
  entry.function.walk([&](onnx::ShapeOp op) { reads.push_back(op); });
  for (onnx::ShapeOp read : reads) {
    Value source = read.getData();
    while (source.getDefiningOp() &&
           keepsDynamicExtent(analysis, source.getDefiningOp()))
      source = source.getDefiningOp()->getOperand(0);
    auto concat = source.getDefiningOp<onnx::ConcatOp>();
    if (source == read.getData() || !concat ||
        !entry.context.pasts.contains(concat.getInputs()[0]))
      continue;
    RankedTensorType type = getTensorType(read.getData());
    int64_t rank = type.getRank(), from = getDynamicDim(getTensorType(source));
    auto bound = [&](int64_t i) {
      return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank);
    };
    OpBuilder builder(read);
    auto single = RankedTensorType::get({1}, builder.getI64Type());
    SmallVector<Value> extents;
    int64_t end = read.getEnd() ? bound(*read.getEnd()) : rank;
    for (int64_t i = bound(read.getStart()); i < end; ++i)
      extents.push_back(
          type.isDynamicDim(i)
              ? Value(onnx::ShapeOp::create(builder, read.getLoc(), single,
                                            source,
                                            builder.getI64IntegerAttr(from + 1),
                                            builder.getI64IntegerAttr(from)))
              : Value(onnx::ConstantOp::create(
                    builder, read.getLoc(), single,
                    DenseElementsAttr::get(single, type.getDimSize(i)))));
    if (extents.empty())
      continue;
    Value shape = extents.front();
    if (extents.size() > 1)
      shape = onnx::ConcatOp::create(builder, read.getLoc(),
                                     read.getShape().getType(), extents, 0);
    Operation *view = read.getData().getDefiningOp();
    read.getShape().replaceAllUsesWith(shape);
    read.erase();
    eraseDead(view);
  }
}

/// Takes the grown past for its rows read in order, and for those of them that
/// a condition keeps, where it keeps all: as keys of several lengths are
/// written.
static void simplifyReads(DecoderEntry &entry, Past &past) {
  MaskAnalysis analysis(entry.context);
  Value grown = past.concat.getConcatResult();
  for (Operation *user : llvm::make_early_inc_range(grown.getUsers())) {
    auto gather = dyn_cast<onnx::GatherNDOp>(user);
    if (!gather || gather.getData() != grown || gather.getBatchDims() != 2 ||
        gather.getType() != grown.getType() ||
        !analysis.isOrderOfKeys(gather.getIndices()))
      continue;
    Value read = gather.getOutput();
    for (Operation *reader : llvm::make_early_inc_range(read.getUsers())) {
      auto where = dyn_cast<onnx::WhereOp>(reader);
      if (where && where.getX() == read && where.getType() == read.getType() &&
          analysis.holdsForKeys(where.getCondition())) {
        where.getOutput().replaceAllUsesWith(grown);
        where.erase();
      }
    }
    read.replaceAllUsesWith(grown);
    gather.erase();
  }
}

/// Checks that what is appended to is read by attentions only, besides being
/// the present and having a shape.
static LogicalResult readPast(DecoderEntry &entry, Past &past) {
  if (failed(findConcat(past)))
    return failure();
  RankedTensorType update = getTensorType(past.concat.getInputs()[1]);
  if (!update.hasStaticShape() || update.getDimSize(2) != entry.context.tokens)
    return failure();
  simplifyReads(entry, past);
  for (OpOperand &use : past.concat.getConcatResult().getUses()) {
    Operation *user = use.getOwner();
    if (isa<onnx::ShapeOp, tensor::DimOp, func::ReturnOp>(user))
      continue;
    auto attention = dyn_cast<bitnet::AttentionOp>(user);
    if (!attention || attention.getPosition() ||
        (use.get() != attention.getKey() && use.get() != attention.getValue()))
      return failure();
    if (!llvm::is_contained(entry.attentions, attention))
      entry.attentions.push_back(attention);
  }
  return success();
}

static bool isGrown(const DecoderEntry &entry, Value value) {
  return llvm::any_of(entry.pasts, [&](const Past &past) {
    Past copy = past;
    return copy.concat.getConcatResult() == value;
  });
}

/// Reads an entry; fails if its past is not an attention's growing keys and
/// values.
static LogicalResult readEntry(DecoderEntry &entry) {
  func::FuncOp function = entry.function;
  if (!function.getBody().hasOneBlock() || failed(readArguments(entry)))
    return failure();
  redirectShapeReads(entry);
  for (Past &past : entry.pasts)
    if (failed(readPast(entry, past)))
      return failure();
  for (bitnet::AttentionOp attention : entry.attentions)
    if (!isGrown(entry, attention.getKey()) ||
        !isGrown(entry, attention.getValue()))
      return failure();
  unsigned logits = 0;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    StringRef role = getRole(function.getResultAttr(i, "bitnet.role"));
    if (role == "logits") {
      // Of every token, as the last tokens of a chunk may be padding.
      auto type = cast<RankedTensorType>(function.getResultTypes()[i]);
      if (type.getRank() != 3 || !type.getElementType().isF32() ||
          type.getDimSize(1) != entry.context.tokens)
        return failure();
      entry.logits = i;
      ++logits;
    } else if (role != "present") {
      return failure();
    }
  }
  return success(logits == 1);
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// position + offset as an i64.
static Value makePosition(OpBuilder &builder, Location loc, Value position,
                          int64_t offset) {
  Value value =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), position);
  if (offset == 0)
    return value;
  Value constant = arith::ConstantOp::create(builder, loc,
                                             builder.getI64IntegerAttr(offset));
  return arith::AddIOp::create(builder, loc, value, constant);
}

/// i64 values as the element type of `like`, an argument that they replace.
static Value convertTo(OpBuilder &builder, Location loc, Value value,
                       Value like) {
  Type element = getTensorType(like).getElementType();
  if (getTensorType(value).getElementType() == element)
    return value;
  return onnx::CastOp::create(builder, loc, getTensorType(value).clone(element),
                              value);
}

/// [position, position + 1, ...] of the shape of `positions`.
static Value makePositions(OpBuilder &builder, Location loc, Value positions,
                           Value position) {
  auto type = cast<RankedTensorType>(
      getTensorType(positions).clone(builder.getI64Type()));
  SmallVector<int64_t> iota(type.getNumElements());
  std::iota(iota.begin(), iota.end(), 0);
  Value offsets = onnx::ConstantOp::create(
      builder, loc, type,
      DenseElementsAttr::get(type, ArrayRef<int64_t>(iota)));
  Value start = tensor::FromElementsOp::create(
      builder, loc, RankedTensorType::get({1, 1}, builder.getI64Type()),
      ValueRange{makePosition(builder, loc, position, 0)});
  return convertTo(builder, loc,
                   onnx::AddOp::create(builder, loc, type, offsets, start),
                   positions);
}

/// Ones [1, position + tokens].
static Value makeOnes(OpBuilder &builder, Location loc, Value mask,
                      Value position, int64_t tokens) {
  Value one =
      arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(1));
  Value shape = tensor::FromElementsOp::create(
      builder, loc, RankedTensorType::get({2}, builder.getI64Type()),
      ValueRange{one, makePosition(builder, loc, position, tokens)});
  auto scalar = RankedTensorType::get({1}, builder.getI64Type());
  Value ones = onnx::ConstantOfShapeOp::create(
      builder, loc, getTensorType(mask).clone(builder.getI64Type()), shape,
      DenseElementsAttr::get(scalar, int64_t(1)));
  return convertTo(builder, loc, ones, mask);
}

/// Replaces the reads of the shape of a tensor whose third extent is `length`.
static void replaceShapeReads(Value value, Value position, int64_t offset) {
  RankedTensorType type = getTensorType(value);
  for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
    OpBuilder builder(user);
    Location loc = user->getLoc();
    if (auto dim = dyn_cast<tensor::DimOp>(user)) {
      auto index = dim.getConstantIndex();
      Value extent = position;
      if (index && *index != 2)
        extent = arith::ConstantIndexOp::create(builder, loc,
                                                type.getDimSize(*index));
      else if (offset != 0)
        extent = arith::AddIOp::create(
            builder, loc, position,
            arith::ConstantIndexOp::create(builder, loc, offset));
      dim.getResult().replaceAllUsesWith(extent);
      dim.erase();
      continue;
    }
    auto shape = dyn_cast<onnx::ShapeOp>(user);
    if (!shape)
      continue;
    auto bound = [&](int64_t i) {
      return std::clamp<int64_t>(i < 0 ? i + 4 : i, 0, 4);
    };
    SmallVector<Value> extents;
    int64_t end = shape.getEnd() ? bound(*shape.getEnd()) : 4;
    for (int64_t i = bound(shape.getStart()); i < end; ++i)
      extents.push_back(
          type.isDynamicDim(i)
              ? makePosition(builder, loc, position, offset)
              : Value(arith::ConstantOp::create(
                    builder, loc,
                    builder.getI64IntegerAttr(type.getDimSize(i)))));
    auto shapeType = RankedTensorType::get(
        {static_cast<int64_t>(extents.size())}, builder.getI64Type());
    Value elements =
        extents.empty()
            ? Value(tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{0},
                                            builder.getI64Type()))
            : Value(tensor::FromElementsOp::create(builder, loc, shapeType,
                                                   extents));
    shape.getShape().replaceAllUsesWith(
        castTo(builder, loc, elements, shape.getShape().getType()));
    shape.erase();
  }
}

Type InPlaceCache::getCacheElement() {
  Builder builder(&getContext());
  switch (cacheType) {
  case CacheType::F32:
    return builder.getF32Type();
  case CacheType::F16:
    return builder.getF16Type();
  case CacheType::BF16:
    return builder.getBF16Type();
  }
  llvm_unreachable("unknown cache type");
}

void InPlaceCache::rewriteAttentions(DecoderEntry &entry, Value position) {
  MaskAnalysis masks(entry.context);
  // Layers share one mask.
  DenseMap<Value, bool> causal;
  for (bitnet::AttentionOp attention : entry.attentions) {
    Value mask = attention.getMask();
    if (mask && !attention.getCausal()) {
      auto [it, inserted] = causal.try_emplace(mask, false);
      if (inserted)
        it->second = masks.isCausal(mask);
      if (it->second) {
        attention.getMaskMutable().clear();
        attention.setCausal(true);
        ++numCausal;
      }
    }
    attention.getPositionMutable().assign(position);
  }
}

void InPlaceCache::rewrite(DecoderEntry &entry) {
  func::FuncOp function = entry.function;
  Block &body = function.getBody().front();
  Location loc = function.getLoc();
  MLIRContext *context = &getContext();
  OpBuilder builder(context);
  unsigned oldArguments = body.getNumArguments();
  Value position = body.addArgument(IndexType::get(context), loc);
  rewriteAttentions(entry, position);

  SmallVector<DictionaryAttr> argumentAttrs = {
      function.getArgAttrDict(entry.tokens.getArgNumber()), DictionaryAttr()};
  for (Past &past : entry.pasts) {
    RankedTensorType type = getTensorType(past.argument);
    SmallVector<int64_t> shape(type.getShape());
    shape[2] = maxContext;
    Value cache =
        body.addArgument(RankedTensorType::get(shape, getCacheElement()), loc);
    NamedAttrList attrs;
    attrs.set(bufferization::BufferizationDialect::kWritableAttrName,
              builder.getBoolAttr(true));
    if (past.state)
      attrs.set("bitnet.state", past.state);
    argumentAttrs.push_back(attrs.getDictionary(context));
    replaceShapeReads(past.argument, position, 0);
    replaceShapeReads(past.concat.getConcatResult(), position,
                      entry.context.tokens);
    builder.setInsertionPoint(past.concat);
    auto update =
        CacheUpdateOp::create(builder, past.concat.getLoc(), cache.getType(),
                              past.concat.getInputs()[1], position, cache);
    past.concat.getConcatResult().replaceUsesWithIf(
        update.getResult(), [](OpOperand &use) {
          return isa<bitnet::AttentionOp>(use.getOwner());
        });
    ++numCaches;
  }

  builder.setInsertionPointToStart(&body);
  if (entry.positions)
    entry.positions.replaceAllUsesWith(
        makePositions(builder, loc, entry.positions, position));
  if (entry.attentionMask)
    entry.attentionMask.replaceAllUsesWith(makeOnes(
        builder, loc, entry.attentionMask, position, entry.context.tokens));

  // The presents leave the results, and with them the last uses of the pasts.
  auto result = cast<func::ReturnOp>(body.getTerminator());
  result->setOperands({result.getOperand(entry.logits)});
  DictionaryAttr resultAttrs = function.getResultAttrDict(entry.logits);
  for (Past &past : entry.pasts)
    past.concat.erase();

  // Moves the tokens, the first of the new arguments, in front of the others.
  BlockArgument tokens = body.insertArgument(
      oldArguments, getTensorType(entry.tokens).clone(builder.getI64Type()),
      loc);
  builder.setInsertionPointToStart(&body);
  entry.tokens.replaceAllUsesWith(
      convertTo(builder, loc, tokens, entry.tokens));
  body.eraseArguments(0, oldArguments);
  function.setType(FunctionType::get(context, body.getArgumentTypes(),
                                     result->getOperandTypes()));
  SmallVector<DictionaryAttr> complete;
  for (DictionaryAttr attrs : argumentAttrs)
    complete.push_back(attrs ? attrs : DictionaryAttr::get(context));
  function.setAllArgAttrs(complete);
  SmallVector<DictionaryAttr> kept = {
      resultAttrs ? resultAttrs : DictionaryAttr::get(context)};
  function.setAllResultAttrs(ArrayRef<DictionaryAttr>(kept));
}

void InPlaceCache::runOnOperation() {
  for (auto function :
       llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
    StringRef kind = getRole(function->getAttr("bitnet.entry"));
    if (kind != "decode" && kind != "prefill")
      continue;
    DecoderEntry entry;
    entry.function = function;
    if (failed(readEntry(entry))) {
      if (cacheType != CacheType::F32) {
        function.emitError("cannot have a cache of ")
            << stringifyCacheType(cacheType)
            << ": its past is not the growing keys and values of attentions";
        return signalPassFailure();
      }
      function.emitRemark("its past is not the growing keys and values of "
                          "attentions; the general entry serves");
      function.erase();
      continue;
    }
    if (entry.context.tokens > maxContext) {
      function.emitError("takes ")
          << entry.context.tokens << " tokens, more than the context of "
          << maxContext;
      return signalPassFailure();
    }
    rewrite(entry);
  }
}
