"""CatVTON on FLUX.1 Fill, end to end with tiny random networks in the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import figures
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytestmark = pytest.mark.train
torch.set_num_threads(1)

from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel  # noqa: E402

from vestiary.api import try_on  # noqa: E402
from vestiary.diffusion import latents as lat  # noqa: E402
from vestiary.diffusion.conditions import conditions_of  # noqa: E402
from vestiary.diffusion.published import catvton_flux, hub, licences, specs  # noqa: E402
from vestiary.errors import Cancelled, LicenceError, WeightsError  # noqa: E402

SMALL = {"dtype": "float32", "device": "cpu", "long_side": 96, "steps": 3}
LAYER = "transformer_blocks.0.attn.to_q"


def tiny_base(place: Path, *, fill: bool = True) -> Path:
    """FLUX.1 Fill [dev] as its repository has it, with networks of a few thousand parameters."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=4 * (2 * 4 + 64) if fill else 16,
        out_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(4, 6, 6),
    )
    transformer.save_pretrained(place / "transformer", max_shard_size="60KB")
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.3611,
        shift_factor=0.1159,
    )
    vae.save_pretrained(place / "vae")
    FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0).save_pretrained(place / "scheduler")
    clip = {"vocab_size": 100, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    CLIPTextModel(CLIPTextConfig(**clip, num_attention_heads=2, bos_token_id=0, eos_token_id=1)).save_pretrained(
        place / "text_encoder"
    )
    t5 = T5Config(
        vocab_size=100, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu"
    )
    T5EncoderModel(t5).save_pretrained(place / "text_encoder_2")
    for name in ("tokenizer", "tokenizer_2"):
        words = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "?": 2, "clothing": 3}, unk_token="?"))
        words.pre_tokenizer = pre_tokenizers.Whitespace()
        made = PreTrainedTokenizerFast(
            tokenizer_object=words, pad_token="</s>", unk_token="?", model_max_length=77 if name == "tokenizer" else 512
        )
        made.save_pretrained(place / name)
    return place


