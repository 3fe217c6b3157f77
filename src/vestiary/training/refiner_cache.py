"""Work out the refiner's pairs once and keep them, so that training only reads:

    python -m vestiary.training.refiner_cache --people DIR --garments DIR -o cache --minutes 20

Each photo is scanned and taken apart a few times (see `disturb`). A pair is one file: working picture, target and
valid mask as the channels of one `uint8` array. Photos whose number is divisible by 10 go to `held/`, the rest to
`train/`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import vestiary
from vestiary.engines.embedded import cut_to, window_of
from vestiary.fitting import body, light
from vestiary.training.disturb import make_pair
from vestiary.types import Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

UNIT = 60.0  # pixels of a kept pair to the shoulder unit: more than the network's, for varying the scale


def main() -> int:
    """Fill the cache; goes on where it stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True, help="folder of person photos, NUMBER.jpg")
    parser.add_argument("--garments", type=Path, required=True, help="folder of garment photos in folders by category")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0, help="stop after so long")
    parser.add_argument("--pairs", type=int, default=5, help="per photo")
    parser.add_argument("--held", action="store_true", help="the photos that are held back, instead of the others")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    started, tiles = time.monotonic(), load_tiles(wanted.garments, held=wanted.held)
    folder = wanted.output / ("held" if wanted.held else "train")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(wanted.seed)
    photos = [p for p in sorted(wanted.people.glob("*.jpg")) if (int(p.stem) % 10 == 0) == wanted.held]
    foreign: F32 | None = None
    for path in (photos[i] for i in rng.permutation(len(photos))):
        if time.monotonic() - started > 60 * wanted.minutes:
            break
        if list(folder.glob(f"{path.stem}-*.npy")):
            continue
        try:
            foreign = keep(path, folder, tiles, wanted.pairs, foreign)
        except vestiary.VestiaryError:
            continue
    print(f"{len(list(folder.glob('*.npy')))} pairs in {folder}")
    return 0


def keep(
    path: Path, folder: Path, tiles: list[U8], count: int, foreign: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Write a photo's pairs; what light falls on this person, for the next."""
    scan = vestiary.scan_person(path)
    near = cut_to(scan, window_of(scan))
    near = shrunk(near, min(1.0, UNIT / body.measure(near).unit))
    shape = body.measure(near)
    own = light.old_light(near, shape)
    for number in range(count):
        rng = np.random.default_rng([int(path.stem), number])
        other = own if foreign is None else cv2.resize(foreign, own.shape[::-1])
        share, strength = rng.uniform(0, 1) ** 0.7, rng.uniform(0.5, 1.0)
        mixed = (strength * (share * other + (1 - share) * own)).astype(np.float32)
        pair = make_pair(near, shape, mixed, tiles, rng, UNIT)
        if pair is not None:
            np.save(folder / f"{path.stem}-{number}.npy", np.dstack([pair.working, pair.target, pair.valid]))
    return own


def shrunk(person: Person, scale: float) -> Person:
    """The scan as if of a smaller photo."""
    height, width = person.silhouette.shape
    size = (round(width * scale), round(height * scale))
    factors = np.array([scale, scale, scale, 1], np.float32)
    return replace(
        person,
        image=cv2.resize(person.image, size, interpolation=cv2.INTER_AREA),
        silhouette=cv2.resize(person.silhouette, size, interpolation=cv2.INTER_AREA),
        parts=cv2.resize(person.parts, size, interpolation=cv2.INTER_NEAREST),
        pose=person.pose * factors,
        keypoints=person.keypoints * np.array([scale, scale, 1], np.float32),
    )


def load_tiles(folder: Path, *, held: bool, limit: int = 400) -> list[U8]:
    """The middles of flat garment photos: real cloth with its own creases, prints and grain."""
    kinds = ("t-shirt", "longsleeve", "shirt", "dress", "skirt")
    paths = [path for kind in kinds for path in sorted((folder / kind).glob("*.jpg"))]
    chosen = [path for i, path in enumerate(paths) if (i % 10 == 0) == held]
    step = max(1, len(chosen) // limit)
    return [tile for path in chosen[::step] for tile in _middle(path)]


def _middle(path: Path) -> Iterator[U8]:
    picture = cv2.imread(str(path))
    if picture is None:
        return
    height, width = picture.shape[:2]
    area = picture[int(0.36 * height) : int(0.66 * height), int(0.34 * width) : int(0.66 * width)]
    yield cv2.cvtColor(area, cv2.COLOR_BGR2RGB)


if __name__ == "__main__":
    raise SystemExit(main())
