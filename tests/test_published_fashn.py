"""The engine `fashn` over a stand-in for its package: what the package is given, and what becomes of its picture.

The stand-in has the signatures of github.com/fashn-AI/fashn-vton-1.5 at 7c0f10a, `src/fashn_vton/pipeline.py` and
`README.md`: `TryOnPipeline(weights_dir, device=None, logger=None)`, called as below, gives `PipelineOutput.images`.
"""

from __future__ import annotations

import importlib.machinery
import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import figures
import numpy as np
import pytest
from PIL import Image

from vestiary.api import try_on
from vestiary.errors import Cancelled, EngineError, LicenceError, MissingExtraError, OptionError, WeightsError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train

from vestiary.diffusion.published import fashn, hub, licences, room, specs  # noqa: E402

CALLS: list[dict[str, Any]] = []


class TryOnPipeline:
    def __init__(self, weights_dir: str, device: str | None = None, logger: logging.Logger | None = None) -> None:
        self.weights_dir = Path(weights_dir)
        for file in ("model.safetensors", "dwpose/yolox_l.onnx", "dwpose/dw-ll_ucoco_384.onnx"):
            if not (self.weights_dir / file).exists():
                raise FileNotFoundError(f"Missing model weights:\n  - {self.weights_dir / file}")

    def __call__(
        self,
        person_image: Image.Image,
        garment_image: Image.Image,
        category: Literal["tops", "bottoms", "one-pieces"],
        garment_photo_type: Literal["model", "flat-lay"] = "model",
        num_samples: int = 1,
        num_timesteps: int = 30,
        guidance_scale: float = 1.5,
        skip_cfg_last_n_steps: int = 1,
        seed: int = 42,
        segmentation_free: bool = True,
    ) -> SimpleNamespace:
        CALLS.append(dict(locals()))
        torch.manual_seed(seed)  # for the whole process, as the package does
        np.random.seed(seed)
        small = person_image.copy()
        small.thumbnail((576, 864))
        noise = np.random.randint(0, 256, (small.height, small.width, 3), np.uint8)
        return SimpleNamespace(images=[Image.fromarray(noise)] * num_samples)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("fashn_vton")
    module.__spec__ = importlib.machinery.ModuleSpec("fashn_vton", None)
    module.TryOnPipeline = TryOnPipeline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fashn_vton", module)
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VESTIARY_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_verify", lambda part, folder: None)
    monkeypatch.setattr(room, "free", lambda device: 10**12)
    monkeypatch.setattr(room, "parameters_in", lambda files: 1)
    CALLS.clear()
    return tmp_path / "cache" / "published" / "fashn-vton-1.5"


@pytest.fixture
def accepted(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(licences.ACCEPT_ENV, "fashn-vton-1.5")
    for file in ("model.safetensors", "dwpose/yolox_l.onnx", "dwpose/dw-ll_ucoco_384.onnx"):
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).write_bytes(b"")
    return package


def test_picture_is_the_photo_outside_the_mask_and_says_what_may_be_done_with_it(accepted: Path) -> None:
    person, shirt = figures.person(), figures.garment("tee_white.jpg")
    fitting = try_on(person, shirt, engine="fashn", options={"seed": 3, "steps": 7, "device": "cpu"})
    outside = fitting.mask == 0
    assert outside.any()
    assert (~outside).sum() > 1000
    assert np.array_equal(fitting.image[outside], person.image[outside])
    assert (fitting.image[~outside] != person.image[~outside]).any(axis=-1).mean() > 0.8
    (call,) = CALLS
    assert (call["category"], call["garment_photo_type"], call["num_timesteps"], call["seed"]) == (
        "tops",
        "flat-lay",
        7,
        3,
    )
    assert call["segmentation_free"] is True
    assert np.asarray(call["garment_image"])[0, 0].tolist() == [255, 255, 255]
    made = fitting.provenance
    assert made["non_commercial_use_only"] is True
    assert made["model"]["parts"]["fashn-ai/fashn-human-parser"]["licence"] == "nvidia-segformer"
    assert made["weights"]["fashn-ai/fashn-vton-1.5/model.safetensors"].startswith("d6cd3828")
    again = try_on(person, shirt, engine="fashn", options={"seed": 3, "steps": 7, "device": "cpu"})
    assert np.array_equal(again.image, fitting.image)


