"""The silhouette: a soft mask of one person whose edge follows the photo's own edges.

Two networks look at the person: the pose network, which knows which person is meant, and selfie segmentation on a
close crop, which sees finer detail. Their mean is carried to the photo's resolution by a guided filter (He, Sun & Tang,
"Guided Image Filtering", 2013, in its fast form of 2015: coefficients at low resolution, applied at full resolution).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vestiary.person.tflite import network

if TYPE_CHECKING:
    from vestiary.person.pose import Pose
    from vestiary.types import Mask, Picture

Floats = NDArray[np.float32]
Box = tuple[int, int, int, int]

SIDE = 256
GUIDE_SIDE = 384  # longest side on which the filter's coefficients are found
RADIUS = 4  # pixels of that grid
EPSILON = 1e-3
MIN_ISLAND = 0.005  # of the largest connected piece
# What only one network half believes in would be a haze around the person.
_LEVELS = np.clip((np.arange(256) - 56) * (255 / 143), 0, 255).round().astype(np.uint8)


def find_silhouette(image: Picture, pose: Pose) -> Mask:
    """`(H, W) uint8`: the soft mask of the person, 255 = inside.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        pose: of that person in that picture.
    """
    x0, y0, x1, y1 = box = _grown(person_box(pose.mask, pose), pose.mask.shape)
    coarse = _without_islands(_fused(image, pose, box))
    silhouette = np.zeros_like(coarse)
    silhouette[y0:y1, x0:x1] = carry_to_edges(image[y0:y1, x0:x1], coarse[y0:y1, x0:x1])
    return silhouette


def person_box(mask: Mask, pose: Pose) -> Box:
    """x0, y0, x1, y1 around a mask and the confident landmarks, inside the picture."""
    height, width = mask.shape
    seen = pose.landmarks[pose.landmarks[:, 3] > 0.5, :2]
    x, y, w, h = cv2.boundingRect((mask > 127).astype(np.uint8))
    corners = np.array([[x, y], [x + w, y + h]], np.float32) if w else np.empty((0, 2), np.float32)
    corners = np.concatenate([corners, seen]) if len(corners) + len(seen) else np.array([[0, 0], [width, height]])
    low = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), low + 1, (width, height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def carry_to_edges(image: Picture, coarse: Mask) -> Mask:
    """A coarse mask with its edge moved onto the picture's edges; what is surely inside or outside stays so.

    Args:
        image: `(H, W, 3) uint8`, the guide.
        coarse: `(H, W) uint8`.
    """
    height, width = coarse.shape
    scale = min(1.0, GUIDE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    guide = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    small = cv2.resize(coarse, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    slope, offset = _guided_coefficients(guide, small)
    unsure = np.clip((0.5 - np.abs(cv2.GaussianBlur(small, (0, 0), RADIUS / 3) - 0.5)) * 12, 0, 1)
    # With the sure places folded into the coefficients, one linear step at full resolution is all that is left.
    slope *= (unsure / np.float32(255))[..., None]
    offset = offset * unsure + (small > 0.5) * (1 - unsure)
    return _applied(image, slope.astype(np.float32), offset.astype(np.float32))


def _fused(image: Picture, pose: Pose, box: Box) -> Mask:
    """The mean of both networks; selfie segmentation counts only near what the pose network calls this person."""
    reach = max(3, round(pose.roi.side / SIDE * 3)) | 1
    near = cv2.dilate((pose.mask > 76).astype(np.uint8) * 255, np.ones((reach, reach), np.uint8))
    near = cv2.blur(near, (reach, reach))
    selfie = cv2.multiply(_selfie(image, box), near, scale=1 / 255)
    return np.asarray(_LEVELS[cv2.addWeighted(pose.mask, 0.5, selfie, 0.5, 0)], np.uint8)


def _grown(box: Box, size: tuple[int, ...]) -> Box:
    x0, y0, x1, y1 = box
    dx, dy = round((x1 - x0) * 0.12) + 8, round((y1 - y0) * 0.06)
    return max(0, x0 - dx), max(0, y0 - dy), min(size[1], x1 + dx), min(size[0], y1 + dy)


def _selfie(image: Picture, box: Box) -> Mask:
    """`(H, W) uint8`: selfie segmentation of the box, stretched to the network's square so that it sees more detail."""
    x0, y0, x1, y1 = box
    crop = cv2.resize(image[y0:y1, x0:x1], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    (inside,) = network("selfie_segmentation")(crop.astype(np.float32) / np.float32(255))
    drawn = np.round(np.clip(inside[..., 0], 0, 1) * 255).astype(np.uint8)
    whole = np.zeros(image.shape[:2], np.uint8)
    whole[y0:y1, x0:x1] = cv2.resize(drawn, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    return whole


def _without_islands(mask: Mask) -> Mask:
    """The mask without small pieces that hang together with nothing."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 25).astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = np.flatnonzero(areas < MIN_ISLAND * areas.max()) + 1
    kept = mask.copy()
    for label in small:
        x, y, w, h = stats[label, :4]
        window = np.s_[y : y + h, x : x + w]
        kept[window][labels[window] == label] = 0
    return kept


def _guided_coefficients(guide: Floats, mask: Floats) -> tuple[Floats, Floats]:
    """`(h, w, 3)` slope and `(h, w)` offset of the guided filter: mask ≈ slope · colour + offset in each window."""
    mean_guide, mean_mask = _mean(guide), _mean(mask)
    shared = _mean(guide * mask[..., None]) - mean_guide * mean_mask[..., None]
    red, green, blue = cv2.split(guide)
    squares = _mean(cv2.merge([red * red, green * green, blue * blue]))
    products = _mean(cv2.merge([red * green, red * blue, green * blue]))
    (r, g, b), (rr, gg, bb), (rg, rb, gb) = cv2.split(mean_guide), cv2.split(squares), cv2.split(products)
    rr, gg, bb = rr - r * r + EPSILON, gg - g * g + EPSILON, bb - b * b + EPSILON
    rg, rb, gb = rg - r * g, rb - r * b, gb - g * b
    # The inverse of each window's 3 × 3 covariance, by its cofactors.
    i00, i01, i02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    i11, i12, i22 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * i00 + rg * i01 + rb * i02
    x, y, z = cv2.split(shared)
    slope = cv2.merge([i00 * x + i01 * y + i02 * z, i01 * x + i11 * y + i12 * z, i02 * x + i12 * y + i22 * z])
    slope /= determinant[..., None]
    offset = mean_mask - (slope * mean_guide).sum(axis=-1)
    return _mean(slope), _mean(offset)


def _mean(values: Floats) -> Floats:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


def _applied(image: Picture, slope: Floats, offset: Floats) -> Mask:
    """slope · colour + offset at the picture's resolution, in bands of rows so that memory stays small."""
    height, width = image.shape[:2]
    mask = np.empty((height, width), np.uint8)
    whole = cv2.resize(cv2.merge([*cv2.split(slope), offset]), (width, height), interpolation=cv2.INTER_LINEAR)
    for top in range(0, height, 256):
        rows = np.s_[top : top + 256]
        colours = cv2.merge([*cv2.split(image[rows].astype(np.float32)), np.ones(image[rows].shape[:2], np.float32)])
        value = cv2.transform(cv2.multiply(colours, whole[rows]), np.full((1, 4), 255, np.float32))
        mask[rows] = np.clip(np.round(value), 0, 255)
    return mask
