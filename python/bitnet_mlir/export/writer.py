# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX files written in pieces, large tensors in a file beside the model."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .weights import FLOAT, INT2, Dense, Ternary

OPSET = 25
_IR_VERSION = 13
_SMALL = 1024
_ALIGNMENT = 4096


class GraphWriter:
    """Builds a graph node by node and writes tensors as they come.

    Args:
        path: the model's file. Its data, where external, is written to the same
            name with `.data` behind.
        external: whether tensors go to a file of their own.

    Use as a context manager: the files appear when it ends without an error.
    """

    def __init__(self, path: str | os.PathLike[str], *, external: bool):
        self.path = pathlib.Path(path)
        self._data_path = self.path.with_name(self.path.name + ".data")
        self._partial = [file.with_name(file.name + ".partial") for file in (self.path, self._data_path)]
        self._data = open(self._partial[1], "wb") if external else None
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._tensors: list[TensorProto] = []
        self._constants: dict[tuple, str] = {}
        self._names: set[str] = set()
        self._scope = ""

    def __enter__(self) -> GraphWriter:
        return self

    def __exit__(self, kind, value, traceback) -> None:
        if self._data:
            self._data.close()
        try:
            if kind is None:
                self._finish()
        finally:
            for file in self._partial:
                file.unlink(missing_ok=True)

    def _finish(self) -> None:
        graph = helper.make_graph(self._nodes, "decoder", self._inputs, self._outputs, self._tensors)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="bitnet-export"
        )
        self._partial[0].write_bytes(model.SerializeToString())
        if self._data:
            os.replace(self._partial[1], self._data_path)
        else:
            # Of an earlier export to the same name.
            self._data_path.unlink(missing_ok=True)
        os.replace(self._partial[0], self.path)

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Puts `name.` before the names made within."""
        outer, self._scope = self._scope, f"{self._scope}{name}."
        yield
        self._scope = outer

    def _unique(self, name: str) -> str:
        name, number = self._scope + name, 1
        unique = name
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
        self._names.add(unique)
        return unique

    def input(self, name: str, dtype: int, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        self._names.add(name)
        return name

    def output(self, name: str, dtype: int, shape: Sequence[int | str], value: str) -> None:
        """Gives a value as an output."""
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))
        self._names.add(name)
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def node(self, op: str, *inputs: str, name: str = "", **attributes) -> str:
        """Adds a node; gives its (first) output."""
        output = self._unique(name or op.lower())
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, value, dtype=np.float32) -> str:
        """A small constant; equal ones are one tensor."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = name
            self._names.add(name)
            self._tensors.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def floats(self, name: str, values: np.ndarray) -> str:
        """A float32 tensor."""
        return self._tensor(name, FLOAT, values.shape, [np.ascontiguousarray(values, "<f4").tobytes()])

    def dense(self, name: str, weight: Dense) -> str:
        """A float tensor as it is stored, cast to float32."""
        tensor = self._tensor(name, weight.dtype, weight.shape, weight.pieces())
        return tensor if weight.dtype == FLOAT else self.node("Cast", tensor, to=FLOAT, name=name + "_float")

    def ternary(self, name: str, weight: Ternary) -> str:
        """A ternary matrix [outputs, inputs] as float32: INT2 and DequantizeLinear."""
        codes = self._tensor(name, INT2, weight.shape, weight.pieces())
        scale = np.asarray(weight.scale, np.float32)
        attributes = {}
        if scale.ndim == 1:
            attributes["axis"] = 0
        elif scale.ndim == 2:
            attributes = {"axis": 1, "block_size": weight.block}
        scale_name = self.floats(name + "_scale", scale)
        return self.node("DequantizeLinear", codes, scale_name, name="dequantized", **attributes)

    def _tensor(self, name: str, dtype: int, shape: Sequence[int], pieces: Iterable[bytes]) -> str:
        tensor = TensorProto(name=self._unique(name), data_type=dtype, dims=shape)
        count = int(np.prod(shape, dtype=np.int64))
        bits = {INT2: 2, FLOAT: 32}.get(dtype, 16)
        expected = (count * bits + 7) // 8
        if self._data is None or expected <= _SMALL:
            tensor.raw_data = b"".join(pieces)
            written = len(tensor.raw_data)
        else:
            self._data.write(b"\0" * (-self._data.tell() % _ALIGNMENT))
            offset = self._data.tell()
            for piece in pieces:
                self._data.write(piece)
            written = self._data.tell() - offset
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", self._data_path.name), ("offset", offset), ("length", written)):
                tensor.external_data.add(key=key, value=str(value))
        assert written == expected, f"{tensor.name}: {written} bytes written, {expected} expected"
        self._tensors.append(tensor)
        return tensor.name
