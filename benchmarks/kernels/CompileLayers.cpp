//===- CompileLayers.cpp - Layers of one shape as an artifact -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileLayers.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Pipelines/Compiler.h"
#include "bitnet/Pipelines/Registration.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <random>

using namespace mlir;
using namespace bitnet;

namespace {

/// Writes the layers as IR of the bitnet phase.
class LayersBuilder {
public:
  LayersBuilder(MLIRContext &context, const kernels::Layers &layers)
      : builder(&context), layers(layers) {}

  OwningOpRef<ModuleOp> build() {
    OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
    builder.setInsertionPointToStart(module->getBody());
    Type f32 = builder.getF32Type();
    auto x = RankedTensorType::get({layers.tokens, layers.inputs},
                                   builder.getI8Type());
    auto sums = RankedTensorType::get({layers.tokens}, builder.getI32Type());
    auto y = RankedTensorType::get({layers.tokens, layers.outputs}, f32);
    SmallVector<Type> outputs(layers.count, y);
    auto main =
        func::FuncOp::create(builder, builder.getUnknownLoc(), "main",
                             builder.getFunctionType({x, sums}, outputs));
    main->setAttr("bitnet.entry", builder.getStringAttr("main"));
    builder.setInsertionPointToStart(main.addEntryBlock());
    // All layers multiply the same activations, which are in the nearest
    // caches, as those that a quantiser has just written.
    main.setArgAttr(0, "onnx.name", builder.getStringAttr("x"));
    main.setArgAttr(1, "onnx.name", builder.getStringAttr("sums"));
    auto one = arith::ConstantOp::create(
        builder, main.getLoc(),
        DenseElementsAttr::get(RankedTensorType::get({1}, f32), 1.0f));
    SmallVector<Value> results;
    for (int64_t i = 0; i < layers.count; ++i) {
      main.setResultAttr(i, "onnx.name", builder.getStringAttr("y" + Twine(i)));
      results.push_back(buildLayer(main, y, one));
    }
    func::ReturnOp::create(builder, main.getLoc(), results);
    return module;
  }

private:
  Value buildLayer(func::FuncOp main, RankedTensorType y, Value one) {
    Location loc = main.getLoc();
    auto weight = ConstantOp::create(builder, loc, makeWeights());
    Value empty =
        tensor::EmptyOp::create(builder, loc, y.getShape(), y.getElementType());
    IntegerAttr magnitude;
    if (layers.lowering == "popcount")
      magnitude = builder.getI64IntegerAttr(1);
    auto layer = LinearOp::create(
        builder, loc, TypeRange(y), main.getArgument(0), weight, one,
        /*step=*/one, /*sum=*/main.getArgument(1), /*bias=*/Value(),
        /*factor=*/Value(), /*addend=*/Value(), /*prepared=*/Value(), empty,
        Activation::None, Lowering::Auto,
        /*packing=*/PackingAttr(), /*rows=*/IntegerAttr(),
        /*columns=*/IntegerAttr(), magnitude,
        /*token_blocks=*/ArrayRef<int64_t>());
    return layer.getResult();
  }

  ElementsAttr makeWeights() {
    bool isBinary = layers.packing == "planes1";
    Type element = isBinary ? Type(BinaryType::get(builder.getContext()))
                            : Type(TernaryType::get(builder.getContext()));
    auto type = RankedTensorType::get({layers.outputs, layers.inputs}, element);
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
        llvm::divideCeil(type.getNumElements(), isBinary ? 8 : 4), 64);
    // Any byte is eight codes of binary weights; four of ternary ones are each
    // 0, 1 or 2.
    std::array<char, 256> codes;
    for (int byte = 0; byte < 256; ++byte)
      codes[byte] = char(isBinary ? byte
                                  : byte % 3 | byte / 3 % 3 << 2 |
                                        byte / 9 % 3 << 4 | byte / 27 % 3 << 6);
    for (char &byte : blob.getMutableData())
      byte = codes[random() >> 24];
    return DenseResourceElementsAttr::get(type, "weights", std::move(blob));
  }

  OpBuilder builder;
  const kernels::Layers &layers;
  std::mt19937 random; // always the same weights
};

} // namespace

std::string kernels::compileLayers(const Layers &layers,
                                   const std::string &targets,
                                   const std::string &path) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      message += diagnostic.str() + "\n";
    return success();
  });

  CompileOptions options;
  options.output = path;
  options.target = targets;
  std::optional<Lowering> lowering = symbolizeLowering(layers.lowering);
  std::optional<PackingScheme> packing = symbolizePackingScheme(layers.packing);
  if (!lowering || !packing)
    return "unknown lowering or packing";
  options.phases.lowering = *lowering;
  if (*packing != PackingScheme::Planes1)
    options.phases.ternaryPacking = *packing;
  CompileReport report;
  if (failed(compileModule(LayersBuilder(context, layers).build(), options,
                           report, [](StringRef) {})))
    return message.empty() ? "the compiler failed" : message;
  return "";
}
