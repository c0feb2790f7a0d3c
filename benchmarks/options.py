# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the scripts' command lines share."""

import argparse
import sys


def named(word):
    """An option's NAME=VALUE as a pair: a `type` of argparse."""
    name, _, value = word.partition("=")
    if not value:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=...")
    return name, value


def require_at_least(least, arguments, *names):
    """Ends the program where one of these numbers is below `least`, 0 or 1."""
    for name in names:
        if getattr(arguments, name) < least:
            sys.exit(f"error: --{name.replace('_', '-')} must {'be positive' if least else 'not be negative'}")
