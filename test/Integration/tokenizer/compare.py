#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the tokenizer's ids with those of Hugging Face's `tokenizers`.

usage: compare.py BITNET-RUN [TOKENIZER.json ...] [--lines N] [--seed S]

Beside the given files, tokenizers of the kinds in use are made (Llama 3's split,
SentencePiece's byte fallback, ...). Exits 77 where `tokenizers` is missing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from lines import lines

try:
    import tokenizers
    from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models,
                            normalizers, pre_tokenizers, processors, trainers)
except ImportError:
    print("skipped: the Python package `tokenizers` is not installed")
    sys.exit(77)

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(corpus, pre_tokenizer, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=2000, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def split_then_bytes(pattern, behavior="isolated", invert=False, prefix=False):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(pattern, behavior, invert=invert),
        pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)])


def made_tokenizers(corpus):
    llama3 = byte_level(corpus, split_then_bytes(Regex(LLAMA3)), True)
    llama3.add_special_tokens(["<|endoftext|>", "<|end"])
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<|endoftext|> $A", pair="$A $B",
            special_tokens=[("<|endoftext|>",
                             llama3.token_to_id("<|endoftext|>"))])])
    yield "llama3", llama3

    yield "o200k", byte_level(corpus, split_then_bytes(Regex(O200K)))

    stripping = byte_level(corpus, pre_tokenizers.ByteLevel(add_prefix_space=True))
    stripping.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True),
                                  AddedToken("[MASK]", rstrip=True, special=True)])
    stripping.add_tokens([AddedToken("word", single_word=True), AddedToken("<|"),
                          AddedToken("GNU", lstrip=True, rstrip=True)])
    yield "stripping", stripping

    for behavior in ("removed", "merged_with_previous", "merged_with_next",
                     "contiguous"):
        yield behavior, byte_level(corpus, split_then_bytes(
            Regex(r"\s|\p{Han}|\w\d"), behavior, prefix=True))
    yield "inverted", byte_level(corpus, split_then_bytes(
        Regex(r"\w+|[^\w\s]+"), "removed", invert=True))
    yield "literal", byte_level(corpus, split_then_bytes(" "))
    yield "falcon", byte_level(corpus, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(False),
        pre_tokenizers.Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"),
                                                           "isolated")]))
    yield from sentence_pieces(corpus)


def sentence_pieces(corpus):
    fallback = [f"<0x{i:02X}>" for i in range(256)]
    for name, bytes_known in (("fallback", True), ("unknown", False)):
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True,
                                         byte_fallback=bytes_known))
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
            decoders.Strip(" ", 1, 0)])
        tokenizer.train_from_iterator(
            [line[:40] for line in corpus], trainers.BpeTrainer(
                vocab_size=1500, limit_alphabet=200, show_progress=False,
                special_tokens=["<unk>", "<s>", "</s>"] +
                (fallback if bytes_known else [])))
        if bytes_known:  # The bytes are of the vocabulary, not special.
            state = json.loads(tokenizer.to_str())
            state["added_tokens"] = state["added_tokens"][:3]
            tokenizer = Tokenizer.from_str(json.dumps(state))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A $B",
            special_tokens=[("<s>", 1), ("</s>", 2)])
        yield name, tokenizer


def compare(program, name, path, made):
    reference = Tokenizer.from_file(path)
    asked = "".join(json.dumps(line) + "\n" for line in made)
    done = subprocess.run([program, "tokenize", path], input=asked.encode(),
                          capture_output=True)
    if done.returncode:
        print(f"{name}: {done.stderr.decode().strip()}")
        return False
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(made)
    wrong = []
    for line, answer in zip(made, answers):
        ids = reference.encode(line, add_special_tokens=False).ids
        expected = {"ids": ids, "special": reference.encode(line).ids,
                    "text": reference.decode(ids)}
        if answer != expected:
            wrong.append((line, answer, expected))
    for line, answer, expected in wrong[:3]:
        key = next(k for k in expected if expected[k] != answer[k])
        at = next((i for i, (a, b) in enumerate(zip(answer[key], expected[key]))
                   if a != b), min(len(answer[key]), len(expected[key])))
        print(f"{name}: {key} of {line[:60]!r} differ at {at}: "
              f"{answer[key][at - 2:at + 6]}, expected {expected[key][at - 2:at + 6]}")
    print(f"{name}: {len(made) - len(wrong)} of {len(made)} lines agree")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--lines", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=158)
    arguments = parser.parse_args()
    made = lines(arguments.lines, arguments.seed)
    good = True
    for path in arguments.files:
        good &= compare(arguments.program, path, path, made)
    with tempfile.TemporaryDirectory() as folder:
        # The made ones take a part of the lines, every character among them.
        part = made[:max(1500, arguments.lines // 6)]
        for name, tokenizer in made_tokenizers(made[-400:]):
            path = os.path.join(folder, name + ".json")
            tokenizer.save(path)
            good &= compare(arguments.program, name, path, part)
    print(f"tokenizers {tokenizers.__version__}: "
          f"{'all agree' if good else 'there are differences'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
