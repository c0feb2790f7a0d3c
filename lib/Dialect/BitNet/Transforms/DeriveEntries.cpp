//===- DeriveEntries.cpp - Entries with less than all logits --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "HeadScreen.h"
#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Dialect/BitNet/Transforms/Contractions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace bitnet {
#define GEN_PASS_DEF_DERIVEENTRIES
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// ONNX's TensorProto.DataType.
constexpr int64_t onnxFloat = 1, onnxInt64 = 7;

/// The product that gives an entry's logits: hidden `[M, K]`, weight `[V, K]`
/// (constant).
struct Head {
  linalg::LinalgOp product;
  Value hidden;
  ElementsAttr weight;

  int64_t getRows() const { return weight.getShapedType().getDimSize(0); }
};

std::optional<Head> findHead(func::FuncOp entry) {
  Operation *exit = entry.getBody().front().getTerminator();
  if (!entry.getBody().hasOneBlock() || exit->getNumOperands() != 1)
    return std::nullopt;
  Value logits = exit->getOperand(0);
  while (auto view = logits.getDefiningOp<tensor::ExpandShapeOp>())
    logits = view.getSrc();
  auto product = logits.getDefiningOp<linalg::LinalgOp>();
  if (!product || product.getNumLoops() != 3 ||
      product.getNumParallelLoops() != 2 || !isMultiplyAdd(product))
    return std::nullopt;
  MLIRContext *context = entry.getContext();
  AffineExpr m, v, k;
  bindDims(context, m, v, k);
  SmallVector<AffineMap> maps;
  for (std::pair<AffineExpr, AffineExpr> dims :
       {std::pair(m, k), std::pair(v, k), std::pair(m, v)})
    maps.push_back(AffineMap::get(3, 0, {dims.first, dims.second}, context));
  ElementsAttr weight;
  if (product.getIndexingMapsArray() != maps ||
      !matchPattern(product->getOperand(1), m_Constant(&weight)) ||
      !cast<RankedTensorType>(product->getOperand(0).getType())
           .hasStaticShape() ||
      !getElementTypeOrSelf(product->getOperand(0)).isF32())
    return std::nullopt;
  return Head{product, product->getOperand(0), weight};
}

struct DeriveEntries : bitnet::impl::DeriveEntriesBase<DeriveEntries> {
  using DeriveEntriesBase::DeriveEntriesBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> prefills = findEntries("prefill"),
                              decodes = findEntries("decode");
    if (prefills.empty() || decodes.size() != 1 ||
        !findEntries("fill").empty() || !findEntries("top").empty())
      return;
    // All logits of a text come from the shortest.
    auto shortest = prefills.front();
    for (func::FuncOp prefill : prefills) {
      if (!findHead(prefill))
        continue;
      StringRef suffix = prefill.getName();
      suffix.consume_front("prefill");
      returnHidden(derive(symbols, prefill, ("fill" + suffix).str(), "fill"));
      if (prefill != shortest)
        symbols.erase(prefill);
    }
    func::FuncOp decode = decodes.front();
    std::optional<Head> head = findHead(decode);
    if (!screens || !head || head->getRows() < minRows)
      return;
    if (std::optional<HeadScreen> screen = makeHeadScreen(head->weight))
      returnTop(derive(symbols, decode, "top", "top"), *screen);
  }

private:
  /// The entries of a kind, in their order.
  SmallVector<func::FuncOp> findEntries(StringRef kind) {
    return llvm::filter_to_vector(
        getOperation().getOps<func::FuncOp>(), [&](func::FuncOp entry) {
          auto own = entry->getAttrOfType<StringAttr>("bitnet.entry");
          return own && own.getValue() == kind;
        });
  }

  func::FuncOp derive(SymbolTable &symbols, func::FuncOp entry, StringRef name,
                      StringRef kind) {
    auto derived = entry.clone();
    derived.setName(name);
    derived->setAttr("bitnet.entry", StringAttr::get(&getContext(), kind));
    symbols.insert(derived, std::next(entry->getIterator()));
    ++numDerived;
    return derived;
  }

  /// Replaces what an entry returns, and drops what only the logits needed.
  static void setResults(func::FuncOp entry, ArrayRef<Value> results) {
    Operation *exit = entry.getBody().front().getTerminator();
    exit->setOperands(results);
    Builder b(entry.getContext());
    SmallVector<Attribute> attributes;
    for (Value result : results) {
      int64_t type =
          getElementTypeOrSelf(result).isF32() ? onnxFloat : onnxInt64;
      attributes.push_back(b.getDictionaryAttr(
          b.getNamedAttr("bitnet.dtype", b.getI64IntegerAttr(type))));
    }
    entry.setResAttrsAttr(b.getArrayAttr(attributes));
    entry.setFunctionType(FunctionType::get(entry.getContext(),
                                            entry.getBody().getArgumentTypes(),
                                            ValueRange(results).getTypes()));
  }

  static void returnHidden(func::FuncOp entry) {
    Head head = *findHead(entry);
    OpBuilder b(entry.getBody().front().getTerminator());
    auto type = cast<RankedTensorType>(head.hidden.getType());
    auto batched = RankedTensorType::get(
        {1, type.getDimSize(0), type.getDimSize(1)}, type.getElementType());
    Value result = tensor::ExpandShapeOp::create(
        b, head.product.getLoc(), batched, head.hidden,
        SmallVector<ReassociationIndices>{{0, 1}, {2}});
    setResults(entry, result);
  }

  static void returnTop(func::FuncOp entry, const HeadScreen &screen) {
    Head head = *findHead(entry);
    OpBuilder b(entry.getBody().front().getTerminator());
    Location loc = head.product.getLoc();
    Type i64 = b.getI64Type(), f32 = b.getF32Type();
    unsigned index = entry.getNumArguments();
    auto attributes = b.getDictionaryAttr(
        {b.getNamedAttr("bitnet.dtype", b.getI64IntegerAttr(onnxInt64)),
         b.getNamedAttr("onnx.name", b.getStringAttr("top_k"))});
    (void)entry.insertArgument(index, RankedTensorType::get({1}, i64),
                               attributes, loc);
    auto constant = [&](ElementsAttr value) -> Value {
      return arith::ConstantOp::create(b, loc, value);
    };
    auto empty = [&](ArrayRef<int64_t> shape, Type element) -> Value {
      return tensor::EmptyOp::create(b, loc, shape, element);
    };
    int64_t rows = head.getRows();
    Value inits[] = {empty({1, rows}, f32), empty({rows}, f32),
                     empty({1}, i64)};
    SmallVector<Type> types = llvm::to_vector(ValueRange(inits).getTypes());
    auto top = TopLogitsOp::create(
        b, loc, types, head.hidden, head.product->getOperand(1),
        entry.getArgument(index), constant(screen.high), constant(screen.low),
        constant(screen.scale), constant(screen.bounds), inits[0], inits[1],
        inits[2]);
    Value logits = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get({1, 1, rows}, f32), top.getResult(0),
        SmallVector<ReassociationIndices>{{0}, {1, 2}});
    setResults(entry, {logits, top.getResult(2)});
  }
};

} // namespace
