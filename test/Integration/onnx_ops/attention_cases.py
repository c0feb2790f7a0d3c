# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases of ONNX Runtime's attention."""
import numpy as np


def group_query_attention(case, f32, ints):
    def attention(batch, tokens, past, total, packed=False, width=16, share=0, extra=(), **options):
        heads, groups = options["num_heads"], options["kv_num_heads"]
        if packed:
            inputs = [f32(batch, tokens, (heads + 2 * groups) * width), None, None]
        else:
            inputs = [f32(batch, tokens, heads * width), f32(batch, tokens, groups * width),
                      f32(batch, tokens, groups * width)]
        length = share or past
        inputs += [f32(batch, groups, length, width), f32(batch, groups, length, width),
                   np.array(total, np.int32) - 1, np.array(max(total), np.int32), *extra]
        case("com.microsoft.GroupQueryAttention", *inputs, outputs=3, ranks=(3, 4, 4), tolerance=2e-5, **options)

    heads = dict(num_heads=4, kv_num_heads=2)
    angles = f32(20, 8)
    cache = (np.cos(angles), np.sin(angles))
    for packed in [False, True]:
        attention(1, 1, 5, [6], packed, **heads)
        attention(2, 3, 0, [3, 3], packed, **heads)
        attention(1, 1, 7, [8], packed, extra=cache, do_rotary=1, constants=(7, 8), **heads)
        attention(1, 4, 3, [7], packed, extra=cache, do_rotary=1, constants=(7, 8), scale=0.3, **heads)
    attention(2, 1, 4, [5, 5], extra=cache, do_rotary=1, rotary_interleaved=1, constants=(7, 8), **heads)
    attention(1, 3, 0, [3], extra=(*cache, np.array([[2, 3, 4]], np.int64)), do_rotary=1, constants=(7, 8), **heads)
    # A buffer that is longer than what it holds, and batches of several lengths.
    attention(1, 1, 0, [4], share=9, **heads)
    attention(2, 1, 0, [4, 7], share=7, extra=cache, do_rotary=1, constants=(7, 8), **heads)
    attention(1, 2, 4, [6], softcap=2.5, **heads)
    attention(1, 1, 9, [10], local_window_size=4, **heads)
    attention(1, 8, 0, [8], local_window_size=3, **heads)


def multi_head_attention(case, f32, ints):
    def attention(*inputs, present=False, **options):
        inputs = list(inputs)
        named = dict(outputs=3, ranks=(3, 4, 4)) if present else dict(ranks=(3,))
        case("com.microsoft.MultiHeadAttention", *inputs, num_heads=2, tolerance=2e-5, **named, **options)

    q, k, v = f32(2, 3, 16), f32(2, 5, 16), f32(2, 5, 12)
    attention(q, k, v)
    attention(q, k, v, f32(44), scale=0.4)
    attention(q, k, v, None, ints(np.int32, 0, 2, 2, 5) | 1)
    attention(q, k, v, None, np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]], np.int32))
    attention(q, k, v, None, np.array([2, 4], np.int32))
    attention(q, k, v, None, np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]], np.int32), f32(1, 2, 3, 5),
              mask_filter_value=-500.0)
    attention(q, k, v, None, None, f32(2, 2, 3, 5))
    attention(f32(2, 4, 16), f32(2, 4, 16), f32(2, 4, 16), unidirectional=1)
    attention(q, f32(2, 2, 5, 8), f32(2, 2, 5, 8))
    past = f32(2, 2, 4, 8), f32(2, 2, 4, 8)
    attention(q, f32(2, 3, 16), f32(2, 3, 16), None, None, None, *past, present=True)
    attention(q, f32(2, 3, 16), f32(2, 3, 16), f32(48), None, f32(1, 2, 3, 7), *past, present=True, unidirectional=1)
    attention(q, f32(2, 3, 16), f32(2, 3, 16), None, np.array([[0, 1, 1, 1, 1, 1, 1]] * 2, np.int32), None, *past,
              present=True)


def packed_attention(case, f32, ints):
    def attention(*inputs, **options):
        case("com.microsoft.Attention", *inputs, num_heads=2, tolerance=2e-5, **options)

    x, weights, bias = f32(2, 4, 10), f32(10, 48, scale=0.3), f32(48)
    attention(x, weights, bias)
    attention(x, weights, bias, constants=(1, 2), unidirectional=1)
    attention(x, weights, bias, np.array([3, 2], np.int32))
    attention(x, weights, bias, np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32), constants=(1,))
    attention(x, weights, bias, np.tril(np.ones((2, 4, 4), np.int32)), None, f32(2, 2, 4, 4))
    attention(x, f32(10, 44, scale=0.3), f32(44), qkv_hidden_sizes=[16, 16, 12], scale=0.2)
    attention(x, weights, bias, None, f32(2, 2, 2, 3, 8), outputs=2, ranks=(3, 5), unidirectional=1)

    ids, words, places, kinds = ints(np.int32, 0, 9, 2, 4), f32(9, 8), f32(6, 8), f32(2, 8)
    scale, shift = f32(8), f32(8)
    segments = ints(np.int32, 0, 2, 2, 4)
    for arguments in [(ids, segments, words, places, kinds, scale, shift),
                      (ids, None, words, places, None, scale, shift, np.ones((2, 4), np.int32)),
                      (ids, segments, words, places, kinds, scale, shift, None, np.array([[3, 2, 1, 0]], np.int32))]:
        case("com.microsoft.EmbedLayerNormalization", *arguments, outputs=("y", "", "total"), ranks=(3, 0, 3),
             constants=(2, 3, 4, 5, 6), epsilon=1e-5, tolerance=2e-5)


def add(case, f32, ints):
    """Adds them by `case`, with numbers that `f32` and `ints` draw."""
    for family in [group_query_attention, multi_head_attention, packed_attention]:
        family(case, f32, ints)
