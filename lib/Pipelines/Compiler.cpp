//===- Compiler.cpp - From a model's file to an artifact ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/Compiler.h"

#include "InputChecks.h"

#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"
#include "bitnet/Import/ImportONNX.h"
#include "bitnet/Pipelines/LoopsPhase.h"
#include "bitnet/Pipelines/Manifest.h"
#include "bitnet/Pipelines/Targets.h"
#include "bitnet/Support/RawElements.h"
#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/CPU/CodeGen.h"
#include "bitnet/Target/OutputFile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <chrono>
#include <future>
#include <sys/resource.h>

using namespace mlir;
using namespace bitnet;

namespace {

int64_t getPeakBytes() {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return int64_t(usage.ru_maxrss) * 1024;
}

/// Compiles one model, phase by phase, up to where the options say.
class Compilation {
public:
  /// `module` is null where the options name a file.
  Compilation(MLIRContext &context, OwningOpRef<ModuleOp> module,
              const CompileOptions &options, CompileReport &report,
              ProgressFn progress)
      : context(context), options(options), report(report), progress(progress),
        phaseOptions(options.phases), module(std::move(module)) {}

  LogicalResult run() {
    if (failed(readOptions()) || failed(load()) ||
        failed(checkOptions(*module, phase, options, variants)))
      return failure();
    if (failed(advance(Phase::BitNet, [&](OpPassManager &manager) {
          buildBitNetPhase(manager, options.phases);
        })))
      return failure();
    countLayers();
    if (failed(advance(Phase::Packed, [&](OpPassManager &manager) {
          phaseOptions.packingUnit = getPackingUnit(variants);
          buildPackedPhase(manager, phaseOptions);
        })))
      return failure();
    if (phase == Phase::Packed)
      recordWork(*module);
    if (options.stopAfter <= Phase::Packed)
      return writeModule(*module);
    return options.stopAfter == Phase::Artifact ? emitArtifact()
                                                : emitOneVariant();
  }

private:
  LogicalResult error(const Twine &message) {
    return emitError(UnknownLoc::get(&context)) << message;
  }
  LogicalResult error(llvm::Error failure) {
    return error(llvm::toString(std::move(failure)));
  }

  /// Runs `body` as the phase `name`, noting its time and memory.
  LogicalResult timed(StringRef name,
                      llvm::function_ref<LogicalResult()> body) {
    progress(name);
    auto start = std::chrono::steady_clock::now();
    LogicalResult result = body();
    std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now() - start;
    report.phases.push_back({name.str(), elapsed.count(), getPeakBytes()});
    return result;
  }

  LogicalResult readOptions() {
    if (llvm::Error failure = checkFiles(options))
      return error(std::move(failure));
    auto targets = parseTargets(&context, options.target);
    if (!targets)
      return error(targets.takeError());
    variants = std::move(*targets);
    phaseOptions.forDevice = llvm::any_of(variants, isDevice);
    for (TargetAttr variant : variants)
      report.variants.push_back(variant.getName().str());
    if (!options.tokenizer.empty()) {
      auto buffer = llvm::MemoryBuffer::getFile(options.tokenizer);
      if (!buffer)
        return error("cannot read the tokenizer '" + options.tokenizer +
                     "': " + buffer.getError().message());
      tokenizer = std::move(*buffer);
    }
    auto stops = findStopTokens(tokenizer ? tokenizer->getBuffer() : "",
                                options.stopTokens);
    if (!stops) {
      std::string where =
          options.tokenizer.empty() ? "" : "'" + options.tokenizer + "': ";
      return error(where + llvm::toString(stops.takeError()));
    }
    stopTokens = std::move(*stops);
    return success();
  }

  /// Begins at the phase of a module that was not imported.
  LogicalResult enterPhase(const Twine &name) {
    phase = detectPhase(*module);
    if (phase >= Phase::LLVM)
      return error(name + " is past the loops phase; expected onnx, bitnet, "
                          "packed or loops IR");
    return verifyModel(*module);
  }

