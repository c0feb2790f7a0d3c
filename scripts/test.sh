#!/usr/bin/env bash
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/test.sh
#
# Sets up, builds with the tests and runs every one of them: unit tests (ctest),
# lit tests and integration tests (lit too), those of the Python package (pytest).
# Ends with one line of totals.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# == 0)) || die "usage: scripts/test.sh (it takes no argument)"
results=$BUILD/test-results

"$ROOT/scripts/setup.sh" --tests
configure_and_build ON
build_for_aarch64 ON

rm -rf "$results"
mkdir -p "$results"
started=$SECONDS
say "==> Unit tests"
# A failing suite does not keep the next from running: the summary decides.
for folder in "$BUILD" "$BUILD-aarch64"; do
  log=$results/unit${folder#"$BUILD"}
  "$BUILD_VENV/bin/ctest" --test-dir "$folder" --parallel "$JOBS" --timeout 300 --no-tests=error \
    --output-on-failure --output-junit "$log.xml" >"$log.log" 2>&1 ||
    grep -v ' Passed ' "$log.log" || true
done
say "    done in $((SECONDS - started)) s"
started=$SECONDS
say "==> lit and integration tests"
"$TEST_VENV/bin/lit" -v --workers "$JOBS" --time-tests --xunit-xml-output "$results/lit.xml" \
  "$BUILD/test" >"$results/lit.log" 2>&1 || grep -v '^PASS: ' "$results/lit.log" || true
say "    done in $((SECONDS - started)) s"
started=$SECONDS
say "==> Tests of the Python package"
(
  cd "$ROOT/python"
  export BITNET_BUILD_DIR CMAKE_EXECUTABLE=$BUILD_VENV/bin/cmake PYTHONDONTWRITEBYTECODE=1
  BITNET_BUILD_DIR=$(cd "$ROOT" && cd "$BUILD" && pwd)
  PYTHONPATH=$ROOT/python "$TEST_VENV/bin/python" -m pytest -q --junitxml="$results/python.xml" tests \
    >"$results/python.log" 2>&1 || cat "$results/python.log"
)
say "    done in $((SECONDS - started)) s"
say "All stages took $SECONDS s."
python3 "$ROOT/scripts/summarize_tests.py" "$results"/unit*.xml "$results/lit.xml" "$results/python.xml"
