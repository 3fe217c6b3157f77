"""The engine `diffusion` as everybody else sees it: listed without PyTorch, and a photo kept around what is painted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import figures
import numpy as np
import pytest

import vestiary
from vestiary.diffusion.options import DiffusionOptions
from vestiary.errors import Cancelled, GarmentError, OptionError, WeightsError
from vestiary.registry import DIFFUSION
from vestiary.types import Fitting, Person

needs_torch = pytest.mark.skipif(bool(DIFFUSION.missing), reason="needs the extra diffusion")
train = [
    pytest.mark.train,
    needs_torch,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]


def marked(test: Callable[..., None]) -> Callable[..., None]:
    for mark in train:
        test = mark(test)
    return test


HIDE = """
import importlib.util, sys
find = importlib.util.find_spec
hidden = ("torch", "diffusers", "transformers", "accelerate", "safetensors")
importlib.util.find_spec = lambda name, package=None: None if name in hidden else find(name, package)
sys.modules.update(dict.fromkeys(hidden))
"""


def alone(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_it_is_listed_without_its_libraries() -> None:
    listed = json.loads(alone(f"{HIDE}\nfrom vestiary.cli.main import main\nmain(['engines', '--json'])"))
    ours = next(engine for engine in listed if engine["name"] == "diffusion")
    assert (ours["installed"], ours["install"]) == (False, 'pip install "vestiary[diffusion]"')
    said = alone(f"{HIDE}\nfrom vestiary.cli.main import main\nmain(['try', '--engine', 'diffusion', '--help'])")
    assert "Usage" in said
    words = ["try", "a.jpg", "b.jpg", "-o", "c.png", "--engine", "diffusion"]
    said = alone(f"{HIDE}\nfrom vestiary.cli.main import main\nmain({words})")
    assert 'pip install "vestiary[diffusion]"' in said
    assert "Traceback" not in said


def test_its_options_are_listed_without_loading_pytorch() -> None:
    code = "import sys; import vestiary.engines.diffusion as d; d.DiffusionEngine().Options.model_json_schema()"
    assert alone(f"{code}\nprint([name for name in ('torch', 'diffusers') if name in sys.modules])").strip() == "[]"


def test_options_say_what_they_are_and_what_is_allowed() -> None:
    assert all(field.description for field in DiffusionOptions.model_fields.values())
    assert DiffusionOptions().control == {}
    assert DiffusionOptions(control_pose=0.5, control_depth=1).control == {"pose": 0.5, "depth": 1.0}
    for wrong in (
        {"steps": 0},
        {"guidance": 0.5},
        {"scheduler": "magic"},
        {"device": "tpu"},
        {"seed": -1},
        {"dtype": "int8"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DiffusionOptions(**wrong)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of tiny models: with a mask, mask-free, and with two places and a licence against commercial use."""
    from vestiary.diffusion.model import tiny_model

    folder = tmp_path_factory.mktemp("models")
    masked, free = tiny_model(), tiny_model(1, mask_free=True, text=False, controls=())
    pair = tiny_model(2, garments=2, concat="height", text=False, controls=())
    pair.card = pair.card.model_copy(update={"licence": "CC-BY-NC-SA-4.0", "commercial": False, "name": "pair"})
    for name, model in (("masked", masked), ("free", free), ("pair", pair)):
        model.save(folder / name)
    return {name: str(folder / name) for name in ("masked", "free", "pair")}


def fit(weights: str, *garments: str, person: Person | None = None, on_step=None, **options: object) -> Fitting:
    worn = [figures.garment(name) for name in garments or ("tee_white.jpg",)]
    chosen = {"weights": weights, "steps": 2, **options}
    return vestiary.try_on(person or figures.person(), worn, engine="diffusion", options=chosen, on_step=on_step)


