//===- CPUTarget.cpp - CPUs that code is generated for --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/CPUTarget.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Tables: one row a level, one a feature word
//===----------------------------------------------------------------------===//

namespace {
/// A CPU level. Levels of one architecture are in ascending order, and each has
/// the features of those before it.
struct Level {
  llvm::StringLiteral name;
  llvm::Triple::ArchType arch;
  llvm::StringLiteral triple;
  /// The CPU whose scheduling model serves best.
  llvm::StringLiteral tuneCPU;
  /// What it adds, in LLVM's spelling.
  llvm::StringLiteral features;
};

/// A feature that a level may be extended by, `+word`.
struct FeatureWord {
  llvm::StringLiteral word;
  llvm::StringLiteral feature;
  /// What LLVM takes the feature to imply.
  llvm::StringLiteral needs;
};
} // namespace

static constexpr Level levels[] = {
    {"x86-64", llvm::Triple::x86_64, "x86_64-unknown-linux-gnu", "x86-64",
     "cx8,cmov,fxsr,mmx,sse,sse2"},
    {"x86-64-v2", llvm::Triple::x86_64, "x86_64-unknown-linux-gnu", "nehalem",
     "cx16,sahf,popcnt,sse3,ssse3,sse4.1,sse4.2"},
    {"x86-64-v3", llvm::Triple::x86_64, "x86_64-unknown-linux-gnu", "haswell",
     "avx,avx2,bmi,bmi2,f16c,fma,lzcnt,movbe"},
    {"x86-64-v4", llvm::Triple::x86_64, "x86_64-unknown-linux-gnu",
     "icelake-server", "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"},
};

static constexpr FeatureWord featureWords[] = {
    {"vnni", "avx512vnni", "avx512f"},
    {"vbmi", "avx512vbmi", "avx512bw"},
    {"vbmi2", "avx512vbmi2", "avx512bw"},
    {"bitalg", "avx512bitalg", "avx512bw"},
    {"vpopcntdq", "avx512vpopcntdq", "avx512f"},
    {"bf16", "avx512bf16", "avx512bw"},
    {"gfni", "gfni", "sse2"},
    {"avxvnni", "avxvnni", "avx2"},
    {"avxvnniint8", "avxvnniint8", "avx2"},
};

/// Instructions of a machine's vector registers, the widest first.
static constexpr std::pair<llvm::StringLiteral, unsigned> vectorWidths[] = {
    {"avx512f", 512}, {"avx", 256}, {"sse2", 128}};

static constexpr llvm::StringLiteral defaultTargets =
    "x86-64,x86-64-v3,x86-64-v4+vnni";

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

static const Level *findLevel(StringRef name) {
  const Level *found =
      llvm::find_if(levels, [&](const Level &l) { return l.name == name; });
  return found == std::end(levels) ? nullptr : found;
}

static const FeatureWord *findWord(StringRef word) {
  const FeatureWord *found =
      llvm::find_if(featureWords, [&](const FeatureWord &f) {
        return f.word == word || f.feature == word;
      });
  return found == std::end(featureWords) ? nullptr : found;
}

/// All features of a level, those of the levels below it included.
static SmallVector<StringRef> getLevelFeatures(const Level &level) {
  SmallVector<StringRef> features;
  for (const Level &lower : levels) {
    if (lower.arch == level.arch)
      StringRef(lower.features).split(features, ',');
    if (&lower == &level)
      break;
  }
  return features;
}

std::string bitnet::describeCPUTargets() {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "native";
  for (const Level &level : levels)
    os << ", " << level.name;
  os << ", each with any of";
  for (const FeatureWord &word : featureWords)
    os << " +" << word.word;
  return text;
}

bool bitnet::isCPUTargetName(StringRef name) {
  StringRef base = name.split('+').first.trim();
  return base == "native" || findLevel(base);
}

static TargetAttr makeTarget(MLIRContext *context, StringRef name,
                             const Level &level, StringRef tuneCPU,
                             ArrayRef<StringRef> features) {
  SmallVector<StringAttr> attributes;
  for (StringRef feature : features)
    attributes.push_back(StringAttr::get(context, feature));
  return TargetAttr::get(context, name, level.triple, tuneCPU, attributes);
}

