//===- CommandsTest.cpp - The subcommands on models made by hand ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Array.h"
#include "ContextSlope.h"
#include "Error.h"
#include "TinyDecoder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>

using namespace bitnet::run;
using namespace bitnet_test;

namespace {

std::string errorOf(const std::function<void()> &command) {
  testing::internal::CaptureStdout();
  std::string message;
  try {
    command();
  } catch (const std::exception &error) {
    message = error.what();
  }
  testing::internal::GetCapturedStdout();
  return message;
}

std::string outputOf(const std::function<void()> &command) {
  testing::internal::CaptureStdout();
  EXPECT_NO_THROW(command());
  return testing::internal::GetCapturedStdout();
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

std::string join(const std::vector<int64_t> &ids) {
  std::string text;
  for (int64_t id : ids)
    text += (text.empty() ? "" : ",") + std::to_string(id);
  return text + "\n";
}

class CommandsTest : public testing::TestWithParam<bool> {
protected:
  TemporaryFile file{tinyDecoder(GetParam()).build()};
  SessionOptions session{file.path(), 1, ""};

  GenerateOptions greedy(const std::string &ids, int64_t count) const {
    GenerateOptions options;
    options.session = session;
    options.promptIds = ids;
    options.maxTokens = count;
    options.sampling.temperature = 0;
    options.printIds = true;
    return options;
  }
};

TEST_P(CommandsTest, GeneratesGreedily) {
  size_t stopped = 0;
  for (int64_t first = 0; first < 14; ++first) {
    std::vector<int64_t> prompt = {first, 3, 5};
    std::vector<int64_t> expected = tinyGreedy(prompt, 20);
    stopped += expected.size() < 20;
    std::string ids = std::to_string(first) + ", 3,5";
    EXPECT_EQ(outputOf([&] { generate(greedy(ids, 20)); }), join(expected));
  }
  // The prompts are such that both ends are met.
  EXPECT_GT(stopped, 0u);
}

TEST_P(CommandsTest, GeneratesText) {
  GenerateOptions options = greedy("", 6);
  options.promptIds.reset();
  options.printIds = false;
  for (const char *prompt : {"abc", "d", "ad"}) {
    options.prompt = prompt;
    std::vector<int64_t> ids;
    for (const char *c = prompt; *c; ++c)
      ids.push_back(*c - 'a');
    if (strncmp(prompt, "ab", 2) == 0)
      ids.erase(ids.begin(), ids.begin() + 1), ids[0] = 15;
    std::string text;
    for (int64_t id : tinyGreedy(ids, 6))
      text += char('a' + id);
    EXPECT_EQ(outputOf([&] { generate(options); }), text + "\n");
  }
}

TEST_P(CommandsTest, SamplesReproducibly) {
  GenerateOptions options = greedy("1,2", 12);
  options.sampling.temperature = 2;
  options.sampling.topP = 1;
  options.seed = 7;
  std::string first = outputOf([&] { generate(options); });
  EXPECT_EQ(outputOf([&] { generate(options); }), first);
  std::set<std::string> texts;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    options.seed = seed;
    texts.insert(outputOf([&] { generate(options); }));
  }
  EXPECT_GT(texts.size(), 1u);
}

TEST_P(CommandsTest, RefusesPrompts) {
  EXPECT_TRUE(contains(errorOf([&] { generate(greedy("1,x", 4)); }),
                       "no list of token ids"));
  EXPECT_TRUE(contains(errorOf([&] { generate(greedy("1,16", 4)); }),
                       "token 16 is not in the vocabulary of 16"));
  if (!GetParam())
    return;
  std::string prompt = "1";
  for (int i = 1; i < 40; ++i)
    prompt += ",1";
  // A full context still gives the token that follows it.
  std::vector<int64_t> ids(40, 1);
  EXPECT_EQ(outputOf([&] { generate(greedy(prompt, 4)); }),
            join(tinyGreedy(ids, 1)));
  EXPECT_EQ(errorOf([&] { generate(greedy(prompt + ",1", 4)); }),
            "the prompt has 41 tokens, more than the context of 40");
}

TEST_P(CommandsTest, MeasuresPerplexity) {
  Array tokens;
  tokens.type = 7;
  tokens.shape = {3, 21};
  double loss = 0;
  for (int64_t i = 0; i < 3; ++i) {
    std::vector<int64_t> sequence;
    for (int64_t k = 0; k < 21; ++k) {
      int64_t token = (i * 7 + k * k) % 16;
      if (k) {
        double sum = 0;
        std::vector<float> logits = tinyLogits(sequence);
        for (float logit : logits)
          sum += std::exp(double(logit));
        loss += std::log(sum) - logits[size_t(token)];
      }
      sequence.push_back(token);
      tokens.data.append(reinterpret_cast<char *>(&token), sizeof token);
    }
  }
  TemporaryFile npy(formatNpy(tokens));
  std::string output =
      outputOf([&] { measurePerplexity({session, npy.path()}); });
  double value = 0;
  ASSERT_EQ(sscanf(output.c_str(), "perplexity: %lf\n", &value), 1) << output;
  EXPECT_NEAR(value, std::exp(loss / 60), 1e-5);
}

TEST(BenchCommand, FitsALine) {
  ContextSlope slope;
  slope.points = {{10, 11, 5}, {20, 21, 7}, {40, 41, 11}};
  fitLine(slope);
  EXPECT_NEAR(slope.secondsPerPosition, 0.2, 1e-12);
  EXPECT_NEAR(slope.deviation, 0, 1e-12);
  slope.points = {{0, 0, 1}, {1, 1, 4}, {2, 2, 1}};
  fitLine(slope);
  EXPECT_NEAR(slope.secondsPerPosition, 0, 1e-12);
  EXPECT_NEAR(slope.deviation, 1, 1e-12);
}

TEST(BenchCommand, Reports) {
  TemporaryFile file(tinyDecoder(/*cached=*/true).build());
  BenchOptions options;
  options.session = {file.path(), 1, ""};
  options.promptTokens = 512;
  options.generatedTokens = 4;
  options.repetitions = 2;
  options.json = true;
  testing::internal::CaptureStderr();
  auto json = nlohmann::json::parse(outputOf([&] { bench(options); }));
  std::string note = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(contains(note, "clipped to 36 tokens")) << note;
  std::set<std::string> keys;
  for (const auto &entry : json.items())
    keys.insert(entry.key());
  EXPECT_EQ(keys,
            (std::set<std::string>{
                "prompt_tokens", "generated_tokens", "prefill_tokens_per_s",
                "decode_tokens_per_s", "decode_bytes_per_token",
                "read_bandwidth_bytes_per_s", "decode_bandwidth_fraction",
                "dot_peak_macs_per_s", "prefill_macs_per_token",
                "prefill_peak_fraction", "tile_peak_macs_per_s",
                "prefill_tile_peak_fraction", "variant", "threads"}));
  EXPECT_EQ(json["prompt_tokens"], 36);
  EXPECT_EQ(json["generated_tokens"], 4);
  EXPECT_GT(json["decode_tokens_per_s"], 0.0);
  EXPECT_GT(json["read_bandwidth_bytes_per_s"], 1e8);
  EXPECT_GT(json["dot_peak_macs_per_s"], 1e8);
  EXPECT_EQ(json["prefill_macs_per_token"], 100.0);
  EXPECT_GT(json["prefill_peak_fraction"], 0.0);
  EXPECT_TRUE(json["tile_peak_macs_per_s"].is_null());
  EXPECT_EQ(json["variant"], "base");
}

TEST_P(CommandsTest, PrintsInfo) {
  auto json = nlohmann::json::parse(
      outputOf([&] { printInfo({file.path(), /*json=*/true}); }));
  EXPECT_EQ(json["inputs"].size(), 4u);
  EXPECT_EQ(json["inputs"][3], nlohmann::json::parse(
                                   R"({"name": "past.0.key", "dtype": "float32",
                                       "shape": [null, 2, null, 1]})"));
  EXPECT_EQ(json["inputs"][0]["dtype"], "int64");
  EXPECT_EQ(json["outputs"][0]["name"], "logits");
  EXPECT_EQ(json["variants"], nlohmann::json::array({"base"}));
  EXPECT_EQ(json["weight_bytes"], 8);
  EXPECT_EQ(json["entries"][0], "main");
  EXPECT_EQ(json["target"], "x86_64-unknown-linux-gnu");
}

INSTANTIATE_TEST_SUITE_P(Paths, CommandsTest, testing::Bool(),
                         [](const auto &info) {
                           return info.param ? "Cached" : "PastAndPresent";
                         });

//===----------------------------------------------------------------------===//
// run
//===----------------------------------------------------------------------===//

class RunCommandTest : public testing::Test {
protected:
  RunCommandTest() {
    Array matrix{1, {2, 3}, std::string(24, '\0')};
    Array pick{7, {}, std::string(8, '\0')};
    pick.data[0] = 1;
    float values[] = {1, 2, 3, 4, 5, 6};
    matrix.data.assign(reinterpret_cast<char *>(values), sizeof values);
    matrixFile.write(formatNpy(matrix));
    pickFile.write(formatNpy(pick));
  }
  ~RunCommandTest() override { std::filesystem::remove_all(folder); }

