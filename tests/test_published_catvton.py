"""CatVTON's loader with tiny random weights in the authors' own layout, and the whole try-on with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import figures
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch.set_num_threads(1)

from diffusers import DDIMScheduler  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from vestiary.api import try_on  # noqa: E402
from vestiary.diffusion.conditions import conditions_of  # noqa: E402
from vestiary.diffusion.model import tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.diffusion.pipeline import sample  # noqa: E402
from vestiary.diffusion.published import catvton, hub, licences, open_model, room, specs  # noqa: E402
from vestiary.errors import LicenceError, MemoryShortError, OptionError, WeightsError  # noqa: E402


def authors_checkpoint(unet: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """What the authors' training stored: their list of modules, of which safetensors keeps each weight once."""
    listed = torch.nn.ModuleList()
    for name, module in unet.named_modules():
        if "attn1" in name:
            listed.append(module)
            if name.endswith("to_out.1"):
                listed.append(torch.nn.Identity())  # their attention processor, which is a module
    generator = torch.Generator().manual_seed(seed)
    kept, seen = {}, set()
    for key, value in listed.state_dict().items():
        if value.data_ptr() not in seen:
            seen.add(value.data_ptr())
            kept[key] = torch.randn(value.shape, generator=generator)
    return kept


def tiny_folder(place: Path, *, mask_free: bool = False) -> Path:
    """A set of weights as users put it there: the parts under their names, each in its repository's layout."""
    model = tiny_model(1, text=False, controls=(), mask_free=mask_free)
    model.unet.save_pretrained(place / "base" / "unet")
    DDIMScheduler(beta_schedule="scaled_linear").save_pretrained(place / "base" / "scheduler")
    model.vae.save_pretrained(place / "vae")
    attention = place / "attention" / "mix-48k-1024" / "attention"
    attention.mkdir(parents=True)
    save_file(authors_checkpoint(model.unet, 2), attention / "model.safetensors")
    return place


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VESTIARY_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tiny_folder(tmp_path / "weights")


def parts(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in ("attention", "base", "vae")}


def test_attention_goes_where_the_authors_list_has_it(folder: Path) -> None:
    published = specs.find("catvton")
    model = catvton.load(published, parts(folder), dtype="float32", device="cpu")
    base = tiny_model(1, text=False, controls=())
    given = authors_checkpoint(base.unet, 2)
    listed = [m for n, m in model.unet.named_modules() if n.endswith(".attn1")]
    assert len(given) == 5 * len(listed) == 20
    for number, attention in enumerate(listed):
        assert torch.equal(attention.to_v.weight, given[f"{8 * number}.to_v.weight"])
    for name, value in base.unet.state_dict().items():
        if ".attn1." not in name:
            assert torch.equal(value, model.unet.state_dict()[name]), name
    assert model.card.concat == "height"
    assert not model.card.commercial
    assert not model.mask_free


def test_cross_attention_hands_on_its_input_and_nothing_of_the_text(folder: Path) -> None:
    unet = catvton.load(specs.find("catvton"), parts(folder), dtype="float32", device="cpu").unet
    attention = next(m for n, m in unet.named_modules() if n.endswith(".attn2"))
    hidden = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(0))
    assert attention(hidden, encoder_hidden_states=torch.ones(1, 3, 16)) is hidden
    x, t = torch.randn(1, 9, 32, 16, generator=torch.Generator().manual_seed(1)), torch.tensor(10)
    with torch.no_grad():
        one = unet(x, t, encoder_hidden_states=torch.zeros(1, 1, 16)).sample
        other = unet(x, t, encoder_hidden_states=torch.ones(1, 5, 16)).sample
        sliced = _sliced(unet, x, t)
    assert torch.equal(one, other)
    assert torch.allclose(one, sliced, atol=1e-3)


def _sliced(unet: torch.nn.Module, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    unet.set_attention_slice("auto")  # sets processors anew; what is skipped has to stay skipped
    return unet(x, t, encoder_hidden_states=torch.ones(1, 5, 16)).sample


@pytest.mark.parametrize("fault", ["key", "shape", "missing", "base"])
def test_a_wrong_checkpoint_is_refused(folder: Path, fault: str) -> None:
    file = folder / "attention" / "mix-48k-1024" / "attention" / "model.safetensors"
    given = authors_checkpoint(tiny_model(1, text=False, controls=()).unet, 2)
    if fault == "key":
        given["7.to_q.weight"] = given.pop("8.to_q.weight")
    elif fault == "shape":
        given["8.to_q.weight"] = torch.zeros(3, 3)
    elif fault == "missing":
        del given["8.to_out.0.bias"]
    save_file(given, file)
    published = specs.find("catvton-mask-free" if fault == "base" else "catvton")
    words = {"key": "8.to_q.weight", "shape": r"should be \(32, 32\)", "missing": "8.to_out.0.bias", "base": "8 input"}
    with pytest.raises(WeightsError, match=words[fault]):
        catvton.load(published, parts(folder), dtype="float32", device="cpu")


def test_licence_has_to_be_accepted_once(folder: Path) -> None:
    with pytest.raises(LicenceError, match="vestiary weights accept catvton"):
        open_model(str(folder))
    assert open_model(str(folder), accept=True).card.name == "catvton"
    with pytest.raises(LicenceError):  # that was for one call
        open_model(str(folder))
    licences.accept(specs.find("catvton"))
    assert open_model(str(folder), dtype="float16").unet.dtype == torch.float16


def test_mask_free_set_is_known_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path))
    published = specs.find("zhengchong/CatVTON-MaskFree")
    monkeypatch.setenv(licences.ACCEPT_ENV, f"another,{published.name}")
    tiny_folder(hub.by_hand(published), mask_free=True)
    with pytest.raises(WeightsError, match="is not the published file"):  # the autoencoder's hash is known
        open_model("catvton-mask-free")
    monkeypatch.setattr(hub, "_verify", lambda part, folder: None)
    model = open_model("catvton-mask-free")
    assert model.mask_free
    assert model.card.concat == "width"


