"""Hostile pictures: cut, changed, with forged sizes, packed to burst: a picture or an `ImageError`, within bounds."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import stand_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vestiary import jpegxl
from vestiary.errors import ImageError, MissingExtraError
from vestiary.images import encode_picture, open_picture

WIDTH, HEIGHT = 167, 139  # found again in the bytes of a header
MOST = 4_000_000  # pixels
QUICK = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


def noise() -> np.ndarray:
    small = np.random.default_rng(1).integers(0, 255, (HEIGHT // 8 + 1, WIDTH // 8 + 1, 3), np.uint8)
    return np.array(Image.fromarray(small).resize((WIDTH, HEIGHT)))


def saved(kind: str, **more: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(noise()).save(data, kind, **more)
    return data.getvalue()


def seeds() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    found = {kind: saved(kind) for kind in ("PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "PPM")}
    found |= {"JPEG": saved("JPEG", exif=exif), "JPEG in scans": saved("JPEG", progressive=True)}
    found["AVIF"] = encode_picture(noise(), "avif")
    with contextlib.suppress(MissingExtraError):
        found["JPEG XL"] = encode_picture(noise(), "jxl")
    return found


SEEDS = seeds()


def outcome(data: bytes) -> bool:
    """Whether it is a picture; anything but that and `ImageError` is a failure, as are more than 5 s."""
    begun = time.thread_time()
    try:
        opened = open_picture(data, max_pixels=MOST)
    except ImageError:
        opened = None
    assert time.thread_time() - begun < 5
    assert opened is None or opened.image.shape[0] * opened.image.shape[1] <= MOST
    return opened is not None


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A picture with bytes changed, moved, doubled or cut off."""
    data = bytearray(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)) | st.integers(0, 120))
        length = draw(st.integers(0, 40))
        match draw(st.sampled_from(["flip", "put", "remove", "double", "cut"])):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                data[at : at + length] = draw(st.binary(max_size=12) | st.just(b"\xff" * 8) | st.just(bytes(8)))
            case "remove":
                del data[at : at + length]
            case "double":
                data[at:at] = data[at : at + 20 * length]
            case "cut":
                del data[max(at, 20) :]
    return bytes(data)


@pytest.mark.filterwarnings("ignore")
@settings(QUICK, max_examples=250)
@given(data=mutated())
def test_spoilt_pictures_are_pictures_or_errors(data: bytes) -> None:
    outcome(data)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@settings(QUICK, max_examples=6000)
@given(data=mutated())
def test_thousands_of_spoilt_pictures_are_pictures_or_errors(data: bytes) -> None:
    outcome(data)


def forged(data: bytes, width: int, height: int) -> Iterator[bytes]:
    """The picture with other sizes wherever its own may be written, in whatever number format."""
    for kind in (">I", "<I", ">H", "<H"):
        top = 256 ** struct.calcsize(kind) - 1
        for less in (0, 1):
            changed = data
            for own, wanted in ((WIDTH, width), (HEIGHT, height)):
                changed = changed.replace(struct.pack(kind, own - less), struct.pack(kind, min(wanted - less, top)))
            if changed != data:
                yield checked(changed)


def checked(data: bytes) -> bytes:
    """With the checksum of a PNG's header put right."""
    if not data.startswith(b"\x89PNG"):
        return data
    return data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", sorted(SEEDS))
@pytest.mark.parametrize("size", [(65_535, 65_535), (2**31 - 1, 2**31 - 1), (1, 2**24), (2000, 1999), (1, 1)], ids=str)
def test_sizes_that_are_not_true_are_refused(kind: str, size: tuple[int, int]) -> None:
    variants = list(forged(SEEDS[kind], *size))
    assert variants or kind in ("JPEG XL", "PPM")  # where sizes are bits, or text
    for data in variants:
        outcome(data)


def test_a_jpeg_that_draws_itself_a_thousand_times_is_refused_at_once() -> None:
    data = SEEDS["JPEG in scans"]
    scan = data[data.rfind(b"\xff\xc4", 0, data.rfind(b"\xff\xda")) : -2]
    assert outcome(data)
    begun = time.thread_time()
    with pytest.raises(ImageError, match="scans"):
        open_picture(data[:-2] + scan * 1000 + data[-2:])
    assert time.thread_time() - begun < 0.5


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>",
        b"%PDF-1.7",
        b"GIF89a",
        b"\0",
    ],
)
def test_what_is_no_picture_is_told(data: bytes) -> None:
    assert not outcome(data)


