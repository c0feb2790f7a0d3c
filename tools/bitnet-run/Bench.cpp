//===- Bench.cpp - bitnet-run bench ---------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BenchRun.h"
#include "ContextSlope.h"
#include "Decoder.h"
#include "Error.h"
#include "Machine.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <optional>

namespace bitnet::run {

namespace {

struct Lengths {
  int64_t prompt, generated;
};

struct Result {
  Lengths lengths;
  double prefillTokensPerSecond, decodeTokensPerSecond, decodeBytesPerToken;
  Limits limits;
  /// Where lengths of context were asked for.
  std::optional<ContextSlope> slope;
  double cacheBytesPerPosition = 0;
  /// Unknown where no entry has a fixed number of tokens.
  std::optional<double> prefillMacsPerToken;
  std::string variant;
  int threads;

  std::optional<double> bandwidthFraction() const {
    return Limits::fraction(decodeTokensPerSecond * decodeBytesPerToken,
                            limits.readBandwidth);
  }
  std::optional<double> slopeFraction() const {
    if (!slope || slope->secondsPerPosition <= 0)
      return std::nullopt;
    return Limits::fraction(cacheBytesPerPosition / slope->secondsPerPosition,
                            limits.readBandwidth);
  }
  std::optional<double> peakFraction() const {
    return prefillFraction(limits.dotPeak);
  }
  std::optional<double> tilePeakFraction() const {
    return prefillFraction(limits.tilePeak);
  }

private:
  std::optional<double> prefillFraction(std::optional<double> peak) const {
    if (!prefillMacsPerToken)
      return std::nullopt;
    return Limits::fraction(prefillTokensPerSecond * *prefillMacsPerToken,
                            peak);
  }
};

/// The prompt gives way where both do not fit in the context.
Lengths fit(const BenchOptions &options, const Decoder &decoder) {
  Lengths lengths = {options.promptTokens, options.generatedTokens};
  int64_t limit = decoder.maxContext();
  if (limit <= 0 || lengths.prompt + lengths.generated <= limit)
    return lengths;
  if (lengths.generated >= limit)
    throw Error("--gen-tokens " + std::to_string(lengths.generated) +
                " leaves no room for a prompt in the context of " +
                std::to_string(limit));
  lengths.prompt = limit - lengths.generated;
  fprintf(stderr,
          "bitnet-run: note: the prompt is clipped to %lld tokens, as the "
          "context holds %lld\n",
          static_cast<long long>(lengths.prompt),
          static_cast<long long>(limit));
  return lengths;
}

/// Any tokens do: the work does not depend on them.
std::vector<int64_t> makeTokens(int64_t count, int64_t vocabulary) {
  std::vector<int64_t> tokens;
  uint64_t state = 158;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(int64_t((state >> 33) % uint64_t(vocabulary)));
  }
  return tokens;
}

void measureDecoder(const BenchOptions &options, const Session &session,
                    Decoder &decoder, Result &result) {
  std::vector<int64_t> tokens = makeTokens(
      result.lengths.prompt + result.lengths.generated, decoder.vocabulary());
  std::vector<double> prefill, decode, bytes;
  std::vector<Limits> limits;
  // The first repetition warms caches and clocks and does not count.
  for (int repetition = 0; repetition <= options.repetitions; ++repetition) {
    decoder.rewind(0);
    auto begin = std::chrono::steady_clock::now();
    decoder.appendTop(tokens.data(), result.lengths.prompt, 1);
    double prefillSeconds = secondsSince(begin);
    begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < result.lengths.generated; ++i) {
      decoder.appendTop(&tokens[size_t(result.lengths.prompt + i)], 1, 1);
      bytes.push_back(decoder.weightBytes());
    }
    double decodeSeconds = secondsSince(begin);
    if (repetition == 0)
      continue;
    prefill.push_back(double(result.lengths.prompt) / prefillSeconds);
    decode.push_back(double(result.lengths.generated) / decodeSeconds);
    limits.push_back(measureLimits(session));
  }
  result.limits = medianOf(limits);
  result.prefillTokensPerSecond = median(prefill);
  result.decodeTokensPerSecond = median(decode);
  result.decodeBytesPerToken =
      std::accumulate(bytes.begin(), bytes.end(), 0.0) / double(bytes.size());
}

/// How many tokens the lengths of --contexts need, of which there are some.
int64_t countContextTokens(const BenchOptions &options, const Decoder &decoder,
                           int64_t generated) {
  auto [shortest, longest] =
      std::minmax_element(options.contexts.begin(), options.contexts.end());
  if (*shortest == *longest)
    throw Error("--contexts needs two lengths at least");
  int64_t needed = *longest + generated;
  if (decoder.maxContext() > 0 && needed > decoder.maxContext())
    throw Error("--contexts " + std::to_string(*longest) + " and " +
                std::to_string(generated) +
                " tokens more exceed the context of " +
                std::to_string(decoder.maxContext()));
  return needed;
}

void measureContexts(const BenchOptions &options, Decoder &decoder,
                     int64_t tokens, Result &result) {
  result.slope = measureContextSlope(options, decoder,
                                     makeTokens(tokens, decoder.vocabulary()));
  result.cacheBytesPerPosition = decoder.cacheBytes(1);
}

