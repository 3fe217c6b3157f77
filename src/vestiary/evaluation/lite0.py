"""Offline stand-ins for LPIPS, FID and KID: features of EfficientNet-Lite0 trained on ImageNet.

They measure the same kind of thing as the standard networks, but on a scale of their own, and are named `lite0_…` so
that nobody sets them beside published figures. The network ships with the package: `networks/lite0.onnx`, card in
docs/models/lite0.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vestiary import inference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vestiary.types import Picture

    Maps = Sequence[NDArray[np.float32]]

VERSION = "1"
AREA = 512 * 384  # pixels of the picture that the network sees
STEP = 32  # its sides are multiples of this


def maps(image: Picture) -> list[NDArray[np.float32]]:
    """Five feature maps `(c, h, w)` at strides 2, 4, 8, 16, 32 with 16, 24, 40, 112, 320 channels.

    The picture is first brought to about 512 × 384 pixels (that many in all, sides rounded to multiples of 32; averaged
    when it shrinks), so pictures of one shape always give maps of one shape.

    Args:
        image: `(H, W, 3) uint8` sRGB.

    Raises:
        WeightsError: the network is missing or broken.
    """
    height, width = image.shape[:2]
    scale = math.sqrt(AREA / (height * width))
    size = [max(STEP, round(side * scale / STEP) * STEP) for side in (width, height)]
    shrinks = size[0] < width
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    pixels = np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32)
    session = inference.session("lite0")
    return [level[0] for level in session.run(None, {"image": pixels})]


def pooled(levels: Maps) -> NDArray[np.float32]:
    """`(320,)`: the coarsest map averaged over its places, which stands for a picture in the distances of sets.

    Halved, so that its mean square on photos is about 0.4 as with Inception, on which the kernel of KID was set up.
    """
    return np.asarray(levels[-1].mean(axis=(1, 2)) / 2, np.float32)


def distance(one: Maps, other: Maps) -> float:
    """How different two pictures look, 0 (equal) to 4: `lite0_distance`.

        d = mean over levels l and places p of |â_lp - b̂_lp|²,  â = a / |a| along the channels

    as LPIPS (Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual
    metric", 2018, eq. 1), but of another network and with equal weights: nobody's judgements calibrated it.

    Args:
        one: from `maps`.
        other: from `maps`, of a picture of the same shape.
    """
    return float(np.mean([float(squared.mean()) for squared in difference_maps(one, other)]))


def difference_maps(one: Maps, other: Maps) -> list[NDArray[np.float32]]:
    """What `distance` averages: for every level the squared difference at each place, `(h, w)`."""
    return [np.square(_unit(a) - _unit(b)).sum(axis=0) for a, b in zip(one, other, strict=True)]


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.square(features).sum(axis=0, keepdims=True))
    return np.asarray(features / (length + 1e-10), np.float32)
