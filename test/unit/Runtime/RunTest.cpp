//===- RunTest.cpp - Sessions and the model's own signature ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

using namespace bitnet_test;

namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class RunTest : public testing::Test {
protected:
  /// The inputs for n rows: x = 0, 1, ..., y = 2, pick = 0.
  void setRows(int64_t n) {
    x.assign(n * 3, 0);
    y.assign(n * 3, 2);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = float(i);
    inputs = {{"x", 1, 2, {n, 3}, x.data()},
              {"y", 1, 2, {n, 3}, y.data()},
              {"pick", 7, 0, {}, &pick}};
  }

  int32_t run() {
    return bn_session_run(session.get(), inputs.data(), inputs.size(), outputs,
                          2, &status);
  }

  /// Runs what must be refused; gives the message.
  std::string runFails(int32_t code = BN_INVALID) {
    EXPECT_EQ(run(), code);
    EXPECT_EQ(status.code, code);
    return status.message;
  }

  void SetUp() override { setRows(4); }

  TemporaryFile file{TestArtifact().build()};
  Model model = openModel(file.path());
  Session session = createSession(model, 2);
  std::vector<float> x, y;
  int64_t pick = 0;
  std::vector<bn_tensor> inputs;
  bn_tensor outputs[2];
  bn_status status;
};

TEST_F(RunTest, Computes) {
  for (int64_t n : {1, 4, 1000, 3}) {
    setRows(n);
    pick = n - 1;
    ASSERT_EQ(run(), BN_OK) << status.message;
    EXPECT_EQ(status.code, BN_OK);
    EXPECT_STREQ(outputs[0].name, "z");
    EXPECT_EQ(outputs[0].dtype, 1u);
    ASSERT_EQ(outputs[0].rank, 2u);
    EXPECT_EQ(outputs[0].shape[0], n);
    EXPECT_EQ(outputs[0].shape[1], 3);
    const float *z = static_cast<const float *>(outputs[0].data);
    for (int64_t i = 0; i < n * 3; ++i)
      ASSERT_EQ(z[i], float(i) + 1);
    EXPECT_STREQ(outputs[1].name, "row");
    EXPECT_EQ(static_cast<const float *>(outputs[1].data)[2], float(n * 3));
  }
}

TEST_F(RunTest, TakesInputsInAnyOrder) {
  std::swap(inputs[0], inputs[2]);
  ASSERT_EQ(run(), BN_OK) << status.message;
  EXPECT_EQ(static_cast<const float *>(outputs[0].data)[5], 6.0f);
}

TEST_F(RunTest, RefusesWrongNames) {
  inputs[1].name = "why";
  EXPECT_TRUE(contains(runFails(), "no input 'why'"));
  inputs[1].name = nullptr;
  runFails();
  inputs[1].name = "x";
  EXPECT_TRUE(contains(runFails(), "'x' is given twice"));
  inputs.erase(inputs.begin() + 1);
  EXPECT_TRUE(contains(runFails(), "'y' is missing"));
}

TEST_F(RunTest, RefusesWrongTypes) {
  inputs[0].dtype = 7;
  EXPECT_TRUE(contains(runFails(), "'x' is of float32, got int64"));
  inputs[0].dtype = 12345;
  runFails();
}

TEST_F(RunTest, RefusesWrongShapes) {
  inputs[0].shape[1] = 2;
  EXPECT_TRUE(contains(runFails(), "'x' has the shape [n, 3], got [4, 2]"));
  setRows(4);
  inputs[0].rank = 1;
  EXPECT_TRUE(contains(runFails(), "got [4]"));
  inputs[0].rank = 100;
  runFails();
  setRows(4);
  inputs[0].shape[0] = -1;
  runFails();
  inputs[0].shape[0] = INT64_MAX;
  runFails();
  setRows(4);
  inputs[1].shape[0] = 3;
  EXPECT_TRUE(
      contains(runFails(), "dimension 'n' is 3 in input 'y' but 4 in 'x'"));
  setRows(4);
  inputs[0].data = nullptr;
  EXPECT_TRUE(contains(runFails(), "no data"));
}

TEST_F(RunTest, RefusesTooFewOutputs) {
  EXPECT_EQ(bn_session_run(session.get(), inputs.data(), inputs.size(), outputs,
                           1, &status),
            BN_INVALID);
  EXPECT_TRUE(contains(status.message, "2 outputs"));
}

TEST_F(RunTest, ReportsWhatTheCodeReports) {
  pick = 4;
  EXPECT_TRUE(contains(runFails(), "out of range"));
  pick = 0;
  setRows(13);
  EXPECT_TRUE(contains(runFails(), "do not fit together"));
  setRows(14);
  EXPECT_TRUE(contains(runFails(BN_FAILED), "77"));
  setRows(15);
  EXPECT_TRUE(contains(runFails(BN_OUT_OF_MEMORY), "out of memory"));
  // The session still works.
  setRows(4);
  EXPECT_EQ(run(), BN_OK);
}

