"""How wide flat cloth looks round a body, and the form in which all garments are placed.

A flat garment is laid round a solid body, so its seen width is `ROUND` times the flat one, but never less than the body
needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.body import Body, Limb, Side
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


def seen_widths(body: Body, flat: F64, levels: F64, side: Side) -> F64:
    """Half widths at which a garment of these flat half widths is seen along one side of the body, in pixels.

    Args:
        flat: `(N,)` from the garment's middle to its side, in pixels of the photo.
        levels: `(N,)` where on the torso's axis.
    """
    least = body.half_width(levels, side) * EASE
    wide = np.maximum(flat * ROUND, least)
    # Below the hips wide cloth falls into folds.
    loose = np.clip((levels - body.torso) / body.unit + 0.3, 0, 1)
    wide = wide - loose * 0.42 * np.maximum(wide - 1.25 * least, 0.0)
    edge = body.seen_half_width(levels, side)
    seen = np.isfinite(edge)
    edge = np.where(seen, edge, wide) + 0.008 * body.unit
    near = seen & (np.abs(wide / edge - 1) < SNAP) & (edge >= least / EASE)
    return even(np.where(near, edge, wide))


def tube_widths(limb: Limb, flat: F64, lengths: F64) -> tuple[F64, F64]:
    """Half widths of a sleeve or trouser leg outward and inward of the limb's centre line, in pixels.

    Args:
        flat: flat width of the tube at each of `lengths` along the limb, in pixels.
    """
    bare = limb.radius(lengths) * 1.10
    half = np.maximum(flat * TUBE_ROUND / 2, bare)
    skin = [np.interp(lengths, limb.along, limb.skin[:, i]) for i in (0, 1)]
    edge = np.interp(lengths, limb.along, limb.edge)
    seen = np.isfinite(edge)
    near = seen & (np.abs(np.where(seen, edge, half) / half - 1) < 1.5 * SNAP)
    trust = even(near.astype(np.float64))
    outward = half + trust * (even(np.where(near, edge, half)) - half)
    covering = np.where(skin[0] > 0, np.minimum(skin[0], 1.8 * bare) + 0.08 * float(limb.radii.max()), 0.0)
    return np.maximum(outward, even(covering)), np.maximum(half, even(np.minimum(skin[1], 1.4 * bare)))


def even(values: F64) -> F64:
    """Values along an edge, averaged over a quarter of them: no bump of the silhouette becomes one of the cloth."""
    reach = max(1, len(values) // 8)
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, np.ones(2 * reach + 1) / (2 * reach + 1), "valid")
