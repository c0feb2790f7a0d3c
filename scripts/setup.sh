#!/usr/bin/env bash
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/setup.sh [--tests | --aarch64]
#
# Brings what a build needs, with --aarch64 also what building for ARM needs, and
# with --tests what all tests need, where it is missing: Debian packages, a Python
# environment with CMake, and ONNX's C++ library, built once from its source
# package into a cache outside the repository (see lib.sh for the variables that
# move it).
# A second run finds everything in place and takes a second.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ONNX_SHA256=008cb0467b2bbee41448acc7da8b6f4e704624cb0d327a2d5adafc7ce19bc5b8
PACKAGES=(clang-22 lld-22 liblld-22-dev llvm-22-dev llvm-22-tools libmlir-22-dev
  mlir-22-tools libprotobuf-dev protobuf-compiler nlohmann-json3-dev libcli11-dev
  libpcre2-dev libxxhash-dev libvulkan-dev ninja-build ccache python3 python3-venv xz-utils git
  ca-certificates)
TEST_PACKAGES=(libgtest-dev libgmock-dev libbenchmark-dev clang-format-22 glslang-tools libvulkan1
  mesa-vulkan-drivers qemu-user)
AARCH64_PACKAGES=(g++-aarch64-linux-gnu)

install_packages() {
  local package missing=() as_root=()
  if ! command -v dpkg-query >/dev/null; then
    say "No Debian package system here: taking it that these are installed: $*"
    return
  fi
  for package in "$@"; do
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing+=("$package")
    fi
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; } ||
      die "these Debian packages are missing and neither root nor sudo is at hand:
  apt-get install ${missing[*]}"
    sudo true # Asks for the password here, where a person sees it.
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
  stage "Update the package lists" "${as_root[@]}" update
  stage "Install ${#missing[@]} Debian packages" \
    "${as_root[@]}" install --no-install-recommends "${missing[@]}"
}

# make_venv FOLDER REQUIREMENTS...: a Python environment, made anew where the
# requirement files have changed. Files are installed one after another.
make_venv() {
  local venv=$1 file stamp
  shift
  stamp=$(cat "$@" | sha256sum | cut -d ' ' -f 1)
  [[ $(cat "$venv/stamp" 2>/dev/null) == "$stamp" ]] && return
  rm -rf "$venv"
  stage "Make the Python environment ${venv##*/}" "${BITNET_PYTHON:-python3}" -m venv "$venv"
  for file in "$@"; do
    stage "Install ${file#"$ROOT"/}" "$venv/bin/python" -m pip install \
      --disable-pip-version-check --progress-bar off --requirement "$file"
  done
  say "$stamp" >"$venv/stamp"
}

system_has_onnx() {
  local folder
  folder=$(mktemp -d)
  cat >"$folder/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(probe NONE)
find_package(ONNX 1.20 REQUIRED CONFIG)
CMAKE
  local found=0
  "$BUILD_VENV/bin/cmake" -G Ninja -S "$folder" -B "$folder/b" >/dev/null 2>&1 || found=1
  rm -rf "$folder"
  return $found
}

build_onnx() {
  local work=$1 source=$1/onnx-$ONNX_VERSION build=$1/build cmake=$BUILD_VENV/bin/cmake
  # pip resolves the build requirements of a source package even to download it,
  # hence --no-deps; only onnx itself may come as source.
  "$BUILD_VENV/bin/python" -m pip download --disable-pip-version-check --progress-bar off \
    --no-deps --no-binary onnx --dest "$work" "onnx==$ONNX_VERSION"
  echo "$ONNX_SHA256  $work/onnx-$ONNX_VERSION.tar.gz" | sha256sum --check
  tar -xzf "$work/onnx-$ONNX_VERSION.tar.gz" -C "$work"
  "$cmake" -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX="$ONNX_PREFIX" \
    -DONNX_USE_PROTOBUF_SHARED_LIBS=ON -DONNX_USE_UNITY_BUILD=ON -DONNX_GEN_PB_TYPE_STUBS=OFF
  "$cmake" --build "$build" --parallel "$JOBS" --target onnx onnx_proto
  # The prefix appears whole or not at all.
  "$cmake" --install "$build" --prefix "$work/prefix"
  mkdir -p "$(dirname "$ONNX_PREFIX")"
  mv "$work/prefix" "$ONNX_PREFIX"
}

install_onnx() {
  [[ -d $ONNX_PREFIX ]] && return
  if system_has_onnx; then
    say "==> The system's ONNX library serves"
    return
  fi
  local work=$CACHE/onnx-work
  rm -rf "$work"
  mkdir -p "$work"
  stage "Build ONNX $ONNX_VERSION's C++ library (once)" build_onnx "$work"
  rm -rf "$work"
}

# PCRE2 for ARM, the one library of bitnet-run that is not headers only: taken out
# of Debian's package, so that the system needs no foreign architecture.
install_aarch64_libraries() {
  [[ -d $AARCH64_PREFIX ]] && return
  local work=$CACHE/aarch64-work
  rm -rf "$work"
  mkdir -p "$work"/{lists,cache/archives}/partial
  local apt=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64
    -o APT::Sandbox::User=root -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
  (
    cd "$work"
    stage "Read the package lists of arm64" "${apt[@]}" update
    stage "Download PCRE2 for arm64" "${apt[@]}" download libpcre2-dev
  )
  dpkg-deb --extract "$work"/libpcre2-dev_*.deb "$work/root"
  # The static library alone: what links it runs wherever there is a C++ library.
  mkdir -p "$work/prefix/include" "$work/prefix/lib"
  cp "$work"/root/usr/include/pcre2*.h "$work/prefix/include"
  cp "$work"/root/usr/lib/aarch64-linux-gnu/libpcre2-8.a "$work/prefix/lib"
  mv "$work/prefix" "$AARCH64_PREFIX"
  rm -rf "$work"
}

tests=0 aarch64=0
case "$#:${1-}" in
0:) ;;
1:--tests) tests=1 aarch64=1 ;;
1:--aarch64) aarch64=1 ;;
*) die "usage: scripts/setup.sh [--tests | --aarch64]" ;;
esac

mkdir -p "$CACHE"
exec 9>"$CACHE/lock" # Two runs at once would build into the same folders.
flock 9
((tests)) && PACKAGES+=("${TEST_PACKAGES[@]}")
((aarch64)) && PACKAGES+=("${AARCH64_PACKAGES[@]}")
install_packages "${PACKAGES[@]}"
make_venv "$BUILD_VENV" "$ROOT/scripts/requirements.txt"
install_onnx
((aarch64)) && install_aarch64_libraries
if ((tests)); then
  # PyTorch first, by its exact version, so that no other package picks one.
  make_venv "$TEST_VENV" "$ROOT/test/requirements-torch.txt" "$ROOT/test/requirements.txt" \
    "$ROOT/benchmarks/requirements.txt"
fi
