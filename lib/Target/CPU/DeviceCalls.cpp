//===- DeviceCalls.cpp - What an entry asks of a device -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCalls.h"
#include "HostCalls.h"
#include "MemRefParts.h"
#include "bitnet/Target/GPU/DeviceTarget.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace bitnet;

bool bitnet::isForDevice(Operation *op) {
  auto module = op->getParentOfType<ModuleOp>();
  return module && !module.getOps<gpu::GPUModuleOp>().empty();
}

namespace {
class DeviceCallLowering {
public:
  using Check = llvm::function_ref<void(Value, Operation *)>;

  DeviceCallLowering(func::FuncOp entry, ImplicitLocOpBuilder &builder,
                     const LLVMTypeConverter &converter, Value call,
                     Check check)
      : entry(entry), builder(builder), converter(converter), call(call),
        check(check) {
    unsigned next = 0;
    auto module = entry->getParentOfType<ModuleOp>();
    for (auto device : module.getOps<gpu::GPUModuleOp>())
      for (auto kernel : device.getOps<gpu::GPUFuncOp>())
        kernels[kernel.getNameAttr()] = next++;
  }

  LogicalResult run() {
    SmallVector<Operation *> ops;
    unsigned slots = 1;
    entry.walk([&](Operation *op) {
      if (isa<gpu::LaunchFuncOp, memref::LoadOp, memref::StoreOp,
              memref::GetGlobalOp>(op))
        ops.push_back(op);
      if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op))
        slots = std::max(slots, launch.getNumKernelOperands());
    });
    reserve(slots);
    for (Operation *op : ops) {
      builder.setInsertionPoint(op);
      builder.setLoc(op->getLoc());
      if (failed(lower(op)))
        return failure();
      op->erase();
    }
    return success();
  }