@marked
@pytest.mark.parametrize("kind", ["masked", "free"])
def test_outside_the_mask_the_photo_stays_bit_for_bit(models: dict[str, str], kind: str) -> None:
    person = figures.person(scale=2.3)
    fitting = fit(models[kind], person=person)
    outside = fitting.mask == 0
    assert fitting.image.shape == person.image.shape
    assert np.array_equal(fitting.image[outside], person.image[outside])
    assert 0.05 < (~outside).mean() < 0.4
    changed = (fitting.image != person.image).any(axis=2)
    assert changed[~outside].mean() > 0.9
    face = np.isin(person.parts, (1, 2))
    assert not changed[face].any()


@marked
def test_the_new_picture_fades_in_inside_the_mask_only(models: dict[str, str]) -> None:
    import cv2

    person = figures.person(scale=2)
    fitting = fit(models["masked"], person=person, layers=True)
    depth = cv2.distanceTransform(fitting.mask, cv2.DIST_L2, 5)
    away = np.abs(fitting.image.astype(int) - fitting.layers["painted"]).max(axis=2)
    assert away[depth > 12].max() <= 1, "well inside it is what the model painted"
    rim = (depth > 0) & (depth < 2)
    assert np.abs(fitting.image.astype(int) - person.image)[rim].mean() < 0.4 * away[rim].mean()
    assert list(fitting.layers) == ["agnostic", "garment-1", "painted", "mask"]


@marked
@pytest.mark.parametrize("size", [(301, 517), (640, 480), (1200, 300), (64, 400)])
def test_any_size_and_aspect(models: dict[str, str], size: tuple[int, int]) -> None:
    """A person in the middle of a photo of that width and height."""
    scale = min(size[0] / 300, size[1] / 500)
    small = figures.person(scale=scale)
    x, y = (size[0] - small.image.shape[1]) // 2, (size[1] - small.image.shape[0]) // 2
    pad = ((y, size[1] - y - small.image.shape[0]), (x, size[0] - x - small.image.shape[1]))
    shift = np.array([x, y, 0, 0], np.float32)
    person = replace(
        small,
        image=np.pad(small.image, (*pad, (0, 0))),
        silhouette=np.pad(small.silhouette, pad),
        parts=np.pad(small.parts, pad),
        pose=small.pose + shift,
    )
    for extra in ({}, {"long_side": 200}, {"refine": True}):
        fitting = fit(models["masked"], person=person, **extra)
        outside = fitting.mask == 0
        assert fitting.image.shape == (size[1], size[0], 3)
        assert np.array_equal(fitting.image[outside], person.image[outside])
        assert (~outside).any()


