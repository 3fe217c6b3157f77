"""From a coarse mask to a soft alpha at the photo's own resolution, and the garment's own colours under its edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

    Plane = NDArray[np.floating[Any]]


def reduce(image: Picture, long_side: int) -> Picture:
    """The picture at most `long_side` pixels long (area averaging), itself when it is not larger."""
    height, width = image.shape[:2]
    factor = long_side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def soften(image: Picture, coarse: Mask, *, long_side: int = 768) -> Mask:
    """`(H, W) uint8` soft alpha that follows the photo's own edges near the border of `coarse`.

    A colour guided filter (He et al. 2013) whose coefficients are found at a reduced size and applied at the full one
    (He & Sun 2015), so the cost per pixel of a large photo is a few multiplications. Away from the border the alpha is
    the mask.

    Args:
        image: `(H, W, 3) uint8`.
        coarse: `(h, w) uint8` mask of any size with the same aspect ratio.
    """
    small = reduce(image, long_side)
    size = (small.shape[1], small.shape[0])
    mask = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    radius = max(2, round(max(size) / 220))
    slope, offset = guide(small.astype(np.float32) / 255, mask, radius, 1e-3)
    band = cv2.dilate(((mask > 0.02) & (mask < 0.98)).astype(np.uint8), ellipse(radius))
    return _apply(image, mask, band, slope, offset)


def guide(image: Plane, mask: Plane, radius: int, smoothness: float) -> tuple[Plane, Plane]:
    """The linear coefficients of a colour guided filter: slope `(h, w, 3)` and offset `(h, w)`, both averaged."""

    def mean(plane: Plane) -> Plane:
        return np.asarray(cv2.blur(plane, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT))

    average, level = mean(image), mean(mask)
    covariance = mean(image * mask[..., None]) - average * level[..., None]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    rr, rg, rb, gg, gb, bb = (
        mean(image[..., i] * image[..., j]) - average[..., i] * average[..., j] + (smoothness if i == j else 0)
        for i, j in pairs
    )
    i_rr, i_rg, i_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    i_gg, i_gb, i_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * i_rr + rg * i_rg + rb * i_rb
    r, g, b = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    slope = np.stack(
        (i_rr * r + i_rg * g + i_rb * b, i_rg * r + i_gg * g + i_gb * b, i_rb * r + i_gb * g + i_bb * b), -1
    )
    slope /= np.maximum(determinant, 1e-12)[..., None]
    offset = level - (slope * average).sum(-1)
    return mean(slope), mean(offset)


def _apply(image: Picture, mask: Plane, band: Mask, slope: Plane, offset: Plane, rows: int = 512) -> Mask:
    """Coefficients found at a reduced size, used at the full one, in strips so that memory stays small."""
    height, width = image.shape[:2]
    coarse = np.rint(mask * 255).astype(np.uint8)
    alpha = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    near = cv2.resize(band, (width, height), interpolation=cv2.INTER_NEAREST)
    maps = np.dstack((slope, offset))
    to_small = maps.shape[0] / height
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        ys = ((np.arange(top, bottom, dtype=np.float32) + 0.5) * to_small - 0.5)[:, None]
        xs = ((np.arange(width, dtype=np.float32) + 0.5) * (maps.shape[1] / width) - 0.5)[None]
        where = near[top:bottom] > 0
        if not where.any():
            continue
        columns, lines = (np.ascontiguousarray(plane) for plane in np.broadcast_arrays(xs, ys))
        here = cv2.remap(maps, columns, lines, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        soft = (here[..., :3] * image[top:bottom].astype(np.float32) * (1 / 255)).sum(-1) + here[..., 3]
        soft = np.clip((soft - 0.08) * (255 / 0.84), 0, 255).astype(np.uint8)
        alpha[top:bottom][where] = soft[where]
    return alpha


def own_colours(image: Picture, alpha: Mask, *, long_side: int = 1024) -> Picture:
    """The photo with the ground's colour taken out of the soft edge, and the garment's colours bled a little outwards.

    Blur fusion (Forte 2021, eq. 4 to 6); the blurred estimates come from a reduced copy.
    """
    small, soft = reduce(image, long_side).astype(np.float32), reduce(alpha, long_side).astype(np.float32) / 255
    radius = max(4, round(max(small.shape[:2]) / 110))
    front = _spread(small, np.where(soft > 0.9, soft, 0.02 * soft), radius)
    behind = _spread(small, np.where(soft < 0.1, 1 - soft, 0.02 * (1 - soft)), radius)
    wide = cv2.dilate((soft > 0.02).astype(np.uint8), ellipse(radius))
    core = cv2.erode((soft > 0.98).astype(np.uint8), ellipse(1))
    return _unmix(image, alpha, front, behind, wide & (1 - core))


def _spread(image: Plane, weight: Plane, radius: int) -> Plane:
    side = (2 * radius + 1, 2 * radius + 1)
    weight = weight.astype(np.float32) + 1e-5
    return np.asarray(cv2.blur(image * weight[..., None], side) / cv2.blur(weight, side)[..., None])


def _unmix(image: Picture, alpha: Mask, front: Plane, behind: Plane, edge: Mask, rows: int = 512) -> Picture:
    height, width = image.shape[:2]
    result = image.copy()
    scale = (front.shape[1] / width, front.shape[0] / height)
    near = cv2.resize(edge, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    for top in range(0, height, rows):
        ys, xs = np.nonzero(near[top : top + rows])
        if not len(ys):
            continue
        ys += top
        places = (((ys + 0.5) * scale[1]).astype(np.intp), ((xs + 0.5) * scale[0]).astype(np.intp))
        a = (alpha[ys, xs].astype(np.float32) / 255)[:, None]
        f, b, seen = front[places], behind[places], image[ys, xs].astype(np.float32)
        own = f + a * (seen - a * f - (1 - a) * b)
        result[ys, xs] = np.clip(np.rint(own), 0, 255).astype(np.uint8)
    return result


def ellipse(radius: int) -> Mask:
    """A round structuring element."""
    element: Mask = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return element
