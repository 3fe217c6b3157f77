"""A close look at one frame: what every pixel shows, and what is behind the clothes. Too slow for every frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.fitting import agnostic, body, light
from vestiary.person.limbs import with_sides
from vestiary.person.parsing import CLASSES, OFF_BODY, Grid, answer
from vestiary.person.skin import settle_sleeves
from vestiary.person.tidy import fill, tidy
from vestiary.person.views import look, on_grid
from vestiary.types import Part

if TYPE_CHECKING:
    from vestiary.types import Mask, Person, Picture

F32 = NDArray[np.float32]
FINEST = 320  # long side of the grid on which parts are decided
BELIEF = 0.5  # share of a new look in what is believed of the parts
INSIDE, OUTSIDE = 160, 40  # of the silhouette: what is surely the person's, and surely not
_ON_BODY = np.array([part for part in Part if part.name.lower() not in OFF_BODY], np.uint8)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a frame shows, in that frame.

    Attributes:
        shares: `(17, h, w) float32`: how likely each of the parser's classes is, on a small grid over the frame.
        labels: `(h, w) uint8` of `Part` on the same grid.
        bare: what is behind the clothes.
        light: `(H, W) float32` log gain of the light on the clothes.
    """

    shares: F32
    labels: Mask
    bare: agnostic.Agnostic
    light: F32


def look_closely(person: Person, before: F32 | None) -> Seen:
    """Everything that only a close look tells.

    Args:
        person: the frame with pose and silhouette; its parts are found anew.
        before: `shares` of an earlier look, carried to this frame; keeps opinions from flipping.
    """
    image, silhouette = person.image, person.silhouette
    grid = grid_over(image)
    to_grid = grid.matrix()
    shares = on_grid(*look(image, person.pose, silhouette, answer, mirror=False), to_grid, grid.size)
    if before is not None and before.shape == shares.shape:
        shares = BELIEF * shares + (1 - BELIEF) * before
    placed = person.pose.copy()
    placed[:, :2] = placed[:, :2] @ to_grid[:, :2].T + to_grid[:, 2]
    labels = settle_sleeves(tidy(shares.copy(), grid.cut(silhouette), CLASSES), grid.cut(image), CLASSES)
    labels = with_sides(labels, placed, CLASSES)
    whole = replace(person, parts=lay_over(labels, silhouette))
    shape = body.measure(whole)
    return Seen(shares, labels, agnostic.undress(whole, shape), light.old_light(whole, shape))


def grid_over(image: Picture) -> Grid:
    """The small grid over a whole frame."""
    height, width = image.shape[:2]
    scale = min(1.0, FINEST / max(height, width))
    return Grid((0, 0, width, height), (round(width * scale), round(height * scale)))


def lay_over(labels: Mask, silhouette: Mask) -> Mask:
    """`(H, W) uint8`: labels of the small grid at the frame's size, with the person's outline from the silhouette."""
    height, width = silhouette.shape
    grid = Grid((0, 0, width, height), (labels.shape[1], labels.shape[0]))
    parts = grid.lay_back(_named(labels, grid.cut(silhouette)), silhouette.shape)
    parts[(silhouette < OUTSIDE) & np.isin(parts, _ON_BODY)] = Part.BACKGROUND
    return parts


def carry_shares(shares: F32, carry: Callable[[F32], F32]) -> F32:
    """The shares of all classes carried to another frame, four at a time."""
    moved = [carry(cv2.merge(list(shares[i : i + 4]))) for i in range(0, len(shares), 4)]
    return np.concatenate([np.atleast_3d(m).transpose(2, 0, 1) for m in moved]).astype(np.float32)


def _named(labels: Mask, silhouette: Mask) -> Mask:
    """The labels with everything inside the silhouette given a name, the nearest one."""
    unnamed = labels == Part.BACKGROUND
    nearest = fill(labels, unnamed.astype(np.uint8))
    return np.where(unnamed & (silhouette > INSIDE), nearest, labels).astype(np.uint8)