@marked
def test_same_seed_same_bytes(models: dict[str, str]) -> None:
    first, second, other = (fit(models["masked"], seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.image, second.image)
    assert not np.array_equal(first.image, other.image)


@marked
def test_provenance_names_weights_licence_and_what_they_are_for(models: dict[str, str]) -> None:
    from vestiary.download import sha256_of

    made = fit(models["masked"], seed=7).provenance
    assert made["engine"] == "diffusion"
    assert made["options"]["seed"] == 7
    assert made["options"]["weights"] == "tiny-0"
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert made["weights"][unet] == sha256_of(Path(models["masked"]) / unet)
    assert made["model"]["licence"] == "Apache-2.0"
    assert made["non_commercial_use_only"] is False
    assert models["masked"] not in json.dumps(made), "paths differ from machine to machine"
    pair = fit(models["pair"], "tee_white.jpg", "jeans_blue.jpg").provenance
    assert (pair["model"]["licence"], pair["non_commercial_use_only"]) == ("CC-BY-NC-SA-4.0", True)


@marked
def test_several_garments_in_one_pass(models: dict[str, str]) -> None:
    top = fit(models["pair"]).mask > 0
    both = fit(models["pair"], "tee_white.jpg", "jeans_blue.jpg").mask > 0
    assert both.sum() > 1.5 * top.sum()
    with pytest.raises(GarmentError, match=r"tiny-0 puts on 1 garment\(s\) at a time, not 2"):
        fit(models["masked"], "tee_white.jpg", "jeans_blue.jpg")


@marked
def test_previews_show_the_photo_and_cancelling_leaves_nothing(models: dict[str, str]) -> None:
    told: list[tuple] = []
    person = figures.person(scale=3)
    fitting = fit(models["masked"], person=person, steps=3, on_step=lambda *step: told.append(step))
    assert [step[:3] for step in told] == [(n, 3, "denoise") for n in (1, 2, 3)]
    preview = told[-1][3]
    assert preview.shape == (512, 307, 3)
    corner = person.image[:60, :60].mean(axis=(0, 1))
    assert np.allclose(preview[:20, :20].mean(axis=(0, 1)), corner, atol=3)
    with pytest.raises(Cancelled):
        fit(models["masked"], person=person, steps=3, on_step=lambda step, *_: step < 2)
    assert np.array_equal(fit(models["masked"], person=person, steps=3).image, fitting.image)


@marked
def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, str]) -> None:
    monkeypatch.delenv("VESTIARY_DIFFUSION_WEIGHTS", raising=False)
    with pytest.raises(WeightsError, match=r"ships no weights.*--weights.*vestiary train diffusion.*docs/diffusion"):
        fit("")
    with pytest.raises(WeightsError, match="nowhere"):
        fit(str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match=r"no model\.json"):
        fit(str(tmp_path))
    monkeypatch.setenv("VESTIARY_DIFFUSION_WEIGHTS", models["masked"])
    assert fit("").provenance["model"]["name"] == "tiny-0"
    monkeypatch.setenv("VESTIARY_DIFFUSION_WEIGHTS", os.pathsep.join([models["masked"], models["free"]]))
    assert fit("free").provenance["model"]["name"] == "tiny-1"
    with pytest.raises(OptionError, match=r"not among those of this machine.*Choose one of: masked, free"):
        fit(models["pair"])


@marked
def test_a_model_that_was_saved_anew_is_loaded_anew(tmp_path: Path) -> None:
    from vestiary.diffusion.model import tiny_model

    before = fit(_saved(tiny_model(5, text=False, controls=()), tmp_path))
    after = fit(_saved(tiny_model(6, text=False, controls=()), tmp_path))
    assert before.provenance["weights"] != after.provenance["weights"]
    assert not np.array_equal(before.image, after.image)


def _saved(model: object, folder: Path) -> str:
    model.save(folder / "m")  # type: ignore[attr-defined]
    stamp = (folder / "m" / "model.json").stat().st_mtime_ns
    os.utime(folder / "m" / "model.json", ns=(stamp, stamp + 1_000_000))
    return str(folder / "m")


@marked
def test_options_that_this_model_has_nothing_for(models: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="tiny-0 is not mask-free"):
        fit(models["masked"], mask_free=True)
    with pytest.raises(OptionError, match="reads no text"):
        fit(models["free"], prompt="a red dress")
    with pytest.raises(OptionError, match="at most 50 steps"):
        fit(models["masked"], scheduler="lcm", steps=60)


