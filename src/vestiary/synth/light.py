"""Light: a soft key lamp and light from all sides, with shadows worked out at the vertices.

For each of many directions the surfaces' points are splatted into a small depth map; a vertex behind it gets no light
from there. Summed over directions this gives soft shadows, ambient occlusion and contact shadows at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.synth.mesh import f32

if TYPE_CHECKING:
    from vestiary.types import Picture

Array = NDArray[np.float32]
GOLDEN = 2.399963


@dataclass(frozen=True)
class Lamps:
    """How a scene is lit; directions point to the light, colours are linear.

    Attributes:
        key: direction, `radius` its angular radius, `power` its colour.
        sky, floor: light from above and from below; `side` tilts it along x.
    """

    key: tuple[float, float, float]
    radius: float
    power: tuple[float, float, float]
    sky: tuple[float, float, float]
    floor: tuple[float, float, float]
    side: float = 0.0

    @property
    def towards(self) -> Array:
        way = np.array(self.key, np.float32)
        return np.asarray(way / np.linalg.norm(way), np.float32)

    def keys(self, count: int = 8) -> list[Array]:
        """Directions spread over the lamp's disc."""
        way = self.towards
        side = np.cross(way, [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side)
        top, spread = np.cross(side, way), []
        for n in range(count):
            r, t = self.radius * np.sqrt((n + 0.5) / count), n * GOLDEN
            one = way + r * np.cos(t) * side + r * np.sin(t) * top
            spread.append((one / np.linalg.norm(one)).astype(np.float32))
        return spread

    def ambient(self, way: Array) -> Array:
        """Light that comes from a direction, without the lamp."""
        share = 0.5 + 0.5 * way[..., 2:3]
        mixed = np.array(self.floor) * (1 - share) + np.array(self.sky) * share
        return np.asarray(mixed * (1 + self.side * way[..., :1]), np.float32)


def normals(points: Array, faces: NDArray[np.int32]) -> Array:
    """Unit normals of vertices, averaged over their faces by area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    corners = faces.ravel()
    total = np.stack([np.bincount(corners, np.repeat(flat[:, k], 3), minlength=len(points)) for k in range(3)], 1)
    return f32(total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12))


@dataclass(frozen=True)
class Lit:
    """What arrives at vertices: `key` (N,) share of the lamp that is seen, `ambient` (N, 3) light from all sides."""

    key: Array
    ambient: Array


def light(
    points: Array, normal: Array, casters: Array, lamps: Lamps, *, floor: float, skies: int = 26,
    slack: Array | float = 0.0,
) -> Lit:  # fmt: skip
    """Light at points with normals.

    `casters` `(M, 3)` throw shadows and lie densely (1.5 cm) on their surfaces; those less than `slack` metres above a
    point throw none on it.
    """
    extra = np.broadcast_to(np.float32(slack), (len(points),))
    middle = (casters.min(0) + casters.max(0)) / 2
    reach = float(np.linalg.norm(casters - middle, axis=1).max())
    raised, solid = points + normal * np.float32(0.012) - middle, casters - middle
    key = np.zeros(len(points), np.float32)
    lit = np.flatnonzero(normal @ lamps.towards > -0.35)
    ways = lamps.keys()
    for way in ways:
        key[lit] += _sees(
            raised[lit], solid, way, reach, 0.0065, extra[lit] + np.float32(0.016), soft=True
        ) / np.float32(len(ways))
    ambient = np.zeros((len(points), 3), np.float32)
    low = np.clip((points[:, 2] - floor) / 0.5, 0.25, 1).astype(np.float32)
    for n in range(skies):
        z, t = 1 - 1.7 * (n + 0.5) / skies, n * GOLDEN
        flat = np.sqrt(max(1 - z * z, 0.0))
        way = np.array([flat * np.cos(t), flat * np.sin(t), z], np.float32)
        cosine = normal @ way
        chosen = np.flatnonzero(cosine > 0.02)
        arrives = cosine[chosen] * _sees(
            raised[chosen], solid, way, reach, 0.014, extra[chosen] + np.float32(0.016), soft=False
        )
        if z < 0:  # light from the floor comes back weaker where the person stands
            arrives *= low[chosen]
        ambient[chosen] += arrives[:, None] * lamps.ambient(way) * np.float32(4 / skies)
    open_sky = lamps.ambient(normal) * np.float32(0.9)
    return Lit(key, f32(ambient + 0.14 * (open_sky - 0.5 * ambient)))  # light that has bounced before


def _sees(points: Array, casters: Array, way: Array, reach: float, texel: float, slack: Array, *, soft: bool) -> Array:
    """1 where nothing lies between a point and the light, 0 where something does; `soft` = between at edges."""
    side = np.cross(np.array([0.013, 0.02, 1.0], np.float32), way)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(way, side), way], 1).astype(np.float32)
    width = int(2 * reach / texel) + 6
    scale, shift = np.float32(1 / texel), np.float32(width / 2)
    cast = casters @ axes
    at = (cast[:, :2] * scale + shift).astype(np.int32)
    depth = np.full(width * width, -1e9, np.float32)
    np.maximum.at(depth, at[:, 1] * width + at[:, 0], cast[:, 2])
    closed = cv2.dilate(depth.reshape(width, width), np.ones((3, 3), np.uint8)).ravel()
    mine = points @ axes
    place = np.clip(mine[:, :2] * scale + shift, 1, width - 2)
    behind = mine[:, 2] + slack
    shade = np.zeros(len(points), np.float32)
    taps = ((-0.6, -0.6), (0.6, -0.6), (-0.6, 0.6), (0.6, 0.6)) if soft else ((0.0, 0.0),)
    for dx, dy in taps:
        index = (place[:, 1] + np.float32(dy)).astype(np.int32) * width + (place[:, 0] + np.float32(dx)).astype(
            np.int32
        )
        shade += closed[index] > behind
    return np.asarray(1 - shade / np.float32(len(taps)), np.float32)


def linear(rgb: object) -> Array:
    """Linear light of an sRGB colour 0..1."""
    c = np.asarray(rgb, np.float32)
    return np.where(c < 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


_CURVE = np.linspace(0, 1, 4097)
_CODED = np.where(_CURVE < 0.0031308, _CURVE * 12.92, 1.055 * np.maximum(_CURVE, 1e-9) ** (1 / 2.4) - 0.055)


def develop(picture: Array, rng: np.random.Generator, *, samples: int, exposure: float, grain: float) -> Picture:
    """`(H, W, 3) uint8` sRGB of linear light: reduced by `samples`, a film-like shoulder, a little glow and grain."""
    soft = np.minimum(picture * np.float32(exposure), 4.0)
    mapped = np.where(soft < 0.6, soft, 0.6 + 0.4 * np.tanh((soft - 0.6) / 0.4)).astype(np.float32)
    size = (picture.shape[1] // samples, picture.shape[0] // samples)
    small = cv2.resize(mapped, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.45)
    coded = _CODED[np.round(np.clip(small, 0, 1) * 4096).astype(np.int32)].astype(np.float32)
    noise = rng.standard_normal(small.shape[:2], dtype=np.float32)
    noise = 0.6 * noise + 0.8 * cv2.GaussianBlur(noise, (0, 0), 0.8)
    coded = coded + (noise * grain * (1.1 - coded.mean(2)))[..., None]
    return np.asarray(np.clip(coded, 0, 1) * 255 + 0.5).astype(np.uint8)
