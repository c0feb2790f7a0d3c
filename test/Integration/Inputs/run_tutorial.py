# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: run_tutorial.py REPOSITORY BUILD FOLDER

Does what docs/tutorial.md says, in its order: the Python blocks in one file each
time they are met, the indented lines as commands, the C block through clang."""

import os
import pathlib
import re
import subprocess
import sys


def steps(text):
    """(language, code) of every block; indented lines are `shell`."""
    pattern = r"^```(\w+)\n(.*?)^```$|((?:^    [^\s][^\n]*\n)+)"
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        if match[1]:
            yield match[1], match[2]
        else:
            yield "shell", "".join(line[4:] for line in match[3].splitlines(keepends=True))


def main(root, build, folder):
    root, build, folder = map(pathlib.Path, (root, build, folder))
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("models", root / "models"), ("build", build)):
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(target)
    program, output = "", ""
    for language, code in steps((root / "docs/tutorial.md").read_text(encoding="utf-8")):
        if language == "python":
            # A later block goes on where the one before it ended.
            program = code if "numpy.load" in code else program + code
            if "numpy." not in code:
                continue
            command = [sys.executable, "-c", program]
        elif language == "shell":
            if "bench" in code:
                code = "\n".join(line for line in code.splitlines() if "bench" not in line)
            command = ["sh", "-e", "-c", code]
        elif language == "c":
            (folder / "program.c").write_text(code, encoding="utf-8")
            command = ["sh", "-e", "-c", f"clang-22 -I {root}/runtime/include program.c "
                       f"{build}/lib/libbitnet-rt.a -o program -lpthread -ldl -lm && ./program"]  # fmt: skip
        else:
            sys.exit(f"a block of {language}")
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ)
        print(f"--- {language}\n{code}\n{result.stdout}{result.stderr}")
        if result.returncode:
            return 1
        output = output + result.stdout
    # The largest difference is printed after the run; the last line is C's.
    differences = re.findall(r"^(\d\.\d+(?:e-\d+)?)$", output, re.MULTILINE)
    return 0 if differences and float(differences[-1]) < 0.05 and "next token is 1666" in output else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
