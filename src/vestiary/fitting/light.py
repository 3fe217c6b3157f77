"""How the photo's light falls on the new garment: gains that multiply its colours.

Only slow changes of the old clothes' brightness are taken over, each region measured against its own median, so that
neither the old colour nor the old hem or print comes along; and the less, the more patterned the old clothes are.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import SIDES, Body
from vestiary.types import LOWER_CLOTHES, UPPER_CLOTHES, Part, Person

F32 = NDArray[np.float32]
WORK = 320


def old_light(person: Person, body: Body) -> F32:
    """`(H, W) float32` log gain of the light on the clothes that are worn, about -0.4..0.25; 0 where unknown."""
    height, width = person.silhouette.shape
    scale = min(1.0, WORK / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    image = cv2.resize(person.image, size, interpolation=cv2.INTER_AREA)
    parts = cv2.resize(person.parts, size, interpolation=cv2.INTER_NEAREST)
    log = np.log(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) + 12.0)
    unit = body.unit * scale
    total, weight = np.zeros_like(log), np.zeros_like(log)
    for part in (*UPPER_CLOTHES, *LOWER_CLOTHES):
        region = cv2.erode((parts == part).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
        if region.sum() < 0.05 * unit**2:
            continue
        inside = region > 0
        centred = log - np.median(log[inside])
        cloth = region / (1 + (centred / 0.45) ** 4)  # what differs much is print, not light
        centred = np.clip(centred, -0.7, 0.7)
        slow, _ = _blur(centred * cloth, cloth, 0.13 * unit)
        rough = float(np.std((centred - slow)[inside]))
        plain = float(np.exp(-((rough / 0.16) ** 2)))
        folds, _ = _blur(centred * cloth, cloth, 0.022 * unit)
        shade = np.clip(slow, -0.35, 0.22) + 0.55 * plain * np.clip(folds - slow, -0.22, 0.15)
        total += shade * (0.30 + 0.70 * plain) * region
        weight += region
    filled, mass = _blur(total, weight, 0.05 * unit)
    field = np.where(weight > 0, total, filled * np.clip(4 * mass, 0, 1)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), max(0.6, 0.010 * unit))
    return cast(F32, cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR))


def _blur(values: F32, weight: F32, sigma: float) -> tuple[F32, F32]:
    """Normalised convolution: the weighted mean around each pixel, and the weight there."""
    top = cv2.GaussianBlur(values, (0, 0), max(sigma, 0.6))
    mass = cv2.GaussianBlur(weight, (0, 0), max(sigma, 0.6))
    return (top / np.maximum(mass, 1e-3)).astype(np.float32), cast(F32, mass)


def form(body: Body, shape: tuple[int, int], box: tuple[int, int, int, int]) -> F32:
    """`(h, w) float32` gain 0.75..1.03 of a rounded torso inside a box of the photo: its sides turn from the light."""
    x0, y0, x1, y1 = box
    step = max(1, round(body.unit / 48))
    gy, gx = np.mgrid[y0 : y1 + step : step, x0 : x1 + step : step].astype(np.float64)
    points = np.stack([gx, gy], axis=-1)
    level = (points - body.neck) @ body.down
    offset = ((points - body.centre(level)) * body.left).sum(axis=-1)
    wide = np.stack([body.half_width(level, side) for side in SIDES])
    across = np.where(offset > 0, offset / wide[0], -offset / wide[1])
    gain = 1.02 - 0.16 * np.clip(across, 0, 1.15) ** 4
    small = cv2.GaussianBlur(gain.astype(np.float32), (0, 0), 1.0)
    full = cv2.resize(small, (small.shape[1] * step, small.shape[0] * step), interpolation=cv2.INTER_LINEAR)
    return cast(F32, full[: y1 - y0, : x1 - x0])


def tube(alpha: F32, radius: float) -> F32:
    """`(h, w) float32` gain 0.75..1.02 of a rounded sleeve or trouser leg, from its own outline."""
    scale = min(1.0, 12.0 / max(radius, 1.0))
    small = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inside = cv2.distanceTransform((small > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    t = np.clip(1 - inside / max(radius * scale, 1.0), 0, 1)
    gain = cv2.GaussianBlur((1.02 - 0.22 * t**2).astype(np.float32), (0, 0), max(0.8, 0.15 * radius * scale))
    return cast(F32, cv2.resize(gain, (alpha.shape[1], alpha.shape[0]), interpolation=cv2.INTER_LINEAR))


def cast_shadow(mask: F32, reach: float, strength: float, *, drop: float = 0.6) -> F32:
    """`(h, w) float32` gain of the soft shadow that something in front throws on what is just below and behind it.

    Args:
        mask: `(h, w) float32` 0..1 of what is in front.
        reach: how far the shadow goes, in pixels.
        strength: darkening at its deepest, 0..1.
        drop: how far down the shadow is moved, in reaches.
    """
    scale = min(1.0, 6.0 / max(reach, 1.0))
    small = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    move = np.array([[1, 0, 0], [0, 1, drop * reach * scale]], np.float32)
    moved = cv2.warpAffine(small, move, (small.shape[1], small.shape[0]))
    soft = cv2.GaussianBlur(moved, (0, 0), max(0.6, 0.6 * reach * scale))
    full = cv2.resize(soft, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cast(F32, 1.0 - strength * full)


def side_light(person: Person, body: Body) -> float:
    """How much brighter the wearer's left is than the right, as a log ratio within ±0.25, from face and neck."""
    face = person.is_part(Part.FACE, Part.NECK)
    if face.sum() < 100:
        return 0.0
    y, x = np.nonzero(face)
    light = person.image[y, x].astype(np.float32).mean(axis=1)
    offset = (np.stack([x, y], axis=1) - person.joint(0)) @ body.left  # type: ignore[arg-type]
    left, right = light[offset > 0], light[offset < 0]
    if len(left) < 40 or len(right) < 40:
        return 0.0
    return float(np.clip(np.log((np.median(left) + 8) / (np.median(right) + 8)), -0.25, 0.25))
