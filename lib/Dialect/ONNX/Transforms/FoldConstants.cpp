//===- FoldConstants.cpp - Evaluate ops on constants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Ops of all functions whose inputs are constants become nodes of one graph, in
// which equal ops are one node. Then nodes are evaluated in order, each result
// freed after its last use, and those that remaining ops use become constants.
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/Dialect/ONNX/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace bitnet::onnx {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "bitnet/Dialect/ONNX/Transforms/Passes.h.inc"

namespace {
/// One result of a node.
using ValueId = std::pair<unsigned, unsigned>;

/// A constant, or an op on results of earlier nodes.
struct Node {
  ElementsAttr constant;
  Operation *op = nullptr;
  SmallVector<std::optional<ValueId>> operands;
  Results results;
  /// Evaluations that still read the results.
  unsigned pendingUses = 0;
  /// The results that remaining ops use.
  SmallVector<ElementsAttr> attributes;
  SmallVector<bool> wanted;
  bool needed = false;
};

class Folder {
public:
  explicit Folder(ModuleOp module) : module(module) {
    addElementwiseKernels(kernels);
    addMovementKernels(kernels);
    addReductionKernels(kernels);
  }

  void run();
  /// Frees large constants that only evaluated ops used.
  void release();

  unsigned numFolded = 0, numMaterialized = 0;

private:
  bool hasKernel(Operation *op) const;
  bool isWorthKeeping(Operation *op) const;
  void findFoldable();
  void intern();
  unsigned internNode(Operation *op);
  void markNeeded();
  bool evaluate();
  bool evaluateNode(Node &node);
  void rewrite();

  template <typename Action>
  void forEachOp(Action &&action, bool reverse = false) {
    for (auto function : module.getOps<func::FuncOp>())
      for (Block &block : function.getBody()) {
        if (reverse)
          for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
            action(&op);
        else
          for (Operation &op : llvm::make_early_inc_range(block))
            action(&op);
      }
  }

  ModuleOp module;
  KernelTable kernels;
  /// Ops that evaluate, and those that turned out not to.
  llvm::DenseSet<Operation *> foldable, refused;
  std::vector<Node> nodes;
  llvm::DenseMap<Attribute, unsigned> constants;
  /// Nodes by a hash of op and operands.
  llvm::DenseMap<llvm::hash_code, SmallVector<unsigned, 1>> nodesByHash;
  llvm::DenseMap<Value, ValueId> ids;
};
} // namespace

//===----------------------------------------------------------------------===//
// Choosing
//===----------------------------------------------------------------------===//

bool Folder::hasKernel(Operation *op) const {
  if (!isa<ONNXDialect>(op->getDialect()) || op->getNumOperands() == 0)
    return false;
  if (!kernels.count(op->getName().stripDialect()) || refused.contains(op))
    return false;
  // Kernels hold integers as int64_t.
  auto isOurs = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return isa<NoneType>(type) ||
           (tensor && isa<IntegerType, FloatType>(tensor.getElementType()) &&
            !tensor.getElementType().isUnsignedInteger(64) &&
            tensor.getElementType().getIntOrFloatBitWidth() <= 64);
  };
  return llvm::all_of(op->getOperandTypes(), isOurs) &&
         llvm::all_of(op->getResultTypes(), isOurs);
}

static bool isLarge(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() &&
         getStorageBytes(tensor) > kMaxInlineBytes;
}

/// Whether the op makes f32 of a large constant of 16-bit floats.
static bool isWidening(Operation *op) {
  auto cast = dyn_cast_or_null<CastOp>(op);
  if (!cast || !isLarge(cast.getType()))
    return false;
  Type from = getElementTypeOrSelf(cast.getInput().getType());
  return (from.isBF16() || from.isF16()) &&
         getElementTypeOrSelf(cast.getType()).isF32();
}

/// Whether an op with users that remain should remain too, as its result costs
/// more memory than its inputs: see the pass's description.
bool Folder::isWorthKeeping(Operation *op) const {
  if (isa<ExpandOp, TileOp, ConstantOfShapeOp>(op)) {
    auto result = cast<RankedTensorType>(op->getResult(0).getType());
    return isLarge(result) || !result.hasStaticShape();
  }
  // Tables and matrices are read as they are stored.
  if (isWidening(op))
    return llvm::all_of(op->getUsers(), [](Operation *user) {
      return isa<GatherOp, MatMulOp, GemmOp, TransposeOp>(user);
    });
  auto transpose = dyn_cast<TransposeOp>(op);
  if (!transpose || !isLarge(transpose.getType()))
    return false;
  if (isWidening(transpose.getData().getDefiningOp()))
    return llvm::all_of(op->getUsers(), llvm::IsaPred<MatMulOp, GemmOp>);
  return llvm::any_of(transpose.getData().getUsers(), [&](Operation *user) {
    return user != op && !foldable.contains(user);
  });
}

