"""Parts that only some garments have: collars, button fronts, zips, hoods, waistbands, pockets, pleats."""

from __future__ import annotations

from typing import Any

import numpy as np
from cloth import Array, Cloth, Texture, curve, mirror, outline
from textures import plain

Cut = Any


def pocket(
    cloth: Cloth, texture: Texture, at: tuple[float, float], size: tuple[float, float], stitch=(0.8, 0.7, 0.66)
) -> None:
    """A patch pocket with a pointed bottom."""
    (x, y), (w, h) = at, size
    shape = np.float32([(x, y), (x + w, y), (x + w, y + h - 16), (x + w / 2, y + h), (x, y + h - 16)])
    cloth.panel(shape, texture, origin=(7, 11), fold=0.3, thickness=2.2, edge=4, shadow=0.25)
    inner = shape + np.sign([x + w / 2, y + h / 2] - shape).astype(np.float32) * 4
    cloth.stroke(np.concatenate([inner, inner[:1]]), stitch, width=0.9, opacity=0.7, dash=5)
    cloth.stroke(np.float32([(x + 3, y + 20), (x + w - 3, y + 20)]), stitch, width=0.9, opacity=0.6, dash=5)


def shirt_front(cloth: Cloth, cut: Cut, texture: Texture) -> None:
    """Button band from collar to hem with its buttons."""
    c, top, low = cloth.size[0] / 2, cut.front - 6, cut.hem[1] + cut.dip - 1
    band = np.float32([(c - 19, top), (c + 19, top), (c + 19, low), (c - 19, low)])
    cloth.panel(band, texture, origin=(3, 0), fold=0.3, thickness=2.4, edge=4, shadow=0.22)
    for x in (c - 14, c + 14):
        cloth.stroke(np.float32([(x, top), (x, low)]), (0.8, 0.7, 0.66), width=0.9, opacity=0.6, dash=5)
    for y in np.linspace(top + 42, low - 92, 7):
        cloth.button((c, float(y)), 7.5, (0.93, 0.91, 0.86))


def collar(cloth: Cloth, cut: Cut, texture: Texture) -> None:
    """A folded collar: stand inside, two leaves outside, the top button."""
    c, (nx, ny), front = cloth.size[0] / 2, cut.neck, cut.front
    stand = outline(
        [(c - nx + 6, ny - 6), (c, ny + 2), (c + nx - 6, ny - 6)],
        [(c + nx - 10, ny + 22), (c, ny + 36), (c - nx + 10, ny + 22)],
    )
    cloth.panel(stand, texture, fold=0.1, dim=0.82, thickness=2, shadow=0.2)
    tag = np.float32([(c - 26, ny + 10), (c + 26, ny + 10), (c + 26, ny + 34), (c - 26, ny + 34)])
    cloth.panel(tag, plain((0.2, 0.22, 0.3)), fold=0.1, thickness=1.5, edge=2)
    for side in (-1, 1):
        leaf = np.float32(
            [
                (nx * 0.72, ny - 22),
                (nx * 1.02, ny - 8),
                (nx * 1.14, ny + 22),
                (nx * 0.92, front + 56),
                (3, front - 2),
                (nx * 0.5, ny + 36),
            ]
        )
        points = np.concatenate([curve(leaf[:3]), curve(leaf[2:5][[0, 1]]), curve([leaf[4], leaf[5], leaf[0]])])
        placed_points = points * [side, 1] + [c, 0]
        cloth.panel(
            placed_points.astype(np.float32),
            texture,
            turn=side * 0.62,
            origin=(c, ny),
            fold=0.25,
            thickness=4,
            edge=6,
            shadow=0.4,
        )
        rim = (leaf[[2, 3, 4]] + np.float32([(-6, 0), (-5, -9), (2, -6)])) * [side, 1] + [c, 0]
        cloth.stroke(rim.astype(np.float32), (0.8, 0.7, 0.66), width=0.9, opacity=0.7, dash=5)
    cloth.button((c, front + 4), 7, (0.93, 0.91, 0.86))


