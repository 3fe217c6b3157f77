"""Photos of garments that never existed, with their exact masks and landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.training.camera import photographed
from vestiary.training.cloth import Bank, Field, cloth, colour, ground, named_cloth, recoloured, shaded, swatch
from vestiary.training.outlines import Line, Pattern, Piece
from vestiary.training.patterns import draw_pattern
from vestiary.types import CATEGORIES, LANDMARKS_OF, UPPER, Category, Landmark

if TYPE_CHECKING:
    from vestiary.types import Mask, Motif, Picture, Points

SIDE = 256
GREY = 127  # the letterbox's filling, as at run time
SHIFT = 4  # fractional bits of OpenCV's drawing


@dataclass(frozen=True, eq=False)
class Sample:
    """One training picture, letterboxed.

    Attributes:
        image: `(256, 256, 3) uint8` RGB.
        mask: `(256, 256) uint8`, 255 = garment.
        landmarks: `(28, 3) float32`: x, y in pixels, 1 = present in the picture.
        up: `(2,) float32`, unit vector towards the neck or waistband, y down.
        pattern: what was drawn; None for a picture without a garment.
    """

    image: Picture
    mask: Mask
    landmarks: Points
    up: Points
    pattern: Pattern | None


def random_turn(rng: np.random.Generator) -> float:
    """Degrees, clockwise: mostly nearly upright, sometimes up to 35°, sometimes lying or upside down."""
    chance = rng.random()
    if chance < 0.6:
        return float(rng.normal(0, 7))
    if chance < 0.84:
        return float(rng.uniform(-37, 37))
    return float(rng.choice([90, 180, 270]) + rng.normal(0, 10))


def up_vector(degrees: float) -> Points:
    """Where a garment's neck points when it is turned clockwise by so many degrees."""
    angle = np.deg2rad(degrees)
    return np.array([np.sin(angle), -np.cos(angle)], np.float32)


def frame(rng: np.random.Generator, fitting: float | None = None, *, exact: bool = False) -> tuple[int, int, int, int]:
    """Left, top, width, height of a picture in the letterbox; proportions are random, or `fitting`, or nearly so."""
    ratio = float(rng.choice([0.75, 1.0, 1.333, rng.uniform(0.5, 1.7)], p=[0.42, 0.18, 0.15, 0.25]))
    if fitting is not None and rng.random() < 0.65:
        ratio = float(np.clip(fitting * rng.uniform(0.75, 1.35), 0.5, 1.9))
    if fitting is not None and exact:
        ratio = fitting
    width, height = (SIDE, max(96, round(SIDE / ratio))) if ratio > 1 else (max(96, round(SIDE * ratio)), SIDE)
    return (SIDE - width) // 2, (SIDE - height) // 2, width, height


def render(rng: np.random.Generator, bank: Bank, category: Category | None = None) -> Sample:
    """A random photo of a random garment, or of none with `category` None."""
    degrees = random_turn(rng)
    pattern = None if category is None else draw_pattern(rng, category, crumpled=float(rng.uniform(0.2, 1.3)))
    left, top, width, height = frame(rng, None if pattern is None else _proportion(pattern, degrees))
    picture = ground(rng, bank, width, height)
    picture = _clutter(rng, bank, picture)
    mask = np.zeros((height, width), np.uint8)
    landmarks = np.zeros((len(Landmark), 3), np.float32)
    if category is not None and pattern is not None:
        pattern = pattern.moved(_placing(rng, pattern, width, height, degrees))
        picture, mask = _lay(rng, bank, picture, pattern, degrees)
        for which in LANDMARKS_OF[category]:
            place = pattern.landmarks.get(which)
            if place is not None:
                inside = -2 <= place[0] <= width + 1 and -2 <= place[1] <= height + 1
                landmarks[which] = (place[0] + left, place[1] + top, float(inside))
    elif rng.random() < 0.3:
        _hanger(rng, picture, np.array([width / 2, height * 0.3]), width * 0.3, np.eye(2))
    picture = photographed(rng, bank, picture)
    image = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    whole = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = picture
    whole[top : top + height, left : left + width] = mask
    return Sample(image, whole, landmarks, up_vector(degrees), pattern)


def _proportion(pattern: Pattern, degrees: float) -> float:
    """Width to height of a turned pattern."""
    x0, y0, x1, y1 = pattern.bounds()
    across, down = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
    wide, high = x1 - x0, y1 - y0
    return float((wide * across + high * down) / (wide * down + high * across))


