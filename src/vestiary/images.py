"""Pictures in and out: any picture that a user may hand in becomes upright sRGB, and a result says how it came about.

`open_picture` looks at the size in the file's header before it decodes a single pixel, so a file that claims a hundred
megapixels costs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Union

import numpy as np

from vestiary import jpegxl
from vestiary.decode import DAMAGE, check_scans, convert, damaged, real_alpha
from vestiary.encode import DESCRIPTION, PROVENANCE, Format
from vestiary.encode import encode_picture as encode_picture
from vestiary.errors import ImageError, OutputError
from vestiary.files import check_place, write_file

if TYPE_CHECKING:
    import PIL.Image

    from vestiary.types import Mask, Picture

MAX_PIXELS = 64_000_000
MAX_BYTES = 256 * 2**20
MIN_SIDE = 64

Source = Union[str, os.PathLike[str], bytes, IO[bytes], "PIL.Image.Image", "np.ndarray[Any, Any]"]

_READABLE = "JPEG, PNG, WebP, AVIF, JPEG XL, TIFF, GIF, BMP, JPEG 2000 and PPM"
_PLUGINS = ("Jpeg", "Png", "WebP", "Avif", "Tiff", "Gif", "Bmp", "Jpeg2K", "Ppm")
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")
_WRITABLE: Mapping[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".avif": "avif",
    ".jxl": "jxl",
}
_SAVED_QUALITY = 95


class PixelsError(ImageError):
    """The picture has more pixels than the caller's limit; the hint is for those who can raise it."""


