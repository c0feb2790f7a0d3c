//===- FuseEpilogues.cpp - Scales, biases and ReLU of linear layers -------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"
#include "ScaleAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

namespace bitnet {
#define GEN_PASS_DEF_FUSEEPILOGUES
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct FuseEpilogues : public bitnet::impl::FuseEpiloguesBase<FuseEpilogues> {
  void runOnOperation() override;

private:
  /// Fuses the op after `value`, the linear's result; false if it cannot.
  bool fuseUser(LinearOp linear, Value value);
  bool fuseScale(LinearOp linear, Value value, Operation *user);
  bool fuseBias(LinearOp linear, Value value, Operation *user);
  bool fuseActivation(LinearOp linear, Value value, Operation *user);
};

} // namespace

static std::vector<float> readFloats(Value constant) {
  auto attr = cast<DenseElementsAttr>(getConstant(constant));
  auto values = attr.getValues<float>();
  return std::vector<float>(values.begin(), values.end());
}

/// `values` times `factor`, one or one an output, each of `group` scales.
static std::vector<float> multiplied(std::vector<float> values,
                                     ArrayRef<double> factor, int64_t outputs) {
  if (values.size() == 1 && factor.size() > 1)
    values.resize(outputs, values.front());
  int64_t perOutput = std::max<int64_t>(1, values.size() / outputs);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(
        values[i] * factor[factor.size() == 1 ? 0 : i / perOutput]);
  return values;
}

static Value makeConstant(LinearOp linear, ArrayRef<float> values,
                          RankedTensorType like) {
  OpBuilder builder(linear);
  SmallVector<int64_t> shape(like.getShape());
  if (like.getNumElements() != static_cast<int64_t>(values.size()))
    shape = {static_cast<int64_t>(values.size())};
  return arith::ConstantOp::create(
      builder, linear.getLoc(),
      DenseElementsAttr::get(RankedTensorType::get(shape, builder.getF32Type()),
                             values));
}

bool FuseEpilogues::fuseScale(LinearOp linear, Value value, Operation *user) {
  auto scaling = matchScalingOp(user, value, linear.getN());
  if (!scaling || scaling->factor.absmax ||
      linear.getActivation() != Activation::None)
    return false;
  ArrayRef<double> factor = scaling->factor.coefficient;
  int64_t n = linear.getN();
  Value scale = linear.getScale();
  linear.getScaleMutable().assign(makeConstant(
      linear, multiplied(readFloats(scale), factor, n), getTensorType(scale)));
  if (Value bias = linear.getBias())
    linear.getBiasMutable().assign(makeConstant(
        linear, multiplied(readFloats(bias), factor, n), getTensorType(bias)));
  ++numScales;
  return true;
}

bool FuseEpilogues::fuseBias(LinearOp linear, Value value, Operation *user) {
  auto add = dyn_cast<onnx::AddOp>(user);
  if (!add || linear.getActivation() != Activation::None ||
      add.getOutput().getType() != value.getType())
    return false;
  Value other = add.getLhs() == value ? add.getRhs() : add.getLhs();
  int64_t n = linear.getN();
  auto bias = getLastDimVector(other, n);
  if (!bias)
    return false;
  std::vector<float> sums(n, 0.0f);
  if (linear.getBias())
    sums = readFloats(linear.getBias());
  for (int64_t i = 0; i < n; ++i)
    sums[i] += static_cast<float>((*bias)[bias->size() == 1 ? 0 : i]);
  auto type = RankedTensorType::get({n}, Float32Type::get(&getContext()));
  linear.getBiasMutable().assign(makeConstant(linear, sums, type));
  ++numBiases;
  return true;
}

/// max(x, 0) by Relu, Max or Clip.
static bool isRelu(Operation *op, Value input) {
  if (isa<onnx::ReluOp>(op))
    return true;
  if (auto max = dyn_cast<onnx::MaxOp>(op)) {
    if (max.getInputs().size() != 2 || max.getType() != input.getType())
      return false;
    Value other = max.getInputs()[max.getInputs()[0] == input ? 1 : 0];
    return isScalar(other, 0.0);
  }
  if (auto clip = dyn_cast<onnx::ClipOp>(op))
    return isScalar(clip.getMin(), 0.0) && onnx::isAbsent(clip.getMax());
  return false;
}

static bool isSquare(Operation *op, Value input) {
  if (auto mul = dyn_cast<onnx::MulOp>(op))
    return mul.getLhs() == input && mul.getRhs() == input;
  auto pow = dyn_cast<onnx::PowOp>(op);
  return pow && pow.getBase() == input && isScalar(pow.getExponent(), 2.0) &&
         pow.getType() == input.getType();
}

bool FuseEpilogues::fuseActivation(LinearOp linear, Value value,
                                   Operation *user) {
  if (linear.getActivation() == Activation::None && isRelu(user, value)) {
    linear.setActivation(Activation::Relu);
    ++numActivations;
    return true;
  }
  if (linear.getActivation() == Activation::Relu && isSquare(user, value)) {
    linear.setActivation(Activation::ReluSquared);
    return true;
  }
  return false;
}

bool FuseEpilogues::fuseUser(LinearOp linear, Value value) {
  if (value.use_empty() || !llvm::all_equal(llvm::to_vector(value.getUsers())))
    return false;
  Operation *user = *value.user_begin();
  if (user->getNumResults() != 1)
    return false;
  if (isa<tensor::ExpandShapeOp>(user) &&
      lookThroughExpandedRows(user->getResult(0)) == value)
    return fuseUser(linear, user->getResult(0));
  if (!fuseScale(linear, value, user) && !fuseBias(linear, value, user) &&
      !fuseActivation(linear, value, user))
    return false;
  user->getResult(0).replaceAllUsesWith(value);
  user->erase();
  return true;
}

void FuseEpilogues::runOnOperation() {
  // Fusing erases what follows a linear layer, where a walk would go on.
  SmallVector<LinearOp> linears;
  getOperation()->walk([&](LinearOp linear) { linears.push_back(linear); });
  for (LinearOp linear : linears) {
    if (!linear.getResult() || linear.getPacking() || linear.getFactor() ||
        linear.getAddend() ||
        !isa_and_nonnull<DenseElementsAttr>(getConstant(linear.getScale())) ||
        (linear.getBias() &&
         !isa_and_nonnull<DenseElementsAttr>(getConstant(linear.getBias()))))
      continue;
    while (fuseUser(linear, linear.getResult()))
      ;
  }
}
