"""What a person looks like: skin, eyes, brows, lips, hair and shoes, as surfaces with procedural materials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.body import Body, Posed
from vestiary.synth.light import linear, normals
from vestiary.synth.mesh import compact, ramp, relax, ripples, subdivide, triangles
from vestiary.types import Part

Array = NDArray[np.float32]
Ints = NDArray[np.int32]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """What a material answers for N points: linear colour, wrap of diffuse light by channel, shine and its exponent."""

    colour: Array
    wrap: Colour = (0.0, 0.0, 0.0)
    shine: Array | float = 0.0
    gloss: float = 16.0


Material = Callable[[Array, Array], Look]  # of values at the points, and their normals


@dataclass(frozen=True, eq=False)
class Surface:
    """Something that is painted.

    Attributes:
        points, faces: `(V, 3)` and `(F, 3)`.
        values: `(V, K)` what the material needs.
        material: gives the look from values and normals.
        part: what its pixels are: one `Part`, or one per vertex.
        edge: `(V,)` the surface exists where this is positive; None = everywhere.
        reach: metres by which it may lie behind an earlier surface and still be painted over it.
    """

    points: Array
    faces: Ints
    values: Array
    material: Material
    part: Part | NDArray[np.uint8]
    edge: Array | None = None
    reach: float = 0.0


@dataclass(frozen=True)
class Face:
    """Tones of one person, sRGB 0..1, and their names."""

    skin: Colour
    skin_name: str
    hair: Colour
    hair_name: str
    iris: Colour
    style: str
    stubble: float
    lips: float
    seed: int


SKINS: dict[str, tuple[Colour, ...]] = {
    "light": ((0.87, 0.70, 0.61), (0.84, 0.67, 0.56), (0.89, 0.74, 0.66)),
    "medium": ((0.80, 0.62, 0.48), (0.75, 0.57, 0.44), (0.78, 0.61, 0.49)),
    "tan": ((0.66, 0.48, 0.36), (0.60, 0.43, 0.32)),
    "dark": ((0.45, 0.31, 0.23), (0.37, 0.25, 0.18), (0.31, 0.20, 0.15)),
}
HAIRS: dict[str, Colour] = {
    "black": (0.09, 0.08, 0.08), "dark brown": (0.20, 0.14, 0.10), "brown": (0.33, 0.22, 0.14),
    "blond": (0.66, 0.52, 0.33), "red": (0.48, 0.24, 0.13), "grey": (0.55, 0.54, 0.53),
}  # fmt: skip
STYLES = ("short", "crop", "bob", "bun", "curly", "long")


def draw_face(rng: np.random.Generator, parameters: dict[str, float]) -> Face:
    """Tones that go with a body's origin, age and gender."""
    african, asian = parameters["african"], parameters["asian"]
    names = list(SKINS)
    chances = np.array([1 - african - asian, 0.3 + 0.5 * asian, 0.2 + 0.2 * african, african * 1.4]) + 0.01
    name = names[int(rng.choice(4, p=chances / chances.sum()))]
    tones = SKINS[name]
    skin = tuple(float(c) for c in np.array(tones[int(rng.integers(len(tones)))]) + rng.normal(0, 0.008, 3))
    dark = name in ("dark", "tan") or asian > 0.5
    hair = str(
        rng.choice(list(HAIRS), p=(0.65, 0.27, 0.05, 0, 0, 0.03) if dark else (0.1, 0.25, 0.32, 0.2, 0.07, 0.06))
    )
    if parameters["age"] > 0.84 and rng.random() < 0.6:
        hair = "grey"
    male = parameters["gender"] < 0.5
    style = str(rng.choice(STYLES, p=(0.42, 0.42, 0.02, 0, 0.14, 0) if male else (0.1, 0.03, 0.27, 0.27, 0.1, 0.23)))
    iris = (
        ((0.14, 0.09, 0.06), (0.24, 0.15, 0.08))
        if dark
        else ((0.30, 0.38, 0.46), (0.24, 0.17, 0.10), (0.32, 0.36, 0.26))
    )
    return Face(
        skin, name, HAIRS[hair], hair, iris[int(rng.integers(len(iris)))], style,  # type: ignore[arg-type]
        float(rng.choice([0, 0.4, 0.9])) if male else 0.0, float(rng.uniform(0.0, 0.9)) * (not male), int(rng.integers(1 << 30)),
    )  # fmt: skip


