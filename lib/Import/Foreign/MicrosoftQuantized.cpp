//===- MicrosoftQuantized.cpp - ONNX Runtime's ops on packed weights ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Their weights are bytes with 2, 4 or 8 bits for each, least significant bits
// first: as they are, the data of a tensor of ONNX's type of that width.
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/Support/RawElements.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <numeric>

using namespace mlir;

namespace bitnet::import {

static Type getUnsigned(MLIRContext *context, int64_t bits) {
  return IntegerType::get(context, bits, IntegerType::Unsigned);
}

/// The data of a constant of `size` bytes, which a small one has in another
/// layout and is written to `whole`.
static ArrayRef<char> getData(ElementsAttr constant, int64_t size,
                              std::vector<char> &whole) {
  if (isa<DenseResourceElementsAttr>(constant))
    return getRawBytes(constant);
  int64_t width = constant.getElementType().getIntOrFloatBitWidth();
  int64_t perByte = 8 / width, mask = (1 << width) - 1;
  whole.assign(size, 0);
  auto view = onnx::ElementsView<int64_t>::get(constant);
  for (auto [i, value] : llvm::enumerate(view->values()))
    whole[i / perByte] |=
        static_cast<char>((value & mask) << (i % perByte * width));
  return whole;
}

/// The bytes of a constant as another type of as many; a large one is shared.
static ElementsAttr reinterpret(ElementsAttr bytes, RankedTensorType type) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(bytes))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  std::vector<char> whole;
  ArrayRef<char> data = getData(bytes, onnx::getStorageBytes(type), whole);
  return onnx::makeElements(
      type, HeapAsmResourceBlob::allocateAndCopyInferAlign(data), "packed");
}

/// Unpacks rows of `columns` integers, each row of whole bytes.
static std::vector<int64_t> unpackRows(ArrayRef<int64_t> bytes, int64_t rows,
                                       int64_t columns, int64_t bits) {
  int64_t rowBytes = llvm::divideCeil(columns * bits, 8);
  std::vector<int64_t> values;
  values.reserve(rows * columns);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t bit = 0; bit < columns * bits; bit += bits)
      values.push_back((bytes[row * rowBytes + bit / 8] >> (bit % 8)) &
                       ((1 << bits) - 1));
  return values;
}

namespace {
/// Statements of an expansion.
struct Body {
  template <typename... Values> void add(const char *format, Values &&...v) {
    text += llvm::formatv(format, std::forward<Values>(v)...).str() + "\n";
  }
  std::string text;
};
} // namespace

//===----------------------------------------------------------------------===//
// MatMulNBits
//===----------------------------------------------------------------------===//

namespace {
enum MatMulInput { kA, kB, kScales, kZeroPoints, kGroupIndices, kBias };

class MatMulNBits {
public:
  explicit MatMulNBits(NodeContext &node)
      : node(node), n(node.getInt("N", 0)), k(node.getInt("K", 0)),
        bits(node.getInt("bits", 4)), block(node.getInt("block_size", 0)) {}

  FailureOr<std::string> expand();

private:
  LogicalResult check();
  LogicalResult checkWeight();
  LogicalResult readGroupIndices();
  /// Zero points as integers of the weights' width; null where they are other
  /// floats.
  FailureOr<ElementsAttr> readZeroPoints() const;
  FailureOr<ElementsAttr> readPackedZeroPoints(ElementsAttr packed) const;
  /// The first `columns` weights of every row, as integers.
  ElementsAttr makeCodes(int64_t columns) const;
  void addWeight(Body &body, ElementsAttr points);

  NodeContext &node;
  int64_t n, k, bits, block, blocks = 0;
  ElementsAttr weight;
  /// The columns that make the groups, one after another; empty where they do
  /// as they are.
  std::vector<int64_t> order;
};
} // namespace

