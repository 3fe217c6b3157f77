"""Cloth and grounds for rendered garments: swatches of real photos, and woven, printed and plain ones by formula.

Every function takes a generator and gives `(H, W, 3) uint8`; the same state gives the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.errors import ImageError

if TYPE_CHECKING:
    from vestiary.types import Motif, Picture

Field = NDArray[np.float32]
FIELD = 320  # side of the prepared shading fields


@dataclass
class Bank:
    """What pictures are cut from.

    Attributes:
        photos: real photos of single garments: cloth in the middle, ground at the borders.
        streets: other real photos, for clutter and for pictures without a garment.
        worn: swatches of cloth cut from clothes that people wear.
        folds: prepared fold shading, about 1 ± 0.2, `(320, 320) float32`.
        smooth: prepared slow noise, mean 0, deviation 1.
    """

    photos: Sequence[Picture] = ()
    streets: Sequence[Picture] = ()
    worn: Sequence[Picture] = ()
    folds: list[Field] = field(default_factory=list)
    smooth: list[Field] = field(default_factory=list)

    def fold(self, rng: np.random.Generator, width: int, height: int) -> Field:
        """Fold shading of that size, about 1."""
        return _cut(rng, self.folds, width, height)

    def slow(self, rng: np.random.Generator, width: int, height: int) -> Field:
        """Slow noise of that size."""
        return _cut(rng, self.smooth, width, height)


def make_bank(
    rng: np.random.Generator, photos: Sequence[Path] = (), people: Path | None = None, *, most: int = 1000
) -> Bank:
    """The bank of some of these garment photos and, if given, of a folder with `photos/` and `labels/` of people."""
    chosen = [photos[i] for i in rng.permutation(len(photos))[:most]]
    bank = Bank([small(read(path), 320) for path in chosen])
    if people is not None:
        labelled = sorted((people / "labels").glob("*.png"))
        bank.streets, bank.worn = _people(rng, [labelled[i] for i in rng.permutation(len(labelled))[:300]])
    for _ in range(48):
        bank.folds.append(_fold_field(rng))
        bank.smooth.append(_slow_field(rng, int(rng.integers(2, 7))))
    return bank


def read(path: Path) -> Picture:
    """A picture file as `(H, W, 3) uint8` RGB.

    Raises:
        ImageError: it holds no picture.
    """
    data = np.fromfile(path, np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if decoded is None:
        raise ImageError(f"{path} is not a picture.", hint="Take it out of the folder, or replace it.")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8)


def small(image: Picture, side: int) -> Picture:
    """The picture with its long side at most `side`."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _people(rng: np.random.Generator, labels: Sequence[Path]) -> tuple[list[Picture], list[Picture]]:
    streets, worn = [], []
    for path in labels:
        photo = path.parent.parent / "photos" / f"{path.stem}.jpg"
        mask = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if not photo.exists() or mask is None:
            continue
        image = read(photo)
        mask = mask if mask.ndim == 2 else mask[..., 0]
        values, counts = np.unique(mask[mask > 0], return_counts=True)
        largest = values[counts.argmax()] if len(values) else 0
        inside = cv2.distanceTransform((mask == largest).astype(np.uint8), cv2.DIST_L2, 3)
        _, radius, _, (x, y) = cv2.minMaxLoc(inside)
        half = int(radius * 0.7)
        if half > 24 and largest:
            worn.append(image[y - half : y + half, x - half : x + half])
        columns = np.flatnonzero((mask > 0).mean(axis=0) > 0.01)
        if len(columns):
            sides = (image[:, : columns[0]], image[:, columns[-1] + 1 :])
            widest = max(sides, key=lambda part: part.shape[1])
            if widest.shape[1] > 60:
                streets.append(small(widest, 400).copy())
    return streets, worn


def _slow_field(rng: np.random.Generator, cells: int) -> Field:
    noise = cv2.resize(
        rng.normal(0, 1, (cells + 2, cells + 2)).astype(np.float32), (FIELD, FIELD), interpolation=cv2.INTER_CUBIC
    )
    return ((noise - noise.mean()) / (noise.std() + 1e-6)).astype(np.float32)


