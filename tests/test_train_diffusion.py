"""The diffusion's recipe at toy size: the loss falls, it is asked what the pipeline asks, and the result opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("diffusers")
pytest.importorskip("peft")
pytestmark = pytest.mark.train

import torch  # noqa: E402
from PIL import Image  # noqa: E402

import vestiary  # noqa: E402
from tests import dressing_data as dressing  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.diffusion.pipeline import sample  # noqa: E402
from vestiary.errors import DatasetError, ImageError, InputError, OptionError, WeightsError  # noqa: E402
from vestiary.training import checkpoint  # noqa: E402
from vestiary.training.adapters import LORA  # noqa: E402
from vestiary.training.diffusion import DiffusionConfig, DiffusionRecipe  # noqa: E402
from vestiary.training.diffusion_loss import Schedule  # noqa: E402
from vestiary.training.diffusion_pairs import Frames, Keep, Pair, sources  # noqa: E402
from vestiary.training.diffusion_samples import Samples, View, pictures_of  # noqa: E402
from vestiary.training.diffusion_score import conditions_from  # noqa: E402
from vestiary.training.loop import Trainer  # noqa: E402
from vestiary.training.recipes import make_recipe  # noqa: E402
from vestiary.training.ship import Order, ship  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def seen() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        dressing.stand_in(patch)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dressing.viton(tmp_path_factory.mktemp("viton"), 24)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, in the frame of the data."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    model = tiny_model(3, text=True)
    model.card = model.card.model_copy(update={"width": 48, "height": 64, "prediction_type": "v_prediction"})
    model.save(folder)
    return folder


def config(data: Path, kept: Path, start: Path | None, **keys: Any) -> DiffusionConfig:
    plan: dict[str, Any] = {"steps": 8, "batch": 4, "workers": 0, "threads": 1, "log_steps": 1, "averaging": 0.5}
    plan["schedule"] = "constant"
    values: dict[str, Any] = {"data": data, "kept": kept, "rate": 3e-3, "validation": 2, "painted": 0, "start": start}
    return DiffusionConfig.model_validate({**values, **keys, "training": {**plan, **keys.get("training", {})}})


def trainer(settings: DiffusionConfig, run: Path, *, resume: bool = False, told: list[Any] | None = None) -> Trainer:
    def tell(event: str, fields: dict[str, Any]) -> None:
        if told is not None and event in ("step", "skipped"):
            told.append(fields)

    return Trainer(make_recipe(DiffusionRecipe, settings, run), settings, run, resume=resume, on_event=tell)


@pytest.mark.parametrize("method", ["full", "attention", "lora", "dora"])
def test_the_loss_falls_and_the_engine_s_pipeline_opens_the_folder(
    method: str, data: Path, kept: Path, start: Path, tmp_path: Path
) -> None:
    # Attention alone can do little for a network of random weights.
    rate, better = {"full": (3e-3, 0.8), "attention": (1e-3, 1.01), "lora": (1e-2, 0.9), "dora": (1e-2, 0.9)}[method]
    keys: dict[str, Any] = {"targets": ("to_q", "to_v", "conv_in", "conv_out", "conv1", "conv2"), "rate": rate}
    settings = config(data, kept, start, method=method, **keys, painted=1, sampling_steps=2, training={"steps": 20})
    run = trainer(settings, tmp_path / "run")
    before = run.recipe.validate(run.averaged)["loss"]
    result = run.fit()
    assert result.figures["loss"] < better * before
    assert {"psnr", "lite0"} <= result.figures.keys()
    with Image.open(tmp_path / "run" / "painted.png") as sheet:
        assert sheet.size == (2 * 48 * 4, 2 * 64)
    report = ship(Order(result.checkpoint, tmp_path / "model"))
    model = TryOnModel.load(tmp_path / "model")
    assert report["card"]["prediction_type"] == model.card.prediction_type == "v_prediction"
    if method == "full":
        wearer = dressing.wearing((200, 30, 30))
        chosen = {"weights": str(tmp_path / "model"), "steps": 1, "scheduler": "ddim"}
        fitting = vestiary.try_on(wearer, dressing.lying(wearer.image[:100]), engine="diffusion", options=chosen)
        assert np.array_equal(fitting.image[fitting.mask == 0], wearer.image[fitting.mask == 0])
        assert not np.array_equal(fitting.image, wearer.image)
    (pair,) = [p for s in sources(data, validation=True)[:1] if (p := Keep(kept, frames(model)).pair(s))]
    options = DiffusionOptions(steps=2, guidance=2, scheduler="ddim")
    painted = sample(model, conditions_from([pair], model), options, generator=seeded())
    assert painted.shape == (1, 3, 64, 48)
    with run.recipe._with(run.averaged):
        mine = sample(run.recipe.model, conditions_from([pair], model), options, generator=seeded())
    assert torch.allclose(painted, mine, atol=2e-3)
    if method in ("lora", "dora"):
        held = checkpoint.read(result.checkpoint)["networks"]["adapters"]
        assert all("lora_" in name for name in held)
        other = TryOnModel.load(start)
        other.unet.load_lora_adapter(str(tmp_path / "model" / "lora"), prefix=None, weight_name=LORA)
        again = sample(other, conditions_from([pair], other), options, generator=seeded())
        assert torch.allclose(again, painted, atol=2e-3)
    untouched = TryOnModel.load(start).unet.state_dict()
    changed = {name for name, weight in model.unet.state_dict().items() if not torch.equal(weight, untouched[name])}
    if method == "attention":
        assert changed
        assert all(".attn1." in name for name in changed)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def frames(model: TryOnModel) -> Frames:
    card = model.card
    return Frames(height=card.height, width=card.width, places=card.garments, agnostic=card.agnostic)


@pytest.mark.parametrize("concat", ["width", "height"])
@pytest.mark.parametrize("mask_free", [False, True])
def test_the_network_is_asked_in_training_what_it_is_asked_at_run_time(
    concat: Any, mask_free: bool, data: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(1, concat=concat, mask_free=mask_free)
    model.card = model.card.model_copy(update={"width": 48, "height": 64})
    recipe = DiffusionRecipe.__new__(DiffusionRecipe)
    recipe._prepare(config(data, kept, data), data, model)
    pairs = [p for s in sources(data, validation=False)[:2] if (p := Keep(kept, frames(model)).pair(s))]
    samples = Samples(Keep(kept, frames(model)), sources(data, validation=False), recipe.view, 0)
    rows = [samples.shown(source, pair) for source, pair in zip(samples.found, pairs, strict=False)]
    batch = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    asked = recipe._question(batch, dropout=0)
    without = recipe._question(batch, dropout=1)
    inputs: list[torch.Tensor] = []
    texts: list[torch.Tensor] = []

    def note(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        inputs.append(given[0])
        texts.append(named["encoder_hidden_states"])

    handle = model.unet.register_forward_pre_hook(note, with_kwargs=True)
    options = DiffusionOptions(steps=1, guidance=2, scheduler="ddim")
    sample(model, conditions_from(pairs, model), options, generator=seeded())
    handle.remove()
    empty, told = inputs[0].chunk(2)
    assert torch.allclose(told[:, 4:], asked.channels, atol=1e-4)
    assert torch.allclose(empty[:, 4:], without.channels, atol=1e-4)
    assert torch.allclose(texts[0], torch.cat([without.text, asked.text]), atol=1e-4)


def test_latents_that_are_kept_teach_what_pictures_teach(data: Path, kept: Path, start: Path, tmp_path: Path) -> None:
    told: dict[bool, list[Any]] = {True: [], False: []}
    for latents, losses in told.items():
        settings = config(data, kept, start, latents=latents, training={"steps": 1})
        trainer(settings, tmp_path / str(latents), told=losses).fit()
    first, other = (losses[0]["losses"]["unet/noise"] for losses in told.values())
    assert first == pytest.approx(other, rel=5e-3)


def test_no_process_waits_for_another_for_latents(
    data: Path, kept: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the main process validates: whoever waited there for the others would wait for ever."""
    recipe = make_recipe(DiffusionRecipe, config(data, kept, start), tmp_path)
    second = SimpleNamespace(process_index=1, num_processes=2)  # has nothing to wait with
    monkeypatch.setattr("vestiary.training.diffusion_samples.PartialState", lambda: second)
    samples = recipe.samples("validation")
    assert isinstance(samples, Samples)
    assert samples[0]["target"].dtype == torch.float16