  RunOptions options(std::vector<std::string> inputs) const {
    return {{file.path(), 1, ""}, std::move(inputs), folder};
  }
  std::string x() const { return std::string("x=") + matrixFile.path(); }
  std::string y() const { return std::string("y=") + matrixFile.path(); }
  std::string pick() const { return std::string("pick=") + pickFile.path(); }

  TemporaryFile file{TestArtifact().build()}, matrixFile, pickFile;
  std::string folder = std::string(file.path()) + ".out";
};

TEST_F(RunCommandTest, WritesOutputs) {
  EXPECT_EQ(outputOf([&] { runModel(options({pick(), x(), y()})); }), "");
  Array z = readNpy(folder + "/z.npy"), row = readNpy(folder + "/row.npy");
  EXPECT_EQ(z.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(row.shape, std::vector<int64_t>{3});
  for (int i = 0; i < 6; ++i) // z = x + 0.5 y
    EXPECT_EQ(z.as<float>()[i], 1.5f * float(i + 1));
  EXPECT_EQ(row.as<float>()[0], 6.0f);
}

TEST_F(RunCommandTest, LeavesNothingAfterErrors) {
  std::string unknown = std::string("q=") + matrixFile.path();
  for (const auto &wrong :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{x(), y()}, "the input pick is missing"},
           {{x(), y(), pick(), unknown}, "no input q"},
           {{x(), x(), y(), pick()}, "given twice"},
           {{x(), y(), std::string("pick=") + matrixFile.path()}, "pick"},
           {{x(), y(), "pick=/nonexistent.npy"}, "/nonexistent.npy"},
           {{"nonsense"}, "expected NAME=FILE.npy"}}) {
    std::string message = errorOf([&] { runModel(options(wrong.first)); });
    EXPECT_TRUE(contains(message, wrong.second)) << message;
    EXPECT_FALSE(std::filesystem::exists(folder));
  }
}

TEST_F(RunCommandTest, RemovesOutputsWhereOneFails) {
  // The second file cannot replace a folder.
  std::filesystem::create_directories(folder + "/z.npy/full");
  EXPECT_NE(errorOf([&] { runModel(options({x(), y(), pick()})); }), "");
  EXPECT_FALSE(std::filesystem::exists(folder + "/row.npy"));
}

} // namespace
