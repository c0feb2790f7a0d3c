# Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hugging Face's BitNet, with random weights, behind a flat signature."""

import torch
from torch import nn


def build(online=False, **configuration):
    """A BitNetForCausalLM whose linear layers are AutoBitLinear."""
    from transformers import BitNetConfig, BitNetForCausalLM
    from transformers.integrations.bitnet import AutoBitLinear

    # Its quantisers are decorated with torch.compile, which would call a C++
    # compiler for the reference and make the exporter fail.
    torch.compiler.set_stance("force_eager")
    config = BitNetConfig(
        tie_word_embeddings=True, use_cache=True, attn_implementation="eager",
        bos_token_id=0, eos_token_id=0, **configuration,
    )  # fmt: skip
    model = BitNetForCausalLM(config).eval()
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name != "lm_head":
            layer = AutoBitLinear(
                module.in_features, module.out_features, bias=False, online_quant=online
            )
            with torch.no_grad():
                weight = torch.randn_like(module.weight) / module.in_features**0.5
                scale = weight.abs().mean()
                if not online:
                    weight = (weight / scale).round().clamp(-1, 1)
                    layer.weight_scale.fill_(scale)
                layer.weight.copy_(weight)
            model.set_submodule(name, layer)
    return model


class Flat(nn.Module):
    """Past and present as plain tensors, in ONNX's usual order."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, position_ids, *past):
        from transformers import DynamicCache

        cache = DynamicCache()
        for index in range(len(past) // 2):
            cache.update(past[2 * index], past[2 * index + 1], index)
        result = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids,
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        presents = [
            tensor
            for layer in result.past_key_values.layers
            for tensor in (layer.keys, layer.values)
        ]
        return (result.logits, *presents)