def _fold_field(rng: np.random.Generator) -> Field:
    """Shading of random folds: ridges along bent lines, lit from one side."""
    y, x = np.mgrid[0:FIELD, 0:FIELD].astype(np.float32) / FIELD
    height = np.zeros((FIELD, FIELD), np.float32)
    bend = [_slow_field(rng, 3) for _ in range(2)]
    main = rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(2, 6))):
        turn = main + rng.normal(0, 0.5)
        waves = rng.uniform(2, 11)
        phase = (
            (np.cos(turn) * x + np.sin(turn) * y) * waves * 6.28 + bend[0] * rng.uniform(0.4, 2.5) + rng.uniform(0, 6)
        )
        ridge = (1 - np.abs(np.sin(phase / 2))) ** rng.uniform(1, 4)
        height += ridge * np.clip(bend[1] + rng.normal(0.3, 0.7), 0, 2) / waves
    slope_x, slope_y = cv2.Sobel(height, cv2.CV_32F, 1, 0), cv2.Sobel(height, cv2.CV_32F, 0, 1)
    light = rng.uniform(0, 6.28)
    shade = cv2.GaussianBlur(np.cos(light) * slope_x + np.sin(light) * slope_y, (0, 0), rng.uniform(0.7, 3.0))
    shade = shade / (shade.std() + 1e-6)
    return (1 + 0.1 * np.clip(shade, -3, 3)).astype(np.float32)


def _cut(rng: np.random.Generator, fields: Sequence[Field], width: int, height: int) -> Field:
    whole = fields[int(rng.integers(len(fields)))]
    whole = whole[:: int(rng.choice([1, -1])), :: int(rng.choice([1, -1]))]
    if rng.random() < 0.5:
        whole = whole.T
    share = rng.uniform(0.5, 1.0)
    w, h = int(FIELD * share), int(FIELD * share)
    x, y = int(rng.integers(FIELD - w + 1)), int(rng.integers(FIELD - h + 1))
    return cv2.resize(np.ascontiguousarray(whole[y : y + h, x : x + w]), (width, height)).astype(np.float32)


def colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """A colour that clothes have: black, white, grey, denim, muted or bright."""
    kind = rng.choice(5, p=[0.16, 0.16, 0.13, 0.13, 0.42])
    if kind == 0:
        base = rng.uniform(12, 55) + rng.normal(0, 5, 3)
    elif kind == 1:
        base = rng.uniform(205, 250) + rng.normal(0, 5, 3)
    elif kind == 2:
        base = rng.uniform(55, 205) + rng.normal(0, 8, 3)
    elif kind == 3:
        base = np.array([60, 80, 115]) * rng.uniform(0.4, 1.8) + rng.normal(0, 6, 3)
    else:
        hue = np.array([[[rng.uniform(0, 180), rng.uniform(40, 235), rng.uniform(40, 250)]]]).astype(np.uint8)
        base = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].astype(float)
    return np.clip(base, 4, 252).astype(np.float32)


