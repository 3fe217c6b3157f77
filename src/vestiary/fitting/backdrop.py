"""What stands behind the wearer: the photo's own ground, a plain colour, a studio, or the ground out of focus.

The wearer is cut out of the finished picture with a soft matte, and the old ground's colour is taken out of the matte's
soft edge before the wearer is laid on the new one (blur fusion; Forte, "Approximate Fast Foreground Colour Estimation",
2021, a fast form of what Germer et al. solve in "Fast Multi-Level Foreground Estimation", 2020).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.types import Joint, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

NAMES = ("keep", "white", "grey", "studio", "blur")
PATTERN = r"^(keep|white|grey|studio|blur|#[0-9a-fA-F]{6})$"
COLOURS = {"white": (255, 255, 255), "grey": (200, 200, 200)}
WALL, FLOOR, CORNER = 238.0, 222.0, 26.0  # the studio's wall and floor, and how much darker its corners are
WIDE, FINE = 0.09, 0.006  # reach of the two passes of blur fusion, as shares of the picture's long side
THREAD = 0.07  # thinner than this, in shoulder units, only what is surely the wearer's may be
CRUMB = 0.02  # pieces smaller than this share of the largest are no part of the wearer
LENS = 0.016  # radius of a point out of focus far away, as a share of the picture's long side
STEPS = (0.25, 0.5, 1.0)  # of that radius, for which the ground is worked out; between them it is mixed
FEET = (
    *(Joint.LEFT_HEEL, Joint.RIGHT_HEEL, Joint.LEFT_FOOT, Joint.RIGHT_FOOT),
    *(Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE),
)


def check_name(value: str) -> str:
    """The name of a background as it is kept: lower case.

    Raises:
        ValueError: neither a known name nor a colour like "#d8e0e8".
    """
    name = value.strip().lower()
    if not re.fullmatch(PATTERN[1:-1], name):
        raise ValueError(f'{value!r} is no background: use {", ".join(NAMES)} or a colour such as "#d8e0e8"')
    return name


@dataclass(frozen=True)
class Stand:
    """Where the wearer stands in the photo.

    Attributes:
        feet: row of the soles in pixels, or None when they are not in the photo.
        eyes: row of the eyes, where the horizon of a photo taken at a person's height is.
        unit: pixels of the shoulder unit.
    """

    feet: float | None
    eyes: float
    unit: float


def stand_of(person: Person, unit: float) -> Stand:
    """Where a wearer stands, from the pose."""
    height = person.image.shape[0]
    feet = person.pose[list(FEET)]
    seen = feet[(feet[:, 3] > 0.5) & (feet[:, 1] < height - 1)]
    eyes = float(person.pose[[Joint.LEFT_EYE, Joint.RIGHT_EYE], 1].mean())
    return Stand(float(seen[:, 1].max()) if len(seen) else None, eyes, unit)


def matte_of(person: Person, unit: float) -> F32:
    """`(H, W) float32` 0..1: how much of each pixel of a scan's photo is the person, with what is carried."""
    named = cv2.GaussianBlur((person.parts > 0).astype(np.float32), (0, 0), 0.8)
    return np.asarray(np.maximum(person.silhouette.astype(np.float32) / 255, named), np.float32)


