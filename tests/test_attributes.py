"""Words for garments and the search by likeness: run time, views of the training, the recipe at toy size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vestiary import inference, read_garment, samples
from vestiary.errors import ImageError, OptionError, WeightsError
from vestiary.garment import attributes, colours, describe, search
from vestiary.networks.sizes import ATTRIBUTE_CLASSES, ATTRIBUTE_SIDE
from vestiary.training.cloth import formula, make_bank
from vestiary.training.garments import held_out
from vestiary.training.patterns import draw_pattern
from vestiary.training.synthetic import render
from vestiary.types import CATEGORIES, Garment


@pytest.fixture(scope="module")
def photos() -> dict[str, Garment]:
    return {name: read_garment(path) for name, path in samples.garments().items()}


@pytest.fixture(scope="module")
def bank() -> Any:
    return make_bank(np.random.default_rng(0))


def test_every_sample_is_described_in_known_words(photos: dict[str, Garment]) -> None:
    for name, garment in photos.items():
        assert garment.embedding is not None
        assert np.linalg.norm(garment.embedding) == pytest.approx(1, abs=1e-5)
        assert garment.length in attributes.LENGTHS_OF[garment.category], name
        assert garment.pattern in ATTRIBUTE_CLASSES["pattern"]
        assert garment.colour_names[0] in colours.NAMED
        with pytest.raises(ValueError, match="read-only"):
            garment.embedding[0] = 1


def test_the_same_garment_in_another_photo_is_found_first(photos: dict[str, Garment]) -> None:
    """Turned a little, darker, nearer, mirrored: still more alike than any other sample."""
    names = list(photos)
    for place, name in enumerate(names):
        image = cv2.flip(photos[name].image, 1)
        alpha = cv2.flip(photos[name].alpha, 1)
        height, width = alpha.shape
        move = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 0.8)
        image = (cv2.warpAffine(image, move, (width, height)) * 0.85).astype(np.uint8)
        seen = describe.describe(image, cv2.warpAffine(alpha, move, (width, height)))
        query = Garment(image, alpha, "top", np.zeros((28, 3), np.float32), embedding=seen.embedding)
        ranked = search.rank(query, list(photos.values()))
        assert sorted(index for index, _ in ranked) == list(range(len(names)))
        assert place in [index for index, _ in ranked[:2]], (name, [names[index] for index, _ in ranked[:3]])
        assert ranked[0][1] >= ranked[-1][1]


def test_garments_without_a_vector_cannot_be_ranked(photos: dict[str, Garment]) -> None:
    plain = read_garment(samples.garments()["top_vneck"], words=False)
    assert plain.embedding is None
    assert search.rank(plain, []) == []
    with pytest.raises(OptionError, match="no vector"):
        search.rank(plain, list(photos.values()))


def test_ground_and_place_in_the_photo_hardly_matter(photos: dict[str, Garment]) -> None:
    garment = photos["top_vneck"]
    small = cv2.resize(garment.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(garment.alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    wide = cv2.copyMakeBorder(small, 60, 10, 200, 40, cv2.BORDER_CONSTANT, value=(240, 240, 240))
    mask = cv2.copyMakeBorder(alpha, 60, 10, 200, 40, cv2.BORDER_CONSTANT, value=0)
    framed = describe.framed(wide, mask, cut=True)
    assert framed.shape == (ATTRIBUTE_SIDE, ATTRIBUTE_SIDE, 3)
    again = describe.framed(garment.image, garment.alpha, cut=True)
    assert np.abs(framed.astype(int) - again).mean() < 4


def test_an_empty_mask_is_no_disaster() -> None:
    seen = describe.describe(np.full((50, 40, 3), 200, np.uint8), np.zeros((50, 40), np.uint8))
    assert np.isfinite(seen.embedding).all()


def test_a_missing_model_is_said_plainly(tmp_path: Path) -> None:
    inference.use_file("attributes", tmp_path / "nothing.onnx")
    try:
        with pytest.raises(WeightsError, match="missing or broken"):
            describe.describe(np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 255, np.uint8))
    finally:
        inference.use_file("attributes", None)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((10, 10, 12), "black"),
        ((250, 250, 250), "white"),
        ((128, 128, 128), "grey"),
        ((200, 20, 30), "red"),
        ((30, 60, 160), "blue"),
        ((25, 30, 60), "blue"),
        ((40, 120, 50), "green"),
        ((240, 210, 60), "yellow"),
        ((240, 140, 30), "orange"),
        ((240, 160, 190), "pink"),
        ((110, 40, 130), "purple"),
        ((110, 70, 40), "brown"),
        ((225, 210, 185), "beige"),
    ],
)
def test_colours_have_everyday_names(rgb: tuple[int, int, int], name: str) -> None:
    assert colours.name_of(rgb) == name


def test_colours_of_one_name_count_together() -> None:
    main = (((20, 30, 120), 0.35), ((240, 240, 240), 0.4), ((60, 80, 190), 0.2), ((200, 10, 10), 0.05))
    assert colours.names_of(main) == ("blue", "white")
    assert colours.names_of(()) == ()


def test_rendered_garments_know_their_words(bank: Any) -> None:
    rng = np.random.default_rng(3)
    seen: dict[str, set[str]] = {"pattern": set(), "length": set()}
    for index in range(40):
        pattern = render(rng, bank, CATEGORIES[index % 6]).pattern
        assert pattern is not None
        for name, words in seen.items():
            words.add(pattern.attributes[name])
    assert {"plain", "striped", "checked"} <= seen["pattern"] <= {*ATTRIBUTE_CLASSES["pattern"], "unknown"}
    assert {"none", "regular", "mini"} <= seen["length"] <= set(ATTRIBUTE_CLASSES["length"])


def test_lengths_follow_the_centimetres() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_pattern(rng, "dress", crumpled=0) for _ in range(30)]
    heights = {
        word: [p.bounds()[3] for p in drawn if p.attributes["length"] == word] for word in ("mini", "knee", "midi")
    }
    assert max(heights["mini"]) < max(heights["knee"]) < max(heights["midi"])


def test_cloth_by_formula_is_named(bank: Any) -> None:
    rng = np.random.default_rng(1)
    names = {formula(rng, bank, 64, 48)[1] for _ in range(60)}
    assert {"plain", "striped", "checked", "floral"} <= names


def folders(tmp_path: Path, bank: Any) -> Path:
    rng = np.random.default_rng(5)
    for name, category in (("t-shirt", "top"), ("pants", "trousers"), ("skirt", "skirt")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        held = next(i for i in range(99) if held_out(Path(f"{i}.jpg")))
        for index in (*range(5), held):
            picture = cv2.cvtColor(render(rng, bank, category).image, cv2.COLOR_RGB2BGR)  # type: ignore[arg-type]
            cv2.imwrite(str(tmp_path / "photos" / name / f"{index}.jpg"), picture)
    return tmp_path / "photos"


def test_views_depend_on_seed_and_number_alone(tmp_path: Path, bank: Any) -> None:
    from vestiary.training.attribute_views import Views, training_photos, write_cutouts

    photos = training_photos(folders(tmp_path, bank), without=["pants/1.jpg"])
    assert all(path.parts[-2:] != ("pants", "1.jpg") for path in photos)
    assert write_cutouts(photos, tmp_path / "cut") == len(photos)
    assert write_cutouts(photos, tmp_path / "cut") == 0
    words = {"t-shirt/0.jpg": {"neckline": "v", "pattern": "floral"}}
    one, other = (Views(photos, tmp_path / "cut", words, bank_size=3) for _ in range(2))
    for index in (7, 0, 1 << 40):
        first, second = one[index], other[index]
        np.testing.assert_array_equal(first["image"], second["image"])
        assert first["image"].shape == (2, ATTRIBUTE_SIDE, ATTRIBUTE_SIDE, 3)
    assert (one[1]["image"] != one[2]["image"]).any()
    assert (one[1]["image"][0] != one[1]["image"][1]).any(), "the two views differ"
    assert {one[index]["neckline"] for index in range(40)} > {-1}


def test_a_broken_photo_is_named(tmp_path: Path) -> None:
    from vestiary.training.cloth import read

    (tmp_path / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read(tmp_path / "a.jpg")


@pytest.mark.train
def test_the_recipe_learns_resumes_and_exports(tmp_path: Path, bank: Any) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    from vestiary.training.attributes import AttributesRecipe
    from vestiary.training.config import load_config
    from vestiary.training.loop import Trainer
    from vestiary.training.recipes import make_recipe

    plan = {"batch": 4, "workers": 0, "steps": 10, "log_steps": 1, "averaging": 0.5, "threads": 2}
    values = {"garments": str(folders(tmp_path, bank)), "pretrained": False, "validation": 3, "bank": 3, "memory": 6}
    config = load_config(
        AttributesRecipe.Config, {**values, "rendered": 0.0, "tests": None, "rate": 5e-4, "training": plan}
    )
    folder, told = tmp_path / "run", []

    def listen(event: str, fields: dict[str, Any]) -> None:
        if event == "losses":
            told.append(sum(fields["losses"].values()))

    result = Trainer(make_recipe(AttributesRecipe, config, folder), config, folder, on_event=listen).fit()
    assert result.steps == 10
    assert np.mean(told[-3:]) < np.mean(told[:3])
    assert {"balanced", "found_again", "score"} <= set(result.figures)

    again = Trainer(make_recipe(AttributesRecipe, config, folder), config, folder, resume=True)
    assert int(again.recipe.networks["guide"].filled) == 40
    again.recipe.export(again.averaged, tmp_path / "attributes.onnx")
    picture = np.random.default_rng(0).integers(0, 255, (80, 60, 3)).astype(np.uint8)
    mask = np.full((80, 60), 255, np.uint8)
    inference.use_file("attributes", tmp_path / "attributes.onnx")
    try:
        seen = describe.describe(picture, mask)
    finally:
        inference.use_file("attributes", None)
    pair = np.stack([describe.framed(picture, mask, cut=cut) for cut in (True, False)])
    with torch.no_grad():
        found = again.averaged["attributes"](torch.from_numpy(pair).permute(0, 3, 1, 2).float())
    wanted = found["category"].softmax(1).mean(0).numpy()
    np.testing.assert_allclose(list(seen.scores["category"].values()), wanted, atol=0.02)


def test_contrast_is_least_when_the_two_views_agree() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    from vestiary.training.attributes import info_nce

    basis = torch.eye(8)[[0, 0, 1, 1, 2, 2]]
    mixed = torch.eye(8)[[0, 1, 2, 0, 1, 2]]
    nothing = torch.zeros(0, 8)
    assert info_nce(basis, nothing, 0.1) < 0.01 < info_nce(mixed, nothing, 0.1)
    assert info_nce(basis, torch.eye(8)[:3], 0.1) > 0.5, "what is remembered counts as other garments"
