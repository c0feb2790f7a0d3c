//===- CPUTarget.cpp - CPUs that code is generated for --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/GPU/DeviceTarget.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Tables: one row a level, one a feature word
//===----------------------------------------------------------------------===//

namespace {
/// An architecture that variants share: an artifact is of one.
struct Architecture {
  llvm::Triple::ArchType arch;
  llvm::StringLiteral name;
  llvm::StringLiteral triple;
  /// The CPU that has the lowest level, as LLVM names it.
  llvm::StringLiteral baseCPU;
  /// The variants of an artifact where none are named.
  llvm::StringLiteral defaultTargets;
};

/// A CPU level. Levels of one architecture are in ascending order, and each has
/// the features of those before it.
struct Level {
  llvm::StringLiteral name;
  llvm::Triple::ArchType arch;
  /// The CPU whose scheduling model serves best.
  llvm::StringLiteral tuneCPU;
  /// What it adds, in LLVM's spelling.
  llvm::StringLiteral features;
};

/// A feature that a level may be extended by, `+word`.
struct FeatureWord {
  llvm::StringLiteral word;
  llvm::Triple::ArchType arch;
  llvm::StringLiteral feature;
  /// What LLVM takes the feature to imply, or every machine with it has, and a
  /// level must have already.
  llvm::StringLiteral needs;
  /// As `needs`, where the word brings it along.
  llvm::StringLiteral brings;
};

/// A CPU by its name: a level and feature words, and itself for scheduling.
struct NamedCPU {
  llvm::StringLiteral name;
  llvm::StringLiteral target;
};
} // namespace

static constexpr auto x86 = llvm::Triple::x86_64;
static constexpr auto arm = llvm::Triple::aarch64;

static constexpr Architecture architectures[] = {
    {x86, "x86-64", "x86_64-unknown-linux-gnu", "x86-64",
     "x86-64,x86-64-v3,x86-64-v4+vnni,x86-64-v4+vnni+amx"},
    {arm, "aarch64", "aarch64-unknown-linux-gnu", "generic",
     "aarch64,aarch64+dotprod,aarch64+i8mm,aarch64+i8mm+sve2"},
};

static constexpr Level levels[] = {
    {"x86-64", x86, "x86-64", "cx8,cmov,fxsr,mmx,sse,sse2"},
    {"x86-64-v2", x86, "nehalem", "cx16,sahf,popcnt,sse3,ssse3,sse4.1,sse4.2"},
    {"x86-64-v3", x86, "haswell", "avx,avx2,bmi,bmi2,f16c,fma,lzcnt,movbe"},
    {"x86-64-v4", x86, "icelake-server",
     "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"},
    {"aarch64", arm, "cortex-a72", "fp-armv8,neon"},
};

static constexpr FeatureWord featureWords[] = {
    {"vnni", x86, "avx512vnni", "avx512f", ""},
    {"vbmi", x86, "avx512vbmi", "avx512bw", ""},
    {"vbmi2", x86, "avx512vbmi2", "avx512bw", ""},
    {"bitalg", x86, "avx512bitalg", "avx512bw", ""},
    {"vpopcntdq", x86, "avx512vpopcntdq", "avx512f", ""},
    {"bf16", x86, "avx512bf16", "avx512bw", ""},
    {"amx", x86, "amx-int8", "avx512vnni", "amx-tile"},
    {"gfni", x86, "gfni", "sse2", ""},
    {"avxvnni", x86, "avxvnni", "avx2", ""},
    {"avxvnniint8", x86, "avxvnniint8", "avx2", ""},
    {"dotprod", arm, "dotprod", "neon", ""},
    {"fp16", arm, "fullfp16", "neon", ""},
    {"bf16", arm, "bf16", "neon", ""},
    {"i8mm", arm, "i8mm", "neon", "dotprod"},
    {"sve", arm, "sve", "neon", "fullfp16"},
    {"sve2", arm, "sve2", "neon", "fullfp16,dotprod,sve"},
};

