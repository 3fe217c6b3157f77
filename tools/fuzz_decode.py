"""Fuzz what uploads meet first: `open_picture`, on mutations of small pictures of every format.

    pip install atheris
    python tools/fuzz_decode.py -max_total_time=120

Whatever the bytes, there is a picture or an `ImageError`; anything else ends the run, as do 10 s or 2 GB for one input.
The flags are libFuzzer's; the input that ended a run is written to the current folder.
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["vestiary", "PIL"]):
    from PIL import Image

    from vestiary.errors import ImageError
    from vestiary.images import _FORMATS, check_picture, encode_picture, open_picture, read_provenance

MAX_PIXELS = 1_000_000
_LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=20000")


def seeds() -> dict[str, bytes]:
    """A small picture in every format that is read, some with metadata, frames, a palette, 16 bits."""
    ramp = np.add.outer(np.arange(80), np.arange(64)).astype(np.uint8)
    colour = Image.fromarray(np.dstack([ramp, ramp.T[:64, :80].repeat(2, 0)[:80, :64], 255 - ramp]))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, '{"engine": "paste"}'
    found = {f"{kind}.bin": _saved(colour, kind) for kind in _FORMATS if kind != "AVIF"}
    for name, picture, kind, more in (
        ("exif", colour, "JPEG", {"exif": exif, "progressive": True}),
        ("cmyk", colour.convert("CMYK"), "JPEG", {}),
        ("palette", colour.quantize(16), "PNG", {"transparency": 3}),
        ("deep", Image.fromarray(ramp.astype(np.uint16) * 256), "PNG", {}),
        ("tiff-deep", Image.fromarray(ramp.astype(np.float32)), "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("frames", colour, "GIF", {"save_all": True, "append_images": [colour.rotate(90)]}),
        ("webp-alpha", colour.convert("RGBA"), "WEBP", {"exif": exif}),
    ):
        found[f"{name}.bin"] = _saved(picture, kind, **more)
    for format in ("avif", "jxl"):
        found[f"{format}.bin"] = encode_picture(np.array(colour), format, provenance={"engine": "paste"})  # type: ignore[arg-type]
    return found


def _saved(picture: Image.Image, kind: str, **more: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **more)
    return data.getvalue()


def one(data: bytes) -> None:
    """One input."""
    for look in (check_picture, lambda data, **_: read_provenance(data), open_picture):
        try:
            look(data, max_pixels=MAX_PIXELS)  # type: ignore[operator]
        except ImageError:
            continue


def main() -> None:
    """Run until libFuzzer ends it."""
    warnings.simplefilter("ignore")
    Image.init()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in seeds().items():
            one(data)
            (Path(folder) / name).write_bytes(data)
        atheris.Setup([sys.argv[0], *_LIMITS, *sys.argv[1:], folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
