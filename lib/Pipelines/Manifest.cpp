//===- Manifest.cpp - What an artifact says of itself ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/Manifest.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace bitnet;

uint32_t bitnet::getDataType(Type type) {
  if (type.isF32())
    return 1;
  if (type.isF16())
    return 10;
  if (type.isF64())
    return 11;
  if (type.isBF16())
    return 16;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return 0;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return 9;
  case 4:
    return isUnsigned ? 21 : 22;
  case 8:
    return isUnsigned ? 2 : 3;
  case 16:
    return isUnsigned ? 4 : 5;
  case 32:
    return isUnsigned ? 12 : 6;
  case 64:
    return isUnsigned ? 13 : 7;
  }
  return 0;
}

void bitnet::recordElementTypes(ModuleOp module) {
  Builder b(module.getContext());
  for (auto func : module.getOps<func::FuncOp>()) {
    auto dtype = [&](Type type) {
      return b.getI64IntegerAttr(getDataType(getElementTypeOrSelf(type)));
    };
    for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
      func.setArgAttr(i, "bitnet.dtype", dtype(type));
    for (auto [i, type] : llvm::enumerate(func.getResultTypes()))
      func.setResultAttr(i, "bitnet.dtype", dtype(type));
  }
}

/// 0 where `op` is no matmul or its size is not known.
static int64_t countMultiplyAdds(Operation *op) {
  if (isa<LinearOp, MatmulOp>(op)) {
    auto result = cast<ShapedType>(op->getResult(0).getType());
    auto linear = dyn_cast<LinearOp>(op);
    int64_t columns = linear ? linear.getK() : cast<MatmulOp>(op).getK();
    return result.hasStaticShape() ? result.getNumElements() * columns : 0;
  }
  auto contraction = dyn_cast<linalg::LinalgOp>(op);
  if (!contraction || !linalg::isaContractionOpInterface(contraction))
    return 0;
  int64_t product = 1;
  for (int64_t extent : contraction.getStaticLoopRanges())
    product = ShapedType::isDynamic(extent) ? 0 : product * extent;
  return product;
}

/// Whether the op reads all of an operand: a screened head does not, nor does a
/// gather, which takes elements of a table out of its body.
static bool readsWhole(OpOperand &use) {
  return !isa<TopLogitsOp, tensor::ExtractOp>(use.getOwner());
}

void bitnet::recordWork(ModuleOp module) {
  Builder b(module.getContext());
  for (auto entry : module.getOps<func::FuncOp>()) {
    int64_t macs = 0, bytes = 0;
    llvm::SmallDenseSet<StringAttr> read;
    entry.walk([&](Operation *op) {
      macs += countMultiplyAdds(op);
      auto archive = dyn_cast<ArchiveOp>(op);
      if (!archive || llvm::none_of(op->getUses(), readsWhole) ||
          !read.insert(archive.getEntryAttr()).second)
        return;
      auto type = cast<ShapedType>(archive.getType());
      bytes += type.getNumElements() *
               llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    });
    entry->setAttr("bitnet.macs", b.getI64IntegerAttr(macs));
    entry->setAttr("bitnet.weight_bytes", b.getI64IntegerAttr(bytes));
  }
}

static ArtifactTensor describe(Type type, DictionaryAttr attrs) {
  ArtifactTensor tensor;
  auto shaped = cast<ShapedType>(type);
  tensor.dtype = getDataType(shaped.getElementType());
  if (!attrs)
    attrs = DictionaryAttr::get(type.getContext());
  if (auto name = attrs.getAs<StringAttr>("onnx.name"))
    tensor.name = name.str();
  if (auto dtype = attrs.getAs<IntegerAttr>("bitnet.dtype"))
    tensor.dtype = dtype.getInt();
  auto symbols = attrs.getAs<ArrayAttr>("onnx.dims");
  for (int64_t i = 0; i < shaped.getRank(); ++i) {
    ArtifactDim dim;
    if (shaped.isDynamicDim(i)) {
      if (symbols && i < int64_t(symbols.size()))
        dim.symbol = cast<StringAttr>(symbols[i]).str();
    } else {
      dim.extent = shaped.getDimSize(i);
    }
    tensor.dims.push_back(dim);
  }
  return tensor;
}

