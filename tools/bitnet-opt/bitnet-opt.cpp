//===- bitnet-opt.cpp - Runs passes on a model's IR -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Import/ImportONNX.h"
#include "bitnet/Pipelines/Manifest.h"
#include "bitnet/Pipelines/Registration.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

/// The buffer that MlirOptMain reads: with --import-onnx the imported model as
/// bytecode, else the input itself. Null where that fails.
static std::unique_ptr<llvm::MemoryBuffer>
openInput(StringRef path, bool isONNX, const DialectRegistry &registry) {
  std::string message;
  if (!isONNX) {
    std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &message);
    if (!buffer)
      llvm::errs() << "bitnet-opt: error: " << message << "\n";
    return buffer;
  }
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module =
      bitnet::importONNX(path, context, bitnet::ImportOptions());
  if (!module)
    return nullptr;
  bitnet::recordElementTypes(*module);
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  if (failed(writeBytecodeToFile(*module, stream)))
    return nullptr;
  // Sections of bytecode are aligned relative to memory.
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
      bytes.size(), path, llvm::Align(64));
  llvm::copy(bytes, buffer->getBufferStart());
  return buffer;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerAllPasses();
  bitnet::registerPasses();
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  bitnet::registerDialects(registry);

  llvm::cl::opt<bool> importONNX("import-onnx",
                                 llvm::cl::desc("Read an ONNX model"));
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "Runs passes and pipelines on a model's IR\n", registry);
  std::unique_ptr<llvm::MemoryBuffer> buffer =
      openInput(input, importONNX, registry);
  if (!buffer)
    return 1;
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(output, &message);
  if (!file) {
    llvm::errs() << "bitnet-opt: error: " << message << "\n";
    return 1;
  }
  if (failed(MlirOptMain(file->os(), std::move(buffer), registry,
                         MlirOptMainConfig::createFromCLOptions())))
    return 1;
  file->keep();
  return 0;
}