LogicalResult MatMulNBits::checkWeight() {
  weight = node.getConstant(kB);
  if (!weight)
    return node.error() << "its weights (input B) must be a constant";
  auto type = cast<RankedTensorType>(weight.getShapedType());
  SmallVector<int64_t> shape = {n, blocks, block * bits / 8};
  if (!type.getElementType().isUnsignedInteger(8) ||
      type.getNumElements() != n * blocks * shape.back() ||
      type.getShape().front() != n)
    return node.error() << "its weights (input B) are " << type
                        << ", expected tensor<" << n << "x" << blocks << "x"
                        << shape.back() << "xui8>";
  for (int input : {kScales, kZeroPoints}) {
    RankedTensorType scales = node.getType(input);
    if (!scales || !scales.hasStaticShape() ||
        (input == kZeroPoints && isa<IntegerType>(scales.getElementType())))
      continue;
    if (scales.getNumElements() != n * blocks)
      return node.error() << "its "
                          << (input == kScales ? "scales" : "zero points")
                          << " are " << scales << ", expected " << n << "x"
                          << blocks << " values";
  }
  return success();
}

/// Groups of other columns than consecutive ones are made so by a permutation.
LogicalResult MatMulNBits::readGroupIndices() {
  if (!node.hasInput(kGroupIndices))
    return success();
  auto view = onnx::ElementsView<int64_t>::get(node.getConstant(kGroupIndices));
  if (!view || int64_t(view->values().size()) < k)
    return node.error() << "its group indices (input g_idx) must be a constant "
                           "of K values";
  ArrayRef<int64_t> groups = view->values().take_front(k);
  order.resize(k);
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return std::pair(groups[a], a) < std::pair(groups[b], b);
  });
  for (auto [i, column] : llvm::enumerate(order))
    if (groups[column] != int64_t(i) / block)
      return node.error() << "its group indices (input g_idx) must give each "
                             "group "
                          << block << " weights (block_size), and do not group "
                          << int64_t(i) / block;
  if (llvm::is_sorted(order))
    order.clear();
  return success();
}

LogicalResult MatMulNBits::check() {
  constexpr int64_t kLimit = int64_t(1) << 31;
  if (n < 1 || k < 1 || n >= kLimit || k >= kLimit)
    return node.error() << "its attributes N and K are " << n << " and " << k
                        << ", expected sizes of a matrix";
  if (!llvm::is_contained({2, 4, 8}, bits))
    return node.error() << "it has weights of " << bits
                        << " bits; 2, 4 and 8 are supported";
  if (block < 16 || block >= kLimit || !llvm::isPowerOf2_64(block))
    return node.error() << "its block_size is " << block
                        << ", expected a power of two from 16 on";
  if (node.getInt("weight_prepacked", 0) != 0)
    return node.error() << "its weights are packed for one device "
                           "(weight_prepacked); only the standard layout is "
                           "supported";
  blocks = llvm::divideCeil(k, block);
  return success(succeeded(checkWeight()) && succeeded(readGroupIndices()));
}

FailureOr<ElementsAttr>
MatMulNBits::readPackedZeroPoints(ElementsAttr packed) const {
  int64_t rowBytes = llvm::divideCeil(blocks * bits, 8);
  auto view = onnx::ElementsView<int64_t>::get(packed);
  if (!view || int64_t(view->values().size()) != n * rowBytes)
    return node.error() << "its zero points are " << packed.getShapedType()
                        << ", expected " << n << "x" << rowBytes << " bytes";
  auto type = RankedTensorType::get({n, blocks},
                                    getUnsigned(packed.getContext(), bits));
  return onnx::makeElements<int64_t>(
      type, unpackRows(view->values(), n, blocks, bits), "zero_points");
}

FailureOr<ElementsAttr> MatMulNBits::readZeroPoints() const {
  auto type = RankedTensorType::get({n, blocks},
                                    getUnsigned(weight.getContext(), bits));
  if (!node.hasInput(kZeroPoints))
    return onnx::makeElements<int64_t>(
        type, std::vector<int64_t>(n * blocks, 1 << (bits - 1)), "zero_points");
  ElementsAttr given = node.getConstant(kZeroPoints);
  if (given && given.getElementType().isUnsignedInteger(8))
    return readPackedZeroPoints(given);
  if (RankedTensorType floats = node.getType(kZeroPoints);
      floats && !isa<FloatType>(floats.getElementType()))
    return node.error() << "its zero points are " << floats
                        << ", expected a constant of bytes, or floats";
  auto view = onnx::ElementsView<double>::get(given);
  if (!view || !llvm::all_of(view->values(), [&](double point) {
        return point == std::rint(point) && point >= 0 && point < 1 << bits;
      }))
    return ElementsAttr();
  std::vector<int64_t> points(view->values().begin(), view->values().end());
  return onnx::makeElements<int64_t>(type, points, "zero_points");
}

