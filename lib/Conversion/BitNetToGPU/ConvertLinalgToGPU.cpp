//===- ConvertLinalgToGPU.cpp - What else kernels hold to launches --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/BitNetToGPU/BitNetToGPU.h"

#include "LaunchBuilder.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/IRMapping.h"

namespace bitnet {
#define GEN_PASS_DEF_CONVERTLINALGTOGPU
#include "bitnet/Conversion/BitNetToGPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// The launch of one linalg op.
class LinalgLaunch {
public:
  LinalgLaunch(LaunchBuilder &b, linalg::LinalgOp op)
      : b(b), op(op), extents(op.getNumLoops()), indices(op.getNumLoops()) {
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
      if (!ShapedType::isDynamic(ranges[dim]))
        extents[dim] = b.index(ranges[dim]);
    // A dynamic loop has the extent of some operand's dimension.
    for (OpOperand &operand : op->getOpOperands())
      for (auto [i, expr] :
           llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr))
          if (!extents[dim.getPosition()])
            extents[dim.getPosition()] = b.dim(operand.get(), i);
    op.getReductionDims(reductions);
    orderParallelDims();
  }

  /// Returns whether each output has a workgroup.
  bool emit() {
    if (isShared()) {
      b.forGroups(product(parallels), threads, [&](Value output, Value thread) {
        bind(parallels, output);
        reduceTogether(thread);
      });
      return true;
    }
    b.forEach(product(parallels), [&](Value output) {
      bind(parallels, output);
      if (reductions.empty())
        return storeResults(emitBody({}));
      SmallVector<Value> initial = loadOutputs();
      storeResults(reduceAlone(0, initial));
    });
    return false;
  }

private:
  /// Neighbouring threads write neighbouring elements of the output.
  void orderParallelDims() {
    SmallVector<unsigned> all;
    op.getParallelDims(all);
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    SmallVector<unsigned> last;
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (llvm::is_contained(all, dim.getPosition()) &&
            !llvm::is_contained(last, dim.getPosition()))
          last.push_back(dim.getPosition());
    for (unsigned dim : all)
      if (!llvm::is_contained(last, dim))
        parallels.push_back(dim);
    llvm::append_range(parallels, last);
  }

  Value product(ArrayRef<unsigned> dims) {
    Value result = b.index(1);
    for (unsigned dim : dims)
      result = b.mul(result, extents[dim]);
    return result;
  }

  /// Sets the indices of `dims`, which `flat` numbers together.
  void bind(ArrayRef<unsigned> dims, Value flat) {
    for (unsigned dim : llvm::reverse(dims.drop_front(!dims.empty()))) {
      indices[dim] = b.createOrFold<arith::RemUIOp>(flat, extents[dim]);
      flat = b.createOrFold<arith::DivUIOp>(flat, extents[dim]);
    }
    if (!dims.empty())
      indices[dims.front()] = flat;
  }

  //===--------------------------------------------------------------------===//
  // Reductions
  //===--------------------------------------------------------------------===//

  /// Whether the threads of a group should share each output: every result is
  /// combined by one operation, and the inputs run along the reduction.
  bool isShared() {
    if (reductions.empty())
      return false;
    for (unsigned i = 0; i < op.getNumDpsInits(); ++i) {
      SmallVector<Operation *> combiners;
      if (!matchReduction(op.getRegionOutputArgs(), i, combiners) ||
          combiners.size() != 1 || !arith::getNeutralElement(combiners.front()))
        return false;
    }
    int64_t extent = 1;
    for (unsigned dim : reductions) {
      std::optional<int64_t> known = KernelBuilder::constant(extents[dim]);
      extent *= known.value_or(threads);
    }
    if (extent < threads)
      return false;
    return runsAlongReduction();
  }

