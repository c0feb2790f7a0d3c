#!/usr/bin/env bash
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/build.sh
#
# Builds the compiler, the runtime and the tools into build/, after bringing
# what the build needs (setup.sh).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# == 0)) || die "usage: scripts/build.sh (it takes no argument)"
"$ROOT/scripts/setup.sh"
configure_and_build
