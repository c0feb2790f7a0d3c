//===- FlattenMemRefs.cpp - Device functions on plain buffers -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FlattenMemRefs.h"

#include "bitnet/Target/GPU/DeviceTarget.h"
#include "bitnet/artifact.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace {

/// How elements lie in memory: what is no number of bytes, or no type of every
/// device, is an integer.
Type getStorage(Type element) {
  OpBuilder b(element.getContext());
  if (element.isInteger(1))
    return b.getI8Type();
  if (element.isIndex())
    return b.getI64Type();
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32)
    return b.getIntegerType(element.getIntOrFloatBitWidth());
  return element;
}

Value fromStorage(ImplicitLocOpBuilder &b, Value value, Type element) {
  if (value.getType() == element)
    return value;
  if (element.isInteger(1))
    return b.create<arith::CmpIOp>(
        arith::CmpIPredicate::ne, value,
        b.create<arith::ConstantIntOp>(value.getType(), 0));
  if (element.isIndex())
    return b.create<arith::IndexCastOp>(element, value);
  return b.create<arith::BitcastOp>(element, value);
}

Value toStorage(ImplicitLocOpBuilder &b, Value value) {
  Type element = value.getType(), storage = getStorage(element);
  if (storage == element)
    return value;
  if (element.isInteger(1))
    return b.create<arith::ExtUIOp>(storage, value);
  if (element.isIndex())
    return b.create<arith::IndexCastOp>(storage, value);
  return b.create<arith::BitcastOp>(storage, value);
}

/// A memref as the buffer that it views, in the device function.
struct Strided {
  Value buffer, offset;
  SmallVector<Value> sizes, strides;
};

class Flattener {
public:
  Flattener(gpu::GPUFuncOp function, OpBuilder &host,
            SmallVectorImpl<Value> &operands)
      : function(function), host(host), operands(operands),
        b(function.getLoc(), function.getContext()) {}

  LogicalResult run() {
    Block &body = function.getBody().front();
    unsigned count = operands.size();
    SmallVector<Value> old(operands.begin(), operands.end());
    for (unsigned i = 0; i < count; ++i) {
      b.setInsertionPointToStart(&body);
      BlockArgument argument = body.getArgument(i);
      if (!isa<MemRefType>(argument.getType())) {
        argument.replaceAllUsesWith(scalar(old[i]));
        continue;
      }
      if (argument.use_empty())
        continue;
      auto type = cast<MemRefType>(argument.getType());
      std::optional<int64_t> reach = bitnet::getStaticReach(type);
      if (reach && *reach > BN_DEVICE_ELEMENTS)
        return emitError(argument.getLoc())
               << "a buffer of " << *reach << " elements, " << type
               << ", cannot be compiled for a GPU: its kernels can index "
               << BN_DEVICE_ELEMENTS;
      if (failed(rewriteUses(argument, describe(argument, old[i]))))
        return failure();
    }
    body.eraseArguments(0, count);
    finishSignature(body);
    saturateIndices();
    return success();
  }

private:
  Value index(int64_t value) { return b.create<arith::ConstantIndexOp>(value); }

  /// The argument for a scalar of the host; equal ones share it.
  Value scalar(Value value) {
    if (std::optional<int64_t> known = getConstantIntValue(value))
      if (value.getType().isIndex())
        return index(*known);
    for (auto [other, argument] : scalars)
      if (isSame(other, value))
        return argument;
    Value passed = widen(value);
    Value argument = function.getBody().front().addArgument(passed.getType(),
                                                            value.getLoc());
    Value used = narrow(argument, value.getType());
    scalars.push_back({value, used});
    arguments.push_back({passed, argument});
    return used;
  }

