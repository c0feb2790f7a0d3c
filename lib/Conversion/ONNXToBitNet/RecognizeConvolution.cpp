//===- RecognizeConvolution.cpp - Convolutions with low-bit constants -----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution is a sum over kernel positions of matmuls: a position meets the
// pixels of the input, shifted. Where pixels are rows (N H W C), padded, a
// shift is another first row, also between the lines of an image, as long as
// outputs are computed for the padding too and then left out. A stride s takes
// every s-th pixel; these become consecutive rows where the s phases of an axis
// lie apart.
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "LowBitMatrix.h"
#include "MatchUtils.h"
#include "ScaleAnalysis.h"
#include "WeightSource.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

namespace bitnet {
#define GEN_PASS_DEF_RECOGNIZECONVOLUTION
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

/// Where pixels have fewer channels, most of a block of packed weights would be
/// padding, and floats are faster.
static constexpr int64_t kMinChannels = 8;

namespace {

/// One spatial axis.
struct Axis {
  int64_t in, out, kernel, stride, dilation, padBegin;
  /// Pixels of a phase.
  int64_t quotient;
};

/// What the pixels are, and how sums become results.
struct Activations {
  Value pixels; // N C spatial..., i8 or f32
  double factor = 1.0;
  Value step;          // [1]; null where there is none
  bool isUnit = false; // in {-1, 0, 1}
};

/// Makes the matmuls of one convolution.
class ConvolutionBuilder {
public:
  ConvolutionBuilder(onnx::ConvOp op, const LowBitMatrix &matrix,
                     ArrayRef<Axis> axes, int64_t channels)
      : b(op), loc(op.getLoc()), op(op), matrix(matrix), axes(axes),
        outputs(getTensorType(op.getW()).getDimSize(0)), channels(channels),
        padded(llvm::alignTo(channels, matrix.isBinary ? 64 : 32)),
        batch(tensor::getMixedSize(b, loc, op.getX(), 0)) {}

  Value build(const Activations &activations);

private:
  Value makeRows(Value pixels);
  Value makeWeight(int64_t position);
  Value multiply(Value rows, int64_t position, bool isUnit);
  Value add(Value sum, Value part);
  Value makeImages(Value sums);
  Value makeChannels(ArrayRef<double> values);
  Value rescale(Value images, const Activations &activations);

  int64_t positions() const {
    return llvm::accumulate(axes, int64_t(1), [](int64_t n, const Axis &axis) {
      return n * axis.kernel;
    });
  }
  /// Rows of a phase of an image.
  int64_t imageRows() const {
    return llvm::accumulate(axes, int64_t(1), [](int64_t n, const Axis &axis) {
      return n * axis.quotient;
    });
  }
  /// batch * scale + offset.
  OpFoldResult fromBatch(int64_t scale, int64_t offset) {
    AffineExpr n = b.getAffineDimExpr(0);
    return affine::makeComposedFoldedAffineApply(b, loc, n * scale + offset,
                                                 {batch});
  }
  /// The rows between the first and the last that is an output's.
  OpFoldResult usedRows() {
    int64_t last = 0;
    for (const Axis &axis : axes)
      last = last * axis.quotient + axis.out - 1;
    return fromBatch(imageRows(), last + 1 - imageRows());
  }

