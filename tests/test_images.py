"""Pictures in: every kind of picture, and every kind of bad input."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from vestiary.errors import ImageError
from vestiary.images import Opened, open_picture


@pytest.fixture
def photo() -> np.ndarray:
    """A picture whose corners differ, so that turning it shows; smooth, so that JPEG keeps it."""
    y, x = np.mgrid[0:96, 0:128]
    return np.stack([x * 2, y * 2, 255 - x], axis=2).astype(np.uint8)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0\0\1\0IDAT"


def far(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def test_path_bytes_file_and_pil_give_the_same_pixels(photo: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    data = path.read_bytes()
    opened = [open_picture(s) for s in (path, str(path), data, io.BytesIO(data), Image.open(path), photo)]
    for one in opened:
        assert np.array_equal(one.image, photo)
        assert one.alpha is None
    assert len({one.sha256 for one in opened[:4]}) == 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "I", "F", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8), (96, 1))
    grey = Image.fromarray(ramp)
    if mode == "I;16":
        picture = Image.fromarray(ramp.astype(np.uint16) * 257)
    elif mode == "I":
        picture = Image.fromarray(ramp.astype(np.int32) * 257)
    elif mode == "F":
        picture = Image.fromarray(ramp.astype(np.float32) / 255)
    elif mode == "P":
        picture = grey.quantize(256)
    else:
        picture = grey.convert("RGB").convert(mode)
    kind = "TIFF" if mode in ("CMYK", "F", "I") else "PNG"
    image = open_picture(encoded(picture, kind)).image
    assert image.shape == (96, 128, 3)
    assert image.dtype == np.uint8
    if mode != "1":
        assert far(image[..., 1], ramp) <= 3, "the greys must keep their brightness"


def test_palette_with_transparency_keeps_its_alpha(photo: np.ndarray) -> None:
    alpha = np.zeros((96, 128), np.uint8)
    alpha[20:70, 30:90] = 255
    rgba = Image.fromarray(np.dstack([photo, alpha]))
    opened = open_picture(encoded(rgba.quantize(64, method=Image.Quantize.FASTOCTREE), "PNG"))
    assert opened.alpha is not None
    assert np.array_equal(opened.alpha > 128, alpha > 128)


def test_on_white_lays_a_transparent_picture_on_white(photo: np.ndarray) -> None:
    alpha = np.full((96, 128), 255, np.uint8)
    alpha[:, :10] = 0
    opened = open_picture(np.dstack([photo, alpha]))
    assert (opened.on_white()[:, :10] == 255).all()
    assert np.array_equal(opened.on_white()[:, 10:], photo[:, 10:])


def test_opaque_alpha_counts_as_none_and_wholly_transparent_is_refused(photo: np.ndarray) -> None:
    assert open_picture(np.dstack([photo, np.full((96, 128), 255, np.uint8)])).alpha is None
    with pytest.raises(ImageError, match="transparent"):
        open_picture(np.dstack([photo, np.zeros((96, 128), np.uint8)]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo: np.ndarray, orientation: int) -> None:
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 3),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](photo)))
    assert np.array_equal(open_picture(encoded(stored, "PNG", exif=exif)).image, photo)


def test_embedded_profile_is_converted_to_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace("sRGB".encode("utf-16-be"), "rGBs".encode("utf-16-be"))
    for old, new in ((b"rXYZ", b"____"), (b"bXYZ", b"rXYZ"), (b"____", b"bXYZ")):
        swapped = swapped.replace(old, new)  # a profile whose red is sRGB's blue
    red = Image.new("RGB", (64, 64), (200, 10, 10))
    assert np.array_equal(open_picture(encoded(red, "PNG", icc_profile=srgb)).image, np.array(red))
    blue = open_picture(encoded(red, "PNG", icc_profile=swapped)).image
    assert far(blue[0, 0], np.array((10, 10, 200))) <= 6


def test_broken_profile_and_broken_exif_spoil_nothing(photo: np.ndarray) -> None:
    data = encoded(Image.fromarray(photo), "PNG", icc_profile=b"no profile", exif=b"Exif\0\0MM\0*\xff\xff")
    assert np.array_equal(open_picture(data).image, photo)


def test_animation_gives_its_first_frame(photo: np.ndarray) -> None:
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert far(open_picture(data).image, photo) <= 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a picture"),
        (b"%PDF-1.7 ....", "a PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"<?xml version='1.0'?><svg xmlns=''/>", "SVG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "cut short or damaged"),
        (png_header(10_000, 10_000), r"100,000,000 pixels.*--max-pixels 100000000.*max_pixels="),
        (png_header(1, 1), "only 1 x 1 pixels"),
        (png_header(63, 800), "only 63 x 800"),
    ],
)
def test_bad_bytes_get_one_clear_error(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        open_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_short_is_refused(photo: np.ndarray, kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=r"cut short|not a picture"):
        open_picture(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "JPEG2000"])
@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_is_an_image_error_or_nothing(photo: np.ndarray, kind: str) -> None:
    rng = np.random.default_rng(3)
    data = np.frombuffer(encoded(Image.fromarray(photo), kind), np.uint8)
    for _ in range(60):
        spoilt = data.copy()
        places = rng.integers(0, min(len(data), int(rng.choice([60, 400, len(data)]))), 3)
        spoilt[places] = rng.integers(0, 256, 3)
        with contextlib.suppress(ImageError):
            open_picture(spoilt.tobytes())


def test_missing_file_folder_and_web_address(tmp_path: Path) -> None:
    for source, words in (
        (tmp_path / "none.jpg", "no file"),
        (tmp_path, "is a folder"),
        ("https://example.org/a.jpg", "web address"),
        ("nul\0.jpg", "cannot be read"),
    ):
        with pytest.raises(ImageError, match=words):
            open_picture(source)


@pytest.mark.parametrize(
    "source", [np.zeros((80, 80, 3)), np.zeros((80, 80, 2), np.uint8), np.zeros(80, np.uint8), 7, io.StringIO("text")]
)
def test_what_is_no_picture_is_refused_in_words(source: object) -> None:
    with pytest.raises(ImageError):
        open_picture(source)  # type: ignore[arg-type]


def test_limit_can_be_raised_and_lowered(photo: np.ndarray) -> None:
    with pytest.raises(ImageError, match="limit is 1,000"):
        open_picture(photo, max_pixels=1000)
    with pytest.raises(ImageError, match="cut short"):  # past the size check, nothing inside
        open_picture(png_header(20_000, 10_000), max_pixels=300_000_000)


def test_opening_leaves_the_callers_picture_alone(photo: np.ndarray) -> None:
    array = photo.copy()
    opened = open_picture(array)
    array[:] = 0
    assert np.array_equal(opened.image, photo)
    assert isinstance(opened, Opened)
