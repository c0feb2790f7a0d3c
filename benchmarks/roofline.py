#!/usr/bin/env python3
# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs bitnet-kernel-benchmarks, or reads what it wrote before, and draws a roofline: multiply-adds
a second against multiply-adds for each byte of weights, under the limits that the same runs
measured. With --page also puts the figure and a table into a page."""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from statistics import median

from page import format_table, split_section, write_section

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = re.compile(
    r"gem[vm]/(?P<shape>\d+x\d+)/(?P<lowering>\w+)/(?P<packing>\w+)/(?P<variant>[^/]+)/"
    r"(tokens:(?P<tokens>\d+)/)?threads:(?P<threads>\d+)(/real_time)?"
)
BITS = {"planes2": "2 bit", "base3": "1.6 bit", "planes1": "1 bit"}
SECTION = "roofline.py"
LOWERINGS = ["dot", "lut", "addsub", "popcount"]


@dataclass(frozen=True)
class Kernel:
    """What a benchmark times, but for the number of tokens."""

    shape: str
    lowering: str
    packing: str
    variant: str
    threads: int


@dataclass
class Results:
    # Kernel -> tokens -> counter -> a value a repetition.
    kernels: dict = field(default_factory=dict)
    # threads -> a value a repetition; (threads, instruction) -> the same.
    read_limits: dict = field(default_factory=dict)
    dot_limits: dict = field(default_factory=dict)
    # Kernel -> the instruction that bounds it.
    instructions: dict = field(default_factory=dict)
    processors: set = field(default_factory=set)
    dates: set = field(default_factory=set)


def parse_name(name):
    """A benchmark's kernel and its number of tokens."""
    match = NAME.fullmatch(name)
    if not match:
        sys.exit(f"error: {name!r} is not the name of a kernel's benchmark")
    words = match.groupdict()
    kernel = Kernel(*(words[key] for key in ("shape", "lowering", "packing", "variant")), int(words["threads"]))
    return kernel, int(words["tokens"] or 1)


# Running ------------------------------------------------------------------------------------------


def execute(words):
    result = subprocess.run([*map(str, words)], stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"error: {shlex.join(map(str, words))} failed")
    return result.stdout


def choose(names, everything):
    """The benchmarks to run, a list for each process. Not everything: `dot` of all packings, shapes
    and threads in the best variant, which is listed last; of the first shape and one thread also the
    other lowerings, and the other variants of `dot`."""
    kernels = {name: parse_name(name)[0] for name in names}
    if not kernels:
        sys.exit("error: no benchmark has such a name")
    last = list(kernels.values())[-1]
    first = next(iter(kernels.values()))

    def is_chosen(kernel):
        details = kernel.shape == first.shape and kernel.threads == 1
        return (kernel.lowering == "dot" or details) and (
            kernel.variant == last.variant or (details and kernel.lowering == "dot")
        )

    pieces = {}
    for name, kernel in kernels.items():
        if everything or is_chosen(kernel):
            piece = (kernel.shape, kernel.lowering, kernel.packing, kernel.variant)
            pieces.setdefault(piece, []).append(name)
    return list(pieces.values())


def run_benchmarks(arguments):
    """Runs the chosen benchmarks, each piece in a process of its own; the files with results."""
    folder = arguments.save or arguments.build / "kernel-benchmarks"
    program = arguments.build / "bin/bitnet-kernel-benchmarks"
    if not program.exists():
        sys.exit(f"error: there is no {program}: build with -DBITNET_BUILD_BENCHMARKS=ON")
    listing = execute([program, "--benchmark_list_tests", f"--benchmark_filter={arguments.filter}"])
    pieces = choose(listing.split(), arguments.everything)
    size = [f"--working-set={arguments.working_set}"] if arguments.working_set else []
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i, names in enumerate(pieces):
        print(f"{i + 1} of {len(pieces)}: {names[0]}", file=sys.stderr)
        files.append(folder / f"kernels-{i + 1:03}.json")
        expression = "|".join(name.replace("+", r"\+") for name in names)
        execute([*arguments.prefix, program, *size, f"--benchmark_filter=^({expression})$",
                 f"--benchmark_repetitions={arguments.repetitions}",
                 f"--benchmark_min_time={arguments.min_time}",
                 f"--benchmark_out={files[-1]}", "--benchmark_out_format=json"])  # fmt: skip
    return files


