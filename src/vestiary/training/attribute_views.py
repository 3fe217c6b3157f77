"""What the attribute network is trained on: two views of one garment, rendered or real, cut out or on its ground.

A sample is a pure function of the seed and its number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.garment.describe import neutral_ground
from vestiary.networks.sizes import ATTRIBUTE_CLASSES, ATTRIBUTE_SIDE
from vestiary.training.camera import photographed
from vestiary.training.cloth import Bank, colour, ground, make_bank, read, small
from vestiary.training.garments import FOLDERS, list_photos
from vestiary.training.synthetic import random_category, render
from vestiary.types import UPPER

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

UNKNOWN = -1
SIGHT = 288  # long side of the copy from which views are cut
GREY = 127
Words = dict[str, str]


@dataclass
class Views:
    """Samples `{image: (2, 192, 192, 3) uint8, real: 0 or 1, category …: class or -1}`; `views[i]` is a pure function.

    Every folder of photos is drawn from equally often.

    Args:
        photos: photos by folder, `FOLDER/NAME.jpg`.
        cutouts: folder of their masks, `FOLDER-NAME.png`, as `write_cutouts` leaves it.
        labels: more words for some photos, by `FOLDER/NAME.jpg`.
        length: how many samples there are before they would repeat.
        rendered: share of rendered garments.
        labelled: share of the photos that are drawn from those with more words.
    """

    photos: Sequence[Path]
    cutouts: Path
    labels: Mapping[str, Words] = field(default_factory=dict)
    seed: int = 0
    length: int = 100_000
    rendered: float = 0.25
    labelled: float = 0.3
    bank_size: int = 300

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)
        self.bank: Bank = make_bank(np.random.default_rng(self.seed), self.photos, most=self.bank_size)
        self.folders: dict[str, list[Path]] = {}
        for path in self.photos:
            self.folders.setdefault(path.parent.name, []).append(path)
        self.known = {
            name: [path for path in paths if key_of(path) in self.labels] for name, paths in self.folders.items()
        }

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, index))
        if not self.photos or rng.random() < self.rendered:
            return self._rendered(rng)
        return self._photo(rng)

    def _rendered(self, rng: np.random.Generator) -> dict[str, Any]:
        shown = render(rng, self.bank, random_category(rng))
        pattern = shown.pattern
        if pattern is None:
            raise AssertionError("a garment was asked for")
        words: Words = {"category": pattern.category, "sleeve": pattern.sleeve, "neckline": pattern.neckline}
        words |= {name: pattern.attributes[name] for name in ("pattern", "length")}
        lean = float(np.rad2deg(np.arctan2(shown.up[0], -shown.up[1])))
        return self._packed(rng, shown.image, shown.mask, words, 0.0, lean)

    def _photo(self, rng: np.random.Generator) -> dict[str, Any]:
        names = sorted(self.folders)
        name = names[int(rng.integers(len(names)))]
        paths = self.folders[name]
        if self.known[name] and rng.random() < self.labelled:
            paths = self.known[name]
        path = paths[int(rng.integers(len(paths)))]
        picture, mask = load(path, self.cutouts)
        return self._packed(rng, picture, mask, words_of(path, self.labels), 1.0)

    def _packed(
        self, rng: np.random.Generator, picture: Picture, mask: Mask, words: Words, real: float, lean: float = 0.0
    ) -> dict[str, Any]:
        views = np.stack([random_view(rng, self.bank, picture, mask, lean) for _ in range(2)])
        return {"image": views, "real": real, **classes(words)}


def key_of(path: Path) -> str:
    """`FOLDER/NAME.jpg`."""
    return f"{path.parent.name}/{path.name}"


def words_of(path: Path, labels: Mapping[str, Words]) -> Words:
    """What is known of a photo: from its folder, and from its labels."""
    category, sleeve = FOLDERS[path.parent.name]
    words: Words = {"category": category}
    if category not in UPPER:
        words |= {"sleeve": "none", "neckline": "none"}
    elif sleeve is not None:
        words["sleeve"] = sleeve
    return {**words, **labels.get(key_of(path), {})}


def classes(words: Words) -> dict[str, int]:
    """The number of each attribute's word, -1 where it is not known."""
    return {
        name: every.index(words[name]) if words.get(name) in every else UNKNOWN
        for name, every in ATTRIBUTE_CLASSES.items()
    }


