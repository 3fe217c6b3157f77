"""The sample pictures open, are small enough, have a licence line each, and fit what is written of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vestiary import samples
from vestiary.types import CATEGORIES, LANDMARKS_OF, NECKLINES, SLEEVES, Landmark

FOLDER = Path(samples.__file__).parent
GARMENTS = sorted(samples.garments())
FACTS = samples.garment_facts()


def silhouette(name: str) -> np.ndarray:
    """`(H, W) bool` of the garment's exact outline."""
    width, height = FACTS[name]["size"]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.array(FACTS[name]["outline"], np.int32)], 255)
    return mask > 0


@pytest.mark.parametrize("path", [*samples.people().values(), *samples.garments().values()], ids=lambda path: path.name)
def test_a_sample_opens_at_a_useful_size(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()
        assert min(picture.size) >= 512
        assert max(picture.size) <= 1200
        assert picture.mode == ("RGBA" if path.suffix == ".png" else "RGB")


def test_every_picture_is_listed_and_has_a_licence() -> None:
    listed = {path.name for path in (*samples.people().values(), *samples.garments().values())}
    assert listed == {path.name for path in FOLDER.iterdir() if path.suffix in {".jpg", ".png"}}
    rows = [
        line for line in (FOLDER / "LICENSES.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")
    ]
    licence = {row.split("`")[1]: row.strip("| ").split("|")[-1].strip() for row in rows}
    assert set(licence) == listed | {"garments.json"}
    assert set(licence.values()) <= {"CC0 1.0", "public domain (NASA)"}


def test_all_samples_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) <= 6_000_000


def test_the_demo_pairs_name_samples() -> None:
    people, garments = samples.people(), samples.garments()
    assert len(samples.pairs()) == len(set(samples.pairs())) > 0
    for person, worn in samples.pairs():
        assert person in people
        assert set(worn) <= set(garments)


def test_every_category_has_a_sample() -> None:
    assert {facts["category"] for facts in FACTS.values()} == set(CATEGORIES)
    assert set(FACTS) == set(GARMENTS)


@pytest.mark.parametrize("name", GARMENTS)
def test_what_is_known_of_a_garment_fits_its_picture(name: str) -> None:
    facts = FACTS[name]
    with Image.open(samples.garments()[name]) as picture:
        assert list(picture.size) == facts["size"]
    assert facts["sleeve"] in SLEEVES
    assert facts["neckline"] in NECKLINES
    allowed = {mark.name for mark in LANDMARKS_OF[facts["category"]]} | {
        Landmark.HIP_LEFT.name,
        Landmark.HIP_RIGHT.name,
    }
    assert set(facts["landmarks"]) <= allowed


@pytest.mark.parametrize("name", GARMENTS)
def test_landmarks_lie_on_the_garment(name: str) -> None:
    away = cv2.distanceTransform((~silhouette(name)).astype(np.uint8), cv2.DIST_L2, 5)
    for mark, (x, y) in FACTS[name]["landmarks"].items():
        assert away[round(y), round(x)] <= 8, mark


@pytest.mark.parametrize("name", GARMENTS)
def test_left_is_the_wearers_left(name: str) -> None:
    marks = FACTS[name]["landmarks"]
    for mark, (x, _) in marks.items():
        if mark.endswith("_LEFT"):
            assert x > marks[mark.removesuffix("LEFT") + "RIGHT"][0], mark


def test_the_cut_out_sample_has_the_outline_that_is_written() -> None:
    with Image.open(samples.garments()["top_vneck"]) as picture:
        alpha = np.asarray(picture.getchannel("A")) > 127
    drawn = silhouette("top_vneck")
    assert (alpha & drawn).sum() / (alpha | drawn).sum() > 0.99


@pytest.mark.parametrize("name", GARMENTS)
def test_the_outline_is_where_the_picture_has_an_edge(name: str) -> None:
    with Image.open(samples.garments()[name]) as picture:
        over_grey = Image.new("RGBA", picture.size, (128, 128, 128, 255))
        over_grey.alpha_composite(picture.convert("RGBA"))
    grey = cv2.GaussianBlur(np.asarray(over_grey.convert("L"), np.float32), (0, 0), 1)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    drawn = silhouette(name).astype(np.uint8)
    away = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, 5) + cv2.distanceTransform(drawn, cv2.DIST_L2, 5)
    outside = (away > 14) & (away < 22) & (drawn == 0)
    assert slope[away < 2.5].mean() > 2 * slope[outside].mean()