def hood(cloth: Cloth, cut: Cut, texture: Texture) -> None:
    """A hood laid open upwards: its outside, the lining in its mouth, drawstrings come with the front."""
    c, (nx, ny) = cloth.size[0] / 2, cut.neck
    half = [(nx + 8, ny + 16), (nx + 44, ny - 60), (nx + 34, ny - 150), (nx - 26, ny - 204), (0, ny - 214)]
    right = curve([(c + x, y) for x, y in half])
    shell = np.concatenate([right, mirror(right, c)[1:], [[c, cut.front + 30]]])
    for side in (-1, 1):
        cloth.crease(
            [(c + side * (nx + 20), ny), (c + side * (nx - 10), ny - 90), (c + side * (nx - 40), ny - 180)], 24, 6
        )
    cloth.panel(shell.astype(np.float32), texture, fold=1.0, thickness=8, edge=20)
    cloth.smooth()
    mouth_half = [
        (0, ny - 166),
        (nx - 44, ny - 152),
        (nx - 2, ny - 92),
        (nx - 4, ny - 10),
        (nx * 0.55, ny + 52),
        (0, cut.front + 6),
    ]
    mouth = curve([(c + x, y) for x, y in mouth_half])
    cloth.crease([(c, ny - 160), (c + 6, ny - 60), (c - 4, ny + 30)], 26, -5)
    cloth.panel(
        np.concatenate([mouth, mirror(mouth, c)]),
        plain((0.30, 0.31, 0.27), weave=0.02),
        fold=1.6,
        dim=0.62,
        thickness=-14,
        edge=22,
        shadow=0,
    )
    cloth.smooth()
    for side in (-1, 1):
        rim = (mouth - [c, 0]) * [side, 1] * [1.06, 1] + [c, -4]
        cloth.seam(rim.astype(np.float32), strength=0.25, stitch=(0.44, 0.48, 0.34), off=0)
    tag = np.float32([(c - 24, ny + 6), (c + 24, ny + 6), (c + 24, ny + 34), (c - 24, ny + 34)])
    cloth.panel(tag, plain((0.85, 0.83, 0.76)), fold=0.1, thickness=1.5, edge=2, dim=0.8)


def zip_front(cloth: Cloth, cut: Cut, texture: Texture, rib: Texture) -> None:
    """A closed metal zip, hem rib, kangaroo pockets and drawstrings."""
    c, (hx, hy) = cloth.size[0] / 2, cut.hem
    top, low = (curve([(c - hx - 1, y), (c, y + 3), (c + hx + 1, y)]) for y in (hy - 56, hy + 1))
    cloth.panel(np.concatenate([top, low[::-1]]), rib, fold=0.2, thickness=4, edge=9, shadow=0.2)
    cloth.ribs(top, low, spacing=5.5)
    for side in (-1, 1):
        shape = [(48, hy - 64), (48, hy - 250), (112, hy - 250), (172, hy - 140), (176, hy - 64)]
        cloth.panel(
            np.float32([(c + side * x, y) for x, y in shape]), texture, fold=0.7, thickness=3.5, edge=7, shadow=0.28
        )
        slit = np.float32([(c + side * 112, hy - 250), (c + side * 172, hy - 140)])
        cloth.stroke(slit, (0.05, 0.06, 0.03), width=3.5, opacity=0.5)
        cloth.stroke(slit - np.float32([side * 7, -4]), (0.46, 0.5, 0.36), width=1, opacity=0.9, dash=5)
    start, end = cut.front - 8, hy - 4
    tape = np.float32([(c - 17, start), (c + 17, start), (c + 17, end), (c - 17, end)])
    cloth.panel(tape, plain((0.27, 0.30, 0.20)), fold=0.2, thickness=2, edge=4, shadow=0.25)
    cloth.stroke(np.float32([(c, start), (c, end)]), (0.10, 0.11, 0.09), width=8)
    for k, y in enumerate(np.arange(start, end, 3.4)):
        x = c + (-1.6 if k % 2 else 1.6)
        cloth.stroke(np.float32([(x - 2.6, y), (x + 2.6, y)]), (0.80, 0.79, 0.74), width=1.7)
    pull = np.float32([(c, start + 6), (c, start + 40)])
    cloth.stroke(pull + np.float32([2, 2]), (0, 0, 0), width=7, opacity=0.3)
    cloth.stroke(pull, (0.74, 0.73, 0.68), width=6)
    cloth.stroke(pull + np.float32([(-1, 3), (-1, -3)]), (0.92, 0.92, 0.88), width=2)
    for side, length in ((-1, 168), (1, 186)):
        x, y = c + side * 52, cut.neck[1] + 58
        cord = curve([(x, y), (x - side * 6, y + length * 0.5), (x + side * 5, y + length)])
        cloth.stroke(cord + np.float32([3, 5]), (0, 0, 0), width=7, opacity=0.28)
        cloth.stroke(cord, (0.83, 0.81, 0.72), width=5.5)
        cloth.stroke(cord, (0.62, 0.60, 0.52), width=2, opacity=0.6, dash=3)
        cloth.stroke(cord[-3:], (0.70, 0.69, 0.64), width=7)


