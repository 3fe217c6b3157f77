"""Checkpoints against the real architectures: every key, every shape, on the meta device."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from published_files import sparse_file

from vestiary.errors import WeightsError

pytest.importorskip("diffusers")
pytestmark = pytest.mark.train

from vestiary.diffusion.published import accounting, catvton, specs  # noqa: E402
from vestiary.diffusion.published.headers import parameters_in, shapes_in, weight_files  # noqa: E402


@pytest.fixture(scope="module")
def unet() -> object:
    return accounting.empty(specs.config("sd15-inpainting-unet"))


def parameters(config: str) -> int:
    return sum(value.numel() for value in accounting.empty(specs.config(config)).parameters())


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ("sd15-inpainting-unet", specs.SD15_UNET),
        ("instruct-pix2pix-unet", specs.PIX2PIX_UNET),
        ("sd-vae-ft-mse", specs.SD_VAE),
        ("flux-fill-transformer", specs.FLUX_TRANSFORMER),
        ("flux-vae", specs.FLUX_VAE),
    ],
)
def test_published_configurations_give_networks_of_the_known_size(config: str, count: int) -> None:
    assert parameters(config) == count


def test_text_encoders_of_flux_have_the_known_size() -> None:
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    with torch.device("meta"):
        clip = CLIPTextModel(CLIPTextConfig(**specs.config("flux-text-encoder")))
        t5 = T5EncoderModel(T5Config(**specs.config("flux-text-encoder-2")))
    assert sum(value.numel() for value in clip.parameters()) == specs.CLIP_L_TEXT
    assert sum(value.numel() for value in t5.parameters()) == specs.T5_XXL_ENCODER


def test_attention_checkpoint_has_the_papers_size_and_the_authors_numbers(unet: object) -> None:
    expected = catvton.expected_attention(unet)
    assert len(expected) == 16 * 5  # three projections without bias, one with
    assert sum(math.prod(shape) for shape in expected.values()) == 49_574_080  # "49.57M parameters trainable"
    names = catvton.attention_names(unet)
    # What the authors' list has and their file has not (their issue 109): 1.weight, 4.0.bias, 125.bias and so on.
    assert {int(key.split(".")[0]) for key in expected} == set(range(0, 128, 8))
    assert names["0.to_q.weight"].startswith("down_blocks.0.attentions.0.")
    assert names["48.to_q.weight"].startswith("up_blocks.1.attentions.0.")
    assert names["120.to_out.0.bias"] == "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.bias"


def test_a_right_checkpoint_passes_and_one_wrong_key_or_shape_fails(unet: object, tmp_path: Path) -> None:
    right = catvton.expected_attention(unet)
    file = sparse_file(tmp_path / "right.safetensors", right)
    accounting.account(shapes_in([file]), right, "it")
    assert parameters_in([file]) == 49_574_080
    for key, shape in right.items():  # each one of them
        other = sparse_file(file, {**right, key: (shape[0] + 1, *shape[1:])})
        with pytest.raises(WeightsError, match=f"1 of another shape \\({key} is "):
            accounting.account(shapes_in([other]), right, "it")
        other = sparse_file(file, {(f"{k}_" if k == key else k): s for k, s in right.items()})
        with pytest.raises(WeightsError, match=f"1 missing \\({key}\\); 1 unexpected \\({key}_\\)"):
            accounting.account(shapes_in([other]), right, "it")


@pytest.mark.parametrize(
    "config", ["sd15-inpainting-unet", "instruct-pix2pix-unet", "sd-vae-ft-mse", "flux-fill-transformer", "flux-vae"]
)
def test_whole_checkpoints_of_real_size_are_accounted_for(config: str, tmp_path: Path) -> None:
    settings = specs.config(config)
    shapes = accounting.shapes_of(accounting.empty(settings))
    (tmp_path / "config.json").write_text(json.dumps(settings))
    names = list(shapes)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, own in halves.items():
        sparse_file(tmp_path / file, {name: shapes[name] for name in own})
    index = {"weight_map": {name: file for file, own in halves.items() for name in own}}
    (tmp_path / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert accounting.account_folder(tmp_path, config) == settings
    sparse_file(tmp_path / "b.safetensors", {name: shapes[name] for name in names[3::2]})
    with pytest.raises(WeightsError, match=f"1 missing \\({names[1]}\\)"):
        accounting.account_folder(tmp_path, config)
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"b\.safetensors of its index is not there"):
        accounting.account_folder(tmp_path, config)


def test_the_autoencoders_old_names_are_understood() -> None:
    shapes = accounting.shapes_of(accounting.empty(specs.config("sd-vae-ft-mse")))
    back = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    old = {}
    for name, shape in shapes.items():
        for new, former in back.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{former}.")
        old[name] = shape
    assert old.keys() != shapes.keys()
    assert accounting.modern(old) == shapes


def test_lora_belongs_to_the_transformer_pair_by_pair() -> None:
    flux = accounting.empty(specs.config("flux-fill-transformer"))
    right = {}
    for name, layer in flux.named_modules():
        if name.endswith((".attn.to_q", ".attn.to_k", ".attn.to_v", ".attn.to_out.0")):
            right[f"transformer.{name}.lora_A.weight"] = (32, layer.in_features)
            right[f"transformer.{name}.lora_B.weight"] = (layer.out_features, 32)
    assert sum(math.prod(shape) for shape in right.values()) == 37_355_520  # the authors say 37.4M
    assert accounting.account_lora(right, flux, "it") == 32
    key = "transformer.transformer_blocks.3.attn.to_q.lora_B.weight"
    for wrong, words in (
        ({k: s for k, s in right.items() if k != key}, "1 missing"),
        ({**right, key: (3072, 16)}, "1 of another shape"),
        ({**right, "transformer.transformer_blocks.19.attn.to_q.lora_A.weight": (32, 3072)}, "1 unexpected"),
    ):
        with pytest.raises(WeightsError, match=words):
            accounting.account_lora(wrong, flux, "it")
    with pytest.raises(WeightsError, match="no LoRA"):
        accounting.account_lora({"x": (1,)}, flux, "it")


def test_broken_files_are_named(tmp_path: Path) -> None:
    whole = sparse_file(tmp_path / "model.safetensors", {"a": (4, 4)})
    assert weight_files(tmp_path) == [whole]
    whole.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read"):
        shapes_in([whole])
    whole.unlink()
    with pytest.raises(WeightsError, match=r"holds no \.safetensors file"):
        weight_files(tmp_path)
    sparse_file(whole, {"a": (4, 4)})
    with pytest.raises(WeightsError, match=r"config\.json cannot be read"):
        accounting.account_folder(tmp_path, "it")
    (tmp_path / "config.json").write_text('{"_class_name": "Nothing"}')
    with pytest.raises(WeightsError, match="'Nothing'"):
        accounting.account_folder(tmp_path, "it")