class _placing:
    """Maps pattern centimetres to picture pixels: turn, scale, a little perspective, place."""

    def __init__(self, rng: np.random.Generator, pattern: Pattern, width: int, height: int, degrees: float) -> None:
        x0, y0, x1, y1 = pattern.bounds()
        angle = np.deg2rad(degrees)
        self.turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        corners = (np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) - self.middle) @ self.turn.T
        size = np.maximum(np.ptp(corners, axis=0), 1)
        fill = rng.uniform(0.7, 1.0) if rng.random() < 0.85 else rng.uniform(0.45, 1.15)
        self.scale = float(min(width / size[0], height / size[1]) * fill)
        room = np.abs(np.array([width, height]) - size * self.scale) / 2
        self.centre = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * room * 0.8
        self.tilt = rng.normal(0, 0.05, 2) / max(size)

    def __call__(self, points: Line) -> Line:
        turned = (points - self.middle) @ self.turn.T
        placed: Line = turned / (1 + turned @ self.tilt)[:, None] * self.scale + self.centre
        return placed


def _fixed(line: Line) -> NDArray[np.int32]:
    return np.round(line * (1 << SHIFT)).astype(np.int32)


def _filled(shape: tuple[int, ...], line: Line) -> Mask:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(line)], 255, cv2.LINE_AA, SHIFT)
    return mask


def _mix(below: Picture, above: Picture, alpha: Mask) -> Picture:
    """`above` over `below`, where alpha says; worked out in the alpha's bounding box alone."""
    x, y, width, height = cv2.boundingRect(alpha)
    mixed = below.copy()
    if width and height:
        part = (slice(y, y + height), slice(x, x + width))
        weight = alpha[part].astype(np.float32) / 255
        mixed[part] = cv2.blendLinear(
            np.ascontiguousarray(above[part]), np.ascontiguousarray(below[part]), weight, 1 - weight
        )
    return mixed


def _lay(
    rng: np.random.Generator, bank: Bank, picture: Picture, pattern: Pattern, degrees: float
) -> tuple[Picture, Mask]:
    """The pattern sewn of random cloth and laid on the ground: picture and garment mask."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for piece in pattern.pieces:
        cv2.fillPoly(mask, [_fixed(piece.outline)], 255, cv2.LINE_AA, SHIFT)
    cloths, motif = _cloths(rng, bank, picture)
    picture = _shadow(rng, picture, mask)
    if rng.random() < 0.35:
        _hang(rng, picture, pattern)
    flat = picture.copy()
    depth = rng.uniform(0.1, 0.5)
    for piece in pattern.pieces:
        alpha = _filled(picture.shape, piece.outline)
        if piece.kind != "inside":
            soft = cv2.GaussianBlur(alpha, (0, 0), 1.6)
            flat = _mix(flat, (flat * (1 - depth)).astype(np.uint8), cv2.min(soft, mask))
        flat = _mix(flat, _cloth_for(rng, cloths, piece), alpha)
    printed = _print(rng, bank, flat, pattern, degrees)
    if printed is not flat:
        flat, motif = printed, "graphic" if motif == "plain" else None
    pattern.attributes["pattern"] = motif or "unknown"
    flat = shaded(flat, _relief(rng, bank, pattern, mask))
    flat = _small_things(rng, flat, pattern)
    return _mix(picture, flat, mask), mask


def _cloths(rng: np.random.Generator, bank: Bank, picture: Picture) -> tuple[dict[str, Picture], Motif | None]:
    """Cloth for the body, the sleeves, the trim and the inside; and the body's pattern where it is known."""
    height, width = picture.shape[:2]
    main, motif = named_cloth(rng, bank, width, height)
    if rng.random() < 0.1:  # nearly the ground's own colour: white on white
        mean = picture.reshape(-1, 3).mean(axis=0) + rng.normal(0, 9, 3)
        main = np.clip(mean + (main.astype(np.float32) - main.mean(axis=(0, 1))) * 0.25, 0, 255).astype(np.uint8)
        motif = None
    sleeves = swatch(rng, main, width, height) if rng.random() < 0.8 else cloth(rng, bank, width, height)
    trim = sleeves
    if rng.random() < 0.4:
        trim = np.clip(main * rng.uniform(0.8, 1.15) + rng.normal(0, 6), 0, 255).astype(np.uint8)
    elif rng.random() < 0.4:
        trim = np.broadcast_to(colour(rng).astype(np.uint8), main.shape)
    inside = np.clip(main * rng.uniform(0.45, 0.95), 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        inside = np.clip(recoloured(rng, sleeves) * rng.uniform(0.6, 0.95), 0, 255).astype(np.uint8)
    return {"cloth": main, "sleeve": sleeves, "trim": trim, "inside": inside}, motif


def _cloth_for(rng: np.random.Generator, cloths: dict[str, Picture], piece: Piece) -> Picture:
    chosen = cloths[piece.kind]
    if piece.name in ("leg", "sleeve"):
        return np.clip(chosen * rng.uniform(0.93, 1.07), 0, 255).astype(np.uint8)
    return chosen


def _shadow(rng: np.random.Generator, picture: Picture, mask: Mask) -> Picture:
    """The ground darkened beside the garment."""
    blur, reach = rng.uniform(1.0, 9), rng.uniform(0, 7)
    angle = rng.uniform(0, 2 * np.pi)
    move = np.array([[1, 0, reach * np.cos(angle)], [0, 1, reach * np.sin(angle)]])
    cast = cv2.GaussianBlur(cv2.warpAffine(mask, move, mask.shape[::-1]), (0, 0), blur)
    return shaded(picture, 1 - cast.astype(np.float32) / 255, rng.uniform(0, 0.55))


def _relief(rng: np.random.Generator, bank: Bank, pattern: Pattern, mask: Mask) -> Field:
    """Shading of folds, of the cloth's edge, and of seams."""
    height, width = mask.shape
    fold = bank.fold(rng, width, height) if rng.random() < 0.9 else np.ones((height, width), np.float32)
    relief = 1 + (fold - 1) * np.float32(rng.uniform(0.1, 1.6))
    if rng.random() < 0.5:
        relief = relief * (1 + bank.slow(rng, width, height) * np.float32(rng.uniform(0, 0.09)))
    round_off = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 5)).astype(np.float32) / 255
    relief = relief * (1 - rng.uniform(0, 0.5) * (1 - round_off))
    seams = np.full((height, width), 255, np.uint8)
    strength = rng.uniform(90, 240)
    thick = 2 if rng.random() < 0.15 else 1
    for seam in pattern.seams:
        if rng.random() < 0.85:
            cv2.polylines(seams, [_fixed(seam)], False, strength, thick, cv2.LINE_AA, SHIFT)
    for piece in pattern.pieces:
        if rng.random() < 0.8:
            cv2.polylines(seams, [_fixed(piece.outline)], True, 0.5 * strength + 127, 1, cv2.LINE_AA, SHIFT)
    shade: Field = relief * (seams.astype(np.float32) / 255)
    return shade


