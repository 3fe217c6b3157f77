"""Model folders: what is saved comes back, and whatever is wrong with one is said in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from safetensors.torch import load_file, save_file  # noqa: E402

from vestiary.diffusion.card import Card  # noqa: E402
from vestiary.diffusion.model import TryOnModel, device_of, tiny_model  # noqa: E402
from vestiary.errors import OptionError, OutputError, WeightsError  # noqa: E402

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model().save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of the model folder to be spoiled; its card names no hashes."""
    shutil.copytree(saved, tmp_path / "model")
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps(card | {"sha256": {}}))
    return tmp_path / "model"


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_saved_model_comes_back_whole(saved: Path) -> None:
    first, second = tiny_model(), TryOnModel.load(saved)
    assert list(second.parts()) == ["unet", "vae", "text_encoder", "controlnet_pose"]
    for one, other in zip(first.parts().values(), second.parts().values(), strict=True):
        ours, theirs = one.state_dict(), other.state_dict()
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert not other.training
        assert not any(weight.requires_grad for weight in other.parameters())
    assert second.tokenizer("red silk").input_ids == first.tokenizer("red silk").input_ids
    assert second.scheduler_config == first.scheduler_config
    assert set(second.card.sha256) == {f"{part}/{name}" for part, name in _files(saved)}
    assert second.card.model_copy(update={"sha256": {}}) == first.card
    assert (second.mask_free, second.multiple) == (False, 16)


def _files(folder: Path) -> list[tuple[str, str]]:
    return [(path.parent.name, path.name) for path in folder.glob("*/*.safetensors")]


def test_the_libraries_read_the_folder_too(saved: Path) -> None:
    from diffusers import UNet2DConditionModel

    _, info = UNet2DConditionModel.from_pretrained(saved / "unet", output_loading_info=True, local_files_only=True)
    assert not any(info.values())


def test_tiny_models_repeat_and_leave_the_global_seed_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = tiny_model(1), tiny_model(1), tiny_model(2)
    assert torch.equal(torch.rand(3), expected)
    name = "conv_in.weight"
    assert torch.equal(first.unet.state_dict()[name], second.unet.state_dict()[name])
    assert not torch.equal(first.unet.state_dict()[name], other.unet.state_dict()[name])
    assert tiny_model(mask_free=True, text=False, controls=()).mask_free


def test_saving_replaces_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(text=False, controls=())
    model.save(tmp_path / "m")
    (tmp_path / "m" / "stale.txt").write_text("old")
    model.save(tmp_path / "m")
    assert not (tmp_path / "m" / "stale.txt").exists()
    before = (tmp_path / "m" / "model.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model.vae, "save_pretrained", full)
    with pytest.raises(OutputError, match="no space left"):
        model.save(tmp_path / "m")
    assert (tmp_path / "m" / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_no_folder_and_no_card(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no model folder"):
        TryOnModel.load(tmp_path / "nothing")
    with pytest.raises(WeightsError, match=r"model\.json is missing.*Is this a model folder"):
        TryOnModel.load(tmp_path)
    (tmp_path / "model.json").write_text("{cut off")
    with pytest.raises(WeightsError, match=r"model\.json cannot be read"):
        TryOnModel.load(tmp_path)
    (tmp_path / "model.json").write_text('{"prediction_type": "magic"}')
    with pytest.raises(WeightsError, match=r"prediction_type: input should be 'epsilon' or 'v_prediction'"):
        TryOnModel.load(tmp_path)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "controlnet_pose"])
def test_one_missing_or_foreign_key_is_named(folder: Path, part: str) -> None:
    file = next((folder / part).glob("*.safetensors"))
    tensors = load_file(file)
    key = sorted(tensors)[3]
    tensors["foreign.weight"] = tensors.pop(key)
    save_file(tensors, file)
    short = key.removeprefix("text_model.")
    with pytest.raises(WeightsError, match=rf"1 missing \({short}\); 1 not of this network \(foreign\.weight\)"):
        TryOnModel.load(folder)


def test_one_wrong_shape_is_named(folder: Path) -> None:
    tensors = load_file(folder / UNET)
    tensors["conv_in.weight"] = tensors["conv_in.weight"][:, :4].contiguous()
    save_file(tensors, folder / UNET)
    with pytest.raises(WeightsError, match=r"conv_in\.weight has shape \(16, 4, 3, 3\), not \(16, 9, 3, 3\)"):
        TryOnModel.load(folder)


def test_missing_damaged_and_changed_files(folder: Path, saved: Path) -> None:
    card = json.loads((saved / "model.json").read_text())
    change(folder / "model.json", sha256={**card["sha256"], UNET: "0" * 64})
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        TryOnModel.load(folder)
    change(folder / "model.json", sha256={"unet/gone.safetensors": "0" * 64})
    with pytest.raises(WeightsError, match=r"unet/gone\.safetensors is missing"):
        TryOnModel.load(folder)
    change(folder / "model.json", sha256={})
    (folder / UNET).write_bytes((folder / UNET).read_bytes()[:5000])
    with pytest.raises(WeightsError, match="is damaged"):
        TryOnModel.load(folder)
    (folder / UNET).unlink()
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"no \.safetensors file.*Convert diffusion_pytorch_model\.bin"):
        TryOnModel.load(folder)
    shutil.rmtree(folder / "unet")
    with pytest.raises(WeightsError, match=r"unet/config\.json is missing"):
        TryOnModel.load(folder)


def test_variants_and_other_networks(folder: Path) -> None:
    save_file({"x": torch.zeros(1)}, folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    TryOnModel.load(folder)
    shutil.copy(folder / "vae" / "config.json", folder / "unet" / "config.json")
    with pytest.raises(WeightsError, match="unet holds AutoencoderKL, not UNet2DConditionModel"):
        TryOnModel.load(folder)


def test_networks_that_do_not_fit_together() -> None:
    model = tiny_model(controls=())
    model.unet.register_to_config(in_channels=4)
    with pytest.raises(WeightsError, match=r"takes 4 channels.*9 \(with a mask\) or 8 \(mask-free\)"):
        model.check()


def test_old_autoencoders_keep_their_attention(folder: Path) -> None:
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for now, before in old.items():
        tensors = {key.replace(f".{now}.", f".{before}."): tensor for key, tensor in tensors.items()}
    assert any(".proj_attn." in key for key in tensors)
    save_file(tensors, file)
    ours = TryOnModel.load(folder).vae.state_dict()
    assert all(torch.equal(ours[key], tensor) for key, tensor in tiny_model().vae.state_dict().items())


def test_further_entries_of_a_card_are_kept() -> None:
    card = Card.model_validate({"name": "x", "steps": 8})
    assert json.loads(card.model_dump_json())["steps"] == 8


def test_devices() -> None:
    assert device_of("cpu") == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(OptionError, match="this machine has no cuda:1"):
            device_of("cuda:1")