  OpBuilder b;
  Location loc;
  onnx::ConvOp op;
  const LowBitMatrix &matrix;
  ArrayRef<Axis> axes;
  int64_t outputs, channels, padded;
  OpFoldResult batch;
};

struct RecognizeConvolution
    : public bitnet::impl::RecognizeConvolutionBase<RecognizeConvolution> {
  void runOnOperation() override;

private:
  bool convert(onnx::ConvOp op);
  Activations getActivations(OpBuilder &b, onnx::ConvOp op);
  Activations quantize(OpBuilder &b, Location loc, const Quantizer &quantizer);
};

} // namespace

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

/// The pixels as rows [phases * N * quotients..., padded channels].
Value ConvolutionBuilder::makeRows(Value pixels) {
  int64_t rank = axes.size();
  Type element = getTensorType(pixels).getElementType();
  SmallVector<OpFoldResult> low(rank + 2, b.getIndexAttr(0)), high = low;
  high[1] = b.getIndexAttr(padded - channels);
  for (auto [i, axis] : llvm::enumerate(axes)) {
    low[i + 2] = b.getIndexAttr(axis.padBegin);
    high[i + 2] =
        b.getIndexAttr(axis.quotient * axis.stride - axis.in - axis.padBegin);
  }
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  Value image = tensor::PadOp::create(b, loc, Type(), pixels, low, high, zero,
                                      /*nofold=*/false);
  // N C (quotient phase)... to phase... N quotient... C.
  SmallVector<ReassociationIndices> split = {{0}, {1}};
  SmallVector<int64_t> shape = {getTensorType(pixels).getDimSize(0), padded};
  SmallVector<OpFoldResult> sizes = {batch, b.getIndexAttr(padded)};
  SmallVector<int64_t> order, quotients;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    int64_t first = 2 + 2 * i;
    split.push_back({first, first + 1});
    for (int64_t size : {axis.quotient, axis.stride}) {
      shape.push_back(size);
      sizes.push_back(b.getIndexAttr(size));
    }
    quotients.push_back(first);
    order.push_back(first + 1);
  }
  image = tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, element), image, split, sizes);
  order.push_back(0);
  llvm::append_range(order, quotients);
  order.push_back(1);
  SmallVector<OpFoldResult> turned;
  for (int64_t dim : order)
    turned.push_back(sizes[dim]);
  Value rows = linalg::TransposeOp::create(
                   b, loc, image, makeEmpty(b, loc, turned, element), order)
                   .getResult()[0];
  return collapseRows(b, loc, rows);
}

/// The weights of a kernel position, `[outputs, padded]`.
Value ConvolutionBuilder::makeWeight(int64_t position) {
  int64_t bits = matrix.isBinary ? 1 : 2, perByte = 8 / bits;
  int64_t mask = (1 << bits) - 1, zero = matrix.isBinary ? 0 : 1;
  int64_t count = positions();
  LowBitMatrix part;
  part.isBinary = matrix.isBinary;
  part.codes.assign(llvm::divideCeil(outputs * padded, perByte), 0);
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < padded; ++c) {
      int64_t code = zero;
      if (c < channels) {
        int64_t from = (n * channels + c) * count + position;
        code = (matrix.codes[from / perByte] >> (from % perByte * bits)) & mask;
      }
      int64_t to = n * padded + c;
      part.codes[to / perByte] |=
          static_cast<char>(code << (to % perByte * bits));
    }
  return bitnet::ConstantOp::create(
      b, loc, part.makeWeight(b.getContext(), outputs, padded));
}

/// The sums of one kernel position, `[used rows, outputs]`.
Value ConvolutionBuilder::multiply(Value rows, int64_t position, bool isUnit) {
  int64_t phase = 0, shift = 0, rest = position;
  int64_t later = positions();
  for (const Axis &axis : axes) {
    later /= axis.kernel;
    int64_t pixel = rest / later * axis.dilation;
    rest %= later;
    phase = phase * axis.stride + pixel % axis.stride;
    shift = shift * axis.quotient + pixel / axis.stride;
  }
  SmallVector<OpFoldResult> offsets = {fromBatch(phase * imageRows(), shift),
                                       b.getIndexAttr(0)};
  SmallVector<OpFoldResult> sizes = {usedRows(), b.getIndexAttr(padded)};
  SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
  Value lhs =
      tensor::ExtractSliceOp::create(b, loc, rows, offsets, sizes, strides);
  Type sum = getTensorType(rows).getElementType().isF32() ? Type(b.getF32Type())
                                                          : b.getI32Type();
  Value empty = makeEmpty(b, loc, {sizes[0], b.getIndexAttr(outputs)}, sum);
  return MatmulOp::create(b, loc, empty.getType(), lhs, makeWeight(position),
                          /*prepared=*/Value(), empty, Lowering::Auto,
                          /*packing=*/PackingAttr(), /*rows=*/IntegerAttr(),
                          /*columns=*/IntegerAttr(),
                          isUnit ? b.getI64IntegerAttr(1) : IntegerAttr(),
                          /*token_blocks=*/ArrayRef<int64_t>{})
      ->getResult(0);
}