ElementsAttr MatMulNBits::makeCodes(int64_t columns) const {
  Type element = getUnsigned(weight.getContext(), bits);
  int64_t stored = blocks * block;
  if (columns == stored && order.empty())
    return reinterpret(weight, RankedTensorType::get({n, columns}, element));
  // Rows without what stands in the last block beyond K, and in order.
  std::vector<char> whole;
  ArrayRef<char> data = getData(weight, n * stored * bits / 8, whole);
  auto type = RankedTensorType::get({n, columns}, element);
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
      onnx::getStorageBytes(type), /*align=*/64, /*dataIsMutable=*/true);
  MutableArrayRef<char> packed = blob.getMutableData();
  llvm::fill(packed, 0);
  int64_t perByte = 8 / bits, mask = (1 << bits) - 1;
  for (int64_t row = 0, to = 0; row < n; ++row)
    for (int64_t column = 0; column < columns; ++column, ++to) {
      bool isMoved = column < static_cast<int64_t>(order.size());
      int64_t i = row * stored + (isMoved ? order[column] : column);
      int code = (data[i / perByte] >> (i % perByte * bits)) & mask;
      packed[to / perByte] |= static_cast<char>(code << (to % perByte * bits));
    }
  return onnx::makeElements(type, std::move(blob), "weight");
}

/// Writes the weights, [N, K], as `w`.
void MatMulNBits::addWeight(Body &body, ElementsAttr points) {
  body.add("shape = {0}", intsConstant({n, blocks}));
  body.add("s = Reshape (scales, shape)");
  if (points) {
    body.add("w = DequantizeLinear <axis = 1, block_size = {0}> ({1}, s, {2})",
             block, node.addConstant(makeCodes(k)), node.addConstant(points));
    return;
  }
  body.add("grouped = {0}", intsConstant({n, blocks, block}));
  body.add("each = {0}", intsConstant({n, blocks, 1}));
  body.add("whole = {0}", intsConstant({n, blocks * block}));
  body.add("floats = CastLike ({0}, scales)",
           node.addConstant(makeCodes(blocks * block)));
  body.add("groups = Reshape (floats, grouped)");
  body.add("z = Reshape (zero_points, each)");
  body.add("factor = Reshape (scales, each)");
  body.add("centred = Sub (groups, z)");
  body.add("scaled = Mul (centred, factor)");
  body.add("rows = Reshape (scaled, whole)");
  body.add("first = {0}", intsConstant({0}));
  body.add("end = {0}", intsConstant({k}));
  body.add("axis = {0}", intsConstant({1}));
  body.add("w = Slice (rows, first, end, axis)");
}

FailureOr<std::string> MatMulNBits::expand() {
  if (failed(check()))
    return failure();
  FailureOr<ElementsAttr> points = readZeroPoints();
  if (failed(points))
    return failure();
  Body body;
  addWeight(body, *points);
  body.add("t = Transpose <perm = [1, 0]> (w)");
  bool hasBias = node.hasInput(kBias);
  StringRef a = "a";
  if (!order.empty()) {
    a = "ordered";
    body.add("order = {0}", intsConstant(order));
    body.add("ordered = Gather <axis = -1> (a, order)");
  }
  body.add("{0} = MatMul ({1}, t)", hasBias ? "product" : "y", a);
  if (hasBias)
    body.add("y = Add (product, bias)");
  return body.text;
}

static FailureOr<std::string> expandMatMulNBits(NodeContext &node) {
  return MatMulNBits(node).expand();
}

//===----------------------------------------------------------------------===//
// GatherBlockQuantized
//===----------------------------------------------------------------------===//

