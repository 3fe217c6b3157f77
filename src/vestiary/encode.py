"""A picture as the bytes of a file, with its provenance inside; the same picture gives the same bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from vestiary import jpegxl
from vestiary.errors import OptionError, OutputError

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

Format = Literal["png", "jpeg", "webp", "avif", "jxl"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: Mapping[Format, str] = {name: f"image/{name}" for name in FORMATS}
PROVENANCE = "vestiary"  # keyword of the PNG chunk
DESCRIPTION = 0x010E  # EXIF ImageDescription: where the other formats carry the provenance


def encode_picture(
    image: Picture | Mask,
    format: Format,
    *,
    quality: int = 90,
    provenance: Mapping[str, Any] | None = None,
    thorough: bool = False,
) -> bytes:
    """The picture as a file.

    Args:
        image: `(H, W)`, `(H, W, 3)` or `(H, W, 4) uint8` sRGB.
        format: "png" (lossless), "jpeg" (full colour resolution, no transparency), "webp", "avif" or "jxl".
        quality: 1..100 on the format's own scale; PNG has none. JPEG XL is lossless at 100.
        provenance: JSON-ready; goes into the PNG's text chunk "vestiary", or the EXIF description of the others.
        thorough: take longer for a smaller file. The default is made for services: at 768 × 1024 some 5 ms for JPEG,
            30 ms for WebP and JPEG XL, 60 ms for AVIF and PNG.

    Raises:
        OutputError: no such format, or the picture does not go into it.
        OptionError: a quality that does not exist.
        MissingExtraError: "jxl" without imagecodecs.
    """
    if format not in FORMATS:
        raise OutputError(f"pictures are not written as {format!r}.", hint=f"Choose one of: {', '.join(FORMATS)}.")
    if not 1 <= quality <= 100:
        raise OptionError(f"a quality of {quality} does not exist.", hint="Choose 1 to 100.")
    if format == "jpeg" and image.ndim == 3 and image.shape[2] == 4:
        raise OutputError("JPEG has no transparency.", hint="Choose PNG or WebP.")
    text = json.dumps(provenance, sort_keys=True) if provenance else ""
    try:
        if format == "jxl":
            return jpegxl.encode(image, quality=quality, exif=_exif(text)[6:], thorough=thorough)
        return _by_pillow(image, format, quality, text, thorough)
    except (OSError, ValueError, RuntimeError) as problem:  # such as sides beyond 16,383 pixels in WebP
        height, width = image.shape[:2]
        hint = "Choose PNG, or a smaller picture."
        raise OutputError(f"{width} x {height} pixels cannot be written as {format}: {problem}.", hint=hint) from None


def _exif(text: str) -> bytes:
    """`Exif\\0\\0` and a TIFF block with the text as its description; empty for an empty text."""
    from PIL import Image

    if not text:
        return b""
    exif = Image.Exif()
    exif[DESCRIPTION] = text
    return exif.tobytes()


def _by_pillow(image: Picture | Mask, format: Format, quality: int, text: str, thorough: bool) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    picture = Image.fromarray(np.ascontiguousarray(image))
    buffer = io.BytesIO()
    if format == "png":
        info = PngInfo()
        if text:
            info.add_itxt(PROVENANCE, text)
        picture.save(buffer, "PNG", pnginfo=info, compress_level=4 if thorough else 1)
    elif format == "jpeg":
        picture.save(buffer, "JPEG", quality=quality, subsampling=0, exif=_exif(text))
    elif format == "webp":
        picture.save(buffer, "WEBP", quality=quality, method=4 if thorough else 2, exif=_exif(text))
    else:
        speed = 6 if thorough else 9
        picture.save(buffer, "AVIF", quality=quality, speed=speed, max_threads=1, exif=_exif(text))
    return buffer.getvalue()
