"""How well garments are read, judged on real photos that were labelled by eye.

The labels are in `garment_labels.json` (landmarks with visibility, cut-out polygons, words; scheme in
`docs/data/landmarks.md`). Everything goes through `read_garment`, as a user's photo does. Intervals are percentile
bootstrap intervals over photos (Efron, 1979).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from vestiary.errors import DatasetError, GarmentError, PersonError
from vestiary.evaluation.statistics import DRAWS, LEVEL, wilson
from vestiary.types import Landmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Category, Garment, Mask, Reader

    Floats = NDArray[np.floating[Any]]

LABELS = Path(__file__).with_name("garment_labels.json")
WORDS = ("category", "sleeve", "neckline", "pattern", "length")
Label = dict[str, Any]


@dataclass
class Errors:
    """The landmark errors of one photo as shares of the garment's diagonal; 1 for one that was not found at all.

    Attributes:
        category: as labelled.
        by_mark: error by landmark.
        iou: of the cut-out.
    """

    photo: str
    category: str
    by_mark: dict[Landmark, float] = field(default_factory=dict)
    iou: float = 0.0


def evaluate_landmarks(
    data: Path, *, labels: Path = LABELS, reader: Reader = "network", limit: int | None = None
) -> dict[str, Any]:
    """Landmark errors and cut-out overlap on the labelled photos, with the category given and guessed.

    Args:
        data: folder of the photos, `FOLDER/NAME.jpg`.
        labels: JSON file of labelled photos.
        reader: as for `read_garment`.
        limit: only so many photos.

    Returns:
        For "given" and "guessed": `median`, `mean` (with intervals), `pck3` and `pck6` (shares within 3 and 6 %),
        `iou_mean`, `iou_median`, `iou_95` (share of photos at 0.95 or more), `by_category`, `by_landmark`; and the
        photos with the largest errors.

    Raises:
        DatasetError: labels or photos are not there.
    """
    from vestiary.api import read_garment

    found: dict[str, list[Errors]] = {"given": [], "guessed": []}
    failed: list[str] = []
    for label in read_labels(data, labels)[:limit]:
        photo, kind = data / label["photo"], cast("Category", label["category"])
        garment: Garment | None = None
        for way in ("guessed", "given"):
            if way == "guessed" or garment is None or garment.category != kind:
                try:
                    garment = read_garment(photo, category=kind if way == "given" else None, reader=reader)
                except (GarmentError, PersonError):
                    garment = None
                    failed.append(f"{label['photo']} ({way})")
            found[way].append(errors_of(garment, label, photo))
    summary: dict[str, Any] = {way: summarize(errors) for way, errors in found.items()}
    worst = sorted(found["given"], key=lambda errors: errors.iou)[:10]
    return {
        "photos": len(found["given"]),
        "reader": reader,
        **summary,
        "not_read": failed,
        "worst_cutouts": [{"photo": errors.photo, "iou": round(errors.iou, 4)} for errors in worst],
    }


def read_labels(data: Path, labels: Path = LABELS) -> list[Label]:
    """The labelled photos, those first that come first in the file.

    Raises:
        DatasetError: no labels, or a photo is missing.
    """
    if not labels.is_file():
        raise DatasetError(f"there are no labels at {labels}.", hint="Reinstall the package, or hand in a file.")
    found: list[Label] = json.loads(labels.read_text(encoding="utf-8"))["photos"]
    missing = [label["photo"] for label in found if not (data / label["photo"]).is_file()]
    if missing:
        hint = "Hand in the folder that holds dress/, longsleeve/, outwear/, pants/, shirt/, shorts/, skirt/, t-shirt/."
        raise DatasetError(f"{data} lacks {len(missing)} of the labelled photos, such as {missing[0]}.", hint=hint)
    return found


def errors_of(garment: Garment | None, label: Label, photo: Path) -> Errors:
    """What is off in one garment, measured in the upright picture; all is off when nothing was read."""
    result = Errors(label["photo"], label["category"])
    wanted = {Landmark[name]: place[:2] for name, place in label["landmarks"].items() if place[2] > 0}
    if garment is None:
        result.by_mark = dict.fromkeys(wanted, 1.0)
        return result
    from vestiary.garment.upright import turning

    shape = _shape_of(photo)
    move, size = turning(shape, garment.turned)
    mask = cv2.warpAffine(draw_mask(label, shape), move, size, flags=cv2.INTER_NEAREST)
    inside, cut = mask > 0, garment.alpha > 127
    if inside.shape != cut.shape:
        raise DatasetError(f"{photo} is not of the size that its labels were made on.")
    result.iou = float((inside & cut).sum() / max(1, (inside | cut).sum()))
    _, _, width, height = cv2.boundingRect(mask)
    for mark, place in wanted.items():
        where = move @ (*place, 1.0)
        x, y, sure = garment.landmarks[mark]
        off = float(np.hypot(x - where[0], y - where[1]) / np.hypot(width, height))
        result.by_mark[mark] = min(off, 1.0) if sure > 0 else 1.0
    return result


def draw_mask(label: Label, shape: tuple[int, int]) -> Mask:
    """`(H, W) uint8` of the labelled polygons, 255 inside; the holes are cut out again."""
    mask = np.zeros(shape, np.uint8)
    for value, name in ((255, "mask"), (0, "holes")):
        for polygon in label.get(name, ()):
            cv2.fillPoly(mask, [np.rint(np.array(polygon)).astype(np.int32)], value)
    return mask


def summarize(every: Sequence[Errors]) -> dict[str, Any]:
    """The figures of `evaluate_landmarks` for one way of reading."""
    overlaps = [np.array([errors.iou]) for errors in every]
    marks = [np.array(list(errors.by_mark.values())) for errors in every]
    groups = sorted({errors.category for errors in every})
    names = sorted({_stem(mark) for errors in every for mark in errors.by_mark})
    return {
        **_error_figures(marks),
        "iou_mean": interval(overlaps, np.mean),
        "iou_median": interval(overlaps, np.median),
        "iou_95": interval(overlaps, lambda values: float((values >= 0.95).mean())),
        "by_category": {
            name: {
                **_error_figures([m for m, errors in zip(marks, every, strict=True) if errors.category == name]),
                "iou_mean": interval([np.array([e.iou]) for e in every if e.category == name], np.mean),
            }
            for name in groups
        },
        "by_landmark": {
            name: _error_figures(
                [np.array([off for mark, off in e.by_mark.items() if _stem(mark) == name]) for e in every]
            )
            for name in names
        },
    }


def _stem(mark: Landmark) -> str:
    return mark.name.removesuffix("_LEFT").removesuffix("_RIGHT").lower()


def _error_figures(by_photo: Sequence[Floats]) -> dict[str, Any]:
    return {
        "median": interval(by_photo, np.median),
        "mean": interval(by_photo, np.mean),
        "pck3": interval(by_photo, lambda values: float((values <= 0.03).mean())),
        "pck6": interval(by_photo, lambda values: float((values <= 0.06).mean())),
        "landmarks": sum(len(values) for values in by_photo),
    }


def interval(by_photo: Sequence[Floats], figure: Callable[[Any], Any], *, draws: int = DRAWS // 4) -> dict[str, Any]:
    """A figure of all the values together with its 95 % bootstrap interval over the photos."""
    kept = [values for values in by_photo if len(values)]
    if not kept:
        return {"value": None, "low": None, "high": None}
    whole = float(figure(np.concatenate(kept)))
    rng = np.random.default_rng(0)
    drawn = [
        float(figure(np.concatenate([kept[i] for i in rng.integers(0, len(kept), len(kept))]))) for _ in range(draws)
    ]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": round(whole, 5), "low": round(float(low), 5), "high": round(float(high), 5)}


def evaluate_attributes(
    data: Path, *, labels: Path = LABELS, reader: Reader = "network", words: bool = True, limit: int | None = None
) -> dict[str, Any]:
    """How often words are right: on the labelled photos, and category and sleeve on all held-out photos.

    Args:
        data: folder of photos, `t-shirt/NAME.jpg` and so on.
        labels: JSON file of labelled photos.
        reader, words: as for `read_garment`.
        limit: only so many photos of each kind, spread evenly.

    Returns:
        `labelled`: the share right of each attribute with its Wilson interval; `colour` counts as right when the main
        colour is among the labelled ones. `held_out`: plain and balanced (mean over the folders) shares of category,
        share of sleeve, `confusion[folder][category]`; and `search`: how often the photo of the same folder is nearest.

    Raises:
        DatasetError: labels or photos are not there.
    """
    from vestiary.training.garments import FOLDERS, list_photos

    photos = _spread(list_photos(data, validation=True), limit)
    if not photos:
        raise DatasetError(f"{data} holds no photos by folder.", hint=f"It should hold {', '.join(FOLDERS)}.")
    wanted = {label["photo"]: label for label in read_labels(data, labels)}
    if limit is not None:
        wanted = dict(list(wanted.items())[:limit])
    paths = dict.fromkeys([*photos, *(data / name for name in wanted)])
    read = {path: _read(path, reader, words) for path in paths}
    named = [(label, read[data / name]) for name, label in wanted.items()]
    return {
        "labelled": {"photos": len(named), **_words_right(named), "colour": _colours_right(named)},
        "held_out": _by_folder([(path, read[path]) for path in photos]),
        "search": _search([(path.parent.name, read[path]) for path in photos]),
        "reader": reader,
        "words": words,
    }


def _spread(photos: list[Path], limit: int | None) -> list[Path]:
    return photos if limit is None else photos[:: max(1, len(photos) // limit)][:limit]


def _read(path: Path, reader: Reader, words: bool) -> Garment | None:
    from vestiary.api import read_garment

    try:
        return read_garment(path, reader=reader, words=words)
    except (GarmentError, PersonError):
        return None


def _words_right(named: Iterable[tuple[Label, Garment | None]]) -> dict[str, Any]:
    hits: dict[str, list[bool]] = {name: [] for name in WORDS}
    for label, garment in named:
        for name in WORDS:
            if label.get(name) is not None:
                hits[name].append(garment is not None and getattr(garment, name) == label[name])
    return {name: _share(right) for name, right in hits.items()}


def _colours_right(named: Iterable[tuple[Label, Garment | None]]) -> dict[str, Any]:
    right = []
    for label, garment in named:
        asked = label.get("colour") or []
        asked = [asked] if isinstance(asked, str) else asked
        if asked:
            right.append(garment is not None and bool(garment.colour_names) and garment.colour_names[0] in asked)
    return _share(right)


def _share(right: Sequence[bool]) -> dict[str, Any]:
    return wilson(sum(right), len(right)).as_dict()


def _by_folder(read: Sequence[tuple[Path, Garment | None]]) -> dict[str, Any]:
    from vestiary.training.garments import FOLDERS

    confusion: dict[str, dict[str, int]] = {}
    right: dict[str, list[bool]] = {}
    sleeves = []
    for path, garment in read:
        folder = path.parent.name
        category, sleeve = FOLDERS[folder]
        seen = "none" if garment is None else garment.category
        row = confusion.setdefault(folder, {})
        row[seen] = row.get(seen, 0) + 1
        right.setdefault(folder, []).append(seen == category)
        if sleeve is not None:
            sleeves.append(garment is not None and garment.sleeve == sleeve)
    return {
        "photos": len(read),
        "category": _share([hit for hits in right.values() for hit in hits]),
        "category_balanced": float(np.mean([np.mean(hits) for hits in right.values()])),
        "category_by_folder": {folder: _share(hits) for folder, hits in right.items()},
        "sleeve": _share(sleeves),
        "confusion": confusion,
    }


def _search(read: Sequence[tuple[str, Garment | None]]) -> dict[str, Any]:
    """How often the nearest other photo, or one of the five nearest, is of the same folder."""
    known = [(folder, garment.embedding) for folder, garment in read if garment and garment.embedding is not None]
    if len(known) < 6:
        return {}
    vectors = np.stack([vector for _, vector in known])
    near = vectors @ vectors.T
    np.fill_diagonal(near, -2)
    order = np.argsort(-near, axis=1)[:, :5]
    same = np.array([[known[j][0] == folder for j in row] for (folder, _), row in zip(known, order, strict=True)])
    return {"same_folder_at_1": float(same[:, 0].mean()), "same_folder_at_5": float(same.any(1).mean())}


def _shape_of(photo: Path) -> tuple[int, int]:
    from vestiary.images import open_picture

    height, width = open_picture(photo).image.shape[:2]
    return height, width