namespace {
enum GatherInput { kData, kIndices, kGatherScales, kGatherZeroPoints };

/// What a GatherBlockQuantized reads.
struct QuantizedTable {
  /// As stored; integers below a byte are packed along the last dimension.
  RankedTensorType type;
  int64_t bits = 0, block = 0, gatherAxis = 0, quantizeAxis = 0;
  bool isSigned = false;

  int64_t perByte() const { return 8 / bits; }
};
} // namespace

static FailureOr<QuantizedTable> readTable(NodeContext &node) {
  QuantizedTable table;
  ElementsAttr data = node.getConstant(kData);
  ElementsAttr points = node.getConstant(kGatherZeroPoints);
  if (!data || !node.getConstant(kGatherScales) ||
      (!points && node.hasInput(kGatherZeroPoints)))
    return node.error() << "its data, scales and zero points must be constants";
  table.type = cast<RankedTensorType>(data.getShapedType());
  auto element = dyn_cast<IntegerType>(table.type.getElementType());
  table.bits = element ? element.getWidth() : 0;
  table.isSigned = element && !element.isUnsigned();
  if (!element || (table.bits != 4 && !element.isUnsignedInteger(8)))
    return node.error() << "its data is " << table.type
                        << "; bytes, INT4 and UINT4 are supported";
  if (table.bits == 8)
    table.bits = node.getInt("bits", 4);
  if (!llvm::is_contained({2, 4, 8}, table.bits))
    return node.error() << "it has values of " << table.bits
                        << " bits; 2, 4 and 8 are supported";
  table.block = node.getInt("block_size", 128);
  if (table.block < 16 || !llvm::isPowerOf2_64(table.block))
    return node.error() << "its block_size is " << table.block
                        << ", expected a power of two from 16 on";
  int64_t rank = table.type.getRank();
  auto gather = onnx::normalizeAxis(node.getInt("gather_axis", 0), rank);
  auto quantize = onnx::normalizeAxis(node.getInt("quantize_axis", 1), rank);
  if (!gather || !quantize || *gather == *quantize || *gather == rank - 1)
    return node.error()
           << "its gather_axis must be neither the quantize_axis nor the last "
              "of its data, which is "
           << table.type;
  table.gatherAxis = *gather;
  table.quantizeAxis = *quantize;
  return table;
}

/// Checks scales and zero points against the data, whose extents these are.
static LogicalResult checkScales(NodeContext &node, const QuantizedTable &table,
                                 ArrayRef<int64_t> extents) {
  SmallVector<int64_t> expected(extents);
  expected[table.quantizeAxis] =
      llvm::divideCeil(expected[table.quantizeAxis], table.block);
  auto show = [](ArrayRef<int64_t> shape) {
    return llvm::join(
        llvm::map_range(shape, [](int64_t e) { return std::to_string(e); }),
        "x");
  };
  RankedTensorType scales = node.getType(kGatherScales);
  if (scales.getShape() != ArrayRef(expected))
    return node.error() << "its scales are " << scales << ", expected "
                        << show(expected) << " values";
  RankedTensorType points = node.getType(kGatherZeroPoints);
  if (table.type.getElementType().isUnsignedInteger(8))
    expected.back() = llvm::divideCeil(expected.back(), table.perByte());
  if (points && (points.getElementType() != table.type.getElementType() ||
                 points.getShape() != ArrayRef(expected)))
    return node.error() << "its zero points are " << points << ", expected "
                        << show(expected) << " of the data's type";
  return success();
}

/// The added constant of zero points, a byte each; the name of none where there
/// are none. `flip` is what inverts sign bits.
static std::string addZeroPoints(NodeContext &node, const QuantizedTable &table,
                                 int64_t flip) {
  ElementsAttr points = node.getConstant(kGatherZeroPoints);
  if (!points)
    return {};
  RankedTensorType scales = node.getType(kGatherScales);
  int64_t columns = scales.getShape().back();
  int64_t rows = columns ? scales.getNumElements() / columns : 0;
  auto view = onnx::ElementsView<int64_t>::get(points);
  std::vector<int64_t> bytes = view->values();
  if (points.getElementType().isUnsignedInteger(8))
    bytes = unpackRows(bytes, rows, columns, table.bits);
  for (int64_t &value : bytes)
    value = (value & ((1 << table.bits) - 1)) ^ flip;
  auto type = scales.clone(getUnsigned(points.getContext(), 8));
  return node.addConstant(onnx::makeElements<int64_t>(
      cast<RankedTensorType>(type), bytes, "zero_points"));
}