private:
  /// Memory of the entry's frame that all calls share.
  void reserve(unsigned slots) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&entry.getBody().front());
    auto allocate = [&](Type type, int64_t count) -> Value {
      return builder.create<LLVM::AllocaOp>(getPointerType(builder), type,
                                            constant(count), /*alignment=*/16);
    };
    arguments = allocate(builder.getI64Type(), slots);
    grid = allocate(builder.getI32Type(), 3);
  }

  Value constant(int64_t value) {
    return builder.create<LLVM::ConstantOp>(builder.getI64IntegerAttr(value));
  }

  Value callDevice(size_t function, ArrayRef<Value> operands) {
    return callEnvironment(builder, call, function, builder.getI32Type(),
                           operands)
        .getResult();
  }

  LogicalResult lower(Operation *op) {
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op))
      return lower(launch);
    if (auto load = dyn_cast<memref::LoadOp>(op))
      return lower(load);
    if (auto store = dyn_cast<memref::StoreOp>(op))
      return lower(store);
    return lower(cast<memref::GetGlobalOp>(op));
  }

  LogicalResult lower(gpu::LaunchFuncOp op) {
    Value kernel = builder.create<LLVM::ConstantOp>(
        builder.getI32IntegerAttr(kernels.lookup(op.getKernelName())));
    for (auto [i, operand] : llvm::enumerate(op.getKernelOperands()))
      if (isa<MemRefType>(operand.getType()))
        checkBuffer(op, kernel, i, getBuffer(operand));
    gpu::KernelDim3 size = op.getGridSizeOperandValues();
    for (auto [i, extent] :
         llvm::enumerate(ArrayRef<Value>{size.x, size.y, size.z}))
      storeField(builder, grid, 4 * i,
                 builder.create<LLVM::TruncOp>(
                     builder.getI32Type(), toLLVM(builder, converter, extent)));
    for (auto [i, operand] : llvm::enumerate(op.getKernelOperands()))
      storeField(builder, arguments, 8 * i, getBits(operand));
    check(
        callDevice(offsetof(bn_environment, launch), {kernel, grid, arguments}),
        op);
    return success();
  }

  /// Asks whether a kernel can be given all of a memref, where its type does
  /// not tell how far that reaches.
  void checkBuffer(gpu::LaunchFuncOp op, Value kernel, unsigned argument,
                   Value memref) {
    auto type = dyn_cast<MemRefType>(memref.getType());
    if (!type || getStaticReach(type))
      return;
    Layout layout = getLayout(type, splitMemRef(builder, converter, memref));
    // One behind the last element, or not above zero where there is none.
    Value reach = builder.create<LLVM::AddOp>(layout.offset, constant(1));
    for (auto [size, step] : llvm::zip_equal(layout.sizes, layout.steps)) {
      Value last = builder.create<LLVM::SubOp>(size, constant(1));
      reach = builder.create<LLVM::AddOp>(
          reach, builder.create<LLVM::MulOp>(last, step));
    }
    Value index =
        builder.create<LLVM::ConstantOp>(builder.getI32IntegerAttr(argument));
    check(callDevice(
              offsetof(bn_environment, check_buffer),
              {kernel, index, reach, getElementBytes(type.getElementType())}),
          op);
    builder.setInsertionPoint(op);
  }

  /// The memref that a launch's buffer stands for.
  static Value getBuffer(Value operand) {
    auto cast = operand.getDefiningOp<UnrealizedConversionCastOp>();
    return cast ? cast.getOperand(0) : operand;
  }

  Value getPointer(Value buffer) {
    buffer = getBuffer(buffer);
    if (isa<MemRefType>(buffer.getType()))
      return splitMemRef(builder, converter, buffer).pointer;
    return MemRefDescriptor(buffer).alignedPtr(builder, builder.getLoc());
  }

  /// An argument of a launch as 64 bits.
  Value getBits(Value operand) {
    Type i64 = builder.getI64Type();
    if (isa<MemRefType>(operand.getType()))
      return builder.create<LLVM::PtrToIntOp>(i64, getPointer(operand));
    Value value = toLLVM(builder, converter, operand);
    if (value.getType().isF32())
      value = builder.create<LLVM::BitcastOp>(builder.getI32Type(), value);
    return value.getType() == i64
               ? value
               : builder.create<LLVM::ZExtOp>(i64, value).getResult();
  }

  /// Where the elements of a memref lie, counted in elements.
  struct Layout {
    Value offset;
    SmallVector<Value> sizes, steps;
  };

  Layout getLayout(MemRefType type, const MemRefParts &parts) {
    SmallVector<int64_t> strides;
    int64_t offset = 0;
    (void)type.getStridesAndOffset(strides, offset);
    Layout layout{parts.offset ? parts.offset : constant(offset),
                  {},
                  SmallVector<Value>(type.getRank())};
    auto &[start, sizes, steps] = layout;
    auto dynamicSize = parts.sizes.begin();
    for (int64_t size : type.getShape())
      sizes.push_back(ShapedType::isDynamic(size) ? *dynamicSize++
                                                  : constant(size));
    bool isDense = type.getLayout().isIdentity();
    auto dynamicStride = parts.strides.rbegin();
    for (int64_t i = type.getRank() - 1; i >= 0; --i) {
      if (!ShapedType::isDynamic(strides[i]))
        steps[i] = constant(strides[i]);
      else if (isDense)
        steps[i] = builder.create<LLVM::MulOp>(steps[i + 1], sizes[i + 1]);
      else
        steps[i] = *dynamicStride++;
    }
    return layout;
  }

  /// The device address of an element.
  Value getAddress(Value memref, ValueRange indices) {
    auto type = cast<MemRefType>(memref.getType());
    MemRefParts parts = splitMemRef(builder, converter, memref);
    Layout layout = getLayout(type, parts);
    Value at = layout.offset;
    for (auto [index, step] : llvm::zip_equal(indices, layout.steps))
      at = builder.create<LLVM::AddOp>(
          at,
          builder.create<LLVM::MulOp>(toLLVM(builder, converter, index), step));
    Value address = builder.create<LLVM::GEPOp>(
        getPointerType(builder), getMemoryType(type.getElementType()),
        parts.pointer, ArrayRef<LLVM::GEPArg>{at});
    return builder.create<LLVM::PtrToIntOp>(builder.getI64Type(), address);
  }

  /// What an element is in memory; a truth is a byte.
  Type getMemoryType(Type element) {
    return element.isInteger(1) ? builder.getI8Type()
                                : converter.convertType(element);
  }

  Value getElementBytes(Type element) {
    Type type = getMemoryType(element);
    return constant(llvm::divideCeil(type.getIntOrFloatBitWidth(), 8));
  }

  LogicalResult lower(memref::LoadOp op) {
    Type element = op.getMemRefType().getElementType();
    Value address = getAddress(op.getMemRef(), op.getIndices());
    check(callDevice(offsetof(bn_environment, read),
                     {arguments, address, getElementBytes(element)}),
          op);
    builder.setInsertionPoint(op);
    Value value =
        builder.create<LLVM::LoadOp>(getMemoryType(element), arguments);
    if (element.isInteger(1))
      value = builder.create<LLVM::TruncOp>(builder.getI1Type(), value);
    op.replaceAllUsesWith(fromLLVM(builder, element, value));
    return success();
  }

  LogicalResult lower(memref::StoreOp op) {
    Type element = op.getMemRefType().getElementType();
    Value address = getAddress(op.getMemRef(), op.getIndices());
    Value value = toLLVM(builder, converter, op.getValue());
    if (element.isInteger(1))
      value = builder.create<LLVM::ZExtOp>(builder.getI8Type(), value);
    builder.create<LLVM::StoreOp>(value, arguments);
    check(callDevice(offsetof(bn_environment, write),
                     {address, arguments, getElementBytes(element)}),
          op);
    return success();
  }

  /// A constant of the code is copied to memory of the device.
  LogicalResult lower(memref::GetGlobalOp op) {
    MemRefType type = op.getType();
    Value bytes =
        builder.create<LLVM::MulOp>(getElementBytes(type.getElementType()),
                                    constant(type.getNumElements()));
    Value global = builder.create<memref::GetGlobalOp>(type, op.getName());
    MemRefParts parts = splitMemRef(builder, converter, global);
    Value host = parts.pointer;
    parts.pointer =
        callEnvironment(builder, call, offsetof(bn_environment, allocate),
                        getPointerType(builder), bytes)
            .getResult();
    Value null = builder.create<LLVM::ZeroOp>(getPointerType(builder));
    Value exhausted = builder.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq,
                                                   parts.pointer, null);
    check(builder.create<LLVM::SelectOp>(
              exhausted, getCode(BN_ENTRY_OUT_OF_MEMORY), getCode(BN_ENTRY_OK)),
          op);
    builder.setInsertionPoint(op);
    Value address =
        builder.create<LLVM::PtrToIntOp>(builder.getI64Type(), parts.pointer);
    check(callDevice(offsetof(bn_environment, write), {address, host, bytes}),
          op);
    builder.setInsertionPoint(op);
    op.replaceAllUsesWith(buildMemRef(builder, converter, type, parts));
    return success();
  }

  Value getCode(bn_entry_result code) {
    return builder.create<LLVM::ConstantOp>(builder.getI32IntegerAttr(code));
  }

  func::FuncOp entry;
  ImplicitLocOpBuilder &builder;
  const LLVMTypeConverter &converter;
  Value call;
  Check check;
  DenseMap<StringAttr, unsigned> kernels;
  Value arguments, grid;
};
} // namespace

LogicalResult
bitnet::lowerDeviceCalls(func::FuncOp entry, ImplicitLocOpBuilder &builder,
                         const LLVMTypeConverter &converter, Value call,
                         llvm::function_ref<void(Value, Operation *)> check) {
  return DeviceCallLowering(entry, builder, converter, call, check).run();
}
