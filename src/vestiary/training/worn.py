"""Worn clothes as if they had been photographed flat: cut out, their light taken out, bent, laid on white.

So one photo of somebody is a pair for training: what they wear, and them wearing it. What the flat garment must not
tell is how it sits on this body: light, folds and outline are changed before it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.errors import GarmentError
from vestiary.fitting import body
from vestiary.training.disturb import LEAST, disturbed_edge, flatten
from vestiary.types import Category, Garment, Part, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]

OF_PART: dict[Part, Category] = {
    Part.TOP: "top",
    Part.OUTERWEAR: "outerwear",
    Part.DRESS: "dress",
    Part.SKIRT: "skirt",
    Part.TROUSERS: "trousers",
    Part.SHORTS: "shorts",
}
MARGIN = 0.12  # of the garment's larger side, around it
TURN, BEND = 8.0, 0.025  # degrees; share of the larger side


def worn_clothes(person: Person, unit: float) -> dict[Category, Bools]:
    """The clothes in a photo that are large enough to be told, largest first."""
    masks = {category: person.parts == part for part, category in OF_PART.items()}
    sizes = {category: int(mask.sum()) for category, mask in masks.items()}
    order = sorted(sizes, key=lambda category: -sizes[category])
    return {category: masks[category] for category in order if sizes[category] > LEAST * unit**2}


def cut_worn(person: Person, most: int, rng: np.random.Generator) -> list[Garment]:
    """Up to `most` of the worn clothes as garments; which ones is drawn.

    Raises:
        GarmentError: none is large enough.
    """
    unit = body.measure(person).unit
    found = worn_clothes(person, unit)
    if not found:
        raise GarmentError("nothing large enough is worn in this photo.", hint="Leave it out.")
    order = [list(found)[int(place)] for place in rng.permutation(len(found))]
    return [laid_out(person, category, found[category], unit, rng) for category in order[:most]]


def laid_out(person: Person, category: Category, mask: Bools, unit: float, rng: np.random.Generator) -> Garment:
    """One worn garment as a flat photo of its own."""
    colour = np.clip(flatten(person, mask, unit, rng), 0, 255).astype(np.uint8)
    alpha = np.where(mask, disturbed_edge(mask, unit, rng), 0)
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    pad = round(MARGIN * max(width, height))
    rows = slice(max(y - pad, 0), y + height + pad)
    columns = slice(max(x - pad, 0), x + width + pad)
    colour, soft = colour[rows, columns], (alpha[rows, columns] * 255).astype(np.uint8)
    if rng.random() < 0.5:  # a shirt is the same from the left and from the right, an arm's place is not
        colour, soft = np.ascontiguousarray(colour[:, ::-1]), np.ascontiguousarray(soft[:, ::-1])
    across, down = _bent(soft.shape, rng)
    colour = cv2.remap(colour, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.remap(soft, across, down, cv2.INTER_LINEAR, borderValue=0)
    shown = colour * (soft[..., None] / np.float32(255)) + (255 - soft[..., None])
    landmarks = np.zeros((28, 3), np.float32)
    return Garment(np.clip(shown, 0, 255).astype(np.uint8), np.asarray(soft, np.uint8), category, landmarks)


def _bent(shape: Sequence[int], rng: np.random.Generator) -> tuple[F32, F32]:
    """Where each pixel comes from: turned, stretched and bent a little."""
    height, width = shape[0], shape[1]
    size = max(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - width / 2, y - height / 2
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    wide, high = rng.uniform(0.9, 1.15, 2)
    across = (x * np.cos(angle) - y * np.sin(angle)) * wide
    down = (x * np.sin(angle) + y * np.cos(angle)) * high
    bends = []
    for _ in range(2):
        field = cv2.resize(rng.normal(0, 1, (4, 4)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        bends.append(field * np.float32(BEND * size))
    return (
        np.asarray(across + width / 2 + bends[0], np.float32),
        np.asarray(down + height / 2 + bends[1], np.float32),
    )


def caption_of(garments: Sequence[Garment]) -> str:
    """What is known of the garments in words: `red striped top, v neck, long sleeves`."""
    return " and ".join(_words(garment) for garment in garments)


def _words(garment: Garment) -> str:
    pattern = () if garment.pattern in ("plain", "other") else (garment.pattern,)
    named = garment.networks != ()  # else nobody looked at it, and its words are only defaults
    what = " ".join([*garment.colour_names[:1], *(pattern if named else ()), garment.category])
    more = [f"{garment.neckline} neck"] if named and garment.neckline != "none" else []
    return ", ".join([what, *more, *([f"{garment.sleeve} sleeves"] if named and garment.sleeve != "none" else [])])
