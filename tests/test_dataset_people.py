"""Label maps of the field's data sets as lessons for the part parser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trees
from trees import pose

from vestiary.datasets import open_dataset
from vestiary.errors import DatasetError
from vestiary.person.parsing import CLASSES
from vestiary.training import dataset_people
from vestiary.training.dataset_people import classes_of, people_in
from vestiary.training.people import UNKNOWN, split_people


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for what is kept, and a pose model that sees the same person in each photo."""

    def see(photo: Path, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{photo.stem}.npz"
        np.savez(place, landmarks=pose(), mask=np.full((trees.HEIGHT, trees.WIDTH), 255, np.uint8))
        return place

    monkeypatch.setattr(dataset_people, "keep_pose", see)
    return tmp_path / "kept"


def named(classes: np.ndarray, row: int) -> str:
    number = int(classes[row, 48])
    return "unknown" if number == UNKNOWN else CLASSES[number]


def test_viton_hd_teaches_the_parser(tmp_path: Path, kept: Path) -> None:
    people = people_in(trees.viton_hd(tmp_path / "data"), kept)
    assert [p.photo.name for p in people] == ["00000_00.jpg"]
    person = people[0].open()
    assert [named(person.classes, row) for row in (17, 35, 53, 71, 89)] == ["hair", "face", "neck", "top", "shorts"]
    assert person.possible[CLASSES.index("bag")]  # CIHP has no label for bags
    assert not person.possible[CLASSES.index("hat")]
    assert split_people(people)[2] == people


def test_dresscode_does_not_say_whether_a_top_is_outerwear(tmp_path: Path, kept: Path) -> None:
    people = people_in(trees.dresscode(tmp_path / "data"), kept)
    assert len(people) == 6
    assert len({p.classes for p in people}) == 6
    person = people[1].open()
    assert not person.exact
    assert [named(person.classes, row) for row in (17, 53, 71, 89)] == ["hair", "unknown", "skirt", "leg"]


def test_pants_that_end_above_the_knee_are_shorts(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    sample = open_dataset(root, split="test")[0]
    numbers = np.zeros((trees.HEIGHT, trees.WIDTH), np.uint8)
    numbers[70:90, 36:60] = 9  # pants; the knees are at row 98
    assert sample.parse is not None
    trees.label_map(sample.parse, "cihp", numbers)
    assert named(classes_of(sample, pose()), 80) == "shorts"
    unseen = pose()
    unseen[25:27, 3] = 0
    assert named(classes_of(sample, unseen), 80) == "unknown"
    numbers[70:120, 36:60] = 9
    trees.label_map(sample.parse, "cihp", numbers)
    assert named(classes_of(sample, pose()), 80) == "trousers"


def test_arms_end_in_hands(tmp_path: Path) -> None:
    sample = open_dataset(trees.viton_hd(tmp_path), split="test")[0]
    numbers = np.zeros((trees.HEIGHT, trees.WIDTH), np.uint8)
    numbers[40:90, 56:66] = 14
    assert sample.parse is not None
    trees.label_map(sample.parse, "cihp", numbers)
    classes = classes_of(sample, pose())
    assert (CLASSES[classes[50, 58]], CLASSES[classes[82, 60]]) == ("arm", "hand")


@pytest.mark.parametrize("make", [trees.multimodal, trees.synthetic])
def test_other_layouts(make: object, tmp_path: Path, kept: Path) -> None:
    people = people_in(make(tmp_path / "data"), kept)  # type: ignore[operator]
    assert len(people) >= 2
    assert all(person.exact for person in people)
    assert all(set(np.unique(p.open().classes)) <= {*range(len(CLASSES)), UNKNOWN} for p in people)


def test_folders_without_people_are_refused(tmp_path: Path, kept: Path) -> None:
    with pytest.raises(DatasetError, match="none of the known layouts"):
        people_in(tmp_path, kept)
    with pytest.raises(DatasetError, match="has no label maps"):
        people_in(trees.garment_folders(tmp_path / "clothes"), kept)
