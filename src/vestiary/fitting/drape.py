"""How wide flat cloth looks round a body, and the form in which all garments are placed.

A flat garment is laid round a solid body, so its seen width is `ROUND` times the flat one, but never less than the body
needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import Body, Side
from vestiary.fitting.deform import Mesh

F64 = NDArray[np.float64]

ROUND = 0.84  # seen width of a worn tube over its flat width
TUBE_ROUND = 0.74  # the same for sleeves and trouser legs, which hang in folds round a thin limb
EASE = 1.05  # the least a garment is wider than the body
SNAP = 0.14  # a side closer than this to the silhouette's edge is laid on it


@dataclass(frozen=True)
class Placement:
    """A garment's pieces, each with the mesh that moves it.

    Attributes:
        scale: photo pixels per garment pixel.
        pieces: name → mesh, in drawing order: "torso", "left_sleeve", "right_sleeve", "left_leg", "right_leg", "skirt".
        polygons: name → `(N, 2)` outline of the piece on the garment, widened where nothing adjoins.
        hem_level: how far down the torso's axis the garment reaches, in pixels.
        waist_level: where it begins, for skirts, trousers and shorts.
        cuffs: side → how far along the arm the sleeve reaches, in pixels; 0 without sleeves.
    """

    scale: float
    pieces: dict[str, Mesh]
    polygons: dict[str, F64]
    hem_level: float
    waist_level: float
    cuffs: dict[Side, float]


def seen_width(body: Body, flat: float, level: float, side: Side) -> float:
    """Half width at which a garment of this flat half width is seen at a level of the body, in pixels."""
    least = float(body.half_width(level, side)) * EASE
    wide = max(flat * ROUND, least)
    if level > body.torso - 0.3 * body.unit:  # below the hips wide cloth falls into folds
        loose = float(np.clip((level - body.torso) / body.unit + 0.3, 0, 1))
        wide -= loose * 0.42 * max(wide - 1.25 * least, 0.0)
    edge = float(body.seen_half_width(level, side))
    if np.isfinite(edge) and abs(wide / max(edge, 1.0) - 1) < SNAP and edge >= least / EASE:
        wide = edge + 0.008 * body.unit
    return wide
