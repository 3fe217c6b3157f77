"""Pairs for the refiner out of single photos: a real person, taken apart as the engine would see and build them anew.

The clothes in the photo play the new garment: they are cut out, their light is flattened, their edges are disturbed.
The old garment is invented: longer sleeves, trouser legs and collars, and a looser cut, are painted into the part map
over bare skin and ground. Then the engine's own steps take the invented clothes away and put the worn ones back on.
What comes out has the engine's own faults, and the photo says what it should look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting import agnostic, layers
from vestiary.fitting.agnostic import continue_picture
from vestiary.fitting.body import SIDES, Body, Limb, Side, limb_mask
from vestiary.fitting.cloth import Cloth
from vestiary.fitting.deform import Piece
from vestiary.fitting.drape import Placement
from vestiary.fitting.refine import working_picture
from vestiary.fitting.removal import levels_of
from vestiary.types import LOWER_CLOTHES, SKIN_PARTS, UPPER_CLOTHES, Category, Garment, Part, Person

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]

LEAST = 0.12  # squared shoulder units of clothes that are worth playing the new garment
PLAIN_CHROMA, PLAIN_ROUGHNESS = 9.0, 0.24  # spreads up to which a garment counts as plain
DARKEST, BRIGHTEST = 3.7, 5.4  # log: folds of black cloth drown in noise, those of white cloth in the sky


@dataclass(frozen=True)
class Pair:
    """What the engine made, as the refiner's working picture, and what it should have made.

    Attributes:
        working: `(h, w, 19) uint8` of `refine.CHANNELS`.
        target: `(h, w, 3) uint8`.
        valid: `(h, w) uint8`, 0 where the target shows something else than what was made up (255 = the same kind).
    """

    working: U8
    target: U8
    valid: U8


def make_pair(
    person: Person, shape: Body, old_light: F32, tiles: Sequence[U8], rng: np.random.Generator, unit: float
) -> Pair | None:
    """One disturbed version of a person; None when there is nothing to play the new garment.

    Args:
        person: a scan, cut to its window, with about `unit` pixels to the shoulder unit.
        shape: measured on the unchanged scan, so that made-up limbs lie where the real ones are.
        old_light: of any person, this size.
        tiles: pictures of flat cloth.
    """
    worn = _choose(person, shape, rng)
    if not worn:
        return None
    old = with_old_clothes(person, shape, set(worn), rng)
    target = person.image.astype(np.float32)
    cloths = []
    for category, mask in worn.items():
        colour = flatten(person, mask, shape.unit, rng)
        shade, plain = shading_of(person, mask, shape.unit)
        if plain.any() and rng.random() < 0.7:
            tile = cover(tiles[int(rng.integers(len(tiles)))], mask.shape, shape.unit, rng)
            soft = cv2.GaussianBlur(plain.astype(np.float32), (0, 0), 0.7)[..., None]
            colour += soft * (tile - colour)
            target += soft * (np.clip(tile * np.exp(shade)[..., None], 0, 255) - target)
        colour = np.clip(colour * own_light(mask, shape.unit, rng)[..., None], 0, 255)
        cloths.append(_dress(category, mask, colour, person, shape, rng))
    behind = agnostic.undress(old, shape)
    shading = float(rng.choice([0.0, 0.6, 1.0], p=[0.1, 0.2, 0.7]))
    canvas = layers.compose(old.image, old, shape, behind, cloths, old_light, tuck=False, shading=shading)
    working = working_picture(canvas, old, shape, behind, old_light, unit)
    size = (working.shape[1], working.shape[0])
    same = _same_kind(canvas, person)
    return Pair(
        working,
        cv2.resize(cv2.convertScaleAbs(target), size, interpolation=cv2.INTER_AREA),
        cv2.resize(same, size, interpolation=cv2.INTER_AREA),
    )


def _same_kind(canvas: layers.Canvas, person: Person) -> U8:
    cloth = person.is_part(*UPPER_CLOTHES, *LOWER_CLOTHES, Part.ACCESSORY)
    skin = person.is_part(*SKIN_PARTS)
    kind = canvas.kind
    same = (kind == layers.Kind.PHOTO) | ((kind == layers.Kind.CLOTH) & cloth) | ((kind == layers.Kind.SKIN) & skin)
    return np.asarray(same | ((kind == layers.Kind.LOWER) & cloth), np.uint8) * 255


def _choose(person: Person, shape: Body, rng: np.random.Generator) -> dict[Category, Bools]:
    """The worn clothes that play the new garment."""
    least = LEAST * shape.unit**2
    dress = person.is_part(Part.DRESS)
    upper = person.is_part(Part.TOP, Part.OUTERWEAR)
    lower = person.is_part(*LOWER_CLOTHES)
    if dress.sum() > 4 * least:
        return {"dress": dress | upper | lower}
    which = rng.choice(["upper", "lower", "both"], p=[0.45, 0.2, 0.35])
    worn: dict[Category, Bools] = {}
    if which != "upper" and lower.sum() > least:
        kinds: dict[Category, int] = {
            "skirt": int(person.is_part(Part.SKIRT).sum()),
            "trousers": int(person.is_part(Part.TROUSERS).sum()),
            "shorts": int(person.is_part(Part.SHORTS).sum()),
        }
        worn[max(kinds, key=lambda kind: kinds[kind])] = lower
    if which != "lower" and (upper | dress).sum() > least:
        worn["top"] = upper | dress
    return worn


def with_old_clothes(person: Person, shape: Body, kinds: set[Category], rng: np.random.Generator) -> Person:
    """The person in invented old clothes: part map and silhouette, not the picture, which is hidden there anyway."""
    parts, size = person.parts.copy(), person.silhouette.shape
    background = parts == Part.BACKGROUND
    if kinds & {"top", "dress"}:
        painted = int(Part.DRESS if "dress" in kinds else Part.TOP)
        for side in SIDES:
            limb = shape.arms[side]
            if rng.random() < 0.75:
                end = float(rng.uniform(0.15, 1.05)) * limb.end
                sleeve = limb_mask(limb, size, grow=float(rng.uniform(1.2, 1.9)), end=end) > 0
                parts[sleeve & (background | person.is_part(Part.LEFT_ARM, Part.RIGHT_ARM, Part.NECK))] = painted
        if rng.random() < 0.6:
            level = levels_of(shape, size)
            parts[person.is_part(Part.NECK) & (level > rng.uniform(-0.30, 0.1) * shape.unit)] = painted
    if kinds - {"top"}:
        painted = int(Part.DRESS if "dress" in kinds else Part.TROUSERS)
        if rng.random() < 0.8:
            share, grow = float(rng.uniform(0.3, 1.05)), float(rng.uniform(1.1, 1.7))
            for side in SIDES:
                limb = shape.legs[side]
                tube = limb_mask(limb, size, grow=grow, end=share * limb.end) > 0
                parts[tube & (background | person.is_part(Part.LEFT_LEG, Part.RIGHT_LEG))] = painted
    reach = int(rng.uniform(0, 0.10) * shape.unit)
    if reach:
        gone = (
            UPPER_CLOTHES
            if kinds == {"top"}
            else LOWER_CLOTHES
            if "top" not in kinds
            else (*UPPER_CLOTHES, *LOWER_CLOTHES)
        )
        table = np.isin(np.arange(256), [*gone, Part.DRESS]).astype(np.uint8)
        clothes = np.where(table[parts] > 0, parts, 0).astype(np.uint8)
        grown = cv2.dilate(clothes, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        parts = np.where((parts == Part.BACKGROUND) & (grown > 0), grown, parts)
    silhouette = np.where(background & (parts != Part.BACKGROUND), 255, person.silhouette).astype(np.uint8)
    return replace(person, parts=parts, silhouette=silhouette)


def flatten(person: Person, mask: Bools, unit: float, rng: np.random.Generator) -> F32:
    """`(H, W, 3) float32` the worn clothes as if laid flat: the light of each taken out, its folds damped."""
    log = np.log(cv2.cvtColor(person.image, cv2.COLOR_RGB2GRAY).astype(np.float32) + 12)
    sigma, light, folds = float(rng.choice([0.06, 0.12, 0.25])), rng.uniform(0.6, 1.05), rng.uniform(0.0, 1.0)
    gain = np.zeros_like(log)
    for region in _regions(person, mask):
        weight = region.astype(np.float32)
        slow, fine = _inside(log, weight, sigma * unit), _inside(log, weight, 0.015 * unit)
        own = -light * np.clip(slow - np.median(log[region]), -0.8, 0.6) - folds * np.clip(fine - slow, -0.25, 0.25)
        gain[region] = own[region]
    return np.asarray(person.image * np.exp(gain)[..., None], np.float32)


def _regions(person: Person, mask: Bools) -> list[Bools]:
    """The garments in a mask, one by one."""
    return [mask & (person.parts == part) for part in np.unique(person.parts[mask])]


def shading_of(person: Person, mask: Bools, unit: float) -> tuple[F32, Bools]:
    """`(H, W) float32` log gain of the real light and folds on plain clothes; `(H, W) bool` where they are plain."""
    log = np.log(cv2.cvtColor(person.image, cv2.COLOR_RGB2GRAY).astype(np.float32) + 4)
    lab = cv2.cvtColor(person.image, cv2.COLOR_RGB2LAB)
    shade, plain = np.zeros_like(log), np.zeros(mask.shape, bool)
    for region in _regions(person, mask):
        inner = cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        if inner.sum() < 0.03 * unit**2:
            continue
        rough = (log - _inside(log, region.astype(np.float32), 0.06 * unit))[inner]
        bright = float(np.median(log[inner]))
        even = lab[inner][:, 1:].std(axis=0).max() < PLAIN_CHROMA and rough.std() < PLAIN_ROUGHNESS
        if even and DARKEST < bright < BRIGHTEST:
            shade[region] = np.clip(log - bright, -1.0, 0.45)[region]
            plain |= region
    return shade, plain


def cover(tile: U8, size: tuple[int, int], unit: float, rng: np.random.Generator) -> F32:
    """`(H, W, 3) float32` a stretch of flat cloth over the whole window."""
    zoom = float(rng.uniform(1.4, 2.6)) * unit / tile.shape[1]
    tile = cv2.resize(tile, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        tile = tile[:, ::-1]
    rows, columns = (
        np.abs((np.arange(n) + int(rng.integers(400))) % (2 * m) - m + 0.5).astype(int)
        for n, m in zip(size, tile.shape[:2], strict=True)
    )
    return np.asarray(tile[np.minimum(rows, tile.shape[0] - 1)][:, np.minimum(columns, tile.shape[1] - 1)], np.float32)


def own_light(mask: Bools, unit: float, rng: np.random.Generator) -> F32:
    """`(H, W) float32` gain of another room: brighter or darker by up to a sixth, and not the same everywhere."""
    gain = rng.uniform(-0.16, 0.16) + rng.uniform(0, 0.10) * noise(mask.shape, 1.5 * unit, rng)
    gain = gain + rng.uniform(0, 0.05) * noise(mask.shape, 0.12 * unit, rng)
    return np.exp(gain).astype(np.float32)


def noise(size: tuple[int, ...], wave: float, rng: np.random.Generator) -> F32:
    """`(H, W) float32` a smooth random field of about unit spread."""
    grid = rng.standard_normal((max(3, int(size[0] / wave) + 3), max(3, int(size[1] / wave) + 3))).astype(np.float32)
    return np.asarray(cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def _inside(values: F32, weight: F32, sigma: float) -> F32:
    mass = cv2.GaussianBlur(weight, (0, 0), max(sigma, 0.6))
    return np.asarray(cv2.GaussianBlur(values * weight, (0, 0), max(sigma, 0.6)) / np.maximum(mass, 1e-3), np.float32)


def _dress(
    category: Category, mask: Bools, colour: F32, person: Person, shape: Body, rng: np.random.Generator
) -> Cloth:
    """The worn clothes as the engine's deformed pieces."""
    size = mask.shape
    level = levels_of(shape, size)
    inside = level[mask]
    cuffs = {side: _cuff(shape.arms[side], mask) if category in ("top", "dress") else 0.0 for side in SIDES}
    placement = Placement(1.0, {}, {}, float(np.percentile(inside, 98)), float(np.percentile(inside, 2)), cuffs)
    hidden = np.where(mask, 0, 255).astype(np.uint8)
    near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8))
    spread = continue_picture(cv2.convertScaleAbs(colour), hidden, near, fade=0.3 * shape.unit).astype(np.float32)
    alpha = disturbed_edge(mask, shape.unit, rng)
    pieces = {
        name: Piece(spread, alpha * share, (0, 0, size[1], size[0]))
        for name, share in _split(category, mask, cuffs, shape)
    }
    blank = np.zeros((2, 2), np.uint8)
    garment = Garment(np.zeros((2, 2, 3), np.uint8), blank, category, np.zeros((28, 3), np.float32))
    return Cloth(garment, placement, pieces)


