"""Skin, eyes, hair, clothes and shoes for the rendered people, as meshes with procedural materials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from body import Array, Body, Ints, compact, relax, ripples, subdivide, triangles
from render import Look, Mesh, vertex_normals

Colour = Sequence[float]
Field = Callable[[Array, Array], Array]


def linear(rgb: Colour) -> Array:
    """Linear light of an sRGB colour 0..1."""
    c = np.float32(rgb)
    return np.where(c < 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def ramp(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def fine(body: Body, posed: Array, group: Sequence[str], steps: int, extra: Array) -> tuple[Array, Array, Array, Ints]:
    """Points, rest points, further values and quads of mesh groups after `steps` subdivisions."""
    values, quads = compact(
        np.concatenate([posed, body.rest, extra], 1), np.concatenate([body.quads[g] for g in group])
    )
    for _ in range(steps):
        values, quads = subdivide(values, quads)
    return values[:, :3], values[:, 3:6], values[:, 6:], quads


@dataclass
class Face:
    """Tones of one person's head, sRGB 0..1."""

    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    stubble: float = 0.0
    brow: float = 1.0
    rose: float = 1.0


def skin(body: Body, posed: Array, face: Face, seed: int, covered: Callable[[Array, Array], Array]) -> Mesh:
    """The body's skin with lips, brows, flush and stubble; it ends a little inside what is `covered` by clothes."""
    hands = body.share("finger", "metacarpal")
    top = body.share("head", "jaw", "oris", "levator", "special", "risorius")
    marks = np.stack(
        [body.marks["upper_lip"] + body.marks["lower_lip"], body.marks["nose"], hands, arm_share(body), top], 1
    )
    points, rest, extra, quads = fine(body, posed, ["body"], 2, marks)
    eye, head = body.heads["eye.L"], body.heads["head"]
    base, lip, hair = linear(face.skin), linear(face.lips), linear(face.hair)
    flush = base * np.float32([1.18, 0.74, 0.70])

    def material(at: Array, marks: Array, normal: Array) -> Look:
        rng = np.random.default_rng(seed)
        mottle = 0.035 * ripples(at, rng, (0.03, 0.03, 0.03)) + 0.02 * ripples(at, rng, (0.007, 0.007, 0.007))
        colour = base * (1 + mottle)[:, None]
        front = ramp(-normal[:, 1], 0.0, 0.5)
        x, z = np.abs(at[:, 0]), at[:, 2]
        cheek = np.exp(-(((x - eye[0] * 1.45) / 0.022) ** 2) - ((z - eye[2] + 0.045) / 0.02) ** 2) * front
        red = np.clip(0.5 * cheek + 0.4 * marks[:, 1] + 0.35 * marks[:, 2], 0, 1) * face.rose
        colour = colour + (flush - colour) * red[:, None]
        chin = ramp(eye[2] - 0.058 - z, 0.0, 0.012) * ramp(z - head[2] + 0.09, 0.0, 0.03) * ramp(-at[:, 1], 0.03, 0.09)
        grain = np.clip(0.6 + 0.4 * ripples(at, rng, (0.002, 0.002, 0.002)), 0, 1.4)
        lips = ramp(marks[:, 0], 0.30, 0.62) * front
        stubble = face.stubble * chin * grain * (1 - lips)
        colour = colour + (hair * 0.6 + 0.06 - colour) * np.clip(0.42 * stubble, 0, 1)[:, None]
        wet = 1 + 0.07 * ripples(at, rng, (0.0015, 0.004, 0.006))
        colour = colour + (lip * wet[:, None] - colour) * (0.85 * lips)[:, None]
        near = (at[:, 1] < head[1]) & (np.abs(z - eye[2]) < 0.06) & (x < 0.07)
        brow = np.where(near, _brow(x, z, eye, rng) * front, 0)
        colour = colour + (hair * 0.55 - colour) * np.clip(brow * face.brow, 0, 0.95)[:, None]
        lid = np.where(near, np.exp(-(((x - eye[0]) / 0.017) ** 2) - ((z - eye[2] - 0.009) / 0.006) ** 2), 0)
        colour = colour * (1 - 0.22 * lid)[:, None]
        wrap = (0.36, 0.16, 0.10)
        return Look(colour, wrap, 0.045 + 0.10 * lips, 14.0)

    keep = np.float32(0.014) - covered(rest, extra[:, 3]) + extra[:, 4]
    return Mesh(
        points,
        rest,
        triangles(quads),
        material,
        extra[:, :3],
        keep.astype(np.float32),
        scatter=(0.0036, 0.0016, 0.0009),
    )


