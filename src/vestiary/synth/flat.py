"""The flat picture of a garment: cloth and print by pattern coordinates, mask, landmarks, and where the cloth ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.cut import SIDES, Cut, length
from vestiary.synth.fabrics import COLOURS, Fabric, Print
from vestiary.synth.light import linear
from vestiary.synth.mesh import f32, ramp
from vestiary.training.outlines import dense
from vestiary.types import LANDMARKS_OF, UPPER, Landmark

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Array = NDArray[np.float32]
F64 = NDArray[np.float64]
SHIFT = 4
MARGIN = 2.5  # cm by which cloth goes on beyond edges that are seams, not ends


@dataclass(frozen=True, eq=False)
class Flat:
    """A garment laid flat.

    Attributes:
        cut, fabric, motif: what it is.
        scale, origin: pixels per centimetre, and the pixel of the pattern's origin.
        albedo: `(H, W, 3) float32` linear colour of the cloth without light, going on beyond the outline.
        front, back: `(H, W) float32` centimetres to where the worn front or back panel ends, positive inside.
        photo: `(H, W, 3) uint8`, mask: `(H, W) uint8`, landmarks: `(28, 3)`: the picture that is handed out.
    """

    cut: Cut
    fabric: Fabric
    motif: Print | None
    scale: float
    origin: F64
    albedo: Array
    front: Array
    back: Array
    photo: Picture
    mask: Mask
    landmarks: Points

    def pixels(self, points: F64) -> F64:
        """Pixels of places in the pattern."""
        return np.asarray(points * self.scale + self.origin, np.float64)


def draw_flat(rng: np.random.Generator, cut: Cut, fabric: Fabric, motif: Print | None, size: tuple[int, int]) -> Flat:
    """The garment's flat picture of that size (width, height)."""
    x0, y0, x1, y1 = cut.pattern.bounds()
    scale = min(size[0] / (x1 - x0), size[1] / (y1 - y0)) * float(rng.uniform(0.84, 0.93))
    origin = np.array(size) / 2 - np.array([x0 + x1, y0 + y1]) / 2 * scale
    masks = {piece: _fill(size, piece.outline * scale + origin) for piece in map(_Key, cut.pattern.pieces)}
    whole = np.zeros(size[::-1], np.uint8)
    for mask in masks.values():
        cv2.max(whole, mask, whole)
    albedo = _cloth(rng, cut, fabric, masks, scale, origin, size)
    if motif is not None:
        _print(rng, albedo, cut, motif, scale, origin)
    _stitch(rng, albedo, cut, fabric, scale, origin)
    albedo = _beyond(albedo, whole)
    outer = np.zeros_like(whole)
    for piece, mask in masks.items():
        if piece.kind != "inside":
            cv2.max(outer, mask, outer)
    edges = _edges(cut, size, scale, origin)
    front, back = (_ends(cv2.max(mask, edges), scale) for mask in (outer, whole))
    colour = linear(albedo)
    photo = _photograph(rng, albedo, whole, cut, fabric, scale, origin)
    return Flat(cut, fabric, motif, scale, origin, colour, front, back, photo, whole, _landmarks(cut, scale, origin))


class _Key:
    """A piece as a dictionary's key: by identity."""

    def __init__(self, piece: object) -> None:
        self.name: str = piece.name  # type: ignore[attr-defined]
        self.kind: str = piece.kind  # type: ignore[attr-defined]
        self.outline: F64 = piece.outline  # type: ignore[attr-defined]


