"""Folds of worn cloth: heights in metres over the garment, from its slack, the pose and the hem."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.cut import Cut
from vestiary.synth.mesh import f32, ramp, ripples
from vestiary.synth.poses import Pose
from vestiary.synth.wear import Laid
from vestiary.types import UPPER

Array = NDArray[np.float32]
F64 = NDArray[np.float64]


def _crease(phase: F64 | Array) -> F64:
    """Rounded valleys and sharp ridges, -0.5..0.5."""
    return np.asarray(0.5 - np.abs(np.sin(np.asarray(phase, np.float64) / 2)) ** 0.8, np.float64)


def folds(laid: Laid, rest: Array, cut: Cut, pose: Pose, soft: float, seed: int) -> Array:
    """How far each point of a worn shell lies off its smooth place; `soft` 0..1 = how easily the cloth folds."""
    rng = np.random.default_rng(seed)
    place = laid.place.astype(np.float32)
    slack = np.clip(laid.away / 0.018, 0.35, 1.4)
    height = 0.0030 * ripples(place, rng, (13, 34)) * slack
    height = height + 0.0012 * ripples(place, rng, (6, 11)) * slack
    if cut.category in UPPER:
        height = height + _trunk(place, cut, slack, rng) * (1 - laid.limb)
        if cut.pattern.sleeve != "none":
            bend = np.where(rest[:, 0] > 0, pose.elbows["L"], pose.elbows["R"])
            height = height + _limb(laid, rng, bend, 30.0, 9.0) * laid.limb
    elif cut.category != "skirt":
        bend = np.where(rest[:, 0] > 0, pose.knees["L"], pose.knees["R"])
        reach = 42.0 if cut.category == "trousers" else 200.0
        height = height + _limb(laid, rng, bend + 0.1, reach, 11.0) * laid.limb * 0.55
        height = height + _seat(place, cut, rng)
    return np.asarray(height * (0.65 + 1.0 * soft), np.float32)


def _trunk(place: Array, cut: Cut, slack: F64, rng: np.random.Generator) -> F64:
    """Drags from the armpits, flutes above the hem, a little bunching at the hips."""
    pit, hem = cut.mark("ARMPIT_LEFT"), float(cut.mark("HEM_LEFT")[1])
    dx, dy = np.abs(place[:, 0]) - pit[0], place[:, 1] - pit[1]
    far, turn = np.hypot(dx, dy), np.arctan2(dy, -dx)
    drag = _crease(turn * rng.uniform(9, 13) + rng.uniform(0, 6)) * np.exp(-far / 13) * ramp(far, 1, 5)
    stretched = place * f32([1, 0.12])
    flutes = ripples(stretched, rng, (8, 9)) * ramp(place[:, 1], hem - 34, hem) * slack
    level = place * f32([0.25, 1])
    bunch = ripples(level + 0.0, rng, (9, 7)) * ramp(place[:, 1], hem - 26, hem - 12)
    slant = place @ f32([[0.8, 0.3], [0.5, 0.7]])
    long = _crease(ripples(slant, rng, (16, 26)) * 3.0) * ramp(place[:, 1], 16, 40)
    return np.asarray(0.0042 * drag + 0.0030 * flutes + 0.0014 * bunch + 0.0036 * long * slack, np.float64)


def _limb(laid: Laid, rng: np.random.Generator, bend: F64, joint: float, reach: float) -> F64:
    """Rings that wind round a sleeve or leg, strongest at the bent joint."""
    place = laid.place.astype(np.float32)
    wander = ripples(place, rng, (11, 11))
    phase = laid.down * 2 * np.pi / rng.uniform(4.2, 6.0) + 2.2 * wander + 0.18 * place[:, 0]
    near = np.exp(-(((laid.down - joint) / reach) ** 2))
    rings = _crease(phase) * (0.25 + near * (0.6 + 1.6 * bend))
    twist = _crease(laid.down * 0.35 + place[:, 0] * 0.5 + 2.5 * ripples(place, rng, (16, 30)))
    return np.asarray(0.0046 * rings + 0.0030 * twist, np.float64)


def _seat(place: Array, cut: Cut, rng: np.random.Generator) -> F64:
    """Whiskers from the crotch and stacks above the hem."""
    crotch, hem = cut.mark("CROTCH"), float(cut.mark("HEM_LEFT")[1])
    dx, dy = np.abs(place[:, 0] - crotch[0]), place[:, 1] - crotch[1]
    far, turn = np.hypot(dx, dy), np.arctan2(dy, dx + 0.5)
    whiskers = _crease(turn * rng.uniform(10, 14)) * np.exp(-far / 11) * ramp(far, 1, 4)
    stack = _crease(place[:, 1] * 2 * np.pi / 4.5 + 1.5 * ripples(place, rng, (12, 12))) * ramp(
        place[:, 1], hem - 16, hem - 3
    )
    return np.asarray(0.0034 * whiskers + 0.0030 * stack * (cut.category == "trousers"), np.float64)


@lru_cache(maxsize=4)
def wrinkles(shape: tuple[int, int], scale: float, seed: int) -> tuple[Array, Array]:
    """Slopes across and down of small wrinkles over the flat picture, `scale` pixels per centimetre."""
    rng = np.random.default_rng(seed)
    height = np.zeros(shape, np.float32)
    for size, force in ((3.0, 0.055), (1.3, 0.016), (0.45, 0.004)):
        cells = (max(2, round(shape[1] / scale / size)), max(2, round(shape[0] / scale / size)))
        noise = rng.standard_normal((cells[1] + 3, cells[0] + 3), dtype=np.float32)
        height += force * np.abs(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
    height = cv2.GaussianBlur(height, (0, 0), max(0.5, 0.12 * scale))
    across, down = (cv2.Sobel(height, cv2.CV_32F, *order, scale=0.125 * scale) for order in ((1, 0), (0, 1)))
    return np.clip(across, -0.5, 0.5), np.clip(down, -0.5, 0.5)
