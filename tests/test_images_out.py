"""Pictures out: files written whole or not at all, with what they say of themselves; and JPEG XL both ways."""

from __future__ import annotations

import contextlib
import errno
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_images import far, photo

from vestiary.encode import FORMATS
from vestiary.errors import ImageError, MissingExtraError, OptionError, OutputError
from vestiary.images import check_picture, encode_picture, open_picture, read_provenance, save_picture

__all__ = ["photo"]


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