  LogicalResult load() {
    if (module)
      return enterPhase("the module");
    StringRef input = options.input;
    if (input.ends_with(".mlir") || input.ends_with(".mlirbc")) {
      if (failed(timed("read", [&] {
            module = parseSourceFile<ModuleOp>(input, &context);
            return success(static_cast<bool>(module));
          })))
        return failure();
      return enterPhase("'" + input + "'");
    }
    if (failed(timed("import", [&] {
          ImportOptions import;
          import.chunks = options.chunks;
          import.outputs = {options.output};
          if (!options.report.empty())
            import.outputs.push_back(options.report);
          module = importONNX(input, context, import);
          return success(static_cast<bool>(module));
        })))
      return failure();
    recordElementTypes(*module);
    phase = Phase::ONNX;
    return runPasses("onnx", *module, [](OpPassManager &manager) {
      buildONNXPhase(manager, /*releaseWeights=*/true);
    });
  }

  LogicalResult runPasses(StringRef name, ModuleOp op,
                          llvm::function_ref<void(OpPassManager &)> build) {
    return timed(name, [&] {
      PassManager manager(&context);
      build(manager);
      return manager.run(op);
    });
  }

  /// Runs the phase `next` on the module, unless it is past it or is to stop
  /// before.
  LogicalResult advance(Phase next,
                        llvm::function_ref<void(OpPassManager &)> build) {
    if (phase >= next || options.stopAfter < next)
      return success();
    phase = next;
    return runPasses(getPhaseName(next), *module, build);
  }

  void countLayers() {
    if (phase != Phase::BitNet && phase != Phase::Packed)
      return;
    for (auto func : module->getOps<func::FuncOp>()) {
      CompileReport::EntryLayers layers;
      layers.name = func.getName().str();
      func.walk([&](Operation *op) {
        layers.linears += isa<LinearOp>(op);
        layers.quantizations += isa<QuantizeOp>(op);
        layers.norms += isa<NormOp>(op);
        layers.rotaries += isa<RotaryOp>(op);
        if (auto attention = dyn_cast<AttentionOp>(op)) {
          ++layers.attentions;
          layers.cachedAttentions += attention.getPosition() != nullptr;
        }
        layers.otherOps += isa<linalg::LinalgOp>(op);
      });
      report.entries.push_back(layers);
    }
  }

  LogicalResult writeFile(llvm::function_ref<void(llvm::raw_ostream &)> write) {
    llvm::Error failure =
        writeOutputFile(options.output, [&](llvm::raw_pwrite_stream &os) {
          write(os);
          return llvm::Error::success();
        });
    return failure ? error("cannot write " + llvm::toString(std::move(failure)))
                   : success();
  }

  LogicalResult writeModule(ModuleOp op) {
    return writeFile([&](llvm::raw_ostream &os) {
      OpPrintingFlags flags;
      flags.enableDebugInfo(true);
      op->print(os, flags);
      os << "\n";
    });
  }

  /// The module of a variant at the end of the loops phase.
  LogicalResult lowerVariant(TargetAttr variant,
                             OwningOpRef<ModuleOp> &result) {
    result = module->clone();
    // Only the packed module's archive is written.
    result.get()->removeAttr("bitnet.archive");
    if (isDevice(variant))
      (*result)->setAttr("bitnet.target", variant);
    else if (llvm::Error failure = setTarget(*result, variant))
      return error(std::move(failure));
    return runPasses(("loops " + variant.getName()).str(), *result,
                     [&](OpPassManager &manager) {
                       buildLoopsPhase(manager,
                                       getLoopsOptions(isDevice(variant)));
                     });
  }

  LogicalResult emitOneVariant() {
    if (phase == Phase::Loops) {
      variants = {(*module)->getAttrOfType<TargetAttr>("bitnet.target")};
    } else if (variants.size() != 1 && !options.target.empty()) {
      return error("--compile-to=" + getPhaseName(options.stopAfter) +
                   " writes the code of one variant; name one with --target");
    }
    // Without a --target: the best.
    TargetAttr variant = variants.back();
    OwningOpRef<ModuleOp> lowered;
    if (phase == Phase::Loops)
      lowered = module->clone();
    else if (failed(lowerVariant(variant, lowered)))
      return failure();
    if (options.stopAfter == Phase::Loops)
      return writeModule(*lowered);
    std::string assembly;
    if (failed(emitDevice(variant, *lowered, &assembly)))
      return failure();
    if (isDevice(variant) && options.stopAfter == Phase::Assembly)
      return writeFile([&](llvm::raw_ostream &os) { os << assembly; });
    if (options.stopAfter == Phase::LLVM) {
      if (failed(timed(("llvm " + variant.getName()).str(),
                       [&] { return lowerToLLVMDialect(*lowered); })))
        return failure();
      return writeModule(*lowered);
    }
    CodeGenBuffer code;
    CodeGenOutput kind = options.stopAfter == Phase::Assembly
                             ? CodeGenOutput::Assembly
                             : CodeGenOutput::Object;
    FailureOr<VariantCode> translated = translate(variant, *lowered);
    if (failed(translated))
      return failure();
    if (llvm::Error failure = generateCode(*translated, kind, code))
      return error(std::move(failure));
    return writeFile([&](llvm::raw_ostream &os) {
      os << StringRef(code.data(), code.size());
    });
  }

