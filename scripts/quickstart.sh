#!/usr/bin/env bash
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/quickstart.sh [PROMPT]
#
# From a fresh clone to generated text: sets up, builds, compiles the model in
# models/debian-b158 and lets it continue a prompt.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# <= 1)) || die "usage: scripts/quickstart.sh [PROMPT]"
prompt=${1-Package: lib}
model=$ROOT/models/debian-b158
work=$BUILD/models

"$ROOT/scripts/setup.sh"
configure_and_build

say
say "The model: a 6-layer decoder with ternary weights, as PyTorch exported it to ONNX."
mkdir -p "$work"
xz --decompress --keep --stdout "$model/decoder.onnx.xz" >"$work/debian-b158.onnx"
stage "Compile it: bitnet-compile debian-b158.onnx -o debian-b158.so" \
  "$BUILD/bin/bitnet-compile" "$work/debian-b158.onnx" -o "$work/debian-b158.so" \
  "--tokenizer=$model/tokenizer.json"
printf '    %s: %d KiB of ONNX became a shared object of %d KiB\n' \
  "${work#"$ROOT"/}/debian-b158.so" \
  $(($(stat -c %s "$work/debian-b158.onnx") / 1024)) \
  $(($(stat -c %s "$work/debian-b158.so") / 1024))

say
say "Now bitnet-run loads it and continues a prompt (the model knows descriptions of Debian packages):"
say "\$ bitnet-run generate ${work#"$ROOT"/}/debian-b158.so --prompt '$prompt' --temperature 0"
"$BUILD/bin/bitnet-run" generate "$work/debian-b158.so" --prompt "$prompt" --max-tokens 64 --temperature 0
say
say "Done in $SECONDS s. Next: docs/tutorial.md takes a network of yours through the same steps."