/// The highest level that the host has, with every feature word that it has.
/// It is named by these, so that an artifact tells what it needs.
static llvm::Expected<TargetAttr> getNativeTarget(MLIRContext *context) {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  const Level *best = nullptr;
  for (const Level &level : levels)
    if (level.arch == triple.getArch() &&
        (!best || llvm::all_of(getLevelFeatures(level),
                               [&](StringRef f) { return host.lookup(f); })))
      best = &level;
  if (!best)
    return llvm::createStringError(
        "target 'native': no code can be generated for this machine (%s)",
        triple.str().c_str());
  SmallVector<StringRef> features = getLevelFeatures(*best);
  std::string name = best->name.str();
  for (const FeatureWord &word : featureWords) {
    if (!host.lookup(word.feature) || !llvm::is_contained(features, word.needs))
      continue;
    features.push_back(word.feature);
    name += "+" + word.word.str();
  }
  return makeTarget(context, name, *best, llvm::sys::getHostCPUName(),
                    features);
}

static llvm::Expected<TargetAttr> parseTarget(MLIRContext *context,
                                              StringRef text) {
  SmallVector<StringRef> words;
  text.split(words, '+');
  if (text == "native")
    return getNativeTarget(context);
  const Level *level = findLevel(words[0]);
  if (!level)
    return llvm::createStringError(llvm::Twine("unknown target '") + words[0] +
                                   "'; accepted are: " + describeCPUTargets());
  SmallVector<StringRef> features = getLevelFeatures(*level);
  for (StringRef text : ArrayRef(words).drop_front()) {
    const FeatureWord *word = findWord(text);
    if (!word)
      return llvm::createStringError(
          llvm::Twine("unknown feature '") + text + "' of target '" + words[0] +
          "'; accepted are: " + describeCPUTargets());
    if (!llvm::is_contained(features, word->needs))
      return llvm::createStringError(llvm::Twine("feature '") + text +
                                     "' needs " + word->needs +
                                     ", which target '" + words[0] + "' lacks");
    if (!llvm::is_contained(features, word->feature))
      features.push_back(word->feature);
  }
  return makeTarget(context, text, *level, level->tuneCPU, features);
}

llvm::Expected<SmallVector<TargetAttr>>
bitnet::parseCPUTargets(MLIRContext *context, StringRef list) {
  if (list.trim().empty())
    list = defaultTargets;
  SmallVector<StringRef> names;
  list.split(names, ',');
  SmallVector<TargetAttr> targets;
  for (StringRef name : names) {
    llvm::Expected<TargetAttr> target = parseTarget(context, name.trim());
    if (!target)
      return target.takeError();
    if (llvm::any_of(targets, [&](TargetAttr other) {
          return other.getName() == target->getName();
        }))
      return llvm::createStringError(llvm::Twine("target '") +
                                     target->getName() + "' is given twice");
    targets.push_back(*target);
  }
  return targets;
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

CPUTarget CPUTarget::get(Operation *op) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    module = op->getParentOfType<ModuleOp>();
  if (auto target = module->getAttrOfType<TargetAttr>("bitnet.target"))
    return CPUTarget(target);
  return CPUTarget(makeTarget(op->getContext(), levels[0].name, levels[0],
                              levels[0].tuneCPU, getLevelFeatures(levels[0])));
}

bool CPUTarget::has(StringRef feature) const {
  return llvm::any_of(attribute.getFeatures(), [&](StringAttr attr) {
    return attr.getValue() == feature;
  });
}

unsigned CPUTarget::vectorBits() const {
  for (auto [feature, bits] : vectorWidths)
    if (has(feature))
      return bits;
  return 128;
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
CPUTarget::createTargetMachine() const {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();
  llvm::Triple triple(attribute.getTriple());
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError(message);
  // The base CPU and the list of features, never the CPU of the scheduling
  // model: that would allow instructions that the list does not name.
  std::string features = llvm::join(
      llvm::map_range(attribute.getFeatures(),
                      [](StringAttr f) { return "+" + f.getValue().str(); }),
      ",");
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, triple.getArch() == llvm::Triple::x86_64 ? "x86-64" : "generic",
      features, llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError(llvm::Twine("no code generator for ") +
                                   attribute.getTriple());
  return machine;
}

llvm::Error bitnet::setTarget(ModuleOp module, TargetAttr target) {
  auto machine = CPUTarget(target).createTargetMachine();
  if (!machine)
    return machine.takeError();
  MLIRContext *context = module.getContext();
  std::string layout = (*machine)->createDataLayout().getStringRepresentation();
  module->setAttr("bitnet.target", target);
  module->setAttr(LLVM::LLVMDialect::getTargetTripleAttrName(),
                  StringAttr::get(context, target.getTriple()));
  module->setAttr(LLVM::LLVMDialect::getDataLayoutAttrName(),
                  StringAttr::get(context, layout));
  return llvm::Error::success();
}
