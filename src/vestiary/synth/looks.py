"""What surfaces are, how materials answer, and the tones of a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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
        sheet: seen from both sides.
    """

    points: Array
    faces: Ints
    values: Array
    material: Material
    part: Part | NDArray[np.uint8]
    edge: Array | None = None
    reach: float = 0.0
    sheet: bool = False


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
        float(rng.choice([0, 0.4, 0.9])) if male else 0.0, float(rng.uniform(0.0, 0.9)) * (not male),
        int(rng.integers(1 << 30)),
    )  # fmt: skip


def turned(surface: Surface, turn: NDArray[np.float64]) -> Surface:
    """The surface with its points turned."""
    return replace(surface, points=(surface.points @ turn.T).astype(np.float32))
