"""Folders of photos as training samples: crops for an autoencoder, and whole pictures in a frame."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vestiary.encoding.frames import Frame
from vestiary.errors import InputError
from vestiary.images import open_picture

U8 = NDArray[np.uint8]
KINDS = {".jpg", ".jpeg", ".png", ".webp"}


def held_back(path: Path) -> bool:
    """Whether a picture is kept for validation: one in ten, by its number, or else by its name."""
    number = int(path.stem) if path.stem.isdecimal() else zlib.crc32(path.name.encode())
    return number % 10 == 0


def list_pictures(folders: Sequence[Path], *, validation: bool = False) -> list[Path]:
    """The pictures in these folders and below, for training or for validation.

    Raises:
        InputError: no such folder, or none with enough pictures.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}.", hint="Name folders of photos: --set data=DIR")
        found += sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS)
    chosen = [path for path in found if held_back(path) == validation]
    if not chosen:
        names = ", ".join(map(str, folders))
        split = "validation" if validation else "training"
        hint = f"Of {len(found)} pictures one in ten is kept for validation, by number or name. Add more."
        raise InputError(f"{names}: no pictures for {split}.", hint=hint)
    return chosen


class Crops(Dataset[dict[str, Any]]):
    """Squares of photos without end, `picture`: `(3, side, side) float32` in -1..1; drawn from (seed, number) alone.

    Args:
        paths: the photos.
        frame: width and height in which the photos will be used; they are shown up to twice as large.
        side: of a crop, in pixels.
        seed: of everything drawn.
    """

    def __init__(self, paths: Sequence[Path], frame: tuple[int, int], side: int, seed: int) -> None:
        self.paths, self.frame, self.side, self.seed = paths, frame, side, seed

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, index))
        picture = open_picture(self.paths[int(rng.integers(len(self.paths)))]).on_white()
        height, width = picture.shape[:2]
        scale = min(self.frame[0] / width, self.frame[1] / height) * 2 ** rng.uniform(0, 1)
        scale = max(scale, self.side / width, self.side / height)
        size = max(self.side, round(width * scale)), max(self.side, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        x, y = (int(rng.integers(whole - self.side + 1)) for whole in size)
        crop = small[y : y + self.side, x : x + self.side]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return {"picture": np.asarray(crop.transpose(2, 0, 1) / np.float32(127.5) - 1, np.float32)}


def framed(picture: U8, size: tuple[int, int]) -> tuple[U8, Frame]:
    """The whole picture in a frame of that width and height, white around it, and how it lies there."""
    frame = Frame.around((picture.shape[1], picture.shape[0]), size)
    whole = np.full((size[1], size[0], 3), 255, np.uint8)
    whole[frame.window] = frame.scaled(picture)
    return whole, frame
