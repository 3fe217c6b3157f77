"""The refiner's recipe at toy size: pairs come from the engine's own steps, and the loss falls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("pywt")
pytestmark = pytest.mark.train

import cv2  # noqa: E402
import torch  # noqa: E402

from tests.figures import person  # noqa: E402
from vestiary.fitting import body, light, refine  # noqa: E402
from vestiary.fitting.refine import CHANNELS  # noqa: E402
from vestiary.networks.encoder import Lite0  # noqa: E402
from vestiary.networks.refiner import INPUTS, Refiner, apply_maps  # noqa: E402
from vestiary.training import losses  # noqa: E402
from vestiary.training.disturb import Pair, flatten, make_pair  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402
from vestiary.training.refiner import RefinerConfig, RefinerRecipe  # noqa: E402

TILE = np.random.default_rng(3).integers(90, 160, (60, 40, 3), np.uint8)


def pair_of(seed: int) -> Pair:
    wearer = person(sleeves="none")
    shape = body.measure(wearer)
    rng = np.random.default_rng(seed)
    made = make_pair(wearer, shape, light.old_light(wearer, shape), [TILE], rng, shape.unit)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for part, seeds in {"train": range(4), "held": range(4, 6)}.items():
        (folder / part).mkdir()
        for seed in seeds:
            made = pair_of(seed)
            np.save(folder / part / f"{seed}.npy", np.dstack([made.working, made.target, made.valid]))
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "lite0.pt"
    torch.manual_seed(0)
    torch.save(Lite0().state_dict(), path)
    return path


def config(cache: Path, encoder: Path, **training: object) -> RefinerConfig:
    plan = {"steps": 12, "batch": 2, "workers": 0, "threads": 1, "warm_up": 0.0, "log_steps": 1, **training}
    values = {"data": cache, "encoder": encoder, "crop": (64, 48), "adversarial_from": 4, "training": plan}
    return RefinerConfig.model_validate(values)


def test_a_pair_differs_where_something_was_made_up_and_nowhere_else() -> None:
    made = [pair_of(seed) for seed in range(5)]
    for pair in made:
        assert pair.working.shape == (*pair.target.shape[:2], INPUTS)
        untouched = cv2.dilate(pair.working[..., CHANNELS.index("edited")], np.ones((5, 5), np.uint8)) == 0
        assert np.abs(pair.working[untouched, :3].astype(int) - pair.target[untouched]).max() <= 2
        edited = pair.working[..., CHANNELS.index("edited")] == 255
        assert np.abs(pair.working[edited, :3].astype(int) - pair.target[edited]).mean() > 1
    assert max(int((pair.working[..., CHANNELS.index("skin")] > 128).sum()) for pair in made) > 200


def test_a_pair_depends_on_its_seed_alone() -> None:
    assert np.array_equal(pair_of(1).working, pair_of(1).working)
    assert not np.array_equal(pair_of(1).working, pair_of(2).working)


def test_flattening_takes_the_light_away() -> None:
    wearer = person()
    lit = wearer.image * np.linspace(0.6, 1.3, wearer.image.shape[1])[None, :, None]
    object.__setattr__(wearer, "image", np.clip(lit, 0, 255).astype(np.uint8))
    worn = wearer.parts == 10
    flat = flatten(wearer, worn, 60, np.random.default_rng(0))
    assert flat[worn].std() < 0.6 * wearer.image[worn].std()


def test_losses_measure_what_they_are_named_for(encoder: Path) -> None:
    real = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(2, 1, 64, 64)
    shifted, sharp = real + 0.1, real + 0.1 * torch.tensor([1.0, -1.0]).repeat(32)
    wavelet, features = losses.WaveletLoss(), losses.PerceptualLoss((0, 1), encoder)
    for loss in (losses.pixel_loss, wavelet, features):
        assert float(loss(real, real, everywhere)) == pytest.approx(0, abs=1e-6)
    assert float(losses.pixel_loss(shifted, real, everywhere)) == pytest.approx(0.1, abs=1e-5)
    assert float(wavelet(shifted, real, everywhere)) < 1e-5 < 0.02 < float(wavelet(sharp, real, everywhere))
    assert float(features(sharp, real, everywhere)) > 1e-4
    assert float(losses.pixel_loss(shifted, real, 0 * everywhere)) == 0


def test_the_fresh_network_leaves_the_picture_nearly_as_it_is() -> None:
    torch.manual_seed(0)
    working = torch.from_numpy(pair_of(0).working[:320, :160].transpose(2, 0, 1)[None].astype(np.float32) / 255)
    working = working[..., : working.shape[2] // 16 * 16, : working.shape[3] // 16 * 16]
    with torch.no_grad():
        mended = apply_maps(working, Refiner().eval()(working))
    assert float((mended - working[:, :3]).abs().mean()) < 0.02


def test_the_loss_falls_and_the_file_answers_as_the_network(cache: Path, encoder: Path, tmp_path: Path) -> None:
    import onnxruntime

    settings = config(cache, encoder)
    recipe = make_recipe(RefinerRecipe, settings, tmp_path)
    seen: list[float] = []
    trainer = Trainer(
        recipe,
        settings,
        tmp_path / "run",
        on_event=lambda event, fields: seen.append(fields["losses"]["generator/pixel"]) if event == "step" else None,
    )
    result = trainer.fit()
    assert result.figures.keys() >= {"perceptual_coarse", "perceptual_refined", "score"}
    assert np.mean(seen[-4:]) < np.mean(seen[:4])
    recipe.export(trainer.averaged, tmp_path / "refiner.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "refiner.onnx"), providers=["CPUExecutionProvider"])
    working = np.random.default_rng(0).random((1, INPUTS, 48, 32), np.float32)
    (answer,) = session.run(None, {"working": working})
    assert answer.shape == (1, len(refine.MAPS), 48, 32)
    with torch.no_grad():
        expected = trainer.averaged["generator"](torch.from_numpy(working)).numpy()
    assert np.abs(answer - expected).max() < 0.01
