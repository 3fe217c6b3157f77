"""Stand-ins for the two recognisers, so that the tests around them need no model files and no time."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vestiary.errors import GarmentError, PersonError
from vestiary.types import Category, Garment, Joint, Landmark, Person

# What the user has set up is not what is tested; but the models that were fetched are there to be used.
for _name in [name for name in os.environ if name.startswith("VESTIARY_")]:
    if not _name.startswith(("VESTIARY_CACHE", "VESTIARY_TEST")):
        del os.environ[_name]
os.environ["VESTIARY_CONFIG"] = os.path.join(tempfile.gettempdir(), f"vestiary-tests-{os.getpid()}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """More time for what takes minutes; a second try, which the summary names, for what a browser does."""
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if marks & {"slow", "cluster"}:
            item.add_marker(pytest.mark.timeout(1800))
        if "browser" in marks:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with room for everything that is said to be fetched; tests of a full one bring their own."""
    usage = SimpleNamespace(total=10**13, used=0, free=10**13)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)


def standing(image: np.ndarray, source: str = "") -> Person:
    """A person who fills the picture, drawn by rule: only the joints that engines hang garments on are exact."""
    height, width = image.shape[:2]
    pose = np.zeros((33, 4), np.float32)
    pose[:, 3] = 0.9
    for joint, x, y in (
        (Joint.LEFT_SHOULDER, 0.65, 0.25),
        (Joint.RIGHT_SHOULDER, 0.35, 0.25),
        (Joint.LEFT_HIP, 0.58, 0.55),
        (Joint.RIGHT_HIP, 0.42, 0.55),
    ):
        pose[joint, :2] = x * width, y * height
    silhouette = np.zeros((height, width), np.uint8)
    silhouette[height // 8 :, width // 4 : -width // 4] = 255
    parts = np.where(silhouette > 0, 10, 0).astype(np.uint8)
    zeros = np.zeros((33, 3), np.float32), np.zeros((18, 3), np.float32)
    return Person(image.copy(), pose, *zeros, silhouette, parts, "front", timings={"scan": 0.01}, source=source)


def lying(image: np.ndarray, category: Category = "top", source: str = "") -> Garment:
    """A garment that fills the middle of the picture."""
    height, width = image.shape[:2]
    alpha = np.zeros((height, width), np.uint8)
    alpha[height // 8 : -height // 8, width // 8 : -width // 8] = 255
    landmarks = np.zeros((28, 3), np.float32)
    for mark, x, y in (
        (Landmark.SHOULDER_LEFT, 0.85, 0.15),
        (Landmark.SHOULDER_RIGHT, 0.15, 0.15),
        (Landmark.WAIST_LEFT, 0.85, 0.6),
        (Landmark.WAIST_RIGHT, 0.15, 0.6),
    ):
        landmarks[mark] = x * width, y * height, 1
    return Garment(
        image.copy(), alpha, category, landmarks, scores={category: 1.0}, timings={"read": 0.01}, source=source
    )


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Put the stand-ins in the recognisers' place and count how often each is asked; black photos show nothing."""
    return stand_in(monkeypatch)


def stand_in(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """As `looks`, for as long as the patch lasts."""
    asked: Counter[str] = Counter()

    def scan(image: np.ndarray, *, person: int | None = None, source: str = "", **_: object) -> Person:
        asked["person"] += 1
        if image.max() < 10:
            raise PersonError("no person was found in this photo.", hint="Hand in a photo of one person.")
        if (person or 1) > 1:
            raise PersonError(f"there is no person {person}: one was found.", hint="Leave --person out.")
        return standing(image, source)

    def read(
        image: np.ndarray, alpha: object = None, *, category: Category | None = None, source: str = "", **_: object
    ) -> Garment:
        asked["garment"] += 1
        if image.max() < 10:
            raise GarmentError("no garment was found in this photo.", hint="Hand in a photo of one garment.")
        return lying(image, category or "top", source)

    for name, function in (("vestiary.person.scan", scan), ("vestiary.garment.read", read)):
        module = ModuleType(name)
        setattr(module, name.rpartition(".")[2], function)
        monkeypatch.setitem(sys.modules, name, module)
    return asked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with `person.jpg`, `shirt.png`, `black.png` and the rest of what users hand in."""
    rng = np.random.default_rng(1)
    for name, size in (("person.jpg", (240, 320)), ("shirt.png", (200, 220)), ("other.jpg", (160, 200))):
        noise = rng.integers(30, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
        Image.fromarray(noise).resize(size).save(tmp_path / name)
    Image.new("RGB", (128, 128)).save(tmp_path / "black.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    (tmp_path / "text.jpg").write_text("this is no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "person.jpg").read_bytes()[:900])
    return tmp_path