std::string jsonReport(const Result &result) {
  auto orNull = [](std::optional<double> value) {
    return value ? nlohmann::ordered_json(*value)
                 : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json json = {
      {"prompt_tokens", result.lengths.prompt},
      {"generated_tokens", result.lengths.generated},
      {"prefill_tokens_per_s", result.prefillTokensPerSecond},
      {"decode_tokens_per_s", result.decodeTokensPerSecond},
      {"decode_bytes_per_token", result.decodeBytesPerToken},
      {"read_bandwidth_bytes_per_s", orNull(result.limits.readBandwidth)},
      {"decode_bandwidth_fraction", orNull(result.bandwidthFraction())},
      {"dot_peak_macs_per_s", orNull(result.limits.dotPeak)},
      {"prefill_macs_per_token", orNull(result.prefillMacsPerToken)},
      {"prefill_peak_fraction", orNull(result.peakFraction())},
      {"tile_peak_macs_per_s", orNull(result.limits.tilePeak)},
      {"prefill_tile_peak_fraction", orNull(result.tilePeakFraction())},
      {"variant", result.variant},
      {"threads", result.threads}};
  if (result.slope) {
    for (const ContextSlope::Point &point : result.slope->points)
      json["contexts"].push_back(
          {{"context", point.context}, {"seconds_per_token", point.seconds}});
    json["context_seconds_per_position"] = result.slope->secondsPerPosition;
    json["context_bytes_per_position"] = result.cacheBytesPerPosition;
    json["context_deviation"] = result.slope->deviation;
    json["context_bandwidth_fraction"] = orNull(result.slopeFraction());
  }
  return json.dump(2) + "\n";
}

/// "         BEFORE12.3%AFTER", or nothing where the fraction is not known.
std::string fractionLine(const char *before, std::optional<double> fraction,
                         const char *after) {
  if (!fraction)
    return "";
  char text[96];
  snprintf(text, sizeof text, "         %s%.1f%%%s\n", before, 100 * *fraction,
           after);
  return text;
}

std::string plainReport(const Result &result) {
  char text[768];
  snprintf(text, sizeof text,
           "variant %s, %d thread%s\n"
           "prefill: %.1f tokens/s (%lld tokens)\n"
           "decode:  %.1f tokens/s (%lld tokens), %.2f MB a token\n",
           result.variant.c_str(), result.threads,
           result.threads == 1 ? "" : "s", result.prefillTokensPerSecond,
           static_cast<long long>(result.lengths.prompt),
           result.decodeTokensPerSecond,
           static_cast<long long>(result.lengths.generated),
           result.decodeBytesPerToken / 1e6);
  std::string report = text;
  auto bandwidthFraction = result.bandwidthFraction();
  if (!bandwidthFraction)
    return report + "The device's limits are not measured.\n";
  snprintf(text, sizeof text,
           "memory:  %.2f GB/s read, of which decoding takes %.1f%%\n"
           "dot:     %.1f G multiply-adds/s at most (%s)\n",
           *result.limits.readBandwidth / 1e9, 100 * *bandwidthFraction,
           *result.limits.dotPeak / 1e9, result.limits.dotInstruction.c_str());
  report += text;
  report += fractionLine("prefill reaches ", result.peakFraction(), " of it");
  if (!result.limits.tilePeak)
    return report;
  snprintf(text, sizeof text, "tiles:   %.1f G multiply-adds/s at most (AMX)\n",
           *result.limits.tilePeak / 1e9);
  return report + text +
         fractionLine("prefill reaches ", result.tilePeakFraction(), " of it");
}

std::string contextReport(const Result &result) {
  char text[256];
  std::string report;
  for (const ContextSlope::Point &point : result.slope->points) {
    snprintf(text, sizeof text, "context: %lld tokens, %.3f ms a token\n",
             static_cast<long long>(point.context), 1e3 * point.seconds);
    report += text;
  }
  snprintf(text, sizeof text,
           "         %.3f us and %.0f bytes a position, within %.1f%% of a "
           "line\n",
           1e6 * result.slope->secondsPerPosition, result.cacheBytesPerPosition,
           100 * result.slope->deviation);
  return report + text +
         fractionLine("", result.slopeFraction(), " of the memory's bandwidth");
}

/// Multiply-adds a token of the entry that reads a prompt: the one without
/// logits, or that which takes the most tokens.
std::optional<double> macsPerToken(const bn_model_info &info) {
  const bn_entry_info *longest = nullptr;
  for (uint32_t i = 0; i < info.entry_count; ++i) {
    const bn_entry_info &entry = info.entries[i];
    if (entry.kind != BN_ENTRY_MAIN && entry.macs > 0 &&
        (!longest || entry.kind == BN_ENTRY_FILL ||
         (longest->kind != BN_ENTRY_FILL && entry.tokens > longest->tokens)))
      longest = &entry;
  }
  if (!longest)
    return std::nullopt;
  return double(longest->macs) / double(longest->tokens);
}

} // namespace

void bench(const BenchOptions &options) {
  Model model(options.session.artifact);
  Session session(model, options.session);
  std::unique_ptr<Decoder> decoder;
  try {
    decoder = Decoder::create(model, session);
  } catch (const NotADecoder &) {
    return benchRuns(options, model, session);
  }
  Result result = {};
  result.variant = session.variant();
  result.threads = session.threads();
  result.lengths = fit(options, *decoder);
  // Found wrong before minutes of measuring, not after.
  int64_t contextTokens = 0;
  if (!options.contexts.empty())
    contextTokens =
        countContextTokens(options, *decoder, result.lengths.generated);
  measureDecoder(options, session, *decoder, result);
  if (contextTokens)
    measureContexts(options, *decoder, contextTokens, result);
  // A token reads weights, and the cache up to its position.
  double meanPosition =
      double(result.lengths.prompt) + double(result.lengths.generated - 1) / 2;
  if (result.decodeBytesPerToken == 0)
    result.decodeBytesPerToken = double(model.info().weight_bytes);
  result.decodeBytesPerToken += decoder->cacheBytes(meanPosition);
  result.prefillMacsPerToken = macsPerToken(model.info());
  if (options.json)
    return print(jsonReport(result));
  print(plainReport(result));
  if (result.slope)
    print(contextReport(result));
}

} // namespace bitnet::run
