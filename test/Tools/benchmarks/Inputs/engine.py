#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stands in for bitnet-run and for llama-bench: its model is a JSON file of the speeds
that it gives for each part, one after the other."""

import json
import pathlib
import sys

words = sys.argv[1:]
ours = words[0] == "bench"
model = pathlib.Path(words[1])
prompt = words[words.index("--prompt-tokens" if ours else "-p") + 1]
part = "prefill" if int(prompt) >= 512 else "decode"
threads = words[words.index("--threads" if ours else "-t") + 1]

speeds = json.loads(model.read_text())
if not speeds[part]:
    sys.exit("no more speeds")
speed = speeds[part].pop(0) * int(threads)
model.write_text(json.dumps(speeds))
if ours:
    # Of a context of 600 tokens.
    tokens = min(int(prompt), 600)
    print(json.dumps({f"{part}_tokens_per_s": speed, "decode_bytes_per_token": 3e6, "prompt_tokens": tokens}))
else:
    assert "-extra" in words
    print(json.dumps([{"avg_ts": speed}]))
