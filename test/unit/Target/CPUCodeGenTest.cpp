//===- CPUCodeGenTest.cpp - Generated code that runs ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compile.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <numeric>

using namespace bitnet::test;

/// y[i, j] = exp(x[i, j]) * w[j] by a kernel with a parallel loop, z a copy of
/// a transposed view in host memory, and a cache row per call.
static const char *source = R"mlir(
func.func @main(%archive: memref<?xi8>, %workspace: memref<?xi8>,
    %x: memref<?x4xf32> {onnx.dims = ["n", ""]}, %u: memref<?xf32> {onnx.dims = ["n"]})
    -> (memref<?x4xf32>, memref<4x?xf32>) attributes {bitnet.entry} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %w = memref.view %archive[%c64][] : memref<?xi8> to memref<4xf32>
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %y = memref.view %workspace[%c0][%n] : memref<?xi8> to memref<?x4xf32>
  %scratch = memref.alloc(%n) : memref<?xf32>
  memref.copy %u, %scratch : memref<?xf32> to memref<?xf32>
  func.call @kernel(%x, %w, %scratch, %y) : (memref<?x4xf32>, memref<4xf32>, memref<?xf32>, memref<?x4xf32>) -> ()
  %z = memref.alloc(%n) : memref<4x?xf32>
  %t = memref.transpose %y (i, j) -> (j, i) : memref<?x4xf32> to memref<4x?xf32, strided<[1, 4]>>
  memref.copy %t, %z : memref<4x?xf32, strided<[1, 4]>> to memref<4x?xf32>
  memref.dealloc %scratch : memref<?xf32>
  return %y, %z : memref<?x4xf32>, memref<4x?xf32>
}

func.func private @kernel(%x: memref<?x4xf32> {llvm.noalias}, %w: memref<4xf32> {llvm.noalias},
    %u: memref<?xf32> {llvm.noalias}, %y: memref<?x4xf32> {llvm.noalias}) attributes {bitnet.kernel, no_inline} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  scf.parallel (%i, %h) = (%c0, %c0) to (%n, %c4) step (%c1, %c2) {
    %s = memref.alloc() : memref<1xf32>
    %e = memref.load %u[%i] : memref<?xf32>
    memref.store %e, %s[%c0] : memref<1xf32>
    scf.parallel (%k) = (%c0) to (%c2) step (%c1) {
      %j = arith.addi %h, %k : index
      %a = memref.load %x[%i, %j] : memref<?x4xf32>
      %b = memref.load %w[%j] : memref<4xf32>
      %c = math.exp %a : f32
      %d = arith.mulf %c, %b : f32
      %f = memref.load %s[%c0] : memref<1xf32>
      %g = arith.addf %d, %f : f32
      memref.store %g, %y[%i, %j] : memref<?x4xf32>
      scf.reduce
    }
    memref.dealloc %s : memref<1xf32>
    scf.reduce
  }
  return
}

func.func @decode(%archive: memref<?xi8>, %workspace: memref<?xi8>, %tokens: memref<1x1xi64>,
    %position: index, %cache: memref<8xi64> {bitnet.state = 1 : i64}) -> memref<1x8xi64> attributes {bitnet.entry} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %limit = arith.constant 100 : i64
  %token = memref.load %tokens[%c0, %c0] : memref<1x1xi64>
  %known = arith.cmpi ult, %token, %limit : i64
  cf.assert %known, "index: token out of range"
  memref.store %token, %cache[%position] : memref<8xi64>
  %out = memref.expand_shape %cache [[0, 1]] output_shape [1, 8] : memref<8xi64> into memref<1x8xi64>
  return %out : memref<1x8xi64>
}
)mlir";

namespace {
struct CPUCodeGenTest : testing::Test {
  static void SetUpTestSuite() {
    targets = getRunnableTargets();
    std::string list;
    for (const std::string &target : targets)
      list += (list.empty() ? "" : ",") + target;
    program = std::make_unique<Program>(source, list);
  }
  static void TearDownTestSuite() { program.reset(); }

  void SetUp() override {
    ASSERT_EQ(program->getError(), "");
    std::iota(std::begin(x), std::end(x), -10.0f);
    std::iota(std::begin(u), std::end(u), 0.5f);
    float w[4] = {1.0f, -2.0f, 3.0f, 0.25f};
    std::memcpy(archive + 64, w, sizeof w);
    inputs[0] = {x, {5, 4}};
    inputs[1] = {u, {5}};
    call = {sizeof(bn_call), 0,      &host.environment, archive, workspace,
            states,          inputs, outputs,           0};
  }