def _small_things(rng: np.random.Generator, picture: Picture, pattern: Pattern) -> Picture:
    """Buttons, a label in the neck, a price tag."""
    tint = colour(rng).tolist()
    radius = int(rng.integers(1, 4))
    for x, y in pattern.buttons:
        cv2.circle(picture, (round(x), round(y)), radius, tint, -1, cv2.LINE_AA)
    for line in pattern.inner[:1]:
        if rng.random() < 0.45 and pattern.category in UPPER:
            x, y = line.mean(axis=0)
            size = rng.uniform(2, 6, 2)
            corners = [int(v) for v in (x - size[0], y - size[1] - 2, x + size[0], y + size[1] - 2)]
            cv2.rectangle(picture, tuple(corners[:2]), tuple(corners[2:]), colour(rng).tolist(), -1, cv2.LINE_AA)
    if rng.random() < 0.05:
        x, y = next(iter(pattern.landmarks.values()))
        wide, high = int(rng.integers(6, 16)), int(rng.integers(10, 24))
        cv2.rectangle(picture, (int(x), int(y)), (int(x) + wide, int(y) + high), (245, 243, 238), -1)
    return picture


def _print(rng: np.random.Generator, bank: Bank, picture: Picture, pattern: Pattern, degrees: float) -> Picture:
    """Lettering or a picture on the chest."""
    marks = pattern.landmarks
    if pattern.category not in UPPER or rng.random() > 0.38:
        return picture
    armpits = (marks[Landmark.ARMPIT_LEFT] + marks[Landmark.ARMPIT_RIGHT]) / 2
    span = float(np.linalg.norm(marks[Landmark.ARMPIT_LEFT] - marks[Landmark.ARMPIT_RIGHT]))
    waist = (marks[Landmark.WAIST_LEFT] + marks[Landmark.WAIST_RIGHT]) / 2
    centre = armpits + (waist - armpits) * rng.uniform(-0.1, 0.8)
    patch = np.zeros((96, 96, 4), np.uint8)
    kind = rng.random()
    if kind < 0.45:
        for line in range(int(rng.integers(1, 4))):
            letters = "".join(chr(int(code)) for code in rng.integers(65, 91, int(rng.integers(2, 8))))
            tint = (*colour(rng).tolist(), 255)
            cv2.putText(patch, letters, (4, 26 + 26 * line), int(rng.integers(0, 5)), rng.uniform(0.6, 1.4), tint, 3)
    else:
        source = cloth(rng, bank, 96, 96)
        if bank.streets and rng.random() < 0.6:
            source = swatch(rng, bank.streets[int(rng.integers(len(bank.streets)))], 96, 96)
        patch[..., :3] = source
        shape = np.zeros((96, 96), np.uint8)
        if rng.random() < 0.5:
            cv2.ellipse(shape, (48, 48), (int(rng.integers(20, 46)), int(rng.integers(20, 46))), 0, 0, 360, 255, -1)
        else:
            shape[int(rng.integers(2, 30)) : 92, int(rng.integers(2, 20)) : 90] = 255
        patch[..., 3] = shape
    move = cv2.getRotationMatrix2D((48, 48), -degrees, span * rng.uniform(0.25, 0.75) / 96)
    move[:, 2] += centre - 48
    laid = cv2.warpAffine(patch, move, picture.shape[1::-1])
    return _mix(picture, laid[..., :3].astype(np.uint8), laid[..., 3].astype(np.uint8))