def arm_share(body: Body) -> Array:
    return body.share("upperarm", "lowerarm", "wrist", "finger", "metacarpal")


def _brow(x: Array, z: Array, eye: Array, rng: np.random.Generator) -> Array:
    t = (x - eye[0] * 0.42) / (eye[0] * 1.45)
    arch = eye[2] + 0.0205 + 0.0062 * np.sin(np.clip(t, 0, 1) * 2.3) - 0.004 * np.clip(t, 0, 1) ** 3
    thick = 0.0052 * (1 - 0.62 * np.clip(t, 0, 1))
    hairs = 0.75 + 0.35 * np.sin(x * 2600 + z * 1900 + 3 * np.sin(z * 900))
    inside = np.exp(-(np.abs((z - arch) / thick) ** 3)) * ramp(t, -0.06, 0.10) * (1 - ramp(t, 0.86, 1.08))
    return (inside * hairs).astype(np.float32)


def eyes(body: Body, posed: Array, face: Face) -> list[Mesh]:
    """Eyeballs with iris, pupil and a wet shine; dark lashes."""
    meshes = []
    for side in ("l", "r"):
        group = f"helper-{side}-eye"
        points, rest, extra, quads = fine(body, posed, [group], 2, np.zeros((len(posed), 1), np.float32))
        centre = body.rest[np.unique(body.quads[group])].mean(0)
        iris = linear(face.iris)

        def material(at: Array, _: Array, normal: Array, centre: Array = centre, iris: Array = iris) -> Look:
            way = at - centre
            angle = np.degrees(np.arctan2(np.hypot(way[:, 0], way[:, 2]), -way[:, 1]))
            spoke = 1 + 0.25 * np.sin(np.arctan2(way[:, 2], way[:, 0]) * 23) * ramp(angle, 8, 20)
            white = np.float32([0.46, 0.42, 0.40]) * (1 - 0.35 * ramp(angle, 40, 80))[:, None]
            colour = white + (iris * spoke[:, None] * 1.3 - white) * (1 - ramp(angle, 25, 29))[:, None]
            colour = colour * (1 - 0.7 * ramp(angle, 20, 26) * (1 - ramp(angle, 26, 30)))[:, None]
            colour = colour * ramp(angle, 9.5, 12)[:, None] + 0.004
            return Look(colour * 0.85, (0.2, 0.1, 0.1), 0.9, 240.0)

        meshes.append(
            Mesh(points, rest, triangles(quads), material, extra, np.ones(len(points), np.float32), casts=False)
        )
    lash = [f"helper-{s}-eyelashes-2" for s in "lr"]
    points, rest, extra, quads = fine(body, posed, lash, 1, np.zeros((len(posed), 1), np.float32))

    def dark(at: Array, _: Array, normal: Array) -> Look:
        return Look(np.full_like(at, 0.008))

    meshes.append(Mesh(points, rest, triangles(quads), dark, extra, np.ones(len(points), np.float32), casts=False))
    return meshes


