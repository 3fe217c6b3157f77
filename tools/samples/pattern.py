"""Patterns of upper garments and the parts that all of them have: back neck, neck band, creases, sleeves, hem."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from cloth import Array, Cloth, Texture, curve, lettering, mirror
from textures import placed, plain

SIZE = (900, 1100)
C = SIZE[0] / 2
P = tuple[float, float]
Colour = tuple[float, ...] | Array


@dataclass
class Cut:
    """The pattern of an upper garment: its wearer's left half, as offsets from the centre line and heights."""

    neck: P
    front: float
    shoulder: P
    armpit: P
    waist: P
    hem: P
    dip: float = 6
    back: float = 22
    v: bool = False
    cuff_outer: P | None = None
    cuff_inner: P | None = None
    bow: float = 8
    names: dict[str, P] = field(default_factory=dict)

    def at(self, point: P, side: int = 1) -> P:
        return (C + side * point[0], point[1])

    def armhole(self, side: int = 1) -> Array:
        (sx, sy), (ax, ay) = self.shoulder, self.armpit
        middle = (min(sx, ax) - 0.10 * abs(ay - sy), sy + 0.6 * (ay - sy))
        return curve([self.at(p, side) for p in ((sx, sy), middle, (ax, ay))])

    def neckline(self, drop: float = 0.0) -> Array:
        """The front edge from the wearer's right to left; `drop` moves it down, for a band."""
        (nx, ny), low = self.neck, self.front + drop
        nx += drop * 0.75
        if self.v:
            left = curve([(C, low), (C + nx * 0.52, (low + ny) / 2 + 6), (C + nx, ny + drop * 0.2)])
        else:
            depth = low - ny
            left = curve(
                [(C, low), (C + nx * 0.5, ny + 0.84 * depth), (C + nx * 0.87, ny + 0.45 * depth), (C + nx, ny)]
            )
        return np.concatenate([mirror(left, C), left[1:]])

    def backline(self, drop: float = 0.0) -> Array:
        nx, ny = self.neck[0] + drop * 0.5, self.neck[1]
        return curve([(C - nx, ny), (C, ny + self.back + drop), (C + nx, ny)])

    def torso(self) -> Array:
        side = curve([self.at(p) for p in (self.armpit, self.waist, self.hem)])
        (hx, hy), half = self.hem, self.armhole()
        left = np.concatenate([[self.at(self.neck)], half, side])
        hem = curve([(C + hx, hy), (C, hy + self.dip), (C - hx, hy)])
        return np.concatenate([left, hem, mirror(left, C), self.neckline()])

    def sleeve_edges(self, side: int = 1) -> tuple[Array, Array]:
        """Outer edge from shoulder to cuff, inner edge from armpit to cuff."""
        assert self.cuff_outer is not None
        assert self.cuff_inner is not None
        edges = []
        for top, end, bow in (
            (self.shoulder, self.cuff_outer, self.bow),
            (self.armpit, self.cuff_inner, -self.bow * 0.4),
        ):
            middle = ((top[0] + end[0]) / 2 + bow, (top[1] + end[1]) / 2 - bow * 0.6)
            edges.append(curve([self.at(p, side) for p in (top, middle, end)]))
        return edges[0], edges[1]

    def sleeve(self, side: int = 1) -> Array:
        outer, inner = self.sleeve_edges(side)
        return np.concatenate([outer, inner[::-1], self.armhole(side)[::-1]])

    def landmarks(self) -> dict[str, P]:
        points: dict[str, P] = {"NECK_FRONT": (C, self.front)}
        half = {
            "NECK": self.neck,
            "SHOULDER": self.shoulder,
            "ARMPIT": self.armpit,
            "WAIST": self.waist,
            "HEM": self.hem,
        }
        if self.cuff_outer and self.cuff_inner:
            half |= {"CUFF_OUTER": self.cuff_outer, "CUFF_INNER": self.cuff_inner}
            if self.cuff_outer[1] > self.waist[1] - 60:
                outer, inner = self.sleeve_edges()
                half["ELBOW_OUTER"] = (float(outer[len(outer) // 2][0]) - C, float(outer[len(outer) // 2][1]))
                half["ELBOW_INNER"] = (float(inner[len(inner) // 2][0]) - C, float(inner[len(inner) // 2][1]))
        for name, point in half.items():
            points[f"{name}_LEFT"], points[f"{name}_RIGHT"] = self.at(point), self.at(point, -1)
        return points | self.names


@dataclass
class Drawn:
    cloth: Cloth
    category: str
    landmarks: dict[str, P]
    sleeve: str = "none"
    neckline: str = "none"


def back_neck(cloth: Cloth, cut: Cut, texture: Texture, label: str) -> None:
    """The inside of the back behind the neckline, its tape and a label."""
    cloth.panel(np.concatenate([cut.backline(), cut.neckline(10)[::-1]]), texture, fold=0.5, dim=0.74, shadow=0)
    low = cut.neck[1] + cut.back
    tag = np.float32([(C - 23, low + 7), (C + 23, low + 7), (C + 23, low + 37), (C - 23, low + 37)])
    cloth.panel(tag, plain((0.93, 0.92, 0.89)), fold=0.1, thickness=1.5, shadow=0.3, edge=2, dim=0.9)
    ink = lettering(label, 22)
    cloth.panel(
        tag,
        placed(plain((0.93, 0.92, 0.89)), ink, (C - 19, low + 13), 38, (0.15, 0.15, 0.2)),
        fold=0,
        shadow=0,
        dim=0.9,
    )


def neck_band(cloth: Cloth, cut: Cut, texture: Texture, width: float) -> None:
    """The ribbed band round the neck: back half dim, front half over it."""
    cloth.panel(
        np.concatenate([cut.backline(-width * 0.4), cut.backline(width * 0.55)[::-1]]),
        texture,
        fold=0.05,
        dim=0.85,
        edge=5,
    )
    inner, outer = cut.neckline(), cut.neckline(width)
    cloth.panel(np.concatenate([inner, outer[::-1]]), texture, fold=0.05, thickness=3.2, edge=6, shadow=0.25)
    cloth.ribs(inner, outer, spacing=4.5)
    cloth.seam(outer, strength=0.22)


def hang(cloth: Cloth, cut: Cut, strength: float = 1.0) -> None:
    """Creases that a laid-down upper garment has: from the armpits, over the belly, at the hem."""
    (ax, ay), (hx, hy) = cut.armpit, cut.hem
    r = cloth.rng.uniform
    for side in (-1, 1):
        x, d = C + side * ax, strength * r(0.8, 1.2)
        cloth.crease(
            [(x - side * 4, ay + 4), (x - side * 60, ay + 50 + r(-12, 12)), (x - side * 120, ay + 130)], 26, 6 * d
        )
        cloth.crease([(x - side * 2, ay + 30), (x - side * 36, ay + 110), (x - side * 62, ay + 230)], 22, 4.5 * d)
        cloth.crease([(x - side * 20, ay - 30), (x - side * 55, ay - 62), (x - side * 96, ay - 110)], 24, 4 * d)
        cloth.crease(
            [(x + side * 0, hy - 260), (x - side * 52, hy - 190 + r(-30, 30)), (x - side * 120, hy - 170)], 26, 4 * d
        )
        cloth.crease(
            [(C + side * hx * 0.55, hy + 4), (C + side * hx * r(0.4, 0.6), hy - 90), (C + side * hx * 0.35, hy - 190)],
            30,
            5 * d,
        )
    cloth.crease([(C - 40, cut.front + 150), (C + 10, (cut.front + hy) / 2), (C + 44, hy - 110)], 34, 3 * strength)


def sleeves(cloth: Cloth, cut: Cut, texture, *, cuff: float = 14, rib=None, stitch=None, strength: float = 1.0) -> None:
    """Both sleeves with their creases, turned textures and a hem or a ribbed cuff."""
    for side in (-1, 1):
        outer, inner = cut.sleeve_edges(side)
        axis = (outer[-1] + inner[-1] - outer[0] - inner[0]) / 2
        angle = float(np.arctan2(axis[1], axis[0]))
        length = float(np.hypot(*axis))
        for at in np.arange(0.2, 0.95, 90 / length):
            k = int(at * (len(outer) - 1))
            a, b = (outer[k], inner[min(k + 5, len(inner) - 1)])[:: int(cloth.rng.choice([-1, 1]))]
            middle = (a + b) / 2 + cloth.rng.uniform(-14, 14, 2)
            cloth.crease(
                [a, middle, a * 0.25 + b * 0.75], cloth.rng.uniform(16, 26), strength * cloth.rng.uniform(2, 5)
            )
        cloth.panel(
            cut.sleeve(side), texture, turn=angle - np.pi / 2, origin=tuple(outer[0]), angle=angle, fold=0.8 * strength
        )
        cloth.smooth()
        down = axis / length
        end = np.stack([outer[-1], inner[-1]])
        if rib is not None:
            top = end - down * cuff
            squeeze = (top[0] - top[1]) * 0.06
            cloth.panel(
                np.float32([top[0], top[1], end[1] + squeeze, end[0] - squeeze]),
                rib,
                fold=0.1,
                thickness=3,
                edge=7,
                shadow=0.2,
            )
            cloth.ribs(top, end + np.stack([-squeeze, squeeze]), spacing=4.5)
        else:
            cloth.seam(np.linspace(*(end - down * cuff), 40), strength=0.16, stitch=stitch, off=0)
            cloth.seam(np.linspace(*(end - down * (cuff - 4)), 40), strength=0.08, stitch=stitch, off=0)


def hem(cloth: Cloth, cut: Cut, up: float, stitch) -> None:
    hx, hy = cut.hem
    for rise in (up, up - 5):
        cloth.seam(
            curve([(C - hx + 3, hy - rise), (C, hy + cut.dip - rise), (C + hx - 3, hy - rise)]),
            strength=0.12,
            stitch=stitch,
            off=0,
        )
