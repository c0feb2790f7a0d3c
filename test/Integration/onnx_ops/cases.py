# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small uses of ONNX operators, many of which make one model.

A case is one node with its inputs; operators of other domains have it before
their name. `build_model` joins cases into a model with
the inputs and outputs of all of them, in which every shape is fixed or every
dimension that is no scalar's is dynamic.
"""
import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import attention_cases

OPSET = 25


@dataclasses.dataclass
class Case:
    op: str
    inputs: list          # arrays; None where an input is left out
    attributes: dict
    constants: tuple      # which inputs are initializers
    outputs: int          # how many; or for each a name, "" where it is left out
    tolerance: float
    via: int              # element type that floats are cast to around the op, or 0
    fixed: bool           # no dimension is ever dynamic
    ranks: tuple          # of results that ONNX does not infer, where they differ from the first input's
    name: str = ""

    def results(self):
        """Names of its outputs, empty where one is left out."""
        shown = [True] * self.outputs if isinstance(self.outputs, int) else self.outputs
        return [f"{self.name}_out{i}" if given else "" for i, given in enumerate(shown)]


CASES = []


def case(op, *inputs, constants=(), outputs=1, tolerance=2e-6, via=0, fixed=False, ranks=(),
         **attributes):
    entry = Case(op, list(inputs), attributes, tuple(constants), outputs, tolerance, via, fixed, ranks)
    entry.name = f"{op.rpartition('.')[2]}_{len(CASES)}"
    CASES.append(entry)


rng = np.random.default_rng(7)


def f32(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def ints(dtype, low, high, *shape):
    return rng.integers(low, high, shape).astype(dtype)


def i64(*values):
    return np.array(values, np.int64)


SPECIAL = np.array([0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, np.nan, np.inf, -np.inf, 1e-30], np.float32)
BF16, F16 = TensorProto.BFLOAT16, TensorProto.FLOAT16


def elementwise():
    for op in ["Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Mish", "Neg", "Reciprocal", "Relu", "Round",
               "Sigmoid", "Sign", "Sin", "Sinh", "Cosh", "Atan", "Asinh", "Softplus", "Softsign", "Tan", "Tanh", "Celu",
               "Elu", "Gelu", "HardSigmoid", "LeakyRelu", "Selu", "Swish", "ThresholdedRelu", "Identity"]:
        case(op, f32(3, 5, scale=2), tolerance=1e-5)
    for op in ["Acos", "Asin", "Atanh"]:
        case(op, np.tanh(f32(7)), tolerance=1e-5)
    case("Acosh", np.abs(f32(7)) + 1, tolerance=1e-4)
    for op in ["Sqrt", "Log"]:
        case(op, np.abs(f32(2, 3)) + 0.1, tolerance=1e-5)
    case("Gelu", f32(9, scale=3), approximate="tanh", tolerance=1e-5)
    for op in ["Abs", "Ceil", "Floor", "Round", "Neg", "Relu", "IsNaN", "IsInf"]:
        case(op, SPECIAL)
    case("IsInf", SPECIAL, detect_negative=0)
    for op in ["Add", "Sub", "Mul", "Div"]:
        case(op, f32(2, 3, 4), f32(3, 1), tolerance=1e-6)
        case(op, f32(4, 1), f32(2, 4, 5))
        case(op, f32(4, 6), f32(6), via=BF16, tolerance=1e-2)
        case(op, f32(4, 6), f32(6), via=F16, tolerance=2e-3)
        for dtype in [np.int8, np.int32, np.int64, np.uint8, np.uint32]:
            low = 0 if np.dtype(dtype).kind == "u" else -20
            y = ints(dtype, 1, 9, 5)
            case(op, ints(dtype, low, 100, 4, 5), y)
    case("Div", ints(np.int32, -20, 20, 30), np.array(-3, np.int32))
    for fmod in [0, 1]:
        case("Mod", ints(np.int64, -30, 30, 40), np.array(7, np.int64), fmod=fmod)
        case("Mod", ints(np.int32, -30, 30, 40), np.array(-7, np.int32), fmod=fmod)
    case("Mod", f32(50, scale=100), np.array(0.7, np.float32), fmod=1, tolerance=1e-5)
    case("Mod", np.array([1e30, -1e20, 5, 3], np.float32), np.array([3, 7, np.inf, -3], np.float32), fmod=1)
    case("Pow", np.abs(f32(3, 4)) + 0.1, f32(4), tolerance=1e-4)
    case("Pow", f32(3, 4), np.array(2, np.float32), constants=(1,), tolerance=1e-6)
    case("Pow", f32(3, 4), np.array(3, np.int64), tolerance=1e-5)
    case("Pow", ints(np.int64, -5, 5, 3, 4), np.array(3, np.int64))
    case("Pow", ints(np.int32, 1, 5, 3, 4), np.array([0, 1, 2, 3], np.float32))
    for op in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]:
        case(op, ints(np.int64, 0, 3, 4, 5), ints(np.int64, 0, 3, 5))
        case(op, ints(np.uint8, 100, 200, 20), ints(np.uint8, 100, 200, 20))
        case(op, np.array([1, np.nan, 2, 3], np.float32), np.array([1, 1, np.nan, 2], np.float32))
    for op in ["And", "Or", "Xor"]:
        case(op, ints(bool, 0, 2, 3, 4), ints(bool, 0, 2, 4))
    case("Not", ints(bool, 0, 2, 3, 4))
    for op in ["BitwiseAnd", "BitwiseOr", "BitwiseXor"]:
        case(op, ints(np.int32, -99, 99, 3, 4), ints(np.int32, -99, 99, 4))
    case("BitwiseNot", ints(np.uint8, 0, 255, 9))
    for direction in ["LEFT", "RIGHT"]:
        case("BitShift", ints(np.uint8, 0, 255, 9), ints(np.uint8, 0, 7, 9), direction=direction)
        case("BitShift", ints(np.uint32, 0, 2**31, 9), ints(np.uint32, 0, 31, 9), direction=direction)
    for op in ["Max", "Min", "Sum", "Mean"]:
        case(op, f32(3, 4), f32(4), f32(3, 1), tolerance=1e-6)
        case(op, f32(3, 4))
    for op in ["Max", "Min"]:
        case(op, np.array([1, np.nan], np.float32), np.array([np.nan, 2], np.float32))
        case(op, ints(np.uint8, 0, 255, 9), ints(np.uint8, 0, 255, 9))
    case("Where", ints(bool, 0, 2, 3, 1), f32(3, 4), f32(4))
    case("Clip", f32(3, 4), np.array(-0.5, np.float32), np.array(0.5, np.float32), constants=(1, 2))
    case("Clip", SPECIAL, None, np.array(0.75, np.float32))
    case("Clip", ints(np.int8, -50, 50, 9), np.array(-9, np.int8))
    case("PRelu", f32(3, 4), f32(4))


def casts():
    whole = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
    for to in whole + [np.float16, np.float32, np.float64, bool]:
        number = helper.np_dtype_to_tensor_dtype(np.dtype(to))
        case("Cast", np.array([0, 1.9, 100.5, 0.3, 7], np.float32), to=number)
        case("Cast", np.array([-3, -1, 0, 1, 120], np.int32), to=number)
        case("Cast", np.array([0, 1, 200, 255], np.uint8), to=number)
        case("Cast", np.array([True, False]), to=number)
    case("Cast", np.array([-1.9, -7.5, 3e9, -3e9], np.float64), to=TensorProto.INT64)
    case("Cast", np.array([np.nan, 0, -0.0, 0.1], np.float32), to=TensorProto.BOOL)
    case("Identity", f32(20, scale=100), via=BF16, tolerance=1e-2)
    scale, zero = np.array(0.1, np.float32), np.array(3, np.uint8)
    x = f32(4, 6, scale=20)
    case("QuantizeLinear", x, scale, zero)
    case("QuantizeLinear", x, np.array(0.25, np.float32), np.array(-3, np.int8))
    case("QuantizeLinear", x, np.abs(f32(6)) + 0.1, np.zeros(6, np.int8), axis=1)
    case("DequantizeLinear", ints(np.uint8, 0, 255, 4, 6), scale, zero)
    case("DequantizeLinear", ints(np.int8, -128, 127, 4, 6), np.abs(f32(4)), ints(np.int8, -9, 9, 4), axis=0)
    case("DequantizeLinear", ints(np.int8, -128, 127, 4, 6), np.abs(f32(4, 3)), None, axis=1, block_size=2)
    case("DynamicQuantizeLinear", f32(3, 5), outputs=3)


def reductions():
    x = f32(2, 3, 4)
    for op in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
               "ReduceSumSquare", "ReduceLogSumExp"]:
        for axes, keep in [([1], 1), ([-1], 0), ([0, 2], 1), ([0, 2], 0)]:
            case(op, x, i64(*axes), constants=(1,), keepdims=keep, tolerance=1e-5)
        case(op, x, tolerance=1e-5)
        case(op, x, noop_with_empty_axes=1, tolerance=1e-5)
        case(op, f32(3, 40), i64(1), constants=(1,), via=BF16, tolerance=2e-2)
    for op in ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"]:
        case(op, ints(np.int32, -5, 5, 3, 4), i64(0), constants=(1,))
    case("ReduceMax", ints(np.uint8, 0, 255, 3, 4), i64(0), constants=(1,))
    case("ReduceMax", np.array([[1, np.nan], [2, 3]], np.float32), i64(1), constants=(1,))
    case("ReduceLogSum", np.abs(x), i64(1), constants=(1,), tolerance=1e-5)
    for op in ["ArgMax", "ArgMin"]:
        ties = ints(np.int32, 0, 3, 4, 6)
        case(op, ties, axis=1)
        case(op, ties, axis=0, keepdims=0)
        case(op, ties, axis=1, select_last_index=1)
        case(op, f32(4, 6), axis=-1)
    for reverse in [0, 1]:
        for exclusive in [0, 1]:
            case("CumSum", f32(3, 5), np.array(1, np.int64), constants=(1,), reverse=reverse, exclusive=exclusive)
    case("CumSum", ints(np.int32, 0, 9, 3, 5), np.array(0, np.int64), constants=(1,))
    case("TopK", f32(3, 8), i64(3), outputs=2)
    case("TopK", ints(np.int64, 0, 4, 3, 8), i64(5), outputs=2, axis=1, largest=0, constants=(1,))
    case("TopK", f32(6, 3), i64(2), outputs=2, axis=0)


def norms():
    x = f32(2, 3, 8, scale=4)
    for axis in [-1, 1]:
        case("Softmax", x, axis=axis, tolerance=1e-6)
        case("LogSoftmax", x, axis=axis, tolerance=1e-5)
        case("Hardmax", x, axis=axis)
    case("Softmax", x, via=F16, tolerance=1e-3)
    case("LpNormalization", np.abs(x), axis=1, p=1)  # the reference forgets the absolute value
    case("LpNormalization", x, p=2)
    case("LayerNormalization", x, f32(8), f32(8), tolerance=1e-5)
    case("LayerNormalization", x, f32(3, 8), None, axis=1, tolerance=1e-5)
    case("LayerNormalization", x, f32(8), f32(8), outputs=3, tolerance=1e-5)
    case("RMSNormalization", x, f32(8), tolerance=1e-5)
    case("RMSNormalization", x, f32(8), via=BF16, tolerance=3e-2)
    image = f32(2, 6, 4, 5)
    case("InstanceNormalization", image, f32(6), f32(6), tolerance=1e-5)
    case("GroupNormalization", image, f32(6), f32(6), num_groups=3, tolerance=1e-5)
    case("BatchNormalization", image, f32(6), f32(6), f32(6), np.abs(f32(6)) + 0.1, tolerance=1e-5)


def products():
    shapes = [((4, 5), (5, 6)), ((2, 3, 5), (5, 6)), ((2, 1, 4, 5), (3, 5, 6)), ((5,), (5, 6)), ((4, 5), (5,)),
              ((5,), (5,)), ((5,), (2, 5, 3)), ((2, 4, 5), (5,)), ((2, 4, 5), (2, 5, 3)), ((1, 1, 5), (5, 7)),
              ((4, 5), (2, 5, 3))]
    for a, b in shapes:
        case("MatMul", f32(*a), f32(*b), tolerance=1e-5)
    case("MatMul", f32(3, 16), f32(16, 5), via=BF16, tolerance=5e-2)
    case("MatMul", ints(np.int32, -9, 9, 3, 4), ints(np.int32, -9, 9, 4, 2))
    case("Gemm", f32(3, 4), f32(4, 5), f32(5), tolerance=1e-5)
    case("Gemm", f32(4, 3), f32(5, 4), f32(3, 1), transA=1, transB=1, alpha=0.5, beta=2.0, tolerance=1e-5)
    case("Gemm", f32(3, 4), f32(5, 4), transB=1, tolerance=1e-5)
    case("MatMulInteger", ints(np.uint8, 0, 255, 3, 4), ints(np.int8, -9, 9, 4, 5), np.array(7, np.uint8),
         np.array(2, np.int8))
    case("MatMulInteger", ints(np.int8, -9, 9, 2, 3, 4), ints(np.int8, -9, 9, 4, 5))
    q, k, v = f32(1, 4, 3, 8), f32(1, 2, 5, 8), f32(1, 2, 5, 8)
    case("Attention", q, k, v, tolerance=1e-5)
    case("Attention", q, k, v, f32(3, 5), softcap=2.0, tolerance=1e-5)
    case("Attention", f32(2, 3, 16), f32(2, 3, 16), f32(2, 3, 16), is_causal=1, q_num_heads=4, kv_num_heads=4,
         tolerance=1e-5)
    case("Attention", q, f32(1, 2, 3, 8), f32(1, 2, 3, 8), None, f32(1, 2, 4, 8), f32(1, 2, 4, 8), is_causal=1,
         outputs=3, constants=(1, 2, 4, 5), tolerance=1e-5)
    past = f32(2, 2, 5, 8), f32(2, 2, 5, 8)
    flat = f32(2, 3, 32), f32(2, 3, 16), f32(2, 3, 16)
    grouped = dict(q_num_heads=4, kv_num_heads=2, outputs=3, ranks=(3, 4, 4), tolerance=1e-5)
    case("Attention", *flat, None, *past, is_causal=1, **grouped)
    case("Attention", *flat, None, *past, is_causal=1, softcap=3.0, scale=0.5, **grouped)
    case("Attention", *flat, ints(bool, 0, 2, 3, 8) | (np.arange(8) == 0), *past, **grouped)
    case("Attention", *flat, f32(2, 1, 3, 8), *past, is_causal=1, **grouped)
    angles = f32(10, 4)
    ids = ints(np.int64, 0, 10, 2, 3)
    for interleaved in [0, 1]:
        case("RotaryEmbedding", f32(2, 4, 3, 8), np.cos(angles), np.sin(angles), ids, interleaved=interleaved,
             tolerance=1e-5)
    case("RotaryEmbedding", f32(2, 3, 16), f32(2, 3, 2), f32(2, 3, 2), num_heads=2, rotary_embedding_dim=4,
         tolerance=1e-5)


def windows():
    x = f32(2, 4, 9, 8)
    w = f32(6, 4, 3, 3)
    case("Conv", x, w, f32(6), constants=(1,), tolerance=1e-4)
    case("Conv", x, w, pads=[1, 0, 2, 1], strides=[2, 3], constants=(1,), tolerance=1e-4)
    case("Conv", x, f32(6, 2, 3, 2), group=2, dilations=[2, 1], constants=(1,), tolerance=1e-4)
    case("Conv", x, f32(4, 1, 3, 3), group=4, auto_pad="SAME_UPPER", strides=[2, 2], constants=(1,), tolerance=1e-4)
    case("Conv", f32(1, 3, 10), f32(5, 3, 4), f32(5), auto_pad="SAME_LOWER", constants=(1,), tolerance=1e-4)
    # ONNX's reference is wrong on groups with a bias, several channels or images.
    for group, attributes in [(1, {}), (4, {"strides": [2, 3], "pads": [1, 0, 1, 2], "output_padding": [1, 2]}),
                              (1, {"dilations": [2, 1], "strides": [1, 2]})]:
        case("ConvTranspose", x[:1], f32(4, 4 // group, 3, 2), f32(4) if group == 1 else None, group=group, constants=(1,),
             tolerance=1e-4, **attributes)
    case("ConvTranspose", f32(1, 3, 7), f32(3, 2, 4), strides=[2], auto_pad="SAME_UPPER", constants=(1,),
         tolerance=1e-4)
    none = np.zeros(0, np.float32)
    for mode in ["nearest", "linear", "cubic"]:
        scales = np.array([1, 1, 2, 1.5], np.float32)
        case("Resize", f32(1, 2, 3, 4), none, scales, constants=(1, 2), fixed=True, mode=mode, tolerance=1e-4)
        case("Resize", f32(1, 2, 5, 7), none, None, i64(1, 2, 8, 4), constants=(1, 3), fixed=True, mode=mode,
             coordinate_transformation_mode="asymmetric", nearest_mode="floor", tolerance=1e-4)
        case("Resize", f32(1, 2, 5, 7), none, None, i64(3, 9), constants=(1, 3), fixed=True, mode=mode, axes=[2, 3],
             coordinate_transformation_mode="align_corners", tolerance=1e-4)
    case("Resize", ints(np.int32, -9, 9, 2, 3), none, np.array([2, 3], np.float32), constants=(1, 2), fixed=True,
         coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    for op in ["MaxPool", "AveragePool"]:
        case(op, x, kernel_shape=[3, 2], tolerance=1e-5)
        case(op, x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], tolerance=1e-5)
        case(op, x, kernel_shape=[2, 2], strides=[3, 3], ceil_mode=1, tolerance=1e-5)
        case(op, f32(1, 3, 10), kernel_shape=[3], dilations=[2], tolerance=1e-5)
    case("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1, tolerance=1e-5)
    case("GlobalAveragePool", x, tolerance=1e-5)
    case("GlobalMaxPool", x)


def shapes():
    x = f32(2, 3, 4)
    case("Shape", x)
    case("Shape", x, start=1, end=-1)
    case("Size", x)
    for target in [[6, 4], [0, -1], [2, 1, 3, 4], [-1], [3, 2, 2, 2], [4, 6], [0, 0, 2, 2]]:
        case("Reshape", x, i64(*target), constants=(1,))
    case("Reshape", x, i64(4, -1))
    case("Flatten", x, axis=2)
    case("Flatten", x, axis=0)
    case("Squeeze", f32(1, 3, 1), i64(0), constants=(1,))
    case("Squeeze", f32(1, 3, 1), i64(-1, 0), constants=(1,))
    case("Unsqueeze", x, i64(0, -1), constants=(1,))
    case("Expand", f32(3, 1), i64(2, 3, 4), constants=(1,))
    case("Expand", f32(3, 4), i64(1, 4))
    case("Expand", f32(1, 4), i64(3, 1))
    case("ConstantOfShape", i64(2, 3))
    case("ConstantOfShape", i64(2, 3), constants=(0,), value=numpy_helper.from_array(np.array([7], np.int32)))
    case("Range", np.array(2, np.int64), np.array(11, np.int64), np.array(3, np.int64))
    case("Range", np.array(9, np.int64), np.array(0, np.int64), np.array(-2, np.int64))
    case("Range", np.array(0.5, np.float32), np.array(3, np.float32), np.array(0.5, np.float32))
    case("EyeLike", f32(3, 5), k=1)


def movement():
    x = f32(2, 3, 4)
    for perm in [[2, 0, 1], [0, 2, 1], [1, 0, 2]]:
        case("Transpose", x, perm=perm)
    case("Transpose", f32(1, 3, 4), perm=[1, 0, 2])
    case("Transpose", x)
    case("Transpose", f32(3, 5), via=BF16, tolerance=1e-2)
    case("Concat", f32(2, 3), f32(2, 0), axis=1, fixed=True)
    case("Concat", x, f32(2, 1, 4), f32(2, 5, 4), axis=1)
    case("Concat", x, f32(2, 3, 2), axis=-1)
    case("Split", f32(7, 4), num_outputs=3, outputs=3, axis=0)
    case("Split", f32(2, 7), i64(3, 4), outputs=2, axis=1, constants=(1,))
    for start, end, axis, step in [([1], [3], [2], [1]), ([-3], [2**62], [2], [2]), ([3], [-100], [2], [-1]),
                                   ([0, 1], [1, 2**31 - 1], [0, 1], [1, 1]), ([-1], [-2**63 + 1], [1], [-2]),
                                   ([5], [9], [1], [1]), ([2], [1], [0], [1])]:
        case("Slice", x, i64(*start), i64(*end), i64(*axis), i64(*step), constants=(1, 2, 3, 4))
    case("Slice", x, i64(0, 1), i64(2, -1))
    case("Slice", x, i64(1), i64(3), i64(2), constants=(3,))
    case("Tile", x, i64(2, 1, 3), constants=(1,))
    case("Tile", f32(2, 3), i64(2, 2))
    case("Pad", x, i64(0, 1, 2, 0, 0, 1), constants=(1,))
    case("Pad", x, i64(1, 2), np.array(1.5, np.float32), i64(1), constants=(3,))
    for mode in ["edge", "reflect", "wrap"]:
        case("Pad", f32(3, 4), i64(1, 2, 2, 3), constants=(1,), mode=mode)
    case("Trilu", f32(2, 4, 4))
    case("Trilu", f32(4, 5), np.array(-1, np.int64), upper=0)
    case("Trilu", f32(4, 5), np.array(1, np.int64), constants=(1,))
    case("OneHot", np.array([[0, 2], [-1, 5]], np.int64), np.array(4, np.int64), np.array([0.5, 2], np.float32))
    case("OneHot", np.array([0, 2, 1], np.int64), np.array(4, np.int64), np.array([0, 1], np.int32), axis=0)
    case("DepthToSpace", f32(1, 8, 2, 3), blocksize=2)
    case("DepthToSpace", f32(1, 8, 2, 3), blocksize=2, mode="CRD")
    case("SpaceToDepth", f32(1, 2, 4, 6), blocksize=2)


def gathers():
    x = f32(4, 5)
    case("Gather", x, np.array([[0, -1], [2, 1]], np.int64))
    case("Gather", x, np.array([1, -2, 4], np.int32), axis=1)
    case("Gather", x, np.array(-1, np.int64), axis=0)
    case("Gather", x, np.array(2, np.int64), axis=1, constants=(1,))
    case("GatherElements", x, ints(np.int64, -4, 4, 3, 5), axis=0)
    case("GatherElements", x, ints(np.int64, -5, 5, 4, 2), axis=1)
    case("GatherND", x, np.array([[0, 1], [3, -1]], np.int64), constants=(1,))
    case("GatherND", f32(2, 3, 4), np.array([[1], [0]], np.int64), constants=(1,), batch_dims=1)
    case("GatherND", f32(2, 3, 4), np.array([[[1]], [[0]]], np.int64), constants=(1,))
    rows = np.array([[1, 0, 2], [0, 2, 1]], np.int64)
    case("ScatterElements", f32(3, 3), rows, f32(2, 3), axis=0)
    for reduction in ["add", "mul", "max", "min"]:
        case("ScatterElements", f32(3, 3), rows, f32(2, 3), axis=1, reduction=reduction)
    case("ScatterND", f32(4, 3), np.array([[1], [3]], np.int64), f32(2, 3), constants=(1,))
    case("ScatterND", f32(4, 3), np.array([[1, 2], [3, 0]], np.int64), f32(2), constants=(1,), reduction="add")


def equations():
    """Operators that expand to others at import."""
    extents = {label: 2 + i % 4 for i, label in enumerate("abcdefghijklmnopqrstuvwxyz")}
    for equation in ["ij,jk->ik", "bhqd,bkhd->bhqk", "bti,oi->bto", "i,j->ij", "ij->ji", "ij->", "ij,ij->", "ij,ij->ij", "ij,j",
                     "bchw,bdhw->bcd", "abc,cd,de->abe", "ab,cd->acbd", "ij,ik,il->jkl", "a,a->", " a b , a -> b "]:  # fmt: skip
        terms = equation.split("->")[0].replace(" ", "").split(",")
        case("Einsum", *[f32(*[extents[label] for label in term]) for term in terms], equation=equation, tolerance=1e-5)
    case("Einsum", f32(2, 3, 4, 5), f32(2, 3, 5, 6), equation="...ij,...jk->...ik", tolerance=1e-5)
    # ONNX's reference takes the batch for the number of channels.
    case("LRN", f32(7, 7, 3, 4), size=3)
    case("LRN", f32(5, 5, 4, 3), size=4, alpha=0.5, beta=0.6, bias=2.0, tolerance=1e-5)
    zero = {"zero": np.array(3, np.uint8), "signed": np.array([0, 1, -1], np.int8)}
    case("QLinearMatMul", ints(np.uint8, 0, 255, 4, 5), np.array(0.1, np.float32), zero["zero"], ints(np.int8, -99, 99, 5, 3),
         np.array([0.1, 0.2, 0.3], np.float32), zero["signed"], np.array(2, np.float32), zero["zero"])  # fmt: skip


def microsoft():
    def foreign(op, *inputs, **options):
        case(f"com.microsoft.{op}", *inputs, tolerance=1e-5, **options)

    x = f32(2, 3, 10, scale=2)
    for op in ["Gelu", "FastGelu", "QuickGelu"]:
        foreign(op, x)
    foreign("QuickGelu", x, alpha=0.7)
    foreign("BiasGelu", x, f32(10))
    foreign("FastGelu", x, f32(10))
    # ONNX Runtime has it in ONNX's domain.
    case(".SimplifiedLayerNormalization", x, f32(10), axis=-1, epsilon=0.1, tolerance=1e-5)
    for names in [("y",), ("y", "", "", "sum")]:
        foreign("SkipSimplifiedLayerNormalization", x, f32(2, 3, 10), f32(10), outputs=names)
        foreign("SkipSimplifiedLayerNormalization", x, f32(2, 3, 10), f32(10), f32(10), outputs=names, epsilon=0.1)
        foreign("SkipLayerNormalization", x, f32(2, 3, 10), f32(10), outputs=names, epsilon=0.1)
        foreign("SkipLayerNormalization", x, f32(3, 10), f32(10), f32(10), f32(10), outputs=names)
        foreign("SkipLayerNormalization", x, f32(2, 3, 10), f32(10), None, f32(10), outputs=names)
    a, b = f32(2, 5, 3, 7), f32(2, 5, 7, 4)
    foreign("FusedMatMul", a, b, alpha=0.125)
    foreign("FusedMatMul", a.swapaxes(2, 3).copy(), b, transA=1)
    foreign("FusedMatMul", a, b.swapaxes(2, 3).copy(), transB=1, alpha=-3.0)
    foreign("FusedMatMul", a, f32(4, 7), transB=1, constants=(1,))
    foreign("FusedMatMul", f32(7, 3), f32(4, 7), transA=1, transB=1)
    for left, right in [((2, 5, 7, 3), (2, 5, 4, 7)), ((7, 3), (4, 7)), ((2, 7, 3), (4, 7))]:
        # Behind a cast their rank is not known at import.
        foreign("FusedMatMul", f32(*left), f32(*right), transA=1, transB=1, via=TensorProto.FLOAT)
    angles = f32(12, 4)
    cache = [np.cos(angles), np.sin(angles)]
    for interleaved in [0, 1]:
        for ids in [ints(np.int64, 0, 12, 2, 3), i64(5)]:
            for shape in [(2, 4, 3, 8), (2, 3, 16)]:
                foreign("RotaryEmbedding", f32(*shape), ids, *cache, constants=(2, 3), interleaved=interleaved)
        foreign("RotaryEmbedding", f32(2, 3, 24), ints(np.int64, 0, 12, 2, 3), *cache, constants=(2, 3), num_heads=2,
                rotary_embedding_dim=8, interleaved=interleaved)


for family in [elementwise, casts, reductions, norms, products, windows, shapes, movement, gathers, equations, microsoft]:
    family()
attention_cases.add(case, f32, ints)


def dims(array, prefix, dynamic, keep_width=False):
    # Lists of axes, shapes and pads keep their length: it decides a rank.
    fixed = not dynamic or array.ndim == 0 or (array.ndim == 1 and array.dtype == np.int64 and array.size <= 6)
    shape = [size if fixed else f"{prefix}_{i}" for i, size in enumerate(array.shape)]
    return shape[:-1] + [array.shape[-1]] if keep_width and array.ndim else shape


def build_model(cases, dynamic):
    """A model of `cases` and its inputs by name."""
    nodes, inputs, outputs, initializers, feeds = [], [], [], [], {}
    for entry in cases:
        names = []
        for i, array in enumerate(entry.inputs):
            name = f"{entry.name}_in{i}"
            if array is None:
                names.append("")
                continue
            if i in entry.constants:
                initializers.append(numpy_helper.from_array(array, name))
            else:
                kind = helper.np_dtype_to_tensor_dtype(array.dtype)
                inputs.append(helper.make_tensor_value_info(
                    name, kind, dims(array, name, dynamic and not entry.fixed,
                                     keep_width=entry.op.endswith("RotaryEmbedding"))))
                feeds[name] = array
            if entry.via and array.dtype == np.float32:
                nodes.append(helper.make_node("Cast", [name], [name + "_narrow"], to=entry.via))
                name += "_narrow"
            names.append(name)
        domain, _, op = entry.op.rpartition(".")
        results = entry.results()
        produced = [r + "_narrow" for r in results] if entry.via else results
        nodes.append(helper.make_node(op, names, produced, name=entry.name, domain=domain, **entry.attributes))
        for result in results if entry.via else []:
            nodes.append(helper.make_node("Cast", [result + "_narrow"], [result], to=TensorProto.FLOAT))
        for index, result in enumerate(results):
            if not result:
                continue
            if "." in entry.op or entry.ranks:  # ONNX's inference does not know it
                rank = entry.ranks[index] if entry.ranks else entry.inputs[0].ndim
                outputs.append(helper.make_tensor_value_info(
                    result, TensorProto.FLOAT, [f"{result}_{i}" for i in range(rank)]))
            elif entry.op == "GroupNormalization":  # the standard does not infer its shape
                outputs.append(helper.make_tensor_value_info(
                    result, TensorProto.FLOAT, dims(entry.inputs[0], f"{entry.name}_in0", dynamic)))
            else:
                outputs.append(helper.make_empty_tensor_value_info(result))
    graph = helper.make_graph(nodes, "operators", inputs, outputs, initializers)
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=11)
    if any("." in entry.op for entry in cases):
        return model, feeds
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return inferred, feeds


def compare(entry, got, expected):
    """What is wrong with `got`, or None."""
    if list(got.shape) != list(expected.shape):
        return f"shape {list(got.shape)}, expected {list(expected.shape)}"
    if got.dtype != expected.dtype:
        return f"type {got.dtype}, expected {expected.dtype}"
    if expected.dtype.kind != "f":
        same = np.array_equal(got, expected)
    else:
        same = np.allclose(got, expected, rtol=max(entry.tolerance, 1e-6), atol=entry.tolerance, equal_nan=True)
    return None if same else f"got {got.ravel()[:8]}, expected {expected.ravel()[:8]}"
