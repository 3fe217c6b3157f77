"""Garment detail: what survives is told from what does not, for any engine."""

from __future__ import annotations

from pathlib import Path

import cv2
import figures
import numpy as np
import pytest
from conftest import lying, standing

from vestiary.evaluation import detail, slices, synthetic
from vestiary.evaluation.torso import worn_region, worn_scale
from vestiary.types import Garment, Person


def printed(seed: int = 0) -> np.ndarray:
    """`(400, 320, 3)`: cloth with irregular shapes and letters all over it."""
    rng = np.random.default_rng(seed)
    image = np.full((400, 320, 3), (225, 222, 215), np.uint8)
    for _ in range(60):
        x, y = (int(rng.integers(20, side - 20)) for side in (320, 400))
        colour = [int(c) for c in rng.integers(0, 255, 3)]
        if rng.random() < 0.5:
            cv2.circle(image, (x, y), int(rng.integers(4, 14)), colour, -1)
        else:
            word = "".join(chr(c) for c in rng.integers(65, 90, 3))
            cv2.putText(image, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
    return cv2.GaussianBlur(image, (0, 0), 0.8)


@pytest.fixture(scope="module")
def pair() -> tuple[Person, Garment]:
    ground = np.full((640, 480, 3), 150, np.uint8)
    return standing(ground), lying(printed())


def worn(pair: tuple[Person, Garment], bend: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The garment laid on the photo at its worn size, bent by a smooth wave of so many pixels: result and mask."""
    person, garment = pair
    scale = worn_scale(garment, person)
    y, x = np.mgrid[: person.image.shape[0], : person.image.shape[1]].astype(np.float32)
    left, right = (garment.landmarks[mark, :2] for mark in (4, 3))
    middle = (person.pose[11, :2] + person.pose[12, :2]) / 2
    u = (x - middle[0] + bend * np.sin(y / 40)) / scale + (left[0] + right[0]) / 2
    v = (y - middle[1] + bend * np.sin(x / 50)) / scale + left[1]
    alpha = cv2.remap(garment.alpha, u, v, cv2.INTER_LINEAR)
    colour = cv2.remap(garment.image, u, v, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.where(alpha[..., None] > 127, colour, person.image), np.where(alpha > 127, 255, 0).astype(np.uint8)


def test_a_print_that_is_moved_is_found(pair: tuple[Person, Garment]) -> None:
    flat = detail.FlatPrint(pair[1], pair[0])
    for bend in (0.0, 6.0):
        result, mask = worn(pair, bend)
        matches = flat.matches(result, mask)
        assert matches.kept is not None
        assert matches.kept > 0.5
        u, v = matches.flat.T
        assert len(u) == len(matches.worn)
        assert pair[1].alpha[v.astype(int), u.astype(int)].all()


def test_a_lost_print_is_missed(pair: tuple[Person, Garment]) -> None:
    flat = detail.FlatPrint(pair[1], pair[0])
    result, mask = worn(pair)
    kept = [
        flat.matches(picture, mask).kept
        for picture in (result, *(cv2.GaussianBlur(result, (0, 0), s) for s in (1.5, 4)))
    ]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 3 * kept[2]
    assert flat.matches(pair[0].image, mask).kept == 0
    mirrored = np.ascontiguousarray(result[:, ::-1])
    assert flat.matches(mirrored, np.ascontiguousarray(mask[:, ::-1])).kept < 0.1
    other, _ = worn((pair[0], lying(printed(7))))
    assert flat.matches(other, mask).kept < 0.1


def test_plain_garments_have_no_print(pair: tuple[Person, Garment]) -> None:
    plain = lying(np.full((400, 320, 3), 120, np.uint8))
    flat = detail.FlatPrint(plain, pair[0])
    result, mask = worn((pair[0], plain))
    assert flat.matches(result, mask).kept is None
    assert detail.texture_kept(plain, pair[0], result) is None
    assert slices.of_garment(plain, 0)["pattern"] == "plain"
    assert slices.of_garment(pair[1], 500) == {"category": "top", "pattern": "patterned", "sleeve": "none"}


def test_texture_and_colour(pair: tuple[Person, Garment]) -> None:
    weave = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 60, (400, 320, 3)), (0, 0), 1.5)
    person, garment = pair[0], lying(np.clip(weave + np.array((150, 130, 110)), 0, 255).astype(np.uint8))
    result, _ = worn((person, garment))
    crisp = detail.texture_kept(garment, person, result)
    soft = detail.texture_kept(garment, person, cv2.GaussianBlur(result, (0, 0), 2))
    rng = np.random.default_rng(0)
    noisy = np.clip(result + rng.normal(0, 25, result.shape), 0, 255).astype(np.uint8)
    assert crisp == pytest.approx(1, abs=0.2)
    assert soft is not None
    assert soft < 0.7 * crisp
    assert detail.texture_kept(garment, person, noisy) > 1.2 * crisp
    tinted = np.clip(result + np.array((25, -10, 0)), 0, 255).astype(np.uint8)
    darker = (result * 0.8).astype(np.uint8)
    shifts = [detail.colour_shift(garment, person, picture) for picture in (result, darker, tinted)]
    assert shifts[0] < 3
    assert shifts[1] < 4
    assert shifts[2] > 8


def test_regions_stay_inside(pair: tuple[Person, Garment]) -> None:
    for category in ("top", "dress", "skirt", "trousers"):
        flat, seen = worn_region(lying(printed(), category), figures.person(), figures.person().image)
        assert flat is not None
        assert seen is not None
        assert seen.mask.shape == seen.image.shape[:2]
    person = standing(np.zeros((60, 40, 3), np.uint8))
    assert worn_region(pair[1], person, person.image)[1] is None


def test_pattern_match_forgives_places_not_blur(pair: tuple[Person, Garment]) -> None:
    truth, mask = worn(pair)
    moved = np.roll(truth, (5, -6), axis=(0, 1))
    scores = [
        synthetic.pattern_match(picture, truth, mask)
        for picture in (truth, moved, cv2.GaussianBlur(truth, (0, 0), 4), pair[0].image)
    ]
    assert scores[0] == pytest.approx(1, abs=1e-3)
    assert scores[1] > 0.9
    assert scores[2] < 0.9
    assert scores[3] < 0.3
    assert synthetic.pattern_match(truth, np.full_like(truth, 90), mask) is None


def test_print_place_measures_displacement(pair: tuple[Person, Garment], tmp_path: Path) -> None:
    person, garment = pair
    truth, mask = worn(pair)
    scale = worn_scale(garment, person)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    middle = (person.pose[11, :2] + person.pose[12, :2]) / 2
    flow = np.dstack([(x - middle[0]) / scale + 160, (y - middle[1]) / scale + 0.15 * 400])
    stored = np.zeros((*mask.shape, 3), np.uint16)
    stored[..., 2], stored[..., 1] = (np.clip(flow[..., c] * 32, 0, 65535).round() for c in (0, 1))
    stored[..., 0] = mask > 0
    cv2.imwrite(str(tmp_path / "flow.png"), stored)
    read = synthetic.read_flow(tmp_path / "flow.png", 32)
    assert np.isnan(read[0, 0]).all()
    assert np.nanmax(np.abs(read - np.where(mask[..., None] > 0, flow, np.nan))) < 0.05
    flat = detail.FlatPrint(garment, person)
    for shift in (0, 12):
        matches = flat.matches(np.roll(truth, shift, axis=1), np.roll(mask, shift, axis=1))
        place = synthetic.print_place(matches, read, 100.0)
        assert place == pytest.approx(shift, abs=2)


def test_slices_of_a_person() -> None:
    found = slices.of_person(figures.person())
    assert found["facing"] == "front"
    assert set(found) <= set(slices.TITLES)
    facts = {"scene": {"light": "hard", "background": "street", "frame": "half"}, "body": {"weight": 0.9}}
    assert slices.of_facts(facts) == {"light": "hard", "background": "street", "frame": "half", "body": "broad"}
    assert slices.of_facts({"line": 3}) == {}