  LogicalResult emitArtifact() {
    if (phase == Phase::Loops)
      return error("an artifact needs the weights: expected onnx, bitnet or "
                   "packed IR");
    std::vector<CodeGenBuffer> codes(variants.size() + 1);
    std::vector<ArtifactVariant> describedVariants;
    std::vector<TargetAttr> hosts;
    std::optional<ArtifactManifest> manifest;
    std::vector<std::string> entries;
    // LLVM's work on a variant goes on beside MLIR's on the next.
    std::vector<std::future<std::string>> jobs;
    for (auto [i, variant] : llvm::enumerate(variants)) {
      OwningOpRef<ModuleOp> lowered;
      if (failed(lowerVariant(variant, lowered)))
        return failure();
      FailureOr<ArtifactManifest> described = buildManifest(*lowered);
      if (failed(described))
        return failure();
      merge(manifest, std::move(*described));
      if (entries.empty())
        for (const ArtifactEntry &entry : manifest->entries)
          entries.push_back(entry.name);
      FailureOr<ArtifactVariant> device = emitDevice(variant, *lowered);
      if (failed(device))
        return failure();
      describedVariants.push_back(std::move(*device));
      hosts.push_back((*lowered)->getAttrOfType<TargetAttr>("bitnet.target"));
      FailureOr<VariantCode> code = translate(variant, *lowered);
      if (failed(code))
        return failure();
      jobs.push_back(
          std::async(std::launch::async,
                     [&buffer = codes[i], code = std::move(*code)]() mutable {
                       return llvm::toString(
                           generateCode(code, CodeGenOutput::Object, buffer));
                     }));
    }
    if (failed(timed("code", [&] { return join(jobs); })))
      return failure();
    if (llvm::Error failure = emitDispatch(hosts, entries, codes.back()))
      return error(std::move(failure));
    manifest->triple = hosts.front().getTriple().str();
    manifest->variants = std::move(describedVariants);
    return timed("link", [&] { return link(codes, *manifest); });
  }

  /// Compiles a device's kernels and leaves the host's code in the module.
  FailureOr<ArtifactVariant> emitDevice(TargetAttr variant, ModuleOp lowered,
                                        std::string *assembly = nullptr) {
    if (!isDevice(variant))
      return emitDeviceCode(lowered, variant);
    FailureOr<ArtifactVariant> described = failure();
    (void)timed(("kernels " + variant.getName()).str(), [&] {
      described = emitDeviceCode(lowered, variant, assembly);
      return LogicalResult(described);
    });
    return described;
  }

  /// Waits for the code of every variant; the first error is reported.
  LogicalResult join(std::vector<std::future<std::string>> &jobs) {
    std::string message;
    for (std::future<std::string> &job : jobs)
      if (std::string text = job.get(); message.empty())
        message = std::move(text);
    return message.empty() ? success() : error(message);
  }

  FailureOr<VariantCode> translate(TargetAttr variant, ModuleOp lowered) {
    FailureOr<VariantCode> code = failure();
    (void)timed(("llvm " + variant.getName()).str(), [&] {
      if (succeeded(lowerToLLVMDialect(lowered)))
        code = translateVariant(lowered);
      return LogicalResult(code);
    });
    return code;
  }

  /// Variants share a manifest: a workspace is as large as the largest needs.
  void merge(std::optional<ArtifactManifest> &manifest, ArtifactManifest next) {
    if (!manifest) {
      manifest = std::move(next);
      return;
    }
    for (auto [entry, other] : llvm::zip(manifest->entries, next.entries))
      entry.workspaceBytes =
          std::max(entry.workspaceBytes, other.workspaceBytes);
  }

