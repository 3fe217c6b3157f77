"""What the rendered people wear: shirts, trousers, skirts and shoes grown from the body's helper surfaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import wardrobe as w
from body import Array, Body, ripples
from render import Mesh

Pattern = Callable[[Array, Array], Array]


def plain(rgb: w.Colour) -> Pattern:
    tone = w.linear(rgb)
    return lambda at, arm: np.broadcast_to(tone, at.shape)


def banded(one: w.Colour, two: w.Colour, period: float) -> Callable[[Array, Array], Array]:
    a, b = w.linear(one), w.linear(two)

    def colour(at: Array, arm: Array) -> Array:
        along = at[:, 2] * (1 - arm) + (at[:, 2] * 0.72 - np.abs(at[:, 0]) * 0.69) * arm
        inside = w.ramp(np.mod(along / period, 1), 0.0, 0.04) - w.ramp(np.mod(along / period, 1), 0.42, 0.46)
        return b + (a - b) * (1 - inside[:, None])

    return colour


def denim(rgb: w.Colour) -> Pattern:
    tone = w.linear(rgb)

    def colour(at: Array, arm: Array) -> Array:
        rng = np.random.default_rng(2)
        thigh = np.exp(-(((np.abs(at[:, 0]) - 0.11) / 0.05) ** 2) - ((at[:, 2] + 0.22) / 0.16) ** 2) * (
            at[:, 1] < -0.03
        )
        pale = 0.30 * thigh + 0.05 * ripples(at, rng, (0.05, 0.05, 0.12)) + 0.05 * rng.standard_normal(len(at))
        return tone + (w.linear((0.62, 0.70, 0.80)) - tone) * np.clip(pale + 0.06, 0, 1)[:, None]

    return colour


def shirt(
    body: Body,
    posed: Array,
    *,
    hem: float,
    sleeve: float,
    neck: float,
    colour: Pattern,
    seed: int,
    fit: float = 1.0,
    fold: float = 1.0,
) -> Mesh:
    """A pulled-over top: `hem` = height over the hip joints, `sleeve` = metres from the shoulder, `neck` = radius."""
    hips = body.heads["upperleg01.L"][2]
    shoulder, wrist = body.heads["upperarm01.L"], body.heads["wrist.L"]
    way = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
    throat = (body.heads["neck01"] + body.heads["clavicle.L"] * [0, 1, 1] * 1.0) / 2

    def keep(rest: Array, arm: Array) -> Array:
        mirrored = np.abs(rest[:, [0]]) * [1, 0, 0] + rest * [0, 1, 1]
        down = sleeve - ((mirrored - shoulder) @ way) * np.clip(arm * 3, 0, 1)
        away = (rest - throat) * np.float32([1.0, 0.85, 1.15])
        away[:, 2] *= np.where(away[:, 2] > 0, 0.25, 1.0)
        opening = np.linalg.norm(away, axis=1) - neck
        low = np.minimum(rest[:, 2] - hips - hem, throat[2] + 0.10 - rest[:, 2])
        return np.minimum(np.minimum(down, low), opening)

    def offset(rest: Array, arm: Array) -> Array:
        low = w.ramp(-(rest[:, 2] - hips), -0.36, -0.05)
        end = np.clip((np.abs(rest[:, 0]) - shoulder[0]) / 0.12, 0, 1) * (sleeve < 0.35)
        collar = w.ramp(np.linalg.norm(rest - throat, axis=1), neck, neck + 0.05)
        return 0.004 + 0.009 * collar + fit * (0.012 * low * (1 - arm) + (0.006 + 0.010 * end) * arm)

    bands = ((0.021, 0.0010), (0.0175, 0.0008))
    return w.cloth(
        body,
        posed,
        "helper-tights",
        keep=keep,
        offset=offset,
        colour=colour,
        seed=seed,
        loose=0.75,
        fold=fold,
        bands=bands,
    )


def trousers(
    body: Body,
    posed: Array,
    *,
    under: Mesh,
    waist: float,
    colour: Pattern,
    seed: int,
    fit: float = 1.0,
    length: float = 0.03,
) -> Mesh:
    """Straight trousers; `waist` = height over the hip joints, `length` = metres above the ankle joint."""
    hips, knee, ankle = (body.heads[b][2] for b in ("upperleg01.L", "lowerleg01.L", "foot.L"))

    def keep(rest: Array, arm: Array) -> Array:
        edge = np.minimum(np.minimum(hips + waist - rest[:, 2], rest[:, 2] - ankle - length), 0.5 - arm)
        return np.minimum(edge, 0.02 - under.covers(rest, arm))

    def offset(rest: Array, arm: Array) -> Array:
        shin = w.ramp(-(rest[:, 2] - hips), 0.05, hips - ankle)
        calf = np.exp(-(((rest[:, 2] - (knee * 0.55 + ankle * 0.45)) / 0.10) ** 2))
        return fit * (0.003 + 0.007 * w.ramp(-(rest[:, 2] - hips), 0.0, 0.2) + 0.018 * shin - 0.004 * calf)

    return w.cloth(
        body,
        posed,
        "helper-tights",
        keep=keep,
        offset=offset,
        colour=colour,
        seed=seed,
        loose=0.7,
        fold=1.1,
        bands=((0.028, 0.001), (0.033, 0.001)),
    )


def skirt(body: Body, posed: Array, *, under: Mesh, waist: float, length: float, colour: Pattern, seed: int) -> Mesh:
    hips = body.heads["upperleg01.L"][2]

    def keep(rest: Array, arm: Array) -> Array:
        edge = np.minimum(hips + waist - rest[:, 2], rest[:, 2] - hips + length)
        return np.minimum(edge, 0.015 - under.covers(rest, arm))

    def offset(rest: Array, arm: Array) -> Array:
        low = w.ramp(-(rest[:, 2] - hips), -0.05, 0.45)
        waves = np.sin(np.arctan2(rest[:, 0], -rest[:, 1] - 0.02) * 11 + 2 * np.sin(rest[:, 2] * 3))
        return 0.008 + 0.030 * low + 0.013 * low * waves

    return w.cloth(
        body,
        posed,
        "helper-skirt",
        keep=keep,
        offset=offset,
        colour=colour,
        seed=seed,
        loose=0.4,
        fold=0.6,
        bands=((0.018, 0.001),),
    )


def shoes(body: Body, posed: Array, rgb: w.Colour, sole: w.Colour, *, high: float = 0.005) -> Mesh:
    ankle = body.heads["foot.L"]
    floor = body.rest[body.quads["body"]][..., 2].min()
    upper, under = w.linear(rgb), w.linear(sole)

    def keep(rest: Array, arm: Array) -> Array:
        return ankle[2] + high - rest[:, 2]

    def offset(rest: Array, arm: Array) -> Array:
        return 0.007 + 0.005 * w.ramp(floor + 0.03 - rest[:, 2], 0.0, 0.008)

    def colour(at: Array, arm: Array) -> Array:
        low = w.ramp(floor + 0.024 - at[:, 2], 0.0, 0.002)[:, None]
        lace = (np.abs(at[:, 0]) > 0) * np.exp(-(((np.mod(at[:, 1] / 0.016, 1) - 0.5) / 0.18) ** 2))
        top = w.ramp(at[:, 2], floor + 0.05, floor + 0.06) * (at[:, 1] < ankle[1] - 0.05)
        laced = upper + (under - upper) * np.clip(lace * top, 0, 1)[:, None] * 0.8
        return laced + (under - laced) * low

    return w.cloth(
        body,
        posed,
        "helper-tights",
        keep=keep,
        offset=offset,
        colour=colour,
        seed=1,
        fold=0.0,
        loose=0.35,
        sheen=0.05,
        bands=(),
    )
