"""Labelled photos of people for the part parser, and the ways they are varied in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.networks.parser import CLASSES
from vestiary.person.limbs import divide_skin
from vestiary.training.augment_people import Example, vary
from vestiary.types import Joint, Part

Bytes = NDArray[np.uint8]

INDEX = {name: number for number, name in enumerate(CLASSES)}
OF_LABEL: dict[str, str] = {
    **dict.fromkeys(("blouse", "shirt", "t-shirt", "top", "sweater", "sweatshirt", "jumper", "hoodie"), "top"),
    **dict.fromkeys(("bra", "intimate"), "top"),
    **dict.fromkeys(("blazer", "cape", "cardigan", "coat", "jacket"), "outerwear"),
    **dict.fromkeys(("dress", "romper", "swimwear"), "dress"),
    **dict.fromkeys(("jeans", "pants"), "trousers"),
    **dict.fromkeys(("shorts", "panties"), "shorts"),
    **dict.fromkeys(("tights", "stockings", "socks"), "leg"),
    **dict.fromkeys(("boots", "clogs", "flats", "heels", "loafers", "pumps", "sandals", "shoes"), "shoes"),
    **dict.fromkeys(("sneakers", "wedges"), "shoes"),
    **dict.fromkeys(("bag", "purse", "wallet"), "bag"),
    **dict.fromkeys(("accessories", "belt", "bracelet", "earrings", "glasses", "necklace", "ring"), "accessory"),
    **dict.fromkeys(("scarf", "sunglasses", "tie", "watch"), "accessory"),
    "null": "background",
    "hair": "hair",
    "hat": "hat",
    "skirt": "skirt",
    "gloves": "hand",
}
OF_PART = {
    Part.FACE: "face",
    Part.NECK: "neck",
    Part.LEFT_ARM: "arm",
    Part.RIGHT_ARM: "arm",
    Part.LEFT_HAND: "hand",
    Part.RIGHT_HAND: "hand",
    Part.LEFT_LEG: "leg",
    Part.RIGHT_LEG: "leg",
}
# How much more often a photo is shown that holds a class which is rare or easily confused.
EXTRA = {"skirt": 1.5, "dress": 0.7, "shorts": 2.5, "hat": 0.7, "bag": 0.3, "top": 0.3}


@dataclass(frozen=True, eq=False)
class LabelledPerson:
    """One photo: `image` (H, W, 3), `classes` (H, W) of `CLASSES`, `pose` (33, 4), `silhouette` (H, W)."""

    name: int
    image: Bytes
    classes: Bytes
    pose: NDArray[np.float32]
    silhouette: Bytes


def to_classes(labels: Bytes, names: Sequence[str], pose: NDArray[np.float32]) -> Bytes:
    """`(H, W) uint8` of `CLASSES` from the hand-made labels.

    A suit is a jacket above the thighs and trousers below; a vest is worn over a shirt or is the top itself; a bodysuit
    is a top with something below it, else a dress; leggings under a skirt, dress or shorts are legs, else trousers.
    """
    number = {name: i for i, name in enumerate(names)}
    counts = np.bincount(labels.ravel(), minlength=len(names))
    found = {name for name, i in number.items() if counts[i] > 200}
    table = np.zeros(256, np.uint8)
    for name, i in number.items():
        table[i] = INDEX.get(_worn_as(name, found), 0)
    classes = table[labels]
    if "suit" in found:
        suit = labels == number["suit"]
        knee, hip = (pose[[Joint[f"LEFT_{j}"], Joint[f"RIGHT_{j}"]], 1].mean() for j in ("KNEE", "HIP"))
        rows = np.arange(len(labels))
        if suit[rows > knee].sum() > 0.1 * suit.sum():
            classes[suit & (rows > hip + 0.3 * (knee - hip))[:, None]] = INDEX["trousers"]
    skin = np.argwhere(labels == number.get("skin", 255))
    parts = divide_skin(skin[:, ::-1].astype(np.float32), pose)
    of_part = np.zeros(256, np.uint8)
    for part, name in OF_PART.items():
        of_part[part] = INDEX[name]
    classes[skin[:, 0], skin[:, 1]] = of_part[parts]
    return classes


def _worn_as(name: str, found: set[str]) -> str:
    if name == "suit":
        return "outerwear"
    if name == "vest":
        return "outerwear" if found & {"shirt", "blouse", "t-shirt", "top", "sweater"} else "top"
    if name == "bodysuit":
        return "top" if found & {"pants", "jeans", "skirt", "shorts", "leggings"} else "dress"
    if name == "leggings":
        return "leg" if found & {"skirt", "dress", "shorts", "romper"} else "trousers"
    return OF_LABEL.get(name, "background")


def load_people(folder: Path, poses: Path) -> list[LabelledPerson]:
    """Every labelled photo below `folder` (`photos/ID.jpg`, `labels/ID.png`, `labels.txt`) that shows a person.

    Poses are estimated once and kept in the folder `poses`.
    """
    names = [line.split()[-1] for line in (folder / "labels.txt").read_text().splitlines() if line.strip()]
    poses.mkdir(parents=True, exist_ok=True)
    people = []
    for path in sorted((folder / "labels").glob("*.png")):
        image = cv2.cvtColor(cv2.imread(str(folder / "photos" / f"{path.stem}.jpg")), cv2.COLOR_BGR2RGB)
        labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)
        found = _pose(image, poses / f"{path.stem}.npz")
        if found is not None:
            pose, silhouette = found
            people.append(LabelledPerson(int(path.stem), image, to_classes(labels, names, pose), pose, silhouette))
    return people


def _pose(image: Bytes, kept: Path) -> tuple[NDArray[np.float32], Bytes] | None:
    if not kept.exists():
        from vestiary.person.pose import detect_people, estimate_pose

        people = detect_people(image)
        if not people:
            return None
        pose = estimate_pose(image, people[0])
        np.savez_compressed(kept, landmarks=pose.landmarks, mask=pose.mask)
    with np.load(kept) as stored:
        return stored["landmarks"], stored["mask"]


def split(people: Sequence[LabelledPerson]) -> tuple[list[LabelledPerson], list[LabelledPerson]]:
    """Those to train on, and those to validate on: the ones whose number is divisible by 10."""
    return [p for p in people if p.name % 10], [p for p in people if p.name % 10 == 0]


def sampling_weights(people: Sequence[LabelledPerson]) -> NDArray[np.float64]:
    """How often each photo is drawn, summing to 1."""
    weights = np.ones(len(people))
    for i, person in enumerate(people):
        counts = np.bincount(person.classes.ravel(), minlength=len(CLASSES))
        weights[i] += sum(extra for name, extra in EXTRA.items() if counts[INDEX[name]] > 500)
    return np.asarray(weights / weights.sum(), np.float64)


def endless(people: Sequence[LabelledPerson], seed: int) -> Iterator[Example]:
    """Varied examples without end; the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    weights = sampling_weights(people)
    while True:
        person = people[int(rng.choice(len(people), p=weights))]
        yield vary(person.image, person.classes, person.pose, person.silhouette, rng)
