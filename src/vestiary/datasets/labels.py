"""What the numbers and colours of the field's parse maps mean, and how they become our `Part` values.

Five tables, each a list of (name, meaning) in the order of the label numbers:

* `cihp`: the 20 classes of CIHP (Gong et al. 2018), in VITON-HD's `image-parse` and `image-parse-v3`;
* `lip`: the 20 classes of LIP (Gong et al. 2017), in the older VITON; they differ from CIHP in label 10 alone;
* `atr`: the 18 classes of ATR (Liang et al. 2015), in DressCode's `label_maps`;
* `multimodal`: the 24 classes of DeepFashion-MultiModal (Jiang et al. 2022);
* `co-parsing`: the 59 classes of Clothing Co-Parsing (Yang et al. 2014);

and `parts`, which are our own values already. Left and right are the wearer's in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.errors import DatasetError
from vestiary.person.limbs import divide_skin, with_sides
from vestiary.types import Part

if TYPE_CHECKING:
    from vestiary.types import Points

U8 = NDArray[np.uint8]
LabelSet = Literal["cihp", "lip", "atr", "multimodal", "co-parsing", "parts"]
Meaning = Part | Literal["skin", "leg", "hand"]  # words: skin of any limb; a leg, a hand of either side
VOID = 255  # "not labelled" by the custom of PASCAL VOC; taken as background
_NEAR = 8  # a colour may be so far from the table's, per channel (VITON-HD writes 254 for 255)

_CIHP: tuple[tuple[str, Meaning], ...] = (
    ("background", Part.BACKGROUND), ("hat", Part.HAT), ("hair", Part.HAIR), ("glove", "hand"),
    ("sunglasses", Part.ACCESSORY), ("upper clothes", Part.TOP), ("dress", Part.DRESS), ("coat", Part.OUTERWEAR),
    ("socks", "leg"), ("pants", Part.TROUSERS), ("torso skin", Part.NECK), ("scarf", Part.ACCESSORY),
    ("skirt", Part.SKIRT), ("face", Part.FACE), ("left arm", Part.LEFT_ARM), ("right arm", Part.RIGHT_ARM),
    ("left leg", Part.LEFT_LEG), ("right leg", Part.RIGHT_LEG), ("left shoe", Part.SHOES), ("right shoe", Part.SHOES),
)  # fmt: skip
_ATR: tuple[tuple[str, Meaning], ...] = (
    ("background", Part.BACKGROUND), ("hat", Part.HAT), ("hair", Part.HAIR), ("sunglasses", Part.ACCESSORY),
    ("upper clothes", Part.TOP), ("skirt", Part.SKIRT), ("pants", Part.TROUSERS), ("dress", Part.DRESS),
    ("belt", Part.ACCESSORY), ("left shoe", Part.SHOES), ("right shoe", Part.SHOES), ("head", Part.FACE),
    ("left leg", Part.LEFT_LEG), ("right leg", Part.RIGHT_LEG), ("left arm", Part.LEFT_ARM),
    ("right arm", Part.RIGHT_ARM), ("bag", Part.BAG), ("scarf", Part.ACCESSORY),
)  # fmt: skip
_MULTIMODAL: tuple[tuple[str, Meaning], ...] = (
    ("background", Part.BACKGROUND), ("top", Part.TOP), ("outer", Part.OUTERWEAR), ("skirt", Part.SKIRT),
    ("dress", Part.DRESS), ("pants", Part.TROUSERS), ("leggings", Part.TROUSERS), ("headwear", Part.HAT),
    ("eyeglass", Part.ACCESSORY), ("neckwear", Part.ACCESSORY), ("belt", Part.ACCESSORY), ("footwear", Part.SHOES),
    ("bag", Part.BAG), ("hair", Part.HAIR), ("face", Part.FACE), ("skin", "skin"), ("ring", Part.ACCESSORY),
    ("wrist wearing", Part.ACCESSORY), ("socks", "leg"), ("gloves", "hand"), ("necklace", Part.ACCESSORY),
    ("rompers", Part.DRESS), ("earrings", Part.ACCESSORY), ("tie", Part.ACCESSORY),
)  # fmt: skip
_CO_PARSING_WORDS = (
    "null accessories bag belt blazer blouse bodysuit boots bra bracelet cape cardigan clogs coat dress earrings flats "
    "glasses gloves hair hat heels hoodie intimate jacket jeans jumper leggings loafers necklace panties pants pumps "
    "purse ring romper sandals scarf shirt shoes shorts skin skirt sneakers socks stockings suit sunglasses sweater "
    "sweatshirt swimwear t-shirt tie tights top vest wallet watch wedges"
)
_CO_PARSING_NAMES = _CO_PARSING_WORDS.split()
_CO_PARSING_MEANS: dict[Meaning, str] = {
    Part.BACKGROUND: "null",
    Part.HAIR: "hair",
    Part.HAT: "hat",
    Part.TOP: "blouse bra hoodie intimate jumper shirt sweater sweatshirt t-shirt top vest bodysuit",
    Part.OUTERWEAR: "blazer cape cardigan coat jacket suit",
    Part.DRESS: "dress romper swimwear",
    Part.SKIRT: "skirt",
    Part.TROUSERS: "jeans pants leggings",
    Part.SHORTS: "shorts panties",
    Part.SHOES: "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
    Part.BAG: "bag purse wallet",
    Part.ACCESSORY: "accessories belt bracelet earrings glasses necklace ring scarf sunglasses tie watch",
    "skin": "skin",
    "leg": "socks stockings tights",
    "hand": "gloves",
}
_CO_PARSING_OF = {name: part for part, names in _CO_PARSING_MEANS.items() for name in names.split()}

TABLES: Mapping[LabelSet, tuple[tuple[str, Meaning], ...]] = {
    "cihp": _CIHP,
    "lip": (*_CIHP[:10], ("jumpsuits", Part.DRESS), *_CIHP[11:]),
    "atr": _ATR,
    "multimodal": _MULTIMODAL,
    "co-parsing": tuple((name, _CO_PARSING_OF[name]) for name in _CO_PARSING_NAMES),
    "parts": tuple((part.name.lower().replace("_", " "), part) for part in Part),
}

# The colours in which the tools of CIHP and LIP draw their maps; all other tables use those of PASCAL VOC.
_CIHP_COLOURS = (
    (0, 0, 0), (128, 0, 0), (255, 0, 0), (0, 85, 0), (170, 0, 51), (255, 85, 0), (0, 0, 85), (0, 119, 221),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 255), (51, 170, 221), (0, 255, 255),
    (85, 255, 170), (170, 255, 85), (255, 255, 0), (255, 170, 0),
)  # fmt: skip


def needs_pose(labels: LabelSet) -> bool:
    """Whether the labels name skin without saying of which limb, so that only a pose can tell."""
    return any(meaning == "skin" for _, meaning in TABLES[labels])


def colours_of(labels: LabelSet) -> U8:
    """`(N, 3) uint8` RGB: the colour of each label, for maps that were saved as pictures."""
    if labels in ("cihp", "lip"):
        return np.array(_CIHP_COLOURS, np.uint8)
    colours = np.zeros((len(TABLES[labels]), 3), np.uint8)
    for label in range(len(colours)):
        for bit in range(8):
            for channel in range(3):
                colours[label, channel] |= ((label >> (3 * bit + channel)) & 1) << (7 - bit)
    return colours


def _on_this_photo(name: str, plain: Meaning, worn: set[str]) -> Meaning:
    """What a label means beside the others: some garments' names alone do not say what they are.

    A vest is worn over a shirt (outerwear) or is the top itself; a bodysuit is a top with something below it, else a
    dress; leggings below a skirt, a dress or shorts are legs, else trousers.
    """
    if name == "vest" and worn & {"shirt", "blouse", "t-shirt", "top", "sweater"}:
        return Part.OUTERWEAR
    if name == "bodysuit" and not worn & {"pants", "jeans", "skirt", "shorts", "leggings"}:
        return Part.DRESS
    if name == "leggings" and worn & {"skirt", "dress", "shorts", "romper", "rompers"}:
        return "leg"
    return plain


def to_parts(numbers: U8, labels: LabelSet, *, pose: Points | None = None, path: Path | str = "the map") -> U8:
    """`(H, W) uint8` of `Part` values.

    Args:
        numbers: `(H, W) uint8` label numbers.
        labels: the table they belong to.
        pose: `(33, 4)` BlazePose landmarks in the map's pixels. Tables that name skin without a limb need it; for the
            others it settles the side of socks and gloves, which else goes by the nearest arm, leg or shoe.
        path: the file, for messages.

    Raises:
        DatasetError: a number that the table does not have, or a pose is needed and missing.
    """
    table = TABLES[labels]
    counts = np.bincount(numbers.ravel(), minlength=256)
    strange = [number for number in np.flatnonzero(counts) if number >= len(table) and number != VOID]
    if strange:
        hint = f"It may follow another table: {', '.join(TABLES)}."
        raise DatasetError(f"{path} holds label {strange[0]}; {labels} ends at {len(table) - 1}.", hint=hint)
    if needs_pose(labels) and pose is None:
        hint = "Hand in pose=scan_person(photo).pose."
        raise DatasetError(f"{path} names skin without its limb (table {labels}): a pose is needed.", hint=hint)
    worn = {name for number, (name, _) in enumerate(table) if counts[number] > 200}
    means = [_on_this_photo(name, meaning, worn) for name, meaning in table]
    lookup = np.zeros(256, np.uint8)
    lookup[: len(means)] = [m if isinstance(m, Part) else 0 for m in means]
    parts = lookup[numbers]
    for word in ("skin", "leg", "hand"):
        where = np.isin(numbers, [number for number, meaning in enumerate(means) if meaning == word])
        if where.any():
            parts[where] = _divided(where, word, numbers, parts, labels, pose)
    if labels == "co-parsing" and pose is not None:
        _split_suit(parts, numbers, pose)
    return parts


def _divided(where: NDArray[np.bool_], word: str, numbers: U8, parts: U8, labels: LabelSet, pose: Points | None) -> U8:
    """The parts, sides told, of the pixels of a label that does not tell them."""
    if word == "skin":
        assert pose is not None
        return divide_skin(np.argwhere(where)[:, ::-1].astype(np.float32), pose)
    if pose is not None:
        return with_sides(np.where(where, 1, 0).astype(np.uint8), pose, ("background", word, *_OTHERS[word]))[where]
    left, right = (Part[f"{side}_{word.upper()}"] for side in ("LEFT", "RIGHT"))
    nearer = _side_by_neighbours(word, numbers, parts, labels)[where]
    return np.where(nearer, left, right).astype(np.uint8)


_OTHERS = {"leg": ("arm", "hand"), "hand": ("arm", "leg")}  # classes that `with_sides` looks for


def _side_by_neighbours(word: str, numbers: U8, parts: U8, labels: LabelSet) -> NDArray[np.bool_]:
    """`(H, W)`: whether the wearer's left limb is nearer than the right one; left where neither is seen."""
    limb = "LEG" if word == "leg" else "ARM"
    distances = []
    for side in ("left", "right"):
        seen = parts == Part[f"{side.upper()}_{limb}"]
        if word == "leg":
            shoe = [number for number, (name, _) in enumerate(TABLES[labels]) if name == f"{side} shoe"]
            seen |= np.isin(numbers, shoe)
        far = np.full(seen.shape, 1e9, np.float32)
        distances.append(cv2.distanceTransform((~seen).view(np.uint8), cv2.DIST_L2, 5) if seen.any() else far)
    return np.asarray(distances[0] <= distances[1], bool)