def skin(posed: Posed, face: Face) -> Surface:
    """The body's own surface."""
    body, basis = posed.body, posed.body.basis
    quads = basis.faces["body"]
    eye, head = body.heads["eye.L"], body.heads["head"]
    hands = body.share("finger", "metacarpal", "wrist")
    values = np.concatenate(
        [body.rest, basis.marks["lips"][:, None], basis.marks["nose"][:, None], hands[:, None]], 1
    ).astype(np.float32)
    base, hair = linear(face.skin), linear(face.hair)
    flush, lip = (
        base * np.float32([1.16, 0.76, 0.72]),
        base * np.float32([0.86, 0.44 - 0.12 * face.lips, 0.46 - 0.12 * face.lips]),
    )

    def material(at: Array, normal: Array) -> Look:
        rng = np.random.default_rng(face.seed)
        rest = at[:, :3]
        colour = (
            base
            * (
                1
                + 0.03 * ripples(rest, rng, (0.03, 0.03, 0.03), 10)
                + 0.018 * ripples(rest, rng, (0.007, 0.007, 0.007), 8)
            )[:, None]
        )
        red = 0.35 * at[:, 4] + 0.25 * at[:, 5]
        top = rest[:, 2] > head[2] - 0.12
        spot, found, front = rest[top], colour[top], ramp(-normal[top, 1], 0.0, 0.5)
        x, z = np.abs(spot[:, 0]), spot[:, 2]
        cheek = np.exp(-(((x - eye[0] * 1.45) / 0.022) ** 2) - ((z - eye[2] + 0.045) / 0.02) ** 2) * front
        red[top] += 0.45 * cheek
        found = found + (flush - found) * np.clip(red[top], 0, 1)[:, None]
        lips = ramp(at[top, 3], 0.30, 0.62) * front
        chin = (
            ramp(eye[2] - 0.058 - z, 0.0, 0.012) * ramp(z - head[2] + 0.09, 0.0, 0.03) * ramp(-spot[:, 1], 0.03, 0.09)
        )
        grain = np.clip(0.6 + 0.4 * ripples(spot, rng, (0.003, 0.003, 0.003), 10), 0, 1.4)
        found = (
            found
            + (hair * 0.6 + 0.06 - found) * np.clip(0.42 * face.stubble * chin * grain * (1 - lips), 0, 1)[:, None]
        )
        found = found + (lip - found) * (0.85 * lips)[:, None]
        near = (spot[:, 1] < head[1]) & (np.abs(z - eye[2]) < 0.06) & (x < 0.07)
        brow = np.where(near, _brow(x, z, eye) * front, 0)
        found = found + (hair * 0.55 - found) * np.clip(brow, 0, 0.92)[:, None]
        lid = np.where(near, np.exp(-(((x - eye[0]) / 0.017) ** 2) - ((z - eye[2] - 0.009) / 0.006) ** 2), 0)
        socket = np.where(near, np.exp(-(((x - eye[0] * 0.9) / 0.02) ** 2) - ((z - eye[2]) / 0.016) ** 2), 0)
        colour[~top] += (flush - colour[~top]) * np.clip(red[~top], 0, 1)[:, None]
        colour[top] = found * (1 - 0.2 * lid - 0.16 * socket)[:, None]
        shine = np.full(len(at), 0.05, np.float32)
        shine[top] += 0.05 * lips
        return Look(colour.astype(np.float32), (0.34, 0.16, 0.10), shine, 14.0)

    return Surface(posed.points, triangles(quads), values, material, _parts(body), reach=0.0)


def _brow(x: Array, z: Array, eye: Array) -> Array:
    t = (x - eye[0] * 0.42) / (eye[0] * 1.45)
    arch = eye[2] + 0.0205 + 0.0062 * np.sin(np.clip(t, 0, 1) * 2.3) - 0.004 * np.clip(t, 0, 1) ** 3
    thick = 0.0050 * (1 - 0.62 * np.clip(t, 0, 1))
    hairs = 0.75 + 0.30 * np.sin(x * 2600 + z * 1900 + 3 * np.sin(z * 900))
    inside = np.exp(-(np.abs((z - arch) / thick) ** 3)) * ramp(t, -0.06, 0.10) * (1 - ramp(t, 0.86, 1.08))
    return np.asarray(inside * hairs, np.float32)


