"""Intermediate pictures as numbered files of one folder (`--layers DIR`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vestiary.files import make_folder
from vestiary.images import save_picture

if TYPE_CHECKING:
    from vestiary.types import Fitting, Garment, Person

    Layers = Iterator[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]]


def of_person(person: Person) -> Layers:
    """The skeleton, the silhouette, and the parts in colours."""
    from vestiary.person.draw import draw_parts, draw_skeleton

    yield "skeleton", draw_skeleton(person)
    yield "silhouette", person.silhouette
    yield "parts", draw_parts(person)


def of_garment(garment: Garment, number: int = 0) -> Layers:
    """The cut-out with its alpha."""
    yield f"cutout-{number}" if number else "cutout", np.dstack([garment.image, garment.alpha])


def of_fitting(person: Person, garments: Sequence[Garment], fitting: Fitting) -> Layers:
    """Everything from the scan to the edit mask, in the order in which it was made."""
    yield from of_person(person)
    for number, garment in enumerate(garments, 1):
        yield from of_garment(garment, number)
    yield from fitting.layers.items()
    if "mask" not in fitting.layers:
        yield "mask", fitting.mask


def write(layers: Layers, folder: str | os.PathLike[str]) -> list[str]:
    """Write the layers as PNG files named by number and step, and name them.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    place = make_folder(folder)
    paths = []
    for number, (name, picture) in enumerate(layers, 1):
        path = place / f"{number:02d}-{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}.png"
        save_picture(picture, path)
        paths.append(str(path))
    return paths
