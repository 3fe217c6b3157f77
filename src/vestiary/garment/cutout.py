"""Where the garment is: the network's mask, corrected by what the photo's colours say near its border."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.garment.matte import ellipse, reduce
from vestiary.types import UPPER, Landmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Category, Mask, Picture, Points

    Floats = NDArray[np.floating[Any]]

WORK = 320  # long side in pixels at which masks are found
PLAIN = 0.9  # share of the ground that must fit its smooth model for the ground's colour alone to decide


def cut_out(picture: Picture, prior: Mask, box: tuple[int, int, int, int]) -> Mask:
    """`(h, w) uint8` mask of the garment, the size of the picture.

    Args:
        picture: `(h, w, 3) uint8`.
        prior: `(h, w) uint8` soft mask from the network.
        box: x0, y0, x1, y1 of the garment with a margin; outside it there is only ground.
    """
    x0, y0, x1, y1 = box
    small = reduce(np.ascontiguousarray(picture[y0:y1, x0:x1]), WORK)
    belief = cv2.resize(prior[y0:y1, x0:x1], (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    masks = [by_colour(small, with_colours(small, belief))]
    on_plain, plain = by_ground(small, belief)
    if plain >= PLAIN:
        masks.append(on_plain)
    best = max(masks, key=lambda mask: quality(small, mask, belief))
    result = np.zeros(prior.shape, np.uint8)
    result[y0:y1, x0:x1] = cv2.resize(best, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    return result


def by_colour(picture: Picture, belief: Mask, *, rounds: int = 1) -> Mask:
    """GrabCut (Rother et al. 2004) that starts from a belief and may change what that is unsure of."""
    labels = np.select(
        [belief > 242, belief > 127, belief > 12], [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD
    )
    labels = labels.astype(np.uint8)
    if not (labels & 1).any() or (labels & 1).all():
        return np.where(belief > 127, 255, 0).astype(np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(picture[..., ::-1].copy(), labels, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    return tidy(((labels & 1) * 255).astype(np.uint8))


def with_colours(picture: Picture, belief: Mask) -> Mask:
    """The network's belief and the colours' evidence together, as far as garment and ground differ in colour."""
    sure, ground = belief > 242, belief <= 12
    if not sure.any() or not ground.any():
        return belief
    likeness = ground_likeness(picture, belief)
    apart = max(0.0, float(likeness[ground].mean() - likeness[sure].mean()))
    odds = _log_odds(belief / 255, 0.005) - 1.8 * apart**4 * _log_odds(likeness, 0.03)
    return np.asarray(np.rint(255 / (1 + np.exp(-odds))), np.uint8)


def _log_odds(chance: Floats, least: float) -> Floats:
    clipped = np.clip(chance, least, 1 - least)
    return np.asarray(np.log(clipped / (1 - clipped)))


def ground_likeness(picture: Picture, belief: Mask) -> Floats:
    """`(h, w)`: how likely each colour is the ground's, 0..1, from histograms of the sure pixels of both."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.int32)
    lab[..., 1:] = np.clip((lab[..., 1:] - 128) * 2 + 128, 0, 255)  # most colours are near grey
    chance = np.full((2, *belief.shape), 1e-5)
    for step, weight in ((12, 0.6), (24, 0.4)):
        bins = 255 // step + 1
        index = (lab[..., 0] // step * bins + lab[..., 1] // step) * bins + lab[..., 2] // step
        for side, sure in enumerate((belief > 242, belief <= 12)):
            counts = np.bincount(index[sure], minlength=bins**3)
            chance[side] += weight * (counts / max(1, counts.sum()))[index]
    return np.asarray(cv2.blur(chance[1], (3, 3)) / cv2.blur(chance.sum(0), (3, 3)))


def by_ground(picture: Picture, belief: Mask) -> tuple[Mask, float]:
    """A mask of what differs from the ground's colour, and how plain the ground is: 0 (not at all) to 1."""
    ground = cv2.dilate(belief, ellipse(3)) < 26
    if ground.sum() < 200:
        return np.where(belief > 127, 255, 0).astype(np.uint8), 0.0
    distance = ground_distance(picture, ground)
    plain = float((distance[ground] < 4).mean())
    mask = (cv2.GaussianBlur(distance, (0, 0), 1) > 6) & (belief > 5)
    return tidy(mask.astype(np.uint8) * 255), plain


def ground_distance(picture: Picture, ground: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`(h, w) float32`: how many deviations each pixel's Lab colour is from a plain ground, lit unevenly.

    The ground's lightness and colour are quadratic surfaces fitted to the pixels marked `ground`, again without those
    that the fit finds odd. Darker without being of another colour counts half, as a shadow is.
    """
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), -1)
    keep = ground
    for _ in range(3):
        rows = np.flatnonzero(keep)[:: max(1, int(keep.sum()) // 3000)]
        terms, colours = basis.reshape(-1, 6)[rows], lab.reshape(-1, 3)[rows]
        normal = terms.T @ terms + np.eye(6, dtype=np.float32)  # a touch of ridge: the ground may lie on one side only
        off = lab - basis @ np.linalg.solve(normal, terms.T @ colours)
        spread = np.maximum(1.48 * np.median(np.abs(off.reshape(-1, 3)[rows]), axis=0), (2.0, 1.0, 1.0))
        fits = ground & (np.abs(off) < 3 * spread).all(-1)
        keep = fits if fits.sum() > 100 else ground
    light, colour = off[..., 0], np.hypot(off[..., 1] / spread[1], off[..., 2] / spread[2])
    light = np.where(light < 0, 0.5 * light, light) / spread[0]
    return np.asarray(np.hypot(light, colour), np.float32)


def quality(picture: Picture, mask: Mask, belief: Mask) -> float:
    """How good a mask is: the contrast of colours across its border, and its agreement with the network."""
    inside = mask > 127
    if not inside.any():
        return -1.0
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), (0, 0), 1).astype(np.float32)
    along_x, along_y = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    edge = np.sqrt((along_x**2 + along_y**2).sum(-1))
    border = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, ellipse(1)) > 0
    contrast = float(np.clip(edge[border] / 60, 0, 1).mean()) if border.any() else 0.0
    return contrast + 2 * overlap(inside, belief > 127)


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max(1, (first | second).sum()))


def without_hanger(mask: Mask, landmarks: Points, category: Category) -> Mask:
    """The mask without thin things above the neckline or waistband: a hanger's hook, clips, a cord.

    Above the line between the two ends of the neckline (or waistband), raised by what a collar or the back of a
    waistband takes, only what survives an opening stays.

    Args:
        landmarks: `(28, 3)` in the mask's pixels.
    """
    ends = (
        (Landmark.NECK_RIGHT, Landmark.NECK_LEFT) if category in UPPER else (Landmark.WAIST_RIGHT, Landmark.WAIST_LEFT)
    )
    right, left = (landmarks[mark] for mark in ends)
    width = float(np.hypot(*(left - right)[:2]))
    if min(right[2], left[2]) < 0.3 or width < 8:
        return mask
    along = (left - right)[:2] / width
    y, x = np.indices(mask.shape, np.float32)
    height = (x - right[0]) * along[1] - (y - right[1]) * along[0]  # above the line
    radius = max(2, round((0.13 if category in UPPER else 0.06) * width))
    solid = cv2.morphologyEx(mask, cv2.MORPH_OPEN, ellipse(radius))
    room = 0.02 * width if category in UPPER else 0.05 * width
    return tidy(np.where((height > room) & (solid < 128), 0, mask).astype(np.uint8))


def tidy(mask: Mask) -> Mask:
    """The mask's largest piece and sizeable pieces close to it, without pinholes."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return np.zeros_like(mask)
    area = stats[1:, cv2.CC_STAT_AREA]
    main = 1 + int(area.argmax())
    near = cv2.dilate((labels == main).astype(np.uint8), ellipse(4)) > 0
    kept = [k for k in range(1, count) if k == main or (area[k - 1] > 0.01 * area.max() and near[labels == k].any())]
    table = np.zeros(count, np.uint8)
    table[kept] = 255
    return fill_pinholes(table[labels])


def fill_pinholes(mask: Mask, share: float = 0.002) -> Mask:
    """The mask with holes smaller than this share of it filled; larger ones may be real, between straps and arms."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(255 - mask, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    table = np.zeros(count, np.uint8)
    table[1:] = np.where(area[1:] < share * max(1, (mask > 0).sum()), 255, 0)
    return np.asarray(np.maximum(mask, table[labels]))
