"""From the parser's shares to labels that a fitting can rely on: whole garments, no crumbs, no holes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vestiary.types import Mask

Floats = NDArray[np.float32]

# The smallest connected region of a class that is believed, as a share of the person's area.
SMALLEST = {
    **dict.fromkeys(("top", "outerwear", "dress", "skirt", "trousers", "shorts"), 0.006),
    **dict.fromkeys(("hair", "face", "neck", "arm", "leg", "bag"), 0.0015),
    **dict.fromkeys(("hand", "shoes", "hat"), 0.0008),
    **dict.fromkeys(("accessory", "background"), 0.0003),
}
ONE_OF = (("skirt", "trousers", "shorts"),)  # garments worn one at a time
MINOR = 0.3  # a rival with less than this share of the two is taken for the other garment
UPPER = ("top", "outerwear", "dress")
FLICKER = 0.08  # an upper garment that has less than this share of all of them is none


def tidy(shares: Floats, silhouette: Mask, classes: tuple[str, ...]) -> Mask:
    """The label of every pixel, `(h, w) uint8`: index into `classes`.

    Args:
        shares: `(C, h, w)`: how likely each class is; changed on the way.
        silhouette: `(h, w) uint8`.
        classes: names, the background first.
    """
    labels = np.asarray(shares.argmax(0), np.uint8)
    _settle_garments(shares, labels, classes)
    labels = np.asarray(shares.argmax(0), np.uint8)
    _drop_strangers(labels, silhouette)
    person = max(int((labels > 0).sum()), 1)
    crumbs = np.zeros(labels.shape, np.uint8)
    for index, name in enumerate(classes):
        crumbs |= _crumbs(labels == index, SMALLEST[name] * person)
    return _fill(labels, crumbs)


def _settle_garments(shares: Floats, labels: Mask, classes: tuple[str, ...]) -> None:
    """Give the share of an unlikely rival garment to the one that is worn."""
    areas = np.bincount(labels.ravel(), minlength=len(classes))
    for group, least in ((ONE_OF[0], MINOR), (UPPER, FLICKER)):
        members = sorted((classes.index(name) for name in group), key=lambda i: -areas[i])
        total = areas[members].sum()
        for index in members[1:]:
            if areas[index] < least * total:
                shares[members[0]] += shares[index]
                shares[index] = 0


def _drop_strangers(labels: Mask, silhouette: Mask) -> None:
    """Take away regions that touch nothing of this person: other people, their bags."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats((labels > 0).astype(np.uint8), connectivity=8)
    if count <= 2:
        return
    inside = np.bincount(regions.ravel(), (silhouette > 127).ravel(), count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    main = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    strange = [i for i in range(1, count) if i != main and inside[i] < 0.5]
    labels[np.isin(regions, strange)] = 0


def _crumbs(mask: NDArray[np.bool_], smallest: float) -> Mask:
    """`(h, w)` 1 where a connected region of the mask is smaller than so many pixels."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < smallest
    small[0] = False
    return np.asarray(small[regions] if count > 1 else np.zeros(mask.shape), np.uint8)


def _fill(labels: Mask, unknown: Mask) -> Mask:
    """The labels with every unknown pixel given the label of the nearest known one."""
    if not unknown.any() or unknown.all():
        return labels
    _, nearest = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.uint8)
    known = unknown == 0
    table[nearest[known]] = labels[known]
    return np.asarray(table[nearest], np.uint8)
