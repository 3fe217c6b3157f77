"""Folders that are none, half there or damaged: what is said of them, and the command that says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trees

from vestiary.cli.main import main
from vestiary.datasets import open_dataset
from vestiary.datasets.check import check_dataset
from vestiary.errors import DatasetError, ImageError, InputError


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
    assert [sample.name for sample in data] == ["00006_00"]
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
