"""How near two pictures are, pixel by pixel: PSNR, SSIM, MS-SSIM.

SSIM is computed with OpenCV because it takes a fifth of the time of scikit-image, whose result it equals (a test holds
the two together). People and SSIM hardly agree on try-on: never judge by it alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Picture

VERSION = "1"  # of the implementations here; results of different versions are not compared
RANGE = 255.0
SIGMA, RADIUS = 1.5, 5  # the 11 × 11 Gaussian window of the SSIM paper
C1, C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST = (2 * RADIUS + 1) * 2 ** (len(SCALES) - 1)  # side of a picture for MS-SSIM


def psnr(one: Picture, other: Picture) -> float:
    """The peak signal-to-noise ratio in dB, `10 log10(255² / MSE)` over all pixels and channels; inf for equal ones.

    Args:
        one: `(H, W, 3) uint8`.
        other: of the same shape.

    Raises:
        InputError: the shapes differ.
    """
    check_shapes(one, other)
    error = float(np.square(one.astype(np.float32) - other).mean(dtype=np.float64))
    return math.inf if error == 0 else 10 * math.log10(RANGE**2 / error)


def ssim(one: Picture, other: Picture) -> float:
    """Structural similarity, -1..1, the mean over pixels and the three channels.

        SSIM = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))

    in a Gaussian window of σ = 1.5 and 11 × 11 pixels, without the 5 pixels along the border (Wang, Bovik, Sheikh and
    Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004). Equal to
    `skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    channel_axis=2)`.

    Raises:
        InputError: the shapes differ, or a side has fewer than 11 pixels.
    """
    check_shapes(one, other)
    if min(one.shape[:2]) < 2 * RADIUS + 1:
        raise InputError("SSIM needs pictures of at least 11 × 11 pixels.", hint="Leave this pair out.")
    structure, luminance = _maps(one.astype(np.float32), other.astype(np.float32))
    return float((structure * luminance).mean(dtype=np.float64))


def ms_ssim(one: Picture, other: Picture) -> float:
    """Multi-scale structural similarity, 0..1: the mean over the three channels.

        MS-SSIM = l_M^α_M · Π cs_j^β_j,  j = 1..5, each scale half as fine as the one before

    with the five weights of Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality
    assessment", 2003; negative contrast terms count as 0.

    Raises:
        InputError: the shapes differ, or a side has fewer than 176 pixels (11 at the coarsest scale).
    """
    return ssim_and_ms_ssim(one, other)[1]


def ssim_and_ms_ssim(one: Picture, other: Picture) -> tuple[float, float]:
    """Both at the price of the second; arguments and errors as for `ms_ssim`."""
    check_shapes(one, other)
    if min(one.shape[:2]) < SMALLEST:
        raise InputError(f"MS-SSIM needs pictures of at least {SMALLEST} x {SMALLEST} pixels.", hint="Leave it out.")
    x, y = one.astype(np.float32), other.astype(np.float32)
    product = np.ones(3)
    single = 0.0
    for scale, weight in enumerate(SCALES):
        if scale:
            x, y = _halved(x), _halved(y)
        structure, luminance = _maps(x, y)
        if scale == 0:
            single = float((structure * luminance).mean(dtype=np.float64))
        last = scale == len(SCALES) - 1
        mean = (structure * luminance if last else structure).mean(axis=(0, 1), dtype=np.float64)
        product *= np.maximum(mean, 0) ** weight
    return single, float(product.mean())


def check_shapes(one: NDArray[np.generic], other: NDArray[np.generic]) -> None:
    """Make sure that two pictures can be laid on each other.

    Raises:
        InputError: their shapes differ.
    """
    if one.shape != other.shape:
        sizes = " and ".join(f"{picture.shape[1]} x {picture.shape[0]}" for picture in (one, other))
        raise InputError(f"pictures of {sizes} pixels cannot be compared.", hint="Choose a protocol with one size.")


def _maps(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The contrast-structure term and the luminance term of SSIM, `(H - 10, W - 10, 3)` each."""
    mx, my = _blur(x), _blur(y)
    xx, yy, xy = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    structure = (2 * xy + C2) / (xx + yy + C2)
    luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    inside = (slice(RADIUS, -RADIUS), slice(RADIUS, -RADIUS))
    return structure[inside].astype(np.float32), luminance[inside].astype(np.float32)


def _blur(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.GaussianBlur(picture, (side, side), SIGMA, borderType=cv2.BORDER_REFLECT), np.float32)


def _halved(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 × 2 pixels; an odd last row or column is left out."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    even = picture[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)
