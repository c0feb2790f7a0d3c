//===- Layout.cpp - Packing weights, building the archive -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "WeightPacking.h"
#include "bitnet/Support/RawElements.h"
#include "bitnet/artifact.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/MathExtras.h"

namespace bitnet {
#define GEN_PASS_DEF_LAYOUT
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// The entries of the archive as they are given offsets.
class ArchiveBuilder {
public:
  explicit ArchiveBuilder(ModuleOp module)
      : module(module), builder(module.getContext()) {
    // A module that was laid out before keeps its entries.
    if (auto existing = module->getAttrOfType<ArrayAttr>("bitnet.archive"))
      for (auto entry : existing.getAsRange<DictionaryAttr>())
        append(entry.getAs<StringAttr>("name"),
               cast<ElementsAttr>(entry.get("value")));
  }

  /// A bitnet.archive of `value`, inserted by `b`; equal values share an entry.
  Value reference(OpBuilder &b, Location loc, StringRef hint,
                  ElementsAttr value) {
    auto [it, isNew] = indices.try_emplace(value, entries.size());
    if (isNew)
      append(builder.getStringAttr(uniqueName(hint)), value);
    Entry &entry = entries[it->second];
    return ArchiveOp::create(b, loc, value.getType(), entry.name,
                             b.getI64IntegerAttr(entry.offset));
  }

  void finish() {
    SmallVector<Attribute> list;
    for (Entry &entry : entries)
      list.push_back(builder.getDictionaryAttr(
          {builder.getNamedAttr("name", entry.name),
           builder.getNamedAttr("offset",
                                builder.getI64IntegerAttr(entry.offset)),
           builder.getNamedAttr("value", entry.value)}));
    module->setAttr("bitnet.archive", builder.getArrayAttr(list));
  }

  int64_t getBytes() const { return bytes; }

private:
  struct Entry {
    StringAttr name;
    int64_t offset;
    ElementsAttr value;
  };

  void append(StringAttr name, ElementsAttr value) {
    indices[value] = entries.size();
    names.insert(name);
    entries.push_back({name, bytes, value});
    int64_t size =
        value.getNumElements() *
        llvm::divideCeil(value.getElementType().getIntOrFloatBitWidth(), 8);
    bytes = llvm::alignTo(bytes + size, BN_ALIGNMENT);
  }

  std::string uniqueName(StringRef hint) {
    if (hint.empty())
      hint = "constant";
    std::string name = hint.str();
    for (int i = 1; names.contains(builder.getStringAttr(name)); ++i)
      name = (hint + "." + Twine(i)).str();
    return name;
  }

  ModuleOp module;
  Builder builder;
  SmallVector<Entry> entries;
  DenseMap<Attribute, size_t> indices;
  DenseSet<StringAttr> names;
  int64_t bytes = 0;
};

/// The name that a value has in the model, if any.
StringRef nameOf(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = nameOf(part); !name.empty())
        return name;
  return {};
}

struct LayoutPass : bitnet::impl::LayoutBase<LayoutPass> {
  using LayoutBase::LayoutBase;

  void runOnOperation() override {
    if (unit.getValue() != 4 && unit.getValue() != 8) {
      getOperation().emitError("the layout's unit must be 4 or 8, got ")
          << unit.getValue();
      return signalPassFailure();
    }
    ArchiveBuilder archive(getOperation());
    IRRewriter rewriter(&getContext());
    // Those of one weight together, so that its codes can go.
    llvm::MapVector<Resource, SmallVector<Operation *>> matmuls;
    SmallVector<RescaleOp> rescales;
    getOperation().walk([&](Operation *op) {
      if (auto linear = dyn_cast<LinearOp>(op); linear && !linear.getPacking())
        matmuls[getResource(linear.getWeight())].push_back(op);
      if (auto matmul = dyn_cast<MatmulOp>(op); matmul && !matmul.getPacking())
        matmuls[getResource(matmul.getWeight())].push_back(op);
      if (auto rescale = dyn_cast<RescaleOp>(op))
        rescales.push_back(rescale);
    });
    DenseSet<Resource> needed = findOtherUses();
    for (auto &[resource, ops] : matmuls) {
      for (Operation *op : ops) {
        auto linear = dyn_cast<LinearOp>(op);
        if (failed(linear ? pack(rewriter, linear, archive)
                          : pack(rewriter, cast<MatmulOp>(op), archive)))
          return signalPassFailure();
      }
      if (resource && !needed.contains(resource))
        resource->setBlob({});
    }
    for (RescaleOp op : rescales)
      decompose(rewriter, op);
    SmallVector<Operation *> unused;
    getOperation().walk([&](ConstantOp op) {
      if (op->use_empty())
        unused.push_back(op);
    });
    for (Operation *op : unused)
      op->erase();
    if (failed(archiveConstants(rewriter, archive)))
      return signalPassFailure();
    archive.finish();
    archiveBytes = archive.getBytes();
  }

private:
  using Resource = DialectResourceBlobManager::BlobEntry *;

