"""Make the pictures of the README with the program itself: person, garments, result, side by side, in docs/pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vestiary
from vestiary import samples
from vestiary.images import open_picture

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
HEIGHT, GAP = 440, 8
SHOWN = (
    ("mira", ("longsleeve_striped",)),
    ("mira", ("sweater_bed_phone", "jeans_blue")),
    ("kenji", ("longsleeve_striped",)),
    ("jonas", ("tee_floor_phone",)),
)


def main() -> int:
    """Write demo-1.jpg, demo-2.jpg, …"""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, (person, garments) in enumerate(SHOWN, 1):
        photos = [samples.garments()[garment] for garment in garments]
        fitting = vestiary.try_on(samples.people()[person], photos)
        before = tall(open_picture(samples.people()[person]).image, HEIGHT)
        share = (HEIGHT - GAP * (len(photos) - 1)) // len(photos)
        worn = [tall(open_picture(photo).on_white(), min(share, HEIGHT * 3 // 5)) for photo in photos]
        strip = beside([before, below(worn), tall(fitting.image, HEIGHT)])
        path = FOLDER / f"demo-{number}.jpg"
        Image.fromarray(strip).save(path, quality=85, optimize=True)
        print(f"{path}: {path.stat().st_size // 1024} KB")
    return 0


def tall(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The picture at that height."""
    size = (round(picture.shape[1] * height / picture.shape[0]), height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def below(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures under each other, centred on white."""
    width = max(picture.shape[1] for picture in pictures)
    column = np.full((HEIGHT, width, 3), 255, np.uint8)
    top = (HEIGHT - sum(picture.shape[0] for picture in pictures) - GAP * (len(pictures) - 1)) // 2
    for picture in pictures:
        left = (width - picture.shape[1]) // 2
        column[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += picture.shape[0] + GAP
    return column


def beside(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures of one height next to each other on white."""
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(row[:-1], axis=1)


if __name__ == "__main__":
    sys.exit(main())
