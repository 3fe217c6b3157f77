"""A small renderer: z-buffer, many directional lights with shadow maps, skin that lets light through.

Metres, z up, the camera looks along +y. Everything is one numba rasteriser that serves the camera and every light;
light from all sides of an environment, each direction with its own shadow map, gives soft shadows and ambient
occlusion by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass
class Look:
    """What a material answers for n points: colour 0..1 linear, wrap of diffuse light (3,), shine and its exponent."""

    colour: Array
    wrap: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shine: Array | float = 0.0
    gloss: float = 20.0
    bump: Array | None = None
    glow: Array | None = None


@dataclass
class Mesh:
    """A surface: points as placed, points at rest (where textures live), further values, triangles, and its material.

    `keep` (n,): the surface exists where its interpolated value is positive. `casts`: whether it throws shadows.
    `scatter`: how far light of each colour spreads within the material, in metres; `covers`: the garment's edge as a
    function of rest points.
    """

    points: Array
    rest: Array
    faces: NDArray[np.int32]
    material: Callable[[Array, Array, Array], Look]
    extra: Array
    keep: Array
    casts: bool = True
    scatter: tuple[float, float, float] | None = None
    covers: Callable[[Array, Array], Array] | None = None
    normals: Array = field(init=False)

    def __post_init__(self) -> None:
        self.normals = vertex_normals(self.points, self.faces)
        self.faces = self.faces[(self.keep[self.faces] > 0).any(1)]


def vertex_normals(points: Array, faces: NDArray[np.int32]) -> Array:
    """Unit normals, averaged over the faces round each vertex, weighted by their area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normal[:, k], 3), minlength=len(points)) for k in range(3)], 1
    )
    return (total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)).astype(np.float32)


@numba.njit(cache=True, fastmath=True)
def _raster(screen, faces, keep, width, height):  # type: ignore[no-untyped-def]
    """Nearest triangle and its weights per pixel; screen = x, y, 1/distance (or -depth for a parallel view)."""
    nearest = np.full((height, width), -1e30, np.float32)
    index = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if keep[i] <= 0 and keep[j] <= 0 and keep[k] <= 0:
            continue
        ax, ay, bx, by, cx, cy = screen[i, 0], screen[i, 1], screen[j, 0], screen[j, 1], screen[k, 0], screen[k, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(np.floor(max(ax, bx, cx))), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), height - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                u = 1 - v - w
                if u < 0 or v < 0 or w < 0 or u * keep[i] + v * keep[j] + w * keep[k] <= 0:
                    continue
                near = u * screen[i, 2] + v * screen[j, 2] + w * screen[k, 2]
                if near > nearest[y, x]:
                    nearest[y, x] = near
                    index[y, x] = f
                    weights[y, x, 0], weights[y, x, 1] = v, w
    return nearest, index, weights


@numba.njit(cache=True, fastmath=True)
def _add_light(place, normal, view, wrap, shine, gloss, way, power, axes, centre, scale, depth, diffuse, mirrored):  # type: ignore[no-untyped-def]
    """Add one direction's light to each point: shadow map compared at four texels, wrapped cosine, Blinn-Phong."""
    size = depth.shape[0]
    for n in range(place.shape[0]):
        cosine = normal[n, 0] * way[0] + normal[n, 1] * way[1] + normal[n, 2] * way[2]
        if cosine < -0.36:
            continue
        d0 = place[n, 0] + normal[n, 0] * 0.004 - centre[0]
        d1 = place[n, 1] + normal[n, 1] * 0.004 - centre[1]
        d2 = place[n, 2] + normal[n, 2] * 0.004 - centre[2]
        x = (d0 * axes[0, 0] + d1 * axes[1, 0] + d2 * axes[2, 0]) * scale + size / 2
        y = (d0 * axes[0, 1] + d1 * axes[1, 1] + d2 * axes[2, 1]) * scale + size / 2
        z = d0 * axes[0, 2] + d1 * axes[1, 2] + d2 * axes[2, 2] + 0.005
        i, j = int(np.floor(x)), int(np.floor(y))
        lit = 1.0
        if 0 <= i < size - 1 and 0 <= j < size - 1:
            fx, fy = x - i, y - j
            lit = 0.0
            if z >= depth[j, i]:
                lit += (1 - fx) * (1 - fy)
            if z >= depth[j, i + 1]:
                lit += fx * (1 - fy)
            if z >= depth[j + 1, i]:
                lit += (1 - fx) * fy
            if z >= depth[j + 1, i + 1]:
                lit += fx * fy
        for c in range(3):
            w = wrap[n, c]
            diffuse[n, c] += max((cosine + w) / (1 + w) ** 2, 0) * (lit + (1 - lit) * w * 0.18) * power[c]
        if shine[n] > 0 and cosine > 0 and lit > 0:
            h0, h1, h2 = view[n, 0] + way[0], view[n, 1] + way[1], view[n, 2] + way[2]
            facing = (normal[n, 0] * h0 + normal[n, 1] * h1 + normal[n, 2] * h2) / np.sqrt(h0 * h0 + h1 * h1 + h2 * h2)
            strength = max(facing, 0.0) ** gloss[n] * (gloss[n] + 8) / 25 * cosine * lit * shine[n]
            for c in range(3):
                mirrored[n, c] += strength * power[c]