def test_a_validation_makes_no_more_pairs_than_it_looks_at(data: Path, start: Path, tmp_path: Path) -> None:
    assert len(sources(data, validation=True)) == 2
    for count in (1, 2):
        settings = config(data, tmp_path / "kept", start, validation=count)
        recipe = make_recipe(DiffusionRecipe, settings, tmp_path)
        assert recipe.validate(recipe.networks)["loss"] > 0
        assert len(list((tmp_path / "kept").glob("*.npz"))) == count
        assert len(list((tmp_path / "kept").glob("latents-*/*.npz"))) == count


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_resumed_run_ends_in_the_same_weights(
    method: str, data: Path, kept: Path, start: Path, tmp_path: Path
) -> None:
    def plan(steps: int) -> DiffusionConfig:
        return config(data, kept, start, method=method, training={"steps": steps, "accumulate": 2, "batch": 2})

    whole = trainer(plan(4), tmp_path / "whole")
    whole.fit()
    trainer(plan(2), tmp_path / "cut").fit()
    rest = trainer(plan(4), tmp_path / "cut", resume=True)
    rest.fit()
    for name, network in whole.averaged.items():
        states = network.state_dict().values(), rest.averaged[name].state_dict().values()
        assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    other = {"method": "lora", "rank": 3} if method == "lora" else {"method": "lora"}
    with pytest.raises(WeightsError, match="another architecture"):
        trainer(plan(5).model_copy(update=other), tmp_path / "cut", resume=True)


