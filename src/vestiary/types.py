"""The three values that everything passes along: `Person`, `Garment`, `Fitting`.

Conventions, everywhere in the package:

* a picture is `(H, W, 3) uint8` sRGB; a mask or an alpha is `(H, W) uint8`, 0 = outside, 255 = inside;
* a point is `(x, y)` in pixels, x to the right, y down, the centre of the top-left pixel at `(0, 0)`;
* left and right are the wearer's: the left shoulder of somebody who faces the camera is on the right of the picture;
* the values are immutable: arrays are marked read-only, so one scan can serve many fittings and threads.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.uint8]
    Points = NDArray[np.float32]

Category = Literal["top", "outerwear", "dress", "skirt", "trousers", "shorts"]
CATEGORIES: tuple[Category, ...] = ("top", "outerwear", "dress", "skirt", "trousers", "shorts")
UPPER: frozenset[Category] = frozenset({"top", "outerwear", "dress"})
LOWER: frozenset[Category] = frozenset({"skirt", "trousers", "shorts"})

Sleeve = Literal["none", "short", "half", "long"]
SLEEVES: tuple[Sleeve, ...] = ("none", "short", "half", "long")
Neckline = Literal["round", "v", "square", "collar", "high", "hood", "off-shoulder", "strap", "none"]
NECKLINES: tuple[Neckline, ...] = ("round", "v", "square", "collar", "high", "hood", "off-shoulder", "strap", "none")
Motif = Literal["plain", "striped", "checked", "dotted", "floral", "graphic", "other"]
MOTIFS: tuple[Motif, ...] = ("plain", "striped", "checked", "dotted", "floral", "graphic", "other")
Length = Literal["cropped", "regular", "long", "mini", "knee", "midi", "maxi", "none"]
LENGTHS: tuple[Length, ...] = ("cropped", "regular", "long", "mini", "knee", "midi", "maxi", "none")
Reader = Literal["network", "rules"]
READERS: tuple[Reader, ...] = ("network", "rules")
Facing = Literal["front", "left", "right", "back"]


class Part(enum.IntEnum):
    """What a pixel of a person photo shows. Left and right are the wearer's."""

    BACKGROUND = 0
    HAIR = 1
    FACE = 2
    NECK = 3
    LEFT_ARM = 4
    RIGHT_ARM = 5
    LEFT_HAND = 6
    RIGHT_HAND = 7
    LEFT_LEG = 8
    RIGHT_LEG = 9
    TOP = 10
    OUTERWEAR = 11
    DRESS = 12
    SKIRT = 13
    TROUSERS = 14
    SHORTS = 15
    SHOES = 16
    BAG = 17
    HAT = 18
    ACCESSORY = 19


SKIN_PARTS: frozenset[Part] = frozenset(
    {
        Part.FACE,
        Part.NECK,
        Part.LEFT_ARM,
        Part.RIGHT_ARM,
        Part.LEFT_HAND,
        Part.RIGHT_HAND,
        Part.LEFT_LEG,
        Part.RIGHT_LEG,
    }
)
UPPER_CLOTHES: frozenset[Part] = frozenset({Part.TOP, Part.OUTERWEAR, Part.DRESS})
LOWER_CLOTHES: frozenset[Part] = frozenset({Part.SKIRT, Part.TROUSERS, Part.SHORTS})


class Joint(enum.IntEnum):
    """The 33 landmarks of BlazePose (Bazarevsky et al. 2020), in the model's order."""

    NOSE = 0
    LEFT_EYE_INNER = 1
    LEFT_EYE = 2
    LEFT_EYE_OUTER = 3
    RIGHT_EYE_INNER = 4
    RIGHT_EYE = 5
    RIGHT_EYE_OUTER = 6
    LEFT_EAR = 7
    RIGHT_EAR = 8
    MOUTH_LEFT = 9
    MOUTH_RIGHT = 10
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_PINKY = 17
    RIGHT_PINKY = 18
    LEFT_INDEX = 19
    RIGHT_INDEX = 20
    LEFT_THUMB = 21
    RIGHT_THUMB = 22
    LEFT_HIP = 23
    RIGHT_HIP = 24
    LEFT_KNEE = 25
    RIGHT_KNEE = 26
    LEFT_ANKLE = 27
    RIGHT_ANKLE = 28
    LEFT_HEEL = 29
    RIGHT_HEEL = 30
    LEFT_FOOT = 31
    RIGHT_FOOT = 32