def test_garments_go_on_one_after_another_and_can_be_cancelled(accepted: Path) -> None:
    person = figures.person()
    outfit = [figures.garment("tee_white.jpg"), figures.garment("jeans_blue.jpg")]
    seen: list[tuple[int, int, str]] = []
    fitting = try_on(
        person,
        outfit,
        engine="fashn",
        options={"layers": True},
        on_step=lambda *s: seen.append(s[:3]),  # type: ignore[arg-type, return-value]
    )
    assert seen == [(1, 2, "top"), (2, 2, "trousers")]
    assert [call["category"] for call in CALLS] == ["tops", "bottoms"]
    first, second = (np.asarray(call["person_image"]) for call in CALLS)
    assert not np.array_equal(first, second)  # the second goes over the first
    assert list(fitting.layers) == ["painted-1", "painted-2", "mask"]
    with pytest.raises(Cancelled):
        try_on(person, outfit, engine="fashn", on_step=lambda *_: False)
    assert len(CALLS) == 3


def test_the_process_keeps_its_own_chance(accepted: Path) -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    wanted = torch.rand(1).item(), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    try_on(figures.person(), figures.garment("tee_white.jpg"), engine="fashn")
    assert (torch.rand(1).item(), np.random.rand()) == wanted


def test_what_is_missing_is_said(package: Path, accepted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person, shirt = figures.person(), figures.garment("tee_white.jpg")
    (package / "dwpose" / "yolox_l.onnx").unlink()
    with pytest.raises(WeightsError, match=r"put yolox_l\.onnx, dw-ll_ucoco_384\.onnx of fashn-ai/DWPose@548b5df2"):
        try_on(
            person, shirt, engine="fashn", options={"device": "cpu", "seed": 1, "weights": "fashn-ai/fashn-vton-1.5"}
        )
    with pytest.raises(WeightsError, match="Missing model weights"):
        fashn.open_pipeline(package, "cpu")
    with pytest.raises(OptionError, match="no cuda:7"):
        try_on(person, shirt, engine="fashn", options={"device": "cuda:7"})
    monkeypatch.delenv(licences.ACCEPT_ENV)
    with pytest.raises(LicenceError, match="NVIDIA Source Code License"):
        try_on(person, shirt, engine="fashn", options={"weights": "fashn-vton-1.5", "seed": 9, "device": "cpu"})
    monkeypatch.setitem(sys.modules, "fashn_vton", None)
    with pytest.raises(MissingExtraError, match=r"git\+https://github.com/fashn-AI/fashn-vton-1\.5@7c0f10a"):
        fashn.open_pipeline(package, "cpu")


def test_failures_of_the_package_become_ours() -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("CUDA error: nothing works\nand more")

    with pytest.raises(EngineError, match="CUDA error: nothing works"):
        fashn.paint(
            broken, figures.person().image, figures.garment("tee_white.jpg"), steps=1, guidance=1, seed=0, photo="auto"
        )


def test_install_line_is_the_same_in_the_list_of_engines() -> None:
    from vestiary.registry import FASHN

    assert FASHN.install == fashn.INSTALL
    assert specs.find("fashn-vton-1.5").engine == "fashn"


def test_a_service_opens_no_folder_of_its_callers(accepted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person, shirt = figures.person(), figures.garment("tee_white.jpg")
    monkeypatch.setenv("VESTIARY_DIFFUSION_WEIGHTS", "catvton")
    try_on(person, shirt, engine="fashn")
    for name in (str(accepted), "fashn-vton-1.5@" + "a" * 40):
        with pytest.raises(OptionError, match="not among those of this machine"):
            try_on(person, shirt, engine="fashn", options={"weights": name})
    monkeypatch.setenv("VESTIARY_DIFFUSION_WEIGHTS", str(accepted))
    try_on(person, shirt, engine="fashn", options={"weights": str(accepted)})