void Folder::findFoldable() {
  foldable.clear();
  forEachOp([&](Operation *op) {
    auto isConstant = [&](Value operand) {
      Operation *def = operand.getDefiningOp();
      return def && (isa<ConstantOp, NoValueOp>(def) || foldable.contains(def));
    };
    if (hasKernel(op) && llvm::all_of(op->getOperands(), isConstant))
      foldable.insert(op);
  });
  // Users come after their operands: once an op is left, what it reads is
  // wanted.
  forEachOp(
      [&](Operation *op) {
        if (!foldable.contains(op))
          return;
        bool isRead = llvm::any_of(op->getUsers(), [&](Operation *user) {
          return !foldable.contains(user);
        });
        // Another op's result must keep its type.
        bool fixesType = llvm::any_of(op->getUsers(), [&](Operation *user) {
          return !isa<ONNXDialect>(user->getDialect());
        });
        bool isDynamic = llvm::any_of(op->getResultTypes(), [](Type type) {
          return !cast<ShapedType>(type).hasStaticShape();
        });
        if (((isRead && isWorthKeeping(op)) || (fixesType && isDynamic)))
          foldable.erase(op);
      },
      /*reverse=*/true);
}

//===----------------------------------------------------------------------===//
// The graph of constants
//===----------------------------------------------------------------------===//

unsigned Folder::internNode(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto [it, isNew] = constants.try_emplace(constant.getValue(), nodes.size());
    if (isNew)
      nodes.emplace_back().constant = constant.getValue();
    return it->second;
  }
  SmallVector<std::optional<ValueId>> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isAbsent(operand)
                           ? std::nullopt
                           : std::optional<ValueId>(ids.at(operand)));
  DictionaryAttr attributes = DictionaryAttr::get(op->getContext(), [&] {
    NamedAttrList inherent;
    for (NamedAttribute attr : op->getAttrDictionary())
      if (attr.getName() != "onnx.dims")
        inherent.push_back(attr);
    return llvm::to_vector(inherent.getAttrs());
  }());
  llvm::hash_code hash = llvm::hash_combine(op->getName(), attributes);
  for (const auto &operand : operands)
    hash = llvm::hash_combine(hash, operand ? operand->first + 1 : 0,
                              operand ? operand->second : 0);
  auto withoutDims = [](Operation *other) {
    NamedAttrList list(other->getAttrDictionary());
    list.erase("onnx.dims");
    return list.getDictionary(other->getContext());
  };
  auto elementTypes = [](Operation *other) {
    return llvm::map_range(other->getResultTypes(),
                           [](Type t) { return getElementTypeOrSelf(t); });
  };
  for (unsigned id : nodesByHash[hash]) {
    Operation *other = nodes[id].op;
    if (other->getName() == op->getName() && nodes[id].operands == operands &&
        withoutDims(other) == attributes &&
        llvm::equal(elementTypes(other), elementTypes(op)))
      return id;
  }
  unsigned id = nodes.size();
  nodesByHash[hash].push_back(id);
  Node &node = nodes.emplace_back();
  node.op = op;
  node.operands = std::move(operands);
  return id;
}

void Folder::intern() {
  nodes.clear();
  constants.clear();
  nodesByHash.clear();
  ids.clear();
  forEachOp([&](Operation *op) {
    if (!isa<ConstantOp>(op) && !foldable.contains(op))
      return;
    unsigned id = internNode(op);
    for (OpResult result : op->getResults())
      ids[result] = {id, result.getResultNumber()};
  });
}

