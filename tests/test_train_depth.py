"""What a ControlNet branch for depth learns from: the exact distances of synthetic pairs, or the engine's estimate."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("diffusers")
pytestmark = pytest.mark.train

from PIL import Image  # noqa: E402

from tests import dressing_data as dressing  # noqa: E402
from vestiary.datasets import open_dataset  # noqa: E402
from vestiary.datasets.check import check_dataset  # noqa: E402
from vestiary.diffusion.model import tiny_model  # noqa: E402
from vestiary.errors import ImageError, InputError  # noqa: E402
from vestiary.training.controlnet import ControlConfig, ControlRecipe  # noqa: E402
from vestiary.training.diffusion_pairs import Frames, Keep, Pair, sources  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402

FRAMES = Frames(height=128, width=96, controls=("pose", "depth"))


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    dressing.stand_in(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two synthetic items; the one with distances, of somebody whose left side is near, and one without."""
    lines = []
    for number in range(2):
        place = tmp_path / f"data/items/{number:06}"
        place.mkdir(parents=True)
        drawn = dressing.wearing(dressing.colour_of(number))
        for name in ("person_a", "person_b", "garment_b"):
            Image.fromarray(drawn.image).save(place / f"{name}.png")
        height, width = drawn.silhouette.shape
        far = np.linspace(2000, 3000, width).round().astype(np.uint16)[None].repeat(height, axis=0)
        Image.fromarray(np.where(drawn.silhouette > 127, far, 0).astype(np.uint16)).save(place / "depth_a.png")
        at = f"items/{number:06}"
        side = {"depth": f"{at}/depth_a.png"} if number == 0 else {}
        names = {"person": "person_a", "garment": "garment_b", "target": "person_b"}
        paths = {key: f"{at}/{name}.png" for key, name in names.items()}
        lines.append(json.dumps({"id": f"{number:06}", **paths, "a": side, "b": {"category": "top"}}))
    (tmp_path / "data/pairs.jsonl").write_text("\n".join(lines))
    return tmp_path / "data"


def pairs(data: Path, kept: Path, frames: Frames) -> list[Pair]:
    keep = Keep(kept, frames)
    found = sorted((one for held in (True, False) for one in _sources(data, held)), key=lambda one: one.name)
    made = [keep.pair(source) for source in found]
    return [pair for pair in made if pair is not None]


def within(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and brightness of the pixels well inside the person."""
    inside = cv2.erode((depth[..., 0] > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.nonzero(inside)[1], depth[..., 0][inside].astype(int)


def _sources(data: Path, validation: bool) -> list:
    try:
        return sources(data, validation=validation)
    except InputError:  # so few are all on one side
        return []


def test_depth_is_exact_where_the_data_has_it(data: Path, tmp_path: Path) -> None:
    exact = pairs(data, tmp_path / "exact", FRAMES.model_copy(update={"depth": "exact"}))
    estimated = pairs(data, tmp_path / "estimated", FRAMES)
    assert len(exact) == len(estimated) == 2
    pose, depth = exact[0].controls
    assert np.array_equal(pose, estimated[0].controls[0]), "other kinds do not change"
    assert np.array_equal(exact[1].controls, estimated[1].controls), "nothing exact is known"
    columns, values = within(depth)
    assert np.corrcoef(columns, values)[0, 1] < -0.99, "near on the left, far on the right"
    assert not np.array_equal(depth, estimated[0].controls[1])


def test_distances_that_are_not_known_are_their_neighbours(data: Path, tmp_path: Path) -> None:
    """A scan's silhouette reaches beyond the true one, where the map says 0: that is nobody, not somebody near."""
    path = data / "items/000000/depth_a.png"
    holed = np.asarray(Image.open(path)).copy()
    holed[:, : holed.shape[1] // 2] = 0
    Image.fromarray(holed).save(path)
    depth = pairs(data, tmp_path / "kept", FRAMES.model_copy(update={"depth": "exact"}))[0].controls[1]
    columns, values = within(depth)
    assert np.median(values[columns < 48]) > 200
    assert values[columns > 48].max() > 200, "all brightness is for the person's own distances"


def test_a_map_of_distances_is_read_checked_and_refused(data: Path, tmp_path: Path) -> None:
    samples = open_dataset(data)
    metres = samples[0].read_depth()
    assert metres.dtype == np.float32
    assert 2 < metres[metres > 0].min() < metres.max() <= 3
    assert samples[1].depth is None
    path = data / "items/000000/depth_a.png"
    Image.new("RGB", (30, 50)).save(path)
    assert [broken for broken, _ in check_dataset(data).broken] == [path]
    with pytest.raises(ImageError, match=r"depth_a\.png is no map of distances"):
        samples[0].read_depth()
    Image.fromarray(np.ones((5, 5), np.uint16)).save(path)
    assert len(pairs(data, tmp_path / "kept", FRAMES.model_copy(update={"depth": "exact"}))) == 1
    assert "different sizes" in next((tmp_path / "kept").glob("*.txt")).read_text()


def test_the_recipe_asks_for_it(data: Path, tmp_path: Path) -> None:
    tiny_model(text=False, controls=()).save(tmp_path / "model")
    asked = {}
    for kind, depth in (("depth", "exact"), ("depth", "estimated"), ("pose", "exact")):
        config = ControlConfig(data=data, start=tmp_path / "model", kind=kind, depth=depth, training={"steps": 1})
        asked[kind, depth] = make_recipe(ControlRecipe, config, tmp_path / f"{kind}-{depth}").depth
    assert asked == {("depth", "exact"): "exact", ("depth", "estimated"): "estimated", ("pose", "exact"): "estimated"}


def test_pairs_kept_by_an_older_version_are_estimates(tmp_path: Path) -> None:
    Keep(tmp_path, FRAMES)
    older = json.loads((tmp_path / "frames.json").read_text())
    del older["depth"]
    (tmp_path / "frames.json").write_text(json.dumps(older))
    Keep(tmp_path, FRAMES)
    with pytest.raises(InputError, match="holds pairs with depth="):
        Keep(tmp_path, FRAMES.model_copy(update={"depth": "exact"}))
