"""Where the garment is: a mask at a working size, from a prior, the ground's colour, and colour models of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.errors import WeightsError
from vestiary.garment import contour, network
from vestiary.garment.attributes import sleeve_ratio
from vestiary.garment.matte import ellipse, reduce
from vestiary.garment.network import GarmentLook
from vestiary.types import CATEGORIES, NECKLINES, SLEEVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

    Plane = NDArray[np.float32]

WORK = 320  # long side in pixels at which masks are found


def ground_distance(image: Picture, ground: NDArray[np.bool_]) -> Plane:
    """`(h, w) float32`: how many deviations each pixel's Lab colour is from a plain ground, lit unevenly.

    The ground's lightness and colour are quadratic surfaces fitted to the pixels marked `ground`, twice: the second time
    without those that the first fit finds odd. Darker and less different in colour counts less, as a shadow does.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), -1)
    keep = ground.copy()
    for _ in range(3):
        surface = basis @ np.linalg.lstsq(basis[keep], lab[keep], rcond=None)[0]
        off = lab - surface
        spread = np.maximum(1.48 * np.median(np.abs(off[keep]), axis=0), (2.0, 1.0, 1.0))
        keep = ground & (np.abs(off) < 3 * spread).all(-1)
        if keep.sum() < 50:
            keep = ground.copy()
    light, colour = off[..., 0], np.hypot(off[..., 1] / spread[1], off[..., 2] / spread[2])
    light = np.where(light < 0, 0.5 * light, light) / spread[0]
    return np.hypot(light, colour).astype(np.float32)


def border(shape: tuple[int, ...], share: float = 0.03) -> NDArray[np.bool_]:
    """`(h, w) bool`: a frame of that share of the longer side."""
    depth = max(2, round(share * max(shape[:2])))
    frame = np.ones(shape[:2], bool)
    frame[depth:-depth, depth:-depth] = False
    return frame


def cut_by_ground(image: Picture) -> tuple[Mask, float]:
    """A mask from the colour of the border, and how plain the ground is: 0 (not at all) to 1."""
    frame = border(image.shape)
    distance = ground_distance(image, frame)
    plain = float((distance[frame] < 4).mean())
    mask = (cv2.GaussianBlur(distance, (0, 0), 1) > 6).astype(np.uint8) * 255
    return keep_main(mask), plain


def cut_by_colour(image: Picture, prior: Mask, *, rounds: int = 2) -> Mask:
    """A mask from GrabCut (Rother et al. 2004) that starts from a prior: 0 and 255 are certain, between is not."""
    labels = np.select([prior > 250, prior > 127, prior > 5], [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD)
    labels = labels.astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        image[..., ::-1].copy(), labels, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK
    )
    return ((labels & 1) * 255).astype(np.uint8)


def keep_main(mask: Mask) -> Mask:
    """The mask's largest piece, pieces near it that are not tiny, without pinholes."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(mask, cv2.MORPH_OPEN, ellipse(1)))
    if count < 2:
        return np.zeros_like(mask)
    area = stats[1:, cv2.CC_STAT_AREA]
    main = 1 + int(area.argmax())
    near = cv2.dilate((labels == main).astype(np.uint8), ellipse(4))
    kept = [k for k in range(1, count) if k == main or (area[k - 1] > 0.02 * area.max() and near[labels == k].any())]
    result = np.isin(labels, kept)
    return _fill_pinholes(result.astype(np.uint8) * 255)


def _fill_pinholes(mask: Mask, share: float = 0.004) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(255 - mask, connectivity=4)
    small = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] < share * max(1, (mask > 0).sum())]
    result = mask.copy()
    result[np.isin(labels, small)] = 255
    return result


def cut_out(image: Picture) -> Mask:
    """`(h, w) uint8` mask of the garment at the working size."""
    small = reduce(image, WORK)
    by_ground, plain = cut_by_ground(small)
    share = float((by_ground > 0).mean())
    if plain > 0.9 and 0.03 < share < 0.9:
        return by_ground
    height, width = small.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    middle = np.hypot(x, y) < 0.45
    ground = (by_ground == 0) if 0.1 < share < 0.8 else np.zeros(by_ground.shape, bool)
    prior = np.where(middle, np.where(ground, 120, 200), np.where(~ground & (np.hypot(x, y) < 0.8), 130, 60)).astype(
        np.uint8
    )
    prior[np.hypot(x, y) < 0.15] = 200
    prior[border(small.shape)] = 0
    return keep_main(cut_by_colour(small, prior, rounds=4))


def look(image: Picture) -> GarmentLook:
    """The network's answer; without its weights, one from colours and outline."""
    try:
        return network.look(image)
    except WeightsError:
        mask = cut_out(image)
        if not mask.any():
            mask[0, :30], mask[:30, 0], mask[30, :30] = 255, 255, 255
        empty = (mask > 0).mean() < 0.02
        kind = contour.guess_category(mask)
        points = contour.find(mask, kind)
        points[:, :2] = (points[:, :2] + 0.5) * (image.shape[1] / mask.shape[1]) - 0.5
        points[:, 2] *= 2
        ratio = sleeve_ratio(points)
        sleeve = "none" if ratio < 0.12 else "short" if ratio < 0.75 else "half" if ratio < 1.05 else "long"
        return GarmentLook(
            mask=cv2.resize(mask, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR),
            landmarks=points,
            category_scores={name: float(name == kind) for name in CATEGORIES},
            sleeve_scores={name: float(name == sleeve) for name in SLEEVES},
            neckline_scores={name: float(name == "round") for name in NECKLINES},
            up=np.array((0, -1), np.float32),
            presence=float(not empty),
        )
