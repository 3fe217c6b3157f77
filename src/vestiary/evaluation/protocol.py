"""The protocols: at which size, of which data, and with what repainted, results are judged. They never mix.

Published tables of VITON-HD and DressCode come in two kinds that differ by more than the systems do: pictures of 1024 ×
768 judged as they are, and pictures of 512 × 384 into which the photo is painted back outside the data set's mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from vestiary.errors import OptionError
from vestiary.evaluation.preserved import at_size

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

Setting = Literal["paired", "unpaired"]
SETTINGS: tuple[Setting, ...] = ("paired", "unpaired")


@dataclass(frozen=True)
class Protocol:
    """How pictures are made ready to be judged.

    Attributes:
        name: what users type, and what result files carry.
        layout: the data layout that it belongs to; None = any.
        size: (width, height) at which engines work and results are judged; None = the photo's own.
        repaint: whether the photo is painted back outside the mask before judging.
        summary: one line for people.
    """

    name: str
    layout: str | None
    size: tuple[int, int] | None
    repaint: bool
    summary: str

    def sized(self, picture: Picture) -> Picture:
        """The picture at the protocol's size: averaged when it shrinks."""
        return picture if self.size is None else at_size(picture, self.size)

    def judged(self, result: Picture, photo: Picture, mask: Mask | None) -> Picture:
        """The result as it is judged: of the photo's size, and repainted where the protocol says so.

        Args:
            result: `(h, w, 3) uint8`.
            photo: `(H, W, 3) uint8`, the person at the protocol's size.
            mask: `(H, W) uint8`, 255 = the garment's place; needed to repaint.

        Raises:
            OptionError: the protocol repaints and there is no mask.
        """
        size = (photo.shape[1], photo.shape[0])
        result = at_size(result, size)
        if not self.repaint:
            return result
        if mask is None:
            hint = "Use a data folder with agnostic masks, or another protocol."
            raise OptionError(f"the protocol {self.name} repaints, and there is no mask for this pair.", hint=hint)
        return repainted(result, photo, at_size(mask, size, labels=True))


def repainted(result: Picture, photo: Picture, mask: Mask) -> Picture:
    """The result inside the mask, the photo outside, blended by a Gaussian of σ = H / 50, made odd.

    As the code of CatVTON (Chong et al. 2024) does it, which the 512 × 384 figures of that paper and of Leffa follow.
    """
    sigma = photo.shape[0] // 50
    sigma += 1 - sigma % 2
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None].astype(np.float32) / 255
    return np.asarray(photo * (1 - weight) + result * weight, np.uint8)


_LARGE, _SMALL = (768, 1024), (384, 512)
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("viton-hd-1024x768", "viton-hd", _LARGE, False, "VITON-HD, whole pictures at 1024 x 768"),
        Protocol("viton-hd-512x384-repaint", "viton-hd", _SMALL, True, "VITON-HD at 512 x 384, photo painted back"),
        Protocol("dresscode-1024x768", "dresscode", _LARGE, False, "DressCode, whole pictures at 1024 x 768"),
        Protocol("dresscode-512x384-repaint", "dresscode", _SMALL, True, "DressCode at 512 x 384, photo painted back"),
        Protocol("own", None, None, False, "any pairs, at the photo's own size"),
    )
}


def get(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        OptionError: there is none; the message lists them.
    """
    if name not in PROTOCOLS:
        raise OptionError(f"no protocol is called {name!r}.", hint=f"Choose one of: {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
