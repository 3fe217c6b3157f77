"""What a cut-out garment is in words, and its vector for search, as the attribute network sees it.

The network is `networks/attributes.onnx` (trained by `vestiary.training.attributes`, card in
`docs/models/attributes.md`). It sees the garment's box twice, on a plain ground and on its own; the answers are
averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary import inference
from vestiary.networks.sizes import ATTRIBUTE_CLASSES, ATTRIBUTE_SIDE
from vestiary.types import freeze

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

FILL = 0.92  # of the square, that the garment's longer side takes
GREY = 127


@dataclass(frozen=True, eq=False)
class Description:
    """A garment in words.

    Attributes:
        scores: for each attribute (category, sleeve, neckline, pattern, length) the probability of each of its words.
        embedding: `(96,) float32` of length 1; the cosine of two says how alike their garments are.
    """

    scores: Mapping[str, Mapping[str, float]]
    embedding: NDArray[np.float32]

    def __post_init__(self) -> None:
        freeze(self)


def describe(picture: Picture, mask: Mask) -> Description:
    """What an upright garment is.

    Args:
        picture: `(h, w, 3) uint8`.
        mask: `(h, w) uint8` of the garment.

    Raises:
        WeightsError: the model file is missing or broken.
    """
    session = inference.session("attributes")
    names = [output.name for output in session.get_outputs()]
    answers: dict[str, list[Any]] = {name: [] for name in names}
    for cut in (True, False):
        pixels = framed(picture, mask, cut=cut).transpose(2, 0, 1)[None].astype(np.float32)
        for name, value in zip(names, session.run(None, {"image": pixels}), strict=True):
            answers[name].append(value[0])
    vector = np.mean(answers.pop("embedding"), axis=0)
    scores = {
        name: {word: float(v) for word, v in zip(ATTRIBUTE_CLASSES[name], np.mean(values, axis=0), strict=True)}
        for name, values in answers.items()
    }
    return Description(scores, (vector / max(float(np.linalg.norm(vector)), 1e-6)).astype(np.float32))


def framed(picture: Picture, mask: Mask, *, cut: bool) -> Picture:
    """`(192, 192, 3) uint8`: the garment's box in the middle of the square, on a plain ground or on its own."""
    side = ATTRIBUTE_SIDE
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    if width * height == 0:
        x, y, (height, width) = 0, 0, mask.shape
    scale = FILL * side / max(width, height)
    if scale < 0.7:
        shape = (max(1, round(picture.shape[1] * scale * 1.4)), max(1, round(picture.shape[0] * scale * 1.4)))
        small = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
        return framed(small.astype(np.uint8), cv2.resize(mask, shape, interpolation=cv2.INTER_AREA), cut=cut)
    centre = np.array((x + (width - 1) / 2, y + (height - 1) / 2))
    move = np.column_stack([np.eye(2) * scale, (side - 1) / 2 - scale * centre])
    laid = cv2.warpAffine(picture, move, (side, side), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY))
    if not cut:
        return np.asarray(laid, np.uint8)
    alpha = cv2.warpAffine(mask, move, (side, side), flags=cv2.INTER_LINEAR)
    inside = laid[alpha > 127]
    below = neutral_ground(float(inside.mean()) if len(inside) else GREY)
    share = alpha[..., None].astype(np.float32) / 255
    return np.asarray(np.rint(laid * share + below * (1 - share)), np.uint8)


def neutral_ground(mean: float) -> float:
    """The grey on which a cut-out of that mean brightness is shown: darker, or lighter."""
    return 198.0 if mean < 128 else 58.0