def load(path: Path, cutouts: Path) -> tuple[Picture, Mask]:
    """A photo, reduced, and its mask."""
    picture = small(read(path), SIGHT)
    mask = cv2.imread(str(cutouts / f"{path.parent.name}-{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise FileNotFoundError(f"{cutouts} holds no mask of {key_of(path)}")
    return picture, cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def random_view(rng: np.random.Generator, bank: Bank, picture: Picture, mask: Mask, lean: float = 0.0) -> Picture:
    """`(192, 192, 3) uint8`: the garment nearly upright, filling the square more or less, cut out or not.

    `lean` is how many degrees it is turned clockwise in the picture.
    """
    side = ATTRIBUTE_SIDE
    move = _framing(rng, mask, lean)
    grey = (GREY, GREY, GREY)
    laid = cv2.warpAffine(picture, move, (side, side), flags=cv2.INTER_LINEAR, borderValue=grey).astype(np.uint8)
    if rng.random() < 0.6:
        alpha = cv2.warpAffine(mask, move, (side, side), flags=cv2.INTER_LINEAR)
        alpha = _uncertain(rng, alpha.astype(np.uint8))
        below = _neutral(rng, laid, alpha) if rng.random() < 0.75 else ground(rng, bank, side, side)
        share = alpha[..., None].astype(np.float32) / 255
        laid = np.clip(laid * share + below * (1 - share), 0, 255).astype(np.uint8)
    laid = photographed(rng, bank, laid)
    if rng.random() < 0.2:
        x, y = rng.integers(0, side, 2)
        wide, high = rng.integers(10, 60, 2)
        laid[y : y + high, x : x + wide] = colour(rng).astype(np.uint8)
    return laid


def _framing(rng: np.random.Generator, mask: Mask, lean: float) -> Any:
    """The affine map of the garment's box, turned and scaled a little, into the square."""
    side = ATTRIBUTE_SIDE
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    if width * height < 400:
        height, width = mask.shape
        x = y = 0
    degrees = lean + (rng.normal(0, 5) if rng.random() < 0.85 else rng.uniform(-25, 25))
    scale = side / max(width, height) * (rng.uniform(0.82, 1.0) if rng.random() < 0.75 else rng.uniform(0.6, 1.25))
    move = cv2.getRotationMatrix2D((x + width / 2, y + height / 2), degrees, scale)
    stretch = np.diag([rng.uniform(0.92, 1.08), 1.0]) @ (np.eye(2) + rng.normal(0, 0.025, (2, 2)))
    if rng.random() < 0.5:
        stretch = np.diag([-1.0, 1.0]) @ stretch
    centre = np.array([x + width / 2, y + height / 2])
    linear = stretch @ move[:, :2]
    shift = side / 2 + rng.normal(0, 0.025, 2) * side - linear @ centre
    return np.column_stack([linear, shift])


def _uncertain(rng: np.random.Generator, mask: Mask) -> Mask:
    """The mask a little larger or smaller, sharper or softer, as cut-outs are."""
    soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 2.5))).astype(np.float32) / 255
    sharp = np.clip((soft - rng.uniform(0.25, 0.75)) * rng.uniform(2, 8) + 0.5, 0, 1)
    return np.asarray(np.rint(sharp * 255), np.uint8)


def _neutral(rng: np.random.Generator, picture: Picture, mask: Mask) -> Any:
    """A plain grey, by chance or lighter or darker than the garment, as at run time."""
    if rng.random() < 0.5:
        return np.full(3, rng.uniform(20, 255), np.float32)
    inside = picture[mask > 127]
    return np.full(3, neutral_ground(float(inside.mean()) if len(inside) else GREY), np.float32)


def write_cutouts(photos: Sequence[Path], folder: Path) -> int:
    """Masks of the photos by the shipped garment network, `FOLDER-NAME.png`; how many were written anew."""
    from vestiary.garment.network import look_once

    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in photos:
        target = folder / f"{path.parent.name}-{path.stem}.png"
        if not target.exists():
            cv2.imwrite(str(target), look_once(small(read(path), SIGHT)).mask)
            count += 1
    return count


def load_labels(path: Path | None) -> dict[str, Words]:
    """Words by photo from a JSON file; nothing without one."""
    if path is None or not path.exists():
        return {}
    found: dict[str, Words] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_photos(path: Path | None) -> list[str]:
    """`FOLDER/NAME.jpg` of the photos that a file of hand labels names."""
    if path is None or not path.exists():
        return []
    return [str(entry["photo"]) for entry in json.loads(path.read_text(encoding="utf-8"))["photos"]]


def training_photos(garments: Path, without: Sequence[str] = ()) -> list[Path]:
    """The photos that may be trained on: not held out, and none that a test has labels of."""
    barred = set(without)
    return [path for path in list_photos(garments) if key_of(path) not in barred]
