"""How well the part parser agrees with hand-made labels, through everything that a scan does.

The folder is laid out as Clothing Co-Parsing is (Yang, Luo & Lin 2014): `photos/ID.jpg`, `labels/ID.png`, `labels.txt`.
Photos whose number is divisible by 10 are scored; the shipped network has not seen them. Each is scored as it is, and
once more cut off a third of the way from hips to knees, the usual frame of a photo for trying on tops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.errors import DatasetError, PersonError
from vestiary.evaluation.statistics import DRAWS, LEVEL
from vestiary.person.parsing import CLASSES
from vestiary.person.presence import find_person
from vestiary.person.scan import find_parts
from vestiary.person.silhouette import find_silhouette
from vestiary.training.augment_people import cut_row
from vestiary.training.people import INDEX, label_names, read_photo, to_classes
from vestiary.types import Part

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points, Reader

Counts = NDArray[np.int64]

# What is compared in reports: these groups count as one class each.
MERGED: dict[str, tuple[str, ...]] = {
    "background": ("background",),
    "hair": ("hair",),
    "skin": ("face", "neck", "arm", "hand", "leg"),
    "top_outerwear": ("top", "outerwear"),
    "trousers_shorts": ("trousers", "shorts"),
    "skirt": ("skirt",),
    "dress": ("dress",),
    "shoes": ("shoes",),
    "bag": ("bag",),
}
UPPER_CUT = 0.35  # of the way from hips to knees
LEAST = 0.0002  # share of all pixels below which a class is too rare to be scored


@dataclass
class Tally:
    """Confusion of classes, `(17, 17)` per photo: how many pixels of class `row` were called class `column`."""

    photos: list[Counts] = field(default_factory=list)

    def add(self, predicted: Mask, target: Mask) -> None:
        """Count one photo."""
        self.photos.append(intersections(predicted, target))

    def summary(self) -> dict[str, Any]:
        """Intersection over union per class and per merged class, their mean with its interval."""
        confusion = np.sum(self.photos, axis=0)
        classes, merged = overlaps(confusion)
        low, high = interval(self.photos, list(merged))
        return {
            "classes": _rounded(classes),
            "merged": _rounded(merged),
            "miou": round(float(np.mean(list(merged.values()))), 4),
            "miou_interval": [round(low, 4), round(high, 4)],
            "top_outerwear": round(merged.get("top_outerwear", float("nan")), 4),
        }


def evaluate_parser(data: Path, limit: int | None = None, *, parser: Reader = "network") -> dict[str, Any]:
    """The agreement of the parts with the labels of the validation photos, as JSON-ready data.

    Args:
        data: folder with `photos/ID.jpg`, `labels/ID.png` and `labels.txt`.
        limit: score so many photos at most, spread over all of them.
        parser: "network", or "rules" for comparison.

    Returns:
        `photos`: how many; `classes` and `merged`: intersection over union by name; `miou`: mean of the merged ones,
        with its 95 % bootstrap interval over photos `miou_interval`; `top_outerwear`; `upper`: the same for the photos
        cut off below the hips; `literal`: the merged ones where rompers and half-hidden dresses are the class "dress"
        as in the labels (see `training.people.to_classes`); `missed`: photos in which nobody was found, all of which
        counts as background.

    Raises:
        DatasetError: the folder is in another layout.
        ImageError: a picture cannot be read; the message names the file.
    """
    names = label_names(data)
    whole, upper, literal, missed = Tally(), Tally(), Tally(), []
    for path in validation_labels(data, limit):
        image, labels = _open(data, path, len(names))
        seen = _pose_and_silhouette(image)
        if seen is None:
            missed.append(path.stem)
        pose = np.zeros((33, 4), np.float32) if seen is None else seen[0]
        classes = to_classes(labels, names, pose)
        parts = to_network_classes(_parts(image, seen, parser))
        whole.add(parts, classes)
        literal.add(parts, to_classes(labels, names, pose, literal=True))
        row = cut_row(pose, len(image), UPPER_CUT)
        top = image[:row]
        upper.add(to_network_classes(_parts(top, _pose_and_silhouette(top), parser)), classes[:row])
    found = whole.summary()
    kept = literal.summary()
    return {
        "photos": len(whole.photos),
        "parser": parser,
        **found,
        "upper": upper.summary(),
        "literal": {key: kept[key] for key in ("merged", "miou", "miou_interval")},
        "missed": missed,
    }


def validation_labels(data: Path, limit: int | None = None) -> list[Path]:
    """The label files whose number is divisible by 10, at most `limit` of them, evenly spread.

    Raises:
        DatasetError: there are none.
    """
    numbered = {int(m[0]): p for p in (data / "labels").glob("*.png") if (m := re.fullmatch(r"\d+", p.stem))}
    paths = [numbered[number] for number in sorted(numbered) if number % 10 == 0]
    if not paths:
        hint = "Label files are called by their number, such as labels/0010.png."
        raise DatasetError(f"{data / 'labels'} holds no label whose number is divisible by 10.", hint=hint)
    if limit is not None and limit < len(paths):
        paths = [paths[int(i)] for i in np.linspace(0, len(paths) - 1, max(limit, 1))]
    return paths


def intersections(predicted: NDArray[Any], target: NDArray[Any], count: int = len(CLASSES)) -> Counts:
    """`(count, count)`: how many pixels of class `row` were called class `column`; other targets are left out."""
    known = target < count
    pairs = target[known].astype(np.int64) * count + predicted[known]
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def overlaps(confusion: Counts) -> tuple[dict[str, float], dict[str, float]]:
    """Intersection over union of the classes that the truth holds, and of the merged ones."""
    present = {name: (name,) for name in CLASSES if confusion[INDEX[name]].sum() > LEAST * confusion.sum()}
    merged = {name: members for name, members in MERGED.items() if set(members) & set(present)}
    return {k: _iou(confusion, m) for k, m in present.items()}, {k: _iou(confusion, m) for k, m in merged.items()}


def _iou(confusion: Counts, members: Sequence[str]) -> float:
    rows = [INDEX[name] for name in members]
    hit = confusion[np.ix_(rows, rows)].sum()
    union = confusion[rows].sum() + confusion[:, rows].sum() - hit
    return float(hit / union) if union else float("nan")


def interval(photos: Sequence[Counts], merged: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval, over photos, of the mean overlap of these merged classes."""
    table = np.stack(photos)
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, len(table), len(table)), minlength=len(table))
        drawn = np.tensordot(times, table, 1)
        means.append(np.nanmean([_iou(drawn, MERGED[name]) for name in merged]))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def to_network_classes(parts: Mask) -> Mask:
    """`(H, W) uint8` of the network's `CLASSES` from `Part` values: sides are not told apart."""
    table = np.zeros(256, np.uint8)
    for part in Part:
        table[part] = INDEX[part.name.lower().removeprefix("left_").removeprefix("right_")]
    return table[parts]


def _open(data: Path, label: Path, count: int) -> tuple[Picture, Mask]:
    photo = data / "photos" / f"{label.stem}.jpg"
    if not photo.is_file():
        raise DatasetError(f"{photo} is missing, but {label.name} is there.", hint="Expected: one photo per label.")
    labels = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
    image = read_photo(photo)
    if labels is None or labels.shape != image.shape[:2] or labels.max() >= count:
        hint = f"Expected: one channel, as large as the photo, with numbers below {count}."
        raise DatasetError(f"{label} is no label map of {photo.name}.", hint=hint)
    return image, np.asarray(labels, np.uint8)


def _pose_and_silhouette(image: Picture) -> tuple[Points, Mask] | None:
    try:
        pose = find_person(image).pose
    except PersonError:
        return None
    return pose.landmarks, find_silhouette(image, pose)


def _parts(image: Picture, seen: tuple[Points, Mask] | None, parser: Reader) -> Mask:
    return np.zeros(image.shape[:2], np.uint8) if seen is None else find_parts(image, *seen, parser=parser)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
