"""Another background, and another light on the person and on all that is around them.

**Background**: everything but the person is painted anew by words (inpainting), then the person is laid before it with
a soft matte, with the old ground's colour taken out of its edge.

**Light**: the photo is first brought to the brightness and tint that such a light usually has. A run at part strength
(SDEdit, Meng et al. 2021) paints that picture anew in words of the light. Of what it painted only the light is taken:
smooth gains for the person and for the ground, which multiply the photo. Faces, prints and edges stay the photo's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.backdrop import matte_of, wearer_colours
from vestiary.types import Part, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

LIGHT_WORDS = {
    "indoor": "indoors, warm lamp light in a room",
    "outdoor": "outdoors, soft open sky light",
    "day": "bright daylight, sunny noon",
    "night": "at night, dark, dim blue light",
}


@dataclass(frozen=True)
class Usual:
    """What a light usually does to a photo, set by eye.

    Attributes:
        level: mean of linear light, 0..1, to which a photo is brought most of the way.
        tint: gains of red, green and blue.
    """

    level: float
    tint: tuple[float, float, float]


USUAL = {
    "indoor": Usual(0.17, (1.10, 1.00, 0.80)),
    "outdoor": Usual(0.24, (0.97, 1.00, 1.05)),
    "day": Usual(0.30, (1.03, 1.00, 0.95)),
    "night": Usual(0.045, (0.78, 0.88, 1.22)),
}
MOST = 6.0  # times that light is made stronger or weaker
WAY = 0.85  # towards the usual level
SMOOTH = 0.02  # reach of the gains' blur, as a share of the photo's long side
FACE_FADE = 0.04  # reach over which the new light ends at a face that stays


def prompt_of(scene: str, light: str) -> str:
    """What is painted, in words: the scene in that light."""
    return ", ".join(part for part in (scene.strip(), LIGHT_WORDS.get(light, "")) if part)


def ground_mask(person: Person) -> U8:
    """`(H, W) uint8`, 0 or 255: where another background shows, even faintly; never the face."""
    matte = matte_of(person, 1.0)
    return np.asarray(((matte < 0.996) & ~person.is_part(Part.FACE)) * 255, np.uint8)


def before(person: Person, ground: F32) -> U8:
    """`(H, W, 3) uint8`: the person before another ground; the same bytes outside `ground_mask`.

    Args:
        person: the scan, whose image is the picture so far.
        ground: `(3, H, W)` in -1..1 of the whole photo.
    """
    matte = matte_of(person, 1.0)[..., None]
    behind = (ground.transpose(1, 2, 0) + 1) * np.float32(127.5)
    front = wearer_colours(person.image, matte[..., 0], max(person.image.shape))
    mixed = np.clip(behind + matte * (front - behind) + 0.5, 0, 255).astype(np.uint8)
    return np.where(ground_mask(person)[..., None] > 0, mixed, person.image)


def graded(image: U8, light: str) -> U8:
    """`(H, W, 3) uint8`: the photo at the brightness and tint that such a light usually has."""
    usual, seen = USUAL[light], _linear(image)
    gain = np.clip((usual.level / max(float(seen.mean()), 1e-3)) ** WAY, 1 / MOST, MOST)
    lit = seen * np.float32(gain) * np.array(usual.tint, np.float32)
    return _encoded(lit / (1 + np.maximum(lit - 0.8, 0)))  # lights roll off instead of clipping


def relit(person: Person, painted: F32, *, ground: bool, face: bool) -> U8:
    """`(H, W, 3) uint8`: the picture in the light of the painted one.

    Args:
        person: the scan, whose image is the picture so far.
        painted: `(3, H, W)` in -1..1 of the whole photo, in its new light.
        ground: whether the light also falls on what is around the person.
        face: whether it falls on the face; else the face is the photo's bit for bit, and the light ends beside it.
    """
    old = _linear(person.image)
    new = _linear(np.asarray(np.clip((painted.transpose(1, 2, 0) + 1) * 127.5 + 0.5, 0, 255), np.uint8))
    matte = matte_of(person, 1.0)
    gain = matte[..., None] * _gain(old, new, matte)
    gain += (1 - matte)[..., None] * (_gain(old, new, 1 - matte) if ground else np.ones_like(gain))
    skin = person.is_part(Part.FACE)
    if not face and skin.any():
        away = cv2.distanceTransform((~skin).view(np.uint8), cv2.DIST_L2, 5) / (FACE_FADE * max(skin.shape))
        gain = 1 + (gain - 1) * np.clip(away, 0, 1)[..., None]
    lit = _encoded(old * np.asarray(gain, np.float32))
    kept = lit_mask(person, ground=ground, face=face) == 0
    return np.where(kept[..., None], person.image, lit)


def lit_mask(person: Person, *, ground: bool, face: bool) -> U8:
    """`(H, W) uint8`, 0 or 255: where another light may fall."""
    mask = np.ones(person.silhouette.shape, bool) if ground else matte_of(person, 1.0) > 0.004
    return np.asarray((mask & (face | ~person.is_part(Part.FACE))) * 255, np.uint8)


def _gain(old: F32, new: F32, weight: F32) -> F32:
    """`(H, W, 3)`: how much lighter one is than the other, smooth within what counts (normalised convolution)."""
    height, width = weight.shape
    scale = min(1.0, 256 / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    share = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)[..., None]
    sigma = max(SMOOTH * max(size), 1.0)
    sums = [
        _blurred(cv2.resize(field * weight[..., None], size, interpolation=cv2.INTER_AREA), sigma)
        for field in (new, old)
    ]
    mass = _blurred(np.repeat(share, 3, axis=2), sigma)
    mean = [total / np.maximum(mass, 1e-3) + 0.004 for total in sums]  # dark pixels tell little of light
    ratio = np.clip(mean[0] / mean[1], 1 / MOST / 2, MOST)
    return np.asarray(cv2.resize(ratio.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _blurred(field: NDArray[np.float32], sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


_TO_LINEAR = np.where(
    np.arange(256) <= 10, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)


def _linear(image: U8) -> F32:
    return np.asarray(_TO_LINEAR[image], np.float32)


def _encoded(linear: F32) -> U8:
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    return np.asarray(srgb * 255 + 0.5, np.uint8)
