# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Varied lines of text, the same ones for the same seed."""

import random

# Blocks of scripts, symbols and marks; the last ones are newer than Unicode 14.
RANGES = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F),
    (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x58A), (0x591, 0x5F4),
    (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7B1), (0x900, 0x97F),
    (0x980, 0x9FE), (0xB80, 0xBFA), (0xE01, 0xE5B), (0xF00, 0xFDA),
    (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137C),
    (0x13A0, 0x13FD), (0x1680, 0x169C), (0x1780, 0x17F9), (0x1800, 0x18AA),
    (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209C), (0x20A0, 0x20C0),
    (0x20D0, 0x20F0), (0x2100, 0x218B), (0x2190, 0x23FF), (0x2460, 0x24FF),
    (0x2500, 0x27BF), (0x2800, 0x28FF), (0x3000, 0x303F), (0x3040, 0x30FF),
    (0x3105, 0x312F), (0x4E00, 0x9FFF), (0xA000, 0xA48C), (0xA720, 0xA7DC),
    (0xAC00, 0xD7A3), (0xE000, 0xE010), (0xFB00, 0xFB4F), (0xFE00, 0xFE0F),
    (0xFF00, 0xFFEF), (0xFFF0, 0xFFFF), (0x10000, 0x100FA), (0x10330, 0x1034A),
    (0x10400, 0x1044F), (0x12000, 0x12399), (0x1D400, 0x1D7FF),
    (0x1F000, 0x1F02B), (0x1F130, 0x1F18F), (0x1F300, 0x1F6FF),
    (0x1F900, 0x1F9FF), (0x1FA70, 0x1FAF6), (0x20000, 0x2A6DF),
    (0xE0000, 0xE01EF), (0x10FFF0, 0x10FFFF),
    (0x897, 0x897), (0x1C89, 0x1C8A), (0x10D40, 0x10D8F), (0x11F00, 0x11F59),
    (0x113D0, 0x113E2), (0x16D40, 0x16D79), (0x1D2C0, 0x1D2D3),
    (0x1E5D0, 0x1E5FF), (0x2EBF0, 0x2EE5D), (0x31350, 0x323AF),
]
SPACES = list(" \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2009\u200a"
              "\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff") + ["  ", "\r\n"]
WORDS = ("package Debian library the of and for documentation GNU/Linux 3.14159 "
         "0x7fff x86_64 user@example.org https://www.debian.org/?q=a%20b don't "
         "I'll we've they'd I'M it'S 'tis o'clock rock'n'roll naïve café Straße "
         "ΑΒΓ привет мир שלום مرحبا नमस्ते สวัสดี 你好世界 日本語 한국어 👩‍👩‍👧‍👦 🇩🇪 👍🏽 "
         "e\u0301 n\u0303o a\u0300\u0301\u0302 1234567890 ½ ² Ⅷ ١٢٣ "
         "’s ‘t “quoted” … — != ==> {} [] () <> ``` ### \\n \\x00 %s $HOME "
         "\ufffd \\ud800 ÃÂ â‚¬ &amp; 'ſ K").split(" ")
FRAGMENTS = ["<|endoftext|>", "<|endoftext|", "<|endoftext|>>", "<|", "|>",
             "<|ENDOFTEXT|>", "<s>", "</s>", "<unk>", "<0x0A>", "[MASK]", "▁",
             "<mask>", "word", "<|end", "Ġ", "Ċ", "Ã"]


def character(rng):
    while True:
        first, last = rng.choice(RANGES)
        code = rng.randint(first, last)
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def piece(rng):
    kind = rng.randrange(12)
    if kind <= 3:
        return rng.choice(WORDS)
    if kind == 4:
        return rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 3, 7, 40])
    if kind == 5:
        return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 6)))
    if kind == 6:  # one script
        first, last = rng.choice([r for r in RANGES])
        return "".join(chr(c) for c in (rng.randint(first, last)
                                        for _ in range(rng.randint(1, 12)))
                       if not 0xD800 <= c < 0xE000)
    if kind == 7:
        return "".join(character(rng) for _ in range(rng.randint(1, 8)))
    if kind == 8:
        return str(rng.randrange(10 ** rng.randint(1, 18)))
    if kind == 9:
        return rng.choice(FRAGMENTS)
    if kind == 10:  # control characters, NUL and DEL among them
        return chr(rng.choice(list(range(32)) + list(range(127, 160))))
    return rng.choice(WORDS).upper() + rng.choice(["'", "’", ".", ",", "!", "-"])


def lines(count, seed):
    rng = random.Random(seed)
    # Every assigned character once, so that every class is compared whole; of
    # planes without any, the ends.
    scalars = [*range(0xD800), *range(0xE000, 0x33600), *range(0xE0000, 0xE0200),
               *range(0xEFF00, 0xF0100), *range(0x10FF00, 0x110000)]
    made = ["", " ", "\n", "\0", "a" * 5000, " " * 5000 + "x", "\r\n" * 300,
            "'s" * 100, "ab " * 2000]
    made += ["".join(map(chr, scalars[i:i + 2048]))
             for i in range(0, len(scalars), 2048)]
    made += [" ".join(map(chr, scalars[i:i + 1024]))
             for i in range(0, 0x20000, 1024)]
    while len(made) < count:
        glue = rng.choice(["", "", " ", " "])
        made.append(glue.join(piece(rng) for _ in range(rng.randint(1, 14))))
    return made