# Reading ------------------------------------------------------------------------------------------


def read_results(files):
    results = Results()
    for path in files:
        try:
            document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            sys.exit(f"error: {path}: {error}")
        if not isinstance(document, dict) or not {"context", "benchmarks"} <= document.keys():
            sys.exit(f"error: {path} is not what Google Benchmark writes")
        results.processors.add(document["context"].get("processor", "an unnamed processor"))
        results.dates.add(document["context"]["date"][:10])
        for run in document["benchmarks"]:
            if run.get("error_occurred"):
                sys.exit(f"error: {path}: {run['name']}: {run['error_message']}")
            if run["run_type"] != "iteration":
                continue
            kernel, tokens = parse_name(run["name"])
            counters = results.kernels.setdefault(kernel, {}).setdefault(tokens, {})
            for name in ("us/layer", "GB/s", "GMAC/s", "MAC/byte", "fraction"):
                counters.setdefault(name, []).append(run[name])
            results.instructions[kernel] = run["label"]
            results.read_limits.setdefault(kernel.threads, []).append(run["GB/s limit"])
            results.dot_limits.setdefault((kernel.threads, run["label"]), []).append(run["GMAC/s limit"])
    if not results.kernels:
        sys.exit("error: there are no results")
    return results


def order(kernel):
    packing = list(BITS).index(kernel.packing) if kernel.packing in BITS else len(BITS)
    lowering = LOWERINGS.index(kernel.lowering) if kernel.lowering in LOWERINGS else len(LOWERINGS)
    return lowering, packing


# Drawing ------------------------------------------------------------------------------------------

COLOURS = {"planes2": "#1f77b4", "base3": "#d95f02", "planes1": "#2a9d5c"}
MARKERS = {"dot": "o", "lut": "^", "addsub": "s", "popcount": "D"}
ROOF = "#333333"
# Of text: a light box keeps it legible over lines.
OVER_LINES = {"bbox": {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6}, "zorder": 3.5}


def draw_roofs(axes, results, threads, instruction, intensities):
    """The two limits, as far as there are points."""
    read = median(results.read_limits[threads])
    dot = median(results.dot_limits[threads, instruction])
    left, right = min(intensities) / 5, max(intensities) * 1.6
    ridge = dot / read
    axes.plot([left, ridge, right], [left * read, dot, dot], color=ROOF, linewidth=1.6, zorder=2)
    style = {"textcoords": "offset points", "ha": "right", "fontsize": 9, "color": ROOF, **OVER_LINES}
    axes.annotate(f"{dot:,.0f} GMAC/s, {instruction}", (right, dot), xytext=(-4, 4), va="bottom", **style)
    middle = left**0.35 * ridge**0.65
    axes.annotate(f"{read:.1f} GB/s\nread", (middle, middle * read), xytext=(-8, 0), va="center", **style)
    axes.set_xlim(left, right)


def draw_kernel(axes, kernel, runs):
    points = [(median(runs[m]["MAC/byte"]), median(runs[m]["GMAC/s"])) for m in sorted(runs)]
    is_dot = kernel.lowering == "dot"
    colour = COLOURS.get(kernel.packing, "#777777")
    axes.plot(
        *zip(*points, strict=True), color=colour, marker=MARKERS.get(kernel.lowering, "x"), zorder=4 if is_dot else 3,
        linestyle="-" if is_dot else ":", linewidth=1.1, markersize=5.5 if is_dot else 4.5,
        markerfacecolor=colour if is_dot else "white",
    )  # fmt: skip
    return points


