"""What is behind the old clothes: bare skin, the ground, and the rest of the trousers or skirt.

Each is estimated for the whole person once, from what the photo shows; which pixel takes which is decided later, when
the new garment is known. The ground and the lower garment are continued by mirroring the picture at the edge of what is
seen, so that their texture goes on, and fade into a smooth multi-scale fill (pull-push; Gortler et al. 1996) further in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import SIDES, Body, limb_mask
from vestiary.types import LOWER_CLOTHES, SKIN_PARTS, Part, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
WORK = 384  # long side at which smooth fields are computed


@dataclass(frozen=True)
class Agnostic:
    """The person without clothes to choose from, all in the photo's frame.

    Attributes:
        background: `(H, W, 3) uint8` the ground behind the person.
        skin: `(H, W, 3) uint8` bare skin wherever the body may be bare.
        lower: `(H, W, 3) uint8` the lower garment continued upwards, or None when none is seen.
        arms: `(H, W) uint8` soft mask of the bare arms.
        legs: `(H, W) uint8` soft mask of the bare legs.
        trunk: `(H, W) uint8` soft mask of neck and torso down to the crotch.
    """

    background: U8
    skin: U8
    lower: U8 | None
    arms: U8
    legs: U8
    trunk: U8


def undress(person: Person, body: Body) -> Agnostic:
    """All that may show when clothes are taken away."""
    arms, legs, trunk = _masks(person, body)
    reach = max(2, round(0.035 * body.unit))
    around = cv2.dilate(person.silhouette, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    somebody = ((around > 60) | (person.parts != Part.BACKGROUND)).astype(np.uint8)
    background = continue_picture(person.image, somebody, fade=0.5 * body.unit)
    lower_seen = person.is_part(*LOWER_CLOTHES)
    lower = None
    if lower_seen.sum() > 0.05 * body.unit**2:
        core = cv2.erode(lower_seen.astype(np.uint8), np.ones((5, 5), np.uint8))
        lower = continue_picture(person.image, 1 - core, fade=1.5 * body.unit)
    return Agnostic(background, _skin(person, body), lower, arms, legs, trunk)


def continue_picture(image: U8, hidden: U8, *, fade: float) -> U8:
    """The picture with its hidden pixels made up from the seen ones.

    Args:
        image: `(H, W, 3) uint8`.
        hidden: `(H, W) uint8`, non-zero = unknown.
        fade: distance in pixels over which mirrored texture gives way to a smooth fill.
    """
    if not hidden.any():
        return image
    smooth = pull_push(image, (hidden == 0).astype(np.float32))
    if hidden.all():
        return smooth
    distance, labels = cv2.distanceTransformWithLabels(
        (hidden > 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    seen_y, seen_x = np.nonzero(hidden == 0)
    nearest = np.zeros((int(labels.max()) + 1, 2), np.int32)
    nearest[labels[seen_y, seen_x]] = np.stack([seen_y, seen_x], axis=1)
    y, x = np.nonzero(hidden)
    edge = nearest[labels[y, x]]
    my = np.clip(2 * edge[:, 0] - y, 0, image.shape[0] - 1)
    mx = np.clip(2 * edge[:, 1] - x, 0, image.shape[1] - 1)
    weight = np.exp(-((distance[y, x] / fade) ** 2)) * (hidden[my, mx] == 0)
    field = np.zeros(hidden.shape, np.float32)
    field[y, x] = weight
    field = np.minimum(cv2.GaussianBlur(field, (0, 0), max(1.0, fade / 40)), np.where(hidden > 0, 1, 0))
    mirrored = smooth.copy()
    mirrored[y, x] = image[my, mx]
    blend = field[..., None] * mirrored + (1 - field[..., None]) * smooth
    result = image.copy()
    result[y, x] = np.clip(blend[y, x] + 0.5, 0, 255).astype(np.uint8)
    return result


def pull_push(image: U8, known: F32, *, work: int = WORK) -> U8:
    """A smooth picture through the known pixels (weights 0..1), computed at a reduced size."""
    height, width = known.shape
    scale = min(1.0, work / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(image.astype(np.float32) * known[..., None], size, interpolation=cv2.INTER_AREA)
    stack = [(colour, weight)]
    while min(stack[-1][1].shape) > 2:
        c, w = stack[-1]
        stack.append((cv2.pyrDown(c), cv2.pyrDown(w)))
    c, w = stack[-1]
    filled = c / np.maximum(w, 1e-6)[..., None]
    for c, w in reversed(stack[:-1]):
        up = cv2.resize(filled, (w.shape[1], w.shape[0]), interpolation=cv2.INTER_LINEAR)
        trust = np.minimum(w * 4, 1.0)[..., None]
        filled = trust * c / np.maximum(w, 1e-6)[..., None] + (1 - trust) * up
    full = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(full + 0.5, 0, 255).astype(np.uint8)


def _masks(person: Person, body: Body) -> tuple[U8, U8, U8]:
    shape = (person.silhouette.shape[0], person.silhouette.shape[1])
    blur = max(0.8, 0.010 * body.unit)

    def soft(mask: U8) -> U8:
        return cast(U8, cv2.GaussianBlur(mask, (0, 0), blur))

    arms = np.zeros(shape, np.uint8)
    legs = np.zeros(shape, np.uint8)
    for side in SIDES:
        arms |= limb_mask(body.arms[side], shape, end=body.arms[side].end)
        legs |= limb_mask(body.legs[side], shape, end=body.legs[side].end + 0.1 * body.unit)
    trunk = np.zeros(shape, np.uint8)
    levels = body.levels[(body.levels > -0.05 * body.unit) & (body.levels < body.torso + 0.3 * body.unit)]
    sides = [
        body.point(levels, sign * body.half_width(levels, side)) for side, sign in zip(SIDES, (1, -1), strict=True)
    ]
    top = [body.shoulder_contour(x) for x in np.linspace(-0.62, 0.62, 21)]
    outline = np.concatenate([np.stack(top), sides[0], sides[1][::-1]])
    cv2.fillPoly(trunk, [np.round(outline * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    chin = (person.joint(9).astype(float) + person.joint(10)) / 2  # type: ignore[arg-type]
    start, stop = body.neck - body.down * 0.1 * body.unit, 0.75 * chin + 0.25 * body.neck
    cv2.line(trunk, tuple(np.round(start).astype(int)), tuple(np.round(stop).astype(int)), 255, round(0.36 * body.unit))
    return soft(arms), soft(legs), soft(trunk)


def _skin(person: Person, body: Body) -> U8:
    """Skin for the whole body: the colours seen nearby, shaded as round limbs, with the photo's grain."""
    legs = _clean(person, body, person.is_part(Part.LEFT_LEG, Part.RIGHT_LEG))
    rest = _clean(person, body, person.is_part(*(SKIN_PARTS - {Part.LEFT_LEG, Part.RIGHT_LEG})))
    bare = rest if rest.sum() > 50 else legs
    tone = _tone(person.image, bare)
    upper = _coloured(person.image, bare, tone, body)
    if legs.sum() > 0.02 * body.unit**2:
        below = _coloured(person.image, legs, _tone(person.image, legs), body)
        level = (np.indices(bare.shape).transpose(1, 2, 0)[..., ::-1] - body.neck) @ body.down
        mix = np.clip((level - body.torso) / (0.3 * body.unit), 0, 1).astype(np.float32)[..., None]
        upper = (upper * (1 - mix) + below * mix).astype(np.float32)
    shaded = upper * _roundness(body, bare.shape)[..., None]
    grain = np.random.default_rng(0).normal(0, 1.3, bare.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.7) * 1.6
    return np.clip(shaded + grain[..., None] + 0.5, 0, 255).astype(np.uint8)


