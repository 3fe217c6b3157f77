"""Flat garment patterns: their landmarks are exact, complete, and move with the cloth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vestiary.training.outlines import MIRRORED, dense, spline
from vestiary.training.patterns import Pattern, draw_pattern
from vestiary.types import CATEGORIES, LANDMARKS_OF, SLEEVES, UPPER, Category, Landmark, Sleeve

ON_THE_EDGE = ("NECK_", "SHOULDER_", "CUFF_", "WAIST_", "HIP_", "HEM_", "KNEE_", "ARMPIT_")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def to_outline(pattern: Pattern, place: np.ndarray) -> float:
    """Centimetres from a place to the nearest outline of a piece."""
    distances = [
        abs(cv2.pointPolygonTest(piece.outline.astype(np.float32), tuple(map(float, place)), True))
        for piece in pattern.pieces
    ]
    return min(distances)


@pytest.mark.parametrize("category", CATEGORIES)
def test_same_state_gives_the_same_garment(category: Category) -> None:
    first, second = (draw_pattern(generator(7), category) for _ in range(2))
    assert len(first.pieces) == len(second.pieces)
    for one, other in zip(first.pieces, second.pieces, strict=True):
        np.testing.assert_array_equal(one.outline, other.outline)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_garment_has_the_landmarks_of_its_category(category: Category) -> None:
    for seed in range(20):
        pattern = draw_pattern(generator(seed), category)
        expected = set(LANDMARKS_OF[category])
        if category in UPPER and pattern.sleeve != "long":
            expected -= {mark for mark in Landmark if mark.name.startswith("ELBOW")}
        if category in UPPER and pattern.sleeve == "none":
            expected -= {mark for mark in Landmark if mark.name.startswith("CUFF")}
        assert set(pattern.landmarks) == expected


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("crumpled", [0.0, 1.0])
def test_landmarks_lie_on_the_outlines_however_the_cloth_lies(category: Category, crumpled: float) -> None:
    for seed in range(12):
        pattern = draw_pattern(generator(seed), category, crumpled=crumpled)
        for mark, place in pattern.landmarks.items():
            if mark.name.startswith(ON_THE_EDGE):
                assert to_outline(pattern, place) < 1.2, f"seed {seed}: {mark.name} floats"


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_wearers_left_is_at_the_pictures_right(category: Category) -> None:
    for seed in range(10):
        marks = draw_pattern(generator(seed), category, crumpled=0).landmarks
        for name in ("WAIST", "HEM"):
            assert marks[Landmark[f"{name}_LEFT"]][0] > marks[Landmark[f"{name}_RIGHT"]][0]
        assert marks[Landmark.HEM_LEFT][1] > marks[Landmark.WAIST_LEFT][1]


def test_mirroring_swaps_left_and_right_and_twice_is_nothing() -> None:
    pattern = draw_pattern(generator(3), "top", sleeve="long")
    once = pattern.mirrored()
    for mark, place in once.landmarks.items():
        np.testing.assert_allclose(place, pattern.landmarks[MIRRORED[mark]] * (-1, 1))
    for mark, place in once.mirrored().landmarks.items():
        np.testing.assert_allclose(place, pattern.landmarks[mark])


@pytest.mark.parametrize("sleeve", SLEEVES)
def test_sleeves_come_out_as_asked_and_in_order_of_length(sleeve: Sleeve) -> None:
    pattern = draw_pattern(generator(1), "dress", sleeve=sleeve, neckline="v", crumpled=0)
    assert (pattern.sleeve, pattern.neckline) == (sleeve, "v")
    if sleeve == "none":
        return
    reach = np.linalg.norm(pattern.landmarks[Landmark.CUFF_OUTER_LEFT] - pattern.landmarks[Landmark.SHOULDER_LEFT])
    low, high = {"short": (4, 27), "half": (24, 48), "long": (40, 75)}[sleeve]
    assert low < reach < high


def test_openings_come_out_as_asked() -> None:
    assert len(draw_pattern(generator(0), "outerwear", opening="buttons").buttons) >= 4
    opened = draw_pattern(generator(0), "outerwear", opening="open")
    assert any(piece.name == "open front" and piece.kind == "inside" for piece in opened.pieces)


def test_the_back_of_the_neck_shows_above_the_front_neckline() -> None:
    pattern = draw_pattern(generator(2), "top", neckline="round", sleeve="short", crumpled=0)
    lowest = max(line[:, 1].max() for line in pattern.inner)
    assert pattern.landmarks[Landmark.NECK_FRONT][1] == pytest.approx(lowest, abs=0.3)


def test_spline_meets_its_points_and_dense_leaves_no_gaps() -> None:
    points = [(0, 0), (3, 8), (10, 2), (15, 15)]
    line = spline(*points)
    for point in points:
        assert np.linalg.norm(line - point, axis=1).min() < 1e-9
    filled = dense(np.array([(0, 0), (10, 0), (10, 5)], float), spacing=1.0)
    assert np.linalg.norm(np.diff(filled, axis=0), axis=1).max() <= 1.0 + 1e-9
    assert (filled == (10, 0)).all(axis=1).any()
