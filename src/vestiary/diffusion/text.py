"""Prompts as CLIP embeddings (Radford et al. 2021) for the UNet's cross-attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vestiary.diffusion.model import TryOnModel
from vestiary.errors import OptionError


def encode_text(model: TryOnModel, prompts: Sequence[str]) -> Tensor | None:
    """`(B, T, D) float32` of prompts; None for a model without a text encoder and only empty prompts.

    Raises:
        OptionError: the model reads no text, or a prompt is longer than it can read.
    """
    if model.text_encoder is None or model.tokenizer is None:
        if any(prompts):
            hint = "Leave the prompt out, or use a model with a text_encoder folder."
            raise OptionError(f"the model {model.card.name} reads no text.", hint=hint)
        return None
    limit = model.text_encoder.config.max_position_embeddings
    for prompt in prompts:
        count = len(model.tokenizer(prompt).input_ids)
        if count > limit:
            hint = "Shorten it."
            raise OptionError(f"the prompt has {count - 2} tokens; the model reads at most {limit - 2}.", hint=hint)
    tokens = model.tokenizer(list(prompts), padding="max_length", max_length=limit, return_tensors="pt")
    with torch.no_grad():
        return model.text_encoder(tokens.input_ids.to(model.text_encoder.device)).last_hidden_state.float()