/// The states of a cached entry: its arguments with bitnet.state.
static void describeStates(func::FuncOp func, ArtifactManifest &manifest) {
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes())) {
    auto number = func.getArgAttrOfType<IntegerAttr>(i, "bitnet.state");
    auto cache = dyn_cast<MemRefType>(type);
    if (!number || !cache)
      continue;
    size_t index = number.getInt();
    if (manifest.states.size() <= index)
      manifest.states.resize(index + 1);
    ArtifactState &state = manifest.states[index];
    if (auto name = func.getArgAttrOfType<StringAttr>(i, "onnx.name"))
      state.name = name.str();
    state.bytes = cache.getNumElements() * cache.getElementTypeBitWidth() / 8;
    manifest.maxContext = cache.getDimSize(2);
  }
}

FailureOr<ArtifactManifest> bitnet::buildManifest(ModuleOp module) {
  ArtifactManifest manifest;
  manifest.producer = "bitnet-mlir " BITNET_VERSION;
  for (auto func : module.getOps<func::FuncOp>()) {
    auto kind = func->getAttrOfType<StringAttr>("bitnet.entry");
    if (!kind)
      continue;
    ArtifactEntry entry;
    entry.name = func.getName().str();
    entry.kind = llvm::StringSwitch<bn_entry_kind>(kind.getValue())
                     .Case("main", BN_ENTRY_MAIN)
                     .Case("fill", BN_ENTRY_FILL)
                     .Case("top", BN_ENTRY_TOP)
                     .Default(BN_ENTRY_CACHED);
    if (auto bytes = func->getAttrOfType<IntegerAttr>("bitnet.workspace"))
      entry.workspaceBytes = bytes.getInt();
    if (auto macs = func->getAttrOfType<IntegerAttr>("bitnet.macs"))
      entry.macs = macs.getInt();
    if (auto bytes = func->getAttrOfType<IntegerAttr>("bitnet.weight_bytes"))
      entry.weightBytes = bytes.getInt();
    // The archive and the workspace come first.
    for (unsigned i = 2; i < func.getNumArguments(); ++i)
      if (isa<MemRefType>(func.getArgumentTypes()[i]) &&
          (entry.kind == BN_ENTRY_MAIN || !func.getArgAttr(i, "bitnet.state")))
        entry.inputs.push_back(
            describe(func.getArgumentTypes()[i], func.getArgAttrDict(i)));
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      entry.outputs.push_back(
          describe(func.getResultTypes()[i], func.getResultAttrDict(i)));
    if (entry.kind != BN_ENTRY_MAIN) {
      describeStates(func, manifest);
      size_t count = entry.kind == BN_ENTRY_TOP ? 2 : 1;
      if (entry.inputs.size() != count || entry.outputs.size() != count ||
          entry.inputs[0].dims.size() != 2 || entry.outputs[0].dims.empty())
        return func.emitError(
            "an entry of a decoder must map tokens [1, S] to logits");
      entry.tokens = entry.inputs[0].dims[1].extent;
      if (entry.kind == BN_ENTRY_CACHED)
        manifest.vocabulary = entry.outputs[0].dims.back().extent;
    }
    manifest.entries.push_back(std::move(entry));
  }
  if (manifest.entries.empty())
    return module.emitError(
        "has no entry: expected a function with the attribute bitnet.entry");
  return manifest;
}

llvm::Expected<std::vector<int64_t>>
bitnet::findStopTokens(StringRef tokenizerJson, ArrayRef<std::string> wanted) {
  static constexpr StringRef usual[] = {
      "</s>",       "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<eos>",
      "<|im_end|>", "<|end|>",       "<end_of_turn>",   "[EOS]"};
  std::vector<int64_t> ids;
  llvm::StringMap<int64_t> tokens;
  if (!tokenizerJson.empty()) {
    llvm::Expected<llvm::json::Value> json = llvm::json::parse(tokenizerJson);
    if (!json)
      return json.takeError();
    const llvm::json::Object *root = json->getAsObject();
    if (!root)
      return llvm::createStringError("expected a JSON object");
    if (const llvm::json::Array *added = root->getArray("added_tokens"))
      for (const llvm::json::Value &item : *added)
        if (const llvm::json::Object *token = item.getAsObject())
          if (auto content = token->getString("content"))
            if (auto id = token->getInteger("id"))
              tokens[*content] = *id;
  }
  for (StringRef text : wanted) {
    int64_t id;
    if (!text.getAsInteger(10, id) && id >= 0)
      ids.push_back(id);
    else if (auto it = tokens.find(text); it != tokens.end())
      ids.push_back(it->second);
    else
      return llvm::createStringError("the tokenizer has no added token '" +
                                     text + "'");
  }
  if (wanted.empty())
    for (StringRef text : usual)
      if (auto it = tokens.find(text); it != tokens.end())
        ids.push_back(it->second);
  return ids;
}
