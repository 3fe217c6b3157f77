"""Landmarks that the outline defines, the reader by rules, and how reading is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vestiary import read_garment, samples
from vestiary.cli.main import main
from vestiary.errors import DatasetError
from vestiary.evaluation import garments as judged
from vestiary.garment import attributes, rules
from vestiary.garment.halfway import _level_armpits, derived, halfway
from vestiary.images import save_picture
from vestiary.training.garments import held_out
from vestiary.training.patterns import draw_pattern
from vestiary.types import LANDMARKS_OF, Category, Landmark, Sleeve


def drawn(
    category: Category, sleeve: Sleeve | None = None, seed: int = 0, side: int = 400
) -> tuple[np.ndarray, np.ndarray]:
    """The mask of a pattern that lies flat, and its exact landmarks with confidence 1."""
    pattern = draw_pattern(np.random.default_rng(seed), category, sleeve=sleeve, crumpled=0)
    x0, y0, x1, y1 = pattern.bounds()
    scale = 0.9 * side / max(x1 - x0, y1 - y0)
    shift = side / 2 - scale * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    mask = np.zeros((side, side), np.uint8)
    for piece in pattern.pieces:
        cv2.fillPoly(mask, [np.rint(piece.outline * scale + shift).astype(np.int32)], 255)
    points = np.zeros((28, 3), np.float32)
    for mark, place in pattern.landmarks.items():
        points[mark] = (*(place * scale + shift), 1)
    return mask, points


def test_elbows_and_knees_come_to_lie_half_way() -> None:
    for category, sleeve, names in (("top", "long", ("ELBOW_OUTER",)), ("trousers", None, ("KNEE_OUTER",))):
        mask, points = drawn(category, sleeve, seed=3)  # type: ignore[arg-type]
        moved = points.copy()
        marks = [Landmark[f"{name}_{side}"] for name in names for side in ("LEFT", "RIGHT")]
        moved[marks, 1] += 25
        found = derived(moved, LANDMARKS_OF[category], mask)  # type: ignore[index]
        for mark in marks:
            assert np.hypot(*(found[mark] - points[mark])[:2]) < 10, mark.name


def test_the_crotch_and_the_hips_are_where_the_legs_part() -> None:
    mask, points = drawn("trousers", seed=2)
    moved = points.copy()
    moved[Landmark.CROTCH, 1] -= 30
    moved[[Landmark.HIP_LEFT, Landmark.HIP_RIGHT], 1] -= 40
    found = derived(moved, LANDMARKS_OF["trousers"], mask)
    for mark in (Landmark.CROTCH, Landmark.HIP_LEFT, Landmark.HIP_RIGHT):
        assert np.hypot(*(found[mark] - points[mark])[:2]) < 12, mark.name


def test_unsure_landmarks_define_nothing() -> None:
    mask, points = drawn("trousers", seed=2)
    points[:, 2] *= 0.2
    np.testing.assert_array_equal(derived(points, LANDMARKS_OF["trousers"], mask), points)
    np.testing.assert_array_equal(derived(points, LANDMARKS_OF["trousers"], np.zeros_like(mask)), points)


def test_half_way_goes_along_the_outline() -> None:
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([100 * np.cos(turn), 100 * np.sin(turn)]).astype(np.float32)
    middle = halfway(ring, np.array([100, 0], np.float32), np.array([0, 100], np.float32))
    np.testing.assert_allclose(middle, [70.7, 70.7], atol=2)
    assert halfway(ring, np.array([100, 0], np.float32), np.array([-100, 0], np.float32)) is None, "a detour"


def test_long_ones_without_sleeves_are_dresses_and_short_ones_tops() -> None:
    for category, longer in (("top", False), ("dress", True)):
        lengths = [attributes.torso_length(drawn(category, "none", seed)[1]) for seed in range(12)]  # type: ignore[arg-type]
        assert (np.median(lengths) > 1.4) == longer
    assert attributes.torso_length(np.zeros((28, 3), np.float32)) == 0


@pytest.mark.parametrize(
    ("category", "sleeve", "seed"),
    [("trousers", None, 2), ("top", "long", 3), ("dress", "none", 3), ("skirt", None, 2), ("shorts", None, 4)],
)
def test_rules_know_plain_outlines(category: Category, sleeve: Sleeve | None, seed: int) -> None:
    assert rules.category_by_outline(drawn(category, sleeve, seed)[0]) == category


def test_the_reader_by_rules_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("vestiary.inference.session", forbidden)
    garment = read_garment(samples.garments()["tee_white"], reader="rules")
    assert garment.category == "top"
    assert garment.embedding is None
    assert 0.1 < (garment.alpha > 127).mean() < 0.8
    assert read_garment(samples.garments()["jeans_blue"], reader="rules").category == "trousers"


def test_the_command_takes_the_reader(capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(samples.garments()["jeans_blue"])
    assert main(["garment", photo, "--reader", "rules", "--json"]) == 0
    ruled = json.loads(capsys.readouterr().out)
    assert ruled["embedding"] is None
    assert main(["garment", photo, "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert len(seen["embedding"]) == 96
    assert seen["pattern"] == "plain"
    assert seen["colour_names"][0] == "blue" == seen["colours"][0]["name"]
    assert len(seen["colours"][0]["lab"]) == 3


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with two sample garments as photos, and a file with their true landmarks and outlines."""
    folder, photos = tmp_path_factory.mktemp("labelled"), []
    held = next(f"{i}.jpg" for i in range(99) if held_out(Path(f"{i}.jpg")))
    for name, kind in (("longsleeve_striped", "longsleeve"), ("jeans_blue", "pants")):
        facts, place = samples.garment_facts()[name], f"{kind}/{held}"
        garment = read_garment(samples.garments()[name])
        ground = np.full_like(garment.image, 236)
        picture = np.where(garment.alpha[..., None] > 127, garment.image, ground)
        (folder / place).parent.mkdir()
        save_picture(picture, folder / place)
        scale = picture.shape[1] / facts["size"][0]
        entry = {name: facts.get(name, "none") for name in ("category", "sleeve", "neckline")}
        entry |= {"photo": place, "pattern": garment.pattern, "length": None, "colour": list(garment.colour_names)}
        entry["landmarks"] = {m: [x * scale, y * scale, 1] for m, (x, y) in facts["landmarks"].items()}
        entry["mask"] = [(np.array(facts["outline"]) * scale).tolist()]
        photos.append(entry)
    file = folder / "labels.json"
    file.write_text(json.dumps({"photos": photos}))
    return folder, file