static constexpr NamedCPU namedCPUs[] = {
    {"cortex-a53", "aarch64"},
    {"cortex-a76", "aarch64+dotprod+fp16"},
    {"neoverse-n1", "aarch64+dotprod+fp16"},
    {"neoverse-v2", "aarch64+i8mm+bf16+sve2"},
    {"apple-m1", "aarch64+dotprod+fp16"},
};

/// Instructions of a machine's vector registers, the widest first.
static constexpr std::pair<llvm::StringLiteral, unsigned> vectorWidths[] = {
    {"avx512f", 512}, {"avx", 256}, {"sse2", 128}, {"neon", 128}};

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

template <typename Row>
static const Row *findRow(ArrayRef<Row> table, StringRef name) {
  const Row *found =
      llvm::find_if(table, [&](const Row &row) { return row.name == name; });
  return found == table.end() ? nullptr : found;
}

static const Level *findLevel(StringRef name) {
  return findRow(ArrayRef(levels), name);
}

static const Architecture *findArchitecture(llvm::Triple::ArchType arch) {
  const Architecture *found =
      llvm::find_if(architectures, [&](const Architecture &each) {
        return each.arch == arch;
      });
  return found == std::end(architectures) ? nullptr : found;
}

static const FeatureWord *findWord(StringRef word,
                                   llvm::Triple::ArchType arch) {
  const FeatureWord *found =
      llvm::find_if(featureWords, [&](const FeatureWord &f) {
        return f.arch == arch && (f.word == word || f.feature == word);
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

/// Adds the word's feature, and what it brings along.
static void addFeatures(SmallVector<StringRef> &features,
                        const FeatureWord &word) {
  SmallVector<StringRef> added;
  StringRef(word.brings).split(added, ',', -1, /*KeepEmpty=*/false);
  added.push_back(word.feature);
  for (StringRef feature : added)
    if (!llvm::is_contained(features, feature))
      features.push_back(feature);
}

std::string bitnet::describeCPUTargets() {
  std::string text = "native";
  llvm::raw_string_ostream os(text);
  for (const Architecture &each : architectures) {
    for (const Level &level : levels)
      if (level.arch == each.arch)
        os << ", " << level.name;
    if (each.arch == arm)
      for (const NamedCPU &cpu : namedCPUs)
        os << ", " << cpu.name;
    os << ", each with any of";
    for (const FeatureWord &word : featureWords)
      if (word.arch == each.arch)
        os << " +" << word.word;
    os << "; " << each.name << "-default";
  }
  return text;
}

/// The list that `name` stands for, as in `aarch64-default`.
static std::optional<StringRef> findDefaultTargets(StringRef name) {
  if (name.consume_back("-default"))
    if (const Architecture *found = findRow(ArrayRef(architectures), name))
      return StringRef(found->defaultTargets);
  return std::nullopt;
}

static TargetAttr makeTarget(MLIRContext *context, StringRef name,
                             const Level &level, StringRef tuneCPU,
                             ArrayRef<StringRef> features) {
  SmallVector<StringAttr> attributes;
  for (StringRef feature : features)
    attributes.push_back(StringAttr::get(context, feature));
  return TargetAttr::get(context, name, findArchitecture(level.arch)->triple,
                         tuneCPU, attributes);
}

/// Whether this process may use what the processor has: Linux has the last word
/// on AMX, as the runtime asks it (runtime/src/cpu.c).
static bool isPermitted(StringRef feature) {
#if defined(__linux__) && defined(__x86_64__)
  constexpr int requestPermission = 0x1023, tileData = 18;
  if (feature.starts_with("amx-"))
    return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#endif
  return true;
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
    if (word.arch != best->arch || !host.lookup(word.feature) ||
        !llvm::is_contained(features, word.needs) || !isPermitted(word.feature))
      continue;
    addFeatures(features, word);
    name += "+" + word.word.str();
  }
  return makeTarget(context, name, *best, llvm::sys::getHostCPUName(),
                    features);
}

static llvm::Expected<TargetAttr> parseTarget(MLIRContext *context,
                                              StringRef text) {
  SmallVector<StringRef> words, extra;
  text.split(words, '+');
  if (words[0] == "native") {
    if (words.size() > 1)
      return llvm::createStringError(
          llvm::Twine("target '") + text +
          "': native takes no features; it has what this machine has");
    return getNativeTarget(context);
  }
  const NamedCPU *cpu = findRow(ArrayRef(namedCPUs), words[0]);
  if (cpu) {
    extra.assign(words.begin() + 1, words.end());
    words.clear();
    StringRef(cpu->target).split(words, '+');
    llvm::append_range(words, extra);
  }
  const Level *level = findLevel(words[0]);
  if (!level)
    return llvm::createStringError(llvm::Twine("unknown target '") + words[0] +
                                   "'; accepted are: " + describeCPUTargets() +
                                   "; " + describeDeviceTargets());
  SmallVector<StringRef> features = getLevelFeatures(*level);
  for (StringRef text : ArrayRef(words).drop_front()) {
    const FeatureWord *word = findWord(text, level->arch);
    if (!word)
      return llvm::createStringError(
          llvm::Twine("unknown feature '") + text + "' of target '" + words[0] +
          "'; accepted are: " + describeCPUTargets());
    if (!llvm::is_contained(features, word->needs))
      return llvm::createStringError(llvm::Twine("feature '") + text +
                                     "' needs " + word->needs +
                                     ", which target '" + words[0] + "' lacks");
    addFeatures(features, *word);
  }
  return makeTarget(context, text, *level, cpu ? cpu->name : level->tuneCPU,
                    features);
}

/// What is wrong with `target` beside those before it, or nothing.
static std::string findConflict(TargetAttr target,
                                ArrayRef<TargetAttr> others) {
  for (TargetAttr other : others) {
    if (other.getName() == target.getName())
      return ("target '" + target.getName() + "' is given twice").str();
    if (other.getTriple() != target.getTriple())
      return ("targets '" + other.getName() + "' and '" + target.getName() +
              "' are of different architectures; an artifact holds the code "
              "of one: compile once for each")
          .str();
  }
  return "";
}

llvm::Expected<SmallVector<TargetAttr>>
bitnet::parseCPUTargets(MLIRContext *context, StringRef list) {
  list = list.trim();
  if (list.empty()) {
    llvm::Triple host(llvm::sys::getProcessTriple());
    const Architecture *own = findArchitecture(host.getArch());
    list = (own ? *own : architectures[0]).defaultTargets;
  }
  SmallVector<StringRef> words, names;
  list.split(words, ',');
  for (StringRef word : words)
    findDefaultTargets(word.trim()).value_or(word).split(names, ',');
  SmallVector<TargetAttr> targets;
  for (StringRef name : names) {
    llvm::Expected<TargetAttr> target = parseTarget(context, name.trim());
    if (!target)
      return target.takeError();
    std::string conflict = findConflict(*target, targets);
    if (!conflict.empty())
      return llvm::createStringError(conflict);
    targets.push_back(*target);
  }
  sortTargets(targets, [](TargetAttr x, TargetAttr y) {
    return x.getFeatures().size() > y.getFeatures().size() &&
           llvm::all_of(y.getFeatures(), [&](StringAttr feature) {
             return llvm::is_contained(x.getFeatures(), feature);
           });
  });
  return targets;
}

void bitnet::sortTargets(
    llvm::SmallVectorImpl<TargetAttr> &targets,
    llvm::function_ref<bool(TargetAttr, TargetAttr)> isBetter) {
  SmallVector<TargetAttr> left(targets.begin(), targets.end());
  targets.clear();
  while (!left.empty()) {
    // A strict order has a least element, so this finds one.
    auto next = llvm::find_if(left, [&](TargetAttr target) {
      return llvm::none_of(
          left, [&](TargetAttr other) { return isBetter(target, other); });
    });
    targets.push_back(*next);
    left.erase(next);
  }
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
  const Architecture *architecture = findArchitecture(triple.getArch());
  if (!architecture)
    return llvm::createStringError(llvm::Twine("no code generator for ") +
                                   attribute.getTriple());
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
      triple, architecture->baseCPU, features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
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
