# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks to try: which shapes, quantisers and exporters meet.

A full product would be thousands. Instead every quantiser meets every exporter,
and the other properties (widths, norms, activation functions, heads, static or
dynamic shapes) rotate beneath, so that neighbours in the list differ in all.
"""

import dataclasses
import itertools

import torch

import blocks
import classifiers
import huggingface
from quantizers import Linear

# Mean difference, of the largest output. A rounding of an activation that falls
# the other way (sums may be taken in another order) moves it by up to 1e-3.
TOLERANCE = 1e-3
# Where nothing is rounded, or the input itself is, nothing can fall otherwise.
EXACT = 2e-6
# Thousands of equal float32 addends in another order than PyTorch's.
FLOAT_SUM = 1e-5

# What each export call is given. TorchScript's exporter leaves quantiser chains
# as written; dynamo's decomposes and, at 23, uses RMSNormalization.
EXPORTERS = [("torchscript", 17), ("torchscript", 18), ("dynamo", 18), ("dynamo", 23)]

LINEARS = {
    "scaled": Linear(),
    "scaled-row-bias": Linear(granularity="row", bias=True),
    "constant": Linear(storage="constant"),
    "constant-row-bias": Linear(storage="constant", granularity="row", bias=True),
    "constant-group": Linear(storage="constant", granularity="group"),
    "online": Linear(storage="online"),
    "online-through": Linear(storage="online", through=True),
    "online-row": Linear(storage="online", granularity="row", reciprocal=False),
    "integer": Linear(integer=True),
    "integer-row-bias": Linear(integer=True, granularity="row", bias=True, reciprocal=False),
    "activation-tensor": Linear(activation="tensor"),
    "weight-only": Linear(storage="constant", activation="none"),
    "weight-only-row": Linear(granularity="row", activation="none", bias=True),
    "weight-only-group": Linear(storage="constant", granularity="group", activation="none"),
    "binary-constant": Linear(weights="binary", storage="constant"),
    "binary-weight-only": Linear(weights="binary", activation="none"),
    # The b1 paper's inference and training forms.
    "b1-token-127": Linear(weights="binary", storage="online", integer=True),
    "b1-token-128": Linear(
        weights="binary", storage="online", integer=True, bound=128, clipped=True, reciprocal=False
    ),
    "b1-tensor-128": Linear(
        weights="binary", storage="online", integer=True, bound=128, clipped=True,
        reciprocal=False, activation="tensor",
    ),
    "b1-scaled-bias": Linear(weights="binary", integer=True, bias=True),
}  # fmt: skip

# Widths and hidden widths; groups of 8 divide those that they meet.
WIDTHS = [(40, 100), (72, 200), (100, 333), (200, 72), (333, 40), (64, 96), (256, 704)]
GROUPED_WIDTHS = [(40, 104), (72, 200), (200, 336)]
# Heads, key heads, head size: MHA, MQA, grouped, odd sizes.
HEADS = [(4, 2, 16), (4, 4, 20), (5, 1, 12), (6, 2, 24), (3, 3, 10), (6, 1, 64)]


@dataclasses.dataclass
class Case:
    name: str
    family: str
    build: object  # () -> torch.nn.Module
    samples: list  # of (() -> dict of inputs); the first is the exporter's example
    outputs: list
    dynamic: dict  # input -> {dimension: name}; empty where shapes are static
    exporter: str
    opset: int
    quick: bool = False
    tolerance: float = TOLERANCE


def floats(*shape):
    # Tokens of unlike magnitude, so that per-token scales matter.
    return torch.randn(*shape) * torch.linspace(0.3, 3.0, shape[-2])[:, None]


def perceptron_inputs(width, batch, length):
    return {"x": floats(batch, length, width)}


def token_inputs(shape, batch, length, past=None):
    inputs = {
        "input_ids": torch.randint(0, shape.vocabulary, (batch, length)),
        "position_ids": (torch.arange(length) + (past or 0)).repeat(batch, 1),
    }
    if past is not None:
        size = (batch, shape.key_heads, past, shape.head_size)
        inputs |= past_inputs(shape.layers, size)
    return inputs


def past_inputs(layers, size):
    names = itertools.product(range(layers), ("key", "value"))
    return {f"past_key_values.{layer}.{part}": torch.randn(*size) for layer, part in names}


def cached_signature(layers):
    """The outputs, and the dynamic dimensions of the cache's inputs."""
    names = [f"{layer}.{part}" for layer in range(layers) for part in ("key", "value")]
    dynamic = {f"past_key_values.{name}": {0: "batch", 2: "past"} for name in names}
    return ["logits"] + [f"present.{name}" for name in names], dynamic


