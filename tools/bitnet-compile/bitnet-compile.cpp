//===- bitnet-compile.cpp - The ahead-of-time compiler --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckTokenizer.h"
#include "CommandLine.h"
#include "bitnet/Pipelines/Compiler.h"
#include "bitnet/Pipelines/Registration.h"
#include "bitnet/Target/OutputFile.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <set>

#ifdef __GLIBC__
#include <malloc.h>
#endif

using namespace mlir;
using namespace bitnet;

namespace {

int fail(const llvm::Twine &message) {
  llvm::errs() << "bitnet-compile: error: " << message << "\n";
  return 1;
}

/// Where in the model or the IR a diagnostic is about; empty where that is
/// nowhere.
std::string describe(Location location) {
  if (isa<UnknownLoc>(location))
    return "";
  if (auto name = dyn_cast<NameLoc>(location))
    return (isa<UnknownLoc>(name.getChildLoc())
                ? ""
                : describe(name.getChildLoc())) +
           "node '" + name.getName().str() + "': ";
  if (auto file = dyn_cast<FileLineColLoc>(location)) {
    std::string text = file.getFilename().str();
    if (file.getLine())
      text += ":" + std::to_string(file.getLine()) + ":" +
              std::to_string(file.getColumn());
    return text + ": ";
  }
  if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      if (std::string text = describe(part); !text.empty())
        return text;
    return "";
  }
  std::string text;
  llvm::raw_string_ostream(text) << location;
  return text + ": ";
}

/// One line on standard error that is overwritten as phases go by, on terminals
/// only.
class ProgressLine {
public:
  ProgressLine() : shown(llvm::sys::Process::StandardErrIsDisplayed()) {}
  ~ProgressLine() { clear(); }
  void show(StringRef phase) {
    if (shown)
      llvm::errs() << "\r\033[Kbitnet-compile: " << phase << "...";
  }
  void clear() {
    if (shown)
      llvm::errs() << "\r\033[K";
  }

private:
  bool shown;
};

bool checkTokenizer(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  std::string message;
  if (!buffer)
    message = "cannot read the tokenizer '" + path.str() +
              "': " + buffer.getError().message();
  else if (std::string why = findTokenizerError((*buffer)->getBuffer());
           !why.empty())
    message = "the tokenizer '" + path.str() + "' cannot be used: " + why;
  return message.empty() || fail(message) == 0;
}

LogicalResult writeReport(StringRef path, const CompileReport &report) {
  llvm::Error error = writeOutputFile(path, [&](llvm::raw_pwrite_stream &os) {
    os << report.toJSON();
    return llvm::Error::success();
  });
  if (error)
    return fail("cannot write the report " + llvm::toString(std::move(error))),
           failure();
  return success();
}

/// Looks up what the command line names. False, and a message, where that is
/// nothing.
bool readOptions(const CommandLine &line, CompileOptions &options) {
  options.input = line.model;
  options.output = line.output;
  options.target = line.target;
  options.report = line.report;
  options.tokenizer = line.tokenizer;
  options.stopTokens = line.stopTokens;
  options.decoderOptions = line.decoderOptions;
  options.phases.maxContext = line.maxContext;
  std::set<int64_t> chunks;
  for (int64_t chunk : line.chunks)
    chunks.insert(std::min(chunk, line.maxContext));
  options.chunks.assign(chunks.begin(), chunks.end());
  std::optional<Lowering> lowering = symbolizeLowering(line.lowering);
  if (!lowering)
    return fail("unknown lowering '" + line.lowering +
                "'; expected auto, dot, lut, addsub or popcount"),
           false;
  options.phases.lowering = *lowering;
  std::optional<PackingScheme> packing =
      symbolizePackingScheme(line.ternaryPacking);
  if (!packing || *packing == PackingScheme::Planes1)
    return fail("unknown packing of ternary weights '" + line.ternaryPacking +
                "'; expected planes2 or base3"),
           false;
  options.phases.ternaryPacking = *packing;
  std::optional<CacheType> cacheType = symbolizeCacheType(line.cacheType);
  if (!cacheType)
    return fail("unknown cache type '" + line.cacheType +
                "'; expected f32, f16 or bf16"),
           false;
  options.phases.cacheType = *cacheType;
  if (!line.compileTo.empty()) {
    std::optional<Phase> phase = parsePhase(line.compileTo);
    if (!phase)
      return fail("unknown phase '" + line.compileTo +
                  "'; expected onnx, bitnet, packed, loops, llvm, asm or obj"),
             false;
    options.stopAfter = *phase;
  }

  return line.tokenizer.empty() || checkTokenizer(line.tokenizer);
}

void print(Diagnostic &diagnostic) {
  llvm::errs() << "bitnet-compile: "
               << (diagnostic.getSeverity() == DiagnosticSeverity::Error
                       ? "error: "
                       : "warning: ")
               << describe(diagnostic.getLocation()) << diagnostic << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "  note: " << describe(note.getLocation()) << note << "\n";
}

} // namespace

int main(int argc, char **argv) {
  CommandLine line;
  int status = 0;
  if (!parseCommandLine(argc, argv, line, status))
    return status;
  CompileOptions options;
  if (!readOptions(line, options))
    return 1;

#ifdef __GLIBC__
  // Weights that are packed go back to the system, not to a heap with gaps.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  DialectRegistry registry;
  registerDialects(registry);
  // Two cores gain little from threads here, and memory stays lower.
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  ProgressLine progress;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
      return success();
    progress.clear();
    print(diagnostic);
    return success();
  });
  CompileReport report;
  if (failed(compileModel(context, options, report,
                          [&](StringRef phase) { progress.show(phase); })))
    return 1;
  progress.clear();
  if (!line.report.empty() && failed(writeReport(line.report, report))) {
    removeOutputFile(line.output);
    return 1;
  }
  return 0;
}
