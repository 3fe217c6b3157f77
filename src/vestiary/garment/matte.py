"""From a coarse mask to a soft alpha at the photo's own resolution, and the garment's own colours under its edge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

    Plane = NDArray[np.floating[Any]]
    Whole = NDArray[np.intp]


def reduce(image: Picture, long_side: int) -> Picture:
    """The picture at most `long_side` pixels long (area averaging), itself when it is not larger."""
    height, width = image.shape[:2]
    factor = long_side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def soften(image: Picture, coarse: Mask, *, long_side: int = 480) -> Mask:
    """`(H, W) uint8` soft alpha that follows the photo's own edges near the border of `coarse`.

    A colour guided filter (He et al. 2013) whose coefficients are found at a reduced size and applied at the full one
    (He & Sun 2015), so the cost per pixel of a large photo is a few multiplications. It runs twice: from the mask, and
    from its own sharpened answer, which lets the border move to an edge nearby. Away from the border the alpha is the
    mask.

    Args:
        image: `(H, W, 3) uint8`.
        coarse: `(h, w) uint8` mask of any size with the same aspect ratio.
    """
    small = reduce(image, long_side)
    size = (small.shape[1], small.shape[0])
    mask = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    radius = max(2, round(max(size) / 160))
    guide = Guide(small.astype(np.float32) / 255, radius, 1e-4)
    slope, offset = guide.coefficients(mask)
    moved = np.clip(((slope * guide.image).sum(-1) + offset - 0.5) * 3 + 0.5, 0, 1).astype(np.float32)
    slope, offset = guide.coefficients(moved)
    border = cv2.blur(mask, (4 * radius + 1, 4 * radius + 1))
    unsure = (border > 0.02) & (border < 0.98) & ((np.abs(mask - 0.5) < 0.48) | (np.abs(moved - 0.5) < 0.48))
    return _apply(image, mask, cv2.dilate(unsure.astype(np.uint8), ellipse(radius)), slope, offset)


class Guide:
    """The guiding side of a colour guided filter: a picture `(h, w, 3)` 0..1, and its local covariances inverted."""

    PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

    def __init__(self, image: Plane, radius: int, smoothness: float) -> None:
        self.image, self.side = image, (2 * radius + 1, 2 * radius + 1)
        self.average = self.mean(image)
        rr, rg, rb, gg, gb, bb = (
            self.mean(image[..., i] * image[..., j])
            - self.average[..., i] * self.average[..., j]
            + (smoothness if i == j else 0)
            for i, j in self.PAIRS
        )
        inverse = (gg * bb - gb**2, gb * rb - rg * bb, rg * gb - gg * rb, rr * bb - rb**2, rb * rg - rr * gb)
        determinant = np.maximum(rr * inverse[0] + rg * inverse[1] + rb * inverse[2], 1e-12)
        self.inverse = [plane / determinant for plane in (*inverse, rr * gg - rg**2)]

    def mean(self, plane: Plane) -> Plane:
        """The local average."""
        return np.asarray(cv2.blur(plane, self.side, borderType=cv2.BORDER_REFLECT))

    def coefficients(self, mask: Plane) -> tuple[Plane, Plane]:
        """Slope `(h, w, 3)` and offset `(h, w)` of the linear model of a mask 0..1, both averaged."""
        level = self.mean(mask)
        together = self.mean(self.image * mask[..., None]) - self.average * level[..., None]
        r, g, b = together[..., 0], together[..., 1], together[..., 2]
        rr, rg, rb, gg, gb, bb = self.inverse
        slope = np.stack((rr * r + rg * g + rb * b, rg * r + gg * g + gb * b, rb * r + gb * g + bb * b), -1)
        return self.mean(slope), self.mean(level - (slope * self.average).sum(-1))


def _apply(image: Picture, mask: Plane, band: Mask, slope: Plane, offset: Plane) -> Mask:
    """Coefficients found at a reduced size, used at the full one, within the band alone."""
    height, width = image.shape[:2]
    coarse = np.rint(mask * 255).astype(np.uint8)
    alpha = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    maps = np.dstack((slope, offset)).astype(np.float32)
    for ys, xs in _places(band, (height, width)):
        here = sample(maps, xs, ys, (width, height))
        soft = (here[:, :3] * (image[ys, xs].astype(np.float32) / 255)).sum(-1) + here[:, 3]
        alpha[ys, xs] = np.clip((soft - 0.2) * (255 / 0.72), 0, 255).astype(np.uint8)
    return alpha


def _places(band: Mask, shape: tuple[int, int], rows: int = 512) -> Iterator[tuple[Whole, Whole]]:
    """The pixels of the full size where a reduced band is set, strip by strip so that memory stays small."""
    near = cv2.resize(band, shape[::-1], interpolation=cv2.INTER_NEAREST)
    for top in range(0, shape[0], rows):
        ys, xs = np.nonzero(near[top : top + rows])
        if len(ys):
            yield ys + top, xs


def sample(maps: Plane, xs: Whole, ys: Whole, size: tuple[int, int]) -> Plane:
    """`(n, channels)`: a reduced map at pixels of the full (width, height), bilinear."""
    columns = 4096  # the remapping takes pictures, and no side of one may exceed 32767
    short = -len(xs) % columns
    x = (np.pad(xs, (0, short), mode="edge") + 0.5) * (maps.shape[1] / size[0]) - 0.5
    y = (np.pad(ys, (0, short), mode="edge") + 0.5) * (maps.shape[0] / size[1]) - 0.5
    grid = [plane.astype(np.float32).reshape(-1, columns) for plane in (x, y)]
    found = cv2.remap(maps, grid[0], grid[1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(-1, maps.shape[2])[: len(xs)])


def own_colours(image: Picture, alpha: Mask, *, long_side: int = 640) -> Picture:
    """The photo with the ground's colour taken out of the soft edge, and the garment's colours bled a little outwards.

    Blur fusion (Forte 2021, eq. 4 to 6); the blurred estimates come from a reduced copy.
    """
    small, soft = reduce(image, long_side).astype(np.float32), reduce(alpha, long_side).astype(np.float32) / 255
    radius = max(3, round(max(small.shape[:2]) / 110))
    front = _spread(small, np.where(soft > 0.9, soft, 0.02 * soft), radius)
    behind = _spread(small, np.where(soft < 0.1, 1 - soft, 0.02 * (1 - soft)), radius)
    wide = cv2.dilate((soft > 0.02).astype(np.uint8), ellipse(radius))
    core = cv2.erode((soft > 0.98).astype(np.uint8), ellipse(1))
    return _unmix(image, alpha, front, behind, wide & (1 - core))


def _spread(image: Plane, weight: Plane, radius: int) -> Plane:
    side = (2 * radius + 1, 2 * radius + 1)
    weight = weight.astype(np.float32) + 1e-5
    return np.asarray(cv2.blur(image * weight[..., None], side) / cv2.blur(weight, side)[..., None])


def _unmix(image: Picture, alpha: Mask, front: Plane, behind: Plane, band: Mask) -> Picture:
    size = (image.shape[1], image.shape[0])
    result = image.copy()
    maps = np.dstack((front, behind)).astype(np.float32)
    for ys, xs in _places(band, image.shape[:2]):
        here = sample(maps, xs, ys, size)
        a = (alpha[ys, xs].astype(np.float32) / 255)[:, None]
        own = here[:, :3] + a * (image[ys, xs] - a * here[:, :3] - (1 - a) * here[:, 3:])
        result[ys, xs] = np.clip(np.rint(own), 0, 255).astype(np.uint8)
    return result


def ellipse(radius: int) -> Mask:
    """A round structuring element."""
    element: Mask = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return element
