"""Skin, eyes and shoes, as surfaces with procedural materials."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestiary.synth.body import Body, Posed
from vestiary.synth.light import linear, normals
from vestiary.synth.looks import Colour, Face, Look, Surface
from vestiary.synth.mesh import compact, f32, ramp, relax, ripples, subdivide, triangles
from vestiary.types import Part

Array = NDArray[np.float32]


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
        base * f32([1.16, 0.76, 0.72]),
        base * f32([0.86, 0.44 - 0.12 * face.lips, 0.46 - 0.12 * face.lips]),
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
            + (hair * 0.6 + 0.06 - found) * np.clip(0.30 * face.stubble * chin * grain * (1 - lips), 0, 1)[:, None]
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
            white = f32([0.50, 0.46, 0.44]) * (1 - 0.35 * ramp(angle, 40, 80))[:, None]
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
