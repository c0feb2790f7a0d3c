# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# What the scripts share: where things are, and stages that show their time.
#
# Environment:
#   BITNET_CACHE        where the Python environments and ONNX are kept
#                       (default: ${XDG_CACHE_HOME:-$HOME/.cache}/bitnet-mlir)
#   BITNET_ONNX_PREFIX  where ONNX's C++ library is installed, or is to be
#                       (default: $BITNET_CACHE/onnx-VERSION)
#   BITNET_BUILD_DIR    the build folder (default: build)
#   BITNET_JOBS         parallel jobs (default: one per core)

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${BITNET_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/bitnet-mlir}
BUILD=${BITNET_BUILD_DIR:-$ROOT/build}
JOBS=${BITNET_JOBS:-$(nproc)}
ONNX_VERSION=1.23.2
ONNX_PREFIX=${BITNET_ONNX_PREFIX:-$CACHE/onnx-$ONNX_VERSION}
AARCH64_PREFIX=$CACHE/aarch64-pcre2
BUILD_VENV=$CACHE/venv-build
TEST_VENV=$CACHE/venv-test
LOGS=$CACHE/logs

say() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# stage TEXT COMMAND...: runs the command with its output in a log; prints the
# time that it took, the latest line of the log every 30 s (builds take minutes
# and a silent pipe looks hung), and the end of the log if it fails.
stage() {
  local text=$1 log started=$SECONDS pid failed=0 waited=0
  shift
  mkdir -p "$LOGS"
  log=$LOGS/$(printf '%s' "$text" | tr -c 'A-Za-z0-9' '-').log
  say "==> $text"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  # A background job of a script does not see Ctrl-C by itself.
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    waited=$((waited + 1))
    if ((waited % 150 == 0)); then
      say "    $((SECONDS - started)) s: $(tail -n 1 "$log" | cut -c -100)"
    fi
  done
  wait "$pid" || failed=$?
  trap - INT TERM
  if ((failed)); then
    tail -n 60 "$log" >&2
    die "\"$text\" failed after $((SECONDS - started)) s; the whole log is $log"
  fi
  say "    done in $((SECONDS - started)) s"
}

# configure_and_build [ON]: builds what the release preset builds; ON adds the
# tests, and the benchmarks, which are tested too. Without it a build folder
# keeps what it has, and a new one has none.
configure_and_build() {
  local arguments=(--preset release -B "$BUILD") cmake=$BUILD_VENV/bin/cmake
  if [[ ${1-} == ON ]]; then
    arguments+=(-DBITNET_BUILD_TESTS=ON -DBITNET_BUILD_BENCHMARKS=ON "-DBITNET_TEST_PYTHON=$TEST_VENV/bin/python")
  elif [[ ! -e $BUILD/CMakeCache.txt ]]; then
    arguments+=(-DBITNET_BUILD_TESTS=OFF)
  fi
  if [[ -d $ONNX_PREFIX ]]; then
    arguments+=("-DCMAKE_PREFIX_PATH=$ONNX_PREFIX")
  fi
  cd "$ROOT"
  stage "Configure" "$cmake" "${arguments[@]}"
  stage "Build into ${BUILD#"$ROOT"/} with $JOBS jobs" "$cmake" --build "$BUILD" --parallel "$JOBS"
}

# build_for_aarch64 [ON]: the runtime and bitnet-run for ARM, beside the build
# folder; ON adds the runtime's unit tests.
build_for_aarch64() {
  local cmake=$BUILD_VENV/bin/cmake
  cd "$ROOT"
  stage "Configure for aarch64" "$cmake" -G Ninja -B "$BUILD-aarch64" -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_TOOLCHAIN_FILE=$ROOT/cmake/aarch64-linux-gnu.cmake" \
    "-DCMAKE_FIND_ROOT_PATH=$AARCH64_PREFIX" -DBITNET_BUILD_COMPILER=OFF "-DBITNET_BUILD_TESTS=${1-OFF}"
  stage "Build for aarch64 into ${BUILD#"$ROOT"/}-aarch64" \
    "$cmake" --build "$BUILD-aarch64" --parallel "$JOBS"
}
