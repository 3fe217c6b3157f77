"""The pixels of an opened file as upright sRGB with 8 bits, whatever its mode, orientation and colour profile."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import TYPE_CHECKING

import numpy as np

from vestiary.errors import ImageError

if TYPE_CHECKING:
    import PIL.Image

    from vestiary.types import Mask, Picture

_ORIENTATION = 0x0112  # of EXIF
_MOST_SCANS = 100
# What decoders raise for damaged files.
DAMAGE = (OSError, SyntaxError, ValueError, IndexError, TypeError, EOFError, OverflowError, RuntimeError, struct.error)


def damaged(name: str) -> ImageError:
    """What to raise of a file that cannot be decoded."""
    return ImageError(f"{name} is cut short or damaged.", hint="Download or export it again.")


def check_scans(data: bytes, name: str) -> None:
    """Refuse a JPEG that draws itself over and over: 60 bytes of it can cost as much as the whole picture once.

    In a scan no 0xFF is followed by 0xDA, so that each such pair begins one; programs write a dozen at most.

    Raises:
        ImageError: it has too many scans.
    """
    if data.count(b"\xff\xda") > _MOST_SCANS:
        raise ImageError(f"{name} is a JPEG of more than {_MOST_SCANS} scans.", hint="Save it again with any program.")


def convert(picture: PIL.Image.Image, name: str) -> tuple[Picture, Mask | None]:
    """`(H, W, 3) uint8` sRGB, and the alpha, or None if it hides nothing.

    Raises:
        ImageError: damaged, or wholly transparent.
    """
    from PIL import Image

    try:
        picture.load()
        picture = _to_8_bits(_upright(picture))
        alpha = None
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            alpha = real_alpha(np.array(picture.getchannel("A")), name)
        return np.array(_to_srgb(picture)), alpha
    except (*DAMAGE, Image.DecompressionBombError):
        raise damaged(name) from None


def real_alpha(alpha: Mask, name: str) -> Mask | None:
    """The alpha, or None if it hides nothing."""
    if not alpha.any():
        raise ImageError(f"{name} is wholly transparent.", hint="Export it again with its visible layer.")
    return None if alpha.min() == 255 else alpha


def _upright(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture turned as its EXIF orientation says (the eight cases of the EXIF standard)."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    orientation = None
    with contextlib.suppress(*DAMAGE):  # a broken EXIF block spoils no pixel
        orientation = picture.getexif().get(_ORIENTATION)
    if orientation not in turns:
        return picture
    turned = picture.transpose(turns[orientation])
    turned.info = dict(picture.info)  # the colour profile goes along
    return turned


def _to_8_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of 16 or 32 bits scaled to 8; Pillow itself would clip it."""
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture, dtype=np.float64)
    top = float(values.max(initial=0.0))
    white = next(level for level in (1.0 if picture.mode == "F" else 255.0, 255.0, 65535.0, top) if top <= level)
    if picture.mode.startswith("I;16"):
        white = 65535.0
    return Image.fromarray(np.clip(values * (255.0 / white) + 0.5, 0, 255).astype(np.uint8))


def _to_srgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture in sRGB, through its embedded ICC profile when it has one that fits and can be read."""
    profile = picture.info.get("icc_profile")
    if picture.mode in ("1", "P", "LA", "PA", "RGBA", "RGBa", "La"):
        picture = picture.convert("RGB")
    if profile and picture.mode in ("RGB", "L", "CMYK"):
        from PIL import ImageCms

        with contextlib.suppress(ImageCms.PyCMSError, *DAMAGE):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(own).lower():
                srgb = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB")
                return converted or picture.convert("RGB")
    return picture.convert("RGB")