@marked
def test_memory_switches_change_little(models: dict[str, str]) -> None:
    plain = fit(models["masked"]).image.astype(int)
    switched = fit(models["masked"], attention="sliced", vae_slicing=True).image
    assert np.abs(plain - switched).max() <= 2


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose card says that it was distilled."""
    from vestiary.diffusion.card import Distilled
    from vestiary.diffusion.model import tiny_model

    model = tiny_model(7, text=False, controls=())
    how = Distilled(steps=3, guidance=1, scheduler="lcm", teacher="tiny")
    model.card = model.card.model_copy(update={"distilled": how})
    folder = tmp_path_factory.mktemp("student")
    model.save(folder)
    return str(folder)


def photo_in(folder: Path) -> str:
    from PIL import Image

    Image.fromarray(figures.person().image).save(folder / "a.png")
    return str(folder / "a.png")


def dressed(weights: str, **options: object) -> Fitting:
    chosen = {"weights": weights, **options}
    return vestiary.try_on(figures.person(), figures.garment("tee_white.jpg"), engine="diffusion", options=chosen)


@marked
def test_a_distilled_student_is_sampled_as_its_card_says(student: str, models: dict[str, str]) -> None:
    left, named = dressed(student), dressed(student, steps=3, guidance=1, scheduler="lcm")
    assert np.array_equal(left.image, named.image)
    used = left.provenance["options"]
    assert (used["steps"], used["guidance"], used["scheduler"]) == (3, 1, "lcm")
    assert left.provenance["options_by_the_card"] == ["guidance", "scheduler", "steps"]
    assert "options_by_the_card" not in named.provenance
    assert left.warnings == named.warnings == figures.person().warnings
    assert "options_by_the_card" not in dressed(models["masked"], steps=1).provenance


@marked
def test_what_is_asked_for_comes_before_what_the_card_says(student: str) -> None:
    """Also where it is what the options would say by themselves."""
    made = dressed(student, guidance=2.5, steps=1)
    used = made.provenance["options"]
    assert (used["steps"], used["guidance"], used["scheduler"]) == (1, 2.5, "lcm")
    assert made.provenance["options_by_the_card"] == ["scheduler"]
    note = "tiny-7 was distilled under guidance: guidance 2.5 is added to it, at twice the time; 1 is meant."
    assert any(note in warning for warning in made.warnings)


@marked
def test_the_command_line_leaves_to_the_card_what_was_not_typed(
    student: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vestiary.cli.main import main

    monkeypatch.setattr("vestiary.api.scan_person", lambda *_, **__: figures.person())
    monkeypatch.setattr("vestiary.api.read_garment", lambda *_, **__: figures.garment("tee_white.jpg"))
    photo = photo_in(tmp_path)
    order = ["try", photo, photo, "-o", str(tmp_path / "out.png"), "--engine", "diffusion"]
    assert main([*order, "--weights", student, "--steps", "2", "--json"]) == 0
    used = json.loads(capsys.readouterr().out)["provenance"]["options"]
    assert (used["steps"], used["guidance"], used["scheduler"]) == (2, 1, "lcm")


@marked
@pytest.mark.parametrize("wrong", ["nowhere", "empty", "torn", "lost"])
def test_wrong_weights_are_told_before_the_person_is_scanned(
    wrong: str, tmp_path: Path, models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.delenv("VESTIARY_DIFFUSION_WEIGHTS", raising=False)
    shutil.copytree(models["free"], tmp_path / "torn")
    shutil.copytree(models["free"], tmp_path / "lost")
    (tmp_path / "torn" / "model.json").write_text('{"garments": 9}')
    (tmp_path / "lost" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (tmp_path / "empty").mkdir()
    words = {
        "nowhere": "nowhere', and no folder is there",
        "empty": "holds neither a model of ours",
        "torn": "model.json: garments",
        "lost": "diffusion_pytorch_model.safetensors is missing",
    }
    monkeypatch.setattr("vestiary.api.scan_person", lambda *_, **__: pytest.fail("somebody was scanned"))
    weights = wrong if wrong == "nowhere" else str(tmp_path / wrong)
    with pytest.raises(WeightsError, match=words[wrong]):
        vestiary.try_on("a.jpg", "b.jpg", engine="diffusion", options={"weights": weights})


@needs_torch
def test_the_command_line_tells_wrong_weights_at_once_and_without_pytorch(tmp_path: Path) -> None:
    words = ["try", photo_in(tmp_path), photo_in(tmp_path), "-o", str(tmp_path / "out.png"), "--engine", "diffusion"]
    code = f"import sys\nfrom vestiary.cli.main import main\nmain({[*words, '--weights', 'catvtn']})"
    said = alone(f"{code}\nprint([name for name in ('torch', 'diffusers', 'onnxruntime') if name in sys.modules])")
    assert "no published weights are called 'catvtn', and no folder is there" in said
    assert "looking at" not in said
    assert said.strip().splitlines()[0] == "[]"
