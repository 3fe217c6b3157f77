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

SIDE = 256  # of selfie segmentation's input
GRID = 448  # longest side of the grid on which masks are joined and the filter's coefficients are found
RADIUS = 5  # of the filter, in pixels of that grid
EPSILON = 3e-4
CONTRAST = 1.8  # the filter's edge is softer than a photo's
MIN_ISLAND = 0.02  # of the largest connected piece
ROWS = 128  # worked on at a time at full resolution, so that memory stays small
# What only one of the networks half believes in would be a haze around the person.
_LEVELS = np.clip((np.arange(256) - 56) / 143, 0, 1).astype(np.float32)


def find_silhouette(image: Picture, pose: Pose) -> Mask:
    """`(H, W) uint8`: the soft mask of the person, 255 = inside.

    All but the last step is done on a small grid over the person's box; the last is linear in its pixels.

    Args:
        image: `(H, W, 3) uint8` sRGB.
        pose: of that person in that picture.
    """
    x0, y0, x1, y1 = _grown(person_box(pose.mask, pose), pose.mask.shape)
    window = image[y0:y1, x0:x1]
    scale = min(1.0, GRID / max(window.shape[:2]))
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    seen = cv2.resize(pose.mask[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    coarse = _without_islands(_fused(window, np.asarray(seen, np.uint8)))
    silhouette = np.zeros_like(pose.mask)
    silhouette[y0:y1, x0:x1] = carry_to_edges(window, coarse)
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


def carry_to_edges(image: Picture, coarse: Floats) -> Mask:
    """`(H, W) uint8`: a coarse mask with its edge moved onto the picture's edges; what is sure stays.

    Args:
        image: `(H, W, 3) uint8`, the guide.
        coarse: `(h, w) float32`, 0..1, over the same view on a smaller grid.
    """
    size = coarse.shape[1], coarse.shape[0]
    guide = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    slope, offset = _guided_coefficients(guide, coarse)
    unsure = np.clip((0.5 - np.abs(cv2.GaussianBlur(coarse, (0, 0), RADIUS / 3) - 0.5)) * 12, 0, 1)
    # With the sure places folded into the coefficients, one linear step at full resolution is all that is left.
    slope *= unsure[..., None]
    offset = offset * unsure + (coarse > 0.5) * (1 - unsure)
    slope, offset = slope * CONTRAST, (offset - 0.5) * CONTRAST + 0.5
    return _applied(image, cv2.merge([*cv2.split(slope), offset * 255]).astype(np.float32))


def _fused(window: Picture, seen: Mask) -> Floats:
    """`(h, w) float32`: the mean of both networks; selfie segmentation counts only near what the pose network saw."""
    reach = max(3, round(max(seen.shape) / 80)) | 1
    near = cv2.blur(cv2.dilate((seen > 76).astype(np.uint8) * 255, np.ones((reach, reach), np.uint8)), (reach, reach))
    selfie = cv2.multiply(_selfie(window, seen.shape), near, scale=1 / 255)
    return np.asarray(_LEVELS[cv2.addWeighted(seen, 0.5, selfie, 0.5, 0)], np.float32)


def _selfie(window: Picture, size: tuple[int, ...]) -> Mask:
    """`(h, w) uint8`: selfie segmentation of the window, stretched to the network's square so that it sees more."""
    square = cv2.resize(window, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    (inside,) = network("selfie_segmentation")(square.astype(np.float32) / np.float32(255))
    drawn = np.round(np.clip(inside[..., 0], 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.resize(drawn, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _grown(box: Box, size: tuple[int, ...]) -> Box:
    x0, y0, x1, y1 = box
    dx, dy = round((x1 - x0) * 0.12) + 8, round((y1 - y0) * 0.06)
    return max(0, x0 - dx), max(0, y0 - dy), min(size[1], x1 + dx), min(size[0], y1 + dy)


def _without_islands(mask: Floats) -> Floats:
    """The mask without small pieces that hang together with nothing."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.1).astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= MIN_ISLAND * areas[1:].max(initial=0)
    return np.asarray(mask * kept[labels], np.float32) if count > 2 else mask


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


def _applied(image: Picture, coefficients: Floats) -> Mask:
    """Slope · colour + offset at the picture's resolution; `(h, w, 4)` coefficients, the offset last and in 0..255."""
    height, width = image.shape[:2]
    sx, sy = coefficients.shape[1] / width, coefficients.shape[0] / height
    mask = np.empty((height, width), np.uint8)
    for top in range(0, height, ROWS):
        band = image[top : top + ROWS]
        place = np.array([[sx, 0, sx / 2 - 0.5], [0, sy, (top + 0.5) * sy - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (width, band.shape[0])
        local = cv2.warpAffine(coefficients, place, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        colours = cv2.merge([*cv2.split(band), np.ones(band.shape[:2], np.uint8)])
        value = cv2.transform(cv2.multiply(colours, local, dtype=cv2.CV_32F), np.ones((1, 4), np.float32))
        mask[top : top + ROWS] = np.clip(np.round(value), 0, 255)
    return mask