/// Counts the uses of what evaluation has to compute.
void Folder::markNeeded() {
  forEachOp([&](Operation *op) {
    if (foldable.contains(op))
      return;
    for (Value operand : op->getOperands()) {
      auto id = ids.find(operand);
      if (id == ids.end())
        continue;
      Node &node = nodes[id->second.first];
      node.needed = true;
      if (node.op) {
        node.wanted.resize(node.op->getNumResults());
        node.wanted[id->second.second] = true;
      }
    }
  });
  for (Node &node : llvm::reverse(nodes)) {
    if (!node.op || (!node.needed && node.pendingUses == 0))
      continue;
    for (const std::optional<ValueId> &operand : node.operands)
      if (operand)
        ++nodes[operand->first].pendingUses;
  }
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

bool Folder::evaluateNode(Node &node) {
  if (node.constant) {
    std::optional<Tensor> value = Tensor::get(node.constant);
    if (value)
      node.results.push_back(std::move(*value));
    return value.has_value();
  }
  SmallVector<const Tensor *> operands;
  for (const std::optional<ValueId> &operand : node.operands)
    operands.push_back(operand ? &nodes[operand->first].results[operand->second]
                               : nullptr);
  const Kernel &kernel =
      kernels.find(node.op->getName().stripDialect())->second;
  if (failed(kernel({node.op, operands}, node.results)))
    return false;
  for (auto [result, type] :
       llvm::zip_equal(node.results, node.op->getResultTypes()))
    if (failed(verifyCompatibleShape(result.getType(), type)))
      return false;
  return true;
}

/// False if an op could not be evaluated; it is then among those refused.
bool Folder::evaluate() {
  for (Node &node : nodes) {
    if (!node.needed && node.pendingUses == 0)
      continue;
    // Constants are read only by what needs them.
    if (node.constant && node.pendingUses == 0)
      continue;
    if (!evaluateNode(node)) {
      forEachOp([&](Operation *op) {
        for (Value value : op->getResults())
          if (auto id = ids.find(value);
              id != ids.end() && &nodes[id->second.first] == &node)
            refused.insert(op);
        // Constants without data feed nothing that evaluates.
        if (node.constant)
          for (Value operand : op->getOperands())
            if (auto id = ids.find(operand);
                id != ids.end() && &nodes[id->second.first] == &node)
              refused.insert(op);
      });
      return false;
    }
    for (const std::optional<ValueId> &operand : node.operands)
      if (operand && --nodes[operand->first].pendingUses == 0)
        nodes[operand->first].results.clear();
    if (!node.op)
      continue;
    StringRef name = "folded";
    if (auto loc = dyn_cast<NameLoc>(node.op->getLoc()))
      name = loc.getName();
    node.attributes.resize(node.op->getNumResults());
    for (auto [i, wanted] : llvm::enumerate(node.wanted))
      if (wanted) {
        node.attributes[i] = node.results[i].getConstant(name);
        ++numMaterialized;
      }
    if (node.pendingUses == 0)
      node.results.clear();
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

void Folder::rewrite() {
  OpBuilder builder(module.getContext());
  forEachOp([&](Operation *op) {
    if (!foldable.contains(op))
      return;
    builder.setInsertionPoint(op);
    for (OpResult result : op->getResults()) {
      auto [id, number] = ids.at(result);
      const Node &node = nodes[id];
      if (number >= node.attributes.size() || !node.attributes[number])
        continue;
      Value constant =
          ConstantOp::create(builder, op->getLoc(), node.attributes[number]);
      result.replaceUsesWithIf(constant, [&](OpOperand &use) {
        return !foldable.contains(use.getOwner());
      });
    }
  });
  forEachOp(
      [&](Operation *op) {
        if (!foldable.contains(op) && !isa<ConstantOp, NoValueOp>(op))
          return;
        if (!op->use_empty())
          return;
        numFolded += foldable.erase(op);
        op->erase();
      },
      /*reverse=*/true);
}

void Folder::run() {
  do {
    findFoldable();
    intern();
    markNeeded();
  } while (!evaluate());
  rewrite();
}

void Folder::release() {
  llvm::DenseSet<Attribute> used;
  module.walk([&](ConstantOp op) { used.insert(op.getValue()); });
  // Attributes of one resource may differ in type.
  llvm::DenseSet<void *> kept;
  for (Attribute attr : used)
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr))
      kept.insert(resource.getRawHandle().getResource());
  for (auto &[attr, id] : constants)
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr))
      if (!kept.contains(resource.getRawHandle().getResource()))
        DenseResourceElementsHandle::getManagerInterface(module.getContext())
            .getBlobManager()
            .update(resource.getRawHandle().getKey(), AsmResourceBlob());
}

namespace {
struct FoldConstants : impl::FoldConstantsBase<FoldConstants> {
  using FoldConstantsBase::FoldConstantsBase;

  void runOnOperation() override {
    Folder folder(getOperation());
    folder.run();
    if (release)
      folder.release();
    numFolded += folder.numFolded;
    numMaterialized += folder.numMaterialized;
  }
};
} // namespace

} // namespace bitnet::onnx