def test_a_new_model_is_trained_on_an_autoencoder(data: Path, start: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"vae": start, "height": 64, "width": 48, "widths": (16, 32), "places": 2, "heads": 16}
    extra: dict[str, Any] = {"gradient_checkpointing": True, "zero_snr": True, "text": start, "min_snr": None}
    settings = config(data, tmp_path / "kept", None, **keys, **extra, training={"steps": 2, "precision": "bf16"})
    result = trainer(settings, tmp_path / "run").fit()
    ship(Order(result.checkpoint, tmp_path / "model"))
    model = TryOnModel.load(tmp_path / "model")
    assert (model.card.garments, model.card.prediction_type) == (2, "v_prediction")
    assert model.text_encoder is not None
    assert model.scheduler_config["timestep_spacing"] == "trailing"


def test_velocity_noise_and_their_weights() -> None:
    clean, noise = torch.randn(2, 3, 4, 4, 4, generator=seeded()).unbind(0)
    t = torch.tensor([10, 500, 900])
    for kind in ("epsilon", "v_prediction"):
        schedule = Schedule.of({}, kind)
        alpha, sigma = schedule.shares(t)
        noisy, said = schedule.noisy(clean, noise, t), schedule.wanted(clean, noise, t)
        back = (noisy - sigma * said) / alpha if kind == "epsilon" else alpha * noisy - sigma * said
        assert torch.allclose(back, clean, atol=1e-3)
        ratio = (alpha / sigma).square().flatten()
        weight = schedule.weight(t, 5.0).flatten()
        assert ratio[0] > 5 > ratio[1]
        # In terms of the clean picture every timestep counts min(SNR, 5), Hang et al. 2023, section 3.4.
        of_clean = weight * (ratio if kind == "epsilon" else ratio + 1)
        assert torch.allclose(of_clean, ratio.clamp(max=5.0), rtol=1e-3)
        assert torch.equal(schedule.weight(t, None), torch.ones(3, 1, 1, 1))
    assert float(Schedule.of({"rescale_betas_zero_snr": True}, "v_prediction").bars[-1]) < 1e-6
    drawn = torch.stack([Schedule.of({}, "epsilon").draw(8, torch.device("cpu")).sort().values for _ in range(20)])
    assert drawn.unique().numel() > 100
    assert (drawn.diff(dim=1) >= 124).all()


