# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: damage_artifact.py HOW IN.so OUT.so

Changes an artifact: `flip` a byte in its middle; `truncate` it; `empty` it;
`foreign` makes it one for another CPU, sealed as its compiler would have.
"""

import ctypes
import struct
import sys

SEAL = struct.Struct("<QQQ")  # bn_seal: magic, bytes of the file, digest
MACHINE_OFFSET = 18  # e_machine of an ELF header
MACHINE_RISCV = 243


def reseal(data):
    """The digest of bytes that were changed on purpose."""
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    covered = bytes(data[: -SEAL.size])
    magic, size, _ = SEAL.unpack(data[-SEAL.size :])
    return covered + SEAL.pack(magic, size, library.XXH3_64bits(covered, len(covered)))


def main(how, source, target):
    with open(source, "rb") as file:
        data = bytearray(file.read())
    if how == "flip":
        data[len(data) // 2] ^= 1
    elif how == "truncate":
        data = data[: len(data) * 2 // 3]
    elif how == "empty":
        data = b""
    elif how == "foreign":
        data[MACHINE_OFFSET : MACHINE_OFFSET + 2] = struct.pack("<H", MACHINE_RISCV)
        data = reseal(data)
    elif how == "reseal":
        # Unchanged but for a digest computed anew: shows that `foreign` is
        # refused for its machine and not for its seal.
        data = reseal(data)
    else:
        sys.exit(f"{how} is no damage")
    with open(target, "wb") as file:
        file.write(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