  /// Whether neighbours along the reduction are neighbours in memory, in all
  /// inputs of the highest rank.
  bool runsAlongReduction() {
    unsigned rank = 1;
    for (OpOperand *input : op.getDpsInputOperands())
      rank = std::max(rank, op.getMatchingIndexingMap(input).getNumResults());
    bool any = false;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      if (map.getNumResults() != rank)
        continue;
      auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
      if (!last || !llvm::is_contained(reductions, last.getPosition()) ||
          !isInnermostContiguous(input->get()))
        return false;
      any = true;
    }
    return any;
  }

  void reduceTogether(Value thread) {
    SmallVector<Value> initial;
    SmallVector<Operation *> combiners;
    for (unsigned i = 0; i < op.getNumDpsInits(); ++i) {
      SmallVector<Operation *> found;
      (void)matchReduction(op.getRegionOutputArgs(), i, found);
      combiners.push_back(found.front());
      initial.push_back(b.create<arith::ConstantOp>(
          *arith::getNeutralElement(found.front())));
    }
    SmallVector<Value> parts =
        b.shareReduce(thread, threads, product(reductions), initial,
                      [&](Value flat, ValueRange so) {
                        bind(reductions, flat);
                        return emitBody(so);
                      });
    SmallVector<Value> results = loadOutputs();
    auto combine = [&](Operation *combiner, Value x, Value y) {
      Operation *clone = b.clone(*combiner);
      clone->setOperands({x, y});
      return clone->getResult(0);
    };
    for (auto [part, combiner] : llvm::zip(parts, combiners))
      part = b.reduceGroup(thread, threads, part,
                           [&, combiner = combiner](Value x, Value y) {
                             return combine(combiner, x, y);
                           });
    b.when(b.less(thread, b.index(1)), [&] {
      for (auto [i, combiner] : llvm::enumerate(combiners))
        results[i] = combine(combiner, results[i], parts[i]);
      storeResults(results);
    });
  }

  SmallVector<Value> reduceAlone(unsigned level, ValueRange sums) {
    if (level == reductions.size())
      return emitBody(sums);
    unsigned dim = reductions[level];
    auto loop =
        b.create<scf::ForOp>(b.index(0), extents[dim], b.index(1), sums);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    indices[dim] = loop.getInductionVar();
    SmallVector<Value> next = reduceAlone(level + 1, loop.getRegionIterArgs());
    b.create<scf::YieldOp>(next);
    return llvm::to_vector(ValueRange(loop.getResults()));
  }

  //===--------------------------------------------------------------------===//
  // Elements
  //===--------------------------------------------------------------------===//

  Value load(OpOperand *operand) {
    if (!isa<MemRefType>(operand->get().getType()))
      return operand->get();
    return b.load(operand->get(), getIndices(operand));
  }

  SmallVector<Value> getIndices(OpOperand *operand) {
    // Dimensions that are not bound do not occur in the map.
    SmallVector<Value> dims = indices, result;
    for (Value &dim : dims)
      if (!dim)
        dim = b.index(0);
    for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
      result.push_back(
          affine::expandAffineExpr(b, b.getLoc(), expr, dims, ValueRange()));
    return result;
  }

  SmallVector<Value> loadOutputs() {
    SmallVector<Value> values;
    for (OpOperand &init : op.getDpsInitsMutable())
      values.push_back(load(&init));
    return values;
  }

  void storeResults(ArrayRef<Value> values) {
    for (auto [value, init] : llvm::zip_equal(values, op.getDpsInitsMutable()))
      b.store(value, init.get(), getIndices(&init));
  }

  /// The scalar body at the indices. `sums` are the outputs' values so far;
  /// empty where these are read from memory.
  SmallVector<Value> emitBody(ValueRange sums) {
    Block *body = op.getBlock();
    IRMapping mapping;
    for (OpOperand *input : op.getDpsInputOperands())
      if (op.payloadUsesValueFromOperand(input))
        mapping.map(op.getMatchingBlockArgument(input), load(input));
    for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
      BlockArgument argument = op.getMatchingBlockArgument(&init);
      if (!sums.empty())
        mapping.map(argument, sums[i]);
      else if (!argument.use_empty())
        mapping.map(argument, load(&init));
    }
    for (Operation &bodyOp : body->without_terminator()) {
      if (auto index = dyn_cast<linalg::IndexOp>(bodyOp)) {
        mapping.map(index.getResult(), indices[index.getDim()]);
        continue;
      }
      Operation *clone = b.clone(bodyOp, mapping);
      clone->walk([&](linalg::IndexOp index) {
        index.replaceAllUsesWith(indices[index.getDim()]);
        index.erase();
      });
    }
    SmallVector<Value> results;
    for (Value result : body->getTerminator()->getOperands())
      results.push_back(mapping.lookupOrDefault(result));
    return results;
  }

  static constexpr int64_t threads = 128;

  LaunchBuilder &b;
  linalg::LinalgOp op;
  SmallVector<Value> extents, indices;
  SmallVector<unsigned> parallels, reductions;
};

struct ConvertLinalgToGPU
    : bitnet::impl::ConvertLinalgToGPUBase<ConvertLinalgToGPU> {
  void runOnOperation() override {
    std::unique_ptr<DeviceTarget> device = DeviceTarget::get(
        getOperation()->getAttrOfType<TargetAttr>("bitnet.target"));
    if (!device) {
      getOperation().emitError("expected a bitnet.target that names a GPU");
      return signalPassFailure();
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("bitnet.kernel") &&
          failed(convert(function, *device)))
        return signalPassFailure();
  }

private:
  LogicalResult convert(func::FuncOp kernel, const DeviceTarget &device) {
    IRRewriter rewriter(&getContext());
    SmallVector<Operation *> ops;
    for (Operation &op : kernel.getBody().front())
      ops.push_back(&op);
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      if (auto copy = dyn_cast<memref::CopyOp>(op)) {
        op = linalg::makeMemRefCopyOp(rewriter, op->getLoc(), copy.getSource(),
                                      copy.getTarget());
        rewriter.eraseOp(copy);
      }
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
        if (failed(launch(rewriter, linalgOp, device)))
          return failure();
      } else if (isa<scf::ForOp>(op)) {
        runByOneThread(rewriter, op, device);
      } else if (op->getNumRegions() > 0 && !isa<gpu::LaunchOp>(op)) {
        return op->emitOpError("has no kernel on a GPU");
      }
    }
    return success();
  }

  LogicalResult launch(IRRewriter &rewriter, linalg::LinalgOp op,
                       const DeviceTarget &device) {
    if (!op.hasPureBufferSemantics())
      return op.emitError("expected operands in buffers");
    rewriter.setInsertionPoint(op);
    if (!isa<linalg::GenericOp>(op)) {
      FailureOr<linalg::GenericOp> generic =
          linalg::generalizeNamedOp(rewriter, op);
      if (failed(generic))
        return op.emitError("has no kernel");
      op = *generic;
    }
    rewriter.setInsertionPoint(op);
    LaunchBuilder b(op.getLoc(), rewriter, device);
    ++(LinalgLaunch(b, op).emit() ? numGroups : numThreads);
    op.erase();
    return success();
  }

  void runByOneThread(IRRewriter &rewriter, Operation *loop,
                      const DeviceTarget &device) {
    rewriter.setInsertionPoint(loop);
    LaunchBuilder b(loop->getLoc(), rewriter, device);
    b.forGroups(b.index(1), 1, [&](Value, Value) { b.clone(*loop); });
    rewriter.eraseOp(loop);
    ++numScalar;
  }
};

} // namespace