def adapter(place: Path, size: float = 1.0, rank: int = 2) -> Path:
    generator = torch.Generator().manual_seed(5)
    pair = {"A": (rank, 32), "B": (32, rank)}
    tensors = {
        f"transformer.{LAYER}.lora_{side}.weight": size * torch.randn(shape, generator=generator)
        for side, shape in pair.items()
    }
    place.mkdir(parents=True, exist_ok=True)
    save_file(tensors, place / "pytorch_lora_weights.safetensors")
    return place


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flux") / "weights"
    tiny_base(folder / "base")
    adapter(folder / "lora")
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path))
    monkeypatch.setenv("VESTIARY_CONFIG", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv(licences.ACCEPT_ENV, "catvton-flux-lora")
    return built


def test_whole_try_on_is_the_photo_outside_the_mask(folder: Path) -> None:
    person, shirt = figures.person(), figures.garment("tee_white.jpg")
    options = {**SMALL, "weights": str(folder), "layers": True}
    seen: list[tuple[int, int, str, tuple[int, ...]]] = []

    def on_step(step: int, total: int, name: str, preview: np.ndarray | None) -> None:
        assert preview is not None
        seen.append((step, total, name, preview.shape))

    fitting = try_on(person, shirt, engine="catvton-flux", options=options, on_step=on_step)
    outside = fitting.mask == 0
    assert outside.any()
    assert (~outside).sum() > 1000
    assert np.array_equal(fitting.image[outside], person.image[outside])
    assert (fitting.image[~outside] != person.image[~outside]).any(axis=-1).mean() > 0.8
    assert [step[:3] for step in seen] == [(n, 3, "denoise") for n in (1, 2, 3)]
    assert fitting.provenance["non_commercial_use_only"] is True
    assert fitting.provenance["model"]["parts"]["black-forest-labs/FLUX.1-Fill-dev"]["revision"].startswith("358293da")
    assert fitting.provenance["options"]["weights"] == "catvton-flux-lora"
    again = try_on(person, shirt, engine="catvton-flux", options=options)
    assert np.array_equal(again.image, fitting.image)
    other = try_on(person, shirt, engine="catvton-flux", options={**options, "seed": 1})
    assert not np.array_equal(other.image, fitting.image)
    with pytest.raises(Cancelled):
        try_on(person, shirt, engine="catvton-flux", options=options, on_step=lambda *_: False)


def test_the_last_step_is_seen_as_the_picture_and_previews_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = catvton_flux.load(specs.find("catvton-flux-lora"), parts(folder), dtype="float32", device="cpu")
    conditions = conditions_of(figures.person(), [figures.garment("tee_white.jpg")], width=64, height=96)
    clean: list[torch.Tensor] = []
    monkeypatch.setattr(lat, "preview", lambda latents, colours: clean.append(latents) or latents[:, :3])

    def run(on_step: object) -> torch.Tensor:
        drawn = torch.Generator().manual_seed(4)
        return catvton_flux.sample(model, conditions, steps=2, guidance=30.0, generator=drawn, on_step=on_step)

    watched, alone = run(lambda *_: None), run(None)
    assert torch.equal(watched, alone)
    assert watched.shape == (1, 3, 96, 64)
    with torch.no_grad():
        last = lat.decode(model.vae, clean[-1])[..., 64:]
    assert torch.allclose(last, watched, atol=1e-4)


def parts(folder: Path) -> dict[str, Path]:
    return {"base": folder / "base", "lora": folder / "lora"}


def test_the_adapter_is_melted_in(folder: Path) -> None:
    published = specs.find("catvton-flux-lora")
    without = FluxTransformer2DModel.from_pretrained(folder / "base" / "transformer").state_dict()
    adapted = catvton_flux.load(published, parts(folder), dtype="float32", device="cpu").transformer.state_dict()
    assert adapted.keys() == without.keys()
    changed = [name for name in without if not torch.equal(without[name], adapted[name])]
    assert changed == [f"{LAYER}.weight"]
    generator = torch.Generator().manual_seed(5)
    a, b = torch.randn((2, 32), generator=generator), torch.randn((32, 2), generator=generator)
    assert torch.allclose(adapted[f"{LAYER}.weight"] - without[f"{LAYER}.weight"], b @ a, atol=1e-5)


def test_all_weights_trained_take_the_place_of_the_bases(folder: Path, tmp_path: Path) -> None:
    published = specs.find("catvton-flux")
    place = {"base": folder / "base", "transformer": folder / "base" / "transformer"}
    model = catvton_flux.load(published, place, dtype="bfloat16", device="cpu")
    assert model.transformer.dtype == model.prompt.dtype == torch.bfloat16
    assert model.prompt.shape == (1, 512, 16)
    assert model.pooled.shape == (1, 16)
    assert "transformer" not in {file.split("/")[0] for file in published.part("base").files}


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    published = specs.find("catvton-flux-lora")
    wrong = adapter(tmp_path / "lora")
    tensors = {f"transformer.transformer_blocks.7.attn.to_q.lora_{s}.weight": torch.zeros(2, 32) for s in "AB"}
    save_file(tensors, wrong / "pytorch_lora_weights.safetensors")
    with pytest.raises(WeightsError, match=r"2 unexpected \(transformer\.transformer_blocks\.7"):
        catvton_flux.load(published, {"base": folder / "base", "lora": wrong}, dtype="float32", device="cpu")
    other = tiny_base(tmp_path / "dev", fill=False)
    with pytest.raises(WeightsError, match=r"FLUX\.1 Fill \[dev\], not FLUX\.1 \[dev\]"):
        catvton_flux.load(published, {"base": other, "lora": folder / "lora"}, dtype="float32", device="cpu")
    index = other / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    shard = next(iter(json.loads(index.read_text())["weight_map"].values()))
    (other / "transformer" / shard).unlink()
    with pytest.raises(WeightsError, match="of its index is not there"):
        catvton_flux.check(published, {"base": other, "lora": folder / "lora"})


def test_without_a_known_commit_one_has_to_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestiary.diffusion.published.room.free", lambda device: 10**12)
    with pytest.raises(WeightsError, match=r"no commit of it is pinned.*catvton-flux-lora@<the 40 digits"):
        hub.fetch(specs.find("catvton-flux-lora"))
    asked = specs.find("xiaozaa/catvton-flux-lora-alpha@" + "0" * 40)
    with pytest.raises(
        WeightsError, match=r"xiaozaa/catvton-flux-lora-alpha cannot be fetched: .*(reached|OFFLINE|forbids)"
    ):
        hub.fetch(asked)
    monkeypatch.delenv(licences.ACCEPT_ENV)
    with pytest.raises(LicenceError, match=r"FLUX\.1 \[dev\] Non-Commercial"):
        try_on(figures.person(), figures.garment("tee_white.jpg"), engine="catvton-flux", options={"device": "cpu"})