def test_landmarks_and_cutouts_are_judged(labelled: tuple[Path, Path]) -> None:
    folder, file = labelled
    found = judged.evaluate_landmarks(folder, labels=file)
    assert found["photos"] == 2
    for way in ("given", "guessed"):
        figures = found[way]
        assert figures["median"]["value"] < 0.03
        assert figures["pck6"]["value"] > 0.7
        assert figures["iou_mean"]["low"] <= figures["iou_mean"]["value"] <= figures["iou_mean"]["high"]
        assert figures["iou_mean"]["value"] > 0.93
        assert set(figures["by_category"]) == {"top", "trousers"}
    json.dumps(found)


def test_what_is_not_found_counts_as_wholly_wrong(labelled: tuple[Path, Path]) -> None:
    folder, file = labelled
    label = judged.read_labels(folder, file)[0]
    errors = judged.errors_of(None, label, folder / label["photo"])
    assert errors.iou == 0
    assert set(errors.by_mark.values()) == {1.0}


def test_words_are_judged(labelled: tuple[Path, Path]) -> None:
    folder, file = labelled
    found = judged.evaluate_attributes(folder, labels=file)
    assert found["labelled"]["category"]["value"] == 1
    assert found["labelled"]["colour"]["value"] == 1
    assert found["labelled"]["length"]["count"] == 0
    json.dumps(found)


def test_missing_photos_are_named(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lacks 2 of the labelled photos"):
        judged.evaluate_landmarks(tmp_path, labels=labelled[1])
    with pytest.raises(DatasetError, match="no labels"):
        judged.evaluate_landmarks(tmp_path, labels=tmp_path / "none.json")


def test_holes_of_labels_are_cut_out() -> None:
    label = {"mask": [[[0, 0], [20, 0], [20, 20], [0, 20]]], "holes": [[[5, 5], [10, 5], [10, 10], [5, 10]]]}
    mask = judged.draw_mask(label, (30, 30))
    assert mask[3, 3] == 255
    assert mask[7, 7] == mask[25, 25] == 0


def test_an_armpit_leaves_the_notch_of_a_sleeve_that_lies_on_the_trunk() -> None:
    seen = np.zeros((len(Landmark), 3), np.float32)
    seen[Landmark.ARMPIT_LEFT], seen[Landmark.ARMPIT_RIGHT] = (300, 110, 1), (100, 100, 1)
    found = seen.copy()
    found[Landmark.ARMPIT_LEFT] = (295, 180, 1)
    _level_armpits(seen, found)
    assert found[Landmark.ARMPIT_LEFT].tolist() == [300, 110, 1]
    both = seen + np.array([0, 60, 0], np.float32)
    moved = both.copy()
    _level_armpits(seen, moved)
    assert np.array_equal(moved, both), "two notches at one height are believed"
