"""Miniature data sets in the exact layouts of the field, for tests: pictures of 96 x 128, a handful of entries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from vestiary.datasets.labels import TABLES, colours_of
from vestiary.types import Joint

WIDTH, HEIGHT = 96, 128
SKETCH = {  # rows of a person standing in the middle, in the words of the tables
    "cihp": ["hair", "face", "torso skin", "upper clothes", "pants", "left shoe"],
    "atr": ["hair", "head", "upper clothes", "skirt", "left leg", "left shoe"],
    "multimodal": ["hair", "face", "skin", "top", "pants", "footwear"],
    "co-parsing": ["hair", "skin", "t-shirt", "jeans", "boots", "bag"],
}


def photo(path: Path, shade: int = 120) -> None:
    """A grey picture; PNG or JPEG by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (shade, shade // 2, 40)).save(path)


def sketch(labels: str) -> np.ndarray:
    """`(H, W) uint8`: bands of labels in the middle third of the picture."""
    numbers = {name: number for number, (name, _) in enumerate(TABLES[labels])}  # type: ignore[index]
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    for band, name in enumerate(SKETCH[labels]):
        drawn[8 + 18 * band : 26 + 18 * band, 32:64] = numbers[name]
    return drawn


def label_map(path: Path, labels: str, numbers: np.ndarray | None = None, *, palette: bool = True) -> None:
    """A PNG of label numbers, with the table's palette as the field's tools save it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(sketch(labels) if numbers is None else numbers)
    if palette:
        picture = picture.convert("P")
        picture.putpalette(colours_of(labels).ravel().tolist())  # type: ignore[arg-type]
    picture.save(path)


def openpose(path: Path, points: list[tuple[float, float, float]], people: int = 1) -> None:
    """A file as OpenPose writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = [value for point in points for value in point]
    path.write_text(json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": flat}] * people}))


def viton_hd(root: Path, *, old: bool = False) -> Path:
    """Two people and their garments in `test`, one in `train`; `old`: as in the first release."""
    parse, poses = ("image-parse", "openpose-json") if old else ("image-parse-v3", "openpose_json")
    for split, stems in (("test", ("00006_00", "00008_00")), ("train", ("00000_00",))):
        for stem in stems:
            part = root / split
            photo(part / "image" / f"{stem}.jpg", 90)
            photo(part / "cloth" / f"{stem}.jpg", 200)
            photo(part / "cloth-mask" / f"{stem}.jpg", 250)
            label_map(part / parse / f"{stem}.png", "cihp")
            photo(part / "agnostic-v3.2" / f"{stem}.jpg", 128)
            photo(part / "agnostic-mask" / f"{stem}_mask.png", 255)
            photo(part / "image-densepose" / f"{stem}.jpg", 60)
            openpose(part / poses / f"{stem}_keypoints.json", [(8.0 * i + 8, 16.0 * i + 8, 0.9) for i in range(25)])
    (root / "test_pairs.txt").write_text("00006_00.jpg 00008_00.jpg\n00008_00.jpg 00006_00.jpg\n")
    (root / "train_pairs.txt").write_text("00000_00.jpg 00000_00.jpg\n")
    return root


def dresscode(root: Path) -> Path:
    """Two pairs in each category."""
    everything: dict[str, list[str]] = {}
    for first, kind in ((0, "upper_body"), (13563, "lower_body"), (20714, "dresses")):
        numbers = [f"{first + i:06d}" for i in (0, 1)]
        for number in numbers:
            photo(root / kind / "images" / f"{number}_0.jpg", 90)
            photo(root / kind / "images" / f"{number}_1.jpg", 200)
            photo(root / kind / "skeletons" / f"{number}_5.jpg", 30)
            photo(root / kind / "dense" / f"{number}_5.png", 30)
            label_map(root / kind / "label_maps" / f"{number}_4.png", "atr", palette=False)
            rows = [[4.0 * i + 4, 8.0 * i + 8, 0.5, float(i)] for i in range(17)] + [[-1.0, -1.0, 0.0, -1.0]]
            place = root / kind / "keypoints" / f"{number}_2.json"
            place.parent.mkdir(exist_ok=True)
            place.write_text(json.dumps({"keypoints": rows}))
        own = [(f"{n}_0.jpg", f"{n}_1.jpg") for n in numbers]
        swapped = [(f"{a}_0.jpg", f"{b}_1.jpg") for a, b in zip(numbers, numbers[::-1], strict=True)]
        lists = {"train_pairs.txt": own, "test_pairs_paired.txt": own, "test_pairs_unpaired.txt": swapped}
        for name, pairs in lists.items():
            lines = [f"{person}\t{garment}" for person, garment in pairs]
            (root / kind / name).write_text("\n".join(lines) + "\n")
            everything.setdefault(name, []).extend(f"{line}\t0" for line in lines)
    for name, lines in everything.items():
        (root / name).write_text("\n".join(lines) + "\n")
    return root


def in_shop(root: Path) -> Path:
    """Two dresses and a pair of jeans: with a flat view, with one, without."""
    rows = []
    for gender, kind, item, views in (
        ("WOMEN", "Dresses", "id_00000002", ("1_front", "3_back", "6_flat")),
        ("WOMEN", "Dresses", "id_00000004", ("1_front", "6_flat")),
        ("MEN", "Denim", "id_00000080", ("1_front",)),
    ):
        for view in views:
            name = f"{gender}/{kind}/{item}/01_{view}.jpg"
            photo(root / "Img" / "img" / name)
            rows.append(f"img/{name}   {item}   train")
    head = [str(len(rows)), "image_name item_id evaluation_status"]
    (root / "Eval").mkdir()
    (root / "Eval" / "list_eval_partition.txt").write_text("\n".join(head + rows) + "\n")
    return root


def multimodal(root: Path) -> Path:
    """A whole body in shorts, a half body without a label map, and one of the items for validation."""
    names = [f"WOMEN-Shorts-id_0000000{i}-01_{v}" for i, v in ((2, "4_full"), (3, "1_front"))]
    names.append("MEN-Pants-id_00000010-01_4_full")
    for name in names:
        photo(root / "images" / f"{name}.jpg")
        photo(root / "densepose" / f"{name}_densepose.png")
    for name in (names[0], names[2]):
        label_map(root / "segm" / f"{name}_segm.png", "multimodal", palette=False)
    shape, texture = root / "labels" / "shape", root / "labels" / "texture"
    for folder in (shape, texture, root / "keypoints"):
        folder.mkdir(parents=True)
    (shape / "shape_anno_all.txt").write_text(
        f"{names[0]}.jpg 0 0 0 0 0 0 0 0 4 2 2 1\n{names[2]}.jpg" + " 3" * 12 + "\n"
    )
    (texture / "fabric_ann.txt").write_text(f"{names[0]}.jpg 1 0 7\n")
    (texture / "pattern_ann.txt").write_text(f"{names[0]}.jpg 3 2 7\n")
    (root / "keypoints" / "keypoints_loc.txt").write_text(f"{names[0]}.jpg" + " 10 20" * 21 + "\n")
    (root / "keypoints" / "keypoints_vis.txt").write_text(f"{names[0]}.jpg" + " 0" * 21 + "\n")
    (root / "captions.json").write_text(json.dumps({f"{names[0]}.jpg": "a top and shorts"}))
    return root


def co_parsing(root: Path) -> Path:
    """Three photos: one to train on, one for validation, one with tags only."""
    for stem in ("0009", "0010", "1005"):
        photo(root / "photos" / f"{stem}.jpg")
    for stem in ("0009", "0010"):
        label_map(root / "labels" / f"{stem}.png", "co-parsing", palette=False)
    lines = [f"{number}\t{name}" for number, (name, _) in enumerate(TABLES["co-parsing"])]
    (root / "labels.txt").write_text("\n".join(lines) + "\n")
    (root / "tags.json").write_text(json.dumps({"1005": ["null", "blouse", "skirt"]}))
    return root


def garment_folders(root: Path) -> Path:
    """Twenty t-shirts and one coat."""
    for number in range(24, 44):
        photo(root / "t-shirt" / f"{number}.jpg")
    photo(root / "outwear" / "coat.jpg")
    return root


def synthetic(root: Path) -> Path:
    """Three items as `vestiary synth` writes them, two of them tops."""
    lines = []
    for number, category in enumerate(("top", "skirt", "outerwear")):
        place = f"items/{number:06d}"
        for name in ("person_a.jpg", "person_b.jpg", "garment_a.jpg", "garment_b.jpg", "mask_a.png", "mask_b.png"):
            photo(root / place / name, 40 * number + 90)
        label_map(root / place / "parts_a.png", "parts", np.full((HEIGHT, WIDTH), 10, np.uint8), palette=False)
        sides = {
            side: {
                "image": f"{place}/person_{side}.jpg",
                "parts": f"{place}/parts_{side}.png",
                "flat": f"{place}/garment_{side}.jpg",
                "mask": f"{place}/mask_{side}.png",
                "landmarks": [[i, i, 1] for i in range(28)],
                "category": category,
                "sleeve": "long",
            }
            for side in "ab"
        }
        item = {
            "id": f"{number:06d}",
            "seed": number,
            "person": f"{place}/person_a.jpg",
            "garment": f"{place}/garment_b.jpg",
            "target": f"{place}/person_b.jpg",
            **sides,
            "keypoints": [[i, 2 * i, 1] for i in range(18)],
            "pose": [[i, 2 * i, 0, 0.9] for i in range(33)],
        }
        lines.append(json.dumps(item))
    (root / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    return root


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
