//===- PlanMemory.cpp - One workspace for an entry's buffers --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/Support/MathExtras.h"

namespace bitnet {
#define GEN_PASS_DEF_PLANMEMORY
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// A static buffer: its uses span the ops `first` to `last` of the entry.
struct Buffer {
  memref::AllocOp alloc;
  uint64_t bytes = 0;
  unsigned first = 0;
  unsigned last = 0;
  uint64_t offset = 0;

  bool livesWith(const Buffer &other) const {
    return first <= other.last && other.first <= last;
  }
};

bool isPlannable(MemRefType type) {
  return type.hasStaticShape() && type.getLayout().isIdentity() &&
         type.getElementType().isIntOrIndexOrFloat();
}

uint64_t getBytes(MemRefType type) {
  Type element = type.getElementType();
  uint64_t bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  return type.getNumElements() * llvm::divideCeil(bits, 8);
}

/// Where the buffers of one entry are used.
class Liveness {
public:
  explicit Liveness(func::FuncOp entry)
      : body(entry.getBody().front()), views(entry) {
    unsigned position = 0;
    for (Operation &op : body)
      positions[&op] = position++;
  }

  /// The span of a buffer, nothing where a loop carries it.
  bool compute(Buffer &buffer) const {
    buffer.first = positions.lookup(&body.back());
    buffer.last = positions.lookup(body.findAncestorOpInBlock(*buffer.alloc));
    for (Value view : views.resolve(buffer.alloc))
      for (Operation *user : view.getUsers()) {
        if (isCarriedBy(user))
          return false;
        // The view itself touches no memory of what it views, though it may
        // read its shape from another buffer.
        if (auto viewOp = dyn_cast<ViewLikeOpInterface>(user);
            viewOp && viewOp.getViewSource() == view &&
            user->getBlock() == &body)
          continue;
        unsigned use = positions.lookup(body.findAncestorOpInBlock(*user));
        buffer.first = std::min(buffer.first, use);
        buffer.last = std::max(buffer.last, use);
      }
    buffer.first = std::min(buffer.first, buffer.last);
    return true;
  }

  /// The last op of the buffer's block that uses it; null where it leaves the
  /// block.
  Operation *findLastUse(memref::AllocOp alloc) const {
    Block *block = alloc->getBlock();
    Operation *last = alloc;
    for (Value view : views.resolve(alloc))
      for (Operation *user : view.getUsers()) {
        Operation *ancestor = block->findAncestorOpInBlock(*user);
        if (!ancestor || ancestor == block->getTerminator())
          return nullptr;
        if (last->isBeforeInBlock(ancestor))
          last = ancestor;
      }
    return last;
  }

private:
  static bool isCarriedBy(Operation *user) {
    if (isa<LoopLikeOpInterface>(user))
      return true;
    return user->hasTrait<OpTrait::IsTerminator>() &&
           isa<LoopLikeOpInterface>(user->getParentOp());
  }

  Block &body;
  BufferViewFlowAnalysis views;
  DenseMap<Operation *, unsigned> positions;
};

/// Gives `buffer` the smallest gap between the placed buffers that live with
/// it. `placed` is sorted by offset. Returns where the buffer ends.
uint64_t place(Buffer &buffer, SmallVectorImpl<Buffer *> &placed,
               uint64_t alignment) {
  uint64_t end = 0;
  uint64_t bestGap = UINT64_MAX;
  std::optional<uint64_t> best;
  for (Buffer *other : placed) {
    if (!other->livesWith(buffer))
      continue;
    if (other->offset >= end + buffer.bytes && other->offset - end < bestGap) {
      bestGap = other->offset - end;
      best = end;
    }
    end = std::max(end, llvm::alignTo(other->offset + other->bytes, alignment));
  }
  buffer.offset = best.value_or(end);
  auto *position = llvm::upper_bound(placed, &buffer, [](Buffer *a, Buffer *b) {
    return a->offset < b->offset;
  });
  placed.insert(position, &buffer);
  return buffer.offset + buffer.bytes;
}

/// Places the largest first, and returns the bytes of the workspace.
uint64_t assignOffsets(MutableArrayRef<Buffer> buffers, uint64_t alignment) {
  SmallVector<Buffer *> order =
      llvm::map_to_vector(buffers, [](Buffer &buffer) { return &buffer; });
  // Of equal sizes, the first in the entry first.
  llvm::sort(order, [](Buffer *a, Buffer *b) {
    return std::make_pair(b->bytes, a) < std::make_pair(a->bytes, b);
  });
  SmallVector<Buffer *> placed;
  uint64_t total = 0;
  for (Buffer *buffer : order)
    total = std::max(total, place(*buffer, placed, alignment));
  return llvm::alignTo(total, alignment);
}

struct PlanMemoryPass : public bitnet::impl::PlanMemoryBase<PlanMemoryPass> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    if (alignment <= 0 || !llvm::isPowerOf2_64(alignment)) {
      getOperation().emitError("alignment must be a power of two, not ")
          << alignment.getValue();
      return signalPassFailure();
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("bitnet.entry") && failed(plan(function)))
        return signalPassFailure();
  }

private:
  LogicalResult plan(func::FuncOp entry) {
    if (!llvm::hasSingleElement(entry.getBody()))
      return entry.emitError("an entry must be one block");
    if (entry->hasAttr("bitnet.workspace"))
      return entry.emitError("the entry's memory is planned already");
    SmallVector<Buffer> buffers;
    SmallVector<memref::AllocOp> kept;
    Liveness liveness(entry);
    entry.walk([&](memref::AllocOp alloc) {
      Buffer buffer{alloc};
      if (isPlannable(alloc.getType()) && liveness.compute(buffer)) {
        buffer.bytes = getBytes(alloc.getType());
        unplanned += llvm::alignTo(buffer.bytes, alignment);
        buffers.push_back(buffer);
      } else {
        kept.push_back(alloc);
      }
    });
    freeAfterLastUse(kept, liveness);
    uint64_t bytes = assignOffsets(buffers, alignment);
    addArguments(entry);
    replace(entry, buffers);
    entry->setAttr("bitnet.workspace",
                   Builder(&getContext()).getI64IntegerAttr(bytes));
    workspace += bytes;
    return success();
  }

  void freeAfterLastUse(ArrayRef<memref::AllocOp> allocs,
                        const Liveness &liveness) {
    for (memref::AllocOp alloc : allocs) {
      Operation *last = liveness.findLastUse(alloc);
      if (!last)
        continue;
      OpBuilder builder(&getContext());
      builder.setInsertionPointAfter(last);
      memref::DeallocOp::create(builder, alloc.getLoc(), alloc);
    }
  }

  void addArguments(func::FuncOp entry) {
    Type bytes = MemRefType::get({ShapedType::kDynamic},
                                 IntegerType::get(&getContext(), 8));
    (void)entry.insertArguments({0, 0}, {bytes, bytes}, {{}, {}},
                                {entry.getLoc(), entry.getLoc()});
  }

  void replace(func::FuncOp entry, ArrayRef<Buffer> buffers) {
    for (const Buffer &buffer : buffers) {
      memref::AllocOp alloc = buffer.alloc;
      OpBuilder builder(alloc);
      Value offset = arith::ConstantIndexOp::create(builder, alloc.getLoc(),
                                                    buffer.offset);
      Value view =
          memref::ViewOp::create(builder, alloc.getLoc(), alloc.getType(),
                                 entry.getArgument(1), offset, ValueRange());
      alloc.replaceAllUsesWith(view);
      alloc.erase();
    }
  }
};

} // namespace
