"""The autoencoder's recipe at toy size: the loss falls, the folder opens, and bad data is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("diffusers")
pytestmark = pytest.mark.train

import torch  # noqa: E402
from diffusers import AutoencoderKL  # noqa: E402
from PIL import Image  # noqa: E402

from vestiary.errors import ImageError, InputError, OptionError, OutputError, WeightsError  # noqa: E402
from vestiary.training.autoencoder import AutoencoderConfig, AutoencoderRecipe, recoloured  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.pictures import held_back, list_pictures  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402
from vestiary.training.ship import Order, ship  # noqa: E402


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(1, 21):
        coarse = Image.fromarray(rng.integers(0, 255, (4, 3, 3), np.uint8))
        coarse.resize((96, 128), Image.Resampling.BICUBIC).save(folder / f"{number:04}.jpg")
    return folder


def config(data: Path, *, widths: tuple[int, ...] = (8, 16), **training: object) -> AutoencoderConfig:
    plan = {"steps": 40, "batch": 4, "workers": 0, "threads": 1, "log_steps": 1, "averaging": 0.5, **training}
    values = {"data": data, "height": 64, "width": 48, "crop": 32, "widths": widths, "validation": 2, "rate": 1e-2}
    return AutoencoderConfig.model_validate({**values, "losses": {"perceptual": 0}, "training": plan})


def trainer(data: Path, run: Path, *, resume: bool = False, widths: tuple[int, ...] = (8, 16), **plan: Any) -> Trainer:
    settings = config(data, widths=widths, **plan)
    return Trainer(make_recipe(AutoencoderRecipe, settings, run), settings, run, resume=resume)


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, float, dict[str, float]]:
    """A run, the score before it, and its last figures."""
    made = trainer(photos, tmp_path_factory.mktemp("run") / "run")
    before = made.recipe.validate(made.averaged)["psnr"]
    return made, before, made.fit().figures


def test_the_loss_falls_and_the_folder_gives_the_photo_back(
    run: tuple[Trainer, float, dict[str, float]], photos: Path, tmp_path: Path
) -> None:
    made, before, figures = run
    assert figures["psnr"] > before + 1.5
    report = ship(Order(made.folder / "best.pt", tmp_path / "model"))
    assert report["recipe"] == "autoencoder"
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    assert card["width"] == 48
    assert len(card["sha256"]["vae/diffusion_pytorch_model.safetensors"]) == 64
    vae = AutoencoderKL.from_pretrained(tmp_path / "model" / "vae")
    picture = torch.rand(1, 3, 64, 48) * 2 - 1
    latents = vae.encode(picture).latent_dist.mode()
    assert latents.shape == (1, 4, 32, 24)
    assert vae.config["scaling_factor"] == pytest.approx(figures["scale"], rel=1e-5)
    again = trainer(photos, tmp_path / "more", steps=1)
    settings = again.config.model_copy(update={"start": tmp_path / "model"})
    started = make_recipe(AutoencoderRecipe, settings, tmp_path).networks["autoencoder"].vae
    assert torch.allclose(started.encode(picture).latent_dist.mode(), latents, atol=1e-4)


def test_the_latents_are_scaled_to_a_spread_of_one(run: tuple[Trainer, float, dict[str, float]]) -> None:
    network, samples = run[0].averaged["autoencoder"], run[0].recipe.samples("train")
    pictures = torch.stack([torch.from_numpy(samples[i]["picture"]) for i in range(8)])
    with torch.no_grad():
        latents = network.vae.encode(pictures).latent_dist.mode() * network.scale
    assert 0.6 < float(latents.std()) < 1.6


def test_hues_are_turned_and_brightness_stays() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(64, 3, 4, 4) * 0.4 - 0.2  # no colour is cut off
    turned = recoloured(pictures, 1.0)
    assert torch.allclose(turned.mean(1), pictures.mean(1), atol=1e-6)

    def colour(rows: torch.Tensor) -> torch.Tensor:
        return rows - rows.mean(1, keepdim=True)

    stronger = colour(turned).norm(dim=1) / colour(pictures).norm(dim=1)
    assert stronger.amin() > 0.99
    assert 2.5 < stronger.amax() < 3.01
    assert stronger.flatten(1).std(1).max() < 1e-3  # one and the same turn all over a picture
    towards = torch.nn.functional.cosine_similarity(colour(turned)[:, :, 0, 0], colour(pictures)[:, :, 0, 0])
    assert towards.min() < -0.9
    assert towards.max() > 0.9
    assert recoloured(pictures, 0.0) is pictures
    kept = (recoloured(pictures, 0.5) == pictures).flatten(1).all(1).float().mean()
    assert 0.25 < kept < 0.75


def test_a_resumed_run_ends_in_the_same_weights(photos: Path, tmp_path: Path) -> None:
    whole = trainer(photos, tmp_path / "whole", steps=4, schedule="constant")
    whole.fit()
    trainer(photos, tmp_path / "cut", steps=2, schedule="constant").fit()
    rest = trainer(photos, tmp_path / "cut", resume=True, steps=4, schedule="constant")
    rest.fit()
    states = (run.averaged["autoencoder"].state_dict() for run in (whole, rest))
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in states), strict=True))


def test_a_damaged_picture_is_left_out_and_named(photos: Path, tmp_path: Path) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(photos, data)
    (data / "0003.jpg").write_bytes(b"no picture")
    seen: list[str] = []
    settings = config(data, steps=6, unreadable=0.9)
    run = Trainer(
        make_recipe(AutoencoderRecipe, settings, tmp_path),
        settings,
        tmp_path / "run",
        on_event=lambda event, fields: seen.append(fields["reason"]) if event == "skipped" else None,
    )
    assert run.fit().skipped == len(seen) > 0
    assert "0003.jpg" in seen[0]
    with pytest.raises(ImageError):
        [run.recipe.samples("train")[i] for i in range(60)]


def test_what_cannot_be_is_said_before_the_first_step(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        trainer(tmp_path / "nowhere", tmp_path / "a").fit()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        trainer(tmp_path / "empty", tmp_path / "b").fit()
    with pytest.raises(OptionError, match="groups"):
        trainer(photos, tmp_path / "c", widths=(12, 16))
    with pytest.raises(OptionError, match="multiples of 4"):
        AutoencoderRecipe(config(photos, widths=(8, 8, 8)).model_copy(update={"crop": 34}), tmp_path)
    with pytest.raises(InputError, match="no autoencoder"):
        AutoencoderRecipe(config(photos).model_copy(update={"start": tmp_path}), tmp_path)


def test_a_checkpoint_of_another_architecture_is_refused(photos: Path, tmp_path: Path) -> None:
    trainer(photos, tmp_path / "run", steps=1).fit()
    with pytest.raises(WeightsError, match="another architecture"):
        trainer(photos, tmp_path / "run", resume=True, widths=(8, 24), steps=2)
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="folder"):
        ship(Order(tmp_path / "run" / "best.pt", tmp_path / "there"))


def test_one_in_ten_is_held_back(photos: Path) -> None:
    assert [path.name for path in list_pictures([photos], validation=True)] == ["0010.jpg", "0020.jpg"]
    assert len(list_pictures([photos])) == 18
    assert sum(held_back(Path(f"{name:x}-a.png")) for name in range(1000)) in range(60, 140)
