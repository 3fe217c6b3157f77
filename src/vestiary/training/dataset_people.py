"""Labelled people for the part parser out of any layout with label maps: VITON-HD, DressCode, DeepFashion, synthetic.

Poses and silhouettes are found once and kept, and so are the classes. What a layout's labels leave open is settled by
the pose where it can tell (hands at the ends of arms, necks below heads, shorts that end above the knee); else it
teaches nothing (`UNKNOWN`): DressCode's upper clothes are tops or outerwear.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.datasets import Dataset, Sample, detect, open_dataset
from vestiary.datasets.labels import TABLES, LabelSet
from vestiary.errors import DatasetError
from vestiary.person.limbs import divide_skin
from vestiary.person.parsing import CLASSES
from vestiary.training.people import INDEX, OF_PART, UNKNOWN, PersonFiles, keep_pose, labelled_people, read_classes
from vestiary.types import Joint, Part

Bytes = NDArray[np.uint8]

OPEN: dict[LabelSet, frozenset[Part]] = {
    "atr": frozenset({Part.TOP})
}  # parts of which the label does not tell the class
# Classes that a table has no label for, so that their absence from a map says nothing.
UNNAMED: dict[LabelSet, frozenset[str]] = {
    "cihp": frozenset({"bag"}),
    "lip": frozenset({"bag"}),
    "atr": frozenset({"top", "outerwear"}),
}


def people_in(folder: Path, kept: Path) -> list[PersonFiles]:
    """The labelled people of a data folder in any known layout; of those with splits, the ones to train on.

    Raises:
        DatasetError: no known layout, or one without label maps.
        ImageError: a file cannot be read.
    """
    kind = detect(folder)
    if kind.name == "co-parsing":
        return labelled_people(folder, kept)
    split = "all" if "all" in kind.splits else "train"
    dataset = open_dataset(folder, layout=kind.name, split=split, skip_missing=True)
    if all(sample.parse is None for sample in dataset):
        hint = "The part parser learns from label maps; see docs/data/layouts.md for the layouts that have them."
        raise DatasetError(f"{folder} ({kind.title}) has no label maps of people.", hint=hint)
    return list(people_of(dataset, kept))


def people_of(dataset: Dataset, kept: Path) -> Iterator[PersonFiles]:
    """Everybody of a data set who has a label map and whose pose can be seen, numbered in their order.

    The parser's recipe chooses and validates by numbers (5 modulo 20, multiples of 10) on exact labels: there a class
    that the layout cannot name counts as absent. In training it is left open.
    """
    for number, sample in enumerate(dataset):
        if sample.person is None or sample.parse is None:
            continue
        place = kept / Path(sample.name).parent
        pose = keep_pose(sample.person, place / "poses")
        if pose is None:
            continue
        drawn = place / "classes" / f"{sample.person.stem}.png"
        if not drawn.is_file():
            drawn.parent.mkdir(parents=True, exist_ok=True)
            with np.load(pose) as stored:
                cv2.imwrite(str(drawn), classes_of(sample, stored["landmarks"]))
        counts = np.bincount(read_classes(drawn).ravel(), minlength=256)
        unnamed = UNNAMED.get(sample.labels, frozenset())
        possible = tuple(bool(counts[INDEX[name]]) or name in unnamed for name in CLASSES)
        exact = not unnamed or number % 20 == 5 or number % 10 == 0
        yield PersonFiles(number, sample.person, drawn, pose, possible, exact)


def classes_of(sample: Sample, pose: NDArray[np.float32]) -> Bytes:
    """`(H, W) uint8` of the parser's `CLASSES` or `UNKNOWN`, from a sample's label map."""
    parts = sample.read_parts(pose=pose)
    table = np.full(256, UNKNOWN, np.uint8)
    for part in Part:
        table[part] = INDEX[OF_PART.get(part, part.name.lower())]
    for part in OPEN.get(sample.labels, ()):
        table[part] = UNKNOWN
    classes = table[parts]
    names = {name for name, _ in TABLES[sample.labels]}
    if "left arm" in names and sample.labels != "parts":
        _take(classes, "arm", {"hand"}, pose)
    if "head" in names:
        _take(classes, "face", {"neck"}, pose)
    if not names & {"shorts", "leggings"}:
        _settle_shorts(classes, pose)
    return classes


def _take(classes: Bytes, whole: str, taken: set[str], pose: NDArray[np.float32]) -> None:
    """Give away those pixels of a class that the pose sees in another limb."""
    rows, columns = np.nonzero(classes == INDEX[whole])
    if not len(rows):
        return
    limbs = divide_skin(np.column_stack([columns, rows]).astype(np.float32), pose)
    for part, name in OF_PART.items():
        if name in taken:
            hit = limbs == part
            classes[rows[hit], columns[hit]] = INDEX[name]


def _settle_shorts(classes: Bytes, pose: NDArray[np.float32]) -> None:
    """Trousers that end above the knees are shorts; if the knees are not in the photo, nobody knows."""
    rows = np.nonzero(classes == INDEX["trousers"])[0]
    knees = pose[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE]]
    if not len(rows):
        return
    if (knees[:, 3] < 0.5).any() or knees[:, 1].max() >= len(classes):
        classes[classes == INDEX["trousers"]] = UNKNOWN
    elif np.percentile(rows, 99) < knees[:, 1].mean():
        classes[classes == INDEX["trousers"]] = INDEX["shorts"]
