"""Photos of which only tags are known ("coat", "skirt", "hat"), labelled by a parser that is told these tags.

Self-training (Xie et al., "Self-training with Noisy Student", 2020) where the tags say more than the teacher knows: a
class that no tag allows is impossible, so that the commonest error, one garment taken for another, cannot occur.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.parsing import CLASSES
from vestiary.training.people import (
    INDEX,
    OF_LABEL,
    UNKNOWN,
    PersonFiles,
    keep_pose,
    read_photo,
    settle_dress,
    worn_as,
)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Shares = Callable[[Bytes, Floats, Bytes], Floats]  # photo, pose, silhouette → (17, H, W)

ALWAYS = ("background", "face", "neck", "arm", "hand", "leg")
UPPER = {"top", "outerwear"}
TOPS = {label for label, name in OF_LABEL.items() if name == "top"} - {"jumper"}
LOWER = {label for label, name in OF_LABEL.items() if name in ("skirt", "trousers", "shorts")}
SURE = 0.6  # a pixel whose likeliest class has a smaller share is left unknown


def possible_classes(tags: Sequence[str]) -> NDArray[np.bool_]:
    """`(17,)`: what a photo with these tags may show.

    A suit may be jacket and trousers, a romper top and trousers or shorts, a dress under something else a skirt. A
    "jumper" without skirt or trousers is a pinafore dress (in the labels it is a sweater).
    """
    found = set(tags)
    names = {*ALWAYS, *(worn_as(tag, found) for tag in found)}
    if "suit" in found:
        names.add("trousers")
    if "leggings" in found:
        names.add("trousers")
    if "vest" in found:
        names.update(UPPER)
    if "jumper" in found:
        names.add("dress")
        if not found & (LOWER | {"suit", "romper"}):
            names.discard("top" if not found & TOPS else "")
    if found & {"romper", "bodysuit"}:
        names.update({"top", "trousers", "shorts"})
        if not found & {"dress", "swimwear"}:
            names.discard("dress")
    if "dress" in found and names & UPPER:
        names.add("skirt")
    return np.array([name in names for name in CLASSES])


def pseudo_classes(shares: Floats, possible: NDArray[np.bool_], pose: Floats, tags: Sequence[str]) -> Bytes:
    """`(H, W) uint8` of `CLASSES`, or 255 where the teacher is unsure even with the tags.

    Args:
        shares: (17, H, W); changed on the way.
        possible: (17,).
        pose: (33, 4).
        tags: of the photo.
    """
    shares *= possible[:, None, None]
    total = shares.sum(0)
    classes = np.asarray(shares.argmax(0), np.uint8)
    unsure = shares.max(0) < SURE * np.maximum(total, 0.02)
    if {"dress", "jumper"} & set(tags) and "skirt" not in tags:
        classes[classes == INDEX["skirt"]] = INDEX["dress"]
        settle_dress(classes, pose)
    classes[unsure] = UNKNOWN
    return classes


def load_tags(folder: Path) -> dict[str, list[str]]:
    """The tags of `tags.json` (`{"ID": ["coat", …]}`), none if there is no such file."""
    path = folder / "tags.json"
    return {k: list(v) for k, v in json.loads(path.read_text()).items()} if path.is_file() else {}


def find_poses(folder: Path, kept: Path) -> None:
    """Work out poses and silhouettes of the tagged photos where they are not known yet.

    Raises:
        ImageError: a photo cannot be read.
    """
    for name in sorted(load_tags(folder)):
        keep_pose(folder / "photos" / f"{name}.jpg", kept / "poses")


def tagged_people(folder: Path, kept: Path) -> list[PersonFiles]:
    """The photos with tags alone whose pseudo-labels lie in `kept/pseudo`."""
    people = []
    for name, tags in sorted(load_tags(folder).items()):
        classes, pose = kept / "pseudo" / f"{name}.png", kept / "poses" / f"{name}.npz"
        if classes.is_file() and pose.is_file():
            possible = tuple(bool(p) for p in possible_classes(tags))
            people.append(PersonFiles(int(name), folder / "photos" / f"{name}.jpg", classes, pose, possible, False))
    return people


def label_tagged(folder: Path, kept: Path, teacher: Shares, *, anew: bool = True) -> None:
    """Write `kept/pseudo/ID.png` for every tagged photo with a known pose.

    Args:
        folder: the data.
        kept: what was worked out before.
        teacher: gives the shares of the classes.
        anew: replace what is there.
    """
    (kept / "pseudo").mkdir(parents=True, exist_ok=True)
    for name, tags in sorted(load_tags(folder).items()):
        pose_file, drawn = kept / "poses" / f"{name}.npz", kept / "pseudo" / f"{name}.png"
        if not pose_file.is_file() or (drawn.is_file() and not anew):
            continue
        with np.load(pose_file) as stored:
            pose, silhouette = stored["landmarks"], stored["mask"]
        shares = teacher(read_photo(folder / "photos" / f"{name}.jpg"), pose, silhouette)
        written = drawn.with_suffix(".part.png")
        cv2.imwrite(str(written), pseudo_classes(shares, possible_classes(tags), pose, tags))
        written.replace(drawn)  # samples are drawn from it meanwhile
