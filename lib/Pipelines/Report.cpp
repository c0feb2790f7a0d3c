//===- Report.cpp - The compiler's report as JSON -------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/Compiler.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace bitnet;

std::string CompileReport::toJSON() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream, 2);
  json.object([&] {
    json.attributeArray("entries", [&] {
      for (const EntryLayers &entry : entries)
        json.object([&] {
          json.attribute("name", entry.name);
          json.attribute("linears", entry.linears);
          json.attribute("quantizations", entry.quantizations);
          json.attribute("attentions", entry.attentions);
          json.attribute("attentions_with_in_place_cache",
                         entry.cachedAttentions);
          json.attribute("norms", entry.norms);
          json.attribute("rotaries", entry.rotaries);
          json.attribute("other_ops", entry.otherOps);
        });
    });
    json.attributeArray("variants", [&] {
      for (const std::string &variant : variants)
        json.value(variant);
    });
    json.attribute("packed_bytes", packedBytes);
    json.attribute("archive_bytes", archiveBytes);
    json.attribute("artifact_bytes", artifactBytes);
    json.attributeArray("phases", [&] {
      for (const PhaseCost &phase : phases)
        json.object([&] {
          json.attribute("name", phase.name);
          json.attribute("seconds", phase.seconds);
          json.attribute("peak_bytes", phase.peakBytes);
        });
    });
  });
  return text + "\n";
}