def _parts(body: Body) -> NDArray[np.uint8]:
    """The part of each vertex of bare skin; the trunk counts as neck."""
    hand = ("finger", "metacarpal", "wrist")
    shares = {
        Part.FACE: body.share(
            "head",
            "jaw",
            "oris",
            "levator",
            "special",
            "risorius",
            "eye",
            "orbicularis",
            "temporalis",
            "oculi",
            "tongue",
        )
    }
    left = body.rest[:, 0] > 0
    arm, palm, leg = (
        body.share("upperarm", "lowerarm"),
        body.share(*hand),
        body.share("upperleg", "lowerleg", "foot", "toe"),
    )
    labels = np.full(len(left), Part.NECK, np.uint8)
    labels[shares[Part.FACE] > 0.5] = Part.FACE
    for share, one, other in (
        (arm, Part.LEFT_ARM, Part.RIGHT_ARM),
        (palm, Part.LEFT_HAND, Part.RIGHT_HAND),
        (leg, Part.LEFT_LEG, Part.RIGHT_LEG),
    ):
        labels[(share > 0.5) & left] = one
        labels[(share > 0.5) & ~left] = other
    return labels


def eyes(posed: Posed, face: Face) -> list[Surface]:
    """Eyeballs with iris and pupil, and lashes."""
    body, found = posed.body, []
    for side in ("left", "right"):
        used, quads = compact(body.basis.faces[f"{side}_eye"])
        values, quads = subdivide(np.concatenate([posed.points[used], body.rest[used]], 1), quads)
        centre, iris = body.rest[used].mean(0), linear(face.iris)

        def material(at: Array, normal: Array, centre: Array = centre, iris: Array = iris) -> Look:
            way = at - centre
            angle = np.degrees(np.arctan2(np.hypot(way[:, 0], way[:, 2]), -way[:, 1]))
            white = np.float32([0.50, 0.46, 0.44]) * (1 - 0.35 * ramp(angle, 40, 80))[:, None]
            colour = white + (iris - white) * (1 - ramp(angle, 25, 29))[:, None]
            colour = colour * (1 - 0.6 * ramp(angle, 20, 26) * (1 - ramp(angle, 26, 30)))[:, None]
            return Look(
                (colour * ramp(angle, 9.5, 12)[:, None] + 0.004).astype(np.float32) * 0.8, (0.2, 0.1, 0.1), 0.9, 200.0
            )

        found.append(Surface(values[:, :3], triangles(quads), values[:, 3:], material, Part.FACE))
    used, quads = compact(body.basis.faces["lashes"])
    found.append(
        Surface(
            posed.points[used], triangles(quads), body.rest[used], lambda at, _: Look(np.full_like(at, 0.01)), Part.FACE
        )
    )
    return found


def _strands(tone: Colour, seed: int) -> Material:
    """Hair: streaks by the first value (metres across), waving by the second (metres down)."""
    base = linear(tone)

    def material(at: Array, normal: Array) -> Look:
        rng = np.random.default_rng(seed)
        across, down = at[:, 0], at[:, 1]
        streak = np.zeros(len(at), np.float32)
        for wave, force in ((0.021, 0.5), (0.009, 0.8), (0.0041, 1.0)):
            for _ in range(2):
                sway = np.sin(down * rng.uniform(9, 30) + rng.uniform(0, 6)) * rng.uniform(0.5, 2)
                streak += force * np.sin(
                    across * 2 * np.pi / (wave * rng.uniform(0.75, 1.3)) + sway + rng.uniform(0, 6)
                )
        colour = base * np.clip(1 + 0.22 * streak, 0.3, 2.2)[:, None]
        return Look(colour.astype(np.float32), (0.15, 0.15, 0.15), np.clip(0.05 + 0.03 * streak, 0.005, 0.16), 12.0)

    return material