def _fill(size: tuple[int, int], line: F64) -> Mask:
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.round(line * (1 << SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, SHIFT)
    return mask


def _cloth(
    rng: np.random.Generator, cut: Cut, fabric: Fabric, masks: dict[_Key, Mask], scale: float, origin: F64,
    size: tuple[int, int],
) -> Array:  # fmt: skip
    """sRGB colour of the cloth, piece by piece; a sleeve's weave follows the sleeve."""
    x, y = np.meshgrid((np.arange(size[0]) - origin[0]) / scale, (np.arange(size[1]) - origin[1]) / scale)
    x, y = x.astype(np.float32), y.astype(np.float32)
    albedo = fabric.paint(x, y)
    contrast = f32(COLOURS[str(rng.choice(list(COLOURS)))]) if rng.random() < 0.12 else None
    for piece, mask in masks.items():
        rows, columns = np.nonzero(mask)
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        weight = (mask[box].astype(np.float32) / 255)[..., None]
        px, py = x[box], y[box]
        if piece.name == "sleeve":
            side = SIDES[0] if piece.outline[:, 0].mean() > 0 else SIDES[1]
            way = cut.mark(f"CUFF_OUTER_{side}") - cut.mark(f"SHOULDER_{side}")
            way = way / np.linalg.norm(way)
            start = cut.mark(f"SHOULDER_{side}")
            dx, dy = px - np.float32(start[0]), py - np.float32(start[1])
            px, py = (
                dx * np.float32(way[1]) - dy * np.float32(way[0]),
                dx * np.float32(way[0]) + dy * np.float32(way[1]),
            )
        tone = fabric.paint(np.ascontiguousarray(px), np.ascontiguousarray(py))
        if piece.kind == "trim" and contrast is not None:
            tone = np.broadcast_to(contrast, tone.shape)
        if piece.kind == "inside":
            tone = tone * np.float32(0.72)
        albedo[box] += (tone - albedo[box]) * weight
    return np.clip(albedo, 0.02, 0.98)


def _print(rng: np.random.Generator, albedo: Array, cut: Cut, motif: Print, scale: float, origin: F64) -> None:
    """Lay the print on the chest, or on the front of a thigh or skirt."""
    if cut.category in UPPER:
        chest, low = cut.mark("ARMPIT_LEFT"), cut.mark("HEM_LEFT")[1]
        wide = chest[0] * float(rng.uniform(0.95, 1.35))
        top = max(chest[1] - wide * 0.35, cut.mark("NECK_FRONT")[1] + 3)
        wide = min(wide, (low - top) * 0.9)
        corner = np.array([-wide / 2, top])
    else:
        wide = cut.mark("HIP_LEFT")[0] * float(rng.uniform(0.5, 0.8))
        corner = np.array([wide * 0.25, cut.mark("HIP_LEFT")[1] + 2])
    side = motif.picture.shape[0]
    move = np.array([[wide * scale / side, 0, 0], [0, wide * scale / side, 0]])
    move[:, 2] = corner * scale + origin
    size = albedo.shape[1::-1]
    cover = motif.picture[..., 3:]
    shrunk = cv2.GaussianBlur(
        np.dstack([motif.picture[..., :3] * cover, cover]), (0, 0), max(0.3, 0.4 * side / (wide * scale))
    )
    laid = cv2.warpAffine(shrunk, move, size, flags=cv2.INTER_LINEAR)
    albedo *= 1 - 0.96 * laid[..., 3:]
    albedo += 0.96 * laid[..., :3]


def _stitch(rng: np.random.Generator, albedo: Array, cut: Cut, fabric: Fabric, scale: float, origin: F64) -> None:
    """Seams, hems and buttons."""
    shade = np.ones(albedo.shape[:2], np.float32)
    depth, thick = 1 - float(rng.uniform(0.15, 0.35)), max(1, round(0.14 * scale))
    lines = [(seam, False) for seam in cut.pattern.seams]
    lines += [(piece.outline, True) for piece in cut.pattern.pieces]
    for line, closed in lines:
        fixed = np.round((dense(line, closed=closed) * scale + origin) * (1 << SHIFT)).astype(np.int32)
        cv2.polylines(shade, [fixed], closed, depth, thick, cv2.LINE_AA, SHIFT)
    shade = cv2.GaussianBlur(shade, (0, 0), max(0.4, 0.05 * scale))
    albedo *= shade[..., None]
    tint = np.array(COLOURS[str(rng.choice(["white", "black", "brown", "grey", "beige"]))])
    for x, y in cut.pattern.buttons * scale + origin if len(cut.pattern.buttons) else ():
        centre = (round(x * 16), round(y * 16))
        cv2.circle(albedo, centre, round(0.62 * scale * 16), (tint * 0.55).tolist(), -1, cv2.LINE_AA, SHIFT)
        cv2.circle(albedo, centre, round(0.52 * scale * 16), tint.tolist(), -1, cv2.LINE_AA, SHIFT)


def _beyond(albedo: Array, mask: Mask) -> Array:
    """The cloth's colour carried on beyond its outline, so that sampling there finds cloth."""
    inside = (mask > 250).astype(np.uint8)
    _, label = cv2.distanceTransformWithLabels(1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    place = np.zeros(int(label.max()) + 1, np.intp)
    flat = np.flatnonzero(inside)
    place[label.ravel()[flat]] = flat
    return np.asarray(albedo.reshape(-1, 3)[place[label.ravel()]].reshape(albedo.shape), np.float32)


def _strip(line: F64, reach: float, *, tapered: bool = False) -> F64:
    """The polygon within `reach` on both sides of a line; it ends where the line does, `tapered` begins with none."""
    line = dense(line, spacing=1.0)
    way = np.gradient(line, axis=0)
    across = np.stack([-way[:, 1], way[:, 0]], 1) / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-9)
    if tapered:
        across = across * np.clip(np.arange(len(line)) / 4, 0, 1)[:, None]
    return np.asarray(np.vstack([line + across * reach, (line - across * reach)[::-1]]), np.float64)


def _edges(cut: Cut, size: tuple[int, int], scale: float, origin: F64) -> Mask:
    """Where cloth goes on round the body: beside side seams, shoulder seams, sleeves and legs, but not at its ends."""
    mask = np.zeros(size[::-1], np.uint8)
    lines: list[F64] = []
    y, x = cut.rows
    start = 0.0 if cut.category not in UPPER else float(cut.mark("ARMPIT_LEFT")[1])
    if cut.category in ("trousers", "shorts"):
        below = y <= cut.mark("HIP_LEFT")[1]
        y, x = y[below], x[below]
    for side, sign in zip(SIDES, (1, -1), strict=True):
        held = (y >= start) & (y <= cut.mark(f"HEM_{side}")[1])
        lines.append(np.stack([sign * x[held], y[held]], 1))
        if cut.category in UPPER:
            ridge = _strip(np.stack([cut.mark(f"NECK_{side}"), cut.mark(f"SHOULDER_{side}")]), MARGIN, tapered=True)
            cv2.max(mask, _fill(size, ridge * scale + origin), mask)
            if cut.pattern.sleeve != "none":
                outer, inner = cut.sleeve(side)
                lines += [outer, inner]
                pit = np.round((cut.mark(f"ARMPIT_{side}") * scale + origin) * 16).astype(int)
                room = min(5.0, 0.7 * length(inner))
                cv2.circle(mask, pit.tolist(), round(room * scale * 16), 255, -1, cv2.LINE_AA, SHIFT)
        elif cut.category != "skirt":
            lines += list(cut.leg(side))
    for line in lines:
        cv2.max(mask, _fill(size, _strip(line, MARGIN) * scale + origin), mask)
    return mask


def _ends(mask: Mask, scale: float) -> Array:
    """Signed distance in centimetres, positive inside."""
    inside = (mask > 127).astype(np.uint8)
    far = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.asarray(cv2.GaussianBlur(far, (0, 0), 0.8) / np.float32(scale), np.float32)


def _landmarks(cut: Cut, scale: float, origin: F64) -> Points:
    found = np.zeros((len(Landmark), 3), np.float32)
    for which in LANDMARKS_OF[cut.category]:
        place = cut.pattern.landmarks.get(which)
        if place is not None:
            found[which] = (*(place * scale + origin), 1)
    return found


def _noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> Array:
    coarse = rng.standard_normal((cells[1] + 3, cells[0] + 3), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _photograph(
    rng: np.random.Generator, albedo: Array, mask: Mask, cut: Cut, fabric: Fabric, scale: float, origin: F64
) -> Picture:
    """The garment on a pale ground: soft folds, rounded edges, a shadow below."""
    size = mask.shape[::-1]
    alpha = mask.astype(np.float32) / 255
    height = (
        0.9 * _noise(rng, size, (3, 3)) + 0.35 * np.abs(_noise(rng, size, (5, 4))) + 0.06 * _noise(rng, size, (16, 20))
    )
    height = cv2.GaussianBlur(height, (0, 0), 0.8 * scale / 2) * scale * (1.3 - fabric.stiff)
    soft = cv2.GaussianBlur(alpha, (0, 0), 0.7 * scale / 2)
    height = height + soft * 1.6 * scale / 2
    slope_x, slope_y = (
        cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125),
    )
    shade = np.clip(1 + 0.45 * (slope_x * -0.55 + slope_y * -0.6) * -1, 0.55, 1.2)
    kind = float(rng.random())
    tone = f32([0.955, 0.952, 0.948]) if kind < 0.6 else np.float32(0.86) + f32(rng.normal(0, 0.03, 3))
    ground = tone * (1 + 0.012 * _noise(rng, size, (2, 2)))[..., None]
    reach = 0.8 * scale
    move = np.array([[1, 0, reach * 0.5], [0, 1, reach]], np.float32)
    cast = cv2.GaussianBlur(cv2.warpAffine(alpha, move, size), (0, 0), max(0.5, 0.7 * scale))
    ground = ground * (1 - 0.28 * cast * ramp(cast, 0.0, 0.6))[..., None]
    cloth = albedo * shade[..., None]
    mixed = ground + (cloth - ground) * alpha[..., None]
    mixed = mixed + rng.standard_normal(mask.shape, dtype=np.float32)[..., None] * 0.006
    return np.asarray(np.clip(mixed, 0, 1) * 255 + 0.5).astype(np.uint8)
