//===- Compile.cpp - Compiling small modules for tests --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compile.h"

#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/CPU/CodeGen.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>

using namespace bitnet;
using namespace bitnet::test;

std::vector<std::string> bitnet::test::getRunnableTargets() {
  mlir::MLIRContext context;
  context.loadDialect<BitNetDialect>();
  auto native = parseCPUTargets(&context, "native");
  if (!native) {
    llvm::consumeError(native.takeError());
    return {};
  }
  CPUTarget machine(native->front());
  std::vector<std::string> names;
  for (const char *name : {"x86-64", "x86-64-v2", "x86-64-v3",
                           "x86-64-v3+avxvnni", "x86-64-v4+vnni"}) {
    auto target = llvm::cantFail(parseCPUTargets(&context, name)).front();
    if (llvm::all_of(target.getFeatures(), [&](mlir::StringAttr feature) {
          return machine.has(feature.getValue());
        }))
      names.push_back(name);
  }
  return names;
}

static std::string compile(const std::string &source,
                           const std::string &targetNames,
                           const std::string &path) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<BitNetDialect, mlir::affine::AffineDialect,
                      mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect,
                      mlir::func::FuncDialect, mlir::LLVM::LLVMDialect,
                      mlir::math::MathDialect, mlir::memref::MemRefDialect,
                      mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  std::string error;
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [&](mlir::Diagnostic &diagnostic) {
                                          if (error.empty())
                                            error = diagnostic.str();
                                          return mlir::success();
                                        });
  auto targets = parseCPUTargets(&context, targetNames);
  if (!targets)
    return llvm::toString(targets.takeError());
  std::vector<CodeGenBuffer> objects(targets->size() + 1);
  llvm::SmallVector<std::string> entries;
  for (size_t i = 0; i < targets->size(); ++i) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    if (!module)
      return error;
    entries = getEntryNames(*module);
    (*module)->setAttr("bitnet.target", (*targets)[i]);
    if (failed(lowerToLLVMDialect(*module)) ||
        failed(emitVariant(*module, CodeGenOutput::Object, objects[i])))
      return error.empty() ? "failed without a diagnostic" : error;
  }
  if (auto failure = emitDispatch(*targets, entries, objects.back()))
    return llvm::toString(std::move(failure));
  std::vector<llvm::MemoryBufferRef> references;
  for (const CodeGenBuffer &object : objects)
    references.emplace_back(llvm::StringRef(object.data(), object.size()),
                            "object");
  if (auto failure = linkSharedObject(references, path))
    return llvm::toString(std::move(failure));
  return error;
}

Program::Program(const std::string &source, const std::string &targets) {
  llvm::SmallString<128> file;
  int descriptor;
  if (llvm::sys::fs::createTemporaryFile("bitnet-test", "so", descriptor,
                                         file)) {
    error = "no temporary file";
    return;
  }
  llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
  path = file.str().str();
  error = compile(source, targets, path);
  if (!error.empty())
    return;
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    error = dlerror();
    return;
  }
  query = reinterpret_cast<bn_query_fn>(dlsym(library, BN_QUERY_SYMBOL));
  if (!query)
    error = "no bitnet_query";
}

Program::~Program() {
  if (library)
    dlclose(library);
  llvm::sys::fs::remove(path);
}

bn_entry_fn Program::getEntry(uint32_t variant, uint32_t entry,
                              uint32_t version) const {
  return query(version, variant, entry);
}

static void *allocate(void *user, uint64_t bytes) {
  auto &host = *static_cast<Host *>(user);
  if (host.allowed-- <= 0)
    return nullptr;
  host.memory.push_back(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  return host.memory.back();
}

static void release(void *user, void *pointer) {
  auto &host = *static_cast<Host *>(user);
  host.released += std::count(host.memory.begin(), host.memory.end(), pointer);
}

/// Ranges of at most three, the last one first.
static void parallelFor(void *user, bn_task_fn task, void *context,
                        int64_t count) {
  static_cast<Host *>(user)->parallelCounts += count;
  for (int64_t end = count; end > 0; end -= 3)
    task(context, std::max<int64_t>(end - 3, 0), end);
}

Host::Host()
    : environment{sizeof(bn_environment),
                  BN_ABI_VERSION,
                  this,
                  ::allocate,
                  ::release,
                  parallelFor} {}

Host::~Host() {
  for (void *pointer : memory)
    std::free(pointer);
}