def _split(category: Category, mask: Bools, cuffs: dict[Side, float], shape: Body) -> list[tuple[str, F32]]:
    """Names and soft shares of the pieces, in drawing order."""
    size = (mask.shape[0], mask.shape[1])
    if category in ("trousers", "shorts"):
        away = [cv2.distanceTransform(255 - limb_mask(shape.legs[s], size, grow=0.2), cv2.DIST_L2, 5) for s in SIDES]
        left = cv2.GaussianBlur((away[0] < away[1]).astype(np.float32), (0, 0), 0.8)
        return [("left_leg", left), ("right_leg", 1 - left)]
    if category == "skirt":
        return [("skirt", np.ones(size, np.float32))]
    pieces, rest = [], np.ones(size, np.float32)
    for side in SIDES:
        if cuffs[side] > 0:
            sleeve = limb_mask(
                shape.arms[side], size, grow=1.7, start=0.35 * shape.unit, end=cuffs[side] + 0.1 * shape.unit
            )
            soft = cv2.GaussianBlur(sleeve, (0, 0), 0.8).astype(np.float32) / 255
            pieces.append((f"{side}_sleeve", soft))
            inner = cv2.erode(sleeve, np.ones((5, 5), np.uint8))
            rest = rest * (1 - cv2.GaussianBlur(inner, (0, 0), 0.8).astype(np.float32) / 255)
    return [("torso", rest), *pieces]


def _cuff(limb: Limb, mask: Bools) -> float:
    """How far along the arm the worn sleeve reaches; 0 without one."""
    points = np.round(limb.line).astype(int)
    inside = (points >= 0).all(axis=1) & (points[:, 0] < mask.shape[1]) & (points[:, 1] < mask.shape[0])
    covered = np.zeros(len(points), bool)
    covered[inside] = mask[points[inside, 1], points[inside, 0]]
    covered &= limb.along <= limb.end
    return float(limb.along[covered].max()) if covered.sum() > 2 else 0.0


def disturbed_edge(mask: Bools, unit: float, rng: np.random.Generator) -> F32:
    """`(H, W) float32` 0..1 alpha whose edge is moved by up to a few hundredths of a unit, and softened or hardened."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    move = rng.uniform(-0.01, 0.02) * unit + rng.uniform(0, 0.015) * unit * noise(mask.shape, 0.4 * unit, rng)
    return np.asarray(np.clip((inside - outside + move) / rng.uniform(0.7, 2.5) + 0.5, 0, 1), np.float32)