  /// A scalar as it is passed: only i32, i64, f32 and index are.
  Value widen(Value value) {
    Type type = value.getType();
    if (type.isIndex() || type.isInteger(32) || type.isInteger(64) ||
        type.isF32())
      return value;
    ImplicitLocOpBuilder h(value.getLoc(), host);
    if (auto real = dyn_cast<FloatType>(type))
      value =
          h.create<arith::BitcastOp>(h.getIntegerType(real.getWidth()), value);
    if (value.getType().getIntOrFloatBitWidth() < 32)
      value = h.create<arith::ExtUIOp>(h.getI32Type(), value);
    return value;
  }

  Value narrow(Value value, Type type) {
    if (value.getType() == type)
      return value;
    Type bits = b.getIntegerType(type.getIntOrFloatBitWidth());
    if (bits != value.getType())
      value = b.create<arith::TruncIOp>(bits, value);
    return bits == type ? value
                        : b.create<arith::BitcastOp>(type, value).getResult();
  }

  static bool isSame(Value x, Value y) {
    if (x == y)
      return true;
    auto p = x.getDefiningOp<memref::DimOp>(),
         q = y.getDefiningOp<memref::DimOp>();
    return p && q && p.getSource() == q.getSource() && p.getConstantIndex() &&
           p.getConstantIndex() == q.getConstantIndex();
  }

  Strided describe(BlockArgument argument, Value operand) {
    auto type = cast<MemRefType>(argument.getType());
    Location loc = argument.getLoc();
    Type storage = getStorage(type.getElementType());
    Strided result;
    result.buffer = function.getBody().front().addArgument(
        MemRefType::get({ShapedType::kDynamic}, storage), loc);
    // The launch passes the address of what the host's memref views.
    Value address = UnrealizedConversionCastOp::create(
                        host, loc, result.buffer.getType(), operand)
                        .getResult(0);
    buffers.push_back({address, result.buffer});
    SmallVector<int64_t> strides;
    int64_t offset = 0;
    (void)type.getStridesAndOffset(strides, offset);
    for (int64_t i = 0; i < type.getRank(); ++i)
      result.sizes.push_back(
          type.isDynamicDim(i)
              ? scalar(memref::DimOp::create(host, loc, operand, i))
              : index(type.getDimSize(i)));
    memref::ExtractStridedMetadataOp metadata;
    auto getMetadata = [&] {
      if (!metadata)
        metadata = memref::ExtractStridedMetadataOp::create(host, loc, operand);
      return metadata;
    };
    result.offset = ShapedType::isDynamic(offset)
                        ? scalar(getMetadata().getOffset())
                        : index(offset);
    result.strides.resize(type.getRank());
    bool isDense = type.getLayout().isIdentity();
    for (int64_t i = type.getRank() - 1; i >= 0; --i) {
      if (!ShapedType::isDynamic(strides[i]))
        result.strides[i] = index(strides[i]);
      else if (isDense)
        result.strides[i] = b.createOrFold<arith::MulIOp>(result.strides[i + 1],
                                                          result.sizes[i + 1]);
      else
        result.strides[i] = scalar(getMetadata().getStrides()[i]);
    }
    return result;
  }

  //===--------------------------------------------------------------------===//
  // Uses
  //===--------------------------------------------------------------------===//

  Value linearize(const Strided &memref, ValueRange indices) {
    Value at = memref.offset;
    for (auto [i, stride] : llvm::zip_equal(indices, memref.strides))
      at = b.createOrFold<arith::AddIOp>(
          at, b.createOrFold<arith::MulIOp>(i, stride));
    return at;
  }

