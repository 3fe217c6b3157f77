"""Layouts on disk become samples: miniature trees as the field's data sets have them, whole, half, and broken."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from vestiary.cli.main import main
from vestiary.datasets import LAYOUTS, Dataset, detect, open_dataset
from vestiary.datasets.check import check_dataset
from vestiary.datasets.labels import TABLES, colours_of, needs_pose, to_parts
from vestiary.errors import DatasetError, ImageError, InputError
from vestiary.types import Joint, Part

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


def pose() -> np.ndarray:
    """Somebody upright in the middle of the trees' pictures."""
    points = np.zeros((33, 4), np.float32)
    points[:, :2], points[:, 3] = (48, 20), 0.9
    for joint, x, y in (
        ("SHOULDER", 8, 40), ("ELBOW", 10, 58), ("WRIST", 12, 74), ("HIP", 5, 74), ("KNEE", 6, 98), ("ANKLE", 6, 118),
        ("INDEX", 12, 80), ("PINKY", 12, 80), ("THUMB", 12, 80), ("HEEL", 6, 122), ("EYE", 3, 18),
    ):  # fmt: skip
        points[Joint[f"LEFT_{joint}"], :2] = 48 + x, y
        points[Joint[f"RIGHT_{joint}"], :2] = 48 - x, y
    points[[Joint.LEFT_FOOT, Joint.RIGHT_FOOT], :2] = (54, 124), (42, 124)
    points[[Joint.MOUTH_LEFT, Joint.MOUTH_RIGHT], :2] = (50, 26), (46, 26)
    return points


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
    parts = first.read_parts(pose=pose())
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
    parts = open_dataset(root, split="train")[0].read_parts(pose=pose())
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