def bombs(folder: Path) -> list[Path]:
    """Files of some kilobytes that hold hundreds of megabytes."""
    void = zlib.compress(bytes(200_000_000), 9)
    png = SEEDS["PNG"]

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(50_000_000))
    side = 4800
    grey = zlib.compress(bytes((side + 1) * side), 9)
    huge = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    deep = io.BytesIO()
    Image.new("F", (4000, 4000)).save(deep, "TIFF", compression="tiff_adobe_deflate")
    contents = {
        "profile": png[:33] + chunk(b"iCCP", b"x\0\0" + void) + png[33:],
        "text": png[:33] + chunk(b"zTXt", b"x\0\0" + void) + png[33:],
        "late-text": png[:-12] + chunk(b"iTXt", b"x\0\1\0\0\0" + void) + png[-12:],
        "pixels": png[:33] + chunk(b"IDAT", void) + png[33:],
        "large": png[:8] + huge + chunk(b"IDAT", grey) + chunk(b"IEND", b""),
        "zip": packed.getvalue(),
        "deep": deep.getvalue(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


CHILD = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
from vestiary import jpegxl
from vestiary.errors import ImageError, MissingExtraError
from vestiary.images import open_picture
told = {}
for path in sys.argv[1:]:
    begun = time.process_time()
    try:
        open_picture(path)
        word = "picture"
    except ImageError:
        word = "error"
    told[path.rpartition("/")[2]] = [word, time.process_time() - begun]
try:  # its own peak; ru_maxrss begins with that of the process that started this one
    most = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
except OSError:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([told, most // 1024]))
"""


def test_bombs_burst_nothing(tmp_path: Path) -> None:
    order = [sys.executable, "-c", CHILD, *(str(path) for path in bombs(tmp_path))]
    done = subprocess.run(order, capture_output=True, text=True, timeout=120, check=True)
    told, megabytes = json.loads(done.stdout)
    assert told["zip"][0] == "error"
    assert told["large"][0] == told["deep"][0] == "picture"
    assert max(seconds for _, seconds in told.values()) < 20
    assert megabytes < 1000, "what 24 megapixels take at most"


@pytest.mark.filterwarnings("ignore")
def test_over_http_none_of_it_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from vestiary.serve.app import create_app
    from vestiary.serve.settings import Settings

    stand_in(monkeypatch)
    place = {"database": f"sqlite:///{tmp_path}/v.db", "storage": str(tmp_path / "kept")}
    app = create_app(Settings(**place, workers=0, rate_per_minute=10**6, max_pixels=MOST))
    with TestClient(app, base_url="http://localhost") as client:

        @settings(QUICK, max_examples=40)
        @given(data=mutated(), kind=st.sampled_from(["people", "garments"]))
        def upload(data: bytes, kind: str) -> None:
            answer = client.post(f"/v1/{kind}", files={"photo": data})
            assert answer.status_code in (201, 413, 415, 422), answer.text

        upload()
        for kind in ("people", "garments"):
            for found in client.get(f"/v1/{kind}").json():
                assert client.get(f"/v1/{kind}/{found['id']}/picture").status_code == 200


def jpegxl_header(extra: int) -> bytes:
    """The beginning of a JPEG XL of 2,000 × 2,000 pixels with so many channels besides its colours."""
    size = [(0, 1), (1, 2), (1999, 13), (1, 3)]  # not small; 13 bits of height; as wide as high
    depth = [(0, 1), (0, 2)]  # whole numbers of 8 bits
    fields = [*size, (0, 1), (0, 1), *depth, (1, 1), (3, 2), (extra - 1, 12)]
    text = "".join(f"{value:0{bits}b}"[::-1] for value, bits in fields)
    return b"\xff\x0a" + int(text[::-1], 2).to_bytes(40, "little")


def jpegxl_parts(stream: bytes, *cuts: int) -> bytes:
    """A JPEG XL file whose codestream is cut into boxes."""
    file = b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
    for number, (begin, end) in enumerate(zip((0, *cuts), (*cuts, len(stream)), strict=True)):
        file += struct.pack(">I4sI", end - begin + 12, b"jxlp", number) + stream[begin:end]
    return file


@pytest.mark.parametrize("wrap", [bytes, lambda stream: jpegxl_parts(stream, 3, 5)], ids=["bare", "in-parts"])
def test_jpegxl_with_more_channels_than_a_picture_has_is_refused(wrap: Callable[[bytes], bytes]) -> None:
    pytest.importorskip("imagecodecs")
    for extra in (2, 17, 4096):
        data = wrap(jpegxl_header(extra))
        assert jpegxl.size_of(data) == (2000, 2000)
        assert jpegxl.extra_channels(data) == extra
        with pytest.raises(ValueError, match="extra channel"):
            jpegxl.decode(data)
        with pytest.raises(ImageError):
            open_picture(data)
    assert jpegxl.extra_channels(wrap(jpegxl.encode(np.zeros((8, 8, 4), np.uint8), quality=90))) == 1
    with pytest.raises(ValueError, match="cut short"):
        jpegxl.extra_channels(jpegxl_header(4096)[:6])
