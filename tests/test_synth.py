"""The synthetic generator: exact ground truth, the same bytes from the same seed, clear errors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vestiary.cli.main import main
from vestiary.errors import OptionError, OutputError
from vestiary.synth import store
from vestiary.synth.body import load_basis, make_body, pose_body
from vestiary.synth.light import linear
from vestiary.synth.raster import Camera, cast
from vestiary.synth.render import View, render
from vestiary.synth.scene import Scene, draw_scene
from vestiary.synth.truth import pose
from vestiary.types import LANDMARKS_OF, Joint, Part

SIZE = (192, 256)


@pytest.fixture(scope="module")
def item() -> tuple[Scene, View, View]:
    scene = draw_scene(5, 0, SIZE)
    return scene, *render(scene)


def test_the_basis_is_small_and_free() -> None:
    path = Path(store.__file__).parent / "body.npz"
    assert path.stat().st_size < 4 * 2**20
    with np.load(path) as stored:
        assert "CC0" in str(stored["licence"])


def test_bodies_follow_their_parameters() -> None:
    small, tall = (make_body({"height": value, "gender": 1.0}) for value in (0.25, 0.6))
    assert 1.4 < small.height < tall.height < 2.1
    thin, wide = (np.ptp(make_body({"weight": w}).rest[load_basis().faces["body"]][..., 1]) for w in (0.25, 0.85))
    assert wide > thin


def test_an_aimed_arm_points_where_it_was_told() -> None:
    body = make_body({})
    posed = pose_body(body, {"upperarm01.L": ("lowerarm01.L", (0.0, 0.0, -1.0), 0.0)})
    way = posed.heads["lowerarm01.L"] - posed.heads["upperarm01.L"]
    assert way[2] / np.linalg.norm(way) == pytest.approx(-1, abs=1e-5)
    assert np.linalg.norm(way) == pytest.approx(
        np.linalg.norm(body.heads["lowerarm01.L"] - body.heads["upperarm01.L"]), rel=1e-5
    )


def test_a_rasterised_triangle_knows_its_depth() -> None:
    camera = Camera((0.0, -2.0, 0.0), 100.0, (50.0, 50.0), (100, 100))
    points = np.array([(-0.5, 0.0, -0.5), (0.5, 1.0, -0.5), (0.0, 0.5, 0.6)], np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    hits = cast(camera.project(points), faces, camera.size)
    place = hits.spread(points, faces)
    again = camera.project(place)
    inner = hits.weights.min(1) > 0.02
    assert inner.sum() > 500
    assert np.abs(again[inner, 0] - hits.x[inner]).max() < 0.01
    assert np.abs(place[inner, 1] + 2.0 - hits.distance[inner]).max() < 1e-4
    assert len(cast(camera.project(points), faces, camera.size, facing=-1).y) == 0


def test_the_flat_garment_at_the_correspondence_is_the_worn_colour(item: tuple[Scene, View, View]) -> None:
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    ruled = np.dstack([x / 256, y / 256, np.full_like(x, 0.5)])  # colours that say where they are
    scene = replace(item[0], garments=tuple(replace(flat, albedo=ruled) for flat in item[0].garments))
    for view in render(scene):
        here = (view.panel == 1) & (view.place >= 0).all(-1) & (view.place <= np.array(SIZE) - 1).all(-1)
        assert here.mean() > 0.03
        stored = np.round(view.place[here] * 32) / 32
        assert np.abs(view.albedo[here][:, :2] * 256 - stored).max() < 0.05


def test_the_front_panel_comes_from_inside_the_flat_mask(item: tuple[Scene, View, View]) -> None:
    for view in item[1:]:
        x, y = (np.clip(np.round(view.place[view.panel == 1][:, k]), 0, SIZE[k] - 1).astype(int) for k in (0, 1))
        assert (view.flat.mask[y, x] > 0).mean() > 0.95


def test_only_the_garment_changes(item: tuple[Scene, View, View]) -> None:
    _, one, two = item
    ground = cv2.dilate(cv2.max(one.silhouette, two.silhouette), np.ones((7, 7), np.uint8)) == 0
    assert ground.mean() > 0.3
    assert np.array_equal(one.image[ground], two.image[ground])
    face = (one.parts == Part.FACE) & (two.parts == Part.FACE)
    assert np.abs(one.image[face].astype(int) - two.image[face]).mean() < 3
    worn = (one.panel == 1) & (two.panel == 1)
    assert np.abs(one.image[worn].astype(int) - two.image[worn]).mean() > 5


def test_maps_agree_with_each_other(item: tuple[Scene, View, View]) -> None:
    scene, view, _ = item
    person = view.parts > 0
    assert np.array_equal(person, view.depth > 0)
    assert (view.silhouette[person] >= 127).all()
    depth = view.depth[person] / 1000
    assert abs(np.median(depth) + scene.camera.eye[1]) < 0.3
    landmarks, world, keypoints = pose(scene)
    nose = landmarks[Joint.NOSE]
    assert view.parts[int(nose[1]), int(nose[0])] == Part.FACE
    assert landmarks[Joint.LEFT_SHOULDER, 0] > landmarks[Joint.RIGHT_SHOULDER, 0]
    assert np.allclose((world[Joint.LEFT_HIP] + world[Joint.RIGHT_HIP]) / 2, 0, atol=1e-6)
    assert np.allclose(keypoints[0, :2], nose[:2])


def test_landmarks_are_those_of_the_category(item: tuple[Scene, View, View]) -> None:
    for view in item[1:]:
        present = view.flat.landmarks[:, 2] > 0
        allowed = np.zeros(len(present), bool)
        allowed[list(LANDMARKS_OF[view.flat.cut.category])] = True
        assert present.any()
        assert not (present & ~allowed).any()


def test_colours_go_to_linear_light_and_keep_their_ends() -> None:
    assert linear((0.0, 1.0)).tolist() == pytest.approx([0.0, 1.0])
    assert linear((0.5,))[0] == pytest.approx(0.2140, abs=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pairs")
    assert main(["synth", "--count", "1", "--seed", "5", "--size", "96x128", "-o", str(place / "a"), "--json"]) == 0
    return place / "a"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file; without the commit, which says of the code what the seed cannot."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    about = json.loads(found["dataset.json"]) | {"commit": None}
    found["dataset.json"] = json.dumps(about).encode()
    return {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert main(["synth", "--count", "1", "--seed", "5", "--size", "96x128", "-o", str(tmp_path / "b"), "--json"]) == 0
    assert digests(tmp_path / "b") == digests(folder)


def test_the_folder_is_as_the_documentation_says(folder: Path) -> None:
    about = json.loads((folder / "dataset.json").read_text())
    assert (about["format"], about["seed"], about["size"], about["scale"]) == ("vestiary-synth/1", 5, [96, 128], 32)
    lines = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    assert len(lines) == 1
    line = lines[0]
    assert line["garment"] == line["b"]["flat"]
    assert line["target"] == line["b"]["image"]
    for side in ("a", "b"):
        for key in ("image", "parts", "silhouette", "depth", "flow", "flat", "mask"):
            picture = cv2.imread(str(folder / line[side][key]), cv2.IMREAD_UNCHANGED)
            assert picture.shape[:2] == (128, 96)
        flow = cv2.imread(str(folder / line[side]["flow"]), cv2.IMREAD_UNCHANGED)
        assert flow.dtype == np.uint16
        assert set(np.unique(flow[..., 0])) <= {0, 1, 2}
    for name, digest in line["digests"].items():
        data = (folder / "items" / line["id"] / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest


def test_resume_makes_only_what_is_missing(folder: Path) -> None:
    before = digests(folder)
    (folder / "items/000000/item.json").unlink()
    (folder / "pairs.jsonl").unlink()
    order = store.Order(1, 5, (96, 128))
    assert store.begin(order, folder, resume=True) == [0]
    store.make_item(order, folder, 0)
    assert store.begin(order, folder, resume=True) == []
    store.finish(order, folder)
    assert digests(folder) == before


def test_a_folder_with_something_in_it_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="not empty"):
        store.begin(store.Order(1, 5, (96, 128)), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"
    with pytest.raises(OptionError, match="seed"):
        store.begin(store.Order(1, 6, (96, 128)), folder, resume=True)


@pytest.mark.parametrize("text", ["768", "x", "10x10", "5000x5000", "100x1000", "768x-4"])
def test_a_bad_size_is_refused_in_words(text: str) -> None:
    with pytest.raises(OptionError) as refused:
        store.parse_size(text)
    assert "768x1024" in refused.value.hint


def test_a_full_disk_says_so(item: tuple[Scene, View, View], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: object, data: bytes) -> None:
        raise OutputError(f"{path} cannot be written: no space left on device.")

    order = store.Order(1, 5, (96, 128))
    numbers = store.begin(order, tmp_path / "new")
    monkeypatch.setattr(store, "draw_scene", lambda *_: item[0])
    monkeypatch.setattr(store, "render", lambda _: item[1:])
    monkeypatch.setattr(store, "write_file", full)
    with pytest.raises(OutputError, match="no space"):
        list(store.make_items(order, tmp_path / "new", numbers))
    assert not (tmp_path / "new/items/000000/item.json").exists()
    monkeypatch.undo()
    with pytest.raises(OutputError, match="--resume"):
        store.finish(order, tmp_path / "new")
