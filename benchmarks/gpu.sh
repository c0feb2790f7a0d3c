#!/usr/bin/env bash
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: benchmarks/gpu.sh FOLDER [VARIANT ...]
#
# Checks and times the artifacts of a folder that prepare_gpu.py made, on a machine
# that needs no more than a driver, bash and coreutils. Each artifact is
# run in the named variants, by default in all that are for a device of this machine. Prints a
# table, which it also leaves in FOLDER/results.md, and fails where a result is not
# what it should be, or where an artifact has no device variant that runs here.
#
# The folder:
#   bitnet-run, lib/        the command, and libraries that it needs (else $BITNET_RUN, PATH)
#   NAME.so                 an artifact
#   NAME.golden             lines "PROMPT EXPECTED", two comma-separated lists of token ids:
#                           what greedy decoding must give
#   NAME.case/inputs        lines "INPUT FILE" of what to run; FILE.npy or FILE.npy.gz
#   NAME.case/expected/     FILE.npy or FILE.npy.gz of each output, as bitnet-run names it, or
#                           FILE.sha256 of its numbers' bytes (every number must be equal)
#   NAME.case/tolerance     the mean error that is allowed, as a part of the largest value
#                           expected; absent: every number must be equal
#   NAME.copies             how many copies of the weights to time in turn, so that none
#                           comes from a cache (default: 1)
#
# Environment:
#   BITNET_RUN              the command, instead of the folder's bitnet-run
#   BENCH_OPTIONS           more options of bitnet-run bench, for a slow device, say:
#                           "--prompt-tokens 16 --gen-tokens 4 --repetitions 1"
set -euo pipefail
export LC_ALL=C # bytes are bytes

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