Value ConvolutionBuilder::add(Value sum, Value part) {
  AffineMap map = b.getMultiDimIdentityMap(2);
  SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
  bool isFloat = getTensorType(sum).getElementType().isF32();
  return linalg::GenericOp::create(
             b, loc, TypeRange{sum.getType()}, ValueRange{part},
             ValueRange{sum}, ArrayRef<AffineMap>{map, map}, loops,
             [&](OpBuilder &nested, Location at, ValueRange args) {
               Value result =
                   isFloat
                       ? Value(arith::AddFOp::create(nested, at, args[1],
                                                     args[0]))
                       : arith::AddIOp::create(nested, at, args[1], args[0]);
               linalg::YieldOp::create(nested, at, result);
             })
      .getResult(0);
}

/// The outputs among the sums, as N C spatial... .
Value ConvolutionBuilder::makeImages(Value sums) {
  int64_t rank = axes.size();
  SmallVector<OpFoldResult> sizes = {batch, b.getIndexAttr(outputs)};
  AffineExpr row = b.getAffineDimExpr(0);
  for (auto [i, axis] : llvm::enumerate(axes)) {
    sizes.push_back(b.getIndexAttr(axis.out));
    row = row * axis.quotient + b.getAffineDimExpr(i + 2);
  }
  AffineMap place =
      AffineMap::get(rank + 2, 0, {row, b.getAffineDimExpr(1)}, b.getContext());
  SmallVector<utils::IteratorType> loops(rank + 2,
                                         utils::IteratorType::parallel);
  Type element = getTensorType(sums).getElementType();
  Value empty = makeEmpty(b, loc, sizes, element);
  auto images = linalg::GenericOp::create(
      b, loc, TypeRange{empty.getType()}, ValueRange{sums}, ValueRange{empty},
      ArrayRef<AffineMap>{place, b.getMultiDimIdentityMap(rank + 2)}, loops,
      [&](OpBuilder &nested, Location at, ValueRange args) {
        linalg::YieldOp::create(nested, at, args[0]);
      });
  Type type = getTensorType(op.getY()).clone(element);
  return castTo(b, loc, images.getResult(0), type);
}

/// What sums stand for, by ops of the graph, which others can follow.
Value ConvolutionBuilder::rescale(Value images,
                                  const Activations &activations) {
  Type type = op.getY().getType();
  Value value = images;
  if (value.getType() != type)
    value = onnx::CastOp::create(b, loc, type, value,
                                 /*saturate=*/IntegerAttr());
  if (activations.step) {
    Value step = tensor::CollapseShapeOp::create(
        b, loc, RankedTensorType::get({}, b.getF32Type()), activations.step,
        ArrayRef<ReassociationIndices>{});
    value = onnx::MulOp::create(b, loc, type, value, step);
  }
  SmallVector<double> scales;
  for (double scale : matrix.scales)
    scales.push_back(scale * activations.factor);
  value = onnx::MulOp::create(b, loc, type, value, makeChannels(scales));
  if (!op.getB() || onnx::isAbsent(op.getB()))
    return value;
  Value bias;
  if (auto constant = getLastDimVector(op.getB(), outputs)) {
    bias = makeChannels(*constant);
  } else {
    ReassociationIndices all =
        llvm::to_vector(llvm::seq<int64_t>(0, axes.size() + 1));
    SmallVector<int64_t> shape(axes.size() + 1, 1);
    shape.front() = outputs;
    bias = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(shape, b.getF32Type()), op.getB(),
        ArrayRef<ReassociationIndices>{all});
  }
  return onnx::AddOp::create(b, loc, type, value, bias);
}

