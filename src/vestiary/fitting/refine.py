"""The last step: a network looks at the coarse picture at low resolution and says how to mend it, as maps, not pixels.

The working picture has `UNIT` pixels to the shoulder unit, whatever the photo's size, so that the network always sees
people at one scale. What its maps mean, and how they are laid on the full picture, is in `fitting/blend.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary import inference
from vestiary.fitting.agnostic import Agnostic
from vestiary.fitting.body import Body
from vestiary.fitting.layers import Canvas, Kind
from vestiary.types import SKIN_PARTS, Joint, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

UNIT = 36.0  # pixels of the working picture to the shoulder unit
MULTIPLE = 16  # its sides are padded to multiples of this
LARGEST = 400  # its longest side
CHANNELS: tuple[str, ...] = (
    *("red", "green", "blue"),  # the coarse picture
    *("behind red", "behind green", "behind blue"),  # the same without the new garment
    *("edited", "cloth", "skin", "ground", "front"),  # shares of each pixel: made up, and what stays on top
    "light",  # log gain of the old clothes' light: 128 = none
    *("arms", "legs", "trunk"),  # the bare body, also where it is covered
    "seen skin",  # the photo's own
    *(
        "level",
        "across",
        "hinges",
    ),  # place on the body: down from the shoulders, to the wearer's left; elbows and knees
)
MAPS: tuple[str, ...] = ("shading", "folds", "alpha", "skin red", "skin green", "skin blue")
HINGES = (Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW, Joint.LEFT_KNEE, Joint.RIGHT_KNEE)


@dataclass(frozen=True)
class Maps:
    """What the network says, at the working size, without its padding.

    Attributes:
        gain: `(h, w)` log gain of cloth and skin: shading and folds together.
        uncover: `(h, w)` 0..1: how much of the cloth's edge gives way to what is behind it.
        skin: `(h, w, 3)` what is added to made-up skin, in steps of 0..255.
        cloth: `(h, w)` 0..1 share of the new garment, from which the edge band is found.
    """

    gain: F32
    uncover: F32
    skin: F32
    cloth: F32


def working_picture(
    canvas: Canvas, person: Person, body: Body, agnostic: Agnostic, old_light: F32, unit: float = UNIT
) -> U8:
    """`(h, w, 19) uint8` of `CHANNELS`: what the network sees.

    Args:
        canvas: from `layers.compose`.
        person: the scan cut to the canvas.
        unit: pixels of the working picture to the shoulder unit.
    """
    height, width = canvas.edited.shape
    scale = min(unit / body.unit, 1.0, LARGEST / max(height, width))
    size = (max(MULTIPLE, round(width * scale)), max(MULTIPLE, round(height * scale)))

    def small(picture: NDArray[Any]) -> U8:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

    kinds = [small((canvas.kind == kind).view(np.uint8) * 255) for kind in (Kind.CLOTH, Kind.SKIN, Kind.GROUND)]
    seen = person.is_part(*SKIN_PARTS) & (canvas.kind == Kind.PHOTO)
    light = cv2.resize(old_light, size, interpolation=cv2.INTER_AREA)
    return np.dstack(
        [
            small(cv2.convertScaleAbs(np.maximum(canvas.colour, 0))),
            small(canvas.layers["agnostic"]),
            small(canvas.edited),
            *kinds,
            small(canvas.layers["front"]),
            np.clip(128 * np.exp(light), 0, 255).astype(np.uint8),
            small(agnostic.arms),
            small(agnostic.legs),
            small(agnostic.trunk),
            small(seen.view(np.uint8) * 255),
            *_places(person, body, size, size[0] / width),
        ]
    )


def _places(person: Person, body: Body, size: tuple[int, int], scale: float) -> list[U8]:
    """The three channels that say where on the body a pixel lies; lengths in shoulder units."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    dx, dy = (x + 0.5) / scale - body.neck[0], (y + 0.5) / scale - body.neck[1]
    level = (dx * body.down[0] + dy * body.down[1]) / body.unit
    across = (dx * body.left[0] + dy * body.left[1]) / body.unit
    near = np.zeros_like(level)
    for joint in HINGES:
        jx, jy = person.joint(joint) - body.neck
        near = np.maximum(near, np.exp(-((dx - jx) ** 2 + (dy - jy) ** 2) / (2 * (0.15 * body.unit) ** 2)))
    fields = ((level + 1) / 7, (across + 1.5) / 3, near)
    return [cast(U8, cv2.convertScaleAbs(np.clip(field, 0, 1), alpha=255)) for field in fields]


def look(working: U8) -> Maps:
    """What the network says of a working picture; the same bytes for the same picture."""
    height, width = working.shape[:2]
    pad = [(0, -side % MULTIPLE) for side in (height, width)]
    padded = np.pad(working, [*pad, (0, 0)], mode="edge")
    tensor = padded.transpose(2, 0, 1)[None].astype(np.float32) / 255
    (out,) = inference.session("refiner").run(None, {"working": tensor})
    maps = np.ascontiguousarray(out[0, :, :height, :width].transpose(1, 2, 0).astype(np.float32))
    cloth = np.asarray(working[..., CHANNELS.index("cloth")] / 255, np.float32)
    return Maps(maps[..., 0] + maps[..., 1], maps[..., 2], np.asarray(maps[..., 3:] * 255, np.float32), cloth)