  static std::vector<std::string> targets;
  static std::unique_ptr<Program> program;
  Host host;
  alignas(64) char archive[128] = {}, workspace[1024] = {};
  float x[20], u[5];
  bn_buffer inputs[2], outputs[2];
  void *states[2] = {nullptr, nullptr};
  bn_call call;
};
std::vector<std::string> CPUCodeGenTest::targets;
std::unique_ptr<Program> CPUCodeGenTest::program;
} // namespace

TEST_F(CPUCodeGenTest, RunsTheMainEntry) {
  for (size_t variant = 0; variant < targets.size(); ++variant) {
    SCOPED_TRACE(targets[variant]);
    bn_entry_fn entry = program->getEntry(variant, 0);
    ASSERT_TRUE(entry);
    host.parallelCounts = 0;
    ASSERT_EQ(entry(&call), BN_ENTRY_OK);
    EXPECT_EQ(host.parallelCounts, 10);
    EXPECT_EQ(outputs[0].data, workspace);
    EXPECT_EQ(outputs[0].shape[0], 5);
    EXPECT_EQ(outputs[0].shape[1], 4);
    EXPECT_EQ(outputs[1].shape[0], 4);
    EXPECT_EQ(outputs[1].shape[1], 5);
    const float w[4] = {1.0f, -2.0f, 3.0f, 0.25f};
    for (int i = 0; i < 5; ++i)
      for (int j = 0; j < 4; ++j) {
        double expected = std::exp(double(x[4 * i + j])) * w[j] + u[i];
        EXPECT_NEAR(static_cast<float *>(outputs[0].data)[4 * i + j], expected,
                    3e-7 * std::abs(expected) + 1e-6);
        EXPECT_EQ(static_cast<float *>(outputs[1].data)[5 * j + i],
                  static_cast<float *>(outputs[0].data)[4 * i + j]);
      }
  }
  EXPECT_EQ(host.released, int(targets.size()));
}

TEST_F(CPUCodeGenTest, ReportsShapesThatDoNotFit) {
  bn_entry_fn entry = program->getEntry(0, 0);
  inputs[1].shape[0] = 4; // "n" is 5 elsewhere
  EXPECT_EQ(entry(&call), BN_ENTRY_BAD_SHAPE);
  inputs[1].shape[0] = 5;
  inputs[0].shape[1] = 3;
  EXPECT_EQ(entry(&call), BN_ENTRY_BAD_SHAPE);
}

TEST_F(CPUCodeGenTest, ReportsExhaustedMemory) {
  for (int allowed : {0, 1}) {
    host.allowed = allowed;
    EXPECT_EQ(program->getEntry(0, 0)(&call), BN_ENTRY_OUT_OF_MEMORY);
  }
}

TEST_F(CPUCodeGenTest, ReadsStatesAndPosition) {
  int64_t cache[8] = {}, token = 42;
  states[1] = cache;
  inputs[0] = {&token, {1, 1}};
  for (size_t variant = 0; variant < targets.size(); ++variant) {
    call.position = 1 + variant;
    ASSERT_EQ(program->getEntry(variant, 1)(&call), BN_ENTRY_OK);
    EXPECT_EQ(cache[1 + variant], 42);
    EXPECT_EQ(outputs[0].data, cache);
    EXPECT_EQ(outputs[0].shape[1], 8);
  }
  token = 100;
  EXPECT_EQ(program->getEntry(0, 1)(&call), BN_ENTRY_BAD_INDEX);
}

TEST_F(CPUCodeGenTest, QueryKnowsOnlyWhatIsThere) {
  EXPECT_FALSE(program->getEntry(targets.size(), 0));
  EXPECT_FALSE(program->getEntry(0, 2));
  EXPECT_FALSE(program->getEntry(0, 0, BN_ABI_VERSION + 1));
}

TEST_F(CPUCodeGenTest, ImportsAndExportsNothingElse) {
  std::string command = "nm -D " + program->getPath();
  FILE *pipe = popen(command.c_str(), "r");
  ASSERT_TRUE(pipe);
  std::string text;
  for (int c; (c = fgetc(pipe)) != EOF;)
    text += char(c);
  ASSERT_EQ(pclose(pipe), 0);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_NE(text.find(" T bitnet_query"), std::string::npos) << text;
}

