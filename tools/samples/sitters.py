"""The four rendered people: shape, pose, face, clothes and picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import wardrobe as w
from body import Array, Body, Turn
from outfits import banded, denim, plain, shirt, shoes, skirt, trousers
from render import Mesh

Dress = Callable[[Body, Array, dict[str, Array]], list[Mesh]]


@dataclass
class Sitter:
    """One person: shape (anny's phenotypes), pose, face, clothes, and how the picture is taken."""

    shape: dict[str, float]
    pose: dict[str, Turn]
    face: w.Face
    dress: Dress
    frame: tuple[float, float]
    seed: int
    outdoors: bool = False
    paper: tuple[float, float, float] = (0.80, 0.79, 0.77)
    turn: float = 0.0
    size: tuple[int, int] = (768, 1024)


def hanging(out: float = 0.24, bend: float = 0.22, roll: float = 0.0) -> dict[str, Turn]:
    """Arms at the sides, slightly off the body."""
    turns: dict[str, Turn] = {}
    for side, sign in (("L", 1), ("R", -1)):
        turns[f"upperarm01.{side}"] = (f"lowerarm01.{side}", (sign * out, 0.04, -1), 0)
        turns[f"lowerarm01.{side}"] = (f"wrist.{side}", (sign * out * 0.55, -bend, -1), sign * roll)
        turns[f"wrist.{side}"] = (f"finger3-1.{side}", (sign * 0.05, -bend * 0.8, -1), 0)
    return turns


def standing(spread: float = 0.035) -> dict[str, Turn]:
    return {f"upperleg01.{s}": (f"lowerleg01.{s}", (k * spread, -0.02, -1), 0) for s, k in (("L", 1), ("R", -1))}


def _shape(gender: float, **more: float) -> dict[str, float]:
    usual = {
        "age": 0.58,
        "muscle": 0.5,
        "weight": 0.45,
        "height": 0.5,
        "proportions": 0.8,
        "african": 0.0,
        "asian": 0.0,
        "caucasian": 0.0,
    }
    return {"gender": gender, "cupsize": 0.5, "firmness": 0.6, **usual, **more}


def _mira(body: Body, posed: Array, moves: dict[str, Array]) -> list[Mesh]:
    tone = (0.29, 0.18, 0.11)
    top = shirt(body, posed, hem=0.0, sleeve=0.17, neck=0.088, colour=plain((0.80, 0.81, 0.82)), seed=5, fit=0.9)
    return [
        w.scalp(body, posed, tone, volume=0.010, low=0.06, seed=3, fringe=-0.006, sides=0.6),
        w.bun(body, posed, moves, tone, (0, 0.045, 0.165), 0.036, 4),
        top,
        trousers(body, posed, under=top, waist=0.10, colour=denim((0.17, 0.25, 0.40)), seed=6),
        shoes(body, posed, (0.88, 0.87, 0.85), (0.95, 0.95, 0.94)),
    ]


def _jonas(body: Body, posed: Array, moves: dict[str, Array]) -> list[Mesh]:
    top = shirt(body, posed, hem=-0.05, sleeve=0.20, neck=0.092, colour=plain((0.13, 0.20, 0.33)), seed=15, fit=1.15)
    return [
        w.scalp(body, posed, (0.42, 0.30, 0.18), volume=0.026, low=0.05, seed=13, fringe=0.004),
        top,
        trousers(body, posed, under=top, waist=0.08, colour=plain((0.66, 0.58, 0.46)), seed=16, fit=1.1),
        shoes(body, posed, (0.30, 0.20, 0.13), (0.16, 0.12, 0.09)),
    ]


def _amara(body: Body, posed: Array, moves: dict[str, Array]) -> list[Mesh]:
    top = shirt(body, posed, hem=0.02, sleeve=0.50, neck=0.095, colour=plain((0.80, 0.58, 0.20)), seed=25, fit=0.8)
    return [
        w.scalp(body, posed, (0.10, 0.075, 0.06), volume=0.046, low=0.055, seed=23, sides=0.55),
        top,
        skirt(body, posed, under=top, waist=0.12, length=0.50, colour=plain((0.24, 0.27, 0.34)), seed=26),
        shoes(body, posed, (0.70, 0.68, 0.64), (0.92, 0.91, 0.89), high=-0.01),
    ]


def _kenji(body: Body, posed: Array, moves: dict[str, Array]) -> list[Mesh]:
    top = shirt(
        body,
        posed,
        hem=-0.04,
        sleeve=0.19,
        neck=0.09,
        colour=banded((0.86, 0.84, 0.79), (0.45, 0.20, 0.18), 0.06),
        seed=35,
        fit=1.1,
    )
    return [
        w.scalp(body, posed, (0.09, 0.08, 0.08), volume=0.030, low=0.045, seed=33, fringe=0.012),
        top,
        trousers(body, posed, under=top, waist=0.08, colour=denim((0.10, 0.12, 0.18)), seed=36, fit=1.05),
        shoes(body, posed, (0.16, 0.16, 0.17), (0.90, 0.90, 0.88)),
    ]


SITTERS = {
    "mira": Sitter(
        _shape(1.0, caucasian=1.0, height=0.5, weight=0.42),
        {**hanging(0.26, 0.20), "head": (2.0, 0.0, 4.0), "spine03": (0.0, 1.0, 0.0)},
        w.Face((0.86, 0.68, 0.58), (0.72, 0.36, 0.34), (0.27, 0.17, 0.10), (0.36, 0.42, 0.33)),
        _mira, (1.06, -0.05), 101,
    ),
    "jonas": Sitter(
        _shape(0.0, caucasian=1.0, height=0.62, muscle=0.62, weight=0.5),
        {**hanging(0.28, 0.26), "head": (1.0, 0.0, -5.0)},
        w.Face((0.82, 0.63, 0.52), (0.66, 0.38, 0.34), (0.36, 0.25, 0.15), (0.30, 0.40, 0.50), stubble=1.0, brow=1.2),
        _jonas, (1.05, 0.32), 102, paper=(0.74, 0.76, 0.78),
    ),
    "amara": Sitter(
        _shape(1.0, african=1.0, height=0.56, weight=0.5, muscle=0.55),
        {
            **hanging(0.22, 0.18), "upperarm01.R": ("lowerarm01.R", (-0.72, 0.30, -0.86), 0),
            "lowerarm01.R": ("wrist.R", (0.80, -0.42, -0.62), 0), "wrist.R": ("finger3-1.R", (0.55, -0.35, -0.85), 0),
            "head": (0.0, 3.0, -4.0),
        },
        w.Face((0.44, 0.29, 0.21), (0.46, 0.22, 0.20), (0.07, 0.05, 0.04), (0.17, 0.10, 0.06), rose=0.5),
        _amara, (1.07, -0.05), 103, outdoors=True, paper=(0.60, 0.60, 0.58),
    ),
    "kenji": Sitter(
        _shape(0.0, asian=1.0, height=0.45, muscle=0.5, weight=0.42),
        {
            **hanging(0.22, 0.2), "upperarm01.L": ("lowerarm01.L", (0.26, -0.12, -1), 0),
            "lowerarm01.L": ("wrist.L", (-0.85, -0.62, 0.06), 0), "wrist.L": ("finger3-1.L", (-0.95, -0.25, 0.05), 0),
            "head": (1.0, 0.0, 3.0),
        },
        w.Face((0.80, 0.64, 0.50), (0.66, 0.40, 0.34), (0.06, 0.05, 0.05), (0.14, 0.09, 0.06), stubble=0.25, brow=1.2),
        _kenji, (1.05, 0.22), 104, paper=(0.84, 0.82, 0.78),
    ),
}  # fmt: skip
