//===- BenchRun.cpp - bitnet-run bench of models that are no decoders -----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BenchRun.h"
#include "Error.h"
#include "Machine.h"
#include "RandomInputs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>

#include <sys/mman.h>
#include <unistd.h>

namespace bitnet::run {

double secondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

namespace {

/// A file of the same contents in memory, without a name.
class FileCopy {
public:
  explicit FileCopy(const std::string &original)
      : descriptor(memfd_create("copy", MFD_CLOEXEC)) {
    std::ifstream from(original, std::ios::binary);
    std::ofstream to(path(), std::ios::binary);
    if (descriptor < 0 || !(to << from.rdbuf()).flush())
      throw Error("no memory for a copy of " + original);
  }
  ~FileCopy() { close(descriptor); }
  FileCopy(const FileCopy &) = delete;
  FileCopy &operator=(const FileCopy &) = delete;

  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

private:
  int descriptor;
};

/// A model that is open several times, each with weights of its own in memory:
/// used in turn, they are read from memory and not from a cache. Models of one
/// file would share its pages.
class Copies {
public:
  Copies(SessionOptions options, int count) {
    options.timed = true;
    for (int i = 0; i < count; ++i) {
      FileCopy copy(options.artifact);
      models.push_back(std::make_unique<Model>(copy.path()));
      sessions.push_back(std::make_unique<Session>(*models.back(), options));
    }
  }

  const Session &next() { return *sessions[turn++ % sessions.size()]; }

private:
  std::vector<std::unique_ptr<Model>> models;
  std::vector<std::unique_ptr<Session>> sessions;
  size_t turn = 0;
};

/// What is known of a run on a device.
std::string deviceLines(std::optional<double> seconds) {
  char text[128] = "";
  if (seconds)
    snprintf(text, sizeof text,
             "device:  %.1f us from its first kernel to its last\n",
             *seconds * 1e6);
  return std::string(text) + "The device's limits are not measured.\n";
}

} // namespace

void benchRuns(const BenchOptions &options, const Model &model,
               const Session &session) {
  const bn_entry_info &entry = model.mainEntry();
  RandomInputs inputs(entry, options.dynamicExtent);
  Copies copies(options.session, options.copies);
  std::vector<double> deviceTimes;
  auto runAll = [&](int count) {
    double deviceSeconds = 0;
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
      const Session &next = copies.next();
      next.run(inputs.tensors);
      deviceSeconds += next.deviceSeconds();
    }
    deviceTimes.push_back(deviceSeconds / count);
    return secondsSince(begin) / count;
  };
  runAll(options.copies); // Warms clocks, and makes every page present.
  // Repetitions of 50 ms at least, and of every copy.
  int count = int(std::clamp(0.05 / runAll(options.copies), 1.0, 1e4));
  count = (count + options.copies - 1) / options.copies * options.copies;
  std::vector<double> times;
  deviceTimes.clear();
  std::vector<Limits> measured;
  for (int i = 0; i < options.repetitions; ++i) {
    times.push_back(runAll(count));
    measured.push_back(measureLimits(session));
  }

  double time = median(times), bytes = double(model.info().weight_bytes);
  std::optional<double> deviceTime;
  if (median(deviceTimes) > 0)
    deviceTime = median(deviceTimes);
  Limits limits = medianOf(measured);
  std::optional<double> macs;
  if (entry.macs)
    macs = double(entry.macs) / time;
  auto ofBandwidth = Limits::fraction(bytes / time, limits.readBandwidth);
  auto ofPeak = Limits::fraction(macs, limits.dotPeak);
  auto ofTiles = Limits::fraction(macs, limits.tilePeak);
  auto orNull = [](std::optional<double> value) {
    return value ? nlohmann::ordered_json(*value)
                 : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json json = {
      {"run_seconds", time},
      {"runs_per_s", 1 / time},
      {"run_device_seconds", orNull(deviceTime)},
      {"weight_bytes", bytes},
      {"read_bandwidth_bytes_per_s", orNull(limits.readBandwidth)},
      {"run_bandwidth_fraction", orNull(ofBandwidth)},
      {"run_macs", orNull(macs ? std::optional(double(entry.macs)) : macs)},
      {"dot_peak_macs_per_s", orNull(limits.dotPeak)},
      {"run_peak_fraction", orNull(ofPeak)},
      {"tile_peak_macs_per_s", orNull(limits.tilePeak)},
      {"run_tile_peak_fraction", orNull(ofTiles)},
      {"variant", session.variant()},
      {"threads", session.threads()},
      {"copies", options.copies}};
  if (options.json)
    return print(json.dump(2) + "\n");
  char text[512];
  snprintf(text, sizeof text,
           "variant %s, %d thread%s\n"
           "run:     %.1f us (no decoder: the model's own signature)\n",
           session.variant().c_str(), session.threads(),
           session.threads() == 1 ? "" : "s", time * 1e6);
  std::string report = text;
  if (!ofBandwidth)
    return print(report + deviceLines(deviceTime));
  snprintf(text, sizeof text,
           "memory:  %.2f GB/s read; the weights (%.2f MB) take %.1f%%\n"
           "dot:     %.1f G multiply-adds/s at most (%s)",
           *limits.readBandwidth / 1e9, bytes / 1e6, 100 * *ofBandwidth,
           *limits.dotPeak / 1e9, limits.dotInstruction.c_str());
  report += text;
  if (ofPeak) {
    snprintf(text, sizeof text, ", of which a run takes %.1f%%", 100 * *ofPeak);
    report += text;
  }
  if (ofTiles) {
    snprintf(text, sizeof text,
             "\ntiles:   %.1f G multiply-adds/s at most (AMX), of which a run "
             "takes %.1f%%",
             *limits.tilePeak / 1e9, 100 * *ofTiles);
    report += text;
  }
  print(report + "\n");
}

} // namespace bitnet::run