def band(
    cloth: Cloth, texture: Texture, half: tuple[float, float], y: float, deep: float, stitch, dim_back: float = 0.72
) -> None:
    """A waistband seen from the front, with the inside of its back above it."""
    c, (top_half, low_half) = cloth.size[0] / 2, half
    top = curve([(c - top_half, y), (c, y + 12), (c + top_half, y)])
    low = curve([(c - low_half, y + deep), (c, y + deep + 14), (c + low_half, y + deep)])
    back = curve([(c - top_half, y), (c, y - 5), (c + top_half, y)])
    cloth.panel(
        np.concatenate([back, top[::-1] + np.float32([0, 8])]), texture, fold=0.1, dim=dim_back, shadow=0, thickness=1
    )
    cloth.panel(np.concatenate([top, low[::-1]]), texture, turn=1.57, fold=0.2, thickness=3, edge=5, shadow=0.3)
    for line in (top + np.float32([0, 5]), low - np.float32([0, 5])):
        cloth.stroke(line[2:-2], stitch, width=1.1, opacity=0.8, dash=5)


def skirt(cloth: Cloth, c: float) -> tuple[Cloth, str, dict[str, tuple[float, float]]]:
    """A pleated skirt that widens to the hem."""
    texture, waist, hip, hem = plain((0.74, 0.56, 0.40), weave=0.02), (150, 240), (226, 440), (326, 880)
    right = curve([(c + waist[0], waist[1]), (c + hip[0], hip[1]), (c + hem[0], hem[1])])
    width = np.float32(right)
    pleats = 15

    def across(u: Array, v: Array) -> Array:
        half = np.interp(v, width[:, 1], width[:, 0] - c).astype(np.float32)
        return (np.clip((u - c) / half, -1.05, 1.05) * 0.5 + 0.5) * pleats

    def depth(u: Array, v: Array) -> Array:
        saw = np.mod(across(u, v), 1)
        return 7.0 * (saw**0.8) * np.clip((v - 200) / 460, 0.12, 1)

    low = []
    for x in np.linspace(-1, 1, pleats * 16):
        saw = (x * 0.5 + 0.5) * pleats % 1
        low.append((c + hem[0] * x, hem[1] + 28 * (1 - x * x) + 9 * saw - 4))
    cloth.panel(
        np.concatenate([right, np.float32(low)[::-1], mirror(right, c)]), texture, fold=0.5, depth=depth, thickness=3
    )
    for k in range(1, pleats):
        x = 2 * k / pleats - 1
        line = np.stack([c + (width[:, 0] - c) * x, width[:, 1] + 28 * (1 - x * x) * (width[:, 1] - 240) / 640], 1)
        cloth.stroke(line.astype(np.float32), (0.12, 0.07, 0.03), width=1.6, opacity=0.42)
    band(cloth, texture, (waist[0], waist[0] + 7), waist[1] - 26, 34, (0.6, 0.44, 0.3))
    points = {"WAIST": (waist[0], waist[1] - 26.0), "HIP": hip, "HEM": (hem[0], hem[1] - 2)}
    return cloth, "skirt", _both(points, c)


