"""What is behind the old clothes: bare skin, the ground, and the rest of the trousers or skirt.

Each is estimated for the whole person once, from what the photo shows; which pixel takes which is decided later, when
the new garment is known. The ground and the lower garment are continued by mirroring the picture at the edge of what is
seen, so that their texture goes on, and fade into a smooth multi-scale fill (pull-push; Gortler et al. 1996)
further in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import SIDES, Body, Limb, limb_mask
from vestiary.fitting.light import side_light
from vestiary.fitting.smooth import blur
from vestiary.types import LOWER_CLOTHES, UPPER_CLOTHES, Part, Person

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
        lower_end: pixels down the torso's axis to which the lower garment is worn; endless for trousers.
    """

    background: U8
    skin: U8
    lower: U8 | None
    arms: U8
    legs: U8
    trunk: U8
    lower_end: float = math.inf


def undress(person: Person, body: Body) -> Agnostic:
    """All that may show when clothes are taken away."""
    arms, legs, trunk = body_masks(person, body)
    reach = max(2, round(0.035 * body.unit))
    around = cv2.dilate(person.silhouette, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    somebody = cv2.bitwise_or(cv2.compare(around, 60, cv2.CMP_GT), cv2.compare(person.parts, 0, cv2.CMP_GT))
    clothes = cv2.dilate(
        person.is_part(*UPPER_CLOTHES, *LOWER_CLOTHES).view(np.uint8), np.ones((reach, reach), np.uint8)
    )
    background = continue_picture(person.image, somebody, clothes, fade=0.5 * body.unit)
    lower_seen, lower_end = _seen_below(person, body)
    lower = None
    if lower_seen.sum() > 0.05 * body.unit**2:
        core = cv2.erode(lower_seen.view(np.uint8), np.ones((5, 5), np.uint8))
        below = cv2.bitwise_and(cv2.bitwise_or(trunk, legs), clothes * 255)
        lower = continue_picture(person.image, 1 - core, below, fade=1.5 * body.unit)
    return Agnostic(background, _skin(person, body), lower, arms, legs, trunk, lower_end)


def _seen_below(person: Person, body: Body) -> tuple[NDArray[np.bool_], float]:
    """Where the lower garment is seen, or else the skirt of a dress; and how far down the torso's axis it is worn."""
    seen = person.is_part(*LOWER_CLOTHES)
    enough = 0.05 * body.unit**2
    if seen.sum() > enough:
        bare = person.is_part(Part.LEFT_LEG, Part.RIGHT_LEG).sum() > 3 * enough
        return seen, float(np.percentile(_levels(seen, body), 99)) if bare else math.inf
    dress = person.is_part(Part.DRESS)
    low = _levels(dress, body) > body.torso - 0.45 * body.unit
    if low.sum() <= enough:
        return seen, math.inf
    skirt = np.zeros_like(dress)
    skirt[dress] = low
    return skirt, float(np.percentile(_levels(skirt, body), 99))


def _levels(where: NDArray[np.bool_], body: Body) -> NDArray[np.float64]:
    """Pixels down the torso's axis of each pixel of a mask, in the order of its pixels."""
    y, x = np.nonzero(where)
    return np.asarray((x - body.neck[0]) * body.down[0] + (y - body.neck[1]) * body.down[1], np.float64)


def continue_picture(image: U8, hidden: U8, wanted: U8, *, fade: float) -> U8:
    """The picture with its hidden pixels made up from the seen ones.

    Args:
        image: `(H, W, 3) uint8`.
        hidden: `(H, W) uint8`, non-zero = unknown.
        wanted: `(H, W) uint8`, non-zero = where texture matters; elsewhere a smooth fill will do.
        fade: distance in pixels over which mirrored texture gives way to a smooth fill.
    """
    if not hidden.any():
        return image
    smooth = pull_push(image, cv2.compare(hidden, 0, cv2.CMP_EQ))
    if hidden.all():
        return smooth
    distance, labels = cv2.distanceTransformWithLabels(hidden, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    height, width = hidden.shape
    seen = np.flatnonzero(hidden == 0)
    nearest = np.zeros(int(labels.max()) + 1, np.int32)
    nearest[labels.ravel()[seen]] = seen
    inside = np.flatnonzero((distance > 0) & (distance < 1.6 * fade) & (wanted > 0))
    edge_y, edge_x = np.divmod(nearest[labels.ravel()[inside]], width)
    y, x = np.divmod(inside, width)
    mirror = np.clip(2 * edge_y - y, 0, height - 1) * width + np.clip(2 * edge_x - x, 0, width - 1)
    weight = np.zeros(hidden.size, np.float32)
    weight[inside] = np.exp(-((distance.ravel()[inside] / fade) ** 2)) * (hidden.ravel()[mirror] == 0)
    weight = blur(weight.reshape(hidden.shape), max(1.0, fade / 40)).ravel()[inside, None]
    result = np.where(hidden[..., None] > 0, smooth, image).reshape(-1, 3)
    mirrored = result[mirror]  # not the photo's pixels: where the mirror shows what is hidden, that would come back
    result[inside] = weight * mirrored + (1 - weight) * result[inside] + 0.5
    return result.reshape(image.shape)


def pull_push(image: U8, known: U8, *, work: int = WORK) -> U8:
    """A smooth picture through the known pixels (weights 0..255), computed at a reduced size."""
    small, weight = _reduce(image, known, work / max(known.shape))
    return cast(U8, cv2.resize(cv2.convertScaleAbs(_fill(small, weight)), known.shape[::-1]))


def _reduce(image: U8, known: U8, scale: float) -> tuple[F32, F32]:
    """Colours multiplied by their weights, and the weights 0..1, at a reduced size."""
    scale = min(scale, 1.0)
    size = (max(4, round(known.shape[1] * scale)), max(4, round(known.shape[0] * scale)))
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    hidden = cv2.bitwise_and(image, image, mask=known)
    return cv2.resize(hidden, size, interpolation=cv2.INTER_AREA).astype(np.float32), weight


def _fill(colour: F32, weight: F32) -> F32:
    """Pull and push: weighted colours averaged up a pyramid and handed down to where there are none."""
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
    return np.asarray(filled, np.float32)


def body_masks(person: Person, body: Body) -> tuple[U8, U8, U8]:
    """`(H, W) uint8` each: soft masks of bare arms, bare legs, and the trunk with the neck, as in `Agnostic`."""
    shape = (person.silhouette.shape[0], person.silhouette.shape[1])
    sigma = max(0.8, 0.010 * body.unit)

    def soft(mask: U8) -> U8:
        return cast(U8, cv2.GaussianBlur(mask, (0, 0), sigma))

    arms = np.zeros(shape, np.uint8)
    legs = np.zeros(shape, np.uint8)
    for side in SIDES:
        arms |= limb_mask(body.arms[side], shape, end=body.arms[side].end)
        _join_hand(arms, person, body.arms[side], body.unit)
        legs |= limb_mask(body.legs[side], shape, end=body.legs[side].end + 0.1 * body.unit)
    trunk = np.zeros(shape, np.uint8)
    levels = body.levels[(body.levels > -0.05 * body.unit) & (body.levels < body.torso + 0.10 * body.unit)]
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


def _join_hand(arms: U8, person: Person, limb: Limb, unit: float) -> None:
    """Draw the wrist on to the hand where one is seen nearby: an old cuff may hide what lies between."""
    wrist, reach = limb.at(limb.end), 0.5 * unit
    x, y = (int(v) for v in np.maximum(wrist - reach, 0))
    around = person.parts[y : max(int(wrist[1] + reach), 0), x : max(int(wrist[0] + reach), 0)]
    places = np.argwhere(around == Part[f"{limb.side.upper()}_HAND"])[:, ::-1] + (x, y)
    away = np.linalg.norm(places - wrist, axis=1)
    if not len(away) or away.min() > reach:
        return
    root = places[away < away.min() + 0.12 * unit].mean(axis=0)
    ends = np.round(np.stack([wrist, root]) * 8).astype(np.int32)
    cv2.polylines(arms, [ends], False, 255, max(1, round(2 * float(limb.radius(limb.end)))), cv2.LINE_8, 3)


_ARMS = (Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_HAND, Part.RIGHT_HAND)


def _skin(person: Person, body: Body) -> U8:
    """Skin for the whole body: the colours seen nearby, shaded as round limbs, with the photo's grain."""
    full = person.silhouette.shape
    scale = min(1.0, WORK / max(full))
    size = (max(8, round(full[1] * scale)), max(8, round(full[0] * scale)))
    image = cv2.resize(person.image, size, interpolation=cv2.INTER_AREA)
    parts = cv2.resize(person.parts, size, interpolation=cv2.INTER_NEAREST)
    unit = body.unit * scale
    legs = _clean(image, np.isin(parts, (Part.LEFT_LEG, Part.RIGHT_LEG)), unit)
    arms = _clean(image, np.isin(parts, _ARMS), unit)
    face = _clean(image, np.isin(parts, (Part.FACE, Part.NECK)), unit)
    enough = 0.02 * unit**2
    if not _is_skin(_tone(image, arms)):  # gloves, or something in the hand
        arms = np.zeros_like(arms)
    tone = _bare_tone(image, arms, face, legs, enough)
    skin = _coloured(image, arms | face, tone, unit)
    if legs.sum() > enough:
        y, x = np.ogrid[: size[1], : size[0]]
        level = (x / scale - body.neck[0]) * body.down[0] + (y / scale - body.neck[1]) * body.down[1]
        mix = np.clip((level - body.torso) / (0.3 * body.unit), 0, 1).astype(np.float32)
        for limb in body.arms.values():  # an arm that hangs lower than the hips has not the colour of tights
            mix[limb_mask(limb, (size[1], size[0]), scale=scale, grow=1.2) > 0] = 0
        mix = cv2.blur(mix, (3, 3))[..., None]
        skin += mix * (_coloured(image, legs, _tone(image, legs), unit) - skin)
    skin *= _roundness(person, body, (size[1], size[0]), scale)[..., None]
    large = cv2.resize(skin, (full[1], full[0]), interpolation=cv2.INTER_LINEAR)
    grain = np.empty((full[0], full[1]), np.float32)
    cv2.setRNGSeed(0)
    cv2.randn(grain, 0, 1.5)
    large += cv2.GaussianBlur(grain, (0, 0), 0.7)[..., None]
    return cast(U8, cv2.convertScaleAbs(np.maximum(large, 0)))


def _bare_tone(
    image: U8, arms: NDArray[np.bool_], face: NDArray[np.bool_], legs: NDArray[np.bool_], enough: float
) -> F32:
    """The skin's overall colour: that of the arms, or of the face where little more than fingers is seen.

    A face is redder and often darker (hat, hair, make-up) than the body, and a hand may lie in shadow or glare.
    """
    hands = _tone(image, arms)
    if arms.sum() > enough or not face.any():
        return hands if arms.any() or not legs.any() else _tone(image, legs)
    tone = _tone(image, face)
    tone = tone * 0.90 + 0.10 * tone.mean()
    return np.asarray((hands + tone) / 2 if arms.sum() > 0.4 * enough else tone, np.float32)


def _is_skin(tone: F32) -> bool:
    """Whether a colour can be skin: redder than green, and more red than blue, in any light."""
    return bool(tone[0] > 1.04 * tone[1] and tone[0] > 1.04 * tone[2])


def _clean(image: U8, where: NDArray[np.bool_], unit: float) -> NDArray[np.bool_]:
    """The pixels of a region of skin away from its edges, without lips, eyes, shine and deep shadow."""
    skin = where.astype(np.uint8)
    reach = max(1, round(0.012 * unit))
    core = np.asarray(cv2.erode(skin, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0)
    if core.sum() < 30:
        core = where
    if core.sum() < 30:
        return core
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int16)
    values = lab[core]
    middle = np.median(values, axis=0)
    spread = np.maximum(np.median(np.abs(values - middle), axis=0) * 1.5, (14, 5, 5))
    return np.asarray(core & (np.abs(lab - middle) < 2.2 * spread).all(axis=2), bool)


def _tone(image: U8, where: NDArray[np.bool_]) -> F32:
    if not where.any():
        return np.array([200, 160, 140], np.float32)  # nothing bare is seen: a middle tone
    pixels = image[where].astype(np.float32)
    light = pixels.sum(axis=1)
    low, high = np.percentile(light, [35, 85])
    return np.asarray(np.median(pixels[(light >= low) & (light <= high)], axis=0), np.float32)


def _coloured(image: U8, where: NDArray[np.bool_], tone: F32, unit: float) -> F32:
    """A smooth colour field: the skin seen nearby, and the overall tone away from it."""
    if not where.any():
        return np.broadcast_to(tone, image.shape).astype(np.float32)
    known = where.astype(np.float32)
    smooth = _fill(image * known[..., None], known)
    near = cv2.GaussianBlur(known, (0, 0), max(1.0, 0.22 * unit))
    near = np.clip(near * 3, 0, 0.95)[..., None]
    return np.asarray(near * smooth + (1 - near) * tone, np.float32)


def _roundness(person: Person, body: Body, size: tuple[int, int], scale: float) -> F32:
    """Shading 0.72..1.08 of round arms, legs and trunk, lit from the camera and from the brighter side."""
    tilt = side_light(person, body)
    shade = np.full(size, 1.0, np.float32)
    for limb in (*body.legs.values(), *body.arms.values()):
        mask = limb_mask(limb, size, scale=scale)
        if not mask.any():
            continue
        inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        reach = 2 * max(1, round(float(limb.radii.max()) * scale)) + 1
        thick = cv2.GaussianBlur(cv2.dilate(inside, np.ones((reach, reach), np.uint8)), (0, 0), reach / 4)
        t = np.clip(1 - inside / np.maximum(thick, 1e-3), 0, 1)
        across = np.clip(cv2.Sobel(inside, cv2.CV_32F, 1, 0, ksize=5) / 128, -1, 1) * np.sign(body.left[0])
        shade = np.where(mask > 0, 1.07 - 0.30 * t**1.8 - 0.6 * tilt * across * t, shade).astype(np.float32)
    return cast(F32, cv2.GaussianBlur(shade, (0, 0), max(0.6, 0.025 * body.unit * scale)))
