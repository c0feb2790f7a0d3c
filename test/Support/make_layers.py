# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes IR of the bitnet phase with low-bit layers of activations in {-1, 0, 1}:
a ternary and a binary one for each number of tokens."""

import argparse


def layer(name, tokens, kind, N, K):
    x, y = f"tensor<{tokens}x{K}xi8>", f"tensor<{tokens}x{N}xf32>"
    size = "%d" + name if tokens == "?" else ""
    dim = f"%d{name} = tensor.dim %x{name}, %c0 : {x}" if size else ""
    return f"""
    {dim}
    %w{name} = bitnet.constant dense_resource<{kind}> : tensor<{N}x{K}x!bitnet.{kind}>
    %e{name} = tensor.empty({size}) : {y}
    %y{name} = bitnet.linear ins(%x{name}, %w{name}, %one : {x}, tensor<{N}x{K}x!bitnet.{kind}>, tensor<1xf32>)
        quantized(%one, %m{name} : tensor<1xf32>, tensor<{tokens}xi32>) outs(%e{name} : {y}) {{magnitude = 1 : i64}} -> {y}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("tokens", nargs="+", help="a number, or ?")
    parser.add_argument("--shape", default="256x640", help="of the weights, NxK")
    parser.add_argument("--kinds", nargs="+", default=["ternary", "binary"])
    options = parser.parse_args()
    N, K = map(int, options.shape.split("x"))
    layers = [(f"{kind[0]}{i}", tokens, kind) for kind in options.kinds for i, tokens in enumerate(options.tokens)]
    arguments, types = [], []
    for name, tokens, _ in layers:
        arguments.append(f'%x{name}: tensor<{tokens}x{K}xi8> {{onnx.name = "x{name}"}}')
        arguments.append(f'%m{name}: tensor<{tokens}xi32> {{onnx.name = "m{name}"}}')
        types.append(f"tensor<{tokens}x{N}xf32>")
    results = ", ".join(f'{kind} {{onnx.name = "y{name}"}}' for (name, _, _), kind in zip(layers, types))
    body = "".join(layer(*each, N, K) for each in layers)
    values = ", ".join(f"%y{name}" for name, _, _ in layers)
    with open(options.path, "w", encoding="utf-8") as file:
        file.write(
            f"""func.func @main({', '.join(arguments)}) -> ({results}) attributes {{bitnet.entry = "main"}} {{
    %c0 = arith.constant 0 : index
    %one = arith.constant dense<1.0> : tensor<1xf32>{body}
    return {values} : {', '.join(types)}
}}
{{-# dialect_resources: {{ builtin: {{
  ternary: "0x40000000{'46' * (N * K // 4)}",
  binary: "0x40000000{'a5' * (N * K // 8)}"
}} }} #-}}
"""
        )


if __name__ == "__main__":
    main()
