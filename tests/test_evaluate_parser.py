"""Scoring the parser: overlaps by hand, intervals, and the whole path on a photo labelled with its own parts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import vestiary.samples
from vestiary.errors import DatasetError, ImageError
from vestiary.evaluation import parser as evaluation
from vestiary.person.parsing import CLASSES
from vestiary.types import Part

INDEX = {name: i for i, name in enumerate(CLASSES)}
NAMES = ("null", "hair", "skin", "top", "coat", "pants", "bag")
OF_CLASS = {"hair": 1, "face": 2, "neck": 2, "arm": 2, "hand": 2, "top": 3, "outerwear": 4, "trousers": 5, "bag": 6}


def drawn(**rows):
    """`(20, 10)`: bands of classes from row to row."""
    classes = np.zeros((20, 10), np.uint8)
    for name, (first, last) in rows.items():
        classes[first:last] = INDEX[name]
    return classes


def test_overlaps_are_intersections_over_unions():
    truth, found = drawn(top=(0, 8), trousers=(8, 16)), drawn(outerwear=(0, 4), top=(4, 10), trousers=(10, 16))
    classes, merged = evaluation.overlaps(evaluation.intersections(found, truth))
    assert classes["top"] == pytest.approx(4 / 10)
    assert merged["top_outerwear"] == pytest.approx(8 / 10)
    assert merged["trousers_shorts"] == pytest.approx(6 / 8)
    assert set(merged) == {"background", "top_outerwear", "trousers_shorts"}


def test_unlabelled_pixels_count_for_nothing():
    truth, found = drawn(top=(0, 8)), drawn(top=(0, 12))
    truth[8:12] = 255
    assert evaluation.overlaps(evaluation.intersections(found, truth))[0]["top"] == 1


def test_the_interval_holds_the_mean_and_shrinks_with_more_photos():
    rng = np.random.default_rng(0)
    tally = evaluation.Tally()
    for _ in range(40):
        tally.add(drawn(top=(0, int(rng.integers(4, 8)))), drawn(top=(0, 8)))
    whole = tally.summary()
    low, high = whole["miou_interval"]
    assert low < whole["miou"] < high
    few = evaluation.interval(tally.photos[:5], ["background", "top_outerwear"])
    assert few[1] - few[0] > high - low
    assert evaluation.interval(tally.photos[:5], ["background", "top_outerwear"]) == few


def test_every_part_has_its_class():
    parts = np.arange(len(Part), dtype=np.uint8)[None]
    named = [CLASSES[i] for i in evaluation.to_network_classes(parts)[0]]
    assert named[:8] == ["background", "hair", "face", "neck", "arm", "arm", "hand", "hand"]
    assert named[-4:] == ["shoes", "bag", "hat", "accessory"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with one photo, labelled with what the parser says of it."""
    root = tmp_path_factory.mktemp("data")
    for name in ("photos", "labels"):
        (root / name).mkdir()
    (root / "labels.txt").write_text("".join(f"{i}\t{name}\n" for i, name in enumerate(NAMES)))
    (root / "photos" / "0010.jpg").write_bytes((Path(vestiary.samples.__file__).parent / "astronaut.jpg").read_bytes())
    image = evaluation.read_photo(root / "photos" / "0010.jpg")
    seen = evaluation._pose_and_silhouette(image)
    classes = evaluation.to_network_classes(evaluation.find_parts(image, *seen))
    label = np.zeros(256, np.uint8)
    for name, number in OF_CLASS.items():
        label[INDEX[name]] = number
    cv2.imwrite(str(root / "labels" / "0010.png"), label[classes])
    cv2.imwrite(str(root / "labels" / "0011.png"), label[classes])
    return root


def test_the_parser_agrees_with_itself_and_rules_less(folder):
    found = evaluation.evaluate_parser(folder)
    assert found["photos"] == 1
    assert found["missed"] == []
    assert found["merged"]["top_outerwear"] == found["top_outerwear"] > 0.97
    assert found["merged"]["skin"] > 0.97
    assert {"classes", "merged", "miou", "miou_interval", "top_outerwear"} <= set(found["upper"])
    assert found["literal"]["miou"] > 0.9
    rules = evaluation.evaluate_parser(folder, parser="rules")
    assert 0.3 < rules["merged"]["skin"] < found["merged"]["skin"]


def test_faults_of_the_folder_are_named(folder, tmp_path):
    with pytest.raises(DatasetError, match=r"no labels\.txt and no photos") as caught:
        evaluation.evaluate_parser(tmp_path)
    assert "photos/ID.jpg" in caught.value.hint
    photo, label = folder / "photos" / "0010.jpg", folder / "labels" / "0010.png"
    kept, drawn_label = photo.read_bytes(), label.read_bytes()
    photo.write_bytes(kept[:40])
    with pytest.raises(ImageError, match=r"0010\.jpg"):
        evaluation.evaluate_parser(folder)
    photo.write_bytes(kept)
    cv2.imwrite(str(label), np.full((8, 8), 3, np.uint8))
    with pytest.raises(DatasetError, match=r"0010\.png is no label map"):
        evaluation.evaluate_parser(folder)
    label.write_bytes(drawn_label)
    photo.unlink()
    with pytest.raises(DatasetError, match=r"0010\.jpg is missing"):
        evaluation.evaluate_parser(folder)
    photo.write_bytes(kept)


def test_photos_are_chosen_by_number(tmp_path):
    (tmp_path / "labels").mkdir()
    for number in (1, 5, 10, 20, 30, 40):
        (tmp_path / "labels" / f"{number:04d}.png").touch()
    assert [p.stem for p in evaluation.validation_labels(tmp_path)] == ["0010", "0020", "0030", "0040"]
    assert [p.stem for p in evaluation.validation_labels(tmp_path, 2)] == ["0010", "0040"]
    (tmp_path / "other" / "labels").mkdir(parents=True)
    with pytest.raises(DatasetError, match="divisible by 10"):
        evaluation.validation_labels(tmp_path / "other")