def swatch(rng: np.random.Generator, source: Picture, width: int, height: int, *, zoom: float = 1.0) -> Picture:
    """The source turned and mirrored over and over until it fills that size."""
    h, w = source.shape[:2]
    scale = zoom * rng.uniform(0.7, 1.7) * max(1.0, 90 / min(h, w))
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(0, 360), scale)
    turn[:, 2] += (width / 2 - w / 2, height / 2 - h / 2)
    turned = cv2.warpAffine(source, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return turned.astype(np.uint8)


def cloth(rng: np.random.Generator, bank: Bank, width: int, height: int) -> Picture:
    """A cloth of that size: cut from a real garment, or plain, striped, checked, dotted, printed or mottled."""
    return named_cloth(rng, bank, width, height)[0]


def named_cloth(rng: np.random.Generator, bank: Bank, width: int, height: int) -> tuple[Picture, Motif | None]:
    """A cloth as `cloth` gives it, and its pattern where that is known: not of cloth cut from a photo."""
    if bank.photos and rng.random() < 0.5:
        source = _cloth_of(rng, bank)
        image = swatch(rng, source, width, height)
        return (recoloured(rng, image) if rng.random() < 0.6 else image), None
    return formula(rng, bank, width, height)


def _cloth_of(rng: np.random.Generator, bank: Bank) -> Picture:
    if bank.worn and rng.random() < 0.25:
        return bank.worn[int(rng.integers(len(bank.worn)))]
    photo = bank.photos[int(rng.integers(len(bank.photos)))]
    h, w = photo.shape[:2]
    x, y = int(w * rng.uniform(0.34, 0.42)), int(h * rng.uniform(0.3, 0.42))
    return photo[y : y + int(h * 0.28), x : x + int(w * 0.26)]


MOTIF_OF: dict[str, Motif] = {"plain": "plain", "mottled": "plain", "stripes": "striped", "checks": "checked"}
MOTIF_OF |= {"dots": "dotted", "print": "other", "flowers": "floral"}
CHANCES = {"plain": 0.46, "stripes": 0.14, "checks": 0.12, "dots": 0.06, "print": 0.07, "mottled": 0.08}
CHANCES |= {"flowers": 0.07}


def formula(rng: np.random.Generator, bank: Bank, width: int, height: int) -> tuple[Picture, Motif]:
    """A cloth without a photo, and its pattern."""
    first, second = colour(rng), colour(rng)
    kind = str(rng.choice(list(CHANCES), p=list(CHANCES.values())))
    image = first + (second - first) * _share(rng, bank, kind, width, height)[..., None]
    if kind == "flowers":
        image = _flowers(rng, first, second, width, height)
    if rng.random() < 0.5:
        image = image + rng.normal(0, rng.uniform(1, 7), (height, width, 1)).astype(np.float32)
    apart = float(np.abs(second - first).max()) > 30
    return np.clip(image, 0, 255).astype(np.uint8), MOTIF_OF[kind] if apart else "plain"


def _share(rng: np.random.Generator, bank: Bank, kind: str, width: int, height: int) -> Field:
    """`(height, width) float32`: how much of the second colour there is, 0..1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = rng.normal(0, 0.15) + rng.choice([0, np.pi / 2, rng.uniform(0, 3.1)], p=[0.45, 0.45, 0.1])
    along = np.cos(turn) * x + np.sin(turn) * y + bank.slow(rng, width, height) * rng.uniform(0, 4)
    across = -np.sin(turn) * x + np.cos(turn) * y
    period = rng.uniform(4, 45)
    share = np.zeros((height, width), np.float32)
    if kind == "stripes":
        share = np.mod(along, period) < period * rng.uniform(0.15, 0.6)
    elif kind == "checks":
        width_share = rng.uniform(0.3, 0.6)
        both = [(np.mod(axis, period) < period * width_share).astype(np.float32) for axis in (along, across)]
        share = (both[0] + both[1]) / 2
    elif kind == "dots":
        odd = (np.floor(across / period) % 2) * period / 2
        share = np.hypot(np.mod(along + odd, period) - period / 2, np.mod(across, period) - period / 2)
        share = share < period * rng.uniform(0.15, 0.4)
    elif kind == "print":
        share = bank.slow(rng, width // 3 + 1, height // 3 + 1)
        tiles = int(rng.integers(1, 4))
        share = cv2.resize(np.tile(share, (tiles, tiles)), (width, height)) > rng.uniform(-0.5, 1.0)
    elif kind == "mottled":
        share = cv2.resize(rng.random((height // 2, width // 2), np.float32), (width, height)) * rng.uniform(0.2, 0.7)
    return np.asarray(share, np.float32)


def _flowers(
    rng: np.random.Generator, first: NDArray[np.float32], second: NDArray[np.float32], width: int, height: int
) -> NDArray[np.float32]:
    """Scattered blossoms of five or six petals with leaves."""
    image = np.empty((height, width, 3), np.float32)
    image[:] = first
    size = float(rng.uniform(3, 12))
    leaf, heart = colour(rng), colour(rng)
    petals = int(rng.integers(5, 7))
    for _ in range(int(min(260, width * height / (size * size * rng.uniform(8, 25))))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        turn, large = rng.uniform(0, 6.28), size * rng.uniform(0.6, 1.3)
        if rng.random() < 0.7:
            end = (int(x + 2 * large * np.cos(turn)), int(y + 2 * large * np.sin(turn)))
            axes = (max(1, int(large)), max(1, int(large / 3)))
            cv2.ellipse(image, end, axes, np.rad2deg(turn), 0, 360, leaf.tolist(), -1)
        for k in range(petals):
            angle = turn + 6.283 * k / petals
            place = (int(x + large * 0.7 * np.cos(angle)), int(y + large * 0.7 * np.sin(angle)))
            cv2.circle(image, place, max(1, int(large * 0.5)), second.tolist(), -1)
        cv2.circle(image, (int(x), int(y)), max(1, int(large * 0.35)), heart.tolist(), -1)
    return image


def recoloured(rng: np.random.Generator, image: Picture) -> Picture:
    """The same cloth in other dye: channels stretched, sometimes exchanged."""
    if rng.random() < 0.4:
        image = image[..., rng.permutation(3)]
    table = np.empty((256, 3), np.float32)
    for channel in range(3):
        table[:, channel] = 255 * (np.arange(256) / 255) ** rng.uniform(0.55, 1.7) * rng.uniform(0.75, 1.1)
    return cv2.LUT(np.ascontiguousarray(image), np.clip(table, 0, 255).astype(np.uint8)[:, None, :]).astype(np.uint8)


def ground(rng: np.random.Generator, bank: Bank, width: int, height: int) -> Picture:
    """What a garment lies on or hangs before: real floors and beds, studio plain, planks, tiles, other cloth."""
    kind = rng.choice(["border", "studio", "planks", "cloth", "street"], p=[0.5, 0.22, 0.08, 0.14, 0.06])
    if kind == "border" and bank.photos:
        return _border(rng, bank, width, height)
    if kind == "street" and bank.streets:
        return swatch(rng, bank.streets[int(rng.integers(len(bank.streets)))], width, height, zoom=1.5)
    if kind == "cloth":
        return shaded(cloth(rng, bank, width, height), bank.fold(rng, width, height), rng.uniform(0.2, 1.2))
    if kind == "planks":
        return _planks(rng, bank, width, height)
    return _studio(rng, bank, width, height)


def shaded(image: Picture, shade: Field, amount: float = 1.0) -> Picture:
    """The picture times a shading about 1."""
    return np.clip(image * (1 + (shade - 1) * amount)[..., None], 0, 255).astype(np.uint8)


def _border(rng: np.random.Generator, bank: Bank, width: int, height: int) -> Picture:
    photo = bank.photos[int(rng.integers(len(bank.photos)))]
    h, w = photo.shape[:2]
    part_h, part_w = int(h * rng.uniform(0.12, 0.2)), int(w * rng.uniform(0.12, 0.24))
    x, y = int(rng.choice([0, w - part_w])), int(rng.choice([0, h - part_h]))
    image = swatch(rng, photo[y : y + part_h, x : x + part_w], width, height, zoom=0.9)
    if rng.random() < 0.3:
        image = recoloured(rng, image)
    if rng.random() < 0.3:
        image = shaded(image, bank.fold(rng, width, height), rng.uniform(0.1, 0.9))
    return image


def _studio(rng: np.random.Generator, bank: Bank, width: int, height: int) -> Picture:
    base = rng.uniform(225, 255) + rng.normal(0, 2, 3) if rng.random() < 0.6 else colour(rng)
    slope = bank.slow(rng, width, height) * rng.choice([0.0, rng.uniform(0, 12)])
    image = base + slope[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _planks(rng: np.random.Generator, bank: Bank, width: int, height: int) -> Picture:
    """A floor of planks or tiles."""
    base = np.array([170, 130, 90]) * rng.uniform(0.5, 1.3) + rng.normal(0, 15, 3)
    if rng.random() < 0.4:
        base = rng.uniform(120, 230) + rng.normal(0, 8, 3)
    image = np.full((height, width, 3), np.clip(base, 10, 250), np.float32)
    long, wide = float(max(width, height)), rng.uniform(14, 70)
    square = rng.random() < 0.4
    for row in np.arange(-long, 2 * long, wide):
        start = rng.uniform(0, wide * 4)
        for column in np.arange(-long - start, 2 * long, wide if square else wide * rng.uniform(4, 8)):
            corner = (int(column), int(row))
            other = (int(column + wide * 8), int(row + wide))
            cv2.rectangle(image, corner, other, (base * rng.uniform(0.88, 1.1)).tolist(), -1)
            cv2.rectangle(image, corner, other, (base * 0.65).tolist(), 1)
    grain = cv2.resize(rng.normal(0, 6, (height, max(2, width // 12))).astype(np.float32), (width, height))
    return swatch(rng, np.clip(image + grain[..., None], 0, 255).astype(np.uint8), width, height)
