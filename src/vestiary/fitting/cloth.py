"""A garment's pieces on their way onto the body: cut apart, freed of what is never seen, moved by their meshes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting.agnostic import continue_picture
from vestiary.fitting.body import Body
from vestiary.fitting.deform import Piece, shrink, warp
from vestiary.fitting.drape import Placement
from vestiary.types import LOWER, Garment

COLLAR = 0.40  # what stands higher above the neck points, in widths of the neck opening, is a hood

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Cloth:
    """A garment on its way onto the body: where it goes and its pieces in the photo's frame."""

    garment: Garment
    placement: Placement
    pieces: dict[str, Piece]

    @property
    def is_lower(self) -> bool:
        """Whether it hangs from the waist."""
        return self.garment.category in LOWER


def dress(
    garment: Garment,
    placement: Placement,
    body: Body,
    size: tuple[int, int],
    neckline: NDArray[np.floating[Any]] | None,
) -> Cloth:
    """The garment's pieces moved onto the body.

    Args:
        size: width and height of the photo.
        neckline: `(N, 2)` front neckline on the garment; what lies above it is the inside of the back and is hidden.
    """
    factor = min(1.0, 1.15 * placement.scale)
    colour, alpha = shrink(garment.image, garment.alpha, factor)
    scale = np.array([colour.shape[1] / garment.image.shape[1], colour.shape[0] / garment.image.shape[0]])
    if neckline is not None:
        below = 1 - _above(neckline * scale, alpha)
        alpha, colour = alpha * below, colour * below[..., None]
    pieces: dict[str, Piece] = {}
    for name, mesh in placement.pieces.items():
        window = _polygon(placement.polygons[name] * scale, alpha.shape, feather=max(0.7, 0.012 * body.unit * factor))
        moved = replace(mesh, source=mesh.source * scale)
        piece = warp(colour * window[..., None], alpha * window, moved, size)
        if piece is not None:
            pieces[name] = piece if mesh.outline is None else _solid(piece, mesh.outline)
    return Cloth(garment, placement, pieces)


def _solid(piece: Piece, outline: NDArray[np.float64]) -> Piece:
    """The piece without gaps inside its outline: cloth goes on where it was narrower, folded or cut too tightly."""
    x0, y0, *_ = piece.box
    inside = _polygon(outline - (x0, y0), piece.alpha.shape, feather=0.7)
    gap = ((inside > 0.02) & (piece.alpha < 0.9)).astype(np.uint8)
    cloth = piece.alpha >= 0.9
    if not gap.any() or cloth.sum() < 0.1 * gap.sum() or cloth.sum() < 50:
        return piece
    unknown = np.where(cloth, 0, 255).astype(np.uint8)
    filled = continue_picture(cv2.convertScaleAbs(piece.colour), unknown, gap, fade=0.25 * max(piece.alpha.shape))
    colour = np.where((gap > 0)[..., None], filled.astype(np.float32), piece.colour)
    return Piece(colour, np.maximum(piece.alpha, inside), piece.box)


def _polygon(points: NDArray[np.floating[Any]], shape: tuple[int, ...], *, feather: float = 0.0) -> F32:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    if feather > 0:
        mask = cast(U8, cv2.GaussianBlur(mask, (0, 0), feather))
    return mask.astype(np.float32) / 255.0


def _above(neckline: NDArray[np.floating[Any]], alpha: F32) -> F32:
    """1 above the neckline, between its ends, and above a collar's height everywhere.

    A hood lies behind the head and neck: with one, nothing is left above the ends of the neckline.
    """
    ends = neckline[[0, -1]]
    ends = ends if ends[0, 0] < ends[1, 0] else ends[::-1]
    inner = neckline if neckline[0, 0] < neckline[-1, 0] else neckline[::-1]
    span = float(np.linalg.norm(ends[1] - ends[0]))
    (x0, y0), (x1, y1) = ends[0] - (0, 0.9 * span), ends[1] - (0, 0.55 * span)
    over = alpha[max(int(y0), 0) : max(int(y1), 0), max(int(x0), 0) : max(int(x1), 0)]
    collar = 0.02 if over.size and over.mean() > 0.25 else COLLAR
    shoulder = min(collar, 0.18)
    steps = np.array([(0.0, -collar), (0.15, -collar), (0.15, -shoulder), (5.0, -shoulder), (5.0, -50.0)]) * span
    right, left = ends[1] + steps, ends[0] + steps * (-1.0, 1.0)
    return _polygon(np.concatenate([inner, right, left[::-1]]), alpha.shape, feather=0.6)