/// Numbers of channels, or of all, as [channels, 1...].
Value ConvolutionBuilder::makeChannels(ArrayRef<double> values) {
  SmallVector<int64_t> shape(axes.size() + 1, 1);
  shape.front() = values.size();
  SmallVector<float> floats(values.begin(), values.end());
  auto type = RankedTensorType::get(shape, b.getF32Type());
  return onnx::ConstantOp::create(
      b, loc, DenseElementsAttr::get(type, ArrayRef<float>(floats)));
}

Value ConvolutionBuilder::build(const Activations &activations) {
  Value rows = makeRows(activations.pixels), sums;
  for (int64_t position = 0; position < positions(); ++position) {
    Value part = multiply(rows, position, activations.isUnit);
    sums = sums ? add(sums, part) : part;
  }
  return rescale(makeImages(sums), activations);
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Fills in the pads of an axis and its number of outputs; false where these
/// cannot be served.
static bool resolveAxis(Axis &axis, StringRef autoPad, int64_t padEnd) {
  int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
  if (autoPad == "VALID") {
    axis.padBegin = padEnd = 0;
  } else if (autoPad != "NOTSET") {
    int64_t out = llvm::divideCeil(axis.in, axis.stride);
    int64_t total =
        std::max<int64_t>((out - 1) * axis.stride + extent - axis.in, 0);
    int64_t less = total / 2;
    axis.padBegin = autoPad == "SAME_UPPER" ? less : total - less;
    padEnd = total - axis.padBegin;
  }
  int64_t room = axis.in + axis.padBegin + padEnd - extent;
  if (axis.padBegin < 0 || padEnd < 0 || room < 0)
    return false;
  axis.out = room / axis.stride + 1;
  int64_t needed =
      std::max((axis.out - 1) * axis.stride + extent, axis.in + axis.padBegin);
  axis.quotient = llvm::divideCeil(needed, axis.stride);
  return true;
}

static std::optional<SmallVector<Axis>> getAxes(onnx::ConvOp op) {
  RankedTensorType input = getTensorType(op.getX());
  RankedTensorType weight = getTensorType(op.getW());
  int64_t rank = input.getRank() - 2;
  if (op.getGroup() != 1 || rank < 1 || weight.getRank() != input.getRank() ||
      input.isDynamicDim(1) || input.getDimSize(1) != weight.getDimSize(1))
    return std::nullopt;
  auto entry = [](const auto &list, int64_t i, int64_t absent) {
    return list ? (*list)[i] : absent;
  };
  SmallVector<Axis> axes;
  for (int64_t i = 0; i < rank; ++i) {
    Axis axis{};
    axis.in = input.getDimSize(i + 2);
    axis.kernel = weight.getDimSize(i + 2);
    axis.stride = entry(op.getStrides(), i, 1);
    axis.dilation = entry(op.getDilations(), i, 1);
    axis.padBegin = entry(op.getPads(), i, 0);
    if (ShapedType::isDynamic(axis.in) || axis.in < 1 || axis.kernel < 1 ||
        axis.stride < 1 || axis.dilation < 1 ||
        !resolveAxis(axis, op.getAutoPad(), entry(op.getPads(), i + rank, 0)))
      return std::nullopt;
    axes.push_back(axis);
  }
  return axes;
}

Activations RecognizeConvolution::quantize(OpBuilder &b, Location loc,
                                           const Quantizer &quantizer) {
  Value rows = collapseRows(b, loc, quantizer.input());
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, rows);
  Value values = makeEmpty(b, loc, extents, b.getI8Type());
  Value steps = makeEmpty(b, loc, {b.getIndexAttr(1)}, b.getF32Type());
  Value sums = makeEmpty(b, loc, {extents[0]}, b.getI32Type());
  auto op = QuantizeOp::create(
      b, loc, TypeRange{values.getType(), steps.getType(), sums.getType()},
      rows, /*weight=*/Value(), /*bias=*/Value(), values, steps, sums,
      Granularity::Tensor, quantizer.scaling,
      APFloat(static_cast<float>(quantizer.bound)),
      APFloat(static_cast<float>(quantizer.absmax.epsilon)), quantizer.qmin,
      quantizer.qmax, /*norm=*/NormKindAttr(), /*norm_epsilon=*/FloatAttr());
  auto type = cast<RankedTensorType>(
      getTensorType(quantizer.input()).clone(b.getI8Type()));
  Activations result;
  result.pixels = expandRows(b, loc, op->getResult(0), quantizer.input(), type);
  result.step = op->getResult(1);
  return result;
}

