//===- OutlineKernels.cpp - Structured ops to kernel functions ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"

namespace bitnet {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// At most one element is computed: not worth a call.
bool isSingleElement(Operation *op) {
  SmallVector<int64_t> extents;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    extents = linalgOp.getStaticLoopRanges();
  else if (auto copy = dyn_cast<memref::CopyOp>(op))
    llvm::append_range(extents,
                       cast<ShapedType>(copy.getSource().getType()).getShape());
  else
    return false;
  return llvm::all_of(extents, [](int64_t e) { return e == 0 || e == 1; });
}

bool isComputeOp(Operation *op) {
  if (isa<linalg::LinalgOp, memref::CopyOp>(op))
    return true;
  return isa_and_nonnull<bitnet::BitNetDialect>(op->getDialect()) &&
         isa<DestinationStyleOpInterface>(op);
}

/// A loop of scalar work only. Loops around compute ops stay in the entry,
/// which schedules them.
bool isScalarLoop(Operation *op) {
  if (!isa<scf::ForOp, scf::ParallelOp, scf::ForallOp>(op) ||
      op->getNumResults() != 0)
    return false;
  return !op->walk([](Operation *nested) {
              bool keeps = isComputeOp(nested) ||
                           isa<memref::AllocOp, func::CallOp>(nested);
              return keeps ? WalkResult::interrupt() : WalkResult::advance();
            }).wasInterrupted();
}

/// What a kernel's name calls its op.
std::string getKernelName(Operation *op) {
  std::string name = "kernel_";
  llvm::raw_string_ostream os(name);
  SmallVector<int64_t> extents;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (isa<linalg::GenericOp>(op))
    os << (linalgOp.getNumReductionLoops() ? "reduce" : "map");
  else
    os << op->getName().stripDialect();
  if (linalgOp)
    extents = linalgOp.getStaticLoopRanges();
  else if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    llvm::append_range(
        extents,
        cast<ShapedType>(dps.getDpsInits().front().getType()).getShape());
  else if (auto copy = dyn_cast<memref::CopyOp>(op))
    llvm::append_range(extents,
                       cast<ShapedType>(copy.getSource().getType()).getShape());
  char separator = '_';
  for (int64_t extent : extents) {
    os << separator;
    if (ShapedType::isDynamic(extent))
      os << 'd';
    else
      os << extent;
    separator = 'x';
  }
  return name;
}

/// What an op reads from outside: operands and captured values, each once;
/// scalar constants apart.
struct Captures {
  SetVector<Value> arguments;
  SetVector<Operation *> constants;

  explicit Captures(Operation *op) {
    SetVector<Value> values(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), values);
    for (Value value : values) {
      Operation *definition = value.getDefiningOp();
      if (definition && matchPattern(definition, m_Constant()) &&
          !isa<ShapedType>(value.getType()))
        constants.insert(definition);
      else
        arguments.insert(value);
    }
  }
};

class Outliner {
public:
  Outliner(ModuleOp module, bool singleElements)
      : symbols(module), module(module), singleElements(singleElements) {}

  void outlineIn(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if ((isComputeOp(&op) && (singleElements || !isSingleElement(&op))) ||
          isScalarLoop(&op)) {
        outline(&op);
        continue;
      }
      // The region of a linalg op is its scalar body.
      if (isComputeOp(&op))
        continue;
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          outlineIn(nested);
    }
  }

  unsigned kernels = 0;
  unsigned shared = 0;

private:
  void outline(Operation *op) {
    Captures captures(op);
    func::FuncOp kernel = build(op, captures);
    func::FuncOp known = findEqual(kernel);
    if (known) {
      kernel.erase();
      kernel = known;
      ++shared;
    } else {
      add(kernel, op);
    }
    OpBuilder builder(op);
    func::CallOp::create(builder, op->getLoc(), kernel,
                         captures.arguments.getArrayRef());
    op->erase();
  }

  func::FuncOp build(Operation *op, const Captures &captures) {
    OpBuilder builder(module.getContext());
    auto type = builder.getFunctionType(
        ValueRange(captures.arguments.getArrayRef()).getTypes(), {});
    auto kernel = func::FuncOp::create(op->getLoc(), "kernel", type);
    kernel.setPrivate();
    kernel->setAttr("bitnet.kernel", builder.getUnitAttr());
    kernel.setNoInline(true);
    Block *body = kernel.addEntryBlock();
    builder.setInsertionPointToStart(body);
    IRMapping mapping;
    mapping.map(captures.arguments.getArrayRef(), body->getArguments());
    for (Operation *constant : captures.constants)
      builder.clone(*constant, mapping);
    builder.clone(*op, mapping);
    func::ReturnOp::create(builder, op->getLoc());
    return kernel;
  }

  func::FuncOp findEqual(func::FuncOp kernel) {
    for (func::FuncOp other : made[kernel.getFunctionType()])
      if (OperationEquivalence::isRegionEquivalentTo(
              &kernel.getBody(), &other.getBody(),
              OperationEquivalence::IgnoreLocations))
        return other;
    return {};
  }

  void add(func::FuncOp kernel, Operation *op) {
    std::string base = getKernelName(op);
    kernel.setName(base + "_" + std::to_string(counts[base]++));
    symbols.insert(kernel);
    made[kernel.getFunctionType()].push_back(kernel);
    ++kernels;
  }

  SymbolTable symbols;
  ModuleOp module;
  bool singleElements;
  DenseMap<Type, SmallVector<func::FuncOp>> made;
  llvm::StringMap<unsigned> counts;
};

struct OutlineKernelsPass
    : public bitnet::impl::OutlineKernelsBase<OutlineKernelsPass> {
  using OutlineKernelsBase::OutlineKernelsBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("bitnet.entry"))
        entries.push_back(function);
    Outliner outliner(getOperation(), singleElements);
    for (func::FuncOp entry : entries)
      for (Block &block : entry.getBody())
        outliner.outlineIn(block);
    kernels += outliner.kernels;
    shared += outliner.shared;
  }
};

} // namespace
