"""Shapes of the networks' inputs and answers that run time and training share; imports no PyTorch."""

from __future__ import annotations

from vestiary.types import CATEGORIES, LENGTHS, MOTIFS, NECKLINES, SLEEVES

ATTRIBUTE_SIDE = 192
ATTRIBUTE_DIMENSIONS = 96  # of the vector for search
ATTRIBUTE_CLASSES: dict[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "sleeve": SLEEVES,
    "neckline": NECKLINES,
    "pattern": MOTIFS,
    "length": LENGTHS,
}