(($# >= 1)) || die "usage: benchmarks/gpu.sh FOLDER [VARIANT ...]"
folder=$1
shift
wanted=("$@")
[[ -d $folder ]] || die "$folder is no folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run=${BITNET_RUN:-bitnet-run}
if [[ -z ${BITNET_RUN:-} && -x $folder/bitnet-run ]]; then
  run=$folder/bitnet-run
fi
command -v "$run" >/dev/null || die "there is no $run"
# The system's own libraries, which its drivers are made for, come first.
if ! "$run" --version >/dev/null 2>&1 && [[ -d $folder/lib ]]; then
  export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
"$run" --version >/dev/null || die "$run does not start"
failures=0

# The variants for devices that run here, one a line.
device_variants() {
  "$run" info "$1" | sed -n '/^variants:$/,/^entries:$/p' |
    sed -n '/(not on this machine/!s/^  \(.*\): [0-9]* kernels on [a-z]*$/\1/p'
}

# The variants for devices that do not run here, and why, as lines of the table.
missing_variants() {
  "$run" info "$1" | sed -n '/^variants:$/,/^entries:$/p' |
    sed -n "s/^  \(.*\): [0-9]* kernels on [a-z]* (\(not on this machine: .*\))\$/| $2 | \1 | \2 | | | | | |/p"
}

# value KEY <JSON: a number of bitnet-run's report; nothing where it is null.
value() {
  sed -n "s/^ *\"$1\": \([0-9.e+-]*\),*\$/\1/p"
}

# compute EXPRESSION NAME=NUMBER ...: awk's arithmetic; "–" where a number is missing.
compute() {
  local format=$1 expression=$2 word
  shift 2
  local arguments=()
  for word in "$@"; do
    [[ ${word#*=} ]] || {
      printf '–'
      return
    }
    arguments+=(-v "$word")
  done
  awk "${arguments[@]}" "BEGIN { printf \"$format\", $expression }"
}

# The plain file of a FILE.npy or FILE.npy.gz that may lack either ending.
plain() {
  if [[ -f $1 ]]; then
    printf '%s' "$1"
  elif [[ -f $1.gz ]]; then
    local copy
    copy=$work/plain-$(basename "$1")
    gzip -dc "$1.gz" >"$copy"
    printf '%s' "$copy"
  else
    return 1
  fi
}

# Where the data of a .npy begins, and its type and shape.
npy_begin() {
  echo $((10 + $(od -An -tu2 -j8 -N2 "$1")))
}
npy_header() {
  head -c "$(npy_begin "$1")" "$1" | tr -d '\n\0' |
    sed -n "s/.*'descr': *'\([^']*\)'.*'shape': *(\([^)]*\)).*/\1 (\2)/p" | tr -d ' '
}

# The digest of the numbers of a .npy.
npy_digest() {
  tail -c +$(($(npy_begin "$1") + 1)) "$1" | sha256sum | cut -d ' ' -f 1
}

# Compares two .npy files; says what differs.
compare() {
  local got=$1 expected=$2 tolerance=$3 header format
  header=$(npy_header "$expected")
  if [[ $(npy_header "$got") != "$header" ]]; then
    echo "it is of the type and shape $(npy_header "$got"), not $header"
    return 1
  fi
  local a b
  a=$(npy_begin "$got")
  b=$(npy_begin "$expected")
  [[ $(npy_digest "$got") != $(npy_digest "$expected") ]] || return 0
  case ${header%%(*} in
  '<f4') format=(-w4 -tf4) ;;
  '<f8') format=(-w8 -tf8) ;;
  '<i4') format=(-w4 -td4) ;;
  '<i8') format=(-w8 -td8) ;;
  '|i1') format=(-w1 -td1) ;;
  '|u1' | '|b1') format=(-w1 -tu1) ;;
  *)
    echo "it differs"
    return 1
    ;;
  esac
  paste <(od -An -v "${format[@]}" -j "$a" "$got") \
    <(od -An -v "${format[@]}" -j "$b" "$expected") |
    awk -v tolerance="$tolerance" '
      # No comparison is true of a NaN.
      { if (!($1 - $1 == 0)) { bad = 1 }
        error = $1 - $2; if (error < 0) error = -error
        size = $2 < 0 ? -$2 : $2; if (size > largest) largest = size
        if (error > 0) ++differ
        sum += error }
      END {
        mean = NR ? sum / NR / (largest + 1e-9) : 0
        if (bad || !(mean <= tolerance) || (tolerance == 0 && differ)) {
          printf "%d of %d numbers differ, by %.2e of the largest in the mean\n", differ, NR, mean
          exit 1
        } }'
}

# check_golden NAME VARIANT: the number of prompts that are right, of all.
check_golden() {
  local good=0 all=0 prompt expected got count
  while read -r prompt expected; do
    [[ $prompt ]] || continue
    all=$((all + 1))
    count=$(($(tr -cd , <<<"$expected" | wc -c) + 1))
    got=$("$run" generate "$folder/$1.so" --variant "$2" --prompt-ids "$prompt" \
      --max-tokens "$count" --temperature 0 --ids) || got="failed"
    # The golden ids may hold the token that ends the text, which is not printed.
    if [[ $got == "$expected" || $got == "${expected%,*}" ]]; then
      good=$((good + 1))
    else
      echo "$1, $2: after $prompt came ${got:-nothing}, not $expected" >&2
    fi
  done <"$folder/$1.golden"
  echo "$good of $all prompts"
  ((all > 0 && good == all))
}

