"""DeepFashion-MultiModal (Jiang et al. 2022): 44,096 photos, 12,701 of them whole bodies with hand-made label maps.

`images/X.jpg`, `segm/X_segm.png`, `densepose/X_densepose.png`, `keypoints/keypoints_loc.txt` and `keypoints_vis.txt`
(21 joints), `labels/shape/shape_anno_all.txt`, `labels/texture/fabric_ann.txt` and `pattern_ann.txt`, `captions.json`.
There is no official split: one item in ten (its number divisible by 10) is for validation, with all its photos. The
copy made for Text2Human has `train_images` and `test_images`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from vestiary.datasets.layout import Expected, Layout, Request, Shelf, read_text
from vestiary.datasets.sample import Sample
from vestiary.errors import DatasetError

_ITEM = re.compile(r"id_(\d+)")
SHAPE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sleeve", ("sleeveless", "short", "medium", "long", "not long")),
    ("lower_length", ("three-point", "medium short", "three-quarter", "long")),
    ("socks", ("no", "socks", "leggings")),
    ("hat", ("no", "yes")),
    ("glasses", ("no", "eyeglasses", "sunglasses", "in hand or on clothes")),
    ("neckwear", ("no", "yes")),
    ("wrist_wearing", ("no", "yes")),
    ("ring", ("no", "yes")),
    ("waist", ("no", "belt", "clothing", "hidden")),
    ("neckline", ("v", "square", "round", "standing", "lapel", "suspenders")),
    ("cardigan", ("yes", "no")),
    ("covers_navel", ("no", "yes")),
)
FABRICS = ("denim", "cotton", "leather", "furry", "knitted", "chiffon", "other")
PATTERNS = ("floral", "graphic", "striped", "pure", "lattice", "other", "color block")
_PLACES = ("upper", "lower", "outer")


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The people of a split; there are no photos of garments alone."""
    place = shelf.place(f"{wanted.split}_images", "images", "image")
    if place is None:
        raise DatasetError(f"{shelf.folder} has no images.", hint="Unpack images.zip here.")
    if wanted.split == "test" and place != "test_images":
        hint = 'Take split="validation".'
        raise DatasetError(f"{shelf.folder} has no split 'test'.", hint=hint)
    facts, joints, captions = _attributes(shelf.folder), _joints(shelf.folder), _captions(shelf.folder)
    segm, dense = shelf.place("segm", "parsing"), shelf.place("densepose")
    samples = []
    for name in shelf.pictures(place):
        if place in ("images", "image") and not _in_split(name, wanted.split):
            continue
        stem = name.rpartition(".")[0]
        own = {**facts.get(name, {}), **({"joints": joints[name]} if name in joints else {})}
        whole = f"{stem}_segm.png" in shelf.names(segm or "")  # others were never labelled: not a missing file
        samples.append(
            Sample(
                name=stem,
                person=shelf.folder / place / name,
                parse=shelf.take(segm, f"{stem}_segm.png") if whole else None,
                densepose=shelf.take(dense, f"{stem}_densepose.png"),
                labels="multimodal",
                caption=captions.get(name, ""),
                facts=own,
            )
        )
    return samples


def _in_split(name: str, split: str) -> bool:
    item = _ITEM.search(name)
    held_out = item is not None and int(item[1]) % 10 == 0
    return split == "all" or held_out == (split == "validation")


def _attributes(folder: Path) -> dict[str, dict[str, Any]]:
    """Attributes by file name; those that the photo does not show are left out."""
    facts: dict[str, dict[str, Any]] = {}
    for name, values in _table(folder, "shape", "shape_anno_all.txt", len(SHAPE)):
        facts.setdefault(name, {}).update(
            {key: words[v] for (key, words), v in zip(SHAPE, values, strict=True) if v < len(words)}
        )
    for file, what, words in (("fabric_ann.txt", "fabric", FABRICS), ("pattern_ann.txt", "pattern", PATTERNS)):
        for name, values in _table(folder, "texture", file, 3):
            known = {f"{p}_{what}": words[v] for p, v in zip(_PLACES, values, strict=True) if v < len(words)}
            facts.setdefault(name, {}).update(known)
    return facts


def _table(folder: Path, kind: str, file: str, columns: int) -> list[tuple[str, list[int]]]:
    path = next((p for p in (folder / "labels" / kind / file, folder / "labels" / file) if p.is_file()), None)
    rows = []
    for number, line in enumerate(read_text(path).splitlines() if path else [], 1):
        name, *values = line.split() or [""]
        if len(values) == columns and all(value.isdigit() for value in values):
            rows.append((name, [int(value) for value in values]))
        elif name:
            raise DatasetError(f"{path}, line {number}: a name and {columns} numbers were expected.")
    return rows


def _joints(folder: Path) -> dict[str, list[list[float]]]:
    """21 rows of x, y, visibility (0 seen, 1 hidden, 2 absent) in the data set's own order, which it shows as a figure
    only; so they are not turned into another scheme here."""
    place, seen = folder / "keypoints" / "keypoints_loc.txt", folder / "keypoints" / "keypoints_vis.txt"
    if not place.is_file() or not seen.is_file():
        return {}
    visible = {row[0]: row[1:] for row in map(str.split, read_text(seen).splitlines()) if row}
    joints = {}
    for row in map(str.split, read_text(place).splitlines()):
        if len(row) != 43 or len(visible.get(row[0] if row else "", ())) != 21:
            raise DatasetError(f"{place}: 21 joints were expected for {row[0] if row else 'each line'}.")
        at = [float(value) for value in row[1:]]
        joints[row[0]] = [[x, y, float(v)] for x, y, v in zip(at[::2], at[1::2], visible[row[0]], strict=True)]
    return joints


def _captions(folder: Path) -> dict[str, str]:
    path = folder / "captions.json"
    if not path.is_file():
        return {}
    try:
        return {str(name): str(text) for name, text in json.loads(read_text(path)).items()}
    except (ValueError, AttributeError):
        raise DatasetError(f"{path} is not JSON of file names and captions.", hint="Unpack it again.") from None


LAYOUT = Layout(
    name="deepfashion-multimodal",
    title="DeepFashion-MultiModal",
    expects=(
        Expected(("images", "image", "train_images", "test_images"), "photos", required=True),
        Expected(("segm", "parsing"), "label maps", required=True),
        Expected(("keypoints/keypoints_loc.txt",), "joints"),
        Expected(("labels/shape/shape_anno_all.txt", "labels/shape_anno_all.txt"), "attributes of shape"),
        Expected(("labels/texture/fabric_ann.txt", "labels/fabric_ann.txt"), "attributes of cloth"),
        Expected(("densepose",), "DensePose"),
        Expected(("captions.json",), "captions"),
    ),
    splits=("train", "validation", "test", "all"),
    index=index,
    has_pairs=False,
    needs=("person",),
)