def _clean(person: Person, body: Body, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a region of skin away from its edges, without lips, eyes, shine and deep shadow."""
    skin = where.astype(np.uint8)
    reach = max(1, round(0.012 * body.unit))
    core = cv2.erode(skin, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    if core.sum() < 30:
        core = skin > 0
    if core.sum() < 30:
        return cast(NDArray[np.bool_], core)
    lab = cv2.cvtColor(person.image, cv2.COLOR_RGB2LAB).astype(np.int16)
    values = lab[core]
    middle = np.median(values, axis=0)
    spread = np.maximum(np.median(np.abs(values - middle), axis=0) * 1.5, (14, 5, 5))
    return cast(NDArray[np.bool_], core & (np.abs(lab - middle) < 2.2 * spread).all(axis=2))


def _tone(image: U8, where: NDArray[np.bool_]) -> F32:
    if not where.any():
        return np.array([200, 160, 140], np.float32)  # nothing bare is seen: a middle tone
    pixels = image[where].astype(np.float32)
    light = pixels.sum(axis=1)
    low, high = np.percentile(light, [35, 85])
    return np.asarray(np.median(pixels[(light >= low) & (light <= high)], axis=0), np.float32)


def _coloured(image: U8, where: NDArray[np.bool_], tone: F32, body: Body) -> F32:
    """A smooth colour field: the skin seen nearby, and the overall tone away from it."""
    known = where.astype(np.float32)
    smooth = pull_push(image, known).astype(np.float32)
    scale = min(1.0, WORK / max(where.shape))
    small = cv2.resize(known, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    near = cv2.GaussianBlur(small, (0, 0), max(1.0, 0.22 * body.unit * scale))
    near = cv2.resize(np.clip(near * 3, 0, 0.75), (where.shape[1], where.shape[0]))[..., None]
    return np.asarray(near * smooth + (1 - near) * tone, np.float32)


def _roundness(body: Body, shape: tuple[int, ...]) -> F32:
    """Shading 0.7..1.05 of round arms, legs and trunk lit from the camera's side."""
    scale = min(1.0, WORK / max(shape))
    small = (max(4, round(shape[0] * scale)), max(4, round(shape[1] * scale)))
    shade = np.full(small, 0.98, np.float32)
    for limb in (*body.legs.values(), *body.arms.values()):
        mask = limb_mask(limb, small, scale=scale)
        inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        thick = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=max(1, round(0.15 * body.unit * scale / 2)))
        t = np.clip(1 - inside / np.maximum(thick, 1e-3), 0, 1)
        shade = np.where(mask > 0, 1.03 - 0.27 * t**2.5, shade).astype(np.float32)
    shade = cv2.GaussianBlur(shade, (0, 0), max(0.6, 0.02 * body.unit * scale))
    return cast(F32, cv2.resize(shade, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))