def trousers(
    cloth: Cloth, c: float, texture: Texture, *, denim: bool
) -> tuple[Cloth, str, dict[str, tuple[float, float]]]:
    """Straight trousers; jeans with yoke pockets, fly, rivets and orange thread."""
    thread = (0.80, 0.55, 0.24)
    waist, hip, knee, hem = (182.0, 70.0), (226.0, 330.0), (226.0, 680.0), (224.0, 1034.0)
    crotch, inner_knee, inner_hem = (0.0, 366.0), (36.0, 690.0), (54.0, 1040.0)
    for side in (1, -1):

        def at(p: tuple[float, float], side: int = side) -> tuple[float, float]:
            return (c + side * p[0], p[1])

        for y in (380, 470, 640, 700, 760, 930, 980):
            tilt = float(cloth.rng.uniform(-30, 30))
            cloth.crease(
                [at((50, y)), at((128, y + tilt / 2)), at((216, y + tilt))],
                float(cloth.rng.uniform(16, 26)),
                float(cloth.rng.uniform(2, 4.5)),
            )
        for k in range(3):
            cloth.crease([at((8, 356)), at((80, 378 - 34 * k)), at((180, 386 - 66 * k))], 18, 4.5)
        leg = outline(
            [at(p) for p in (waist, hip, knee, hem)], [at(p) for p in (hem, inner_hem)],
            [at(p) for p in (inner_hem, inner_knee, (16, 420), crotch)], [at(crotch), at((0, 80))],
        )  # fmt: skip
        cloth.panel(
            leg,
            _faded(texture, c + side * 132) if denim else texture,
            turn=-side * 0.02,
            fold=0.9,
            thickness=6,
            edge=16,
            shadow=0.22,
        )
        cloth.smooth()
        outer = curve([at(p) for p in (waist, hip, knee, hem)])
        cloth.seam(outer - np.float32([side * 5, 0]), strength=0.12)
        inner = curve([at(p) for p in (crotch, (16, 420), inner_knee, inner_hem)])
        cloth.seam(inner + np.float32([side * 5, 0]), strength=0.2, stitch=thread, off=0)
        for up in (15, 19):
            cloth.stroke(
                np.float32([at((inner_hem[0] + 2, inner_hem[1] - up)), at((hem[0] - 2, hem[1] - up))]),
                thread,
                width=1.1,
                opacity=0.7,
                dash=5,
            )
        mouth = curve([at((86, 108)), at((100, 160)), at((146, 184)), at((206, 186))])
        cloth.panel(
            np.concatenate([mouth, [at((192, 110))]]).astype(np.float32),
            texture,
            fold=0.2,
            dim=0.86,
            shadow=0,
            thickness=1,
        )
        cloth.seam(mouth, strength=0.45, stitch=thread, off=5)
        cloth.stroke(mouth + np.float32([0, 9]), thread, width=1, opacity=0.7, dash=5)
        for rivet in ((92, 114), (198, 182)):
            cloth.button(at(rivet), 3.6, (0.70, 0.48, 0.30))
    fly = curve([(c + 34, 104), (c + 36, 230), (c + 20, 290), (c + 1, 306)])
    cloth.seam(np.float32([(c, 92), (c, 366)]), strength=0.4)
    for shift in (0, 5):
        cloth.stroke(fly - np.float32([shift, 0]), thread, width=1.1, opacity=0.85, dash=5)
    band(cloth, texture, (waist[0], 189), 70, 38, thread)
    for x in (-138, -60, 66, 140):
        loop = np.float32([(c + x - 7, 66), (c + x + 7, 66), (c + x + 7, 120), (c + x - 7, 120)])
        cloth.panel(loop, texture, fold=0.1, thickness=3, edge=4, shadow=0.3)
        for dx in (-4, 4):
            cloth.stroke(np.float32([(c + x + dx, 68), (c + x + dx, 118)]), thread, width=0.9, opacity=0.8, dash=4)
    cloth.button((c + 2, 101), 10.5, (0.72, 0.55, 0.36))
    names = {
        "WAIST": waist, "HIP": hip, "HEM": hem, "HEM_INNER": inner_hem,
        "KNEE_OUTER": (knee[0], 695.0), "KNEE_INNER": (36.0, 696.0),
    }  # fmt: skip
    return cloth, "trousers", {"CROTCH": (c, crotch[1]), **_both(names, c)}