  LogicalResult rewriteUses(Value memref, const Strided &strided) {
    for (Operation *user : llvm::make_early_inc_range(memref.getUsers())) {
      // A store of a value uses the memref once.
      b.setInsertionPoint(user);
      b.setLoc(user->getLoc());
      LogicalResult result =
          llvm::TypeSwitch<Operation *, LogicalResult>(user)
              .Case([&](memref::LoadOp op) { return rewrite(op, strided); })
              .Case([&](memref::StoreOp op) { return rewrite(op, strided); })
              .Case([&](vector::LoadOp op) { return rewrite(op, strided); })
              .Case([&](memref::DimOp op) { return rewrite(op, strided); })
              .Case([&](memref::CastOp op) {
                return rewriteUses(op.getResult(), strided);
              })
              .Case([&](memref::ReinterpretCastOp op) {
                return rewrite(op, strided);
              })
              .Case([&](memref::ExtractStridedMetadataOp op) {
                return rewrite(op, strided);
              })
              .Default([](Operation *op) {
                return op->emitOpError("has no form in a kernel of a GPU");
              });
      if (failed(result))
        return failure();
      user->erase();
    }
    return success();
  }

  LogicalResult rewrite(memref::LoadOp op, const Strided &strided) {
    Value loaded = b.create<memref::LoadOp>(
        strided.buffer, linearize(strided, op.getIndices()));
    op.replaceAllUsesWith(fromStorage(b, loaded, op.getType()));
    return success();
  }

  LogicalResult rewrite(memref::StoreOp op, const Strided &strided) {
    Value at = linearize(strided, op.getIndices());
    b.create<memref::StoreOp>(toStorage(b, op.getValue()), strided.buffer, at);
    return success();
  }

  LogicalResult rewrite(vector::LoadOp op, const Strided &strided) {
    Type element = op.getVectorType().getElementType();
    if (getStorage(element) != element)
      return op.emitOpError("has no form in a kernel of a GPU");
    Value place = linearize(strided, op.getIndices());
    auto load = cast<vector::LoadOp>(b.clone(*op));
    load.getBaseMutable().assign(strided.buffer);
    load.getIndicesMutable().assign(place);
    op.replaceAllUsesWith(load.getResult());
    return success();
  }

  LogicalResult rewrite(memref::DimOp op, const Strided &strided) {
    std::optional<int64_t> i = op.getConstantIndex();
    if (!i || *i < 0 || *i >= int64_t(strided.sizes.size()))
      return op.emitOpError("needs a constant dimension in a kernel of a GPU");
    op.replaceAllUsesWith(strided.sizes[*i]);
    return success();
  }

  Value get(OpFoldResult value) {
    if (auto attribute = dyn_cast<Attribute>(value))
      return index(cast<IntegerAttr>(attribute).getInt());
    return cast<Value>(value);
  }

  LogicalResult rewrite(memref::ReinterpretCastOp op, const Strided &strided) {
    Strided view{strided.buffer, get(op.getConstifiedMixedOffset()), {}, {}};
    for (OpFoldResult size : op.getConstifiedMixedSizes())
      view.sizes.push_back(get(size));
    for (OpFoldResult stride : op.getConstifiedMixedStrides())
      view.strides.push_back(get(stride));
    return rewriteUses(op.getResult(), view);
  }

  LogicalResult rewrite(memref::ExtractStridedMetadataOp op,
                        const Strided &strided) {
    op.getOffset().replaceAllUsesWith(strided.offset);
    for (auto [result, size] : llvm::zip_equal(op.getSizes(), strided.sizes))
      result.replaceAllUsesWith(size);
    for (auto [result, stride] :
         llvm::zip_equal(op.getStrides(), strided.strides))
      result.replaceAllUsesWith(stride);
    Strided base{strided.buffer, index(0), {}, {}};
    return rewriteUses(op.getBaseBuffer(), base);
  }

  //===--------------------------------------------------------------------===//
  // The new signature
  //===--------------------------------------------------------------------===//

