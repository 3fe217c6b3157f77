"""The garment network: geometry of its answers, the shipped weights on rendered photos, its recipe at toy size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vestiary import inference
from vestiary.errors import WeightsError
from vestiary.garment.network import SIDE, decode_landmarks, letterbox, look, look_once, turned_back
from vestiary.training.cloth import make_bank
from vestiary.training.synthetic import Sample, render
from vestiary.types import CATEGORIES, NECKLINES, SLEEVES


def rendered(count: int, seed: int = 0) -> list[Sample]:
    """Garments as the training renders them, without any real photo."""
    rng = np.random.default_rng(seed)
    bank = make_bank(rng)
    return [render(rng, bank, CATEGORIES[index % 6]) for index in range(count)]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one > 127, other > 127
    return float((one & other).sum() / max(1, (one | other).sum()))


@pytest.mark.parametrize("shape", [(400, 300), (300, 400), (64, 64), (37, 501)])
def test_the_letterbox_keeps_proportions_and_can_be_undone(shape: tuple[int, int]) -> None:
    photo = np.zeros((*shape, 3), np.uint8)
    photo[shape[0] // 2 :, shape[1] // 2 :] = 255
    canvas, scale, left, top = letterbox(photo)
    assert canvas.shape == (SIDE, SIDE, 3)
    corner = np.array([shape[1] // 2 - 0.5 + 0.5, shape[0] // 2 - 0.5 + 0.5]) * scale - 0.5 + (left, top)
    inside, outside = np.floor(corner + 2).astype(int), np.ceil(corner - 2).astype(int)
    assert canvas[inside[1], inside[0]].min() > 180
    assert canvas[outside[1], outside[0]].max() < 75


def test_landmarks_are_decoded_between_the_cells() -> None:
    y, x = np.mgrid[0:64, 0:64]
    places = np.column_stack([np.linspace(5.3, 55.7, 28), np.linspace(58.2, 4.4, 28)])
    heat = np.stack([-((x - px) ** 2 + (y - py) ** 2) / (2 * 1.3**2) for px, py in places])
    points = decode_landmarks(heat, np.full(28, 0.8))
    np.testing.assert_allclose(points[:, :2], (places + 0.5) * 4 - 0.5, atol=0.3)
    assert (points[:, 2] > 0.7).all()


def test_a_landmark_that_could_be_anywhere_is_not_trusted() -> None:
    assert decode_landmarks(np.zeros((28, 64, 64)), np.ones(28))[:, 2].max() < 0.05


def test_answers_have_the_photos_size_and_add_up() -> None:
    sample = rendered(1)[0]
    seen = look(cv2.resize(sample.image, (500, 300)))
    assert seen.mask.shape == (300, 500)
    assert seen.mask.dtype == np.uint8
    assert seen.landmarks.shape == (28, 3)
    assert np.hypot(*seen.up) == pytest.approx(1, abs=1e-5)
    for scores, names in (
        (seen.category_scores, CATEGORIES),
        (seen.sleeve_scores, SLEEVES),
        (seen.neckline_scores, NECKLINES),
    ):
        assert tuple(scores) == names
        assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        seen.mask[0, 0] = 1


def test_shipped_weights_see_garments() -> None:
    overlaps, apart, right, up = [], [], [], []
    for sample in rendered(24):
        assert sample.pattern is not None
        seen = look(sample.image)
        overlaps.append(overlap(seen.mask, sample.mask))
        there = sample.landmarks[:, 2] > 0
        rows, columns = np.nonzero(sample.mask > 127)
        diagonal = np.hypot(np.ptp(rows), np.ptp(columns))
        apart.append(np.median(np.linalg.norm((seen.landmarks - sample.landmarks)[there, :2], axis=1)) / diagonal)
        right.append(max(seen.category_scores, key=lambda name: seen.category_scores[name]) == sample.pattern.category)
        up.append(float(seen.up @ sample.up))
    assert np.median(overlaps) > 0.85
    assert np.median(apart) < 0.04
    assert np.mean(right) > 0.6
    assert np.median(up) > 0.9


def test_landmarks_and_mask_grow_with_the_photo() -> None:
    sample = rendered(1, seed=4)[0]
    small, large = look(sample.image), look(cv2.resize(sample.image, (768, 768), interpolation=cv2.INTER_CUBIC))
    sure = small.landmarks[:, 2] > 0.5
    np.testing.assert_allclose((large.landmarks[sure, :2] + 0.5) / 3 - 0.5, small.landmarks[sure, :2], atol=3)
    assert overlap(cv2.resize(large.mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA), small.mask) > 0.95


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_answers_are_turned_back_with_the_picture(turns: int) -> None:
    image = cv2.resize(rendered(1, seed=4)[0].image, (300, 220))
    seen = look_once(np.ascontiguousarray(np.rot90(image, turns)))
    back = turned_back(seen, turns)
    assert back.mask.shape == (220, 300)
    for (x, y, _), (u, v, _) in zip(seen.landmarks, back.landmarks, strict=True):
        if 1 < x < seen.mask.shape[1] - 2 and 1 < y < seen.mask.shape[0] - 2:
            assert seen.mask[round(float(y)), round(float(x))] == back.mask[round(float(v)), round(float(u))]
    down_is_up = np.array([0, -1]) if turns == 2 else None
    if down_is_up is not None:
        np.testing.assert_allclose(back.up, -seen.up, atol=1e-6)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_garments_on_their_side_or_head_are_recognised(turns: int) -> None:
    found = []
    for sample in rendered(60, seed=3):
        if sample.up[1] < -0.95:
            seen = look(np.ascontiguousarray(np.rot90(sample.image, turns)))
            found.append(float(seen.up @ [(0, -1), (-1, 0), (0, 1), (1, 0)][turns]) > 0.8)
    assert len(found) > 15
    assert np.mean(found) > 0.6


def test_the_same_photo_gives_the_same_answer_from_many_threads() -> None:
    image = rendered(1, seed=2)[0].image
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(look, [image] * 6)
    for other in others:
        np.testing.assert_array_equal(other.mask, first.mask)
        np.testing.assert_array_equal(other.landmarks, first.landmarks)


def test_a_missing_model_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inference.use_file("garment", tmp_path / "nothing.onnx")
    try:
        with pytest.raises(WeightsError, match="missing or broken"):
            look(np.zeros((64, 64, 3), np.uint8))
    finally:
        inference.use_file("garment", None)


def test_rendering_is_repeatable_and_its_landmarks_lie_on_the_garment() -> None:
    one, other = rendered(6, seed=9), rendered(6, seed=9)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.image, second.image)
        grown = cv2.dilate(first.mask, np.ones((11, 11), np.uint8))
        for x, y, there in first.landmarks:
            if there and 0 <= x < SIDE and 0 <= y < SIDE:
                assert grown[int(y), int(x)] > 0


@pytest.mark.train
def test_the_recipe_learns_resumes_and_exports(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    from vestiary.training.config import load_config
    from vestiary.training.garment import LandmarksRecipe
    from vestiary.training.loop import Trainer
    from vestiary.training.recipes import make_recipe

    samples = rendered(6)
    for name in ("t-shirt", "pants"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index, sample in enumerate(samples):
            cv2.imwrite(str(tmp_path / "photos" / name / f"{index}.jpg"), sample.image)
    plan = {"batch": 2, "workers": 0, "steps": 8, "log_steps": 1, "averaging": 0.5, "threads": 2}
    values = {"garments": str(tmp_path / "photos"), "pretrained": False, "validation": 2, "bank": 2, "labels": 2}
    values |= {"tests": None}
    config = load_config(LandmarksRecipe.Config, {**values, "frozen": 0, "rate": 0.003, "training": plan})
    told = []

    def listen(event: str, fields: dict[str, Any]) -> None:
        if event == "losses":
            told.append(sum(fields["losses"].values()))

    folder = tmp_path / "run"
    result = Trainer(make_recipe(LandmarksRecipe, config, folder), config, folder, on_event=listen).fit()
    assert result.steps == 8
    assert np.mean(told[-2:]) < np.mean(told[:2])
    assert {"iou", "landmarks", "category", "score"} <= set(result.figures)
    assert (folder / "pseudo").exists(), "photos are labelled after two thirds of the run"

    again = Trainer(make_recipe(LandmarksRecipe, config, folder), config, folder, resume=True)
    assert again.position.steps == 8
    assert again.recipe.labelled
    network = again.averaged["garment"]
    again.recipe.export({"garment": network}, tmp_path / "garment.onnx")
    picture = samples[0].image
    inference.use_file("garment", tmp_path / "garment.onnx")
    try:
        seen = look(picture)
    finally:
        inference.use_file("garment", None)
    with torch.no_grad():
        found = network(torch.from_numpy(picture).permute(2, 0, 1)[None].float())
    mask = (found["mask"][0, 0].sigmoid() * 255).numpy()
    assert np.abs(mask - seen.mask).max() < 4
