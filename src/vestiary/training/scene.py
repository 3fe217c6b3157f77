"""A picture with all that lies on it, and what becomes of it when a `Draw` is applied: geometry, occlusion, light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.framing import GROUND, MIRRORED_JOINTS
from vestiary.types import Joint, Landmark, Part

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scene:
    """Arrays in one frame.

    Attributes:
        pictures: `(H, W, 3) uint8` sRGB each, lit alike.
        masks: `(H, W) uint8` each, soft, 0 outside the frame.
        parts: `(H, W) uint8` each, of `Part` values, background outside the frame.
        points: `(18, 3)`, `(33, 4)` or `(28, 3) float32` each: COCO-18 joints, BlazePose landmarks with depth, or
            garment landmarks; x, y first, confidence last, which becomes 0 outside the frame.
    """

    pictures: Mapping[str, U8] = field(default_factory=dict)
    masks: Mapping[str, U8] = field(default_factory=dict)
    parts: Mapping[str, U8] = field(default_factory=dict)
    points: Mapping[str, F32] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = next(iter((*self.pictures.values(), *self.masks.values(), *self.parts.values()))).shape[:2]
        return width, height


@dataclass(frozen=True, eq=False)
class Occluder:
    """Something in front: `(h, w, 4) uint8` RGBA, laid with its centre at x, y."""

    rgba: U8
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Draw:
    """What is done to a scene: `matrix` (3, 3) moves its points; the rest as in `Augmentation`."""

    mirrored: bool
    matrix: F64
    degrees: float
    stops: float
    gamma: float
    warmth: float
    noise: float
    noise_seed: int
    quality: int | None
    occluders: tuple[Occluder, ...]


def apply(scene: Scene, drawn: Draw) -> Scene:
    """The scene after geometry, then occlusion, then light; its size stays. An empty draw gives equal arrays."""
    return _lit(_covered(_moved(scene, drawn), drawn), drawn)


def _mirrored(names: type[IntEnum]) -> list[int]:
    """For each member the one that takes its place in a mirror."""
    swap = {"LEFT": "RIGHT", "RIGHT": "LEFT"}
    return [int(names["_".join(swap.get(word, word) for word in member.name.split("_"))]) for member in names]


MIRROR = {18: MIRRORED_JOINTS[:18], 33: _mirrored(Joint), 28: _mirrored(Landmark)}
_MIRROR_PARTS = np.arange(256, dtype=np.uint8)
_MIRROR_PARTS[: len(Part)] = _mirrored(Part)


def _moved(scene: Scene, drawn: Draw) -> Scene:
    if np.allclose(drawn.matrix, np.eye(3), atol=1e-12):
        return scene
    size = scene.size

    def warped(array: U8, way: int, fill: int) -> U8:
        return cast(U8, cv2.warpPerspective(array, drawn.matrix, size, flags=way, borderValue=(fill,) * 3))

    parts = {name: warped(array, cv2.INTER_NEAREST, 0) for name, array in scene.parts.items()}
    if drawn.mirrored:
        parts = {name: cast(U8, cv2.LUT(array, _MIRROR_PARTS)) for name, array in parts.items()}
    return Scene(
        {name: warped(array, cv2.INTER_LINEAR, GROUND) for name, array in scene.pictures.items()},
        {name: warped(array, cv2.INTER_LINEAR, 0) for name, array in scene.masks.items()},
        parts,
        {name: _moved_points(array, drawn, size) for name, array in scene.points.items()},
    )


def _moved_points(points: F32, drawn: Draw, size: tuple[int, int]) -> F32:
    new = points[MIRROR[len(points)]] if drawn.mirrored else points.copy()
    flat = np.column_stack([new[:, :2], np.ones(len(new))]) @ drawn.matrix.T
    new[:, :2] = flat[:, :2] / flat[:, 2:]
    if new.shape[1] == 4:  # depth grows with the picture
        new[:, 2] *= np.sqrt(abs(np.linalg.det(drawn.matrix[:2, :2])))
    inside = (new[:, :2] >= 0).all(axis=1) & (new[:, 0] <= size[0] - 1) & (new[:, 1] <= size[1] - 1)
    new[:, -1] *= inside
    return new


def _covered(scene: Scene, drawn: Draw) -> Scene:
    """What is covered belongs to nobody: masks 0, parts background; joints below keep half of their confidence."""
    for item in drawn.occluders:
        new, window = _window(item, scene.size)
        if new is None:
            continue
        over = np.asarray(new[..., 3:] / 255, np.float32)
        alpha, colour = over[..., 0], new[..., :3] * over
        scene = Scene(
            {n: _put(a, window, a[window] * (1 - over) + colour + 0.5) for n, a in scene.pictures.items()},
            {n: _put(a, window, a[window] * (1 - alpha) + 0.5) for n, a in scene.masks.items()},
            {n: _put(a, window, np.where(alpha > 0.5, 0, a[window])) for n, a in scene.parts.items()},
            {n: _dimmed(a, alpha, window) for n, a in scene.points.items()},
        )
    return scene


def _window(item: Occluder, size: tuple[int, int]) -> tuple[U8 | None, tuple[slice, slice]]:
    """The part of an occluder that lies in the frame, and where."""
    height, width = item.rgba.shape[:2]
    left, top = round(item.x - width / 2), round(item.y - height / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, size[0]), min(top + height, size[1])
    window = slice(y0, y1), slice(x0, x1)
    if x0 >= x1 or y0 >= y1:
        return None, window
    return item.rgba[y0 - top : y1 - top, x0 - left : x1 - left], window


def _put(array: U8, window: tuple[slice, slice], content: NDArray[Any]) -> U8:
    new = array.copy()
    new[window] = content
    return new


def _dimmed(points: F32, alpha: F32, window: tuple[slice, slice]) -> F32:
    rows, columns = window
    x, y = np.round(points[:, 0]).astype(int) - columns.start, np.round(points[:, 1]).astype(int) - rows.start
    inside = (x >= 0) & (y >= 0) & (x < alpha.shape[1]) & (y < alpha.shape[0])
    new = points.copy()
    new[inside, -1] *= np.where(alpha[y[inside], x[inside]] > 0.5, 0.5, 1.0)
    return new


def _lit(scene: Scene, drawn: Draw) -> Scene:
    table = _table(drawn)
    return replace(scene, pictures={name: _photographed(a, drawn, table) for name, a in scene.pictures.items()})


def _table(drawn: Draw) -> U8 | None:
    """`(1, 256, 3)`: each channel's new value; gains in linear light, as a lamp or a shutter would change it."""
    if not (drawn.stops or drawn.warmth) and drawn.gamma == 1:
        return None
    value = np.arange(256) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    gains = 2.0**drawn.stops * np.exp(drawn.warmth * np.array([1.0, 0.0, -1.0]))
    lit = np.clip(linear[:, None] * gains, 0, 1)
    shown = np.where(lit <= 0.0031308, lit * 12.92, 1.055 * lit ** (1 / 2.4) - 0.055) ** drawn.gamma
    return np.round(shown * 255).astype(np.uint8)[None]


def _photographed(picture: U8, drawn: Draw, table: U8 | None) -> U8:
    if table is not None:
        picture = cast(U8, cv2.LUT(picture, table))
    if drawn.noise > 0:
        grain = np.random.default_rng(drawn.noise_seed).standard_normal(picture.shape, np.float32)
        strength = drawn.noise * 255 * (0.5 + np.sqrt(np.arange(256) / 255) * 0.7)  # grows with the light
        grain *= strength.astype(np.float32)[picture]
        grain += picture
        picture = cast(U8, cv2.convertScaleAbs(np.maximum(grain, 0, out=grain)))
    if drawn.quality is not None:
        _, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, drawn.quality])
        picture = cast(U8, cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
    return picture