def hair(posed: Posed, face: Face) -> list[Surface]:
    """Hair in one of `STYLES`."""
    volume, low, sides, fringe = {
        "crop": (0.006, 0.050, 0.5, -0.006), "short": (0.026, 0.050, 0.3, 0.006), "curly": (0.046, 0.055, 0.6, 0.0),
        "bun": (0.010, 0.060, 0.6, -0.006), "bob": (0.022, 0.075, 0.8, 0.004), "long": (0.020, 0.075, 0.8, -0.004),
    }[face.style]  # fmt: skip
    found = [_scalp(posed, face, volume, low, sides, fringe)]
    if face.style == "bun":
        found.append(_bun(posed, face))
    if face.style in ("bob", "long"):
        found.append(_curtain(posed, face, 0.115 if face.style == "bob" else 0.21))
    return found


def _scalp(posed: Posed, face: Face, volume: float, low: float, sides: float, fringe: float) -> Surface:
    body, rng = posed.body, np.random.default_rng(face.seed)
    head = body.share("head", "neck", "temporalis", "oculi", "orbicularis", "jaw", "levator", "special") > 0.5
    quads = body.basis.faces["body"]
    eye = body.heads["eye.L"]
    above = (body.rest[:, 2] > eye[2] - 0.11) & head
    used, quads = compact(quads[above[quads].all(1)])
    values, quads = subdivide(np.concatenate([posed.points[used], body.rest[used]], 1), quads)
    points, rest = values[:, :3], values[:, 3:]
    x, y, z = rest.T
    face_y, crown = rest[np.abs(z - eye[2]) < 0.02][:, 1].min(), z.max()
    back = ramp(y, face_y + 0.05, face_y + 0.115)
    line = (eye[2] + 0.058 - fringe) * (1 - back) + (eye[2] - low) * back
    temple = ramp(np.abs(x), 0.045, 0.068) * (1 - back) * 0.03
    ragged = 0.002 * ripples(rest, rng, (0.006, 0.006, 0.2)) + 0.0025 * ripples(rest, rng, (0.03, 0.03, 0.2))
    keep = z - line - ragged + temple
    ear = (np.abs(x) > 0.062) & (z < eye[2] + 0.022)
    keep = np.where(ear, np.minimum(keep, z - eye[2] - 0.018), keep)
    grow = volume * (sides + (1 - sides) * ramp(z, eye[2] + 0.03, crown - 0.015)) * ramp(keep, -0.002, 0.022)
    rough = 2.2 if face.style == "curly" else 1.0
    tuft = (
        1
        + 0.12 * rough * ripples(rest, rng, (0.018, 0.05, 0.03))
        + 0.07 * rough * ripples(rest, rng, (0.012, 0.02, 0.02))
    )
    smooth = relax(points, quads, 3, ramp(keep, 0.0, 0.03) * 0.6)
    points = smooth + normals(smooth, triangles(quads)) * (0.0014 + grow * tuft)[:, None]
    across = np.arctan2(x, y - face_y - 0.1) * 0.08 + x * 0.5
    return Surface(
        points.astype(np.float32),
        triangles(quads),
        np.stack([across, z], 1).astype(np.float32),
        _strands(face.hair, face.seed),
        Part.HAIR,
        keep.astype(np.float32),
    )


def _with_head(posed: Posed, rest: Array) -> Array:
    move = posed.moves[posed.body.basis.bones.index("head")]
    return np.asarray(rest @ move[:, :3].T + move[:, 3], np.float32)