@dataclass
class Camera:
    """At `eye`, looking level along +y; `focal` in picture heights, `centre` = height of the picture's middle."""

    eye: tuple[float, float, float]
    focal: float
    centre: float

    def project(self, points: Array, width: int, height: int) -> Array:
        away = points - np.float32(self.eye)
        scale = self.focal * height / away[:, 1]
        shift = (self.centre - self.eye[2]) / -self.eye[1] * self.focal * height
        x = width / 2 + away[:, 0] * scale
        y = height / 2 - away[:, 2] * scale + shift
        return np.stack([x, y, 1 / away[:, 1]], 1).astype(np.float32)


Light = tuple[Sequence[float], Sequence[float]]


def environment(
    rng: np.random.Generator,
    key: tuple[Sequence[float], float, Sequence[float]],
    sky: Callable[[Array], Array],
    count: int,
) -> list[Light]:
    """Directions with their colours: a soft box (direction, angular radius, colour) and the whole upper sphere."""
    lights: list[Light] = []
    towards, radius, strength = key
    centre = np.float32(towards) / np.linalg.norm(towards)
    side = np.cross(centre, [0, 0, 1])
    side /= np.linalg.norm(side)
    top = np.cross(side, centre)
    boxes = max(count // 3, 4)
    for n in range(boxes):
        r, t = radius * np.sqrt((n + 0.5) / boxes), n * 2.39996 + rng.uniform(0, 0.5)
        way = centre + r * np.cos(t) * side + r * np.sin(t) * top
        lights.append((way / np.linalg.norm(way), np.float32(strength) / boxes))
    domes = count - boxes
    for n in range(domes):
        z, t = 1 - 1.35 * (n + 0.5) / domes, n * 2.39996
        way = np.float32([np.sqrt(max(1 - z * z, 0)) * np.cos(t), np.sqrt(max(1 - z * z, 0)) * np.sin(t), z])
        lights.append((way, sky(way) / domes))
    return lights


def _axes(way: Array) -> Array:
    side = np.cross([0.013, 0.02, 1.0], way)
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(way, side), way], 1).astype(np.float32)


def render(
    meshes: Sequence[Mesh], camera: Camera, lights: Sequence[Light], size: tuple[int, int], *, samples: int = 2
) -> tuple[Array, Array]:
    """`(H, W, 3)` linear light and `(H, W)` index of the mesh seen (-1 none), before reduction by `samples`."""
    width, height = size[0] * samples, size[1] * samples
    starts = np.cumsum([0] + [len(m.points) for m in meshes])
    points = np.concatenate([m.points for m in meshes]).astype(np.float32)
    normals = np.concatenate([m.normals for m in meshes])
    rest = np.concatenate([m.rest for m in meshes]).astype(np.float32)
    wide = max(m.extra.shape[1] for m in meshes)
    extra = np.concatenate([np.pad(m.extra, ((0, 0), (0, wide - m.extra.shape[1]))) for m in meshes]).astype(np.float32)
    keep = np.concatenate([m.keep for m in meshes]).astype(np.float32)
    faces = np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=False)]).astype(np.int32)
    owner = np.concatenate([np.full(len(m.faces), k) for k, m in enumerate(meshes)])
    _, index, weights = _raster(camera.project(points, width, height), faces, keep, width, height)
    seen = index >= 0
    corner = faces[index[seen]]
    bary = np.stack([1 - weights[seen].sum(1), weights[seen][:, 0], weights[seen][:, 1]], 1)
    bary *= 1 / (points[corner, 1] - camera.eye[1])
    bary /= bary.sum(1, keepdims=True)

    def spread(values: Array) -> Array:
        return sum(values[corner[:, k]] * bary[:, k, None] for k in range(3)).astype(np.float32)

    place, normal, rest_at, extra_at, mesh_at = (
        spread(points),
        spread(normals),
        spread(rest),
        spread(extra),
        owner[index[seen]],
    )
    view = np.float32(camera.eye) - place
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    normal *= np.where((normal * view).sum(1, keepdims=True) < -0.02, -1, 1)
    colour, wrap, glow = np.zeros_like(place), np.zeros_like(place), np.zeros_like(place)
    shine, gloss = np.zeros(len(place), np.float32), np.ones(len(place), np.float32)
    for k, mesh in enumerate(meshes):
        here = mesh_at == k
        if not here.any():
            continue
        look = mesh.material(rest_at[here], extra_at[here], normal[here])
        colour[here], wrap[here], shine[here], gloss[here] = look.colour, look.wrap, look.shine, look.gloss
        if look.bump is not None:
            normal[here] += look.bump
        if look.glow is not None:
            glow[here] = look.glow
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    diffuse, mirror = _shade(
        meshes, starts, points, faces, owner, keep, place, normal, view, wrap, shine, gloss, lights
    )
    flat = np.zeros((height, width, 3), np.float32)
    which = np.full((height, width), -1, np.int32)
    flat[seen], which[seen] = diffuse, mesh_at
    for k, mesh in enumerate(meshes):
        if mesh.scatter is not None:
            reach = np.float32(mesh.scatter) * camera.focal * height / -camera.eye[1]
            flat = _scatter(flat, (which == k).astype(np.float32), reach)
    picture = np.zeros_like(flat)
    picture[seen] = flat[seen] * colour + mirror + glow
    return picture, which