def strands(
    tone: Colour, along: Callable[[Array], tuple[Array, Array]], seed: int
) -> Callable[[Array, Array, Array], Look]:
    """Hair: fine streaks across `along`'s first value (metres round the head), tips and sheen by its second."""
    base = linear(tone)

    def material(at: Array, extra: Array, normal: Array) -> Look:
        rng = np.random.default_rng(seed)
        across, down = along(at)
        streak = np.zeros(len(at), np.float32)
        slope = np.zeros(len(at), np.float32)
        for wave, force in ((0.021, 0.5), (0.009, 0.8), (0.0041, 1.0), (0.0019, 0.9)):
            for _ in range(3):
                k = 2 * np.pi / (wave * rng.uniform(0.75, 1.3))
                turn = (
                    across * k
                    + np.sin(down * rng.uniform(9, 30) + rng.uniform(0, 6)) * rng.uniform(0.5, 2)
                    + rng.uniform(0, 6)
                )
                streak += force * np.sin(turn)
                slope += force * np.cos(turn)
        tangent = np.stack(
            [np.cos(np.arctan2(at[:, 1], at[:, 0]) + 1.57), np.sin(np.arctan2(at[:, 1], at[:, 0]) + 1.57), 0 * across],
            1,
        )
        colour = base * np.clip(1 + 0.17 * streak, 0.3, 2.2)[:, None]
        return Look(
            colour,
            (0.15, 0.15, 0.15),
            np.clip(0.035 + 0.018 * streak, 0.005, 0.12),
            18.0,
            (0.055 * slope)[:, None] * tangent,
        )

    return material


def scalp(
    body: Body,
    posed: Array,
    tone: Colour,
    *,
    volume: float,
    low: float,
    seed: int,
    fringe: float = 0.0,
    sides: float = 0.2,
) -> Mesh:
    """Short hair grown from the head: `volume` metres thick on top, cut `low` metres below the eyes at the back.

    `fringe` lowers the hairline on the forehead; `sides` = share of the volume that the sides have.
    """
    used = body.share("head", "neck", "temporalis", "oculi", "orbicularis", "jaw", "levator", "special") > 0.5
    quads_all = body.quads["body"]
    head_quads = quads_all[used[quads_all].all(1)]
    values, quads = compact(np.concatenate([posed, body.rest], 1), head_quads)
    for _ in range(2):
        values, quads = subdivide(values, quads)
    points, rest = values[:, :3], values[:, 3:]
    normals = vertex_normals(points, triangles(quads))
    eye, rng = body.heads["eye.L"], np.random.default_rng(seed)
    crown = rest[:, 2].max()
    x, y, z = rest[:, 0], rest[:, 1], rest[:, 2]
    face_y = rest[np.abs(z - eye[2]) < 0.02][:, 1].min()
    back = ramp(y, face_y + 0.05, face_y + 0.115)
    line = (eye[2] + 0.058 - fringe) * (1 - back) + (eye[2] - low) * back
    temple = ramp(np.abs(x), 0.045, 0.068) * (1 - back) * 0.03
    ragged = 0.002 * ripples(rest, rng, (0.006, 0.006, 0.2)) + 0.0025 * ripples(rest, rng, (0.03, 0.03, 0.2))
    keep = z - line - ragged + temple
    ear = (np.abs(x) > 0.062) & (z < eye[2] + 0.022)
    keep = np.where(ear, np.minimum(keep, z - eye[2] - 0.018), keep)
    grow = volume * (sides + (1 - sides) * ramp(z, eye[2] + 0.03, crown - 0.015)) * ramp(keep, -0.002, 0.022)
    tuft = 1 + 0.12 * ripples(rest, rng, (0.018, 0.05, 0.03)) + 0.07 * ripples(rest, rng, (0.008, 0.02, 0.02))
    points = points + normals * (0.0012 + grow * tuft)[:, None]

    def along(at: Array) -> tuple[Array, Array]:
        return np.arctan2(at[:, 0], at[:, 1] - face_y - 0.1) * 0.08 + at[:, 0] * 0.5, at[:, 2]

    return Mesh(
        points, rest, triangles(quads), strands(tone, along, seed), np.zeros((len(points), 1), np.float32), keep
    )


