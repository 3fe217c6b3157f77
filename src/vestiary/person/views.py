"""How the part parser looks at somebody: the whole person, and upper and lower half again from nearer.

The network's input is small; a standing person fills only a narrow strip of it. The nearer views show face, hair,
hands, bag and shoes about twice as large. What the clothes are called is decided by both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.framing import (
    GROUND,
    HALF,
    HEIGHT,
    MIRRORED_JOINTS,
    WIDTH,
    crop_matrix,
    halved,
    heat_maps,
    hidden_joints,
    person_box,
    sample,
)

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Floats = NDArray[np.float32]
Network = Callable[[Floats, Floats], Floats]  # (N, 3, 320, 224), (N, 19, 160, 112) → logits (N, 17, 160, 112)

TALL = 1.8  # a person's box that is so many times as high as wide is looked at from nearer
NEARER = 0.58  # of the box's height, that either half shows
FADE = 0.12  # of a half's height, over which it gives way to the whole at its cut edge
TRUST = 0.8  # how far the nearer view is believed, the whole for the rest
NAMING = 0.5  # the same, for what the clothes are called
CLOTHES = ("top", "outerwear", "dress", "skirt", "trousers", "shorts")


def look(
    image: Picture, pose: Points, silhouette: Mask, network: Network, *, mirror: bool = True
) -> tuple[Floats, Floats]:
    """The network's logits `(17, 160, 112)`, and the map `(2, 3)` from the photo to the network's input.

    Args:
        image: `(H, W, 3) uint8`.
        pose: `(33, 4)`.
        silhouette: `(H, W) uint8`.
        network: answers for a picture and its hints.
        mirror: take the mean with what it says of the mirror image.
    """
    pose = hidden_joints(pose, image.shape)
    matrix = crop_matrix(person_box(pose, silhouette))
    half = halved(matrix)
    seen = np.asarray(sample(image, matrix, (WIDTH, HEIGHT), fill=GROUND).transpose(2, 0, 1)[None] / 255, np.float32)
    mask = sample(silhouette, half, HALF).astype(np.float32) / 255
    hints = np.concatenate([heat_maps(pose, half, HALF), mask[None]])[None]
    logits = network(seen, hints)[0]
    if mirror:
        again = network(np.ascontiguousarray(seen[..., ::-1]), hints[:, MIRRORED_JOINTS, :, ::-1].copy())[0]
        logits = (logits + again[..., ::-1]) / 2
    return np.asarray(logits, np.float32), matrix


def halves(pose: Points, silhouette: Mask) -> list[tuple[int, int]]:
    """First row and row after the last of the nearer views of a photo; none for somebody who is not tall in it."""
    height = len(silhouette)
    x0, y0, x1, y1 = person_box(hidden_joints(pose, silhouette.shape), silhouette)
    tall, wide = y1 - y0 + 1, max(x1 - x0 + 1, 1)
    if tall / wide < TALL:
        return []
    return [(0, min(height, round(y0 + NEARER * tall))), (max(0, round(y1 - NEARER * tall)), height)]


def softmax(logits: Floats) -> Floats:
    """Shares that sum to 1 over the first axis."""
    shares = np.exp(logits - logits.max(0))
    return np.asarray(shares / shares.sum(0), np.float32)


def on_grid(logits: Floats, matrix: Floats, to_grid: Floats, size: tuple[int, int]) -> Floats:
    """The shares `(17, h, w)` on a grid over the photo.

    Args:
        logits: `(17, 160, 112)`.
        matrix: from the photo to the network's input.
        to_grid: from the photo to the grid.
        size: (width, height) of the grid.
    """
    square = np.vstack([to_grid, [[0, 0, 1]]])
    inverse = np.asarray(np.vstack([halved(matrix), [[0, 0, 1]]]) @ np.linalg.inv(square), np.float32)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = [cv2.warpAffine(m, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE) for m in logits]
    return softmax(np.stack(drawn))


def join_nearer(shares: Floats, nearer: Floats, weight: Floats, classes: tuple[str, ...]) -> None:
    """Put what a nearer view says into the shares of the whole, in place.

    Args:
        shares, nearer: `(17, h, w)` on the same grid.
        weight: `(h, 1)` or `(h, w)`: 1 where the nearer view is good, 0 where it has no say.
        classes: names of the 17.
    """
    garments = [classes.index(name) for name in CLOTHES]
    clothed, again = (s[garments].sum(0) + 1e-6 for s in (shares, nearer))
    share = NAMING * weight * np.minimum(again, 1)
    called = (1 - share) * shares[garments] / clothed + share * nearer[garments] / again
    trust = TRUST * weight
    shares *= 1 - trust
    shares += trust * nearer
    shares[garments] = called * shares[garments].sum(0)


def parse_views(
    image: Picture, pose: Points, silhouette: Mask, network: Network, grid: tuple[Floats, tuple[int, int]],
    classes: tuple[str, ...], whole: tuple[Floats, Floats] | None = None,
) -> Floats:  # fmt: skip
    """The shares `(17, h, w)` of the whole and the nearer views together, on a grid over the photo.

    Args:
        image, pose, silhouette, network: as for `look`.
        grid: the map from the photo to the grid, and the grid's (width, height).
        classes: names of the 17.
        whole: what `look` said of the whole, if that is known already.
    """
    to_grid, size = grid
    shares = on_grid(*(whole or look(image, pose, silhouette, network)), to_grid, size)
    for top, bottom in halves(pose, silhouette):
        moved = pose - np.array([0, top, 0, 0], np.float32)
        logits, matrix = look(image[top:bottom], moved, silhouette[top:bottom], network, mirror=False)
        matrix = matrix.copy()
        matrix[:, 2] -= matrix[:, 1] * top
        rows = (np.arange(size[1]) - to_grid[1, 2]) / to_grid[1, 1]  # of the photo
        inner = rows - top if top else bottom - 1 - rows  # distance from the cut
        weight = np.clip(inner / max(FADE * (bottom - top), 1), 0, 1).astype(np.float32)[:, None]
        join_nearer(shares, on_grid(logits, matrix, to_grid, size), weight, classes)
    return shares