def _bun(posed: Posed, face: Face) -> Surface:
    """A knot of hair on the head."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 41)[:-1], np.linspace(0.02, np.pi - 0.02, 21))
    wound = 0.036 * (1 + 0.05 * np.sin(5 * v + u * 2))
    ball = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u) * 0.9, np.cos(v) * 0.9], -1) * wound[..., None]
    crown = posed.body.rest[posed.body.basis.faces["body"]][..., 2].max()
    rest = (ball.reshape(-1, 3) + [0, posed.body.heads["head"][1] + 0.045, crown + 0.012]).astype(np.float32)
    index = np.arange(21 * 40).reshape(21, 40)
    quads = np.stack([index[:-1], index[1:], np.roll(index, -1, 1)[1:], np.roll(index, -1, 1)[:-1]], -1).reshape(-1, 4)
    values = np.stack([v.ravel() * 0.02 + u.ravel() * 0.01, rest[:, 2]], 1).astype(np.float32)
    return Surface(
        _with_head(posed, rest), triangles(quads.astype(np.int32)), values, _strands(face.hair, face.seed), Part.HAIR
    )


def _curtain(posed: Posed, face: Face, long: float) -> Surface:
    """Hair that falls from the back and the sides of the head."""
    body, rng = posed.body, np.random.default_rng(face.seed + 5)
    eye, head = body.heads["eye.L"], body.heads["head"]
    rows, columns = 26, 49
    t, s = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    angle = s * (1.95 - 0.15 * t)
    z = eye[2] + 0.055 - t * (long + 0.055)
    shell = body.rest[np.unique(body.basis.faces["body"])]
    level = shell[np.abs(shell[:, 2] - eye[2] - 0.02) < 0.012]
    wide, deep = np.abs(level[:, 0]).max() - 0.006, np.ptp(level[:, 1]) / 2
    middle = (level[:, 1].max() + level[:, 1].min()) / 2
    swell = 1.06 + 0.10 * np.sin(np.clip(t * 1.2, 0, 1) * np.pi) + 0.05 * t
    wave = 0.003 * np.sin(angle * 14 + 5 * t) + 0.004 * ripples(
        np.stack([angle, t * 3], -1).reshape(-1, 2).astype(np.float32), rng, (0.9, 2.5)
    ).reshape(t.shape)
    x = (wide * swell + wave) * np.sin(angle)
    y = middle + (deep * swell + wave) * np.cos(angle) + 0.05 * np.clip(t - 0.55, 0, 1) * (long > 0.15)
    rest = np.stack([x, y, z + 0 * head[2]], -1).reshape(-1, 3).astype(np.float32)
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = (
        np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4).astype(np.int32)
    )
    values = np.stack([angle.ravel() * 0.09, rest[:, 2]], 1).astype(np.float32)
    edge = np.minimum(1 - np.abs(s), 1.02 - t + 0.02 * np.sin(angle * 30)).ravel().astype(np.float32)
    return Surface(_with_head(posed, rest), triangles(quads), values, _strands(face.hair, face.seed), Part.HAIR, edge)


def shoes(posed: Posed, rgb: Colour, sole: Colour, high: float) -> Surface:
    """A pair of shoes that ends `high` metres above the ankle joints."""
    body = posed.body
    ankle, floor = body.heads["foot.L"], float(body.rest[body.basis.faces["body"]][..., 2].min())
    faces = body.basis.faces["tights"]
    low = body.rest[:, 2] < ankle[2] + high + 0.06
    used, quads = compact(faces[low[faces].any(1)])
    values = np.concatenate([posed.points[used], body.rest[used]], 1)
    values[:, :3] = relax(values[:, :3], quads, 6, 0.35)
    values, quads = subdivide(values, quads)
    points, rest = values[:, :3], values[:, 3:]
    points = (
        points
        + normals(points, triangles(quads)) * (0.007 + 0.005 * ramp(floor + 0.03 - rest[:, 2], 0.0, 0.008))[:, None]
    )
    upper, under = linear(rgb), linear(sole)

    def material(at: Array, normal: Array) -> Look:
        tread = ramp(floor + 0.024 - at[:, 2], 0.0, 0.003)[:, None]
        lace = np.exp(-(((np.mod(at[:, 1] / 0.016, 1) - 0.5) / 0.18) ** 2))
        top = ramp(at[:, 2], floor + 0.05, floor + 0.06) * (at[:, 1] < ankle[1] - 0.05)
        laced = upper + (under - upper) * np.clip(lace * top, 0, 1)[:, None] * 0.8
        return Look((laced + (under - laced) * tread).astype(np.float32), (0.02, 0.02, 0.02), 0.06, 10.0)

    return Surface(
        points.astype(np.float32),
        triangles(quads),
        rest,
        material,
        Part.SHOES,
        (ankle[2] + high - rest[:, 2]).astype(np.float32),
        reach=0.03,
    )


def turned(surface: Surface, turn: NDArray[np.float64]) -> Surface:
    """The surface with its points turned."""
    return replace(surface, points=(surface.points @ turn.T).astype(np.float32))