def bun(
    body: Body,
    posed: Array,
    moves: dict[str, Array],
    tone: Colour,
    at: tuple[float, float, float],
    radius: float,
    seed: int,
) -> Mesh:
    """A knot of hair on the head: an ellipsoid wound round itself."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 97)[:-1], np.linspace(0.02, np.pi - 0.02, 49))
    wound = 1 + 0.05 * np.sin(5 * v + u * 2)
    ball = (
        np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u) * 0.9, np.cos(v) * 0.9], -1)
        * (radius * wound)[..., None]
    )
    rest = (ball.reshape(-1, 3) + body.heads["head"] + at).astype(np.float32)
    points = (rest @ moves["head"][:3, :3].T + moves["head"][:3, 3]).astype(np.float32)
    index = np.arange(48 * 96).reshape(48, 96)
    quads = np.stack([index, np.roll(index, -1, 1), np.roll(index, -1, 1) + 96, index + 96], -1).reshape(-1, 4)
    centre = body.heads["head"] + at

    def along(p: Array) -> tuple[Array, Array]:
        d = p - centre
        return np.arctan2(d[:, 2], d[:, 0]) * 0.03 + np.hypot(d[:, 0], d[:, 2]) * 0.6, d[:, 1]

    return Mesh(
        points,
        rest,
        triangles(quads[:, ::-1]),
        strands(tone, along, seed),
        np.zeros((len(points), 1), np.float32),
        np.ones(len(points), np.float32),
    )


def cloth(
    body: Body, posed: Array, group: str, *, keep: Field, offset: Field, colour: Field, seed: int, fold: float = 1.0,
    loose: float = 0.5, steps: int = 3, sheen: float = 0.01,
    bands: Sequence[tuple[float, float]] = ((0.022, 0.0012),),
) -> Mesh:  # fmt: skip
    """A garment grown from a helper surface.

    Args:
        keep: metres to the garment's edge (positive inside) of rest points and the arm's share of each.
        offset: metres off the body.
        colour: linear colour of rest points and arm share.
        fold, loose: strength of the folds, and how much of the body's shape is smoothed away.
        bands: seams, as (metres from the edge, half width), drawn dark.
    """
    points, rest, extra, quads = fine(body, posed, [group], 1, arm_share(body)[:, None])
    points = relax(points, quads, 14, loose * (1 - 0.6 * extra[:, 0]))
    near = (keep(rest, extra[:, 0])[quads] > -0.05).any(1)
    values, quads = compact(np.concatenate([points, rest, extra], 1), quads[near])
    for _ in range(steps - 1):
        values, quads = subdivide(values, quads)
    points, rest, extra = values[:, :3], values[:, 3:6], values[:, 6:]
    rng = np.random.default_rng(seed)
    normals = vertex_normals(points, triangles(quads))
    arm = extra[:, 0]
    broad = ripples(rest, rng, (0.20, 0.20, 0.60))
    tilt = np.stack([rest[:, 0] + 0.5 * rest[:, 2] * np.tanh(rest[:, 0] / 0.12), rest[:, 1], rest[:, 2]], 1).astype(
        np.float32
    )
    slant = np.abs(ripples(tilt + 0.02 * broad[:, None], rng, (0.13, 0.13, 0.40)))
    small = ripples(rest + 0.02 * broad[:, None], rng, (0.07, 0.07, 0.07))
    height = 0.0055 * broad - 0.0072 * slant + 0.0010 * small + 0.008
    edge = keep(rest, arm).astype(np.float32)
    off = offset(rest, arm) + fold * height * (0.35 + 0.65 * ramp(edge, 0.0, 0.06))
    points = points + normals * np.maximum(off, 0.004)[:, None]
    values = np.stack([arm, edge], 1)

    def material(at: Array, extra: Array, normal: Array) -> Look:
        rng = np.random.default_rng(seed + 1)
        weave = 1 + 0.035 * rng.standard_normal(len(at)) + 0.03 * ripples(at, rng, (0.012, 0.012, 0.012))
        tone = colour(at, extra[:, 0]) * weave[:, None]
        for where, half in bands:
            tone = tone * (1 - 0.28 * np.exp(-(((extra[:, 1] - where) / half) ** 2)))[:, None]
        tone = tone * (1 - 0.25 * np.exp(-((extra[:, 1] / 0.0015) ** 2)))[:, None]
        return Look(tone.astype(np.float32), (0.06, 0.06, 0.06), sheen, 8.0)

    return Mesh(points, rest, triangles(quads), material, values.astype(np.float32), edge, covers=keep)