def shorts(cloth: Cloth, c: float, texture: Texture) -> tuple[Cloth, str, dict[str, tuple[float, float]]]:
    """Chino shorts with turned-up hems and a drawstring."""
    thread = (0.66, 0.56, 0.42)
    waist, hip, hem = (206.0, 250.0), (264.0, 520.0), (306.0, 786.0)
    crotch, inner_hem = (0.0, 556.0), (50.0, 814.0)
    for side in (1, -1):

        def at(p: tuple[float, float], side: int = side) -> tuple[float, float]:
            return (c + side * p[0], p[1])

        for k in range(4):
            cloth.crease([at((6, 552)), at((96, 566 - 36 * k)), at((220, 580 - 70 * k))], 24, 6 - k)
        cloth.crease([at((60, 600)), at((130, 680)), at((150, 780))], 26, 5)
        cloth.crease([at((250, 460)), at((190, 570)), at((200, 720))], 26, 4)
        leg = outline(
            [at(p) for p in (waist, hip, hem)], [at(p) for p in (hem, inner_hem)],
            [at(p) for p in (inner_hem, (24, 660), crotch)], [at(crotch), at((0, 260))],
        )  # fmt: skip
        cloth.panel(leg, texture, turn=-side * 0.06, fold=1.1, thickness=6, edge=16, shadow=0.22)
        cloth.smooth()
        turn_up = np.float32(
            [
                at((inner_hem[0] - 2, inner_hem[1] - 44)),
                at((hem[0] - 4, hem[1] - 48)),
                at((hem[0] + 2, hem[1])),
                at(inner_hem),
            ]
        )
        cloth.panel(turn_up, texture, turn=-side * 0.1, fold=0.4, thickness=3, edge=6, shadow=0.22)
        cloth.stroke(turn_up[:2] + np.float32([0, 6]), thread, width=1, opacity=0.7, dash=5)
        slit = curve([at((156, 294)), at((208, 380)), at((240, 440))])
        cloth.seam(slit, strength=0.5, stitch=thread, off=side * 6)
        cloth.seam(curve([at(waist), at(hip), at(hem)]) - np.float32([side * 6, 0]), strength=0.1)
    cloth.seam(np.float32([(c, 290), (c, 556)]), strength=0.4)
    fly = curve([(c + 38, 296), (c + 40, 410), (c + 24, 474), (c + 1, 494)])
    cloth.stroke(fly, thread, width=1.1, opacity=0.85, dash=5)
    band(cloth, texture, (waist[0], 214), 250, 46, thread)
    for side, length in ((-1, 120), (1, 136)):
        cord = curve([(c + side * 22, 286), (c + side * 40, 286 + length * 0.5), (c + side * 30, 286 + length)])
        cloth.stroke(cord + np.float32([3, 5]), (0, 0, 0), width=6, opacity=0.25)
        cloth.stroke(cord, (0.95, 0.94, 0.9), width=5)
        cloth.button((c + side * 22, 286), 5, (0.55, 0.5, 0.42))
    names = {
        "WAIST": waist, "HIP": hip, "HEM": hem, "HEM_INNER": inner_hem,
        "KNEE_OUTER": (285.0, 653.0), "KNEE_INNER": (24.0, 685.0),
    }  # fmt: skip
    return cloth, "shorts", {"CROTCH": (c, crotch[1]), **_both(names, c)}


def _both(half: dict[str, tuple[float, float]], c: float) -> dict[str, tuple[float, float]]:
    return {
        f"{name}_{side}": (c + sign * x, y)
        for name, (x, y) in half.items()
        for side, sign in (("LEFT", 1), ("RIGHT", -1))
    }


def _faded(texture: Texture, centre: float) -> Texture:
    """Denim that is worn pale along the front of a leg."""

    def faded(u: Array, v: Array) -> Array:
        pale = np.exp(-(((u - centre) / 52) ** 2)) * (
            np.exp(-(((v - 330) / 190) ** 2)) + 0.6 * np.exp(-(((v - 690) / 120) ** 2))
        )
        colour = texture(u, v)
        return colour + (np.float32([0.74, 0.80, 0.87]) - colour) * np.clip(0.42 * pale, 0, 1)[..., None]

    return faded
