# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# How lit runs the tests. Substitutions:
#   bitnet-opt, bitnet-compile, bitnet-run, FileCheck, not: found through PATH
#   %python        the Python that has the test packages
#   %models        the folder models/ of the repository
#   %source        the repository
#   %expect-error  runs a command that must fail with one clear error
#   %aarch64-run   bitnet-run for ARM under QEMU, whose CPU is QEMU_CPU
#   %qemu-aarch64  sets BITNET_RUN to that
#   %lavapipe      has Vulkan's loader offer Mesa's lavapipe alone
# Features: the machine's (avx2, avx512vnni, ...), the test Python's packages
# (matplotlib, numpy, onnx, onnxruntime, tokenizers, torch, transformers), x86_64,
# kernel-benchmarks (BITNET_BUILD_BENCHMARKS builds them),
# qemu-aarch64 (QEMU and what scripts/build.sh aarch64 builds), vulkan (a driver with a
# device: Mesa's lavapipe will do), lavapipe (that one: its limits are known), full (asked for by
# `lit --param full=1`: the long sweeps).

import ctypes
import glob
import importlib.util
import os
import platform
import shutil
import subprocess

import lit.formats

config.name = "bitnet"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = {"Inputs", "Support", "unit", "requirements.txt", "requirements-torch.txt"}
config.test_source_root = os.path.dirname(__file__)

tool_folders = [config.bitnet_tools_dir, config.llvm_tools_dir]
config.environment["PATH"] = os.pathsep.join(tool_folders + [os.environ.get("PATH", "")])
config.environment["PYTHONPATH"] = os.path.join(config.test_source_root, "Support")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
config.environment["BITNET_REFERENCE"] = os.path.join(
    config.cmake_build_dir, "lib", "libbitnet-reference.so"
)
for name in ("HOME", "BITNET_JOBS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

python = config.test_python
support = os.path.join(config.test_source_root, "Support")
config.substitutions += [
    ("%python", python),
    ("%models", os.path.join(config.bitnet_source_dir, "models")),
    ("%source", config.bitnet_source_dir),
    ("%build", config.cmake_build_dir),
    ("%expect-error", f"{python} {support}/expect_error.py"),
]

# lit enforces time limits only where psutil is at hand.
if importlib.util.find_spec("psutil"):
    config.maxIndividualTestTime = 1500


def cpu_features():
    """The features of this machine that tests ask for, in LLVM's spelling."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("flags")]
    except OSError:
        return set()
    flags = set(lines[0].split(":", 1)[1].split()) if lines else set()
    spelling = {"avx2": "avx2", "fma": "fma", "avx_vnni": "avxvnni", "avx512_vnni": "avx512vnni", "avx512_vbmi": "avx512vbmi"}
    if has_tiles():
        spelling["amx_int8"] = "amx-int8"
    return {name for flag, name in spelling.items() if flag in flags}


def has_tiles():
    """Whether Linux lets a process have the registers of AMX, as the runtime asks it."""
    if platform.machine() != "x86_64":
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18
    return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0


def python_packages():
    """Which of the packages that tests may require the test Python has."""
    names = ["matplotlib", "numpy", "onnx", "onnxruntime", "onnxscript", "tokenizers"]
    names += ["torch", "transformers"]
    program = (
        "import importlib.util\n"
        f"print(*[name for name in {names} if importlib.util.find_spec(name)])"
    )
    result = subprocess.run([python, "-c", program], capture_output=True, text=True)
    return set(result.stdout.split()) if result.returncode == 0 else set()


def has_vulkan():
    """Whether a Vulkan loader finds a device."""
    program = """
import ctypes, struct, sys
vulkan = ctypes.CDLL("libvulkan.so.1")
info = ctypes.create_string_buffer(struct.pack("@IPIPIPIP", 1, 0, 0, 0, 0, 0, 0, 0))
instance, count = ctypes.c_void_p(), ctypes.c_uint32()
if vulkan.vkCreateInstance(info, None, ctypes.byref(instance)):
    sys.exit(1)
failed = vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
sys.exit(1 if failed or not count.value else 0)
"""
    return subprocess.run([python, "-c", program], capture_output=True).returncode == 0


arm_run = os.path.join(config.cmake_build_dir + "-aarch64", "bin", "bitnet-run")
if shutil.which("qemu-aarch64") and os.path.exists(arm_run):
    config.available_features.add("qemu-aarch64")
    emulator = f"qemu-aarch64 -L /usr/aarch64-linux-gnu {arm_run}"
    config.substitutions.append(("%qemu-aarch64", f"env BITNET_RUN='{emulator}'"))
    config.substitutions.append(("%aarch64-run", emulator))

config.available_features |= cpu_features() | python_packages()
if platform.machine() in ("x86_64", "AMD64"):
    config.available_features.add("x86_64")
if has_vulkan():
    config.available_features.add("vulkan")
    if lavapipe := glob.glob("/usr/share/vulkan/icd.d/lvp_icd*.json"):
        config.available_features.add("lavapipe")
        config.substitutions.append(("%lavapipe", f"env VK_ICD_FILENAMES={lavapipe[0]}"))
if os.path.exists(os.path.join(config.bitnet_tools_dir, "bitnet-kernel-benchmarks")):
    config.available_features.add("kernel-benchmarks")
if lit_config.params.get("full"):
    config.available_features.add("full")