def _hang(rng: np.random.Generator, picture: Picture, pattern: Pattern) -> None:
    """A hanger behind the garment, hook and all."""
    names = ("SHOULDER", "NECK") if pattern.category in UPPER else ("WAIST", "WAIST")
    left, right = (pattern.landmarks[Landmark[f"{names[0]}_{side}"]] for side in ("LEFT", "RIGHT"))
    ends = [pattern.landmarks[Landmark[f"{names[1]}_{side}"]] for side in ("LEFT", "RIGHT")]
    neck = (ends[0] + ends[1]) / 2
    across = (left - right) / max(1e-6, float(np.linalg.norm(left - right)))
    axes = np.column_stack([across, (-across[1], across[0])])
    _hanger(rng, picture, neck, float(np.linalg.norm(left - right)) / 2, axes)


def _hanger(
    rng: np.random.Generator, picture: Picture, neck: NDArray[np.float64], half: float, axes: NDArray[np.float64]
) -> None:
    """A hook above `neck` and a bar to both sides, `half` long; `axes` are the garment's across and down."""
    size, tint = half * rng.uniform(0.3, 0.5), colour(rng).tolist()
    arc = np.deg2rad(np.linspace(-200, 60, 14))
    hook = np.column_stack([np.cos(arc), np.sin(arc)]) * size * 0.4 - (0, size * 1.3)
    stem = np.vstack([hook, [(0, -size * 0.5), (0, 0)]])
    bar = np.array([(-half * 0.95, half * 0.22), (0, 0), (half * 0.95, half * 0.22)])
    lift = half * rng.uniform(0.1, 0.45) if rng.random() < 0.6 else 0.0  # ground shows between hanger and neckline
    bar[1, 1] -= lift
    lines = [(stem - (0, lift), int(rng.integers(1, 3))), (bar, int(rng.integers(2, 6)))]
    if lift and rng.random() < 0.5:
        lines.append((bar * 0.4 + (0, half * rng.uniform(-0.1, 0.2)), lines[1][1]))
    for line, thick in lines:
        cv2.polylines(picture, [_fixed(line @ axes.T + neck)], False, tint, thick, cv2.LINE_AA, SHIFT)


def _clutter(rng: np.random.Generator, bank: Bank, picture: Picture) -> Picture:
    """Furniture edges, skirting boards, shoes and cables near the borders."""
    height, width = picture.shape[:2]
    if rng.random() < 0.2:  # another surface begins
        edge, lean = rng.uniform(0.0, 0.3), rng.normal(0, 0.15)
        y = np.array([edge - lean, edge + lean]) * height
        corners = np.array([(0, 0), (width, 0), (width, y[1]), (0, y[0])], float)
        if rng.random() < 0.5:
            corners = np.array([width, height]) - corners
        picture = _mix(picture, ground(rng, bank, width, height), _filled(picture.shape, corners))
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.62, 0.2, 0.1, 0.08]))):
        angle = rng.uniform(0, 2 * np.pi)
        centre = np.array([width, height]) / 2 * (1 + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.8, 1.3))
        corners = centre + rng.normal(0, 1, (int(rng.integers(3, 9)), 2)) * rng.uniform(5, 30)
        shape = cv2.convexHull(corners.astype(np.float32))[:, 0].astype(float)
        picture = _mix(picture, cloth(rng, bank, width, height), _filled(picture.shape, shape))
    return np.ascontiguousarray(picture)


def random_category(rng: np.random.Generator) -> Category:
    """One of the six, tops and dresses somewhat more often."""
    return CATEGORIES[int(rng.choice(6, p=[0.26, 0.18, 0.2, 0.11, 0.13, 0.12]))]
