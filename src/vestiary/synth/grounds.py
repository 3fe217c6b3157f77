"""What is behind and below a person: studio sweeps, rooms and streets by formula, with the person's shadow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.light import Lamps, light, linear
from vestiary.synth.mesh import f32, ramp
from vestiary.synth.raster import Camera

Array = NDArray[np.float32]
GROUNDS = ("studio", "room", "street", "park")
_TONES = (
    (0.86, 0.86, 0.86), (0.80, 0.79, 0.77), (0.74, 0.76, 0.78), (0.84, 0.82, 0.78), (0.62, 0.66, 0.70),
    (0.72, 0.66, 0.62), (0.60, 0.66, 0.60), (0.80, 0.74, 0.72), (0.45, 0.46, 0.48), (0.93, 0.93, 0.92),
)  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """Which ground, its seed, and how far away the wall is in metres."""

    kind: str
    seed: int
    wall: float


def draw_ground(rng: np.random.Generator) -> Ground:
    """A random ground."""
    kind = str(rng.choice(GROUNDS, p=[0.46, 0.24, 0.18, 0.12]))
    far = {"studio": 2.4, "room": rng.uniform(0.9, 2.2), "street": rng.uniform(7, 14), "park": 16.0}[kind]
    return Ground(kind, int(rng.integers(1 << 30)), float(far))


def paint_ground(ground: Ground, camera: Camera, lamps: Lamps, floor: float, casters: Array) -> Array:
    """`(H, W, 3) float32` linear light of everything behind the person."""
    rng = np.random.default_rng(ground.seed)
    width, height = camera.size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    dx, dz = (x - camera.centre[0]) / camera.focal, (camera.centre[1] - y) / camera.focal
    to_wall = np.float32(ground.wall - camera.eye[1])
    to_floor = np.where(dz < -1e-4, (floor - camera.eye[2]) / np.minimum(dz, -1e-4), 1e4).astype(np.float32)
    low = to_floor < to_wall
    away = np.where(low, to_floor, to_wall)
    across, up, deep = f32(dx * away), f32(camera.eye[2] + dz * away - floor), f32(camera.eye[1] + away)
    makers = {"studio": _studio, "room": _room, "street": _street, "park": _park}
    scene = makers[ground.kind](rng, across, up, deep, low, ground.wall)
    blur = {"studio": 0.0, "room": 0.0016, "street": 0.005, "park": 0.007}[ground.kind]
    if blur:
        soft = cv2.GaussianBlur(scene, (0, 0), max(0.6, blur * height))
        near = (1 - ramp(deep, -0.6, 2.0) * (1 if ground.kind != "room" else 0.6))[..., None] * low[..., None]
        scene = scene * near + soft * (1 - near)
    shaded = _shadow(lamps, floor, casters, across, deep, low)
    wall = f32(lamps.sky) * 0.5 + f32(lamps.floor) * 0.5 + 0.42 * f32(lamps.power) * abs(lamps.towards[1])
    fade = (
        ramp(deep, ground.wall - 1.2, ground.wall)[..., None]
        if ground.kind == "studio"
        else (1 - low.astype(np.float32))[..., None]
    )
    return np.asarray(scene * (shaded * (1 - fade) + wall * fade), np.float32)


def _shadow(lamps: Lamps, floor: float, casters: Array, across: Array, deep: Array, low: NDArray[np.bool_]) -> Array:
    """Light on the floor `(H, W, 3)`, worked out on a coarse grid round the feet."""
    step, x0, y0, columns, rows = 0.03, -1.8, -1.2, 120, 110
    gx, gy = np.meshgrid(x0 + step * np.arange(columns), y0 + step * np.arange(rows))
    points = np.stack([gx, gy, np.full_like(gx, floor)], -1).reshape(-1, 3).astype(np.float32)
    up = np.broadcast_to(f32([0, 0, 1]), points.shape)
    lit = light(points, up, casters, lamps, floor=floor, skies=24)
    table = (lit.ambient + lit.key[:, None] * f32(lamps.power) * lamps.towards[2]).reshape(rows, columns, 3)
    table = cv2.GaussianBlur(table, (0, 0), 0.8)
    found = cv2.remap(
        table, (across - x0) / step, (deep - y0) / step, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found, np.float32)


def _tone(rng: np.random.Generator) -> Array:
    return linear(np.clip(np.array(_TONES[int(rng.integers(len(_TONES)))]) + rng.normal(0, 0.015, 3), 0.2, 0.97))


def _slow(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> Array:
    coarse = rng.standard_normal((cells + 2, cells + 2), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def _studio(
    rng: np.random.Generator, across: Array, up: Array, deep: Array, low: NDArray[np.bool_], wall: float
) -> Array:
    """Seamless paper, brighter in the middle."""
    tone, glow = _tone(rng), float(rng.uniform(0.0, 0.35))
    light_spot = np.exp(-((across - rng.normal(0, 0.4)) ** 2 + (up - 1.3) ** 2) / 1.6)
    level = 1.15 * (1 - glow * 0.5 + glow * light_spot) * (1 + 0.006 * _slow(rng, across.shape, 3))
    return np.asarray(tone * level[..., None], np.float32)


def _planks(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Boards that run away from the camera, or across."""
    if rng.random() < 0.5:
        x, y = y, x
    board = np.floor(x / 0.14)
    piece = np.floor(y / 1.1 + np.mod(board * 0.37, 1))
    pick = np.mod(np.sin(board * 12.99 + piece * 78.2) * 437.5, 1)
    tone = linear((0.62, 0.46, 0.32)) * np.float32(rng.uniform(0.6, 1.3))
    grain = 1 + 0.06 * np.sin(x * 160 + 3 * np.sin(y * 5 + board)) + 0.2 * (pick - 0.5)
    gap = np.minimum(np.mod(x / 0.14, 1), 1 - np.mod(x / 0.14, 1)) < 0.02
    return np.asarray(tone * (grain * np.where(gap, 0.55, 1))[..., None], np.float32)