TEST_F(RunTest, NeedsAMainEntry) {
  TestArtifact artifact;
  artifact.entries = {cachedEntry("a", 1)};
  TemporaryFile other(artifact.build());
  Model decoder = openModel(other.path());
  session = createSession(decoder);
  EXPECT_TRUE(contains(runFails(BN_UNSUPPORTED), "signature"));
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

class SessionTest : public RunTest {
protected:
  std::string createFails(bn_session_options options, int32_t code) {
    bn_session *created = reinterpret_cast<bn_session *>(1);
    EXPECT_EQ(bn_session_create(model.get(), &options, &created, &status),
              code);
    EXPECT_EQ(created, nullptr);
    return status.message;
  }
};

TEST_F(SessionTest, PicksTheBestVariant) {
  EXPECT_STREQ(bn_session_variant(session.get()), "better");
  EXPECT_EQ(bn_session_threads(session.get()), 2);
  Session base = createSession(model, 0, "base");
  EXPECT_STREQ(bn_session_variant(base.get()), "base");
  EXPECT_GE(bn_session_threads(base.get()), 1);
}

TEST_F(SessionTest, RefusesVariants) {
  uint32_t size = sizeof(bn_session_options);
  std::string message = createFails({size, 1, "best", 0}, BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "'best'")) << message;
  EXPECT_TRUE(contains(message, "imaginary, impossible")) << message;
  message = createFails({size, 1, "unknown", 0}, BN_INVALID);
  EXPECT_TRUE(contains(message, "'unknown'")) << message;
  EXPECT_TRUE(contains(message, "base, better, best")) << message;
}

TEST_F(SessionTest, RefusesOptions) {
  uint32_t size = sizeof(bn_session_options);
  createFails({size, -1, nullptr, 0}, BN_INVALID);
  createFails({size, 1 << 20, nullptr, 0}, BN_INVALID);
  createFails({0, 1, nullptr, 0}, BN_INVALID);
  // An older caller, who does not know `variant`.
  bn_session_options older = {8, 1, reinterpret_cast<const char *>(1), 0};
  bn_session *created = nullptr;
  ASSERT_EQ(bn_session_create(model.get(), &older, &created, &status), BN_OK);
  EXPECT_STREQ(bn_session_variant(created), "better");
  bn_session_close(created);
}

TEST_F(SessionTest, NoVariantRuns) {
  TestArtifact artifact;
  artifact.variants = {variant("only", {"imaginary"})};
  TemporaryFile other(artifact.build());
  model = openModel(other.path());
  std::string message =
      createFails({sizeof(bn_session_options), 1, nullptr, 0}, BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "'only'")) << message;
  EXPECT_TRUE(contains(message, "imaginary")) << message;
}

TEST_F(SessionTest, CodeLacksAnEntry) {
  TestArtifact artifact;
  artifact.entries.push_back(cachedEntry("unwritten", 16));
  TemporaryFile other(artifact.build());
  model = openModel(other.path());
  std::string message =
      createFails({sizeof(bn_session_options), 1, nullptr, 0}, BN_CORRUPT);
  EXPECT_TRUE(contains(message, "'unwritten'")) << message;
}

TEST_F(SessionTest, AsksForTooMuchMemory) {
  TestArtifact artifact;
  artifact.cacheBytes = UINT64_C(1) << 62;
  TemporaryFile other(artifact.build());
  model = openModel(other.path());
  createFails({sizeof(bn_session_options), 1, nullptr, 0}, BN_OUT_OF_MEMORY);
}

TEST_F(SessionTest, OutlivesTheHostsModel) {
  model.reset();
  EXPECT_EQ(run(), BN_OK);
}

TEST_F(SessionTest, ReplacedFilesGiveTheirOwnCode) {
  // The dynamic linker knows the name already; the code must be the new one.
  TestArtifact artifact;
  artifact.image = readFile(BITNET_TEST_OTHER_IMAGE);
  std::remove(file.path());
  file.write(artifact.build());
  Model newer = openModel(file.path());
  ASSERT_NE(newer, nullptr);
  Session newerSession = createSession(newer);
  ASSERT_EQ(run(), BN_OK);
  EXPECT_EQ(static_cast<const float *>(outputs[0].data)[0], 1.0f);
  std::swap(session, newerSession);
  ASSERT_EQ(run(), BN_OK);
  EXPECT_EQ(static_cast<const float *>(outputs[0].data)[0], 2.0f);
}

} // namespace