def samples(make, sizes, dynamic):
    """Calls with each size; a static export has only its own."""
    sizes = sizes if dynamic else sizes[:1]
    return [lambda size=size: make(*size) for size in sizes]


def rotating(items, index, stride):
    return items[index * stride % len(items)]


def norms(index, exporter):
    # TorchScript's exporter has no form of nn.RMSNorm.
    second = "torch-rms" if exporter == "dynamo" else "rms"
    pairs = [("rms", "rms"), (second, "rms"), ("layer", "plain-layer"), ("rms", "none")]
    return rotating(pairs, index, 1)


def perceptrons():
    combinations = itertools.product(enumerate(LINEARS.items()), enumerate(EXPORTERS))
    for (row, (name, linear)), (column, (exporter, opset)) in combinations:
        index = row + 2 * column
        grouped = linear.granularity == "group"
        width, hidden = rotating(GROUPED_WIDTHS if grouped else WIDTHS, index, 1)
        norm, sub_norm = norms(index, exporter)
        if name.startswith("b1"):
            norm = sub_norm = "plain-layer"
        activation = rotating(list(blocks.ACTIVATIONS), index, 1)
        dynamic = index % 3 != 1
        shape = blocks.Network(
            width=width, hidden=hidden, layers=1 + index % 2, norm=norm, sub_norm=sub_norm,
            activation=activation, gated=index % 4 != 3, linear=linear,
        )  # fmt: skip
        kind = "dynamic" if dynamic else "static"
        make = lambda batch, length, width=width: perceptron_inputs(width, batch, length)
        yield Case(
            name=f"perceptron-{name}-{width}x{hidden}-{activation}-{norm}-{exporter}{opset}-{kind}",
            family="b1" if linear.weights == "binary" else "perceptron",
            build=lambda shape=shape: blocks.Perceptron(shape),
            samples=samples(make, [(2, 5), (1, 1), (3, 17)], dynamic),
            outputs=["out"],
            dynamic={"x": {0: "batch", 1: "length"}} if dynamic else {},
            exporter=exporter, opset=opset,
            # Every quantiser once, through one exporter or the other.
            quick=column == (3 if row % 6 == 5 else row % 2),
            tolerance=EXACT if linear.activation == "none" else TOLERANCE,
        )  # fmt: skip


def extreme_inputs(columns, kind):
    x = torch.ones(3, columns)
    if kind == "mixed":
        x[1], x[2, ::2] = -1, -1
    elif kind == "zero":
        x[:] = 0
    elif kind == "random":
        x = torch.randn(3, columns)
    else:
        x *= kind
    return {"x": x}


def extremes():
    kinds = [(kind,) for kind in ("random", "mixed", "zero", 1e30, 1e-30)]
    for columns in (2560, 2563):
        for name in ("integer", "scaled", "b1-scaled-bias", "weight-only-row"):
            linear = dataclasses.replace(LINEARS[name], bias=False)
            yield Case(
                name=f"extreme-{name}-{columns}",
                family="extreme",
                build=lambda columns=columns, linear=linear: blocks.Extremes(columns, linear),
                samples=samples(
                    lambda kind, columns=columns: extreme_inputs(columns, kind), kinds, True
                ),
                outputs=["out"], dynamic={"x": {0: "batch"}}, exporter="torchscript", opset=17,
                quick=True, tolerance=FLOAT_SUM if linear.activation == "none" else EXACT,
            )  # fmt: skip


