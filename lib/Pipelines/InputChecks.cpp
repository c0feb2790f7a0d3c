//===- InputChecks.cpp - What is wrong before the work begins -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InputChecks.h"

#include "bitnet/Pipelines/Manifest.h"
#include "bitnet/Support/RawElements.h"
#include "bitnet/Target/GPU/DeviceTarget.h"
#include "bitnet/Target/OutputFile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace bitnet;

static llvm::Error checkFile(StringRef what, StringRef path,
                             ArrayRef<StringRef> others) {
  for (StringRef other : others)
    if (!other.empty() &&
        (path == other || llvm::sys::fs::equivalent(path, other)))
      return llvm::createStringError("the " + what + " '" + path +
                                     "' is an input or another output: "
                                     "expected another file");
  if (std::error_code code = probeOutputFile(path))
    return llvm::createStringError("cannot write the " + what + " '" + path +
                                   "': " + code.message());
  return llvm::Error::success();
}

llvm::Error bitnet::checkFiles(const CompileOptions &options) {
  if (llvm::Error error = checkFile("output", options.output,
                                    {options.input, options.tokenizer}))
    return error;
  if (options.report.empty())
    return llvm::Error::success();
  return checkFile("report", options.report,
                   {options.input, options.tokenizer, options.output});
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

static LogicalResult verifyEntry(func::FuncOp entry) {
  auto check = [&](ArrayRef<Type> types, StringRef what) -> LogicalResult {
    for (auto [i, type] : llvm::enumerate(types)) {
      auto shaped = dyn_cast<ShapedType>(type);
      bool isOurs = isa<RankedTensorType, MemRefType>(type) &&
                    getDataType(shaped.getElementType()) != 0;
      // The position of a cached entry.
      if (!isOurs && !type.isIndex())
        return entry.emitError(what)
               << " #" << i << " of an entry must be a ranked tensor of floats "
               << "or integers that ONNX has, not " << type;
    }
    return success();
  };
  if (failed(check(entry.getArgumentTypes(), "argument")))
    return failure();
  return check(entry.getResultTypes(), "result");
}

static int64_t countBytes(ShapedType type) {
  return type.getNumElements() *
         llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

static LogicalResult verifyConstant(arith::ConstantOp op) {
  auto value = dyn_cast<DenseResourceElementsAttr>(op.getValue());
  if (!value || !value.getElementType().isIntOrFloat())
    return success();
  int64_t expected = countBytes(value.getType());
  int64_t actual = getRawBytes(value).size();
  if (actual < expected)
    return op.emitError("constant has ")
           << actual << " bytes of data, expected " << expected;
  return success();
}

/// The bytes of the archive's entries by name and offset.
static llvm::StringMap<std::pair<int64_t, int64_t>>
readArchive(ModuleOp module) {
  llvm::StringMap<std::pair<int64_t, int64_t>> entries;
  auto archive = module->getAttrOfType<ArrayAttr>("bitnet.archive");
  if (!archive)
    return entries;
  for (Attribute element : archive) {
    auto entry = dyn_cast<DictionaryAttr>(element);
    if (!entry)
      continue;
    auto name = entry.getAs<StringAttr>("name");
    auto offset = entry.getAs<IntegerAttr>("offset");
    auto value = dyn_cast_or_null<ElementsAttr>(entry.get("value"));
    if (!name || !offset || !value)
      continue;
    int64_t bytes = getRawBytes(value).size();
    // A splat's data is that of one element.
    if (isa<DenseElementsAttr>(value))
      bytes = countBytes(value.getShapedType());
    entries[name] = {offset.getInt(), bytes};
  }
  return entries;
}

static LogicalResult
verifyReference(ArchiveOp op,
                const llvm::StringMap<std::pair<int64_t, int64_t>> &entries) {
  auto entry = entries.find(op.getEntry());
  if (entry == entries.end())
    return op.emitError("the module's bitnet.archive has no entry '")
           << op.getEntry() << "'";
  auto [offset, bytes] = entry->second;
  int64_t needed = countBytes(cast<ShapedType>(op.getType()));
  if (op.getOffset() != static_cast<uint64_t>(offset) || bytes < needed)
    return op.emitError("reads ")
           << needed << " bytes at " << op.getOffset() << ", but entry '"
           << op.getEntry() << "' has " << bytes << " bytes at " << offset;
  return success();
}

LogicalResult bitnet::verifyModel(ModuleOp module) {
  for (auto func : module.getOps<func::FuncOp>())
    if (func->hasAttr("bitnet.entry") && failed(verifyEntry(func)))
      return failure();
  auto entries = readArchive(module);
  WalkResult result = module.walk([&](Operation *op) -> WalkResult {
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      return verifyConstant(constant);
    if (auto reference = dyn_cast<ArchiveOp>(op))
      return verifyReference(reference, entries);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static LogicalResult checkLoweringOption(ModuleOp module, Phase phase,
                                         Lowering wanted) {
  if (wanted == Lowering::Auto || phase < Phase::Packed)
    return success();
  auto report = [&](StringRef has) {
    return emitError(UnknownLoc::get(module.getContext()))
           << "--lowering=" << stringifyLowering(wanted)
           << " comes too late: " << has << "; give it with onnx or bitnet IR";
  };
  if (phase >= Phase::Loops)
    return report("the matmuls of loops IR are lowered");
  std::optional<Lowering> other;
  auto check = [&](auto op) {
    if (op.getLowering() != wanted)
      other = op.getLowering();
  };
  module.walk([&](LinearOp op) { check(op); });
  module.walk([&](MatmulOp op) { check(op); });
  return other ? report(("a matmul of this packed IR has '" +
                         stringifyLowering(*other) + "'")
                            .str())
               : success();
}

/// The element type of the module's caches; null where none is in place.
static Type findCacheElement(ModuleOp module) {
  for (auto func : module.getOps<func::FuncOp>()) {
    auto kind = func->getAttrOfType<StringAttr>("bitnet.entry");
    if (!kind || kind.getValue() == "main")
      continue;
    for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
      if (func.getArgAttr(i, "bitnet.state"))
        return cast<ShapedType>(type).getElementType();
  }
  return {};
}

static LogicalResult checkCacheOption(ModuleOp module, Phase phase,
                                      CacheType wanted) {
  if (wanted == CacheType::F32 || phase < Phase::BitNet)
    return success();
  Type element = findCacheElement(module);
  std::string actual;
  llvm::raw_string_ostream(actual) << element;
  if (!element || actual == stringifyCacheType(wanted))
    return success();
  return emitError(UnknownLoc::get(module.getContext()))
         << "--cache-type=" << stringifyCacheType(wanted)
         << " comes too late: the cache of this IR is " << actual
         << "; give it with onnx IR";
}

static LogicalResult checkPackingOption(ModuleOp module, Phase phase,
                                        PackingScheme wanted,
                                        ArrayRef<TargetAttr> targets) {
  if (wanted == PackingScheme::Planes2)
    return success();
  auto report = [&]() {
    return emitError(UnknownLoc::get(module.getContext()))
           << "--ternary-packing=" << stringifyPackingScheme(wanted);
  };
  if (phase >= Phase::Packed)
    return report() << " comes too late: the weights are packed; give it with "
                       "onnx or bitnet IR";
  for (TargetAttr target : targets)
    if (isDevice(target))
      return report() << " serves CPUs, not " << target.getName()
                      << ": use planes2 there";
  return success();
}

static LogicalResult checkTargetOption(ModuleOp module, Phase phase,
                                       StringRef list,
                                       ArrayRef<TargetAttr> targets) {
  if (phase < Phase::Loops)
    return success();
  auto own = module->getAttrOfType<TargetAttr>("bitnet.target");
  if (!own)
    return module.emitError("loops IR must have a bitnet.target");
  if (list.empty() ||
      (targets.size() == 1 && targets.front().getName() == own.getName()))
    return success();
  return emitError(UnknownLoc::get(module.getContext()))
         << "--target=" << list << " comes too late: this loops IR is for "
         << own.getName();
}

LogicalResult bitnet::checkOptions(ModuleOp module, Phase phase,
                                   const CompileOptions &options,
                                   ArrayRef<TargetAttr> targets) {
  if (failed(checkLoweringOption(module, phase, options.phases.lowering)) ||
      failed(checkPackingOption(module, phase, options.phases.ternaryPacking,
                                targets)) ||
      failed(checkCacheOption(module, phase, options.phases.cacheType)) ||
      failed(checkTargetOption(module, phase, options.target, targets)))
    return failure();
  bool isDecoder =
      llvm::any_of(module.getOps<func::FuncOp>(), [](func::FuncOp func) {
        auto kind = func->getAttrOfType<StringAttr>("bitnet.entry");
        return kind && kind.getValue() != "main";
      });
  if (!isDecoder)
    for (const std::string &option : options.decoderOptions)
      emitWarning(UnknownLoc::get(module.getContext()))
          << option
          << " has no effect: the model is no decoder with a KV cache";
  return success();
}