/// Whether a scale is one number times the absmax or not.
static bool isUniform(const ScaleExpr &factor) {
  return factor.coefficient.size() == 1 &&
         (factor.exponent == 0 || factor.exponent == 1);
}

/// The input as integers where it is such times one scale, else as floats.
Activations RecognizeConvolution::getActivations(OpBuilder &b,
                                                 onnx::ConvOp op) {
  Location loc = op.getLoc();
  Activations result;
  result.pixels = op.getX();
  auto integers = matchScaledIntegers(op.getX());
  if (!integers || !isUniform(integers->factor) ||
      !integers->rowFactors.empty() || integers->qmin < -128 ||
      integers->qmax > 127 || integers->source.getType() != op.getX().getType())
    return result;
  if (!integers->quantizer) {
    Type type = getTensorType(op.getX()).clone(b.getI8Type());
    result.pixels = onnx::CastOp::create(b, loc, type, integers->source,
                                         /*saturate=*/IntegerAttr());
  } else {
    // A scale for each line of an image is none of a sum over lines.
    if (integers->quantizer->absmax.granularity != Granularity::Tensor)
      return result;
    result = quantize(b, loc, *integers->quantizer);
  }
  result.isUnit = integers->qmin >= -1 && integers->qmax <= 1;
  result.factor = integers->factor.coefficient.front();
  if (integers->factor.exponent == 1)
    result.factor *= integers->quantizer->bound;
  else
    result.step = Value();
  return result;
}

bool RecognizeConvolution::convert(onnx::ConvOp op) {
  if (!isF32Tensor(op.getX()))
    return false;
  auto axes = getAxes(op);
  auto source =
      axes ? matchWeightSource(op.getW(), /*outputsFirst=*/true) : std::nullopt;
  if (!source)
    return false;
  auto matrix = readLowBitMatrix(*source);
  int64_t channels = getTensorType(op.getX()).getDimSize(1);
  // i32 must hold every sum.
  if (!matrix || matrix->sharing == LowBitMatrix::Sharing::Group ||
      channels < kMinChannels ||
      source->inputs > std::numeric_limits<int32_t>::max() / 128)
    return false;
  OpBuilder b(op);
  Activations activations = getActivations(b, op);
  bool isFloat = getTensorType(activations.pixels).getElementType().isF32();
  Value input = op.getX();
  Value result =
      ConvolutionBuilder(op, *matrix, *axes, channels).build(activations);
  op.getY().replaceAllUsesWith(result);
  op.erase();
  if (Operation *producer = input.getDefiningOp())
    eraseDead(producer);
  ++numConvolutions;
  numQuantized += !isFloat;
  return true;
}

void RecognizeConvolution::runOnOperation() {
  SmallVector<onnx::ConvOp> convolutions;
  getOperation()->walk([&](onnx::ConvOp op) { convolutions.push_back(op); });
  for (onnx::ConvOp op : convolutions)
    convert(op);
}