check_case() {
  local name=$1 variant=$2 case=$folder/$1.case input file tolerance=0 arguments=() count=0 why
  rm -rf "$work/out"
  while read -r input file; do
    [[ $input ]] || continue
    file=$(plain "$case/$file") || {
      echo "an input is missing"
      return 1
    }
    arguments+=(--input "$input=$file")
  done <"$case/inputs"
  [[ ! -f $case/tolerance ]] || tolerance=$(<"$case/tolerance")
  "$run" run "$folder/$name.so" --variant "$variant" "${arguments[@]}" --output-dir "$work/out" || {
    echo "failed"
    return 1
  }
  for file in "$case"/expected/*.npy "$case"/expected/*.npy.gz; do
    [[ -f $file ]] || continue
    file=$(basename "${file%.gz}")
    count=$((count + 1))
    why=$(compare "$work/out/$file" "$(plain "$case/expected/$file")" "$tolerance" 2>&1) || {
      echo "$name, $variant: $file: $why" >&2
      echo "$file is wrong"
      return 1
    }
  done
  for file in "$case"/expected/*.sha256; do
    [[ -f $file ]] || continue
    count=$((count + 1))
    if [[ $(npy_digest "$work/out/$(basename "$file" .sha256).npy") != "$(<"$file")" ]]; then
      echo "$name, $variant: $file: some numbers differ" >&2
      echo "$(basename "$file" .sha256) is wrong"
      return 1
    fi
  done
  echo "$count outputs"
  ((count > 0))
}

# Adds a line of the table on one artifact in one variant.
measure() {
  local name=$1 variant=$2 checked="" part report copies=1
  if [[ -f $folder/$name.golden ]]; then
    part=$(check_golden "$name" "$variant") || failures=$((failures + 1))
    checked=$part
  fi
  if [[ -d $folder/$name.case ]]; then
    part=$(check_case "$name" "$variant") || failures=$((failures + 1))
    checked=${checked:+$checked, }$part
  fi
  [[ ! -f $folder/$name.copies ]] || copies=$(<"$folder/$name.copies")
  # shellcheck disable=SC2086 # options are words
  if ! report=$("$run" bench "$folder/$name.so" --variant "$variant" --json --copies "$copies" ${BENCH_OPTIONS:-}); then
    failures=$((failures + 1))
    echo "| $name | $variant | ${checked:-–} | failed | | | | |"
    return
  fi
  local seconds macs bytes
  seconds=$(value run_device_seconds <<<"$report")
  seconds=${seconds:-$(value run_seconds <<<"$report")}
  macs=$(value run_macs <<<"$report")
  bytes=$(value weight_bytes <<<"$report")
  echo "| $name | $variant | ${checked:-–}" \
    "| $(compute %.0f p "p=$(value prefill_tokens_per_s <<<"$report")")" \
    "| $(compute %.0f d "d=$(value decode_tokens_per_s <<<"$report")")" \
    "| $(compute %.2f 's * 1e6' "s=$seconds")" \
    "| $(compute %.1f 'b / s / 1e9' "s=$seconds" "b=$bytes")" \
    "| $(compute %.2f 'm / s / 1e12' "s=$seconds" "m=$macs") |"
}

{
  gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
  echo "Measured on $(date +%F)${gpu:+, on $gpu}."
  echo
  echo "| artifact | variant | checked | prompt, tokens/s | decode, tokens/s | run, µs | weights, GB/s | TMAC/s |"
  echo "|---|---|---|---|---|---|---|---|"
} | tee "$folder/results.md"
found=0
for artifact in "$folder"/*.so; do
  [[ -f $artifact ]] || continue
  found=1
  name=$(basename "$artifact" .so)
  variants=("${wanted[@]}")
  if ((${#variants[@]} == 0)); then
    mapfile -t variants < <(device_variants "$artifact")
    missing_variants "$artifact" "$name" | tee -a "$folder/results.md"
  fi
  if ((${#variants[@]} == 0)); then
    failures=$((failures + 1))
    "$run" info "$artifact" | sed -n '/^variants:$/,/^entries:$/s/^  //p' |
      sed "s/^/$name: none of its variants is for a device that is here: /" >&2
    echo "| $name | none runs here | | | | | | |" | tee -a "$folder/results.md"
    continue
  fi
  for variant in "${variants[@]}"; do
    # Not in a pipe, which would lose the count of failures.
    measure "$name" "$variant" >"$work/line"
    tee -a "$folder/results.md" <"$work/line"
  done
done
((found)) || die "$folder holds no artifact"
((failures == 0)) || die "$failures checks failed"
