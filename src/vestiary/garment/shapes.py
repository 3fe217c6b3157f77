"""What landmarks each kind of garment has, and where they lie on a typical one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vestiary.types import LANDMARKS_OF, UPPER, Category, Landmark, Sleeve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

ELBOWS = frozenset(mark for mark in Landmark if mark.name.startswith("ELBOW"))
CUFFS = frozenset(mark for mark in Landmark if mark.name.startswith("CUFF"))

# Where landmarks of the wearer's left lie on a typical garment: x from its middle line, y down from neck or waist.
_SHAPE_UPPER = {
    "NECK": (0.18, 0.0),
    "SHOULDER": (0.45, 0.1),
    "ELBOW_OUTER": (0.72, 0.55),
    "ELBOW_INNER": (0.56, 0.62),
    "CUFF_OUTER": (0.88, 1.0),
    "CUFF_INNER": (0.75, 1.05),
    "ARMPIT": (0.45, 0.45),
    "WAIST": (0.44, 0.85),
    "HEM": (0.47, 1.35),
}
_SHAPE_SHORT = _SHAPE_UPPER | {"CUFF_OUTER": (0.78, 0.38), "CUFF_INNER": (0.64, 0.5)}
_SHAPE_DRESS = {"WAIST": (0.38, 0.85), "HEM": (0.6, 2.0)}
_SHAPE_LOWER = {
    "skirt": {"WAIST": (0.33, 0.0), "HIP": (0.43, 0.35), "HEM": (0.55, 1.1)},
    "trousers": {
        "WAIST": (0.33, 0.0),
        "HIP": (0.45, 0.6),
        "KNEE_OUTER": (0.46, 1.3),
        "KNEE_INNER": (0.15, 1.3),
        "HEM": (0.45, 2.1),
        "HEM_INNER": (0.2, 2.1),
    },
    "shorts": {
        "WAIST": (0.37, 0.0),
        "HIP": (0.5, 0.55),
        "KNEE_OUTER": (0.52, 0.72),
        "KNEE_INNER": (0.06, 0.72),
        "HEM": (0.54, 0.9),
        "HEM_INNER": (0.06, 0.9),
    },
}
_MIDDLE = {Landmark.NECK_FRONT: (0.0, 0.15), Landmark.CROTCH: (0.0, 0.6)}


def wanted(category: Category, sleeve: Sleeve) -> tuple[Landmark, ...]:
    """The landmarks that a garment of this kind has: no cuffs without sleeves, elbows only on longer ones."""
    without = {"none": ELBOWS | CUFFS, "short": ELBOWS, "half": frozenset(), "long": frozenset()}[sleeve]
    return tuple(mark for mark in LANDMARKS_OF[category] if mark not in without)


def shape_of(category: Category, sleeve: Sleeve) -> Floats:
    """`(28, 2)` landmarks of a typical garment of this kind, in its own units."""
    if category in UPPER:
        named = _SHAPE_SHORT if sleeve == "short" else _SHAPE_UPPER
        named = named | (_SHAPE_DRESS if category == "dress" else {})
    else:
        named = _SHAPE_LOWER[category]
    shape = np.zeros((len(Landmark), 2), np.float32)
    for name, (x, y) in named.items():
        shape[Landmark[f"{name}_LEFT"]], shape[Landmark[f"{name}_RIGHT"]] = (x, y), (-x, y)
    for mark, place in _MIDDLE.items():
        shape[mark] = place
    return shape


def twin(mark: Landmark) -> Landmark:
    """The same landmark on the other side; itself for those on the middle line."""
    left, right = mark.name.endswith("_LEFT"), mark.name.endswith("_RIGHT")
    if not (left or right):
        return mark
    stem = mark.name.rsplit("_", 1)[0]
    return Landmark[f"{stem}_{'RIGHT' if left else 'LEFT'}"]
