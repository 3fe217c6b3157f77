"""What is in front of what: old clothes go, new pieces are laid down in order, hair, hands and bags stay on top."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting import light
from vestiary.fitting.agnostic import Agnostic
from vestiary.fitting.body import SIDES, Body, Limb, limb_mask
from vestiary.fitting.cloth import Cloth
from vestiary.fitting.removal import in_front, legs_from, levels_of, removed, waistband
from vestiary.fitting.smooth import blur
from vestiary.types import LOWER, Part, Person

SLEEVED = 0.35  # shoulder units: a garment that reaches so far down the arm covers the whole shoulder

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


class Kind(enum.IntEnum):
    """What a pixel of the new picture shows."""

    PHOTO = 0
    GROUND = 1  # made up
    SKIN = 2  # made up
    LOWER = 3  # the worn lower garment, continued
    CLOTH = 4  # the new garment


@dataclass
class Canvas:
    """The picture being built.

    Attributes:
        colour: `(H, W, 3) float32` 0..255.
        edited: `(H, W) uint8`, 255 where it may differ from the photo.
        kind: `(H, W) uint8` of `Kind`.
        layers: intermediate pictures by name.
        matte: `(H, W) float32` 0..1, how much of each pixel is the wearer; None where nobody asks for it.
        bare_matte: the same before anything new is put on.
    """

    colour: F32
    edited: U8
    kind: U8
    layers: dict[str, U8] = field(default_factory=dict)
    matte: F32 | None = None
    bare_matte: F32 | None = None

    def lay(
        self, colour: F32 | U8, alpha: F32, box: tuple[int, int, int, int] | None = None, kind: Kind | None = None
    ) -> None:
        """Blend colours over the picture; what shows there is then of this kind."""
        height, width = self.edited.shape
        x0, y0, x1, y1 = box or (0, 0, width, height)
        under = self.colour[y0:y1, x0:x1]
        under += alpha[..., None] * (colour.astype(np.float32, copy=False) - under)
        edited = self.edited[y0:y1, x0:x1]
        edited[alpha > 1 / 512] = 255
        if kind is not None:
            self.kind[y0:y1, x0:x1][alpha > 0.5] = kind
        if self.matte is not None:
            matte = self.matte[y0:y1, x0:x1]
            matte += alpha * (np.float32(kind != Kind.GROUND) - matte)

    def shade(self, gain: F32) -> None:
        """Darken the picture (shadows)."""
        self.colour *= gain[..., None]
        self.edited[gain < 1 - 1 / 200] = 255


def compose(
    photo: U8,
    person: Person,
    body: Body,
    agnostic: Agnostic,
    cloths: Sequence[Cloth],
    old_light: F32,
    *,
    tuck: bool,
    shading: float,
    matte: F32 | None = None,
) -> Canvas:
    """The new picture of the person.

    Args:
        photo: `(H, W, 3)`.
        cloths: in the order in which they are put on.
        old_light: log gain from `light.old_light`.
        tuck: tops go into the waistband.
        shading: 0 = the garment's own shading only, 1 = all of the photo's light.
        matte: `(H, W) float32` 0..1, how much of each pixel of the photo is the person; followed through the layers
            when given.
    """
    canvas = Canvas(photo.astype(np.float32), *np.zeros((2, *photo.shape[:2]), np.uint8))
    canvas.matte = None if matte is None else matte.copy()
    level = levels_of(body, photo.shape[:2])
    covered = _coverage(cloths, photo.shape[:2])
    waist = waistband(person, body, cloths, level)
    gone = removed(person, body, cloths, level, tuck=tuck)
    take_away(canvas, body, agnostic, gone, cloths, level, waist)
    canvas.layers["agnostic"] = np.clip(canvas.colour + 0.5, 0, 255).astype(np.uint8)
    canvas.bare_matte = None if canvas.matte is None else canvas.matte.copy()
    arms, arms_colour = bare_arms(photo, person, body, agnostic, gone, cloths)
    front = in_front(person, body, cloths, tuck=tuck)
    front[gone > 127] = 0  # no rim of old clothes along hair and hands
    tilt = light.side_light(person, body)
    order = _order(cloths, tuck)
    shadows = light.cast_shadow(np.maximum(front, 0.6 * arms), 0.10 * body.unit, 0.30)
    canvas.shade(_hem_shadow(covered, gone, front, _wearer(person, agnostic, gone), body))
    sleeves = [(cloth, name) for cloth in order for name in cloth.pieces if name.endswith("sleeve")]
    hidden = [(cloth, name) for cloth, name in sleeves if name.removesuffix("_sleeve") in body.behind]
    for cloth, name in hidden:
        _lay_piece(canvas, cloth, name, body, old_light, shadows, tilt, shading, cut=None)
    for cloth in order:
        for name in [n for n in cloth.pieces if not n.endswith("sleeve")]:
            _lay_piece(
                canvas, cloth, name, body, old_light, shadows, tilt, shading, cut=_cut(cloth, waist, level, body, tuck)
            )
    if any(not c.is_lower for c in cloths):
        canvas.lay(arms_colour, arms, kind=Kind.SKIN)
        canvas.kind[(arms > 0.5) & ((gone < 128) | person.is_part(Part.LEFT_ARM, Part.RIGHT_ARM))] = Kind.PHOTO
        for cloth, name in [item for item in sleeves if item not in hidden]:
            _lay_piece(canvas, cloth, name, body, old_light, shadows, tilt, shading, cut=None)
    canvas.layers["front"] = np.round(front * 255).astype(np.uint8)
    keep = front * (canvas.edited > 0)
    canvas.colour += keep[..., None] * (photo - canvas.colour)
    if canvas.matte is not None and matte is not None:
        canvas.matte += keep * (matte - canvas.matte)
    canvas.kind[(front > 0.5) | (canvas.edited == 0)] = Kind.PHOTO
    return canvas


def _order(cloths: Sequence[Cloth], tuck: bool) -> list[Cloth]:
    rank = {"top": 1, "dress": 1, "outerwear": 3}
    return sorted(cloths, key=lambda c: (2 if tuck else 0) if c.is_lower else rank[c.garment.category])


def _coverage(cloths: Sequence[Cloth], shape: tuple[int, ...]) -> F32:
    total = np.zeros(shape, np.float32)
    for cloth in cloths:
        for piece in cloth.pieces.values():
            x0, y0, x1, y1 = piece.box
            np.maximum(total[y0:y1, x0:x1], piece.alpha, out=total[y0:y1, x0:x1])
    return total


def take_away(
    canvas: Canvas, body: Body, agnostic: Agnostic, gone: U8, cloths: Sequence[Cloth], level: F32, waist: float
) -> None:
    """Fill what the old clothes covered: ground, then trousers or skirt, then skin."""
    kinds = {cloth.garment.category for cloth in cloths}
    away = gone.astype(np.float32) / 255.0
    canvas.lay(agnostic.background, away, kind=Kind.GROUND)
    trunk, arms, legs = (m.astype(np.float32) / 255.0 for m in (agnostic.trunk, agnostic.arms, agnostic.legs))
    keeps_lower = agnostic.lower is not None and not kinds & (LOWER | {"dress"})
    below = np.clip((level - waist) / (0.02 * body.unit) + 0.5, 0, 1)
    if keeps_lower and agnostic.lower_end < math.inf:
        below *= np.clip((agnostic.lower_end - level) / (0.02 * body.unit) + 0.5, 0, 1)
    skin = np.maximum(trunk * ((1 - below) if keeps_lower else 1), arms)
    if kinds & (LOWER | {"dress"}):
        skin = np.maximum(skin, legs * (level > legs_from(cloths) - 0.15 * body.unit))
    elif not keeps_lower or agnostic.lower_end < math.inf:
        skin = np.maximum(skin, legs)
    skin = skin * _not_under_sleeves(body, cloths, canvas.edited.shape)
    canvas.lay(agnostic.skin, away * skin, kind=Kind.SKIN)
    if keeps_lower and agnostic.lower is not None:
        canvas.lay(agnostic.lower, away * np.maximum(trunk, legs) * below * (1 - arms), kind=Kind.LOWER)


def _not_under_sleeves(body: Body, cloths: Sequence[Cloth], shape: tuple[int, int]) -> F32:
    """0 on the outer half of the shoulders that get a sleeve, 1 elsewhere: a sleeve lets no skin show outside of it."""
    hidden = np.zeros(shape, np.uint8)
    for side in SIDES:
        if max((c.placement.cuffs[side] for c in cloths), default=0.0) < SLEEVED * body.unit:
            continue
        limb = body.arms[side]
        root = limb_mask(limb, shape, grow=2.0, end=SLEEVED * body.unit) > 0
        rows, columns = np.nonzero(root)
        middle, outward = limb.at(0.5 * SLEEVED * body.unit), limb.outward(0.5 * SLEEVED * body.unit)
        beyond = (columns - middle[0]) * outward[0] + (rows - middle[1]) * outward[1] > 0
        hidden[rows[beyond], columns[beyond]] = 255
    return cast(F32, 1 - cv2.GaussianBlur(hidden, (0, 0), 0.8).astype(np.float32) / 255)


def bare_arms(
    photo: U8, person: Person, body: Body, agnostic: Agnostic, gone: U8, cloths: Sequence[Cloth]
) -> tuple[F32, F32]:
    """The arms as they will be in front of the torso: mask 0..1 and colours; sleeves are laid over them later.

    Where a new sleeve will cover the arm anyway, and at the shoulder, which belongs to the torso, there is no arm.
    """
    bare = person.is_part(Part.LEFT_ARM, Part.RIGHT_ARM)
    limbs = bare | person.is_part(Part.LEFT_HAND, Part.RIGHT_HAND)
    # The hands are laid on top later: of two soft edges at the wrist, one would let the cloth behind shine through.
    seen = cv2.GaussianBlur(bare.astype(np.float32), (0, 0), 0.8)
    seen[limbs] = cv2.GaussianBlur(limbs.astype(np.float32), (0, 0), 0.8)[limbs]
    made = agnostic.arms.astype(np.float32) / 255 * (gone.astype(np.float32) / 255)
    colour = photo.astype(np.float32)
    made_only = made * (1 - seen)
    # On the soft edge too the made-up arm has the colour of skin: the photo has the old sleeve's there.
    share = (made_only + 1e-3 * (gone.astype(np.float32) / 255)) / (made_only + seen + 1e-3)
    colour += share[..., None] * (agnostic.skin - colour)
    arms = np.maximum(seen, made)
    for side in SIDES:
        reach = max((c.placement.cuffs[side] for c in cloths), default=0.0)
        start = max(0.92 * reach, 0.20 * body.unit)
        root = limb_mask(body.arms[side], arms.shape, grow=1.7, end=start)
        arms = arms * np.where((root > 0) & ~_beyond(body.arms[side], arms.shape, start), 0, 1)
        if side in body.behind:
            arms = arms * (1 - limb_mask(body.arms[side], arms.shape, grow=1.3) / 255 * (agnostic.trunk / 255))
    return cast(F32, cv2.GaussianBlur(arms.astype(np.float32), (0, 0), 0.8)), colour


def _beyond(limb: Limb, shape: tuple[int, int], start: float) -> NDArray[np.bool_]:
    """The limb past a length along it, with a straight end: a round one would show in the armpit, above the cuff."""
    width = 2 * float(limb.radius(start))
    near = limb_mask(limb, shape, grow=1.7, start=start, end=start + width) > 0
    here, further = limb.at(np.array([start, start + 0.5 * width]))
    along = (further - here) / max(float(np.linalg.norm(further - here)), 1e-6)
    rows, columns = np.nonzero(near)
    near[rows, columns] = (columns - here[0]) * along[0] + (rows - here[1]) * along[1] >= 0
    return near | (limb_mask(limb, shape, grow=1.7, start=start + width) > 0)


def _cut(cloth: Cloth, waist: float, level: F32, body: Body, tuck: bool) -> F32 | None:
    """For a tucked top: 1 above the waistband, 0 below."""
    if not tuck or cloth.garment.category != "top":
        return None
    inside = waist + 0.08 * body.unit
    return np.asarray(np.clip((inside - level) / (0.01 * body.unit) + 0.5, 0, 1), np.float32)


def _wearer(person: Person, agnostic: Agnostic, gone: U8) -> F32:
    """`(H, W) float32` 0..1: where the picture without the old clothes shows the person and not the ground."""
    bare = cv2.max(cv2.max(agnostic.trunk, agnostic.arms), agnostic.legs).astype(np.float32) / 255
    stays = (person.parts > 0) & (gone < 128)
    return np.asarray(np.maximum(bare, stays), np.float32)


def _hem_shadow(covered: F32, gone: U8, front: F32, wearer: F32, body: Body) -> F32:
    """The garment's own shadow on skin and on what is worn below it; the ground is too far behind to get one."""
    gain = light.cast_shadow(covered, 0.055 * body.unit, 0.38, drop=0.5)
    near = blur(np.maximum(covered, gone.astype(np.float32) / 255), max(1.0, 0.03 * body.unit))
    return cast(F32, (1 - (1 - gain) * np.clip(near * 2, 0, 1) * (1 - front) * wearer).astype(np.float32))


def _lay_piece(
    canvas: Canvas,
    cloth: Cloth,
    name: str,
    body: Body,
    old_light: F32,
    shadows: F32,
    tilt: float,
    shading: float,
    cut: F32 | None,
) -> None:
    piece = cloth.pieces[name]
    x0, y0, x1, y1 = piece.box
    if name in ("torso", "skirt"):
        gain = light.form(body, old_light.shape, piece.box)
    else:
        limb = (body.arms if name.endswith("sleeve") else body.legs)["left" if name.startswith("left") else "right"]
        gain = light.tube(piece.alpha, 1.25 * float(limb.radius(limb.joint * 0.6)))
    toward = ((np.arange(x0, x1) - body.neck[0]) * np.sign(body.left[0]) / body.unit).clip(-0.8, 0.8)
    slope = np.exp(0.5 * tilt * toward).astype(np.float32)[None]
    gain = (gain * slope * np.exp(old_light[y0:y1, x0:x1])) ** shading
    gain = gain * shadows[y0:y1, x0:x1]
    alpha = piece.alpha if cut is None else piece.alpha * cut[y0:y1, x0:x1]
    canvas.lay(np.clip(piece.colour * gain[..., None], 0, 255), alpha, piece.box, Kind.CLOTH)