def _tiles(rng: np.random.Generator, x: Array, y: Array, side: float) -> Array:
    tone = _tone(rng) * 0.8
    i, j = np.floor(x / side), np.floor(y / side)
    pick = np.mod(np.sin(i * 12.99 + j * 78.2) * 437.5, 1)
    edge = np.minimum.reduce(
        [np.mod(x / side, 1), 1 - np.mod(x / side, 1), np.mod(y / side, 1), 1 - np.mod(y / side, 1)]
    )
    return np.asarray(tone * ((0.92 + 0.14 * pick) * np.where(edge < 0.012, 0.7, 1))[..., None], np.float32)


def _room(
    rng: np.random.Generator, across: Array, up: Array, deep: Array, low: NDArray[np.bool_], wall: float
) -> Array:
    """A painted wall with skirting board, a picture or a doorway, and boards, tiles or carpet."""
    tone = _tone(rng)
    paper = tone * (1 + 0.015 * _slow(rng, across.shape, 4) + 0.05 * np.tanh(across))[..., None]
    board = f32([0.82, 0.81, 0.79])
    scene = np.where((up < 0.09)[..., None], board * np.where(np.abs(up - 0.085) < 0.006, 0.6, 1)[..., None], paper)
    if rng.random() < 0.6:
        centre, wide = float(rng.choice([-1, 1]) * rng.uniform(0.75, 1.3)), float(rng.uniform(0.25, 0.45))
        inside = (np.abs(across - centre) < wide) & (np.abs(up - 1.55) < wide * 1.2)
        frame = inside & ((np.abs(across - centre) > wide - 0.03) | (np.abs(up - 1.55) > wide * 1.2 - 0.03))
        art = _tone(rng) * (1 + 0.4 * _slow(rng, across.shape, 6))[..., None]
        scene = np.where(inside[..., None], np.clip(art, 0.02, 0.9), scene)
        scene = np.where(frame[..., None], f32([0.06, 0.05, 0.04]) * float(rng.choice([1, 8])), scene)
    if rng.random() < 0.5:
        edge = float(rng.choice([-1, 1]) * rng.uniform(0.9, 1.6))
        door = (across - edge) * np.sign(edge) > 0
        shade = np.where(np.abs(across - edge) < 0.05, 0.85, 0.45 + 0.1 * np.tanh(np.abs(across - edge)))
        scene = np.where((door & (up < 2.15))[..., None], _tone(rng) * shade[..., None], scene)
    kind = int(rng.integers(3))
    ground = _planks(rng, across, deep) if kind == 0 else _tiles(rng, across, deep, float(rng.uniform(0.3, 0.6)))
    if kind == 2:
        ground = _tone(rng) * 0.6 * (1 + 0.05 * rng.standard_normal(across.shape, dtype=np.float32))[..., None]
    corner = 1 - 0.35 * np.exp(-np.maximum(wall - deep, 0) / 0.25) * low
    return np.asarray(np.where(low[..., None], ground, scene) * corner[..., None], np.float32)


