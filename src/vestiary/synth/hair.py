"""Hair in a few styles: grown from the scalp, hanging, knotted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.body import Posed
from vestiary.synth.light import linear, normals
from vestiary.synth.looks import Colour, Face, Look, Material, Surface
from vestiary.synth.mesh import compact, f32, ramp, relax, ripples, subdivide, triangles
from vestiary.types import Part

Array = NDArray[np.float32]


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
    rest = f32(ball.reshape(-1, 3) + np.array([0, posed.body.heads["head"][1] + 0.045, crown + 0.012]))
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
    return Surface(
        _with_head(posed, rest),
        triangles(quads),
        values,
        _strands(face.hair, face.seed),
        Part.HAIR,
        edge,
        0.012,
        sheet=True,
    )
