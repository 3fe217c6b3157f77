"""Photos of people with labels for the part parser: what the labels mean, which photos serve for what, the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.errors import DatasetError, ImageError
from vestiary.person.limbs import divide_skin, torso_length
from vestiary.person.parsing import CLASSES
from vestiary.types import Joint, Part

Bytes = NDArray[np.uint8]

INDEX = {name: number for number, name in enumerate(CLASSES)}
UNKNOWN = 255  # a pixel that teaches nothing
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
WAIST = 0.2  # of the torso's length above the hip joints
LEAST_ABOVE = 0.1  # a dress with a smaller share of its area above the waist is seen as a skirt


@dataclass(frozen=True, eq=False)
class LabelledPerson:
    """One photo: `image` (H, W, 3), `classes` (H, W) of `CLASSES` or 255, `pose` (33, 4), `silhouette` (H, W).

    `possible` (17,) bool says which classes the photo may show; with `exact` labels, what they lack is not there.
    """

    name: int
    image: Bytes
    classes: Bytes
    pose: NDArray[np.float32]
    silhouette: Bytes
    possible: NDArray[np.bool_]
    exact: bool = True


@dataclass(frozen=True)
class PersonFiles:
    """Where a labelled photo lies: the photo, its classes as PNG, pose and silhouette as NPZ."""

    name: int
    photo: Path
    classes: Path
    pose: Path
    possible: tuple[bool, ...]
    exact: bool = True

    def open(self) -> LabelledPerson:
        """The photo and its labels.

        Raises:
            ImageError: one of the files cannot be read.
        """
        with np.load(self.pose) as kept:
            pose, silhouette = kept["landmarks"], kept["mask"]
        image, classes = read_photo(self.photo), read_classes(self.classes)
        return LabelledPerson(self.name, image, classes, pose, silhouette, np.array(self.possible), self.exact)


def read_photo(path: Path) -> Bytes:
    """`(H, W, 3) uint8` RGB.

    Raises:
        ImageError: it cannot be read.
    """
    return np.ascontiguousarray(_read(path, cv2.IMREAD_COLOR)[:, :, ::-1])


def read_classes(path: Path) -> Bytes:
    """`(H, W) uint8`: numbers of labels or classes.

    Raises:
        ImageError: it cannot be read.
    """
    return _read(path, cv2.IMREAD_UNCHANGED)


def _read(path: Path, how: int) -> Bytes:
    picture = cv2.imread(str(path), how) if path.is_file() else None
    if picture is None:
        raise ImageError(f"{path} cannot be read as a picture.", hint="Remove it from the data folder, or mend it.")
    return np.asarray(picture, np.uint8)


def label_names(folder: Path) -> list[str]:
    """The names in `labels.txt`, one a line (`number name`), in the order of their numbers.

    Raises:
        DatasetError: there is no such file, or no folder `photos` or `labels` beside it.
    """
    expected = ("labels.txt", "photos", "labels")
    missing = [name for name in expected if not (folder / name).exists()]
    if missing:
        hint = "Expected: photos/ID.jpg, labels/ID.png (a number per pixel), labels.txt (per line a number and a name)."
        raise DatasetError(f"{folder} has no {' and no '.join(missing)}.", hint=hint)
    return [line.split()[-1] for line in (folder / "labels.txt").read_text().splitlines() if line.strip()]


def labelled_people(folder: Path, kept: Path) -> list[PersonFiles]:
    """Every labelled photo that shows a person; poses, silhouettes and classes are worked out once and kept.

    Raises:
        DatasetError: the folder is in another layout.
        ImageError: a file cannot be read.
    """
    names = label_names(folder)
    (kept / "classes").mkdir(parents=True, exist_ok=True)
    people = []
    for path in sorted((folder / "labels").glob("*.png")):
        photo, drawn = folder / "photos" / f"{path.stem}.jpg", kept / "classes" / path.name
        pose = keep_pose(photo, kept / "poses")
        if pose is None:
            continue
        if not drawn.is_file():
            with np.load(pose) as stored:
                classes = to_classes(read_classes(path), names, stored["landmarks"])
            cv2.imwrite(str(drawn), classes)
        shown = np.bincount(read_classes(drawn).ravel(), minlength=len(CLASSES)) > 0
        people.append(PersonFiles(int(path.stem), photo, drawn, pose, tuple(bool(s) for s in shown)))
    return people


def keep_pose(photo: Path, folder: Path) -> Path | None:
    """The NPZ file with pose and silhouette of a photo's largest person, written if need be; None if nobody is seen.

    Raises:
        ImageError: the photo cannot be read.
    """
    kept, nobody = folder / f"{photo.stem}.npz", folder / f"{photo.stem}.none"
    if kept.is_file() or nobody.is_file():
        return kept if kept.is_file() else None
    from vestiary.person.pose import detect_people, estimate_pose
    from vestiary.person.silhouette import find_silhouette

    folder.mkdir(parents=True, exist_ok=True)
    image = read_photo(photo)
    found = detect_people(image)
    if not found:
        nobody.touch()
        return None
    pose = estimate_pose(image, found[0])
    np.savez_compressed(kept, landmarks=pose.landmarks, mask=find_silhouette(image, pose))
    return kept


def to_classes(labels: Bytes, names: Sequence[str], pose: NDArray[np.float32], *, literal: bool = False) -> Bytes:
    """`(H, W) uint8` of `CLASSES` from the hand-made labels: what each place looks like, not what it is sold as.

    A suit is a jacket above the thighs and trousers below; a vest is worn over a shirt or is the top itself; a bodysuit
    is a top with something below it. A romper, or a bodysuit alone, is a top above the waist and trousers or shorts
    below. A dress of which only what hangs below the waist is seen, under a sweater or a closed coat, is a skirt.
    Leggings under a skirt, dress or shorts are legs, else trousers.

    Args:
        labels: (H, W) numbers of `names`.
        names: of the labels.
        pose: (33, 4).
        literal: leave rompers, bodysuits worn alone and half-hidden dresses in the class `dress`.
    """
    number = {name: i for i, name in enumerate(names)}
    counts = np.bincount(labels.ravel(), minlength=len(names))
    found = {name for name, i in number.items() if counts[i] > 200}
    table = np.zeros(256, np.uint8)
    for name, i in number.items():
        table[i] = INDEX.get(worn_as(name, found), 0)
    classes = table[labels]
    if "suit" in found:
        _divide_suit(classes, labels == number["suit"], pose)
    if not literal:
        whole = [number[name] for name in ("romper", "bodysuit") if worn_as(name, found) == "dress" and name in number]
        _divide_romper(classes, np.isin(labels, whole), pose)
        settle_dress(classes, pose)
    skin = np.argwhere(labels == number.get("skin", 255))
    parts = divide_skin(skin[:, ::-1].astype(np.float32), pose)
    of_part = np.zeros(256, np.uint8)
    for part, name in OF_PART.items():
        of_part[part] = INDEX[name]
    classes[skin[:, 0], skin[:, 1]] = of_part[parts]
    return classes


def worn_as(name: str, found: set[str]) -> str:
    """The class of a label, given all labels of the photo."""
    if name == "suit":
        return "outerwear"
    if name == "vest":
        return "outerwear" if found & {"shirt", "blouse", "t-shirt", "top", "sweater"} else "top"
    if name == "bodysuit":
        return "top" if found & {"pants", "jeans", "skirt", "shorts", "leggings"} else "dress"
    if name == "leggings":
        return "leg" if found & {"skirt", "dress", "shorts", "romper"} else "trousers"
    return OF_LABEL.get(name, "background")


def _row(pose: NDArray[np.float32], joint: str) -> float:
    return float(pose[[Joint[f"LEFT_{joint}"], Joint[f"RIGHT_{joint}"]], 1].mean())


def _waist(pose: NDArray[np.float32]) -> float:
    return _row(pose, "HIP") - WAIST * torso_length(pose)


def _divide_suit(classes: Bytes, suit: NDArray[np.bool_], pose: NDArray[np.float32]) -> None:
    knee, hip = _row(pose, "KNEE"), _row(pose, "HIP")
    rows = np.arange(len(classes))
    if suit[rows > knee].sum() > 0.1 * suit.sum():
        classes[suit & (rows > hip + 0.3 * (knee - hip))[:, None]] = INDEX["trousers"]


def _divide_romper(classes: Bytes, romper: NDArray[np.bool_], pose: NDArray[np.float32]) -> None:
    if not romper.any():
        return
    rows = np.arange(len(classes))
    long = romper[rows > _row(pose, "KNEE")].sum() > 0.04 * romper.sum()
    below = romper & (rows > _waist(pose))[:, None]
    classes[romper] = INDEX["top"]
    classes[below] = INDEX["trousers" if long else "shorts"]


def settle_dress(classes: Bytes, pose: NDArray[np.float32]) -> None:
    """Call a dress a skirt, in place, if hardly anything of it is seen above the waist."""
    dress = classes == INDEX["dress"]
    above = dress[: max(0, int(_waist(pose)))].sum()
    if above < LEAST_ABOVE * dress.sum():
        classes[dress] = INDEX["skirt"]


def split_people(people: Sequence[PersonFiles]) -> tuple[list[PersonFiles], list[PersonFiles], list[PersonFiles]]:
    """Those to train on; those to choose by (number ≡ 5 modulo 20); those to validate on (divisible by 10).

    Photos without exact labels are only trained on.
    """
    chosen = [p for p in people if p.exact and p.name % 20 == 5]
    held = [p for p in people if p.exact and p.name % 10 == 0]
    apart = {p.name for p in (*chosen, *held)}
    return [p for p in people if p.name not in apart], chosen, held
