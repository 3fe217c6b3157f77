"""Flat garments as drawn by a pattern maker: pieces, seams and landmarks, in centimetres.

x to the picture's right, y down, the origin between the neck points (or on the waistband's middle). The wearer's left
is at positive x, as in a photo of the garment's front.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vestiary.types import Category, Landmark, Neckline, Sleeve

if TYPE_CHECKING:
    from collections.abc import Callable

Line = NDArray[np.float64]
Kind = Literal["inside", "cloth", "sleeve", "trim"]
MIRRORED: dict[Landmark, Landmark] = {
    mark: Landmark[mark.name.replace("LEFT", "RIGHT") if "LEFT" in mark.name else mark.name.replace("RIGHT", "LEFT")]
    for mark in Landmark
}


@dataclass
class Piece:
    """One piece of cloth: a closed outline `(N, 2)` and what it is.

    `inside` shows the garment's inner side (the back of the neck, an open front), `trim` is a collar, a waistband, a
    cuff.
    """

    name: str
    kind: Kind
    outline: Line


@dataclass
class Pattern:
    """A garment's outlines with its exact landmarks.

    Attributes:
        category, sleeve, neckline: what it is.
        pieces: from the back to the front; their union is the garment's mask.
        landmarks: the `(2,)` place of each landmark that this garment has.
        seams: open lines `(N, 2)` that are sewn or folded.
        buttons: `(K, 2)` centres of buttons.
        attributes: further words, such as `{"opening": "buttons", "cut": "boxy"}`.
    """

    category: Category
    pieces: list[Piece] = field(default_factory=list)
    landmarks: dict[Landmark, Line] = field(default_factory=dict)
    seams: list[Line] = field(default_factory=list)
    buttons: Line = field(default_factory=lambda: np.zeros((0, 2)))
    sleeve: Sleeve = "none"
    neckline: Neckline = "none"
    attributes: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, kind: Kind, *parts: Any) -> None:
        """Lay a piece on top; its outline is the parts joined."""
        self.pieces.append(Piece(name, kind, join(*parts)))

    def mark(self, name: str, side: float, place: Sequence[float] | Line) -> None:
        """Set a landmark by its name without the side; `side` is +1 for the wearer's left, -1 for the right."""
        self.landmarks[Landmark[f"{name}_{'LEFT' if side > 0 else 'RIGHT'}"]] = np.asarray(place, float)

    @property
    def inner(self) -> list[Line]:
        """The outlines that show the garment's inner side."""
        return [piece.outline for piece in self.pieces if piece.kind == "inside"]

    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of all pieces."""
        every = np.concatenate([piece.outline for piece in self.pieces])
        low, high = every.min(axis=0), every.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def moved(self, move: Callable[[Line], Line]) -> Pattern:
        """The same garment with every point `(N, 2)` put through `move`."""
        return Pattern(
            self.category,
            [Piece(piece.name, piece.kind, move(dense(piece.outline, closed=True))) for piece in self.pieces],
            {mark: move(place[None])[0] for mark, place in self.landmarks.items()},
            [move(dense(seam)) for seam in self.seams],
            move(self.buttons) if len(self.buttons) else self.buttons,
            self.sleeve,
            self.neckline,
            dict(self.attributes),
        )

    def mirrored(self) -> Pattern:
        """Left and right exchanged, landmarks too."""
        flipped = self.moved(lambda points: points * (-1.0, 1.0))
        flipped.landmarks = {MIRRORED[mark]: place for mark, place in flipped.landmarks.items()}
        return flipped


def join(*parts: Any) -> Line:
    """Points and lines one after another as `(N, 2)`."""
    return np.concatenate([np.atleast_2d(np.asarray(part, float)) for part in parts])


def mirror(points: Any) -> Line:
    """The other half of a symmetric line, walked backwards."""
    return np.atleast_2d(np.asarray(points, float))[::-1] * (-1.0, 1.0)


def spline(*points: Iterable[float], steps: int = 8) -> Line:
    """A smooth line `(N, 2)` through all the points (centripetal Catmull-Rom, Yuksel et al. 2011)."""
    given = np.array([tuple(point) for point in points], float)
    given = given[np.r_[True, np.linalg.norm(np.diff(given, axis=0), axis=1) > 1e-6]]
    if len(given) < 3:
        return given
    path = np.vstack([2 * given[0] - given[1], given, 2 * given[-1] - given[-2]])
    knots = np.r_[0, np.cumsum(np.sqrt(np.linalg.norm(np.diff(path, axis=0), axis=1)))]
    pieces = []
    for i in range(len(given) - 1):
        t = np.linspace(knots[i + 1], knots[i + 2], steps, endpoint=False)[:, None]
        k, p = knots[i : i + 4], path[i : i + 4]
        a = [((k[j + 1] - t) * p[j] + (t - k[j]) * p[j + 1]) / (k[j + 1] - k[j]) for j in range(3)]
        b = [((k[j + 2] - t) * a[j] + (t - k[j]) * a[j + 1]) / (k[j + 2] - k[j]) for j in range(2)]
        pieces.append(((k[2] - t) * b[0] + (t - k[1]) * b[1]) / (k[2] - k[1]))
    return np.vstack([*pieces, given[-1:]])


def dense(line: Line, *, closed: bool = False, spacing: float = 2.0) -> Line:
    """The line with extra points, so that none are further apart than `spacing`; corners stay."""
    ends = np.roll(line, -1, axis=0) if closed else line[1:]
    starts = line if closed else line[:-1]
    counts = np.maximum(1, np.ceil(np.linalg.norm(ends - starts, axis=1) / spacing)).astype(int)
    which = np.repeat(np.arange(len(counts)), counts)
    within = (np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)) / counts[which]
    points = starts[which] + (ends - starts)[which] * within[:, None]
    return points if closed else np.vstack([points, line[-1:]])