  /// Buffers first, then the scalars that are used.
  void finishSignature(Block &body) {
    SmallVector<std::pair<Value, Value>> all = buffers;
    for (auto [value, argument] : arguments)
      if (isUsed(argument))
        all.push_back({value, argument});
    SmallVector<Type> types;
    operands.clear();
    unsigned count = body.getNumArguments();
    for (auto [value, argument] : all) {
      types.push_back(argument.getType());
      operands.push_back(value);
      Value ordered = body.addArgument(argument.getType(), argument.getLoc());
      argument.replaceAllUsesWith(ordered);
    }
    // Computations of what nobody reads hold on to the old ones.
    for (unsigned i = 0; i < count; ++i)
      for (Operation *user :
           llvm::make_early_inc_range(body.getArgument(i).getUsers()))
        eraseDead(user);
    body.eraseArguments(0, count);
    function.setFunctionType(
        FunctionType::get(function.getContext(), types, {}));
    markBuffers(body);
  }

  /// The kernel's argument that a launch's buffer is a view of; null if that is
  /// not known to overlap no other.
  static Value getUnaliasedRoot(Value buffer) {
    buffer =
        cast<UnrealizedConversionCastOp>(buffer.getDefiningOp()).getOperand(0);
    while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
      buffer = view.getViewSource();
    auto argument = dyn_cast<BlockArgument>(buffer);
    auto kernel =
        argument
            ? dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp())
            : FunctionOpInterface();
    return kernel && kernel.getArgAttr(argument.getArgNumber(), "llvm.noalias")
               ? buffer
               : Value();
  }

  /// What overlaps no other buffer of the launch, and what is only read.
  void markBuffers(Block &body) {
    llvm::DenseMap<Value, unsigned> counts;
    for (auto [operand, argument] : buffers)
      ++counts[getUnaliasedRoot(operand)];
    for (auto [i, pair] : llvm::enumerate(buffers)) {
      Value root = getUnaliasedRoot(pair.first);
      if (!root || counts[root] != 1)
        continue;
      function.setArgAttr(i, "llvm.noalias", b.getUnitAttr());
      if (llvm::none_of(body.getArgument(i).getUsers(),
                        llvm::IsaPred<memref::StoreOp>))
        function.setArgAttr(i, "llvm.readonly", b.getUnitAttr());
    }
  }

  /// Indices of a device have 32 bits. A number that does not fit stays out of
  /// any range that is checked.
  void saturateIndices() {
    SmallVector<arith::IndexCastOp> casts;
    function.walk([&](arith::IndexCastOp op) {
      if (op.getIn().getType().isInteger(64))
        casts.push_back(op);
    });
    for (arith::IndexCastOp op : casts) {
      b.setInsertionPoint(op);
      b.setLoc(op.getLoc());
      auto bound = [&](int64_t value) -> Value {
        return b.create<arith::ConstantIntOp>(b.getI64Type(), value);
      };
      Value low = b.createOrFold<arith::MaxSIOp>(
          op.getIn(), bound(std::numeric_limits<int32_t>::min()));
      op.getInMutable().assign(b.createOrFold<arith::MinSIOp>(
          low, bound(std::numeric_limits<int32_t>::max())));
    }
  }

  static void eraseDead(Operation *op) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      eraseDead(user);
    op->erase();
  }

  /// Whether an op with effects, or control flow, depends on the argument.
  static bool isUsed(Value value) {
    return llvm::any_of(value.getUsers(), [](Operation *user) {
      if (!isa<arith::MulIOp, arith::AddIOp, arith::TruncIOp, arith::BitcastOp>(
              user))
        return true;
      return isUsed(user->getResult(0));
    });
  }

  gpu::GPUFuncOp function;
  OpBuilder &host;
  SmallVectorImpl<Value> &operands;
  ImplicitLocOpBuilder b;
  /// The host's values and what the function uses in their place, and the
  /// operands of the launch and the arguments that they become.
  SmallVector<std::pair<Value, Value>> scalars, buffers, arguments;
};

} // namespace

LogicalResult bitnet::flattenMemRefs(gpu::GPUFuncOp function,
                                     OpBuilder &builder,
                                     SmallVectorImpl<Value> &operands) {
  return Flattener(function, builder, operands).run();
}