  /// What holds the codes of a constant weight, if anything does.
  static Resource getResource(Value weight) {
    auto constant = weight.getDefiningOp<ConstantOp>();
    auto value = constant
                     ? dyn_cast<DenseResourceElementsAttr>(constant.getValue())
                     : DenseResourceElementsAttr();
    return value ? value.getRawHandle().getResource() : nullptr;
  }

  /// What holds constants that are not only weights of matmuls.
  DenseSet<Resource> findOtherUses() {
    DenseSet<Resource> result;
    getOperation().walk([&](ConstantOp op) {
      if (!llvm::all_of(op->getUses(), [](OpOperand &use) {
            if (auto linear = dyn_cast<LinearOp>(use.getOwner()))
              return &use == &linear.getWeightMutable();
            auto matmul = dyn_cast<MatmulOp>(use.getOwner());
            return matmul && &use == &matmul.getWeightMutable();
          }))
        result.insert(getResource(op));
    });
    return result;
  }

  /// The densest packing asked for, then the one with the unit asked for, whose
  /// blocks do not straddle groups of `group` columns that share scales (0:
  /// none). Null where there is none.
  PackingAttr choosePacking(Value weight, Value lhs, int64_t group) {
    auto type = cast<RankedTensorType>(weight.getType());
    SmallVector<PackingScheme> schemes{PackingScheme::Planes2};
    if (isa<BinaryType>(type.getElementType()))
      schemes.insert(schemes.begin(), PackingScheme::Planes1);
    else if (ternaryPacking == PackingScheme::Base3)
      schemes.insert(schemes.begin(), PackingScheme::Base3);
    for (PackingScheme scheme : schemes)
      for (int64_t bytes : {unit.getValue(), int64_t(4)}) {
        auto packing = PackingAttr::get(&getContext(), scheme, tileRows, bytes);
        // A view of activations, as those of convolutions, would be copied to
        // widen it.
        bool copies = scheme == PackingScheme::Base3 &&
                      lhs.getDefiningOp<tensor::ExtractSliceOp>() &&
                      type.getDimSize(1) % packing.getBlock() != 0;
        if (group % packing.getBlock() == 0 && !copies)
          return packing;
      }
    return {};
  }

  /// Columns that share a scale where these change along K, else 0.
  static int64_t getGroup(MatmulOp) { return 0; }
  static int64_t getGroup(LinearOp op) {
    auto scale = cast<RankedTensorType>(op.getScale().getType());
    return scale.getRank() == 2 ? op.getK() / scale.getDimSize(1) : 0;
  }