def transformers(cached):
    family = "decoder" if cached else "encoder"
    linears = ["scaled", "constant-row-bias", "online-through", "integer", "b1-token-127", "weight-only"]
    combinations = itertools.product(enumerate(linears), enumerate(EXPORTERS))
    for (row, name), (column, (exporter, opset)) in combinations:
        index = row + 2 * column
        heads, key_heads, head_size = rotating(HEADS, index, 1)
        width, hidden = rotating(WIDTHS, index, 3)
        norm, sub_norm = norms(index, exporter)
        activation = rotating(list(blocks.ACTIVATIONS), index, 1)
        dynamic = index % 4 != 2
        shape = blocks.Network(
            width=width, hidden=hidden, layers=1 + index % 2, heads=heads, key_heads=key_heads,
            head_size=head_size, norm=norm, sub_norm=sub_norm, activation=activation,
            gated=index % 3 != 2, rotary=index % 4 != 3, causal=cached or index % 2 == 0,
            linear=LINEARS[name],
        )  # fmt: skip
        outputs, dimensions = cached_signature(shape.layers) if cached else (["logits"], {})
        tokens = {0: "batch", 1: "length"}
        dimensions |= {"input_ids": tokens, "position_ids": tokens}
        if not shape.rotary:
            # Nothing reads the positions then, and exporters drop the input.
            dimensions.pop("position_ids")
        make = lambda *size, shape=shape: {
            name: value
            for name, value in token_inputs(shape, *size).items()
            if shape.rotary or name != "position_ids"
        }
        sizes = [(2, 3, 5), (1, 1, 9), (1, 6, 0)] if cached else [(2, 7), (1, 1), (1, 19)]
        kind = "dynamic" if dynamic else "static"
        form = f"{heads}-{key_heads}-{head_size}"
        yield Case(
            name=f"{family}-{name}-{width}x{hidden}-{form}-{activation}-{norm}-{exporter}{opset}-{kind}",
            family=family,
            build=lambda shape=shape: blocks.Transformer(shape, cached),
            samples=samples(make, sizes, dynamic),
            outputs=outputs, dynamic=dimensions if dynamic else {}, exporter=exporter, opset=opset,
            quick=column == (3 if row == 2 else row % 2),
        )  # fmt: skip


