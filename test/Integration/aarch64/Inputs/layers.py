# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a module (IR of the bitnet phase) of ternary layers for one token and for a
chunk of them: something to look at the code of."""

ROWS, COLUMNS = 128, 256


def layer(tokens):
    x, y = f"tensor<{tokens}x{COLUMNS}xi8>", f"tensor<{tokens}x{ROWS}xf32>"
    sums, weights = f"tensor<{tokens}xi32>", f"tensor<{ROWS}x{COLUMNS}x!bitnet.ternary>"
    arguments = f'%x{tokens}: {x} {{onnx.name = "x{tokens}"}}, %m{tokens}: {sums} {{onnx.name = "m{tokens}"}}'
    body = (
        f"%e{tokens} = tensor.empty() : {y}\n"
        f"%y{tokens} = bitnet.linear ins(%x{tokens}, %w, %one : {x}, {weights}, tensor<1xf32>) "
        f"quantized(%one, %m{tokens} : tensor<1xf32>, {sums}) outs(%e{tokens} : {y}) -> {y}\n"
    )
    return arguments, body, f'{y} {{onnx.name = "y{tokens}"}}', f"%y{tokens}", y


arguments, bodies, results, values, kinds = zip(layer(1), layer(32))
print(f"func.func @main({', '.join(arguments)}) -> ({', '.join(results)}) attributes {{bitnet.entry = \"main\"}} {{")
print(f"%w = bitnet.constant dense_resource<w> : tensor<{ROWS}x{COLUMNS}x!bitnet.ternary>")
print("%one = arith.constant dense<1.0> : tensor<1xf32>")
print(*bodies, f"return {', '.join(values)} : {', '.join(kinds)}\n}}", sep="")
print(f'{{-# dialect_resources: {{ builtin: {{ w: "0x40000000{"55" * (ROWS * COLUMNS // 4)}" }} }} #-}}')