@dataclass(frozen=True)
class Opened:
    """A decoded picture.

    Attributes:
        image: upright `(H, W, 3) uint8` sRGB. Where the alpha is 0 the colour is whatever the file holds there.
        alpha: `(H, W) uint8`, or None when every pixel is opaque.
        sha256: hex digest of the file's bytes, or of mode, size and pixels when there was no file.
    """

    image: Picture
    alpha: Mask | None
    sha256: str

    def on_white(self) -> Picture:
        """`(H, W, 3) uint8`: the picture as it looks on white paper; the image itself when it is opaque."""
        if self.alpha is None:
            return self.image
        weight = self.alpha[..., None].astype(np.uint16)
        return ((self.image * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)


def open_picture(source: Source, *, max_pixels: int = MAX_PIXELS) -> Opened:
    """The picture, upright and in sRGB, whatever its format, mode, orientation and colour profile.

    Args:
        source: path, bytes, binary file, PIL picture, or `uint8` array `(H, W)`, `(H, W, 3)` or `(H, W, 4)`. Of an
            animation the first frame is taken. Grey, CMYK, 16-bit, palette and transparency are converted.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: missing, empty, not a picture, damaged, too large or too small; the message says which.
        MissingExtraError: it is JPEG XL, and imagecodecs is not installed.
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        return _open_array(source, max_pixels)
    if isinstance(source, Image.Image):
        _check_size(source.size, "the picture", max_pixels)
        opened = convert(source, "the picture")
        head = f"{source.mode} {source.size}".encode()
        return Opened(*opened, hashlib.sha256(head + source.tobytes()).hexdigest())
    data, name = _read(source)
    if jpegxl.is_jpegxl(data):
        _check_size(_jpegxl_size(data, name), name, max_pixels)
        return _open_jpegxl(data, name)
    picture = _identify(data, name)
    _check_size(picture.size, name, max_pixels)
    return Opened(*convert(picture, name), hashlib.sha256(data).hexdigest())


def check_picture(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> str:
    """The SHA-256 of a picture file whose header says that it can be opened; decodes no pixel.

    Raises:
        ImageError: as `open_picture`, except for damage behind the header.
    """
    data, name = _read(path)
    size = _jpegxl_size(data, name) if jpegxl.is_jpegxl(data) else _identify(data, name).size
    _check_size(size, name, max_pixels)
    return hashlib.sha256(data).hexdigest()


def _open_array(array: np.ndarray[Any, Any], max_pixels: int) -> Opened:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        hint = "Hand in (H, W, 3), (H, W, 4) or (H, W)."
        raise ImageError(f"an array of shape {array.shape} is not a picture.", hint=hint)
    if array.dtype != np.uint8:
        hint = "Hand in uint8 from 0 to 255: for 0..1 floats, (array * 255).round().astype('uint8')."
        raise ImageError(f"an array of {array.dtype} is not a picture.", hint=hint)
    _check_size((array.shape[1], array.shape[0]), "the array", max_pixels)
    digest = hashlib.sha256(str(array.shape).encode() + np.ascontiguousarray(array).tobytes()).hexdigest()
    if channels == 1:
        grey = array.reshape(array.shape[:2])
        return Opened(np.stack([grey] * 3, axis=2), None, digest)
    alpha = real_alpha(array[..., 3].copy(), "the array") if channels == 4 else None
    return Opened(np.array(array[..., :3], order="C"), alpha, digest)


def _jpegxl_size(data: bytes, name: str) -> tuple[int, int]:
    try:
        return jpegxl.size_of(data)
    except ValueError:
        raise damaged(name) from None


def _open_jpegxl(data: bytes, name: str) -> Opened:
    """Its pixels are taken as sRGB, whatever profile it has."""
    try:
        pixels = jpegxl.decode(data)
    except ValueError:
        raise damaged(name) from None
    opened = _open_array(pixels, pixels.size)
    return Opened(opened.image, opened.alpha, hashlib.sha256(data).hexdigest())


def _read(source: object) -> tuple[bytes, str]:
    """The bytes of a file and the name by which messages call it."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), "the picture"
    elif isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        data = _read_file(name)
    elif hasattr(source, "read"):
        data, name = source.read(MAX_BYTES + 1), str(getattr(source, "name", "the picture"))
        if not isinstance(data, bytes):
            raise ImageError(f"{name} was opened as text.", hint='Open it with mode "rb".')
    else:
        hint = "Hand in a path, bytes, a binary file, a PIL picture or a uint8 array."
        raise ImageError(f"a {type(source).__name__} is not a picture.", hint=hint)
    if not data:
        raise ImageError(f"{name} is empty.", hint="Hand in a picture: download or export it again.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name} is larger than {MAX_BYTES >> 20} MiB.", hint="Save it as a JPEG first.")
    return data, name


def _read_file(path: str) -> bytes:
    if path.startswith(("http://", "https://")):
        raise ImageError(f"{path} is a web address.", hint="Download the picture first and hand in the file.")
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = f"Check the name; the current folder is {os.getcwd()}."
        raise ImageError(f"there is no file {path}.", hint=hint) from None
    except IsADirectoryError:
        hint = "Hand in one picture; `vestiary batch` takes folders."
        raise ImageError(f"{path} is a folder.", hint=hint) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise ImageError(f"{path} cannot be read: {reason.lower()}.", hint="Check its permissions.") from None


def _identify(data: bytes, name: str) -> PIL.Image.Image:
    """The picture with its header read and no pixel decoded.

    Not `Image.open`: that one warns of large pictures, or refuses them, by a limit of its own that is global to the
    process; the limit here is the caller's.
    """
    from PIL import Image

    for plugin in _PLUGINS:
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    for kind in _FORMATS:
        factory, accept = Image.OPEN[kind]
        if accept is None or accept(data[:16]) is not True:
            continue
        if kind == "JPEG":
            check_scans(data, name)
        try:
            return factory(io.BytesIO(data), "")
        except (*DAMAGE, Image.DecompressionBombError):
            raise damaged(name) from None
    raise ImageError(f"{name} is not a picture that can be read.", hint=_advice(data))


def _advice(data: bytes) -> str:
    """What to do with a file that is no picture of a known format."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return "It is HEIC: export it as JPEG (iPhone: Settings > Camera > Formats > Most Compatible)."
    head = data[:512].lstrip().lower()
    for mark, what in ((b"%pdf", "a PDF"), (b"<svg", "an SVG drawing"), (b"<!doctype html", "a web page")):
        if head.startswith(mark) or (mark == b"<svg" and b"<svg" in head):
            return f"It is {what}: export the picture in it as JPEG or PNG."
    return f"Readable are {_READABLE}."


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PixelsError(
            f"{name} has {width} x {height} = {width * height:,} pixels; the limit is {max_pixels:,}.",
            hint=f"Scale it down, or raise the limit: --max-pixels {width * height} (max_pixels= in Python).",
        )
    if min(width, height) < MIN_SIDE:
        hint = f"Both sides must have at least {MIN_SIDE} pixels, better 500."
        raise ImageError(f"{name} has only {width} x {height} pixels.", hint=hint)


def save_picture(
    image: Picture | Mask, path: str | os.PathLike[str], *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a picture, whole or not at all; the same picture gives the same bytes.

    Args:
        image: `(H, W)`, `(H, W, 3)` or `(H, W, 4) uint8`.
        path: ends in .png, .jpg, .jpeg (full colour resolution), .webp, .avif or .jxl; the quality is 95. A file
            already there is replaced; the folder must exist.
        provenance: JSON-ready; goes into the PNG's text chunk "vestiary", or the EXIF description of the others.

    Raises:
        OutputError: unknown ending, no such folder, no permission, disk full.
        MissingExtraError: .jxl without imagecodecs.
    """
    kind = _kind(path)
    if kind == "jpeg" and image.ndim == 3 and image.shape[2] == 4:
        raise OutputError(f"{os.fspath(path)}: JPEG has no transparency.", hint="End the name in .png or .webp.")
    write_file(path, encode_picture(image, kind, quality=_SAVED_QUALITY, provenance=provenance, thorough=True))


def check_output(path: str | os.PathLike[str], *, inputs: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Find out before the work whether `save_picture` could write there, and would not write over an input.

    Raises:
        OutputError: unknown ending, no such folder, no permission, or it is one of the inputs.
    """
    check_place(path)
    _kind(path)
    for photo in inputs:
        if os.path.exists(path) and os.path.exists(photo) and os.path.samefile(path, photo):
            raise OutputError(f"{os.fspath(path)} is an input and would be lost.", hint="Choose another output.")


def _kind(path: str | os.PathLike[str]) -> Format:
    kind = _WRITABLE.get(Path(path).suffix.lower())
    if kind is None:
        hint = f"End the name in one of: {', '.join(_WRITABLE)}."
        raise OutputError(f"{os.fspath(path)}: pictures are not written in that format.", hint=hint)
    return kind


def read_provenance(path: str | os.PathLike[str] | bytes) -> dict[str, Any]:
    """What `save_picture` or `encode_picture` was given as provenance; empty if there is none. Decodes no pixel.

    Raises:
        ImageError: the file cannot be read or is not a picture.
    """
    data, name = _read(path)
    with contextlib.suppress(*DAMAGE):
        found = json.loads(_description(data, name) or "{}")
        return found if isinstance(found, dict) else {}
    return {}


def _description(data: bytes, name: str) -> str | None:
    from PIL import Image

    if jpegxl.is_jpegxl(data):
        exif = Image.Exif()
        exif.load(b"Exif\0\0" + jpegxl.exif_of(data))
        return exif.get(DESCRIPTION)
    picture = _identify(data, name)
    return picture.info.get(PROVENANCE) or picture.getexif().get(DESCRIPTION)


def media_type(data: bytes) -> str:
    """Such as "image/png", by the file's own first bytes; empty when it is no picture that can be read."""
    from PIL import Image

    if jpegxl.is_jpegxl(data):
        return "image/jxl"
    try:
        picture = _identify(data, "the picture")
    except ImageError:
        return ""
    return Image.MIME.get(picture.format or "", "")
