"""People in clothes of known colours, as data sets of several layouts, and stand-ins for those who look at them.

A drawn person's top has the colour of the garment, so that a network can learn it in seconds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.figures import person
from vestiary.errors import PersonError
from vestiary.images import open_picture
from vestiary.types import Garment, Part, Person


def colour_of(number: int) -> tuple[int, int, int]:
    rng = np.random.default_rng(number)
    red, green, blue = (int(value) for value in rng.integers(20, 235, 3))
    return red, green, blue


def wearing(colour: tuple[int, int, int]) -> Person:
    drawn = person()
    image = drawn.image.copy()
    image[drawn.parts == Part.TOP] = colour
    return replace(drawn, image=image)


def lying(image: np.ndarray) -> Garment:
    alpha = np.zeros(image.shape[:2], np.uint8)
    alpha[10:-10, 10:-10] = 255
    return Garment(image.copy(), alpha, "top", np.zeros((28, 3), np.float32), colour_names=("red",))


def viton(folder: Path, count: int) -> Path:
    """A VITON-HD folder."""
    names = []
    for number in range(1, count + 1):
        colour = colour_of(number)
        cloth = np.full((100, 90, 3), 255, np.uint8)
        cloth[10:-10, 10:-10] = colour
        for place, picture in {"image": wearing(colour).image, "cloth": cloth}.items():
            path = folder / "train" / place / f"{number:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
        names.append(f"{number:05}.png {number:05}.png")
    (folder / "train_pairs.txt").write_text("\n".join(names))
    return folder


def photos(folder: Path, count: int) -> Path:
    """A folder of photos of people and nothing else."""
    folder.mkdir(exist_ok=True)
    for number in range(1, count + 1):
        Image.fromarray(wearing(colour_of(number)).image).save(folder / f"{number:04}.png")
    return folder


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever scans and reads sees what was drawn; black photos show nobody."""

    def scan(photo: Any, **_: Any) -> Person:
        image = open_picture(photo).on_white()
        if image.max() < 10:
            raise PersonError("no person was found in this photo.", hint="Hand in another.")
        return replace(person(), image=image)

    def read(photo: Any, **_: Any) -> Garment:
        return lying(open_picture(photo).on_white())

    monkeypatch.setattr("vestiary.training.diffusion_pairs.scan_person", scan)
    monkeypatch.setattr("vestiary.training.diffusion_pairs.read_garment", read)
