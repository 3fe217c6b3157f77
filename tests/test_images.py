"""Pictures in and out: every kind of picture, every kind of bad input, and files written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from vestiary.encode import FORMATS
from vestiary.errors import ImageError, MissingExtraError, OptionError, OutputError
from vestiary.images import Opened, check_picture, encode_picture, open_picture, read_provenance, save_picture


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


@pytest.mark.parametrize("ending", [".png", ".jpg", ".jpeg", ".webp", ".PNG", ".avif", ".jxl"])
def test_saved_picture_carries_its_provenance_and_same_bytes(photo: np.ndarray, tmp_path: Path, ending: str) -> None:
    if ending == ".jxl":
        pytest.importorskip("imagecodecs")
    provenance = {"engine": "paste", "options": {"seed": 0}, "person": "æ"}
    paths = [tmp_path / f"{n}{ending}" for n in "ab"]
    for path in paths:
        save_picture(photo, path, provenance=provenance)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_provenance(paths[0]) == provenance
    assert far(open_picture(paths[0]).image, photo) <= (0 if ending.lower() == ".png" else 16)


def test_picture_of_others_has_no_provenance(photo: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert read_provenance(tmp_path / "a.png") == {}


def test_masks_and_cutouts_are_saved(photo: np.ndarray, tmp_path: Path) -> None:
    save_picture(photo[..., 0], tmp_path / "mask.png")
    save_picture(np.dstack([photo, photo[..., 0]]), tmp_path / "cut.png")
    for name, mode in (("mask.png", "L"), ("cut.png", "RGBA")):
        with Image.open(tmp_path / name) as picture:
            assert picture.mode == mode
    with pytest.raises(OutputError, match="transparency"):
        save_picture(np.dstack([photo, photo[..., 0]]), tmp_path / "cut.jpg")


@pytest.mark.parametrize(("name", "words"), [("a.bmp", "format"), ("a", "format"), ("none/a.png", "mkdir -p")])
def test_places_that_cannot_be_written(photo: np.ndarray, tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        save_picture(photo, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_folder_and_device_are_not_replaced(photo: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "null.png").symlink_to("/dev/null")
    for name in ("folder.png", "null.png"):
        with pytest.raises(OutputError):
            save_picture(photo, tmp_path / name)
    assert Path("/dev/null").is_char_device()


def test_full_disk_keeps_the_old_file(photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_picture(photo, tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="no space left"):
        save_picture(255 - photo, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_link_stays_a_link(photo: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "to.png").symlink_to(tmp_path / "real.png")
    save_picture(photo, tmp_path / "to.png")
    assert (tmp_path / "to.png").is_symlink()
    assert (tmp_path / "real.png").is_file()


@pytest.mark.parametrize("format", FORMATS)
def test_encoded_picture_is_the_same_each_time_and_says_where_it_comes_from(photo: np.ndarray, format: str) -> None:
    if format == "jxl":
        pytest.importorskip("imagecodecs")
    data = encode_picture(photo, format, provenance={"seed": 1, "words": "æ" * 500})
    assert data == encode_picture(photo, format, provenance={"seed": 1, "words": "æ" * 500})
    assert read_provenance(data) == {"seed": 1, "words": "æ" * 500}
    assert read_provenance(encode_picture(photo, format)) == {}
    assert far(open_picture(data).image, photo) <= (0 if format == "png" else 14)
    grey = open_picture(encode_picture(photo[..., 0], format)).image
    assert far(grey[..., 1], photo[..., 0]) <= 6
    if format != "png":
        assert len(encode_picture(photo, format, quality=20)) < len(encode_picture(photo, format, quality=95))


@pytest.mark.parametrize("format", ["png", "webp", "avif", "jxl"])
def test_encoded_cutout_keeps_its_alpha(photo: np.ndarray, format: str) -> None:
    if format == "jxl":
        pytest.importorskip("imagecodecs")
    alpha = np.full((96, 128), 255, np.uint8)
    alpha[:, :40] = 0
    opened = open_picture(encode_picture(np.dstack([photo, alpha]), format))
    assert opened.alpha is not None
    assert far(opened.alpha, alpha) <= 40
    assert np.mean(opened.alpha == alpha) > 0.9


def test_what_cannot_be_encoded_is_said(photo: np.ndarray) -> None:
    with pytest.raises(OutputError, match="png, jpeg, webp, avif, jxl"):
        encode_picture(photo, "bmp")  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="transparency"):
        encode_picture(np.dstack([photo, photo[..., 0]]), "jpeg")
    with pytest.raises(OutputError, match="20000 x 64 pixels cannot be written as webp"):
        encode_picture(np.zeros((64, 20000, 3), np.uint8), "webp")
    with pytest.raises(OptionError, match="1 to 100"):
        encode_picture(photo, "jpeg", quality=0)


def test_jpeg_xl_is_lossless_at_100_and_its_size_is_known_before(photo: np.ndarray) -> None:
    pytest.importorskip("imagecodecs")
    data = encode_picture(photo, "jxl", quality=100)
    assert np.array_equal(open_picture(data).image, photo)
    for height, width in ((96, 128), (64, 256), (72, 128), (333, 77), (1000, 900)):
        for provenance in (None, {"a": 1}):
            flat = encode_picture(np.zeros((height, width, 3), np.uint8), "jxl", provenance=provenance)
            with pytest.raises(ImageError, match=f"{width} x {height} = "):
                open_picture(flat, max_pixels=100)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("provenance", [None, {"a": "b" * 200}])
def test_spoilt_jpeg_xl_is_an_image_error_or_nothing(photo: np.ndarray, provenance: object) -> None:
    pytest.importorskip("imagecodecs")
    rng = np.random.default_rng(4)
    data = encode_picture(photo, "jxl", provenance=provenance)  # type: ignore[arg-type]
    for end in range(len(data) // 50, len(data), len(data) // 20):
        with pytest.raises(ImageError):
            open_picture(data[:end])
    for _ in range(150):
        spoilt = np.frombuffer(data, np.uint8).copy()
        spoilt[rng.integers(0, min(len(data), int(rng.choice([60, 400, len(data)]))), 3)] = rng.integers(0, 256, 3)
        with contextlib.suppress(ImageError):
            open_picture(spoilt.tobytes(), max_pixels=1_000_000)
            read_provenance(spoilt.tobytes())


def test_jpeg_xl_without_its_extra_says_the_pip_line(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vestiary\[codecs\]"'):
        save_picture(photo, tmp_path / "a.jxl")
    header = b"\xff\x0a" + bytes([0xFF, 0xFF, 0xFF]) + bytes(9)
    (tmp_path / "b.jxl").write_bytes(header)
    assert len(check_picture(tmp_path / "b.jxl")) == 64
    with pytest.raises(MissingExtraError, match="codecs"):
        open_picture(header)