class Landmark(enum.IntEnum):
    """The landmarks of a garment seen from its front. Left and right are the wearer's.

    Which ones a category has is in `LANDMARKS_OF`. `NECK_*` is where the neckline meets the shoulder seam,
    `NECK_FRONT` the lowest point of the front neckline; `SHOULDER_*` the top of the armhole, `ARMPIT_*` its bottom;
    `ELBOW_*` lies half way along a long sleeve (outer = the edge that goes on from the shoulder, inner = the edge
    that goes on from the armpit), `CUFF_*` at the sleeve's opening; `WAIST_*` is the side seam at the waist (the ends
    of the waistband for skirts, trousers and shorts), `HIP_*` the side seam at hip height (crotch height for trousers
    and shorts), `HEM_*` the outer end of the hem, `HEM_INNER_*` the inner end of a leg's hem, `KNEE_*` half way
    between crotch and hem.
    """

    NECK_LEFT = 0
    NECK_RIGHT = 1
    NECK_FRONT = 2
    SHOULDER_LEFT = 3
    SHOULDER_RIGHT = 4
    ELBOW_OUTER_LEFT = 5
    ELBOW_OUTER_RIGHT = 6
    ELBOW_INNER_LEFT = 7
    ELBOW_INNER_RIGHT = 8
    CUFF_OUTER_LEFT = 9
    CUFF_OUTER_RIGHT = 10
    CUFF_INNER_LEFT = 11
    CUFF_INNER_RIGHT = 12
    ARMPIT_LEFT = 13
    ARMPIT_RIGHT = 14
    WAIST_LEFT = 15
    WAIST_RIGHT = 16
    HIP_LEFT = 17
    HIP_RIGHT = 18
    HEM_LEFT = 19
    HEM_RIGHT = 20
    CROTCH = 21
    KNEE_OUTER_LEFT = 22
    KNEE_OUTER_RIGHT = 23
    KNEE_INNER_LEFT = 24
    KNEE_INNER_RIGHT = 25
    HEM_INNER_LEFT = 26
    HEM_INNER_RIGHT = 27


_TORSO = tuple(Landmark(i) for i in (0, 1, 2, 3, 4, 13, 14, 15, 16, 19, 20))
_SLEEVES = tuple(Landmark(i) for i in range(5, 13))
_WAIST_TO_HEM = tuple(Landmark(i) for i in (15, 16, 17, 18, 19, 20))
_LEGS = tuple(Landmark(i) for i in range(21, 28))
LANDMARKS_OF: Mapping[Category, tuple[Landmark, ...]] = {
    "top": _TORSO + _SLEEVES,
    "outerwear": _TORSO + _SLEEVES,
    "dress": _TORSO + _SLEEVES,
    "skirt": _WAIST_TO_HEM,
    "trousers": _WAIST_TO_HEM + _LEGS,
    "shorts": _WAIST_TO_HEM + _LEGS,
}


def freeze(value: object) -> None:
    """Mark every array field of a dataclass read-only."""
    for item in fields(value):  # type: ignore[arg-type]
        content = getattr(value, item.name)
        if hasattr(content, "setflags"):
            content.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Person:
    """A scanned photo of one person: all that an engine needs to know of the wearer.

    Attributes:
        image: the photo, upright, `(H, W, 3) uint8` sRGB.
        pose: `(33, 4) float32`: x, y in pixels, depth z in pixels (negative = nearer than the hips), confidence 0..1.
            Index with `Joint`. A joint outside the photo has its extrapolated place and a low confidence.
        world: `(33, 3) float32`: metres, origin between the hips, x to the picture's right, y down, z away.
        keypoints: `(18, 3) float32`: the OpenPose (COCO-18) layout: x, y, confidence.
        silhouette: `(H, W) uint8` soft mask of this person.
        parts: `(H, W) uint8` of `Part` values.
        facing: which way the chest points: the camera ("front"), the picture's left or right, away ("back").
        arm_in_front: sides ("left", "right") whose forearm or hand is in front of the torso.
        box: x0, y0, x1, y1 of the person in pixels.
        warnings: what may spoil a fitting, in words for the user; empty for a good photo.
        timings: seconds per step.
        source: SHA-256 (hex) of the input file or pixels.
        networks: the names of the model files that looked at it; see `vestiary.weights`.
    """

    image: Picture
    pose: Points
    world: Points
    keypoints: Points
    silhouette: Mask
    parts: Mask
    facing: Facing
    arm_in_front: frozenset[str] = frozenset()
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        freeze(self)

    def is_part(self, *parts: Part) -> NDArray[np.bool_]:
        """`(H, W) bool`: where the photo shows one of these parts."""
        import cv2
        import numpy as np

        table = np.zeros(256, np.uint8)
        table[list(parts)] = 1
        return np.asarray(cv2.LUT(self.parts, table)).view(bool)

    def joint(self, which: Joint) -> Points:
        """`(2,) float32`: where a joint is, in pixels."""
        return self.pose[which, :2]


