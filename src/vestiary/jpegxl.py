"""JPEG XL, read and written by imagecodecs (extra `codecs`), which Pillow does not know.

imagecodecs sees pixels only. What a file says of itself lies in the boxes around its codestream (ISO/IEC 18181-2), and
those are read and written here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestiary.errors import MissingExtraError

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture

_CODESTREAM = b"\xff\x0a"
_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_TYPE = b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height; SizeHeader of ISO/IEC 18181-1
_HEADER = 128  # bytes of a codestream in which all is said that is read here
_EFFORT, _THOROUGH_EFFORT = 3, 7


def is_jpegxl(data: bytes) -> bool:
    """Whether this is the beginning of a JPEG XL file."""
    return data.startswith((_CODESTREAM, _SIGNATURE))


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height before any turning, from the header alone.

    Raises:
        ValueError: the header is not there.
    """
    return _header(data).picture_size()


def extra_channels(data: bytes) -> int:
    """How many channels there are besides the colours, from the header alone: 1 for a picture with transparency.

    Raises:
        ValueError: the header is not there.
    """
    bits = _header(data)
    bits.picture_size()
    if bits.take(1):  # all as usual
        return 0
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            bits.picture_size()  # how large it is meant to be shown
        if bits.take(1):
            bits.preview_size()
        if bits.take(1):
            bits.animation()
    is_float = bits.take(1)
    if bits.take(2) == 3:
        bits.take(6)
    bits.take(4 * is_float + 1)
    choice = bits.take(2)
    return choice if choice < 2 else bits.take(4) + 2 if choice == 2 else bits.take(12) + 1


def exif_of(data: bytes) -> bytes:
    """The EXIF block, beginning with its TIFF header; empty if there is none."""
    if data.startswith(_CODESTREAM):
        return b""
    block = next((content for kind, content in _boxes(data) if kind == b"Exif"), b"")
    return block[4 + int.from_bytes(block[:4], "big") :] if len(block) > 4 else b""


def decode(data: bytes) -> Picture:
    """`(H, W)`, `(H, W, 3)` or `(H, W, 4) uint8`, upright: libjxl applies the orientation that the codestream holds.

    Raises:
        MissingExtraError: imagecodecs is not installed.
        ValueError: the file is damaged, or has channels that no picture needs.
    """
    codec = _codec()
    if extra_channels(data) > 1:  # up to 4,096 in a file of some hundred bytes, and all of them would be made
        raise ValueError("more than one extra channel")
    try:
        pixels: NDArray[Any] = np.asarray(codec.jpegxl_decode(data, index=0, numthreads=1))
    except RuntimeError as problem:  # imagecodecs.JpegxlError
        raise ValueError(str(problem)) from None
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = np.dstack([pixels[..., 0]] * 3 + [pixels[..., 1]])
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype != np.uint8:
        white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
        pixels = np.clip(pixels.astype(np.float32) * (255 / white) + 0.5, 0, 255)
    return pixels.astype(np.uint8, copy=False)


def encode(image: Picture | Mask, *, quality: int, exif: bytes = b"", thorough: bool = False) -> bytes:
    """A JPEG XL file; 100 is lossless, 90 visually so (a Butteraugli distance of 1).

    Args:
        image: `(H, W)`, `(H, W, 3)` or `(H, W, 4) uint8`.
        quality: 1..100, on libjxl's own scale.
        exif: a TIFF header and what follows.
        thorough: ten times the time for a little less noise.

    Raises:
        MissingExtraError: imagecodecs is not installed.
    """
    lossless = quality >= 100
    low = 53 / 3000 * quality**2 - 23 / 20 * quality + 25  # JxlEncoderDistanceFromQuality of libjxl
    distance = 0.0 if lossless else 0.1 + (100 - quality) * 0.09 if quality >= 30 else low
    stream = bytes(
        _codec().jpegxl_encode(
            np.ascontiguousarray(image),
            distance=distance,
            lossless=lossless,
            effort=_THOROUGH_EFFORT if thorough else _EFFORT,
            usecontainer=False,
            numthreads=1,
        )
    )
    if not exif:
        return stream
    return _SIGNATURE + _TYPE + _box(b"Exif", b"\0\0\0\0" + exif) + _box(b"jxlc", stream)


def _codec() -> Any:
    try:
        import imagecodecs
    except ImportError:
        raise MissingExtraError("JPEG XL needs imagecodecs.", hint='Type: pip install "vestiary[codecs]"') from None
    return imagecodecs


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each top-level box; stops where the file is cut short."""
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if size == 0:
            size = len(data) - at
        if size < head:
            return
        yield kind, data[at + head : at + size]
        at += size


def _header(data: bytes) -> _Bits:
    """The codestream's beginning, behind its two first bytes."""
    stream = data if data.startswith(_CODESTREAM) else _codestream(data)
    return _Bits(stream[2:_HEADER])


def _codestream(data: bytes) -> bytes:
    """The codestream's beginning; it may come in parts, which may be as short as they like."""
    stream = b""
    for kind, content in _boxes(data):
        if kind == b"jxlc":
            stream = content
        elif kind == b"jxlp":
            stream += content[4 : 4 + _HEADER]  # behind the part's number
        if kind == b"jxlc" or len(stream) >= _HEADER:
            break
    if not stream.startswith(_CODESTREAM):
        raise ValueError("no codestream")
    return stream


class _Bits:
    """Bits of a codestream, the lowest of each byte first; names as in ISO/IEC 18181-1, annex on headers."""

    def __init__(self, data: bytes) -> None:
        self.rest, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise ValueError("cut short")
        value = self.rest & ((1 << count) - 1)
        self.rest >>= count
        return value

    def picture_size(self) -> tuple[int, int]:
        """SizeHeader: width and height."""
        small = self.take(1)
        height = self.size(small)
        ratio = self.take(3)
        if ratio == 0:
            return self.size(small), height
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height

    def preview_size(self) -> None:
        """PreviewHeader."""
        widths = (0, 0, 5, 9) if self.take(1) else (6, 8, 10, 12)
        self.take(widths[self.take(2)])
        if self.take(3) == 0:
            self.take(widths[self.take(2)])

    def animation(self) -> None:
        """AnimationHeader: ticks a second, above and below the line; repetitions; time codes."""
        for widths in ((0, 0, 10, 30), (0, 0, 8, 10), (0, 3, 16, 32)):
            self.take(widths[self.take(2)])
        self.take(1)

    def size(self, small: int) -> int:
        """One side: in steps of 8 up to 256, else in one of four widths."""
        if small:
            return 8 * (self.take(5) + 1)
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1
