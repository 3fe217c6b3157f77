"""The whole path with the real models on the sample pictures, as a user walks it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vestiary
from vestiary import samples
from vestiary.cli.main import main
from vestiary.errors import GarmentError, PersonError
from vestiary.images import open_picture, read_provenance, save_picture
from vestiary.types import Garment, Person


@pytest.fixture(scope="module")
def people() -> dict[str, Person]:
    return {name: vestiary.scan_person(path) for name, path in samples.people().items()}


@pytest.fixture(scope="module")
def garments() -> dict[str, Garment]:
    return {name: vestiary.read_garment(path) for name, path in samples.garments().items()}


@pytest.mark.parametrize(
    ("person", "worn"), samples.pairs(), ids=lambda part: part if isinstance(part, str) else "+".join(part)
)
def test_every_sample_pair_is_fitted(person: str, worn: tuple[str, ...], people: dict[str, Person]) -> None:
    """With the categories as they are; whether they are recognised is another test."""
    scanned, known = people[person], samples.garment_facts()
    read = [vestiary.read_garment(samples.garments()[name], category=known[name]["category"]) for name in worn]
    fitting = vestiary.try_on(scanned, read)
    assert fitting.image.shape == scanned.image.shape
    untouched = fitting.mask == 0
    assert np.array_equal(fitting.image[untouched], scanned.image[untouched])
    assert 0.02 < 1 - untouched.mean() < 0.9
    changed = np.abs(fitting.image.astype(int) - scanned.image).max(axis=2) > 12
    assert changed.mean() > 0.01, "something must be seen of the garment"
    assert not untouched.all()
    face = scanned.is_part(vestiary.types.Part.FACE)
    assert (changed & face).sum() <= 0.1 * face.sum(), "the face stays"


def test_categories_of_the_sample_garments_are_recognised(garments: dict[str, Garment]) -> None:
    known = {name: facts["category"] for name, facts in samples.garment_facts().items()}
    found = {name: garments[name].category for name in known}
    wrong = {name: (kind, known[name]) for name, kind in found.items() if kind != known[name]}
    assert not wrong


def test_command_line_from_photo_to_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    person, worn = samples.pairs()[0]
    order = ["try", str(samples.people()[person]), *(str(samples.garments()[name]) for name in worn)]
    for name in ("a.png", "b.png"):
        assert main([*order, "-o", str(tmp_path / name), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.partition("\n}\n")[0] + "}")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    provenance = read_provenance(tmp_path / "a.png")
    assert provenance == answer["provenance"]
    assert provenance["engine"] == "embedded"
    assert {"parser", "garment", "attributes", "refiner"} < set(provenance["weights"]), "what had a hand in it is named"
    assert "lite0" not in provenance["weights"], "what only judges had none"


def landscape() -> np.ndarray:
    """Sky, hills and grass."""
    y, x = np.mgrid[0:480, 0:640].astype(np.float32)
    hill = 260 + 40 * np.sin(x / 90) + 20 * np.sin(x / 37)
    sky = np.stack([120 + y / 5, 160 + y / 5, np.full_like(y, 230)], axis=2)
    grass = np.stack([40 + y / 12, 110 + y / 10, 40 + y / 20], axis=2)
    noise = np.random.default_rng(0).normal(0, 8, y.shape)[..., None]
    return np.clip(np.where((y < hill)[..., None], sky, grass) + noise, 0, 255).astype(np.uint8)


def test_landscape_holds_nobody() -> None:
    with pytest.raises(PersonError, match="nobody"):
        vestiary.scan_person(landscape())


def test_plain_paper_holds_no_garment() -> None:
    paper = np.full((480, 400, 3), 235, np.uint8)
    paper[::7] -= 2
    with pytest.raises(GarmentError):
        vestiary.read_garment(paper)


def test_trousers_do_not_go_on_a_portrait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    portrait, trousers = samples.people()["astronaut"], samples.garments()["jeans_blue"]
    assert main(["try", str(portrait), str(trousers), "-o", str(tmp_path / "out.png")]) == 2
    said = capsys.readouterr().err
    assert "trousers" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["L", "CMYK", "P"])
def test_photos_of_any_mode_go_all_the_way(mode: str, tmp_path: Path) -> None:
    person, worn = samples.pairs()[0]
    with Image.open(samples.people()[person]) as photo:
        kind = "tif" if mode == "CMYK" else "png"
        photo.convert(mode).save(tmp_path / f"person.{kind}")
    fitting = vestiary.try_on(tmp_path / f"person.{kind}", samples.garments()[worn[0]])
    assert fitting.image.shape[2] == 3


def test_photo_turned_by_exif_gives_the_same_fitting(tmp_path: Path) -> None:
    person, worn = samples.pairs()[0]
    photo = open_picture(samples.people()[person]).image
    save_picture(photo, tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(photo).copy()).save(tmp_path / "turned.png", exif=exif)
    garment = vestiary.read_garment(samples.garments()[worn[0]])
    upright, turned = (vestiary.try_on(tmp_path / name, garment) for name in ("upright.png", "turned.png"))
    assert np.array_equal(upright.image, turned.image)


def test_readme_code_runs_on_real_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names = {"shirt.jpg": samples.garments()["longsleeve_striped"], "trousers.jpg": samples.garments()["jeans_blue"]}
    for name, path in {"person.jpg": next(iter(samples.people().values())), **names}.items():
        shutil.copy(path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert read_provenance("out.png")["options"]["tuck"] is True


def test_a_learned_part_that_is_left_out_is_not_named(tmp_path: Path) -> None:
    photos = [str(samples.people()["mira"]), str(samples.garments()["tee_white"])]
    without = ["--parser", "rules", "--reader", "rules", "--no-words", "--no-refine"]
    assert main(["try", *photos, *without, "-o", str(tmp_path / "out.png")]) == 0
    used = set(read_provenance(tmp_path / "out.png")["weights"])
    assert used
    assert not used & {"parser", "garment", "attributes", "refiner"}