/// Gathers rows of bytes and unpacks them, which leaves the table as it is.
static FailureOr<std::string> expandGatherBlockQuantized(NodeContext &node) {
  FailureOr<QuantizedTable> table = readTable(node);
  if (failed(table))
    return failure();
  Type byte = getUnsigned(table->type.getContext(), 8);
  bool isBytes = table->type.getElementType() == byte;
  SmallVector<int64_t> extents(table->type.getShape());
  if (isBytes)
    extents.back() *= table->perByte();
  else if (extents.back() % table->perByte() != 0)
    return node.error() << "its data is " << table->type
                        << "; rows must be whole bytes";
  if (failed(checkScales(node, *table, extents)))
    return failure();
  SmallVector<int64_t> packed(extents);
  packed.back() /= table->perByte();
  auto byteList = [&](ArrayRef<int64_t> values) {
    auto type = RankedTensorType::get({int64_t(values.size())}, byte);
    return node.addConstant(onnx::makeElements(type, values, "bytes"));
  };
  Body body;
  body.add("rows = Gather <axis = {0}> ({1}, indices)", table->gatherAxis,
           node.addConstant(reinterpret(node.getConstant(kData),
                                        RankedTensorType::get(packed, byte))));
  // An INT4 with its sign bit inverted is a UINT4 that is greater by 8.
  int64_t flip = table->isSigned ? 8 : 0;
  std::string codes = "rows";
  if (table->bits < 8) {
    SmallVector<int64_t> shifts;
    for (int64_t bit = 0; bit < 8; bit += table->bits)
      shifts.push_back(bit);
    body.add("end = {0}", intsConstant({-1}));
    body.add("apart = Unsqueeze (rows, end)");
    body.add("shifted = BitShift <direction = \"RIGHT\"> (apart, {0})",
             byteList(shifts));
    body.add("masked = BitwiseAnd (shifted, {0})",
             byteList({(1 << table->bits) - 1}));
    body.add("flipped = BitwiseXor (masked, {0})", byteList({flip}));
    body.add("leading = Shape <start = 0, end = -1> (rows)");
    body.add("width = {0}", intsConstant({extents.back()}));
    body.add("shape = Concat <axis = 0> (leading, width)");
    body.add("codes = Reshape (flipped, shape)");
    codes = "codes";
  }
  body.add("s = Gather <axis = {0}> (scales, indices)", table->gatherAxis);
  std::string points = addZeroPoints(node, *table, flip);
  if (!points.empty()) {
    body.add("z = Gather <axis = {0}> ({1}, indices)", table->gatherAxis,
             points);
  } else {
    int64_t middle = isBytes ? 1 << (table->bits - 1) : flip;
    body.add("extents = Shape (s)");
    body.add("z = Expand ({0}, extents)", byteList({middle}));
  }
  // Gathering adds dimensions where the gathered one was.
  int64_t axis = table->quantizeAxis;
  if (axis > table->gatherAxis)
    axis -= table->type.getRank();
  body.add("y = DequantizeLinear <axis = {0}, block_size = {1}> ({2}, s, z)",
           axis, table->block, codes);
  return body.text;
}

void addMicrosoftQuantizedOperators(ForeignOperators &operators) {
  operators["com.microsoft.MatMulNBits"] = {
      {"a", "b", "scales", "zero_points", "g_idx", "bias"},
      {"y"},
      expandMatMulNBits};
  operators["com.microsoft.GatherBlockQuantized"] = {
      {"data", "indices", "scales", "zero_points"},
      {"y"},
      expandGatherBlockQuantized};
}

} // namespace bitnet::import
