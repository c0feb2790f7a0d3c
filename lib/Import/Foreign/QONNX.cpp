//===- QONNX.cpp - The quantisers of QONNX and Brevitas -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;

namespace bitnet::import {

namespace {

/// The integers of a quantiser.
struct IntegerRange {
  double low, high;
};

} // namespace

//===----------------------------------------------------------------------===//
// What a node says
//===----------------------------------------------------------------------===//

/// The one value of a constant input.
static FailureOr<double> readScalar(const NodeContext &node, int index,
                                    StringRef what) {
  auto view = onnx::ElementsView<double>::get(node.getConstant(index));
  if (!view || view->values().size() != 1)
    return node.error() << "its " << what
                        << " must be a constant of one element";
  return view->values().front();
}

static FailureOr<int> readBitWidth(const NodeContext &node, int index,
                                   StringRef what) {
  FailureOr<double> bits = readScalar(node, index, what);
  if (failed(bits))
    return failure();
  // Floats hold the integers of up to 24 bits exactly; 32 are common for sums.
  if (!(*bits >= 1 && *bits <= 32) || *bits != std::floor(*bits))
    return node.error() << "its " << what << " is " << *bits
                        << ", expected a whole number from 1 to 32";
  return static_cast<int>(*bits);
}

/// Floats of 32 bits, where the graph says what the input is.
static LogicalResult checkFloats(const NodeContext &node, int count) {
  for (int index = 0; index < count; ++index)
    if (RankedTensorType type = node.getType(index);
        type && !type.getElementType().isF32())
      return node.error() << "its input " << index << " has elements of type "
                          << type.getElementType() << ", expected f32";
  return success();
}

static LogicalResult checkInputs(const NodeContext &node, int count) {
  for (int index = 0; index < count; ++index)
    if (!node.hasInput(index))
      return node.error() << "it lacks its input " << index;
  return success();
}

/// Whether the node has a zero point other than 0.
static bool hasZeroPoint(const NodeContext &node, int index) {
  auto view = onnx::ElementsView<double>::get(node.getConstant(index));
  return !view ||
         !llvm::all_of(view->values(), [](double v) { return v == 0.0; });
}

static IntegerRange getRange(bool isSigned, bool isNarrow, int bits) {
  double half = std::ldexp(1.0, bits - 1);
  if (isSigned)
    return {isNarrow ? 1 - half : -half, half - 1};
  return {0.0, 2 * half - (isNarrow ? 2 : 1)};
}

//===----------------------------------------------------------------------===//
// Parts of bodies
//===----------------------------------------------------------------------===//

/// Statements that round `from` to `to`; nothing for a mode that is unknown.
static std::optional<std::string> roundingText(StringRef mode, StringRef from,
                                               StringRef to) {
  std::string upper = mode.upper();
  StringRef plain = llvm::StringSwitch<StringRef>(upper)
                        .Cases({"ROUND", "HALF_EVEN"}, "Round")
                        .Case("CEIL", "Ceil")
                        .Case("FLOOR", "Floor")
                        .Default("");
  if (!plain.empty())
    return llvm::formatv("{0} = {1} ({2})\n", to, plain, from).str();
  // The others are symmetric about 0.
  StringRef outward = llvm::StringSwitch<StringRef>(upper)
                          .Case("UP", "Ceil (magnitude)")
                          .Cases({"DOWN", "ROUND_TO_ZERO"}, "Floor (magnitude)")
                          .Case("HALF_UP", "Floor (above)")
                          .Case("HALF_DOWN", "Ceil (below)")
                          .Default("");
  if (outward.empty())
    return std::nullopt;
  return llvm::formatv("magnitude = Abs ({0})\n"
                       "half = {1}\n"
                       "above = Add (magnitude, half)\n"
                       "below = Sub (magnitude, half)\n"
                       "whole = {2}\n"
                       "direction = Sign ({0})\n"
                       "{3} = Mul (direction, whole)\n",
                       from, floatConstant(0.5), outward, to)
      .str();
}

static FailureOr<std::string> roundedText(const NodeContext &node,
                                          StringRef absent, StringRef from,
                                          StringRef to) {
  std::string mode = node.getString("rounding_mode", absent);
  auto text = roundingText(mode, from, to);
  if (!text)
    return node.error() << "its rounding_mode is '" << mode
                        << "', expected ROUND, HALF_EVEN, CEIL, FLOOR, UP, "
                           "DOWN, ROUND_TO_ZERO, HALF_UP or HALF_DOWN";
  return *text;
}

/// x / scale + zero point, as `shifted`.
static std::string scaledText(const NodeContext &node) {
  if (!hasZeroPoint(node, 2))
    return "shifted = Div (x, scale)\n";
  return "scaled = Div (x, scale)\nshifted = Add (scaled, zero)\n";
}

/// `from` within limits, as `to`. A NaN stays one.
static std::string clippedText(IntegerRange range, StringRef from,
                               StringRef to) {
  return llvm::formatv("low = {0}\nhigh = {1}\n{2} = Clip ({3}, low, high)\n",
                       floatConstant(range.low), floatConstant(range.high), to,
                       from)
      .str();
}

/// 1 where `from` >= 0 and -1 elsewhere, as `to`.
static std::string bipolarText(StringRef from, StringRef to) {
  return llvm::formatv("nothing = {0}\none = {1}\nminus = {2}\n"
                       "positive = GreaterOrEqual ({3}, nothing)\n"
                       "{4} = Where (positive, one, minus)\n",
                       floatConstant(0.0), floatConstant(1.0),
                       floatConstant(-1.0), from, to)
      .str();
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// y = (round(clip(x / scale + zero)) - zero) * scale: it clips first.
static FailureOr<std::string> expandQuant(NodeContext &node) {
  if (failed(checkInputs(node, 4)) || failed(checkFloats(node, 3)))
    return failure();
  FailureOr<int> bits = readBitWidth(node, 3, "bit width");
  if (failed(bits))
    return failure();
  bool isSigned = node.getInt("signed", 1) != 0;
  bool isNarrow = node.getInt("narrow", 0) != 0;
  FailureOr<std::string> rounding =
      roundedText(node, "ROUND", "clipped", "integers");
  if (failed(rounding))
    return failure();
  std::string body = scaledText(node);
  // One signed bit has no 0.
  if (*bits == 1 && isSigned)
    body += bipolarText("shifted", "integers");
  else
    body +=
        clippedText(getRange(isSigned, isNarrow, *bits), "shifted", "clipped") +
        *rounding;
  if (hasZeroPoint(node, 2))
    return body + "centred = Sub (integers, zero)\ny = Mul (centred, scale)";
  return body + "y = Mul (integers, scale)";
}

static FailureOr<std::string> expandBipolarQuant(NodeContext &node) {
  if (failed(checkInputs(node, 2)) || failed(checkFloats(node, 2)))
    return failure();
  return bipolarText("x", "sign") + "y = Mul (sign, scale)";
}

/// The factor by which the output's step exceeds the input's: a power of 2,
/// told by the bit widths, or, in the operator's second version (with an
/// output's scale before the output's bit width), by the scales.
static FailureOr<double> readTruncation(const NodeContext &node) {
  if (node.hasInput(5)) {
    FailureOr<double> from = readScalar(node, 1, "scale");
    FailureOr<double> to = readScalar(node, 4, "output scale");
    if (failed(from) || failed(to))
      return failure();
    if (!(*from > 0.0) || !(*to > 0.0) || !std::isfinite(*to / *from))
      return node.error() << "its scales must be positive";
    return std::exp2(std::rint(std::log2(*to / *from)));
  }
  FailureOr<int> from = readBitWidth(node, 3, "input bit width");
  FailureOr<int> to = readBitWidth(node, 4, "output bit width");
  if (failed(from) || failed(to))
    return failure();
  return std::exp2(*from - *to);
}

static FailureOr<std::string> expandTrunc(NodeContext &node) {
  if (failed(checkInputs(node, 5)) || failed(checkFloats(node, 3)))
    return failure();
  FailureOr<double> factor = readTruncation(node);
  bool isNewer = node.hasInput(5);
  FailureOr<std::string> rounding =
      roundedText(node, "FLOOR", isNewer ? "clipped" : "narrowed", "truncated");
  if (failed(factor) || failed(rounding))
    return failure();
  std::string body = scaledText(node) + "integers = Round (shifted)\n" +
                     "factor = " + floatConstant(*factor) + "\n" +
                     "narrowed = Div (integers, factor)\n";
  if (isNewer) {
    FailureOr<int> bits = readBitWidth(node, 5, "output bit width");
    if (failed(bits))
      return failure();
    body += clippedText(getRange(node.getInt("signed", 1) != 0,
                                 node.getInt("narrow", 0) != 0, *bits),
                        "narrowed", "clipped");
  }
  body += *rounding;
  StringRef scale = isNewer ? "input_4" : "scale";
  StringRef centred = "truncated";
  if (hasZeroPoint(node, 2)) {
    body += isNewer ? "offset = Div (zero, factor)\n"
                      "centred = Sub (truncated, offset)\n"
                    : "centred = Sub (truncated, zero)\n";
    centred = "centred";
  }
  return body + llvm::formatv("y = Mul ({0}, {1})", centred, scale).str();
}

/// y = out_scale * (the number of thresholds <= x) + out_bias. Thresholds are
/// [channels or 1, steps], channels the second dimension of x, or the last.
static FailureOr<std::string> expandMultiThreshold(NodeContext &node) {
  if (failed(checkInputs(node, 2)) || failed(checkFloats(node, 2)))
    return failure();
  RankedTensorType type = node.getType(1);
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      type.getNumElements() == 0)
    return node.error() << "its thresholds must be a constant [channels or 1, "
                           "thresholds]";
  std::string layout = node.getString("data_layout", "NCHW");
  if (layout.empty() || layout.front() != 'N' ||
      !StringRef(layout).contains('C'))
    return node.error() << "its data_layout is '" << layout
                        << "', expected one such as NCHW, NHWC or NC";
  int64_t channels = type.getDimSize(0), steps = type.getDimSize(1);
  bool isLast = channels == 1 || layout.back() == 'C';
  std::string body = "last = " + intsConstant({-1}) + "\n";
  // Channels and all that follows them become two dimensions.
  if (isLast)
    body += "elements = Unsqueeze (x, last)\nlimits = Identity (thresholds)\n";
  else
    body += "rows = " + intsConstant({0, channels, -1, 1}) +
            "\nelements = Reshape (x, rows)\n"
            "table = " +
            intsConstant({channels, 1, steps}) +
            "\nlimits = Reshape (thresholds, table)\n";
  body += "passed = GreaterOrEqual (elements, limits)\n"
          "ones = Cast <to = 1> (passed)\n"
          "sums = ReduceSum <keepdims = 0> (ones, last)\n";
  if (isLast)
    body += "counts = Identity (sums)\n";
  else
    body += "shape = Shape (x)\ncounts = Reshape (sums, shape)\n";
  return body + "step = " + floatConstant(node.getFloat("out_scale", 1.0f)) +
         "\nscaled = Mul (counts, step)\nbias = " +
         floatConstant(node.getFloat("out_bias", 0.0f)) +
         "\ny = Add (scaled, bias)";
}

void addQONNXOperators(ForeignOperators &operators) {
  const std::string domain = "qonnx.custom_op.general.";
  ForeignOperator quant = {{"x", "scale", "zero", "bits"}, {"y"}, expandQuant};
  operators[domain + "Quant"] = quant;
  operators[domain + "IntQuant"] = quant;
  operators[domain + "BipolarQuant"] = {
      {"x", "scale"}, {"y"}, expandBipolarQuant};
  operators[domain + "Trunc"] = {
      {"x", "scale", "zero", "input_3", "input_4", "input_5"},
      {"y"},
      expandTrunc};
  operators[domain + "MultiThreshold"] = {
      {"x", "thresholds"}, {"y"}, expandMultiThreshold};
}

} // namespace bitnet::import
