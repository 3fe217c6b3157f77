"""What the garment network is trained on: rendered garments, real photos of known category, and empty grounds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.training.camera import photographed
from vestiary.training.cloth import Bank, make_bank, read, small
from vestiary.training.outlines import MIRRORED
from vestiary.training.synthetic import GREY, SIDE, Sample, frame, random_category, random_turn, render
from vestiary.training.synthetic import up_vector as up_of
from vestiary.types import CATEGORIES, NECKLINES, SLEEVES, Category, Landmark, Sleeve

if TYPE_CHECKING:
    from vestiary.types import Points

FOLDERS: dict[str, tuple[Category, Sleeve | None]] = {  # what the folders of a collection of garment photos hold
    "t-shirt": ("top", "short"),
    "longsleeve": ("top", "long"),
    "shirt": ("top", None),
    "outwear": ("outerwear", None),
    "dress": ("dress", None),
    "skirt": ("skirt", None),
    "pants": ("trousers", None),
    "shorts": ("shorts", None),
}
UNKNOWN = -1  # a class that a sample does not teach
SWAP = np.array([MIRRORED[mark] for mark in Landmark])


def held_out(path: Path) -> bool:
    """Whether a photo is kept for validation: one in ten, by its name."""
    return zlib.crc32(path.name.encode()) % 10 == 0


def list_photos(folder: Path, *, validation: bool = False) -> list[Path]:
    """The photos of `folder`/CATEGORY/*.jpg, for training or for validation."""
    found = [path for name in FOLDERS for path in sorted((folder / name).glob("*.jpg"))]
    return [path for path in found if held_out(path) == validation]


@dataclass
class GarmentSamples:
    """Training samples without end, dicts of arrays; `samples[i]` is a pure function of the seed and i.

    Keys: image `(256, 256, 3) uint8`; mask `(256, 256) uint8`; landmarks `(28, 3) float32` (x, y, 1 = in the picture);
    up `(2,) float32`; category, sleeve, neckline: class or -1 when unknown; presence 0 or 1; and whether the sample
    teaches them: has_mask, has_landmarks (where they lie), has_visible (which there are), has_up.

    Args:
        photos: real photos by category, `FOLDER/NAME.jpg`.
        people: folder with `photos/` and `labels/` of people, for clutter and worn cloth.
        pseudo: folder of pseudo labels of the real photos (`FOLDER-NAME.npz`), written by self-training.
        real, empty: shares of real photos and of pictures without a garment.
        bank_size: photos from which cloth and grounds are cut.
    """

    photos: Sequence[Path]
    people: Path | None = None
    pseudo: Path | None = None
    seed: int = 0
    real: float = 0.25
    empty: float = 0.05
    bank_size: int = 1000

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)
        self.bank: Bank = make_bank(np.random.default_rng(self.seed), self.photos, self.people, most=self.bank_size)
        self.folders: dict[str, list[Path]] = {}
        for path in self.photos:
            self.folders.setdefault(path.parent.name, []).append(path)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, index))
        chance = rng.random()
        if chance < self.real and self.photos:
            return self._photo(rng)
        if chance < self.real + self.empty:
            return packed(render(rng, self.bank, None))
        return packed(render(rng, self.bank, random_category(rng)))

    def _photo(self, rng: np.random.Generator) -> dict[str, Any]:
        names = sorted(self.folders)
        weights = np.sqrt([len(self.folders[name]) for name in names])
        paths = self.folders[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        path = paths[int(rng.integers(len(paths)))]
        label = self.pseudo / f"{path.parent.name}-{path.stem}.npz" if self.pseudo else None
        known = dict(np.load(label)) if label is not None and label.exists() else None
        return real_sample(rng, self.bank, path, known)


def packed(sample: Sample) -> dict[str, Any]:
    """A rendered sample as the dict of arrays that `GarmentSamples` gives."""
    pattern = sample.pattern
    shown = pattern is not None
    return {
        "image": sample.image,
        "mask": sample.mask,
        "landmarks": sample.landmarks,
        "up": sample.up,
        "category": CATEGORIES.index(pattern.category) if pattern else UNKNOWN,
        "sleeve": SLEEVES.index(pattern.sleeve) if pattern else UNKNOWN,
        "neckline": NECKLINES.index(pattern.neckline) if pattern else UNKNOWN,
        "presence": float(shown),
        "has_mask": 1.0,
        "has_landmarks": float(shown),
        "has_visible": float(shown),
        "has_up": float(shown),
    }


def real_sample(
    rng: np.random.Generator, bank: Bank, path: Path, known: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A real photo, turned, mirrored and re-lit, that teaches its category, which way is up and what `known` says.

    `known` are pseudo labels in the photo's pixels: mask `(H, W) uint8`, landmarks `(28, 3)` with 1 = trusted.
    """
    photo = read(path)
    height, width = photo.shape[:2]
    degrees = random_turn(rng)
    across, down = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
    size = (width * across + height * down, width * down + height * across)
    left, top, wide, high = frame(rng, size[0] / size[1], exact=True)
    scale = min(wide / size[0], high / size[1]) * rng.uniform(1.0, 1.25)
    move = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, scale)
    move[:, 2] += ((wide - width) / 2, (high - height) / 2)
    move[:, 2] += rng.normal(0, 0.03, 2) * (wide, high)
    mirrored = rng.random() < 0.5
    if mirrored:
        move = np.array([[-1, 0, wide - 1], [0, 1, 0]]) @ np.vstack([move, (0, 0, 1)])
    reduced = small(photo, 512) if max(photo.shape) > 512 else photo
    shrink = reduced.shape[1] / width
    fine = move.copy()
    fine[:, :2] /= shrink
    picture = cv2.warpAffine(reduced, fine, (wide, high), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    image = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    image[top : top + high, left : left + wide] = photographed(rng, bank, picture.astype(np.uint8))
    category, sleeve = FOLDERS[path.parent.name]
    sample: dict[str, Any] = {
        "image": image,
        "mask": np.zeros((SIDE, SIDE), np.uint8),
        "landmarks": np.zeros((len(Landmark), 3), np.float32),
        "up": up_of(-degrees if mirrored else degrees),
        "category": CATEGORIES.index(category),
        "sleeve": UNKNOWN if sleeve is None else SLEEVES.index(sleeve),
        "neckline": UNKNOWN,
        "presence": 1.0,
        "has_mask": 0.0,
        "has_landmarks": 0.0,
        "has_visible": 0.0,
        "has_up": 1.0,
    }
    if known is not None:
        laid = cv2.warpAffine(known["mask"], move, (wide, high), flags=cv2.INTER_LINEAR)
        sample["mask"][top : top + high, left : left + wide] = laid
        sample["landmarks"] = _carried(known["landmarks"], move, (left, top), mirrored)
        sample["has_mask"] = float(known["mask"].any())
        sample["has_landmarks"] = 1.0
    return sample


def _carried(landmarks: Points, move: Any, corner: tuple[int, int], mirrored: bool) -> Points:
    """Landmarks of a photo after the affine `move` and the letterbox."""
    carried = landmarks.astype(np.float32).copy()
    carried[:, :2] = landmarks[:, :2] @ move[:, :2].T + move[:, 2] + corner
    if mirrored:
        carried = carried[SWAP]
    carried[:, 2] *= ((carried[:, :2] > -2) & (carried[:, :2] < SIDE + 1)).all(axis=1)
    return carried