def huggingface_inputs(shape, batch, length, past):
    size = (batch, shape["num_key_value_heads"], past, shape["hidden_size"] // shape["num_attention_heads"])
    return {
        "input_ids": torch.randint(0, shape["vocab_size"], (batch, length)),
        "attention_mask": torch.ones(batch, past + length, dtype=torch.int64),
        "position_ids": (torch.arange(length) + past).repeat(batch, 1),
    } | past_inputs(shape["num_hidden_layers"], size)


def huggingfaces():
    shapes = [  # Hidden, feed-forward, layers, heads, key heads, activation.
        (128, 200, 2, 4, 2, "relu2"), (96, 333, 1, 6, 1, "relu2"), (120, 104, 2, 5, 5, "silu"),
        (200, 72, 1, 10, 2, "gelu"), (256, 704, 2, 8, 2, "relu2"),
    ]  # fmt: skip
    for index, shape in enumerate(shapes):
        names = (
            "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "hidden_act",
        )  # fmt: skip
        configuration = dict(zip(names, shape)) | {"vocab_size": 160, "max_position_embeddings": 128}
        for opset, online in ((18, index % 2 == 0), (23, index % 2 == 1)):
            outputs, dimensions = cached_signature(shape[2])
            tokens = {0: "batch", 1: "length"}
            dimensions |= {"input_ids": tokens, "position_ids": tokens}
            dimensions["attention_mask"] = {0: "batch", 1: "total"}
            make = lambda *size, shape=configuration: huggingface_inputs(shape, *size)
            kind = "online" if online else "offline"
            yield Case(
                name=f"huggingface-{'x'.join(map(str, shape[:2]))}-{shape[3]}-{shape[4]}-{shape[5]}-{kind}-dynamo{opset}",
                family="huggingface",
                build=lambda configuration=configuration, online=online: huggingface.Flat(
                    huggingface.build(online, **configuration)
                ),
                samples=samples(make, [(2, 3, 5), (1, 1, 9), (1, 6, 0)], True),
                outputs=outputs, dynamic=dimensions, exporter="dynamo", opset=opset,
                quick=(index, opset) in ((0, 18), (2, 23)),
            )  # fmt: skip


def text_inputs(batch, length):
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[1:, 2 * length // 3 :] = 0
    kinds = torch.randint(0, 2, (batch, length))
    return {"input_ids": torch.randint(0, 101, (batch, length)), "attention_mask": mask, "token_type_ids": kinds}


def text_encoders():
    tokens = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask", "token_type_ids")}
    names = ["scaled-row-bias", "online-through", "b1-token-127", "integer-row-bias", "weight-only-row", "binary-constant"]
    for (row, name), (column, (exporter, opset)) in itertools.product(enumerate(names), enumerate(EXPORTERS)):
        index = row + column
        pooling, fused = ("first", "mean")[index % 2], index % 3 == 0
        heads, layers = (4, 3, 6)[index % 3], 1 + index % 2
        yield Case(
            name=f"text-{name}-{heads}-{layers}-{pooling}-{'fused' if fused else 'plain'}-{exporter}{opset}",
            family="classifier",
            build=lambda name=name, options=dict(heads=heads, layers=layers, pooling=pooling, fused=fused): (
                classifiers.TextEncoder(LINEARS[name], **options)
            ),
            samples=samples(text_inputs, [(2, 9), (1, 13), (3, 4)], True),
            outputs=["out"], dynamic=tokens, exporter=exporter, opset=opset,
            quick=(row, column) in ((0, 0), (1, 3)),
        )  # fmt: skip


def image_encoders():
    """Transformers on patches, and convolutions."""
    make = lambda size: lambda batch: {"x": torch.randn(batch, 3, size, size)}
    networks = {
        "patches-scaled": (16, lambda: classifiers.ImageEncoder(LINEARS["scaled"])),
        "patches-online": (16, lambda: classifiers.ImageEncoder(LINEARS["online"], width=48, heads=3, layers=1)),
        "patches-b1": (16, lambda: classifiers.ImageEncoder(LINEARS["b1-token-128"])),
    }
    for weights, activation in itertools.product(("ternary", "binary"), classifiers.ConvolutionNet.ACTIVATIONS):
        build = lambda weights=weights, activation=activation: (
            classifiers.ConvolutionNet(LINEARS["online"], weights, activation)
        )
        networks[f"convolutions-{weights}-{activation}"] = (24, build)
    for (row, (name, (size, build))), (column, (exporter, opset)) in itertools.product(
        enumerate(networks.items()), enumerate(EXPORTERS)
    ):
        dynamic = (row + column) % 2 == 0
        yield Case(
            name=f"image-{name}-{exporter}{opset}-{'dynamic' if dynamic else 'static'}",
            family="classifier", build=build, samples=samples(make(size), [(2,), (1,), (5,)], dynamic),
            outputs=["out"], dynamic={"x": {0: "batch"}} if dynamic else {}, exporter=exporter, opset=opset,
            quick=(name, column) in (("patches-scaled", 0), ("convolutions-ternary-levels", 1), ("convolutions-binary-sign", 3)),
        )  # fmt: skip


def catalogue():
    classifying = [*text_encoders(), *image_encoders()]
    return [*classifying, *extremes(), *perceptrons(), *transformers(False), *transformers(True), *huggingfaces()]
