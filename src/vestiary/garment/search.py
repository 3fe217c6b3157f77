"""Garments ranked by how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vestiary.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Garment


def rank(query: Garment, garments: Sequence[Garment]) -> list[tuple[int, float]]:
    """The places of the garments in their sequence, most alike first, each with its likeness to the query: -1 to 1.

    The likeness is the cosine of the two garments' vectors.

    Raises:
        OptionError: a garment was read without its vector.
    """
    if not garments:
        return []
    alike = np.stack([vector_of(garment) for garment in garments]) @ vector_of(query)
    return [(int(place), float(alike[place])) for place in np.argsort(-alike, kind="stable")]


def vector_of(garment: Garment) -> NDArray[np.float32]:
    """The garment's vector for search, `(96,) float32` of length 1.

    Raises:
        OptionError: it was read without one.
    """
    if garment.embedding is None:
        hint = "Read it again with read_garment(photo), without reader='rules' and with words."
        raise OptionError("this garment has no vector for search.", hint=hint)
    return garment.embedding
