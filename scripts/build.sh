#!/usr/bin/env bash
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/build.sh [aarch64]
#
# Builds the compiler, the runtime and the tools into build/, after bringing
# what the build needs (setup.sh). With aarch64: the runtime and bitnet-run for
# that machine, into build-aarch64/.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
case "$#:${1-}" in
0:)
  "$ROOT/scripts/setup.sh"
  configure_and_build
  ;;
1:aarch64)
  "$ROOT/scripts/setup.sh" --aarch64
  build_for_aarch64
  ;;
*) die "usage: scripts/build.sh [aarch64]" ;;
esac