def _split_suit(parts: U8, numbers: U8, pose: Points) -> None:
    """A suit that goes on below the knees is a jacket above the thighs and trousers below."""
    suit = numbers == _CO_PARSING_NAMES.index("suit")
    hip, knee = pose[[23, 24], 1].mean(), pose[[25, 26], 1].mean()
    rows = np.arange(len(numbers))
    if suit.any() and suit[rows > knee].sum() > 0.1 * suit.sum():
        parts[suit & (rows > hip + 0.3 * (knee - hip))[:, None]] = Part.TROUSERS


def numbers_of(colours: U8, labels: LabelSet, path: Path | str) -> U8:
    """`(H, W) uint8` label numbers of a map that was saved as an RGB picture.

    Raises:
        DatasetError: it has colours that the table does not have.
    """
    known = colours_of(labels).astype(np.int16)
    codes = colours.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    unique, inverse = np.unique(codes, return_inverse=True)
    found = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1).astype(np.int16)
    away = np.abs(found[:, None] - known[None]).max(axis=2)
    if (away.min(axis=1) > _NEAR).any():
        first = found[int(np.argmax(away.min(axis=1)))].tolist()
        hint = "Save it again as label numbers (one channel, PNG), without smoothing."
        raise DatasetError(f"{path}: the colour {first} is none of the table {labels}.", hint=hint)
    return cast(U8, away.argmin(axis=1).astype(np.uint8)[inverse.reshape(codes.shape)])
