# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the scripts share: tables, and sections that they write, between markers, in a page
that people write."""

import os
import pathlib
import platform
import sys


def processor():
    """What the system calls the processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def format_table(lines):
    """Markdown of lines of cells, of which the second rules off the first."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def split_section(page, name):
    """The page's text before and after its section of that name, each with the marker that
    bounds it; a page without markers gets the section at its end."""
    page = pathlib.Path(page)
    begin, end = (f"<!-- {name}: {word} -->\n" for word in ("begin", "end"))
    old = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    if old.count(begin) > 1 or old.count(begin) != old.count(end) or old.find(begin) > old.find(end):
        sys.exit(f"error: {page}: expected one marker {begin.strip()} and {end.strip()} behind it, or neither")
    before, found, rest = old.partition(begin)
    if not found:
        before = before.rstrip("\n") + "\n\n"
    return before + begin, end + rest.partition(end)[2]


def write_section(page, name, text):
    """Puts `text` between the page's markers of that name."""
    page = pathlib.Path(page)
    before, after = split_section(page, name)
    temporary = page.with_name(page.name + ".partial")
    temporary.write_text(before + text.rstrip("\n") + "\n" + after, encoding="utf-8")
    os.replace(temporary, page)