def _shade(meshes, starts, points, faces, owner, keep, place, normal, view, wrap, shine, gloss, lights):  # type: ignore[no-untyped-def]
    """Diffuse light that arrives (n, 3) and what is mirrored (n, 3), summed over all lights."""
    casting = np.array([m.casts for m in meshes])[owner]
    body = np.concatenate([m.points for m in meshes if m.casts])
    centre, radius = (body.min(0) + body.max(0)) / 2, 0.52 * float(np.linalg.norm(np.ptp(body, axis=0)))
    casters = faces[casting]
    used = np.unique(casters)
    back = np.zeros(len(points), np.int32)
    back[used] = np.arange(len(used))
    casters, solid, solid_keep = back[casters], points[used], keep[used]
    diffuse, mirrored = np.zeros_like(place), np.zeros_like(place)
    for way, strength in lights:
        way, size = np.float32(way), 1024 if np.max(strength) > 0.05 else 640
        axes, scale = _axes(way), np.float32(size / 2 / radius)
        local = (solid - centre) @ axes
        local[:, :2] = local[:, :2] * scale + size / 2
        depth, _, _ = _raster(local.astype(np.float32), casters, solid_keep, size, size)
        power = np.float32(strength)
        _add_light(
            place,
            normal,
            view,
            wrap,
            shine,
            gloss,
            way,
            power,
            axes,
            np.float32(centre),
            scale,
            depth,
            diffuse,
            mirrored,
        )
    return diffuse, mirrored


def _scatter(light: Array, here: Array, reach: Array) -> Array:
    """Arriving light blurred within one material, in skin red furthest (d'Eon et al. 2007, one Gaussian)."""
    out = light.copy()
    for channel, sigma in enumerate(np.maximum(reach, 0.3)):
        spread = cv2.GaussianBlur(light[..., channel] * here, (0, 0), float(sigma))
        spread /= cv2.GaussianBlur(here, (0, 0), float(sigma)) + 1e-4
        out[..., channel] = np.where(here > 0.5, spread, light[..., channel])
    return out


def develop(
    picture: Array, rng: np.random.Generator, *, samples: int, exposure: float = 1.0, grain: float = 0.010
) -> NDArray[np.uint8]:
    """`(h, w, 3) uint8` sRGB: reduced, with a film-like shoulder and grain."""
    soft = np.minimum(picture * exposure, 4.0)
    mapped = np.where(soft < 0.6, soft, 0.6 + 0.4 * np.tanh((soft - 0.6) / 0.4))
    small = cv2.resize(mapped.astype(np.float32), None, fx=1 / samples, fy=1 / samples, interpolation=cv2.INTER_AREA)
    coded = np.where(small < 0.0031308, small * 12.92, 1.055 * np.maximum(small, 1e-6) ** (1 / 2.4) - 0.055)
    noise = rng.standard_normal(small.shape[:2]).astype(np.float32)
    noise = 0.6 * noise + 0.8 * cv2.GaussianBlur(noise, (0, 0), 0.8)
    coded = coded + (noise * grain * (1.1 - coded.mean(2)))[..., None]
    return (np.clip(coded, 0, 1) * 255 + 0.5).astype(np.uint8)