def explain(figure, kernels):
    """A legend of what colours and markers mean, each once."""
    from matplotlib.lines import Line2D

    handles = []
    for packing in dict.fromkeys(kernel.packing for kernel in kernels):
        label = f"{BITS.get(packing, packing)} ({packing})"
        handles.append(Line2D([], [], color=COLOURS.get(packing, "#777777"), linewidth=3, label=label))
    for lowering in dict.fromkeys(kernel.lowering for kernel in kernels):
        is_dot = lowering == "dot"
        handles.append(
            Line2D([], [], color="#555555", marker=MARKERS.get(lowering, "x"), linestyle="-" if is_dot else ":",
                   linewidth=1.1, markerfacecolor="#555555" if is_dot else "white", label=lowering)
        )  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, frameon=False)


def name_tokens(axes, runs):
    """Says below points of how many tokens they are, where there is room."""
    for tokens in sorted(runs):
        if tokens & (tokens - 1) == 0:
            axes.annotate(
                f"M = {tokens}" if tokens == 1 else str(tokens),
                (median(runs[tokens]["MAC/byte"]), median(runs[tokens]["GMAC/s"])), xytext=(3, -6),
                textcoords="offset points", va="top", fontsize=8, color=COLOURS["planes2"], **OVER_LINES,
            )  # fmt: skip


def draw(results, path):
    import matplotlib

    matplotlib.use("svg")
    # Text stays text; ids and the file's head do not differ from run to run.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "roofline", "font.family": "sans-serif"})
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter

    kernels = sorted(results.kernels, key=order)
    shape = next(iter(results.kernels)).shape
    variant = [kernel.variant for kernel in results.kernels if kernel.shape == shape][-1]
    kernels = [kernel for kernel in kernels if (kernel.shape, kernel.variant) == (shape, variant)]
    panels = sorted({kernel.threads for kernel in kernels})
    figure, row = pyplot.subplots(
        1, len(panels), figsize=(5.2 * len(panels), 4.6), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, threads in zip(row[0], panels, strict=True):
        shown = [kernel for kernel in kernels if kernel.threads == threads]
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        intensities = []
        for kernel in shown:
            intensities += [x for x, _ in draw_kernel(axes, kernel, results.kernels[kernel])]
            if (kernel.lowering, kernel.packing) == ("dot", "planes2"):
                name_tokens(axes, results.kernels[kernel])
        draw_roofs(axes, results, threads, results.instructions[shown[0]], intensities)
        number = FuncFormatter(lambda value, _: f"{value:g}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(number)
            axis.set_minor_formatter(NullFormatter())
        axes.grid(True, color="#dddddd", linewidth=0.6, zorder=0)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(f"{threads} thread{'s' * (threads > 1)}", fontsize=10)
        axes.set_xlabel("multiply-adds for each byte of weights, M tokens")
    row[0][0].set_ylabel("GMAC/s")
    figure.suptitle(f"Low-bit layers of {shape}, {variant}", fontsize=12)
    explain(figure, kernels)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "benchmarks/roofline.py"})
    pyplot.close(figure)


# Writing ------------------------------------------------------------------------------------------


def plural(count, word):
    return f"{count} {word}{'s' * (count != 1)}"


def describe_repetitions(results):
    counts = {len(counters["fraction"]) for runs in results.kernels.values() for counters in runs.values()}
    least, most = min(counts), max(counts)
    return plural(most, "repetition") if least == most else f"{least} to {plural(most, 'repetition')}"


def limits_table(results):
    threads = sorted(results.read_limits)
    lines = [["limit", *(plural(count, "thread") for count in threads)], ["---"] * (len(threads) + 1)]
    reads = [results.read_limits[count] for count in threads]
    lines.append(["read, GB/s", *(f"{median(read):.1f} ({min(read):.1f} to {max(read):.1f})" for read in reads)])
    for instruction in sorted({instruction for _, instruction in results.dot_limits}):
        cells = [results.dot_limits.get((count, instruction)) for count in threads]
        lines.append([f"{instruction}, GMAC/s", *(f"{median(cell):,.0f}" if cell else "" for cell in cells)])
    return lines


