"""Painting surfaces: light on their vertices, then pixels layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.drape import Cloth
from vestiary.synth.fabrics import Fabric
from vestiary.synth.folds import wrinkles
from vestiary.synth.light import Lamps, Lit, light, normals
from vestiary.synth.looks import Look, Surface
from vestiary.synth.mesh import f32
from vestiary.synth.raster import Camera, cast
from vestiary.types import Part

if TYPE_CHECKING:
    from vestiary.synth.flat import Flat

Array = NDArray[np.float32]
F64 = NDArray[np.float64]
OVER_SKIN = 0.03  # metres by which cloth may lie behind the skin that it covers
UNDER = 0.028  # metres: cloth nearer than this throws no shadow on skin, whose vertices reach below it
OF_CATEGORY = {
    "top": Part.TOP, "outerwear": Part.OUTERWEAR, "dress": Part.DRESS, "skirt": Part.SKIRT,
    "trousers": Part.TROUSERS, "shorts": Part.SHORTS,
}  # fmt: skip
_CLOTHES = tuple(OF_CATEGORY.values())


@dataclass
class Canvas:
    """What has been painted, with `samples` x `samples` as many pixels as the picture.

    Attributes:
        colour: linear light; near: metres, infinite = ground.
        part: values of `Part`; place: `(h, w, 2)` pixels of the flat picture; panel: 0 none, 1 front, 2 back.
        albedo: the target garment's cloth colour without light.
    """

    colour: Array
    near: Array
    part: NDArray[np.uint8]
    place: Array
    panel: NDArray[np.uint8]
    albedo: Array

    @classmethod
    def blank(cls, size: tuple[int, int]) -> Canvas:
        shape = size[::-1]
        return cls(
            np.zeros((*shape, 3), np.float32), np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint8),
            np.zeros((*shape, 2), np.float32), np.zeros(shape, np.uint8), np.zeros((*shape, 3), np.float32),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Garb:
    """A garment's pieces as they are painted: whether it is the one that the item is about, and above which reach."""

    cloths: Sequence[Cloth]
    target: bool
    over: tuple[Part, ...]


def paint(
    surfaces: Sequence[Surface], garbs: Sequence[Garb], camera: Camera, lamps: Lamps, floor: float, turn: F64
) -> tuple[Canvas, Array]:
    """The person on an empty canvas of the camera's size, and the points that throw shadows."""
    meshes: list[tuple[Array, NDArray[np.int32]]] = [(s.points, s.faces) for s in surfaces]
    meshes += [((c.points @ turn.T).astype(np.float32), c.faces) for g in garbs for c in g.cloths]
    every = [normals(points, faces) for points, faces in meshes]
    casters = np.concatenate([points[np.unique(faces)] for points, faces in meshes])
    above = [True] * len(surfaces) + [bool(g.over) for g in garbs for _ in g.cloths]
    slack = np.concatenate([np.full(len(m[0]), UNDER * k, np.float32) for m, k in zip(meshes, above, strict=True)])
    lit = light(np.concatenate([m[0] for m in meshes]), np.concatenate(every), casters, lamps, floor=floor, slack=slack)
    bounds = np.cumsum([0] + [len(m[0]) for m in meshes])
    canvas = Canvas.blank(camera.size)
    for k, (points, faces) in enumerate(meshes):
        part = slice(bounds[k], bounds[k + 1])
        vertex = np.concatenate([every[k], lit.key[part, None], lit.ambient[part]], 1)
        screen = camera.project(points)
        if k < len(surfaces):
            _surface(canvas, surfaces[k], points, faces, screen, vertex, camera, lamps)
    start = len(surfaces)
    for garb in garbs:
        for cloth in garb.cloths:
            points, faces = meshes[start]
            part = slice(bounds[start], bounds[start + 1])
            vertex = np.concatenate([every[start], lit.key[part, None], lit.ambient[part]], 1)
            _cloth(canvas, garb, cloth, points, faces, vertex, camera, lamps, turn)
            start += 1
    return canvas, casters


def _surface(
    canvas: Canvas, surface: Surface, points: Array, faces: NDArray[np.int32], screen: Array, vertex: Array,
    camera: Camera, lamps: Lamps,
) -> None:  # fmt: skip
    hits = cast(screen, faces, camera.size, facing=0 if surface.sheet else 1)
    wins = hits.distance < canvas.near[hits.y, hits.x] + np.float32(surface.reach)
    if surface.edge is not None:
        wins &= hits.spread(surface.edge[:, None], faces)[:, 0] > 0
    hits = hits[wins]
    found = hits.spread(np.concatenate([vertex, points, surface.values], 1), faces)
    normal = _unit(found[:, :3])
    if surface.sheet:
        away = (normal * (found[:, 7:10] - f32(camera.eye))).sum(1) > 0
        normal[away] *= -1
    look = surface.material(found[:, 10:], normal)
    canvas.colour[hits.y, hits.x] = shade(look, normal, found[:, 7:10], Lit(found[:, 3], found[:, 4:7]), camera, lamps)
    canvas.near[hits.y, hits.x] = hits.distance
    if isinstance(surface.part, Part):
        canvas.part[hits.y, hits.x] = surface.part
    else:
        corner = np.take_along_axis(faces[hits.face], hits.weights.argmax(1)[:, None], 1)[:, 0]
        canvas.part[hits.y, hits.x] = surface.part[corner]


