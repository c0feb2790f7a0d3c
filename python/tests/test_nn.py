# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers for training: their formulas, their gradients, and that the compiler
takes them for what they are."""

import json

import numpy as np
import pytest

import bitnet_mlir

torch = pytest.importorskip("torch")
F = torch.nn.functional
nn = bitnet_mlir.nn


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_ternary_weights_are_those_of_the_paper():
    weight = torch.randn(8, 12)
    scale = weight.abs().mean()
    expected = (weight / scale).round().clamp(-1, 1) * scale
    assert torch.allclose(nn.ternarize(weight), expected)
    # One that is all zero stays so.
    assert torch.equal(nn.ternarize(torch.zeros(2, 2)), torch.zeros(2, 2))


def test_binary_weights_are_those_of_the_paper():
    weight = torch.randn(8, 12) + 0.1
    expected = torch.sign(weight - weight.mean()) * weight.abs().mean()
    assert torch.allclose(nn.binarize(weight), expected)
    # The sign of 0 is -1.
    assert torch.equal(nn.binarize(torch.full([2, 2], 3.0)), torch.full([2, 2], -3.0))


@pytest.mark.parametrize("quantize", [nn.ternarize, nn.binarize])
def test_groups_of_weights(quantize):
    weight = torch.randn(8, 12) * torch.linspace(0.5, 4, 8)[:, None]
    rows = quantize(weight, groups=4)
    assert all(torch.allclose(rows[i : i + 2], quantize(weight[i : i + 2])) for i in range(0, 8, 2))
    inputs = quantize(weight, group_size=4)
    assert all(torch.allclose(inputs[3:4, i : i + 4], quantize(weight[3:4, i : i + 4])) for i in range(0, 12, 4))
    with pytest.raises(ValueError, match="8 outputs do not divide into 3"):
        quantize(weight, groups=3)
    with pytest.raises(ValueError, match="12 inputs do not divide"):
        quantize(weight, group_size=5)


@pytest.mark.parametrize("per_token", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_activations(per_token, groups):
    x = torch.randn(3, 5, 8) * torch.linspace(1, 3, 8)
    for quantize, low, high in ((nn.quantize_absmax, -128, 127), (nn.quantize_zero_point, 0, 127)):
        result = quantize(x, per_token=per_token, groups=groups)
        parts = x.reshape(3, 5, groups, -1)
        dims = (-1,) if per_token else (0, 1, 3)
        least = parts.amin(dims, keepdim=True) if low == 0 else torch.zeros(())
        step = (parts - least).abs().amax(dims, keepdim=True) / 127
        integers = (result.reshape(parts.shape) - least) / step
        assert torch.allclose(integers, integers.round(), atol=1e-3)
        assert integers.round().min() >= low and integers.round().max() <= high
        assert ((result.reshape(parts.shape) - parts).abs() <= step * 0.501).all()


def test_b1_has_128_steps_within_int8():
    x = torch.tensor([[-2.0, 2.0, 1.0]])
    assert torch.equal(nn.quantize_absmax(x, bound=128), torch.tensor([[-2.0, 2.0 * 127 / 128, 1.0]]))


@pytest.mark.parametrize("kind", ["b1.58", "b1"])
def test_layer(kind):
    layer = nn.BitLinear(16, 8, kind=kind).eval()
    x = torch.randn(2, 3, 16)
    given = F.layer_norm(x, (16,)) if kind == "b1" else x
    bound, quantize = (128, nn.binarize) if kind == "b1" else (127, nn.ternarize)
    expected = F.linear(nn.quantize_absmax(given, bound=bound), quantize(layer.weight), layer.bias)
    assert torch.allclose(layer(x), expected)
    assert set(layer.state_dict()) == {"weight", "bias"}
    # b1 has one scale for the tensor in training.
    assert torch.allclose(layer.train()(x), layer.eval()(x)) == (kind == "b1.58")


def test_gradients_pass_straight_through():
    layer, x = nn.BitLinear(16, 8, bias=False), torch.randn(4, 16, requires_grad=True)
    target = torch.randn(4, 8)
    (layer(x) * target).sum().backward()
    assert torch.allclose(x.grad, target @ layer.quantized_weight())
    assert torch.allclose(layer.weight.grad, target.T @ layer.quantize_input(x))


@pytest.mark.parametrize("kind", ["b1.58", "b1"])
def test_layers_learn(kind):
    model = torch.nn.Sequential(nn.BitLinear(16, 64, kind=kind), torch.nn.ReLU(), nn.BitLinear(64, 4, kind=kind))
    x = torch.randn(256, 16)
    target = torch.stack([x[:, 0], x[:, 2].abs(), x[:, 3] - x[:, 5], -x[:, 4]], dim=1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(100):
        loss = F.mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = torch.nn.Linear(8, 16), torch.nn.Linear(16, 8, bias=False)
        self.again = self.down

    def forward(self, x):
        return self.again(torch.relu(self.up(x)))


def test_convert():
    model = torch.nn.Sequential(Block(), Block(), torch.nn.Linear(8, 4))
    weight = model[0].up.weight
    assert nn.convert(model, kind="b1", exclude=("2", "1.up")) is model
    assert isinstance(model[0].up, nn.BitLinear) and model[0].up.kind == "b1" and model[0].up.weight is weight
    assert model[0].again is model[0].down and isinstance(model[0].down, nn.BitLinear)
    assert type(model[2]) is type(model[1].up) is torch.nn.Linear
    assert isinstance(nn.convert(torch.nn.Linear(4, 4)), nn.BitLinear)
    model = nn.convert(torch.nn.Sequential(Block(), Block()), exclude="up")
    assert type(model[0].up) is type(model[1].up) is torch.nn.Linear
    model = nn.convert(Block(), exclude=lambda name, layer: layer.bias is not None)
    assert type(model.up) is torch.nn.Linear and isinstance(model.down, nn.BitLinear)
    with pytest.raises(ValueError, match="'lm_head' fits no linear layer; they are up, down"):
        nn.convert(Block(), exclude=("lm_head",))
    with pytest.raises(ValueError, match="up: 8 inputs do not divide by 3"):
        nn.convert(Block(), group_size=3)


@pytest.mark.parametrize(
    "options",
    [{"kind": "b2"}, {"norm": "batch"}, {"activation": "row"}, {"bound": 0}, {"groups": 3}, {"groups": 2, "group_size": 4}],
)
def test_bad_options(options):
    with pytest.raises(ValueError):
        nn.BitLinear(8, 8, **options)


class Network(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.up = nn.BitLinear(64, 96, **options)
        self.down = nn.BitLinear(96, 64, bias=False, **options)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(x)))


@pytest.mark.parametrize(
    "options, linears, quantizations",
    [
        ({}, 2, 2),
        ({"kind": "b1"}, 2, 2),
        ({"kind": "b1", "activation": "tensor"}, 2, 2),
        ({"norm": "rms", "group_size": 16}, 2, 2),
        ({"kind": "b1", "groups": 4}, 2, 2),
        ({"activation": None}, 2, 0),
        ({"kind": "b1", "zero_point": True}, 2, 0),
        ({"activation_groups": 2}, 2, 0),
    ],
)
def test_compiler_recognises(options, linears, quantizations, tmp_path):
    model = Network(**options).eval()
    pytest.importorskip("onnxscript")
    path = bitnet_mlir.export.export_module(model, (torch.randn(2, 3, 64),), tmp_path / "m.onnx", dynamic={"x": ("batch", "tokens")})
    report = tmp_path / "report.json"
    artifact = bitnet_mlir.compile(path, tmp_path / "m.so", target="native", report=report)
    entry = json.loads(report.read_text())["entries"][0]
    assert (entry["linears"], entry["quantizations"]) == (linears, quantizations)
    x = torch.randn(3, 4, 64)
    with torch.no_grad():
        expected = model(x).numpy()
    assert np.abs(bitnet_mlir.Model(artifact)(x) - expected).max() < 0.02 * np.abs(expected).max()
