"""Prompts as CLIP embeddings (Radford et al. 2021) for the UNet's cross-attention, and garments told in words only."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vestiary.diffusion.model import TryOnModel
from vestiary.errors import OptionError
from vestiary.types import CATEGORIES, Category, Garment

# What garments are called in English, besides the names of the categories.
_CALLED: dict[Category, str] = {
    "top": "shirt t-shirt tshirt tee blouse sweater jumper pullover polo tank camisole bodysuit sweatshirt turtleneck "
    "crop-top longsleeve henley tunic",
    "outerwear": "jacket coat blazer cardigan hoodie parka trench windbreaker vest waistcoat anorak overcoat poncho "
    "bomber raincoat",
    "dress": "gown jumpsuit sundress overall overalls kaftan romper",
    "skirt": "miniskirt kilt sarong",
    "trousers": "jeans pants chinos leggings slacks joggers culottes sweatpants",
    "shorts": "bermudas hotpants trunks",
}
WORDS: dict[str, Category] = {
    word: category for category, words in _CALLED.items() for word in (category, *words.split())
}
_BESIDES = re.compile(r"[,;.]|\b(?:with|and|in|on|over|under|of|from)\b")  # what comes behind describes it


def encode_text(model: TryOnModel, prompts: Sequence[str]) -> Tensor | None:
    """`(B, T, D) float32` of prompts; None for a model without a text encoder and only empty prompts.

    Raises:
        OptionError: the model reads no text, or a prompt is longer than it can read; the message says what it would
            not read.
    """
    if model.text_encoder is None or model.tokenizer is None:
        if any(prompts):
            hint = "Leave the prompt out, or use a model with a text_encoder folder."
            raise OptionError(f"the model {model.card.name} reads no text.", hint=hint)
        return None
    limit = model.text_encoder.config.max_position_embeddings
    for prompt in prompts:
        numbers = model.tokenizer(prompt).input_ids
        if len(numbers) > limit:
            unread = model.tokenizer.decode(numbers[limit - 1 : -1]).strip()  # the last place is for the end mark
            shown = unread if len(unread) <= 120 else f"{unread[:117]}…"
            raise OptionError(
                f"the prompt has {len(numbers) - 2} tokens; the model reads at most {limit - 2} "
                f"({limit} with the marks of beginning and end).",
                hint=f"Shorten it. This would be cut off: {shown!r}.",
            )
    tokens = model.tokenizer(list(prompts), padding="max_length", max_length=limit, return_tensors="pt")
    with torch.no_grad():
        return model.text_encoder(tokens.input_ids.to(model.text_encoder.device)).last_hidden_state.float()


def garment_of(prompt: str, covers: str = "auto") -> Garment:
    """A garment of which there are only words: a transparent picture of a category, so that its place stays empty.

    Args:
        prompt: names it, in English.
        covers: its category; "auto" = what the prompt calls it, which the last word of the name says ("shirt dress").

    Raises:
        OptionError: the prompt calls it nothing that is known.
    """
    phrases = (re.findall(r"[a-z]+(?:-[a-z]+)*", phrase) for phrase in _BESIDES.split(prompt.lower()))
    named = ([WORDS[word] for word in phrase if word in WORDS] for phrase in phrases)
    found = next((names for names in named if names), [])
    if covers == "auto" and not found:
        raise OptionError(
            f"the prompt {prompt!r} does not say what the garment covers.",
            hint=f"Name one (dress, jeans, …), hand in a picture, or set covers to one of: {', '.join(CATEGORIES)}.",
        )
    category = next(one for one in CATEGORIES if one == covers) if covers != "auto" else found[-1]
    nothing = np.full((64, 48, 3), 255, np.uint8)
    return Garment(nothing, np.zeros((64, 48), np.uint8), category, np.zeros((28, 3), np.float32))
