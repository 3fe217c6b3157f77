"""Label maps of the data sets as the parts that the rest of the package knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from vestiary.datasets import open_dataset
from vestiary.datasets.labels import TABLES, colours_of, needs_pose, to_parts
from vestiary.errors import DatasetError
from vestiary.types import Part


@pytest.mark.parametrize("table", TABLES)
def test_every_label_means_something(table: str) -> None:
    labels = TABLES[table]  # type: ignore[index]
    sizes = {"cihp": 20, "lip": 20, "atr": 18, "multimodal": 24, "co-parsing": 59, "parts": 20}
    assert len(labels) == sizes[table] == len({name for name, _ in labels}) == len(colours_of(table))  # type: ignore[arg-type]
    for number, (_, meaning) in enumerate(labels):
        drawn = np.full((40, 40), number, np.uint8)
        parts = set(np.unique(to_parts(drawn, table, pose=trees.pose() if needs_pose(table) else None)).tolist())  # type: ignore[arg-type]
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