def kernels_table(results):
    tokens = sorted({m for runs in results.kernels.values() for m in runs})
    lines = [["N x K", "lowering", "packing", "variant", "threads", "GB/s, M = 1", *map(str, tokens)]]
    lines[0][6:7] = [f"M = {tokens[0]}"]
    lines.append(["---"] * len(lines[0]))
    for kernel, runs in sorted(results.kernels.items(), key=lambda item: order(item[0])):
        cells = [kernel.shape.replace("x", " x "), kernel.lowering, kernel.packing, kernel.variant, str(kernel.threads)]
        cells.append(f"{median(runs[1]['GB/s']):.1f}" if 1 in runs else "")
        for m in tokens:
            counters = runs.get(m)
            cells.append(
                f"{median(counters['GMAC/s']):,.0f} ({median(counters['fraction']):.0%})" if counters else ""
            )
        lines.append(cells)
    return lines


def write_page(page, figure, results, machine):
    dates = " to ".join(sorted({min(results.dates), max(results.dates)}))
    write_section(
        page,
        SECTION,
        f"## Kernels, {dates}\n\n"
        f"    benchmarks/roofline.py --page {os.path.relpath(page, ROOT)}\n\n"
        f"Single layers on {machine or ' and '.join(sorted(results.processors))}, written by "
        f"[benchmarks/roofline.py](../benchmarks): medians of {describe_repetitions(results)}, weights "
        "from memory, activations quantised before. Fractions are of the bandwidth "
        "measured just before, and of the dot product's rate in the same process; the limits below are medians of these.\n\n"
        f"![Roofline of low-bit layers]({os.path.relpath(figure, page.parent)})\n\n"
        f"{format_table(limits_table(results))}\n"
        "GMAC/s for M tokens, and the fraction of the limit that binds: of reading the weights, or of the dot product that "
        "the variant has, whatever the lowering.\n\n"
        f"{format_table(kernels_table(results))}",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="*", type=pathlib.Path, metavar="RESULTS.json", help="do not run; read these")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--filter", default=".", metavar="REGEX", help="of the benchmarks, only these")
    parser.add_argument("--everything", action="store_true", help="all of them, not a choice of 40 kernels")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--min-time", type=float, default=0.1, help="seconds of a repetition, at least")
    parser.add_argument(
        "--working-set", type=int, default=0, metavar="BYTES",
        help="of a benchmark's layers (default: four times the last cache, which a virtual machine may have little of)",
    )  # fmt: skip
    parser.add_argument("--prefix", type=shlex.split, default=[], help='before each command, such as "chrt -f 20"')
    parser.add_argument(
        "--save", type=pathlib.Path, metavar="FOLDER",
        help="where to keep the results, as JSON (default: kernel-benchmarks in the build folder)",
    )  # fmt: skip
    parser.add_argument("--svg", type=pathlib.Path, default=ROOT / "docs/images/roofline.svg")
    parser.add_argument("--page", type=pathlib.Path, metavar="PAGE.md", help="between its markers of roofline.py")
    parser.add_argument("--machine", help="what the page says of the machine (default: the processor's name)")
    arguments = parser.parse_args()
    # What would fail after a quarter of an hour should before.
    if not importlib.util.find_spec("matplotlib"):
        sys.exit("error: this draws with matplotlib: pip install -r benchmarks/requirements.txt")
    if arguments.page and not arguments.page.parent.is_dir():
        sys.exit(f"error: there is no folder {arguments.page.parent}")
    try:
        if arguments.page:
            split_section(arguments.page, SECTION)
        arguments.svg.parent.mkdir(parents=True, exist_ok=True)
        results = read_results(arguments.results or run_benchmarks(arguments))
    except OSError as error:
        sys.exit(f"error: {error}")
    draw(results, arguments.svg)
    if arguments.page:
        write_page(arguments.page, arguments.svg, results, arguments.machine)
    print(format_table(kernels_table(results)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