def _cloth(
    canvas: Canvas, garb: Garb, cloth: Cloth, points: Array, faces: NDArray[np.int32], vertex: Array, camera: Camera,
    lamps: Lamps, turn: F64,
) -> None:  # fmt: skip
    """The outside of a piece of cloth over what it covers, and its inside where that is nearest."""
    screen = camera.project(points)
    edge = cloth.edge()
    own = OF_CATEGORY[cloth.flat.cut.category]
    reach = np.zeros(len(Part), np.float32)
    reach[[Part.NECK, Part.LEFT_LEG, Part.RIGHT_LEG]] = OVER_SKIN
    reach[[Part.LEFT_ARM, Part.RIGHT_ARM]] = 0.018
    reach[[Part.LEFT_HAND, Part.RIGHT_HAND]] = 0.002
    for part in garb.over:
        reach[part] = 0.035
    values = np.concatenate(
        [vertex, points, cloth.place, cloth.front[:, None], edge[:, None], cloth.inside[:, None]], 1
    )
    for facing in (-1, 1):
        hits = cast(screen, faces, camera.size, facing=facing)
        allowed = reach[canvas.part[hits.y, hits.x]] if facing > 0 else np.float32(0)
        hits = hits[hits.distance < canvas.near[hits.y, hits.x] + allowed]
        found = hits.spread(values, faces)
        kept = _held(cloth, found)
        hits, found = hits[kept], found[kept]
        if not len(found):
            continue
        normal = _unit(found[:, :3]) * np.float32(facing)
        at = cloth.flat.pixels(found[:, 10:12].astype(np.float64)).astype(np.float32)
        tone = sample(cloth.flat.albedo, at)
        outside = (found[:, 12] > 0) & (facing > 0)
        look = _textile(tone if facing > 0 else tone * np.float32(0.8), cloth.flat.fabric)
        normal = _crumple(cloth.flat, at, normal, turn)
        canvas.colour[hits.y, hits.x] = shade(
            look, normal, found[:, 7:10], Lit(found[:, 3], found[:, 4:7]), camera, lamps
        )
        canvas.near[hits.y, hits.x] = hits.distance
        canvas.part[hits.y, hits.x] = own
        canvas.panel[hits.y, hits.x] = np.where(outside, 1, 2) * garb.target
        if garb.target:
            canvas.place[hits.y, hits.x] = at
            canvas.albedo[hits.y, hits.x] = look.colour


def _held(cloth: Cloth, found: Array) -> NDArray[np.bool_]:
    """Where the cloth has not ended yet, to the pixel of its pattern."""
    from vestiary.synth.drape import ends

    exact = ends(cloth.flat, found[:, 10:12], found[:, 12]) if len(found) else found[:, 13]
    return np.asarray(np.minimum(exact, found[:, 14]) > 0, bool)


def sample(table: Array, at: Array) -> Array:
    """Values `(N, K)` of a picture at pixels `(N, 2)`."""
    rows = max(1, -(-len(at) // 16384))
    size = rows * 16384 if rows > 1 else len(at)
    x, y = (np.resize(np.ascontiguousarray(at[:, k]), size).reshape(rows, -1) for k in (0, 1))
    found = cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(size, -1)[: len(at)], np.float32)


def _textile(colour: Array, fabric: Fabric) -> Look:
    return Look(colour, (0.05, 0.05, 0.05), 0.012 + 0.02 * (1 - fabric.stiff), 8.0)


def _crumple(flat: Flat, at: Array, normal: Array, turn: F64) -> Array:
    """Normals with the small wrinkles of the cloth."""
    seed = int(abs(flat.scale) * 1000) % (1 << 30)
    across, down = wrinkles(flat.front.shape, flat.scale, seed)
    slopes = sample(np.dstack([across, down]), at) * np.float32(1.3 - flat.fabric.stiff)
    right = f32(turn @ [1.0, 0.0, 0.0])
    return _unit(normal - slopes[:, :1] * right + slopes[:, 1:] * f32([0, 0, 1]))


def shade(look: Look, normal: Array, place: Array, lit: Lit, camera: Camera, lamps: Lamps) -> Array:
    """Light that goes from points to the camera: wrapped diffuse, ambient, Blinn-Phong."""
    way, power = lamps.towards, f32(lamps.power)
    cosine = normal @ way
    wrap = f32(look.wrap)
    direct = np.maximum((cosine[:, None] + wrap) / (1 + wrap) ** 2, 0) * lit.key[:, None] * power
    lean = 1 + 0.25 * normal[:, 2:] + 0.1 * lamps.side * normal[:, :1]
    colour = look.colour * (direct + lit.ambient * lean)
    shine = np.asarray(look.shine, np.float32)
    view = f32(camera.eye) - place
    half = _unit(_unit(view) + way)
    strength = np.maximum((normal * half).sum(1), 0) ** look.gloss * (look.gloss + 8) / 25
    colour += (strength * shine * lit.key * np.maximum(cosine, 0))[:, None] * power
    rim = (1 - np.clip((normal * _unit(view)).sum(1), 0, 1)) ** 4 * 0.06
    return np.asarray(colour + rim[:, None] * lit.ambient, np.float32)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9), np.float32)
