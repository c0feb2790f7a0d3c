# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Perceptrons as Brevitas exports them, in QONNX or as QuantizeLinear, Clip and
DequantizeLinear: weights of one and two bits, activations of one to eight. What is
compiled gives what numpy gives, and its low-bit layers are recognised."""

import argparse
import dataclasses
import os
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import bitnet_tools as tools
from qonnx_evaluator import Evaluation

# Rows that come nearer than this, in steps, to another integer are left out: the
# order of float operations may decide there. No more than a few do.
MARGIN = 2e-4


@dataclasses.dataclass(frozen=True)
class Network:
    """widths      of the input, the hidden layers and the output
    weights     bipolar; ternary; real (ternary only once quantised, a scale a row);
                wide (2 bits, -2 to 1, so not ternary)
    activation  bipolar; ternary; unsigned2; relu8; sign; threshold
    form        how layers are written: transpose (Quant, Transpose, MatMul), gemm
                (with a bias), or qcdq
    image       the input is [batch, 1, rows, columns], flattened by shape arithmetic
    listed      initializers are inputs too, and the opset is 9
    top         TopK ends the network
    magnitude   the largest integer of a hidden layer's input
    """

    name: str
    widths: tuple
    weights: str
    activation: str
    form: str = "transpose"
    image: tuple = None
    listed: bool = False
    top: bool = False
    batch: object = 1
    domain: str = "onnx.brevitas"
    full: bool = False

    def lowered_weights(self):
        """The element type of each layer's weights; None where they are no
        low-bit ones."""
        return {"bipolar": "binary", "wide": None}.get(self.weights, "ternary")


class Builder:
    def __init__(self, network, seed):
        self.network, self.random = network, np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, kind, *inputs, domain="", outputs=1, **attributes):
        names = [f"v{len(self.nodes)}"] + [f"v{len(self.nodes)}_{i}" for i in range(1, outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, f"{kind}_{len(self.nodes)}", domain=domain, **attributes))
        return names[0]

    def quant(self, x, scale, bits, signed=1, narrow=1):
        inputs = [self.constant(scale), self.constant(0), self.constant(bits)]
        kind = "IntQuant" if self.network.domain == "qonnx.custom_op.general" else "Quant"
        return self.node(
            kind, x, *inputs, domain=self.network.domain, signed=signed, narrow=narrow, rounding_mode="ROUND"
        )

    def qcdq(self, x, scale, low, high, axis=0):
        scale, zero = self.constant(scale), self.constant(np.zeros(np.shape(scale)), np.int8)
        codes = self.node("QuantizeLinear", x, scale, zero, axis=axis)
        clipped = self.node("Clip", codes, self.constant(low, np.int8), self.constant(high, np.int8))
        return self.node("DequantizeLinear", clipped, scale, zero, axis=axis)

    def bipolar(self, x, scale):
        return self.node("BipolarQuant", x, self.constant(scale), domain=self.network.domain)

    def weight(self, rows, columns):
        kind = self.network.weights
        scale = float(self.random.uniform(0.5, 2)) if self.network.form == "gemm" else 1.0
        if kind == "bipolar":
            return self.bipolar(self.constant(self.random.choice([-1, 1], (rows, columns))), scale)
        if kind == "real":
            scale = self.random.uniform(0.5, 2, (rows, 1)).astype(np.float32)
            values = self.random.standard_normal((rows, columns)) * scale
        else:
            values = self.random.integers(-1 if kind == "ternary" else -2, 2, (rows, columns)) * np.float32(scale)
        if self.network.form == "qcdq":
            return self.qcdq(self.constant(values), np.ravel(scale) if kind == "real" else scale, -1, 1)
        return self.quant(self.constant(values), scale, 2, narrow=kind != "wide")

    def activate(self, x, channels):
        kind = self.network.activation
        if kind == "bipolar":
            return self.bipolar(x, 1.0)
        if kind == "sign":
            return self.node("Sign", x)
        if kind == "ternary":
            return self.qcdq(x, 1.0, -1, 1) if self.network.form == "qcdq" else self.quant(x, 1.0, 2)
        if kind == "threshold":
            table = np.sort(self.random.standard_normal((channels, 3)), -1)
            return self.node(
                "MultiThreshold", x, self.constant(table), domain=self.network.domain,
                out_dtype="INT2", out_bias=-1.0, out_scale=1.0,
            )  # fmt: skip
        x = self.node("Relu", x)
        if kind == "relu8":
            return self.quant(x, 0.0884, 8, signed=0, narrow=0)
        return self.quant(x, 0.75, 2, signed=0, narrow=0)

    def normalised(self, x, channels, spread):
        """BatchNormalization, so that sums of about `spread` become about 1."""
        random = self.random
        values = [
            random.uniform(0.5, 1.5, channels) * random.choice([-1, 1], channels),
            random.standard_normal(channels) * 0.3,
            random.standard_normal(channels) * spread * 0.3,
            spread**2 * random.uniform(0.8, 1.2, channels),
        ]
        return self.node("BatchNormalization", x, *map(self.constant, values), epsilon=1e-5)

    def multiplied(self, x, rows, columns):
        weight = self.weight(rows, columns)
        if self.network.form == "gemm":
            bias = self.constant(self.random.standard_normal(rows) * 0.3)
            return self.node("Gemm", x, weight, bias, alpha=1.0, beta=1.0, transB=1)
        return self.node("MatMul", x, self.node("Transpose", weight, perm=[1, 0]))

    def flattened(self, x):
        """As TorchScript writes x.view(x.shape[0], -1)."""
        extent = self.node("Gather", self.node("Shape", x), self.constant(0, np.int64), axis=0)
        if self.network.listed:
            rows = self.node("Unsqueeze", extent, axes=[0])
        else:
            rows = self.node("Unsqueeze", extent, self.constant([0], np.int64))
        shape = self.node("Concat", rows, self.constant([-1], np.int64), axis=0)
        return self.node("Reshape", x, shape)


def add_layers(b):
    network, x = b.network, "x"
    if network.image:
        x = b.flattened(x)
        # Pixels of 0 to 1 become -1 to 1.
        x = b.node("Sub", b.node("Mul", x, b.constant(2.0)), b.constant([1.0]))
        x = b.activate(x, network.widths[0])
    else:
        x = b.node("Div", b.node("Add", x, b.constant([1.0])), b.constant(2.0))
    last = len(network.widths) - 2
    for layer, (columns, rows) in enumerate(zip(network.widths, network.widths[1:])):
        x = b.multiplied(x, rows, columns)
        if layer < last:
            x = b.activate(b.normalised(x, rows, columns**0.5), rows)
    if network.form == "gemm":
        return b.bipolar(x, 1.0)
    # A batch norm over one channel, spelt out.
    deviation = b.node("Pow", b.constant([300.0]), b.constant(0.5))
    x = b.node("Div", b.node("Sub", x, b.constant([0.5])), deviation)
    x = b.node("Add", b.node("Mul", x, b.constant([0.7])), b.constant([-1.2]))
    return b.node("TopK", x, b.constant([3], np.int64), axis=-1, outputs=2) if network.top else x


def build(network, seed):
    b = Builder(network, seed)
    x = add_layers(b)
    shape = [network.batch, 1, *network.image] if network.image else [network.batch, network.widths[0]]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    names = b.nodes[-1].output
    # Custom operators leave exporters without shapes.
    outputs = [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [f"{x}_dim_0", f"{x}_dim_1"])]
    if len(names) > 1:
        outputs.append(helper.make_tensor_value_info(names[1], TensorProto.INT64, [f"{x}_dim_0", 3]))
    if network.listed:
        inputs += [helper.make_tensor_value_info(c.name, c.data_type, c.dims) for c in b.constants]
    graph = helper.make_graph(b.nodes, "torch-jit-export", inputs, outputs, b.constants)
    opset = helper.make_opsetid("", 9 if network.listed else 14)
    return helper.make_model(graph, opset_imports=[opset], ir_version=6 if network.listed else 7)


MNIST, SMALL = (784, 64, 64, 64, 10), (333, 40, 17, 10)
NETWORKS = [
    Network("tfc-1w1a", MNIST, "bipolar", "bipolar", image=(28, 28), listed=True),
    Network("tfc-1w2a", MNIST, "bipolar", "ternary", image=(28, 28), listed=True, full=True),
    Network("tfc-2w2a", MNIST, "ternary", "ternary", image=(28, 28), listed=True),
    Network("nb15-w2a2", (600, 64, 64, 64, 1), "ternary", "relu8", form="gemm"),
    Network("batches", SMALL, "real", "ternary", image=(9, 37), top=True, batch="n", domain="qonnx.custom_op.general"),
    Network("qcdq", SMALL, "real", "ternary", form="qcdq", image=(9, 37), batch="n"),
    Network("sign", SMALL, "bipolar", "sign", image=(9, 37), batch=3, full=True),
    Network("unsigned", SMALL, "ternary", "unsigned2", form="gemm", batch="n"),
    Network("thresholds", SMALL, "ternary", "threshold", image=(9, 37), batch=2, domain="finn.custom_op.general"),
    Network("wide", SMALL, "wide", "ternary", image=(9, 37), batch="n"),
]


def inputs_of(network, random, rows):
    if network.image:
        # Grey levels: a Quant's boundaries are among them.
        x = random.integers(0, 256, (rows, 1, *network.image)) / np.float32(255)
    else:
        x = random.choice([-1, 1], (rows, network.widths[0]))
    return {"x": x.astype(np.float32)}


def check_recognition(network, text):
    """What is wrong with how the layers were recognised, or nothing."""
    element, layers = network.lowered_weights(), len(network.widths) - 1
    linears = re.findall(r"bitnet\.linear ins\(([^)]*)\)(.*)", text)
    if element is None:
        return "weights that are not ternary became so" if linears else None
    found = sum(f"x!bitnet.{element}" in operands for operands, _ in linears)
    integers = sum("quantized(" in rest for _, rest in linears)
    # Without a quantised input the first layer's activations are floats.
    expected = layers if network.image else layers - 1
    if found != layers or integers != expected:
        return f"{found} low-bit layers, {integers} of integers, not {layers} and {expected}"
    unit = sum("magnitude = 1" in rest for _, rest in linears)
    small = network.activation in ("bipolar", "ternary", "sign")
    return f"{unit} layers have magnitude 1" if unit != (expected if small else 0) else None


def try_network(network, seeds, folder, options):
    """Problems, and how many rows were compared of how many."""
    problems, compared, total = [], 0, 0
    source, artifact = os.path.join(folder, "model.onnx"), os.path.join(folder, "model.so")
    for seed in seeds:
        model = build(network, seed)
        onnx.save(model, source)
        phase = os.path.join(folder, "model.mlir")
        tools.compile_model(source, phase, "--compile-to=bitnet")
        with open(phase, encoding="utf-8") as file:
            if problem := check_recognition(network, file.read()):
                problems.append(problem)
        tools.compile_model(source, artifact, *options, target="native")
        random, evaluation = np.random.default_rng(seed), Evaluation(model)
        for rows in (1, 5, 64) if isinstance(network.batch, str) else [network.batch] * 8:
            inputs = inputs_of(network, random, rows)
            expected = evaluation.run(inputs)
            got = tools.run(artifact, inputs, os.path.join(folder, "run"), "--threads", 1 + seed % 2)
            sure = np.ones(len(inputs["x"]), bool) if evaluation.margins is None else evaluation.margins > MARGIN
            compared, total = compared + sure.sum(), total + len(sure)
            for name, value in expected.items():
                if got[name].shape != value.shape:
                    problems.append(f"seed {seed}: {name} is {got[name].shape}, not {value.shape}")
                elif not np.allclose(got[name][sure], value[sure], rtol=1e-5, atol=1e-5):
                    problems.append(f"seed {seed}, {rows} rows: {name} differs by {np.abs(got[name] - value)[sure].max()}")
    return problems, compared, total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:cut])
    os.makedirs(arguments.folder, exist_ok=True)
    failures = 0
    for network in NETWORKS:
        if (network.full and not arguments.full) or not re.search(arguments.only, network.name):
            continue
        seeds = range(6 if arguments.full else 1)
        try:
            problems, compared, total = try_network(network, seeds, arguments.folder, words[cut + 1 :])
        except tools.ToolError as error:
            problems, compared, total = [str(error)], 0, 0
        if compared < 0.8 * total:
            problems.append(f"only {compared} of {total} rows are clear of boundaries")
        failures += bool(problems)
        print(f"{network.name}: {'; '.join(problems) or 'ok'} ({compared} of {total} rows)", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
