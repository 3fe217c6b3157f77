"""Cloth drawn flat: panels with folds, light and contact shadows, seams, stitches, ribs and the ground below.

Coordinates are pixels of the finished picture; everything is drawn at `SCALE` times that and reduced at the end.
Left and right are the wearer's, as everywhere in Vestiary: the left side is on the right of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[np.float32]
Texture = Callable[[Array, Array], Array]
SCALE = 2
LIGHT = np.array([-0.42, -0.60, 0.68], np.float32)


def curve(points: Sequence[Sequence[float]], steps: int = 24) -> Array:
    """`(N, 2)` points of a centripetal-like Catmull-Rom curve through `points`."""
    p = np.asarray(points, np.float32)
    if len(p) < 3:
        return p
    q = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[:, None]
    spans = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(q[:-3], q[1:-2], q[2:-1], q[3:], strict=True)
    ]
    return np.concatenate([*spans, p[-1:]]).astype(np.float32)


def outline(*parts: Sequence[Sequence[float]]) -> Array:
    """A closed polygon from several curves joined at their ends, with corners where they meet."""
    return np.concatenate([curve(part) for part in parts])


def mirror(points: Array, centre: float) -> Array:
    """The other side's points, in reverse order so that an outline can go on with them."""
    return (np.asarray(points, np.float32) * [-1, 1] + [2 * centre, 0])[::-1].astype(np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], along: float, across: float, angle: float) -> Array:
    """Smooth noise of unit variance whose features are `along` x `across` pixels large, turned by `angle` radians."""
    step = max(1, int(min(along, across) / 3))
    side = int(np.hypot(*shape) / step) + 8
    field = rng.standard_normal((side, side)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), sigmaX=max(along / step, 0.4), sigmaY=max(across / step, 0.4))
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -np.degrees(angle), step)
    turn[:, 2] += np.array([shape[1], shape[0]]) / 2 - side / 2
    field = cv2.warpAffine(field, turn, (shape[1], shape[0]), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return (field - field.mean()) / (field.std() + 1e-6)


def lettering(text: str, size: int, stroke: int = 0) -> Array:
    """`(h, w)` coverage 0..1 of a line of text in the font that Pillow ships."""
    font = ImageFont.load_default(size)
    x0, y0, x1, y1 = font.getbbox(text, stroke_width=stroke)
    picture = Image.new("L", (int(x1 - x0) + 8, int(y1 - y0) + 8))
    ImageDraw.Draw(picture).text((4 - x0, 4 - y0), text, 255, font, stroke_width=stroke)
    return np.asarray(picture, np.float32) / 255


class Cloth:
    """A garment being drawn: colour and alpha so far, and the folds that the next panels get."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.size = size
        self.rng = np.random.default_rng(seed)
        self.shape = (size[1] * SCALE, size[0] * SCALE)
        self.colour = np.zeros((*self.shape, 3), np.float32)
        self.alpha = np.zeros(self.shape, np.float32)
        self.creases = np.zeros(self.shape, np.float32)

    def cover(self, polygon: Array) -> Array:
        """Coverage 0..1 of a polygon."""
        mask = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(polygon * SCALE * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    def crease(self, points: Sequence[Sequence[float]], width: float, depth: float) -> None:
        """A fold along a curve for the panels drawn next: a ridge (or valley, if depth < 0) that fades at its ends."""
        path = curve(points) * SCALE
        line = np.zeros(self.shape, np.float32)
        for k, (a, b) in enumerate(pairwise(path)):
            fade = np.sin(np.pi * (k + 0.5) / (len(path) - 1)) ** 0.7
            cv2.line(line, a.astype(int).tolist(), b.astype(int).tolist(), float(fade), max(1, int(width * SCALE / 3)))
        sharp = cv2.GaussianBlur(line, (0, 0), width * SCALE / 2.2)
        self.creases += sharp * (depth * SCALE / max(float(sharp.max()), 1e-6))

    def smooth(self) -> None:
        """Forget the creases."""
        self.creases[:] = 0

    def panel(
        self, polygon: Array, texture: Texture, *, fold: float = 1.0, angle: float = 1.57, turn: float = 0.0,
        origin: tuple[float, float] = (0, 0), thickness: float = 4.0, edge: float = 9.0, shadow: float = 0.35,
        dim: float = 1.0, depth: Callable[[Array, Array], Array] | None = None, inside: Array | None = None,
    ) -> None:  # fmt: skip
        """Lay a piece of cloth on what is there.

        Args:
            polygon: its outline.
            texture: colour `(h, w, 3)` 0..1 of cloth coordinates u, v (pixels, turned by `turn` round `origin`).
            fold: strength of the random folds; `angle`: their direction (pi/2 = hanging).
            thickness, edge: height of the cloth over what lies below and the radius of its rolled edge.
            shadow: what it casts on the panels below; `dim`: light that it gets (inside of a garment: < 1).
            depth: additional height of u, v (ribs, pleats).
            inside: only where this coverage is.
        """
        x0, y0 = np.maximum(np.floor(polygon.min(0) * SCALE).astype(int) - 40, 0)
        x1, y1 = np.ceil(polygon.max(0) * SCALE).astype(int) + 40
        cut = (slice(y0, min(y1, self.shape[0])), slice(x0, min(x1, self.shape[1])))
        full = self.cover(polygon) if inside is None else self.cover(polygon) * inside
        mask = full[cut]
        shape = mask.shape
        height = fold * (
            5.0 * noise(self.rng, shape, 260, 110, angle)
            + 2.2 * np.abs(noise(self.rng, shape, 190, 40, angle + 0.25))
            + 0.7 * noise(self.rng, shape, 60, 18, angle - 0.5)
            + 0.25 * noise(self.rng, shape, 9, 7, 0)
        )
        height = height * SCALE / 2 + self.creases[cut]
        slope_x, slope_y = np.gradient(cv2.GaussianBlur(height, (0, 0), 2.5))[::-1]
        y, x = np.mgrid[cut].astype(np.float32) / SCALE
        x, y = x - origin[0] + 9 * slope_x, y - origin[1] + 9 * slope_y
        u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
        if depth is not None:
            height = height + depth(u, v) * SCALE
        inward = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        height = height + thickness * SCALE * (1 - np.exp(-inward / (edge * SCALE)))
        lit = self._lit(height)
        cast = np.roll(cv2.GaussianBlur(full, (0, 0), 7 * SCALE), (7 * SCALE, 4 * SCALE), (0, 1))
        self.colour *= 1 - shadow * cast[..., None]
        colour = np.clip(texture(u, v) * (lit * dim)[..., None], 0, 1.1)
        self.colour[cut] += (colour - self.colour[cut]) * mask[..., None]
        self.alpha[cut] = np.maximum(self.alpha[cut], mask)

    def _lit(self, height: Array) -> Array:
        slope_x, slope_y = np.gradient(height)[::-1]
        light = LIGHT / np.linalg.norm(LIGHT)
        facing = (light[2] - slope_x * light[0] - slope_y * light[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
        lit = facing / light[2]
        hollow = height - cv2.GaussianBlur(height, (0, 0), 16 * SCALE)
        return np.clip(1 + 0.75 * (lit - 1), 0.35, 1.2) * np.clip(1 + 0.012 * hollow / SCALE, 0.8, 1.04)

    def stroke(
        self, points: Array, colour: Sequence[float], *, width: float = 1.0, opacity: float = 1.0, dash: float = 0.0
    ) -> None:
        """Draw along a path, on cloth only: seams, and stitches with `dash` pixels each."""
        path = np.asarray(points, np.float32) * SCALE
        length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
        grid = np.arange(0, length[-1], (dash or 4) * SCALE / 2)
        dense = np.stack([np.interp(grid, length, path[:, k]) for k in (0, 1)], 1)
        ink = np.zeros(self.shape, np.uint8)
        fixed = np.round(dense * 16).astype(np.int32)
        pieces = [fixed[k : k + 2] for k in range(0, len(fixed) - 1, 3)] if dash else [fixed]
        cv2.polylines(ink, pieces, False, 255, max(1, round(width * SCALE)), cv2.LINE_AA, 4)
        mask = (ink.astype(np.float32) / 255 * opacity * (self.alpha > 0.5))[..., None]
        self.colour += (np.float32(colour) - self.colour) * mask

    def seam(
        self, points: Array, *, strength: float = 0.3, stitch: Sequence[float] | None = None, off: float = 5
    ) -> None:
        """A sewn edge: a groove with a bright lip and, beside it, a row of stitches of that colour."""
        self.stroke(points, (0, 0, 0), width=1.1, opacity=strength)
        self.stroke(points + np.float32([1.3, 1.3]), (1, 1, 1), width=1.0, opacity=strength * 0.45)
        if stitch is not None:
            for side in (off,) if off else (0,):
                direction = np.gradient(points, axis=0)
                normal = np.stack([-direction[:, 1], direction[:, 0]], 1)
                normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
                self.stroke(points + normal * side, stitch, width=0.9, opacity=0.75, dash=5)

    def ribs(self, one: Array, other: Array, *, spacing: float = 5, strength: float = 0.16) -> None:
        """Knitted ribs between two edges of a band."""
        count = int(np.hypot(*np.diff(one, axis=0).T).sum() / spacing)
        at = np.linspace(0, 1, max(count, 2))
        ends = [
            np.stack([np.interp(at, np.linspace(0, 1, len(path)), path[:, k]) for k in (0, 1)], 1)
            for path in (one, other)
        ]
        for a, b in zip(*ends, strict=True):
            self.stroke(np.float32([a, b]), (0, 0, 0), width=1.2, opacity=strength)
            self.stroke(np.float32([a, b]) + np.float32([1.8, 0]), (1, 1, 1), width=0.9, opacity=strength * 0.6)

    def button(self, at: tuple[float, float], radius: float, colour: Sequence[float]) -> None:
        """A sewn-on button with four holes and a shadow."""
        centre = (int(at[0] * SCALE), int(at[1] * SCALE))
        for shift, size, tone in ((1.6, 1.08, 0.45), (0, 1.0, 1.0), (-0.3, 0.72, 0.9), (-0.3, 0.6, 1.04)):
            spot = np.zeros(self.shape, np.uint8)
            place = (centre[0] + round(shift * SCALE / 2), centre[1] + round(shift * SCALE))
            cv2.circle(spot, place, round(radius * size * SCALE), 255, -1, cv2.LINE_AA)
            mask = spot.astype(np.float32)[..., None] / 255 * (0.5 if tone < 0.5 else 1)
            self.colour += (np.clip(np.float32(colour) * tone, 0, 1) - self.colour) * mask
        for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            spot = np.zeros(self.shape, np.uint8)
            hole = (round(centre[0] + dx * radius * SCALE * 0.22), round(centre[1] + dy * radius * SCALE * 0.22))
            cv2.circle(spot, hole, max(1, round(radius * 0.11 * SCALE)), 255, -1, cv2.LINE_AA)
            self.colour *= 1 - 0.7 * spot.astype(np.float32)[..., None] / 255

    def settle(self, landmarks: Array, *, bend: float = 3.5, turn: float = 0.0) -> tuple[Array, Array, Array]:
        """The finished cloth after a slight random bend and turn: colour, alpha and landmarks, still at SCALE."""
        width, height = self.size
        sway = np.stack([noise(self.rng, self.shape, 330, 330, 0) for _ in range(2)], -1) * bend * SCALE
        matrix = cv2.getRotationMatrix2D((width * SCALE / 2, height * SCALE / 2), np.degrees(turn), 1)
        y, x = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float32)
        back = cv2.invertAffineTransform(matrix)
        source_x = back[0, 0] * x + back[0, 1] * y + back[0, 2] - sway[..., 0]
        source_y = back[1, 0] * x + back[1, 1] * y + back[1, 2] - sway[..., 1]
        source_x, source_y = source_x.astype(np.float32), source_y.astype(np.float32)
        colour = cv2.remap(self.colour, source_x, source_y, cv2.INTER_LINEAR)
        alpha = cv2.remap(self.alpha, source_x, source_y, cv2.INTER_LINEAR)
        moved = np.asarray(landmarks, np.float32).copy() * SCALE
        turned = moved @ matrix[:, :2].T + matrix[:, 2]
        at = np.clip(turned.astype(int), 0, [self.shape[1] - 1, self.shape[0] - 1])
        return colour, alpha, ((turned + sway[at[:, 1], at[:, 0]] @ matrix[:, :2].T) / SCALE).astype(np.float32)


def on_ground(colour: Array, alpha: Array, ground: Array, *, lift: float = 10.0, strength: float = 0.4) -> Array:
    """The cloth laid on a ground of the same size, with its soft shadow."""
    near = np.roll(cv2.GaussianBlur(alpha, (0, 0), 4 * SCALE), (4 * SCALE, 2 * SCALE), (0, 1))
    far = np.roll(
        cv2.GaussianBlur(alpha, (0, 0), lift * 2.4 * SCALE), (int(lift * SCALE), int(lift * SCALE * 0.6)), (0, 1)
    )
    shaded = ground * (1 - strength * 0.55 * near - strength * 0.6 * far)[..., None]
    return shaded * (1 - alpha[..., None]) + colour * alpha[..., None]


def finish(picture: Array, rng: np.random.Generator, grain: float = 0.006) -> NDArray[np.uint8]:
    """`(h, w, 3) uint8`: reduced by SCALE, with a little sensor noise."""
    small = cv2.resize(picture, None, fx=1 / SCALE, fy=1 / SCALE, interpolation=cv2.INTER_AREA)
    small = small + rng.standard_normal(small.shape).astype(np.float32) * grain
    return (np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8)