  LogicalResult link(ArrayRef<CodeGenBuffer> codes,
                     ArtifactManifest &manifest) {
    manifest.stopTokens = stopTokens;
    std::vector<llvm::MemoryBufferRef> objects;
    for (const CodeGenBuffer &code : codes)
      objects.emplace_back(StringRef(code.data(), code.size()), "variant");

    llvm::SmallString<128> image;
    if (std::error_code code =
            llvm::sys::fs::createTemporaryFile("bitnet", "so", image))
      return error("cannot make a temporary file: " + code.message());
    llvm::scope_exit cleanup([&] { llvm::sys::fs::remove(image); });
    if (llvm::Error failure = linkSharedObject(objects, image))
      return error(std::move(failure));
    auto linked = llvm::MemoryBuffer::getFile(image);
    if (!linked)
      return error("cannot read the linked image: " +
                   linked.getError().message());
    ArchiveSource archive;
    if (failed(collectArchive(archive)))
      return failure();
    report.packedBytes = countPackedBytes();
    report.archiveBytes = archive.getBytes();
    StringRef tokenizerJson = tokenizer ? tokenizer->getBuffer() : "";
    if (llvm::Error failure =
            writeArtifact(options.output, (*linked)->getMemBufferRef(),
                          manifest, tokenizerJson, archive))
      return error(std::move(failure));
    uint64_t size = 0;
    (void)llvm::sys::fs::file_size(options.output, size);
    report.artifactBytes = size;
    return success();
  }

  /// Bytes of low-bit weights; entries share those of equal layers.
  int64_t countPackedBytes() {
    llvm::SmallDenseSet<int64_t> seen;
    int64_t bytes = 0;
    auto count = [&](auto op) {
      auto weight = op.getWeight().template getDefiningOp<ArchiveOp>();
      if (weight && op.getPacking() && seen.insert(weight.getOffset()).second)
        bytes += op.getPacking()->getByteSize(op.getN(), op.getK());
    };
    module->walk([&](LinearOp op) { count(op); });
    module->walk([&](MatmulOp op) { count(op); });
    return bytes;
  }

  LogicalResult collectArchive(ArchiveSource &archive) {
    auto entries = (*module)->getAttrOfType<ArrayAttr>("bitnet.archive");
    if (!entries)
      return error("the module has no bitnet.archive: expected the weights");
    for (Attribute element : entries) {
      auto entry = dyn_cast<DictionaryAttr>(element);
      auto offset = entry ? entry.getAs<IntegerAttr>("offset") : nullptr;
      Attribute value = entry ? entry.get("value") : nullptr;
      if (!offset || offset.getInt() < 0 ||
          !isa_and_nonnull<DenseElementsAttr, DenseResourceElementsAttr>(value))
        return error("an entry of the module's bitnet.archive is malformed: "
                     "expected an offset and a dense value");
      insertEntry(archive, offset.getInt(), cast<ElementsAttr>(value));
    }
    return success();
  }

  /// A splat's one element is repeated as it is written.
  static void insertEntry(ArchiveSource &archive, uint64_t offset,
                          ElementsAttr value) {
    ArrayRef<char> bytes = getRawBytes(value);
    auto dense = dyn_cast<DenseElementsAttr>(value);
    if (!dense || !dense.isSplat())
      return archive.insert(offset, bytes);
    int64_t count = value.getNumElements();
    archive.insert(offset, bytes.size() * count,
                   [bytes, count](ArchiveSource::Sink sink) {
                     for (int64_t i = 0; i < count; ++i)
                       sink(bytes);
                     return llvm::Error::success();
                   });
  }

  MLIRContext &context;
  const CompileOptions &options;
  CompileReport &report;
  ProgressFn progress;
  PhaseOptions phaseOptions;
  OwningOpRef<ModuleOp> module;
  Phase phase = Phase::ONNX;
  SmallVector<TargetAttr> variants;
  std::unique_ptr<llvm::MemoryBuffer> tokenizer;
  std::vector<int64_t> stopTokens;
};

} // namespace

LogicalResult bitnet::compileModel(MLIRContext &context,
                                   const CompileOptions &options,
                                   CompileReport &report, ProgressFn progress) {
  return Compilation(context, {}, options, report, progress).run();
}

LogicalResult bitnet::compileModule(OwningOpRef<ModuleOp> module,
                                    const CompileOptions &options,
                                    CompileReport &report,
                                    ProgressFn progress) {
  MLIRContext &context = *module->getContext();
  return Compilation(context, std::move(module), options, report, progress)
      .run();
}
