"""The body shape vector: what the fitting steps measure of a body, as a short list of numbers in fixed ranges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import SIDES, Body
from vestiary.types import Joint, Person

F32 = NDArray[np.float32]

MOST = 4.0  # shoulder units at which a length is cut off
WIDTH_LEVELS = (0.0, 0.2, 0.4, 0.62, 0.85, 1.0, 1.15, 1.45)  # of the way from the shoulder line to the hip line
_LIMBS = (("arm", ("upper_arm", "forearm")), ("leg", ("thigh", "shin")))
_GIRTHS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}

NAMES: tuple[str, ...] = (
    "unit",
    "shoulders_seen",
    "torso",
    *(f"width_{level:g}" for level in WIDTH_LEVELS),
    *(f"{bone}_{side}" for _, bones in _LIMBS for bone in bones for side in SIDES),
    *(f"{at}_thickness" for kind, _ in _LIMBS for at in _GIRTHS[kind]),
    "turn_sine",
    "turn_cosine",
)


def shape_vector(person: Person, body: Body, height: float) -> F32:
    """`(len(NAMES),) float32`; see `NAMES` for the order.

    `unit`: one shoulder unit (distance of the shoulder joints as if seen from the front) as a share of the photo's
    height. In shoulder units, 0 to 4: `shoulders_seen`, that distance as seen; `torso`, shoulder line to hip line;
    `width_L`, the body's whole width below the clothes at the level L of the torso; bones, as if not foreshortened;
    thicknesses of bare limbs, the mean of both sides. `turn_*`: sine and cosine of the chest's turn about the vertical;
    0 = it faces the camera, positive = its left shoulder is farther away.

    Args:
        person: the scan that was measured.
        body: its `fitting.body.measure`.
        height: of the photo, in the same pixels.
    """
    unit = max(body.unit, 1e-6)
    levels = np.array(WIDTH_LEVELS) * body.torso
    widths = sum(body.half_width(levels, side) for side in SIDES)
    limbs = {"arm": body.arms, "leg": body.legs}
    bones, girths = [], []
    for kind, _ in _LIMBS:
        pair = [limbs[kind][side] for side in SIDES]
        bones += [limb.joint for limb in pair] + [limb.end - limb.joint for limb in pair]
        girths += [2 * np.mean([limb.radius(at(limb)) for limb in pair]) for at in _PLACES]
    lengths = [2 * float(np.linalg.norm(body.across)), body.torso, *np.asarray(widths), *bones, *girths]
    left, right = person.world[Joint.LEFT_SHOULDER], person.world[Joint.RIGHT_SHOULDER]
    across, away = float(left[0] - right[0]), float(left[2] - right[2])
    far = max(float(np.hypot(across, away)), 1e-6)
    inside = np.clip(np.array(lengths) / unit, 0, MOST)
    return np.array([min(unit / height, 1.0), *inside, away / far, across / far], np.float32)


_PLACES = (lambda limb: 0.0, lambda limb: limb.joint, lambda limb: limb.end)