  /// The packed bytes of a constant, made once for all functions that use it.
  ElementsAttr getPacked(ConstantOp weight, PackingAttr packing) {
    ElementsAttr &packed = packedWeights[{weight.getValue(), packing}];
    if (packed)
      return packed;
    WeightReader reader(weight);
    int64_t size = packing.getByteSize(reader.rows(), reader.columns());
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
        size, BN_ALIGNMENT, /*dataIsMutable=*/true);
    packWeights(reader, packing, blob.getMutableData());
    auto type =
        RankedTensorType::get({size}, IntegerType::get(&getContext(), 8));
    packed = DenseResourceElementsAttr::get(type, "packed", std::move(blob));
    packedBytes += size;
    return packed;
  }

  template <typename OpTy>
  LogicalResult pack(IRRewriter &rewriter, OpTy op, ArchiveBuilder &archive) {
    auto weight = op.getWeight().template getDefiningOp<ConstantOp>();
    if (!weight)
      return op.emitOpError("must have constant weights");
    PackingAttr packing = choosePacking(weight, op.getLhs(), getGroup(op));
    int64_t n = op.getN(), k = op.getK();
    if (!packing)
      return op.emitOpError("has groups of ")
             << getGroup(op) << " weights; expected a multiple of 16";
    rewriter.setInsertionPoint(op);
    Value packed =
        archive.reference(rewriter, weight.getLoc(), nameOf(weight.getLoc()),
                          getPacked(weight, packing));
    Value scale;
    if constexpr (std::is_same_v<OpTy, LinearOp>)
      scale = transposeGroups(rewriter, op);
    // Before padding hides the quantiser.
    auto quantize = op.getLhs().template getDefiningOp<QuantizeOp>();
    bool isUnit = quantize && int64_t(quantize.getQmin()) >= -1 &&
                  int64_t(quantize.getQmax()) <= 1;
    padColumns(rewriter, op.getLoc(), op.getLhsMutable(),
               packing.getPaddedColumns(k));
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightMutable().assign(packed);
      if constexpr (std::is_same_v<OpTy, LinearOp>)
        op.getScaleMutable().assign(scale);
      if (isUnit && !op.getMagnitude())
        op.setMagnitude(1);
      op.setPackingAttr(packing);
      op.setRows(n);
      op.setColumns(k);
      if (lowering != Lowering::Auto)
        op.setLowering(lowering);
    });
    ++numPacked;
    return success();
  }

  /// Scales `[N, G]` as `[G, N]`, so that those of a group are contiguous.
  static Value transposeGroups(IRRewriter &rewriter, LinearOp op) {
    auto type = cast<RankedTensorType>(op.getScale().getType());
    if (type.getRank() == 1)
      return op.getScale();
    SmallVector<int64_t> shape{type.getDimSize(1), type.getDimSize(0)};
    DenseElementsAttr constant;
    if (matchPattern(op.getScale(), m_Constant(&constant))) {
      auto values = llvm::to_vector(constant.getValues<float>());
      std::vector<float> turned(values.size());
      for (int64_t r = 0; r < shape[1]; ++r)
        for (int64_t g = 0; g < shape[0]; ++g)
          turned[g * shape[1] + r] = values[r * shape[0] + g];
      return arith::ConstantOp::create(
          rewriter, op.getLoc(),
          DenseElementsAttr::get(type.clone(shape), ArrayRef(turned)));
    }
    Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), shape,
                                          type.getElementType());
    return linalg::TransposeOp::create(rewriter, op.getLoc(), op.getScale(),
                                       empty, ArrayRef<int64_t>{1, 0})
        .getResult()[0];
  }

  /// Widens the activations to `least` columns, zero from K on: at their
  /// quantiser where they come from one, else by a tensor.pad. The quantiser's
  /// rows begin with a line of a cache then, as loads of tiles ask for.
  static void padColumns(IRRewriter &rewriter, Location loc, OpOperand &lhs,
                         int64_t least) {
    constexpr int64_t line = 64;
    auto type = cast<RankedTensorType>(lhs.get().getType());
    auto quantize = lhs.get().getDefiningOp<QuantizeOp>();
    // An unpacked matmul has exactly K columns.
    auto takesMore = [](Operation *user) {
      auto matmul = dyn_cast<MatmulOp>(user);
      return isa<LinearOp>(user) || (matmul && matmul.getPacking());
    };
    bool isWidened =
        quantize && llvm::all_of(lhs.get().getUsers(), [&](Operation *user) {
          return user == lhs.getOwner() || takesMore(user);
        });
    int64_t padded =
        isWidened && least > line ? llvm::alignTo(least, line) : least;
    if (type.getDimSize(1) >= padded)
      return;
    if (isWidened) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPoint(quantize);
      auto wide = RankedTensorType::get({type.getDimSize(0), padded},
                                        type.getElementType());
      SmallVector<Value> dynamic;
      if (type.isDynamicDim(0))
        dynamic.push_back(
            tensor::DimOp::create(rewriter, loc, quantize.getInput(), 0));
      Value empty = tensor::EmptyOp::create(rewriter, loc, wide, dynamic);
      rewriter.modifyOpInPlace(quantize, [&] {
        quantize.getValuesMutable().assign(empty);
        quantize->getResult(0).setType(wide);
      });
      return;
    }
    Value zero = arith::ConstantOp::create(
        rewriter, loc, rewriter.getZeroAttr(type.getElementType()));
    SmallVector<OpFoldResult> low(2, rewriter.getIndexAttr(0));
    SmallVector<OpFoldResult> high{
        rewriter.getIndexAttr(0),
        rewriter.getIndexAttr(padded - type.getDimSize(1))};
    auto wide = RankedTensorType::get({type.getDimSize(0), padded},
                                      type.getElementType());
    Value result =
        tensor::PadOp::create(rewriter, loc, wide, lhs.get(), low, high, zero);
    rewriter.modifyOpInPlace(lhs.getOwner(), [&] { lhs.assign(result); });
  }

  /// A rescale whose matmul is not its own is plain element-wise arithmetic.
  static void decompose(IRRewriter &rewriter, RescaleOp op) {
    rewriter.setInsertionPoint(op);
    MLIRContext *context = op.getContext();
    auto vectorMap = [&](Value vector, unsigned dim) {
      bool shared = cast<ShapedType>(vector.getType()).getDimSize(0) == 1;
      return AffineMap::get(2, 0,
                            shared ? rewriter.getAffineConstantExpr(0)
                                   : rewriter.getAffineDimExpr(dim));
    };
    AffineMap whole = AffineMap::getMultiDimIdentityMap(2, context);
    SmallVector<AffineMap> maps{whole, vectorMap(op.getStep(), 0),
                                vectorMap(op.getScale(), 1), whole};
    SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, op.getOutput().getType(),
        ValueRange{op.getAcc(), op.getStep(), op.getScale()}, op.getOutput(),
        maps, loops, [](OpBuilder &b, Location loc, ValueRange args) {
          Value sum = arith::SIToFPOp::create(b, loc, b.getF32Type(), args[0]);
          Value product = arith::MulFOp::create(b, loc, sum, args[1]);
          product = arith::MulFOp::create(b, loc, product, args[2]);
          linalg::YieldOp::create(b, loc, product);
        });
  }

  LogicalResult archiveConstants(IRRewriter &rewriter,
                                 ArchiveBuilder &archive) {
    SmallVector<arith::ConstantOp> constants;
    getOperation().walk([&](arith::ConstantOp op) {
      auto type = dyn_cast<RankedTensorType>(op.getType());
      if (!type || type.getNumElements() < minElements)
        return;
      auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
      if (!dense || !dense.isSplat() || splats)
        constants.push_back(op);
    });
    for (arith::ConstantOp op : constants) {
      auto value = cast<ElementsAttr>(op.getValue());
      Type element = value.getElementType();
      // Shapes stay where the schedule reads them.
      if (element.isIndex() && value.getNumElements() < shapeElements)
        continue;
      if (!element.isIntOrFloat())
        return op.emitOpError("has elements that no archive entry holds");
      // Booleans and other types below a byte have their own storage in MLIR.
      if (element.getIntOrFloatBitWidth() < 8)
        continue;
      if (getRawBytes(value).empty())
        return op.emitOpError("has no data");
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, archive.reference(rewriter, op.getLoc(),
                                               nameOf(op.getLoc()), value));
    }
    return success();
  }

  /// More indices than any shape has.
  static constexpr int64_t shapeElements = 16;
  /// Rows of a tile: 4 vectors of AVX-512, and a whole number of all others, up
  /// to the 2048 bits of ARM's scalable ones.
  static constexpr int64_t tileRows = 64;

  DenseMap<std::pair<Attribute, Attribute>, ElementsAttr> packedWeights;
};

} // namespace