def test_wrong_folder_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    with pytest.raises(DatasetError, match=r"none of the known layouts. Found: letters/. Known layouts: synthetic"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")
    trees.viton_hd(tmp_path / "zalando-hd-resized")
    with pytest.raises(DatasetError, match="zalando-hd-resized looks like VITON-HD: hand in that folder"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="zalando-hd-resized looks like VITON-HD: hand in that folder"):
        open_dataset(tmp_path / "zalando-hd-resized" / "test")


def test_half_a_layout_says_what_is_missing(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    for table in root.glob("*.txt"):
        table.unlink()
    with pytest.raises(DatasetError, match=r"looks like VITON-HD, but .*missing test_pairs.txt.*Found: test/, train/"):
        open_dataset(root)
    with pytest.raises(DatasetError, match="not in the layout of DressCode: missing upper_body/images"):
        open_dataset(root, layout="dresscode")
    with pytest.raises(DatasetError, match="It looks like Clothing Co-Parsing: layout='co-parsing'"):
        open_dataset(trees.co_parsing(tmp_path / "ccp"), layout="viton-hd")
    with pytest.raises(DatasetError, match=r"no layout 'vitonhd'. Choose one of: auto, synthetic, viton-hd"):
        open_dataset(root, layout="vitonhd")


def test_split_and_pairs_must_exist(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    with pytest.raises(DatasetError, match=r"a split must be chosen. Choose one of: train, test"):
        open_dataset(root)
    with pytest.raises(DatasetError, match="no split 'val'"):
        open_dataset(root, split="val")
    with pytest.raises(DatasetError, match="pairs cannot be 'both'"):
        open_dataset(root, split="test", pairs="both")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="pairs nobody"):
        open_dataset(trees.co_parsing(tmp_path / "ccp"), split="train", pairs="unpaired")


def test_missing_files_are_named_and_can_be_left_out(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    (root / "test/cloth/00008_00.jpg").unlink()
    (root / "test/image-parse-v3/00006_00.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 2 samples lack files: .*00006_00.png, .*cloth.00008_00.jpg"):
        open_dataset(root, split="test")
    data = open_dataset(root, split="test", skip_missing=True)
    assert names(data) == ["00006_00"]
    assert data[0].parse is None
    assert root / "test/cloth/00008_00.jpg" in data.missing
    with pytest.raises(DatasetError, match=r"has no parse. It has: person, garment"):
        data[0].read_parts()


def test_damaged_pictures_raise_an_error_that_names_them(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    broken = [root / "test/image/00006_00.jpg", root / "test/image-parse-v3/00006_00.png"]
    for path in broken:
        path.write_bytes(path.read_bytes()[:150])
    sample = open_dataset(root, split="test")[0]
    with pytest.raises(ImageError, match=r"image.00006_00.jpg"):
        sample.read_person()
    with pytest.raises(ImageError, match=r"image-parse-v3.00006_00.png"):
        sample.read_parts()
    report = check_dataset(root)
    assert [path for path, _ in report.broken if path in broken] == broken
    assert not report.sound


def test_command_says_layout_counts_and_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = trees.viton_hd(tmp_path)
    assert main(["dataset", "check", str(root), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["layout"] == "viton-hd"
    assert [(p["split"], p["pairs"], p["whole"]) for p in report["parts"]][2:] == [
        ("test", "paired", 2),
        ("test", "unpaired", 2),
    ]
    (root / "test/cloth/00008_00.jpg").unlink()
    (root / "test/image/00006_00.jpg").write_text("no picture")
    assert main(["dataset", "check", str(root)]) == 7
    said = capsys.readouterr()
    assert "VITON-HD (layout viton-hd)" in said.out
    assert "00008_00.jpg" in said.err
    assert "00006_00.jpg" in said.err
    assert main(["dataset", "check", str(tmp_path / "none"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "dataset"


@pytest.mark.parametrize("table", TABLES)
def test_every_label_means_something(table: str) -> None:
    labels = TABLES[table]  # type: ignore[index]
    sizes = {"cihp": 20, "lip": 20, "atr": 18, "multimodal": 24, "co-parsing": 59, "parts": 20}
    assert len(labels) == sizes[table] == len({name for name, _ in labels}) == len(colours_of(table))  # type: ignore[arg-type]
    for number, (_, meaning) in enumerate(labels):
        drawn = np.full((40, 40), number, np.uint8)
        parts = set(np.unique(to_parts(drawn, table, pose=pose() if needs_pose(table) else None)).tolist())  # type: ignore[arg-type]
        if isinstance(meaning, Part):
            assert parts <= {meaning, Part.DRESS, Part.TROUSERS}
        else:
            assert parts <= {Part[f"{s}_{p}"] for s in ("LEFT", "RIGHT") for p in ("ARM", "HAND", "LEG")} | {
                Part.FACE,
                Part.NECK,
            }


def test_lip_and_cihp_differ_in_label_10() -> None:
    ten = np.full((4, 4), 10, np.uint8)
    assert to_parts(ten, "cihp")[0, 0] == Part.NECK
    assert to_parts(ten, "lip")[0, 0] == Part.DRESS


def test_socks_go_to_the_nearer_leg() -> None:
    numbers = np.zeros((40, 40), np.uint8)
    numbers[10:30, 5:10], numbers[10:30, 30:35] = 17, 16  # the wearer's right is on the picture's left
    numbers[30:36, 5:10] = numbers[30:36, 30:35] = 8
    parts = to_parts(numbers, "cihp")
    assert (parts[33, 7], parts[33, 32]) == (Part.RIGHT_LEG, Part.LEFT_LEG)


def test_maps_saved_as_colours_are_read(tmp_path: Path) -> None:
    root = trees.viton_hd(tmp_path)
    sample = open_dataset(root, split="test")[0]
    expected = sample.read_labels()
    assert sample.parse is not None
    with Image.open(sample.parse) as stored:
        colours = stored.convert("RGB")
    shades = np.asarray(colours).copy()
    shades[shades == 255] = 254  # as VITON-HD's own palette has it
    Image.fromarray(shades).save(sample.parse)
    assert (sample.read_labels() == expected).all()
    Image.new("RGB", (96, 128), (90, 90, 90)).save(sample.parse)
    with pytest.raises(DatasetError, match=r"the colour \[90, 90, 90\] is none of the table cihp"):
        sample.read_labels()


def test_labels_beyond_the_table_are_refused() -> None:
    numbers = np.full((4, 4), 22, np.uint8)
    with pytest.raises(DatasetError, match="holds label 22; cihp ends at 19"):
        to_parts(numbers, "cihp")
    assert (to_parts(np.full((4, 4), 255, np.uint8), "atr") == Part.BACKGROUND).all()


@pytest.mark.train
def test_co_parsing_agrees_with_the_recipe() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite_pytorch")
    from vestiary.training.people import OF_LABEL

    for name, meaning in TABLES["co-parsing"]:
        if name in OF_LABEL:
            word = meaning.name.lower() if isinstance(meaning, Part) else meaning
            assert word == OF_LABEL[name], name


def test_samples_travel_to_other_processes(tmp_path: Path) -> None:
    data = open_dataset(trees.dresscode(tmp_path), split="train")
    again = pickle.loads(pickle.dumps(data))
    assert names(again) == names(data)
    assert names(data[1:3]) == names(data)[1:3]  # type: ignore[arg-type]
