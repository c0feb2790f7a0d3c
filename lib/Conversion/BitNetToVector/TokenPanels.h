//===- TokenPanels.h - A tile of packed rows by many tokens ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a few tokens at a time meet packed codes, each few unpack them again,
// on the ports that multiply. A panel of tokens unpacks a chunk of a tile once,
// into memory that the nearest cache holds.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_TOKENPANELS_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_TOKENPANELS_H

#include "InnerLoop.h"

namespace bitnet {

/// What panels have in common, whatever multiplies their codes: a chunk of
/// blocks is unpacked, and the sums of all tokens go on from it.
class Panel {
public:
  Panel(KernelBuilder &b, const PanelTask &task)
      : b(b), task(task), matmul(task.matmul), packing(*task.matmul.packing),
        target(task.target), lanes(task.target.getLanes(32)),
        fields(packing.getFields()), vectors(packing.getRows() / lanes) {}

protected:
  /// Some tokens of the panel, and `vectorsAtOnce` vectors of its tile.
  struct Part {
    Value token;
    int64_t tokens;
    Value vector;
  };

  /// Visits the chunks of K by their first blocks and numbers of blocks, the
  /// last one by `visitLast`.
  void overChunks(llvm::function_ref<void(Value, Value)> visit,
                  llvm::function_ref<void(Value, Value)> visitLast);
  int64_t getLastChunk() const {
    return (llvm::divideCeil(matmul.getBlocks(), chunk) - 1) * chunk;
  }

  /// Unpacks `count` blocks from `first` on, of some vectors. `place` says
  /// where the codes of four K go: by such a step, counted from the first
  /// block's, and by vector. `streams`: later blocks are asked for meanwhile.
  void unpack(Value first, Value count, Value vector, int64_t some,
              llvm::function_ref<Value(Value step, int64_t vector)> place,
              bool streams = false);

  /// Where a block of the tile is in the weights.
  Value blockAt(Value block);

  /// Asks for what the end of a part will touch. One memref a chunk, the last
  /// of them in that before the last one: few lines at a time.
  void fetchTouched(Value first, const Part &part);

  KernelBuilder &b;
  const PanelTask &task;
  const LowBitMatmul &matmul;
  PackingAttr packing;
  const VectorTarget &target;
  int64_t lanes, fields, vectors;
  int64_t chunk = 1; // in blocks
  int64_t vectorsAtOnce = 1;
  Value codes; // of a chunk
};

/// By products of tiles of 16 x 64 by 64 x 16 bytes (TilePanels.cpp).
void emitTilePanel(KernelBuilder &b, const PanelTask &task);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_TOKENPANELS_H
