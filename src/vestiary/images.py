"""Pictures in and out. (Being written.)"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Union

import numpy as np

if TYPE_CHECKING:
    from PIL import Image as PIL

    from vestiary.types import Mask, Picture

MAX_PIXELS = 64_000_000
Source = Union[str, os.PathLike[str], bytes, IO[bytes], "PIL.Image", "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Opened:
    """A decoded picture: upright `(H, W, 3) uint8` sRGB, its alpha if it has one that is not all opaque, and its SHA-256."""

    image: Picture
    alpha: Mask | None
    sha256: str


def open_picture(source: Source, *, max_pixels: int = MAX_PIXELS) -> Opened:
    from PIL import Image, ImageOps

    data = open(source, "rb").read()
    im = ImageOps.exif_transpose(Image.open(source))
    alpha = np.array(im.getchannel("A")) if "A" in im.getbands() else None
    return Opened(np.array(im.convert("RGB")), alpha, hashlib.sha256(data).hexdigest())


def save_picture(image: Picture, path: str | os.PathLike[str], *, provenance: Any = None) -> None:
    from PIL import Image

    Image.fromarray(image).save(path)
