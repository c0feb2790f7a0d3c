//===- BufferizableOpInterfaceImpl.cpp - Bufferization of bitnet ops ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BufferizableOpInterfaceImpl.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace bitnet;

namespace {

/// A destination-passing op: its buffers are those of its operands.
template <typename OpTy>
struct DestinationModel
    : public DstBufferizableOpInterfaceExternalModel<DestinationModel<OpTy>,
                                                     OpTy> {
  /// Inits are overwritten whole, so what they held is not read; only a cache
  /// keeps the rows that are not written.
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    if (std::is_same_v<OpTy, CacheUpdateOp>)
      return true;
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(op);
    SmallVector<Value> operands, results;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = operand.get();
      if (isa<TensorType>(value.getType())) {
        FailureOr<Value> buffer = getBuffer(rewriter, value, options, state);
        if (failed(buffer))
          return failure();
        value = *buffer;
      }
      operands.push_back(value);
      if (cast<DestinationStyleOpInterface>(op).isDpsInit(&operand))
        results.push_back(value);
    }
    clone(rewriter, op, /*newResultTypes=*/TypeRange(), operands);
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// Bytes of the mapped, read-only archive.
struct ArchiveModel
    : public BufferizableOpInterface::ExternalModel<ArchiveModel, ArchiveOp> {
  bool bufferizesToAllocation(Operation *, Value) const { return false; }

  bool isWritable(Operation *, Value, const AnalysisState &) const {
    return false;
  }

  AliasingOpOperandList getAliasingOpOperands(Operation *, Value,
                                              const AnalysisState &) const {
    return {};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &,
                          BufferizationState &) const {
    auto archive = cast<ArchiveOp>(op);
    auto type = dyn_cast<RankedTensorType>(archive.getType());
    if (!type)
      return success();
    auto buffer = cast<MemRefType>(getMemRefTypeWithStaticIdentityLayout(type));
    replaceOpWithNewBufferizedOp<ArchiveOp>(
        rewriter, op, buffer, archive.getEntryAttr(), archive.getOffsetAttr());
    return success();
  }
};

} // namespace

template <typename... Ops>
static void attachDestinationModels(MLIRContext *context) {
  (Ops::template attachInterface<DestinationModel<Ops>>(*context), ...);
}

void bitnet::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, BitNetDialect *) {
    attachDestinationModels<QuantizeOp, PrepareOp, MatmulOp, RescaleOp,
                            LinearOp, NormOp, RotaryOp, CacheUpdateOp,
                            AttentionOp, TopLogitsOp>(context);
    ArchiveOp::attachInterface<ArchiveModel>(*context);
    context->getOrLoadDialect<memref::MemRefDialect>();
  });
}