TEST(CPUCodeGen, NamesMissingFunctions) {
  Program program(R"mlir(
    llvm.func @cosf(f32) -> f32
    func.func @main(%a: memref<?xi8>, %w: memref<?xi8>, %x: memref<f32>) -> memref<f32> attributes {bitnet.entry} {
      %v = memref.load %x[] : memref<f32>
      %y = llvm.call @cosf(%v) : (f32) -> f32
      memref.store %y, %x[] : memref<f32>
      return %x : memref<f32>
    })mlir",
                  "x86-64");
  EXPECT_EQ(program.getError(), "the generated code calls functions that an "
                                "artifact does not have: cosf");
}

TEST(CPUCodeGen, RefusesLargeAllocationsOfKernels) {
  Program program(R"mlir(
    func.func private @kernel(%x: memref<100000xf32>) -> f32 {
      %m = memref.alloc() : memref<100000xf32>
      %c0 = arith.constant 0 : index
      memref.copy %x, %m : memref<100000xf32> to memref<100000xf32>
      %v = memref.load %m[%c0] : memref<100000xf32>
      memref.dealloc %m : memref<100000xf32>
      return %v : f32
    })mlir",
                  "x86-64");
  EXPECT_EQ(program.getError(),
            "a kernel may allocate at most 65536 bytes, of static size");
}

TEST(CPUCodeGen, MovesAndFillsMemory) {
  // Copies of dynamic size become calls of memcpy, and fills of memset.
  Program program(R"mlir(
    func.func @main(%a: memref<?xi8>, %w: memref<?xi8>, %x: memref<?xi8>, %n: memref<?xi8>)
        -> memref<?xi8> attributes {bitnet.entry} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %size = memref.dim %x, %c0 : memref<?xi8>
      %m = memref.dim %n, %c0 : memref<?xi8>
      %y = memref.alloc(%size) : memref<?xi8>
      memref.copy %x, %y : memref<?xi8> to memref<?xi8>
      %v = arith.constant 7 : i8
      scf.for %i = %c0 to %m step %c1 {
        memref.store %v, %n[%i] : memref<?xi8>
      }
      return %y : memref<?xi8>
    })mlir",
                  "x86-64");
  ASSERT_EQ(program.getError(), "");
  Host host;
  for (int64_t size : {0, 1, 63, 64, 65, 200, 1000}) {
    std::vector<uint8_t> x(size + 1), n(size + 1, 9);
    std::iota(x.begin(), x.end(), 1);
    bn_buffer inputs[2] = {{x.data(), {size}}, {n.data(), {size}}}, output;
    bn_call call = {sizeof(bn_call), 0,       &host.environment,
                    nullptr,         nullptr, nullptr,
                    inputs,          &output, 0};
    ASSERT_EQ(program.getEntry(0, 0)(&call), BN_ENTRY_OK);
    EXPECT_EQ(std::memcmp(output.data, x.data(), size), 0) << size;
    EXPECT_EQ(std::count(n.begin(), n.end(), 7), size);
    EXPECT_EQ(n.back(), 9);
  }
}

TEST(CPUCodeGen, ReadsFetchDistancesOfTheHost) {
  // In a parallel loop, whose code is in another function.
  Program program(R"mlir(
    func.func @main(%a: memref<?xi8>, %w: memref<?xi8>, %x: memref<4xi64>)
        -> memref<4xi64> attributes {bitnet.entry} {
      %c0 = arith.constant 0 : index
      %c2 = arith.constant 2 : index
      %c4 = arith.constant 4 : index
      scf.parallel (%i) = (%c0) to (%c4) step (%c2) {
        %far = bitnet.fetch_distance <far>
        %near = bitnet.fetch_distance <near>
        %both = arith.subi %far, %near : index
        %v = arith.index_cast %both : index to i64
        memref.store %v, %x[%i] : memref<4xi64>
        scf.reduce
      }
      return %x : memref<4xi64>
    })mlir",
                  "x86-64");
  ASSERT_EQ(program.getError(), "");
  Host host;
  host.environment.fetch_distance[BN_FETCH_FAR] = 4096;
  host.environment.fetch_distance[BN_FETCH_NEAR] = 96;
  int64_t x[4] = {1, 1, 1, 1};
  bn_buffer input = {x, {4}}, output;
  bn_call call = {sizeof(bn_call), 0,      &host.environment, nullptr, nullptr,
                  nullptr,         &input, &output,           0};
  ASSERT_EQ(program.getEntry(0, 0)(&call), BN_ENTRY_OK);
  EXPECT_EQ(x[0], 4000);
  EXPECT_EQ(x[1], 1);
  EXPECT_EQ(x[2], 4000);
}