def test_what_only_the_garment_can_tell_counts(
    data: Path, kept: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where noise has drowned the person, a network that does not look beside it loses as much as elsewhere."""
    recipe = DiffusionRecipe(config(data, kept, start), tmp_path)
    asked = recipe._question({name: row[None] for name, row in recipe.samples("train")[0].items()}, dropout=0)
    noise = torch.randn(asked.clean.shape, generator=seeded())

    def lost(t: int) -> float:
        at = torch.tensor([t])
        alpha, sigma = recipe.schedule.shares(at)
        monkeypatch.setattr(recipe, "answer", lambda *_: alpha * noise)  # the velocity if the picture were empty
        return float(recipe._error(asked, noise, at) / sigma.square())

    assert lost(990) > 0.9 * lost(300) > 0


def test_photos_alone_are_taken_apart(tmp_path: Path, start: Path) -> None:
    folder = dressing.photos(tmp_path / "photos", 12)
    Image.new("RGB", (96, 128)).save(folder / "0003.png")  # nobody to be seen
    keep = Keep(tmp_path / "kept", Frames(height=64, width=48))
    (held,) = sources(folder, validation=True)
    pair = keep.pair(held)
    assert pair is not None
    assert np.array_equal(pair.target, pair.person)
    outside = pair.mask == 0
    assert np.abs(pair.agnostic[outside].astype(int) - pair.target[outside]).max() <= 1
    assert not np.array_equal(pair.agnostic, pair.target)
    shown = pair.garments[0].reshape(-1, 3).astype(int)
    assert (shown.min(1) > 250).mean() > 0.2  # laid on white
    assert pair.caption in ("top", "trousers")
    samples = Samples(keep, sources(folder, validation=False), View(), 0)
    assert len({samples[i]["target"].sum().item() for i in range(22)}) > 5  # the black one is passed over
    assert "no person" in next(keep.folder.glob("0003-*.txt")).read_text()
    with pytest.raises(InputError, match="holds pairs with height=64"):
        Keep(tmp_path / "kept", Frames(height=128, width=48))
    (keep.place(held)).write_bytes(b"cut off")
    with pytest.raises(ImageError, match="damaged"):
        keep.pair(held)
    free = tmp_path / "free"
    tiny_model(0, mask_free=True).save(free)
    with pytest.raises(OptionError, match="people in two garments"):
        trainer(config(folder, tmp_path / "more", free), tmp_path / "run").fit()


def test_outside_the_mask_the_person_is_to_stay_as_they_came() -> None:
    """Of two pictures of somebody in different clothes only the painted place may differ."""
    draw = np.random.default_rng(0)
    target, person, agnostic = draw.integers(0, 255, (3, 8, 8, 3), np.uint8)
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 1:4] = 255
    none = np.zeros((0, 8, 8, 3), np.uint8)
    pair = Pair(target, person, agnostic, mask, mask, target[None], np.ones(1, np.uint8), none, "")
    inside = np.zeros((8, 8), bool)
    inside[2:5, 1:4] = True
    wanted = pictures_of(pair, mask_free=False)["target"].permute(1, 2, 0).numpy()
    assert np.array_equal(wanted[inside], target[inside])
    assert np.array_equal(wanted[~inside], person[~inside])
    turned = pictures_of(pair, mask_free=True, mirrored=True)
    assert np.array_equal(turned["target"].permute(1, 2, 0).numpy(), target[:, ::-1])
    assert np.array_equal(turned["mask"][0].numpy(), mask[:, ::-1])


def test_a_damaged_picture_in_the_middle_is_left_out_and_named(data: Path, start: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    (broken / "train" / "cloth" / "00004.png").write_bytes(b"no picture")
    told: list[Any] = []
    settings = config(broken, tmp_path / "kept", start, training={"unreadable": 0.9})
    assert trainer(settings, tmp_path / "run", told=told).fit().skipped > 0
    assert any("00004" in fields.get("reason", "") for fields in told)


def test_what_cannot_be_is_said_before_the_first_step(data: Path, kept: Path, start: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        trainer(config(tmp_path / "nowhere", kept, start), tmp_path / "a").fit()
    with pytest.raises(WeightsError, match="no model folder"):
        DiffusionRecipe(config(data, kept, tmp_path / "no"), tmp_path)
    with pytest.raises(OptionError, match="needs an autoencoder"):
        DiffusionRecipe(config(data, kept, start).model_copy(update={"start": None}), tmp_path)
    with pytest.raises(OptionError, match="predicts v_prediction"):
        DiffusionRecipe(config(data, kept, start, prediction="epsilon"), tmp_path)
    with pytest.raises(OptionError, match="height=60"):
        DiffusionRecipe(config(data, kept, start, height=60), tmp_path)
    with pytest.raises(OptionError, match="adapters cannot be put"):
        DiffusionRecipe(config(data, kept, start, method="lora", targets=("nothing",)), tmp_path)
    keys: dict[str, Any] = {"vae": start, "prediction": "epsilon", "zero_snr": True}
    with pytest.raises(OptionError, match="its noise tells nothing"):
        DiffusionRecipe(config(data, kept, None, **keys), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        trainer(config(tmp_path / "empty", kept, start), tmp_path / "b").fit()
