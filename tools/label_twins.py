"""How well two label maps of the same moment agree: a ceiling for whoever is scored by such labels.

    python tools/label_twins.py DATA [--pair 197-671] [--json]

DATA is laid out as Clothing Co-Parsing is, which holds some photos twice, labelled anew. Twins are found by their
thumbnails; further pairs can be named. The second photo's label map is laid on the first by matched points and optical
flow, and scored against it as a parser would be.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.evaluation.parser import Tally
from vestiary.training.people import PersonFiles, labelled_people, read_classes, read_photo

ALIKE = 0.93  # correlation of thumbnails; the next pairs below 0.9 show different people
THUMBNAIL = (20, 30)
Floats = NDArray[np.float32]


def thumbnail(path: Path) -> Floats:
    """The photo as 1,800 numbers of mean 0 and length 1."""
    small = cv2.resize(read_photo(path), THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def find_twins(photos: list[Path]) -> list[tuple[int, int]]:
    """Places of those that show the same moment, the most alike first."""
    table = np.stack([thumbnail(path) for path in photos])
    alike = np.triu(table @ table.T, 1)
    rows, columns = np.nonzero(alike > ALIKE)
    return [(int(rows[i]), int(columns[i])) for i in np.argsort(-alike[rows, columns])]


def lay_over(first: PersonFiles, second: PersonFiles) -> NDArray[np.uint8]:
    """The classes of the second photo where the first shows the same place."""
    one, two = (cv2.cvtColor(read_photo(person.photo), cv2.COLOR_RGB2GRAY) for person in (first, second))
    size = one.shape[::-1]
    sift = cv2.SIFT.create(1500)
    (points, told), (others, told_too) = (sift.detectAndCompute(grey, None) for grey in (one, two))
    near = [a for a, b in cv2.BFMatcher().knnMatch(told, told_too, k=2) if a.distance < 0.75 * b.distance]
    source = np.array([points[m.queryIdx].pt for m in near], np.float32)
    target = np.array([others[m.trainIdx].pt for m in near], np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=4)
    back = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(two, matrix, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_REPLICATE)
    classes = cv2.warpAffine(read_classes(second.classes), matrix, size, flags=cv2.INTER_NEAREST | back)
    flow = cv2.blur(cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(one, moved, None), (9, 9))
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    return np.asarray(cv2.remap(classes, x + flow[..., 0], y + flow[..., 1], cv2.INTER_NEAREST), np.uint8)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data", type=Path)
    words.add_argument("--kept", type=Path, help="folder `kept` of a run of the parser's recipe, to save time")
    words.add_argument("--pair", action="append", default=[], metavar="N-M", help="two numbers that are twins, too")
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as made:
        people = labelled_people(asked.data, asked.kept or Path(made))
        by_number = {person.name: person for person in people}
        twins = [(people[a], people[b]) for a, b in find_twins([person.photo for person in people])]
        twins += [(by_number[int(a)], by_number[int(b)]) for a, b in (pair.split("-") for pair in asked.pair)]
        together, pairs = Tally(), {}
        for first, second in twins:
            alone, drawn, own = Tally(), lay_over(first, second), read_classes(first.classes)
            alone.add(drawn, own)
            together.add(drawn, own)
            together.add(own, drawn)
            pairs[f"{first.name}-{second.name}"] = alone.summary()["merged"]
    found = {"pairs": pairs, "together": together.summary()}
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    for name, merged in {**pairs, "together": found["together"]["merged"]}.items():
        print(f"{name:>10}", *(f"{key} {value:.2f}" for key, value in merged.items()))
    print(f"mean of the classes, all pairs together: {found['together']['miou']:.3f}")


if __name__ == "__main__":
    main()