@dataclass(frozen=True, eq=False)
class Garment:
    """A garment that was read from a photo: cut out, upright, measured.

    Attributes:
        image: `(H, W, 3) uint8` sRGB, turned so that the garment's neck or waistband is up. Under the alpha's soft edge
            the ground's colour has been removed, so it can be laid on anything.
        alpha: `(H, W) uint8` soft alpha.
        category: what it is.
        landmarks: `(28, 3) float32`: x, y in pixels, confidence 0..1 (0 = this garment has no such landmark).
            Index with `Landmark`.
        sleeve: sleeve length; "none" for garments without sleeves.
        neckline: shape of the front neckline; "none" for garments without one.
        pattern: what its cloth shows; "other" for what has no name here, such as camouflage or blocks of colour.
        length: "cropped", "regular" or "long" for tops and outerwear, "mini" to "maxi" for dresses and skirts, else
            "none".
        colours: the main colours with their shares, `((r, g, b), share)`, largest first.
        colour_names: the names of the main colours (basic colour terms), that of the largest share first.
        embedding: `(96,) float32` of length 1: the cosine of two garments' vectors says how alike they are. None where
            it was read without the attribute network.
        scores: probability of each category, 0..1.
        worn: whether the photo shows it on somebody (its landmarks then follow that person's pose).
        turned: degrees by which the photo was turned anticlockwise to bring the garment upright.
        warnings: what may spoil a fitting, in words for the user.
        timings: seconds per step.
        source: SHA-256 (hex) of the input file or pixels.
        networks: the names of the model files that looked at it; see `vestiary.weights`.
        name: what messages call it: its file, or its id in the service; "" where it came from memory.
    """

    image: Picture
    alpha: Mask
    category: Category
    landmarks: Points
    sleeve: Sleeve = "none"
    neckline: Neckline = "none"
    pattern: Motif = "plain"
    length: Length = "none"
    colours: tuple[tuple[tuple[int, int, int], float], ...] = ()
    colour_names: tuple[str, ...] = ()
    embedding: Points | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    worn: bool = False
    turned: float = 0.0
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    networks: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        freeze(self)

    def landmark(self, which: Landmark) -> Points:
        """`(2,) float32`: where a landmark is, in pixels."""
        return self.landmarks[which, :2]


@dataclass(frozen=True, eq=False)
class Fitting:
    """A person wearing garments: the picture and how it came about.

    Attributes:
        image: `(H, W, 3) uint8` sRGB, the size of the person photo; equal to it wherever `mask` is 0.
        mask: `(H, W) uint8`, 255 = may differ from the photo.
        layers: intermediate pictures by name, in the order in which they were made: `(H, W)`, `(H, W, 3)` or
            `(H, W, 4) uint8`.
        provenance: engine, version, options, hashes of inputs and weights: JSON-ready.
        timings: seconds per step.
        warnings: what may have spoiled this fitting, in words for the user.
    """

    image: Picture
    mask: Mask
    layers: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        freeze(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture (PNG with provenance, or JPEG/WebP by the name's ending), whole or not at all.

        Raises:
            OutputError: the place cannot be written, or the ending is unknown.
        """
        from vestiary.images import save_picture

        save_picture(self.image, path, provenance=self.provenance)
