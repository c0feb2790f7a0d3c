//===- Einsum.cpp - Sums of products by an equation -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are multiplied from left to right, each pair by one MatMul of
// [shared..., rows, summed] by [shared..., summed, columns].
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace mlir;

namespace bitnet::import {

namespace {

/// A value of the body, with a letter for each dimension.
struct Term {
  std::string value, labels;
};

class Einsum {
public:
  explicit Einsum(NodeContext &node) : node(node) {}
  FailureOr<std::string> expand();

private:
  LogicalResult parse();
  LogicalResult expandEllipsis();
  LogicalResult check() const;

  /// Whether a later operand or the result has a label.
  bool isNeeded(char label, size_t next) const;

  Term sumUnneeded(Term term, StringRef others, size_t next);
  Term transpose(Term term, StringRef labels);
  Term multiply(Term a, Term b, size_t next);
  std::string flatten(const Term &term, ArrayRef<StringRef> dims);

  /// Adds a statement, whose value it returns.
  std::string add(const std::string &expression);
  std::string extent(const Term &term, char label);

  NodeContext &node;
  std::vector<std::string> operands;
  std::string result, body;
  int count = 0;
};

} // namespace

/// Names of the operands in a body.
static std::string getOperand(size_t index) {
  return "x" + std::to_string(index);
}

/// The labels of `labels` for which `keep` holds.
template <typename Predicate>
static std::string filter(StringRef labels, Predicate keep) {
  std::string result;
  llvm::copy_if(labels, std::back_inserter(result), keep);
  return result;
}

LogicalResult Einsum::parse() {
  std::string equation = node.getString("equation", "");
  llvm::erase(equation, ' ');
  auto [left, right] = StringRef(equation).split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  for (StringRef term : terms)
    operands.push_back(term.str());
  if (StringRef(equation).contains("->")) {
    result = right.str();
    return success();
  }
  // Without a right side: what occurs once, in the order of the alphabet.
  std::string all = left.str();
  llvm::sort(all);
  result = filter(all, [&](char label) {
    return llvm::isAlpha(label) && llvm::count(all, label) == 1;
  });
  if (left.contains("..."))
    result = "..." + result;
  return success();
}

/// Gives the dimensions of "..." letters that are free.
LogicalResult Einsum::expandEllipsis() {
  std::string used = llvm::join(operands, "") + result, letters;
  for (char label = 'A'; label <= 'Z'; ++label)
    if (!StringRef(used).contains(label))
      letters.push_back(label);
  size_t longest = 0;
  auto replace = [&](std::string &labels, size_t dims) {
    size_t at = labels.find("...");
    if (at != std::string::npos)
      labels.replace(at, 3, letters.substr(letters.size() - dims));
  };
  for (auto [index, labels] : llvm::enumerate(operands)) {
    if (labels.find("...") == std::string::npos)
      continue;
    RankedTensorType type = node.getType(index);
    if (!type)
      return node.error() << "its equation has '...' for an operand of unknown "
                             "rank; write its dimensions out";
    size_t dims =
        type.getRank() - std::min<size_t>(type.getRank(), labels.size() - 3);
    if (dims > letters.size())
      return node.error() << "its operands have too many dimensions";
    longest = std::max(longest, dims);
    replace(labels, dims);
  }
  replace(result, longest);
  return success();
}

LogicalResult Einsum::check() const {
  size_t index = 0;
  while (node.hasInput(index))
    ++index;
  if (index != operands.size())
    return node.error() << "its equation has " << operands.size()
                        << " operands, and the node " << index;
  std::string all = llvm::join(operands, "");
  for (const std::string &labels : llvm::concat<const std::string>(
           operands, ArrayRef<std::string>(result))) {
    for (char label : labels)
      if (!llvm::isAlpha(label) || !StringRef(all).contains(label))
        return node.error()
               << "its equation '" << node.getString("equation", "")
               << "' cannot be read";
    for (char label : labels)
      if (llvm::count(labels, label) > 1)
        return node.error() << "its equation has '" << StringRef(&label, 1)
                            << "' twice in one term: diagonals are not "
                               "supported";
  }
  return success();
}

bool Einsum::isNeeded(char label, size_t next) const {
  for (const std::string &labels : ArrayRef(operands).drop_front(next))
    if (StringRef(labels).contains(label))
      return true;
  return StringRef(result).contains(label);
}

std::string Einsum::add(const std::string &expression) {
  std::string value = "v" + std::to_string(count++);
  body += value + " = " + expression + "\n";
  return value;
}

std::string Einsum::extent(const Term &term, char label) {
  size_t dim = term.labels.find(label);
  return add(llvm::formatv("Shape <start = {0}, end = {1}> ({2})", dim, dim + 1,
                           term.value)
                 .str());
}

/// Sums over the labels that neither `others` nor what follows has.
Term Einsum::sumUnneeded(Term term, StringRef others, size_t next) {
  SmallVector<int64_t> axes;
  for (auto [dim, label] : llvm::enumerate(term.labels))
    if (!others.contains(label) && !isNeeded(label, next))
      axes.push_back(dim);
  if (axes.empty())
    return term;
  std::string list = add(intsConstant(axes));
  std::string kept = filter(term.labels, [&](char label) {
    return others.contains(label) || isNeeded(label, next);
  });
  return {add("ReduceSum <keepdims = 0> (" + term.value + ", " + list + ")"),
          kept};
}

Term Einsum::transpose(Term term, StringRef labels) {
  if (term.labels == labels)
    return term;
  std::string perm;
  for (char label : labels)
    perm +=
        (perm.empty() ? "" : ", ") + std::to_string(term.labels.find(label));
  return {add("Transpose <perm = [" + perm + "]> (" + term.value + ")"),
          labels.str()};
}

/// Makes one dimension of each group of consecutive labels.
std::string Einsum::flatten(const Term &term, ArrayRef<StringRef> dims) {
  if (llvm::all_of(dims, [](StringRef labels) { return labels.size() == 1; }))
    return term.value;
  std::vector<std::string> extents;
  for (StringRef labels : dims) {
    std::string product;
    for (char label : labels)
      product = product.empty()
                    ? extent(term, label)
                    : add("Mul (" + product + ", " + extent(term, label) + ")");
    extents.push_back(product.empty() ? add(intsConstant({1})) : product);
  }
  std::string shape =
      add("Concat <axis = 0> (" + llvm::join(extents, ", ") + ")");
  return add("Reshape (" + term.value + ", " + shape + ")");
}

Term Einsum::multiply(Term a, Term b, size_t next) {
  a = sumUnneeded(a, b.labels, next);
  b = sumUnneeded(b, a.labels, next);
  auto inBoth = [&](char label) {
    return StringRef(a.labels).contains(label) &&
           StringRef(b.labels).contains(label);
  };
  std::string shared = filter(a.labels, [&](char label) {
    return inBoth(label) && isNeeded(label, next);
  });
  std::string summed = filter(a.labels, [&](char label) {
    return inBoth(label) && !isNeeded(label, next);
  });
  auto isOwn = [&](char label) { return !inBoth(label); };
  std::string rows = filter(a.labels, isOwn), columns = filter(b.labels, isOwn);
  a = transpose(a, shared + rows + summed);
  b = transpose(b, shared + summed + columns);

  SmallVector<StringRef> aDims, bDims;
  for (size_t i = 0; i < shared.size(); ++i) {
    aDims.push_back(StringRef(shared).substr(i, 1));
    bDims.push_back(aDims.back());
  }
  // A matrix on the right multiplies rows of any shape.
  bool keepsRows = shared.empty() && !rows.empty();
  if (keepsRows)
    for (size_t i = 0; i < rows.size(); ++i)
      aDims.push_back(StringRef(rows).substr(i, 1));
  else
    aDims.push_back(rows);
  aDims.push_back(summed);
  bDims.append({summed, columns});
  std::string left = flatten(a, aDims), right = flatten(b, bDims);
  Term product{add("MatMul (" + left + ", " + right + ")"),
               shared + rows + columns};
  if ((keepsRows || rows.size() == 1) && columns.size() == 1)
    return product;
  std::vector<std::string> extents;
  for (char label : product.labels)
    extents.push_back(
        extent(StringRef(a.labels).contains(label) ? a : b, label));
  if (extents.empty()) {
    product.value = add("Squeeze (" + product.value + ")");
    return product;
  }
  std::string shape =
      add("Concat <axis = 0> (" + llvm::join(extents, ", ") + ")");
  product.value = add("Reshape (" + product.value + ", " + shape + ")");
  return product;
}

FailureOr<std::string> Einsum::expand() {
  if (failed(parse()) || failed(expandEllipsis()) || failed(check()))
    return failure();
  Term total{getOperand(0), operands[0]};
  for (size_t i = 1; i < operands.size(); ++i)
    total = multiply(total, {getOperand(i), operands[i]}, i + 1);
  total = transpose(sumUnneeded(total, "", operands.size()), result);
  return body + "y = Identity (" + total.value + ")\n";
}

static FailureOr<std::string> expandEinsum(NodeContext &node) {
  return Einsum(node).expand();
}

void addEinsumOperator(ForeignOperators &operators) {
  constexpr size_t kMostOperands = 16;
  ForeignOperator &einsum = operators["Einsum"];
  for (size_t i = 0; i < kMostOperands; ++i)
    einsum.inputs.push_back(getOperand(i));
  einsum.outputs = {"y"};
  einsum.expand = expandEinsum;
}

} // namespace bitnet::import
