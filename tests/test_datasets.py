"""Layouts on disk become samples: miniature trees as the field's data sets have them, whole, half, and broken."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from vestiary.datasets import LAYOUTS, Dataset, detect, open_dataset
from vestiary.datasets.check import check_dataset
from vestiary.errors import DatasetError
from vestiary.types import Part

TREES: dict[str, Callable[[Path], Path]] = {
    "viton-hd": trees.viton_hd,
    "dresscode": trees.dresscode,
    "deepfashion-in-shop": trees.in_shop,
    "deepfashion-multimodal": trees.multimodal,
    "co-parsing": trees.co_parsing,
    "garment-folders": trees.garment_folders,
    "synthetic": trees.synthetic,
}


def names(data: Dataset) -> list[str]:
    return [sample.name for sample in data]


@pytest.mark.parametrize("layout", TREES)
def test_every_layout_is_recognised(layout: str, tmp_path: Path) -> None:
    assert detect(TREES[layout](tmp_path)).name == layout
    assert check_dataset(tmp_path).layout == layout


@pytest.mark.parametrize("layout", TREES)
def test_whole_folders_have_nothing_to_complain_of(layout: str, tmp_path: Path) -> None:
    report = check_dataset(TREES[layout](tmp_path))
    assert report.sound, (report.missing, report.broken)
    assert sum(part.whole for part in report.parts) > 0
    assert report.read > 0


def test_viton_hd_paired_and_unpaired(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    paired = open_dataset(root, split="test")
    assert (paired.layout, paired.pairs, names(paired)) == ("viton-hd", "paired", ["00006_00", "00008_00"])
    first = paired[0]
    assert first.garment == root / "test/cloth/00006_00.jpg"
    assert first.target == first.person == root / "test/image/00006_00.jpg"
    assert first.agnostic_mask == root / "test/agnostic-mask/00006_00_mask.png"
    assert (first.category, first.region) == ("top", "upper")
    assert first.read_person().shape == (128, 96, 3)
    assert set(np.unique(first.read_garment_mask())) == {255}
    unpaired = open_dataset(root, split="test", pairs="unpaired")
    assert names(unpaired) == ["00006_00--00008_00", "00008_00--00006_00"]
    assert unpaired[0].garment == root / "test/cloth/00008_00.jpg"
    assert unpaired[0].garment_mask == root / "test/cloth-mask/00008_00.jpg"
    assert unpaired[0].target is None
    with pytest.raises(DatasetError, match="only people with their own garment"):
        open_dataset(root, split="train", pairs="unpaired")


def test_viton_hd_parse_map_keeps_its_numbers_below_the_palette(tmp_path: Path) -> None:
    sample = open_dataset(trees.viton_hd(tmp_path), split="test")[0]
    assert sample.parse is not None
    with Image.open(sample.parse) as stored:
        assert stored.mode == "P"
    parts = sample.read_parts()
    expected = [Part.HAIR, Part.FACE, Part.NECK, Part.TOP, Part.TROUSERS, Part.SHOES]
    assert [parts[17 + 18 * band, 48] for band in range(6)] == expected
    assert (parts[:, :32] == Part.BACKGROUND).all()


def test_viton_hd_poses_are_body_25_at_768_by_1024(tmp_path: Path) -> None:
    points = open_dataset(trees.viton_hd(tmp_path), split="test")[0].read_keypoints()
    assert points.shape == (18, 3)
    np.testing.assert_allclose(points[2], [(8 * 2 + 8) / 8, (16 * 2 + 8) / 8, 0.9], rtol=1e-5)
    np.testing.assert_allclose(points[8, :2], [(8 * 9 + 8) / 8, (16 * 9 + 8) / 8], rtol=1e-5)  # the right hip: 9


def test_viton_hd_first_release_has_other_names(tmp_path: Path) -> None:
    sample = open_dataset(trees.viton_hd(tmp_path, old=True), split="test")[0]
    assert sample.read_keypoints()[0, 2] == pytest.approx(0.9)
    assert sample.read_parts()[17, 48] == Part.HAIR


def test_openpose_that_saw_nobody_and_missing_joints(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    place = root / "test/openpose_json/00006_00_keypoints.json"
    trees.openpose(place, [], people=0)
    assert not open_dataset(root, split="test")[0].read_keypoints().any()
    trees.openpose(place, [(0, 0, 0.0)] * 9 + [(80, 80, 0.5)] * 9)
    points = open_dataset(root, split="test")[0].read_keypoints()
    assert not points[:9].any()
    assert points[9].tolist() == [10, 10, 0.5]
    place.write_text("{not json")
    with pytest.raises(DatasetError, match="00006_00_keypoints"):
        open_dataset(root, split="test")[0].read_keypoints()


def test_dresscode(tmp_path: Path) -> None:
    root = trees.dresscode(tmp_path)
    paired = open_dataset(root, split="test")
    assert len(paired) == 6
    assert names(paired)[:3] == ["upper_body/000000", "upper_body/000001", "lower_body/013563"]
    assert [s.region for s in paired][::2] == ["upper", "lower", "dress"]
    assert [s.category for s in paired][::2] == [None, None, "dress"]
    first = paired[0]
    assert first.garment == root / "upper_body/images/000000_1.jpg"
    points = first.read_keypoints()
    np.testing.assert_allclose(points[1], [8 / 4, 16 / 4, 0.5])  # found at 384 x 512; the picture has a quarter of it
    assert not points[17].any()
    parts = first.read_parts()
    assert [parts[17 + 18 * band, 48] for band in (1, 3, 4)] == [Part.FACE, Part.SKIRT, Part.LEFT_LEG]
    unpaired = open_dataset(root, split="test", pairs="unpaired")
    assert unpaired[0].garment == root / "upper_body/images/000001_1.jpg"
    assert len(open_dataset(root, split="train")) == 6


def test_dresscode_with_the_lists_of_the_whole_only(tmp_path: Path) -> None:
    root = trees.dresscode(tmp_path)
    expected = names(open_dataset(root, split="test", pairs="unpaired"))
    for kind in ("upper_body", "lower_body", "dresses"):
        for table in (root / kind).glob("*.txt"):
            table.unlink()
    assert names(open_dataset(root, split="test", pairs="unpaired")) == expected
    shutil.rmtree(root / "dresses")
    assert len(open_dataset(root, split="test", skip_missing=True)) == 4


def test_in_shop(tmp_path: Path) -> None:
    root = trees.in_shop(tmp_path)
    paired = open_dataset(root, split="train")
    assert len(paired) == 4
    assert [s.garment is not None for s in paired] == [True, True, True, False]
    assert [s.category for s in paired] == ["dress", "dress", "dress", None]
    assert paired[1].facts == {
        "item": "id_00000002", "colour": "01", "view": "back", "kind": "Dresses", "gender": "WOMEN"
    }  # fmt: skip
    unpaired = open_dataset(root, split="train", pairs="unpaired")
    assert all(s.garment is not None and s.facts["item"] not in str(s.garment) for s in unpaired)
    with pytest.raises(DatasetError, match="no samples for split 'query'"):
        open_dataset(root, split="query")


def test_multimodal(tmp_path: Path) -> None:
    root = trees.multimodal(tmp_path)
    train = open_dataset(root, split="train")
    assert len(train) == 2
    assert names(open_dataset(root, split="validation")) == ["MEN-Pants-id_00000010-01_4_full"]
    first, second = train
    assert (first.parse is not None, second.parse) == (True, None)
    assert first.caption == "a top and shorts"
    expected = {"sleeve": "sleeveless", "lower_length": "three-point", "neckline": "round"}
    assert {key: first.facts[key] for key in expected} == expected
    assert "waist" not in first.facts  # not visible
    assert (first.facts["upper_fabric"], first.facts["lower_pattern"]) == ("cotton", "striped")
    assert first.facts["joints"][20] == [10, 20, 0]
    with pytest.raises(DatasetError, match="no split 'test'"):
        open_dataset(root, split="test")
    with pytest.raises(DatasetError, match="a pose is needed"):
        first.read_parts()
    parts = first.read_parts(pose=trees.pose())
    assert [parts[17 + 18 * band, 48] for band in (1, 2, 4)] == [Part.FACE, Part.NECK, Part.SHORTS]


def test_multimodal_as_text2human_has_it(tmp_path: Path) -> None:
    root = trees.multimodal(tmp_path)
    (root / "images").rename(root / "train_images")
    trees.photo(root / "test_images" / "MEN-Shorts-id_00000004-01_4_full.jpg")
    assert len(open_dataset(root, split="train")) == 3
    assert names(open_dataset(root, split="test")) == ["MEN-Shorts-id_00000004-01_4_full"]


def test_co_parsing(tmp_path: Path) -> None:
    root = trees.co_parsing(tmp_path)
    assert {split: names(open_dataset(root, split=split)) for split in LAYOUTS["co-parsing"].splits} == {
        "train": ["0009"],
        "validation": ["0010"],
        "tagged": ["1005"],
        "all": ["0009", "0010", "1005"],
    }
    assert open_dataset(root, split="tagged")[0].facts["tags"] == ["null", "blouse", "skirt"]
    parts = open_dataset(root, split="train")[0].read_parts(pose=trees.pose())
    assert [parts[17 + 18 * band, 48] for band in (0, 2, 3, 4)] == [Part.HAIR, Part.TOP, Part.TROUSERS, Part.SHOES]
    (root / "labels.txt").write_text("0\tnull\n1\tshirt\n")
    with pytest.raises(DatasetError, match="line 2"):
        open_dataset(root, split="train")


def test_garment_folders(tmp_path: Path) -> None:
    root = trees.garment_folders(tmp_path)
    train, validation, everything = (open_dataset(root, split=s) for s in ("train", "validation", "all"))
    assert len(everything) == 21
    assert sorted(names(train) + names(validation)) == sorted(names(everything))
    assert 0 < len(validation) < 10
    assert {s.category for s in everything} == {"top", "outerwear"}


def test_csv_of_pairs(tmp_path: Path) -> None:
    for name in ("anna.jpg", "t-shirt/a.jpg", "anna_in_a.jpg"):
        trees.photo(tmp_path / name)
    table = tmp_path / "pairs.csv"
    table.write_text("person,garment\nanna.jpg,t-shirt/a.jpg\n")
    sample = open_dataset(table, pairs="unpaired")[0]
    assert (sample.category, sample.target) == ("top", None)
    assert open_dataset(tmp_path, pairs="unpaired").layout == "pairs-csv"
    with pytest.raises(DatasetError, match="no targets"):
        open_dataset(table)
    table.write_text("person;garment;category;target\nanna.jpg;t-shirt/a.jpg;outerwear;anna_in_a.jpg\n")
    paired = open_dataset(table)[0]
    assert (paired.category, paired.target) == ("outerwear", tmp_path / "anna_in_a.jpg")
    table.write_text("person,garment,category\nanna.jpg,t-shirt/a.jpg,sock\n")
    with pytest.raises(DatasetError, match=r"line 2: there is no category 'sock'"):
        open_dataset(table, pairs="unpaired")
    table.write_text("who,garment\n")
    with pytest.raises(DatasetError, match="no column 'person'"):
        open_dataset(table, pairs="unpaired")


def test_csv_with_roots_of_its_own(tmp_path: Path) -> None:
    trees.photo(tmp_path / "people" / "0716.jpg")
    trees.photo(tmp_path / "clothes" / "t-shirt" / "x.jpg")
    table = tmp_path / "list.csv"
    table.write_text("person,garment\n0716.jpg,t-shirt/x.jpg\n")
    roots = {"people": tmp_path / "people", "garments": tmp_path / "clothes"}
    assert open_dataset(table, pairs="unpaired", **roots)[0].name == "0716--x"
    with pytest.raises(DatasetError, match="1 of 1 samples lack files"):
        open_dataset(table, pairs="unpaired")


def test_synthetic(tmp_path: Path) -> None:
    root = trees.synthetic(tmp_path)
    paired = open_dataset(root)
    assert names(paired) == ["000000", "000001", "000002"]
    first = paired[0]
    assert (first.person, first.target) == (root / "items/000000/person_a.jpg", root / "items/000000/person_b.jpg")
    assert first.garment_mask == root / "items/000000/mask_b.png"
    assert (first.read_parts() == Part.TOP).all()
    assert set(np.unique(first.read_garment_mask())) - {0, 255}  # soft, as it is stored
    assert first.read_keypoints()[3].tolist() == [3, 6, 1]
    landmarks, joints = first.read_landmarks(), first.read_pose()
    assert landmarks is not None
    assert joints is not None
    assert (landmarks.shape, joints.shape) == ((28, 3), (33, 4))
    unpaired = open_dataset(root, pairs="unpaired")
    assert names(unpaired) == ["000000--000002", "000002--000000"]  # nobody else has a garment for the lower body
    (root / "pairs.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(DatasetError, match="line 1 has no 'person'"):
        open_dataset(root)


def test_samples_travel_to_other_processes(tmp_path: Path) -> None:
    data = open_dataset(trees.dresscode(tmp_path), split="train")
    again = pickle.loads(pickle.dumps(data))
    assert names(again) == names(data)
    assert names(data[1:3]) == names(data)[1:3]  # type: ignore[arg-type]