def without_remains(matte: F32, sure: NDArray[np.bool_], unit: float) -> F32:
    """The matte without threads and crumbs: what old clothes leave at their rim, and ground taken for the wearer.

    Args:
        matte: `(H, W) float32` 0..1.
        sure: `(H, W) bool`, what may be as thin as it likes: hair, hands, shoes, bags, new cloth.
        unit: pixels of the shoulder unit.
    """
    solid = cv2.convertScaleAbs(matte, alpha=255)
    reach = max(1, round(THREAD * unit / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    thick = cv2.dilate(cv2.erode(solid, kernel), np.ones((4 * reach + 1, 4 * reach + 1), np.uint8))
    solid = np.where(sure, solid, np.minimum(solid, thick))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((solid > 40).view(np.uint8), connectivity=4)
    if count > 2:
        large = stats[:, cv2.CC_STAT_AREA] >= CRUMB * stats[1:, cv2.CC_STAT_AREA].max()
        large[0] = True
        large[np.unique(labels[sure])] = True
        solid[~large[labels]] = 0
    return np.asarray(np.minimum(matte, solid.astype(np.float32) / 255), np.float32)


def change_ground(image: U8, matte: F32, plate: U8, stand: Stand, name: str) -> U8:
    """`(H, W, 3) uint8` the wearer on another ground.

    Args:
        image: `(H, W, 3) uint8` the finished picture.
        matte: `(H, W) float32` 0..1, how much of each pixel the wearer is.
        plate: `(H, W, 3) uint8` the photo's ground, made up where the wearer is in front of it.
        stand: where the wearer stands.
        name: from `check_name`, not "keep".
    """
    ground = new_ground(matte, plate, stand, name)
    x0, y0, width, height = cv2.boundingRect((matte > 0).view(np.uint8))
    if not width:
        return ground
    margin = 4 * max(1, round(FINE * max(matte.shape)))
    area = (slice(max(y0 - margin, 0), y0 + height + margin), slice(max(x0 - margin, 0), x0 + width + margin))
    mixed = wearer_colours(image[area], matte[area], max(matte.shape))
    behind = ground[area]
    mixed -= behind
    mixed *= matte[area][..., None]
    mixed += behind
    ground[area] = cv2.convertScaleAbs(mixed)
    return ground


def new_ground(matte: F32, plate: U8, stand: Stand, name: str) -> U8:
    """`(H, W, 3) uint8` the new ground alone, with what the wearer throws on it."""
    if name == "blur":
        return out_of_focus(plate, stand)
    if name == "studio":
        return studio(matte, stand)
    colour = COLOURS.get(name) or tuple(int(name[i : i + 2], 16) for i in (1, 3, 5))
    return np.broadcast_to(np.array(colour, np.uint8), plate.shape).copy()


def wearer_colours(image: U8, matte: F32, side: int) -> F32:
    """`(h, w, 3) float32` the wearer's own colours, without what the ground adds to them on the soft edge."""
    full, step = (image.shape[1], image.shape[0]), 8
    size = (max(1, full[0] // step), max(1, full[1] // step))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    thin = np.asarray(cv2.resize(matte, size, interpolation=cv2.INTER_AREA), np.float32)
    coarse = (cv2.resize(field, full) for field in _fuse(small, small, small, thin, max(1, round(WIDE * side / step))))
    picture = image.astype(np.float32)
    near, behind = (np.asarray(field, np.float32) for field in coarse)
    sure = (matte > 0.995).view(np.uint8)
    cv2.copyTo(picture, sure, near)
    fine, _ = _fuse(picture, near, behind, matte, max(1, round(FINE * side)))
    return np.asarray(cv2.copyTo(picture, sure, fine), np.float32)


def _fuse(image: F32, near: F32, behind: F32, matte: F32, reach: int) -> tuple[F32, F32]:
    """One pass: colours in front and behind, smooth around each pixel, then corrected so that they give the picture."""
    box = (2 * reach + 1, 2 * reach + 1)
    share = cv2.merge([matte, matte, matte])
    rest = 1 - share
    mass = cv2.blur(matte, box)
    mass = cv2.merge([mass, mass, mass])
    near = cv2.divide(cv2.blur(cv2.multiply(near, share), box), mass + 1e-5)
    behind = cv2.divide(cv2.blur(cv2.multiply(behind, rest), box), 1.00001 - mass)
    lack = image - cv2.multiply(near, share) - cv2.multiply(behind, rest)
    near += cv2.multiply(lack, share)
    return np.clip(near, 0, 255, out=near).astype(np.float32, copy=False), np.asarray(behind, np.float32)


def studio(matte: F32, stand: Stand) -> U8:
    """`(H, W, 3) uint8` a light grey sweep, brightest behind the wearer, with the shadow where the feet touch it."""
    height, width = matte.shape
    step = 8
    size = (max(4, width // step), max(4, height // step))
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    y, x = (y + 0.5) * height / size[1] - 0.5, (x + 0.5) * width / size[0] - 0.5
    columns = matte.sum(axis=0)
    middle = float((columns * np.arange(width)).sum() / max(float(columns.sum()), 1e-3)) if columns.any() else width / 2
    away = np.hypot((x - middle) / width, 0.8 * (y - 0.38 * height) / height)
    sweep = WALL - CORNER * np.clip(away / 0.75, 0, 1) ** 2
    if stand.feet is not None:
        below = np.clip((y - stand.feet + 1.6 * stand.unit) / (1.8 * stand.unit), 0, 1)
        sweep = sweep + (FLOOR - WALL) * below * below * (3 - 2 * below)
    full = cv2.resize(sweep.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    if stand.feet is not None:
        full *= contact_shadow(matte, stand)
    noise = np.empty((height, width), np.float32)
    cv2.setRNGSeed(0)
    cv2.randn(noise, 0, 0.6)  # else the slow gradient shows as bands
    return cast(U8, cv2.cvtColor(cv2.convertScaleAbs(full + noise), cv2.COLOR_GRAY2RGB))


def contact_shadow(matte: F32, stand: Stand) -> F32:
    """`(H, W) float32` gain of the floor: dark where the soles touch it, faint and wide about them."""
    if stand.feet is None:
        return np.ones_like(matte)
    unit, height = stand.unit, matte.shape[0]
    solid = matte > 0.5
    bottom = height - 1 - np.argmax(solid[::-1], axis=0)
    bottom = np.where(solid.any(axis=0) & (bottom > stand.feet - 0.45 * unit), bottom, -height)
    rows = np.arange(height)[:, None]
    sole = ((rows <= bottom) & (rows > bottom - 0.07 * unit)).astype(np.float32)
    close = _stretched_blur(sole, 0.10 * unit, 0.03 * unit, down=0.015 * unit)
    wide = _stretched_blur(sole, 0.42 * unit, 0.09 * unit, down=0.03 * unit)
    dark = 0.60 * np.clip(2.0 * close, 0, 1) + 0.40 * np.clip(3.5 * wide, 0, 1)
    return np.asarray(1 - np.clip(dark, 0, 0.8), np.float32)


def _stretched_blur(field: F32, across: float, along: float, down: float) -> F32:
    """Gaussian blur wider across than along, moved down; worked out on a smaller grid."""
    step = max(1, int(along / 2))
    height, width = field.shape
    size = (max(4, width // step), max(4, height // step))
    small = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
    fx, fy = size[0] / width, size[1] / height
    soft = cv2.GaussianBlur(small, (0, 0), max(across * fx, 0.5), sigmaY=max(along * fy, 0.5))
    move = np.array([[fx, 0, fx / 2 - 0.5], [0, fy, fy / 2 - 0.5 - down * fy]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cast(F32, cv2.warpAffine(soft, move, (width, height), flags=flags))


def out_of_focus(plate: U8, stand: Stand) -> U8:
    """`(H, W, 3) uint8` the ground as a lens shows it that is focused on the wearer.

    A point is spread over a disc whose width goes with the difference of inverse distances; on level ground that
    difference is linear in the picture's rows, from nothing at the feet to all of it at the horizon. Without feet all
    is far away.
    """
    height, width = plate.shape[:2]
    radius = LENS * max(height, width)
    amount = np.ones(height, np.float32)
    if stand.feet is not None:
        reach = max(stand.feet - stand.eyes, 1.0)
        amount = np.clip(np.abs(np.arange(height, dtype=np.float32) - stand.feet) / (0.8 * reach), 0, 1)
    result, before = plate.astype(np.float32), 0.0
    for share in STEPS:
        weight = np.clip((amount - before) / (share - before), 0, 1).astype(np.float32)[:, None, None]
        rows = np.flatnonzero(weight)
        if len(rows):
            part = slice(rows[0], rows[-1] + 1)
            large = _through_lens(plate, share * radius)[part]
            result[part] += weight[part] * (large - result[part])
        before = share
    return cast(U8, cv2.convertScaleAbs(result))


def _through_lens(plate: U8, radius: float) -> F32:
    """`(H, W, 3) float32` every point spread over a disc, in nearly linear light, where a lens adds up."""
    height, width = plate.shape[:2]
    step = max(1, int(radius / 2.5))
    size = (max(4, width // step), max(4, height // step))
    small = cv2.resize(plate, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = cv2.filter2D(cv2.multiply(small, small), -1, _disc(radius / step), borderType=cv2.BORDER_REFLECT)
    spread = np.sqrt(np.maximum(spread, 0))
    return cast(F32, cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR))


def _disc(radius: float) -> F32:
    """A round kernel of sum 1 with a soft rim."""
    reach = max(1, int(np.ceil(radius)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(disc / disc.sum(), np.float32)