def test_too_little_memory_is_said_before_anything_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free", lambda device: 2_000_000_000)
    with pytest.raises(MemoryShortError, match=r"takes 3\.8 GB in float32.*dtype bfloat16 or float16: 1\.9 GB"):
        open_model("catvton", accept=True)
    with pytest.raises(MemoryShortError, match=r"catvton-flux takes 24\.0 GB in bfloat16.*would fit: catvton"):
        room.require(specs.find("catvton-flux"), dtype="bfloat16", device="cpu")
    open_model(str(folder), accept=True)  # the files that are here are asked themselves
    monkeypatch.setattr(room, "free", lambda device: 1000)
    with pytest.raises(MemoryShortError, match="None of the published weights"):
        open_model(str(folder), accept=True)


def test_bad_names_and_folders(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"base|model\.json"):
        open_model(str(tmp_path), accept=True)
    with pytest.raises(WeightsError, match="catvton-dresscode"):
        open_model("nothing", accept=True)
    with pytest.raises(OptionError, match="engine fashn"):
        open_model("fashn-vton-1.5", accept=True)
    with pytest.raises(OptionError, match="40 digits"):
        open_model("catvton@main", accept=True)


def test_a_saved_model_is_the_same_again(folder: Path, tmp_path: Path) -> None:
    model = open_model(str(folder), accept=True)
    model.save(tmp_path / "saved")
    card = json.loads((tmp_path / "saved" / "model.json").read_text())
    assert card["cross_attention"] == "skipped"
    x = torch.randn(1, 9, 32, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        again = open_model(str(tmp_path / "saved"))
        same = [m.unet(x, 10, encoder_hidden_states=torch.ones(1, 1, 16)).sample for m in (model, again)]
    assert torch.equal(*same)


def test_card_says_where_the_weights_come_from() -> None:
    card = catvton.card_of(replace(specs.find("catvton@" + "a" * 40)))
    assert "a" * 40 in card.revision
    assert "cc-by-nc-sa-4.0" in card.licence


def test_the_unet_sees_what_catvton_was_trained_on(folder: Path) -> None:
    model = open_model(str(folder), accept=True)
    conditions = conditions_of(figures.person(), [figures.garment("tee_white.jpg")], width=64, height=96)
    seen: list[torch.Tensor] = []
    model.unet.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    sample(model, conditions, DiffusionOptions(steps=2, scheduler="ddim"), generator=torch.Generator().manual_seed(0))
    without, wearing = seen[0]
    assert seen[0].shape == (2, 9, 24, 8)  # the garment below the person
    masked, garment = (
        model.vae.encode(picture).latent_dist.mode()[0] * model.vae.config.scaling_factor
        for picture in (conditions.person * (conditions.mask < 0.5), conditions.garments[:, 0])
    )
    mask = torch.nn.functional.interpolate(conditions.mask, (12, 8))[0]
    assert torch.equal(without[:4], wearing[:4])  # the noise, the same for both passes
    for half in (without, wearing):
        assert torch.equal(half[4:5], torch.cat([mask, torch.zeros_like(mask)], dim=1))
        assert torch.allclose(half[5:, :12], masked, atol=1e-5)
    assert torch.allclose(wearing[5:, 12:], garment, atol=1e-5)
    assert not without[5:, 12:].any()  # what is dropped is the garment's latents


def test_whole_try_on_says_that_it_is_non_commercial(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(licences.ACCEPT_ENV, "catvton")
    person, shirt = figures.person(), figures.garment("tee_white.jpg")
    options = {"weights": str(folder), "steps": 2, "long_side": 96, "device": "cpu"}
    fitting = try_on(person, shirt, engine="diffusion", options=options)
    outside = fitting.mask == 0
    assert np.array_equal(fitting.image[outside], person.image[outside])
    assert not np.array_equal(fitting.image[~outside], person.image[~outside])
    assert fitting.provenance["non_commercial_use_only"] is True
    assert fitting.provenance["model"]["name"] == "catvton"
    assert "cc-by-nc-sa-4.0" in fitting.provenance["model"]["licence"]
