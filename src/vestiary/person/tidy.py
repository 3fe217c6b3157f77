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
    **dict.fromkeys(("top", "outerwear", "dress"), 0.015),
    **dict.fromkeys(("skirt", "trousers", "shorts"), 0.006),
    **dict.fromkeys(("hair", "face", "neck", "arm", "leg", "bag"), 0.0015),
    **dict.fromkeys(("hand", "shoes", "hat"), 0.0008),
    **dict.fromkeys(("accessory", "background"), 0.0003),
}
WHOLE = frozenset({"face", "hat"})  # of which there is one; other pieces need this share of its area to be believed
SIDE_PIECE = 0.3
LOWER = frozenset({"skirt", "trousers", "shorts"})
CLOTHES = ("top", "outerwear", "dress", "skirt", "trousers", "shorts")
# What people wear together. The one that explains the picture best is taken, so that no garment is half something else.
OUTFITS = (
    ("top", "outerwear", "trousers"),
    ("top", "outerwear", "skirt"),
    ("top", "outerwear", "shorts"),
    ("dress", "outerwear"),
    ("dress", "outerwear", "trousers"),
)
RARER = (0.0, 0.2, 0.3, 0.05, 0.15)  # how much better (mean log-likelihood) a less usual outfit has to explain it
DOUBT = 0.02  # the least share that a place grants any garment, so that a few odd places decide nothing
FLICKER = 0.06  # top or outerwear with less than this share of both is none


def tidy(shares: Floats, silhouette: Mask, classes: tuple[str, ...]) -> Mask:
    """The label of every pixel, `(h, w) uint8`: index into `classes`.

    Args:
        shares: `(C, h, w)`: how likely each class is; changed on the way.
        silhouette: `(h, w) uint8`.
        classes: names, the background first.
    """
    _settle_outfit(shares, classes)
    labels = np.asarray(shares.argmax(0), np.uint8)
    _drop_strangers(labels, silhouette)
    person = max(int((labels > 0).sum()), 1)
    crumbs = np.zeros(labels.shape, np.uint8)
    for index, name in enumerate(classes):
        _mark_crumbs(crumbs, labels == index, SMALLEST[name] * person, SIDE_PIECE if name in WHOLE else 0.0)
    return fill(labels, crumbs)


def _settle_outfit(shares: Floats, classes: tuple[str, ...]) -> None:
    """Give what the clothes share to the garments of the likeliest outfit, changing `shares`."""
    garments = [classes.index(name) for name in CLOTHES]
    clothed = shares[garments].sum(0)
    dressed = clothed > 0.5
    if not dressed.any():
        return
    worn = {name: shares[classes.index(name)][dressed] / clothed[dressed] for name in CLOTHES}
    rows = np.nonzero(dressed)[0].astype(np.float32)
    dress, trousers = (float(worn[n] @ rows / max(float(worn[n].sum()), 1e-6)) for n in ("dress", "trousers"))
    scores = [
        float(np.log(sum(worn[name] for name in outfit) + DOUBT).mean()) - less
        for outfit, less in zip(OUTFITS, RARER, strict=True)
        if not {"dress", "trousers"} <= set(outfit) or dress < trousers
    ]
    outfit = list(OUTFITS[int(np.argmax(scores))])  # the one with dress and trousers is the last
    for name, other in (("top", "outerwear"), ("outerwear", "top")):
        if name in outfit and other in outfit:
            mine, its = ((worn[n] > 0.5).sum() for n in (name, other))
            if mine < FLICKER * (mine + its):
                outfit.remove(name)
    _hand_over(shares, [name for name in CLOTHES if name not in outfit], outfit, classes)


def _hand_over(shares: Floats, removed: list[str], outfit: list[str], classes: tuple[str, ...]) -> None:
    """Give the shares of removed garments to those of the outfit, changing `shares`.

    A lower garment's go to the lower garment that is worn, or to the dress; those of top, outerwear and dress to the
    garments that are seen around the place.
    """
    given = {name: shares[classes.index(name)].copy() for name in removed}
    shares[[classes.index(name) for name in removed]] = 0
    lower = [name for name in outfit if name in LOWER] or ["dress"]
    for name in set(removed) & LOWER:
        shares[classes.index(lower[0])] += given[name]
    rest = np.sum([given[name] for name in removed if name not in LOWER], axis=0)
    side = shares.shape[1] // 8 | 1
    around = np.stack([cv2.blur(shares[classes.index(name)], (side, side)) + 1e-6 for name in outfit])
    shares[[classes.index(name) for name in outfit]] += rest * around / around.sum(0)


def _drop_strangers(labels: Mask, silhouette: Mask) -> None:
    """Take away regions that touch nothing of this person: other people, their bags."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats((labels > 0).astype(np.uint8), connectivity=8)
    if count <= 2:
        return
    inside = np.bincount(regions.ravel(), (silhouette > 127).ravel(), count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    main = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    strange = [i for i in range(1, count) if i != main and inside[i] < 0.5]
    labels[np.isin(regions, strange)] = 0


def _mark_crumbs(crumbs: Mask, mask: NDArray[np.bool_], smallest: float, share: float) -> None:
    """Set `crumbs` where a connected region has fewer pixels than `smallest`, or than a share of the largest."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    if w == 0:
        return
    window = np.s_[y : y + h, x : x + w]
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask[window].astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    small = areas < max(smallest, share * areas[1:].max())
    small[0] = False
    if small.any():
        crumbs[window] |= small[regions].astype(np.uint8)


def fill(labels: Mask, unknown: Mask) -> Mask:
    """The labels with every unknown pixel given the label of the nearest known one."""
    if not unknown.any() or unknown.all():
        return labels
    _, nearest = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.uint8)
    known = unknown == 0
    table[nearest[known]] = labels[known]
    return np.asarray(table[nearest], np.uint8)