def _street(
    rng: np.random.Generator, across: Array, up: Array, deep: Array, low: NDArray[np.bool_], wall: float
) -> Array:
    """Facades with windows, a kerb and paving stones."""
    scene = np.broadcast_to(linear((0.80, 0.86, 0.92)) * 1.3, (*across.shape, 3)).copy()
    edge = -wall * 1.2
    while edge < wall * 1.2:
        wide, high = float(rng.uniform(3, 7)), float(rng.uniform(6, 14))
        tone = _tone(rng) * float(rng.uniform(0.4, 0.9))
        house = (across >= edge) & (across < edge + wide) & (up < high)
        bay, storey = float(rng.uniform(1.2, 2.0)), float(rng.uniform(2.6, 3.2))
        i, j = np.mod((across - edge) / bay, 1), np.mod(up / storey, 1)
        glass = (np.abs(i - 0.5) < 0.28) & (np.abs(j - 0.55) < 0.27)
        lit = np.mod(np.sin(np.floor((across - edge) / bay) * 9.1 + np.floor(up / storey) * 4.7) * 91.7, 1) > 0.6
        pane = np.where(lit[..., None], f32([0.55, 0.52, 0.40]), f32([0.07, 0.09, 0.11]))
        scene = np.where(
            house[..., None],
            np.where(glass[..., None], pane, tone * (1 + 0.04 * _slow(rng, across.shape, 9))[..., None]),
            scene,
        )
        edge += wide
    stones = _tiles(rng, across, deep, float(rng.uniform(0.4, 0.8))) * 0.7
    road = linear((0.36, 0.36, 0.37)) * (1 + 0.03 * rng.standard_normal(across.shape, dtype=np.float32))[..., None]
    kerb = float(rng.uniform(2.0, 4.0))
    ground = np.where((deep > kerb)[..., None], road, stones)
    ground = np.where((np.abs(deep - kerb) < 0.12)[..., None], np.float32(0.35), ground)
    return np.asarray(np.where(low[..., None], ground, scene), np.float32)


def _park(
    rng: np.random.Generator, across: Array, up: Array, deep: Array, low: NDArray[np.bool_], wall: float
) -> Array:
    """Trees with spots of light, lawn and a path."""
    shape = across.shape
    leaf, sky = linear((0.32, 0.42, 0.24)), linear((0.84, 0.89, 0.92)) * 1.3
    crowns = _slow(rng, shape, 9) + 0.6 * _slow(rng, shape, 26)
    high = ramp(up + 0.9 * _slow(rng, shape, 7), 4.5, 6.5)[..., None]
    far = leaf * np.clip(1 + 0.55 * crowns, 0.25, 2.6)[..., None] * (1 - high) + sky * high
    sparks = ramp(_slow(rng, shape, 34), 1.5, 2.2)[..., None]
    far = far + (sky - far) * 0.7 * sparks
    lawn = (
        linear((0.40, 0.48, 0.26))
        * (1 + 0.12 * _slow(rng, shape, 40) + 0.08 * rng.standard_normal(shape, dtype=np.float32))[..., None]
    )
    path = linear((0.62, 0.58, 0.52)) * (1 + 0.05 * rng.standard_normal(shape, dtype=np.float32))[..., None]
    wide = ramp(np.abs(across - 0.2 * np.sin(deep * 0.5)), 1.1, 1.3)[..., None]
    return np.asarray(np.where(low[..., None], path + (lawn - path) * wide, far), np.float32)
