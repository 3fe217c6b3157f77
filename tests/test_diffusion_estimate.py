"""Too little memory: told before anything is fetched or run, with what would fit; and survived on the way."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import figures
import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from vestiary.diffusion import estimate, memory, published  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.diffusion.published import room, specs  # noqa: E402
from vestiary.engines.diffusion import DiffusionEngine  # noqa: E402
from vestiary.errors import MemoryShortError  # noqa: E402
from vestiary.types import Fitting  # noqa: E402

PHOTO = (768, 1024)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path))


def has(monkeypatch: pytest.MonkeyPatch, *, cpu: float, cuda: float = 0) -> None:
    """A machine with so many GB free."""
    monkeypatch.setattr(room, "free", lambda device: int((cuda if device.startswith("cuda") else cpu) * 1e9))


def catvton(device: str = "cpu", **options: object) -> estimate.Run:
    extent = estimate.extent_of("catvton")
    return estimate.Run("catvton", extent, PHOTO, DiffusionOptions(**options), device)


def test_weights_that_are_not_here_are_known_by_their_size() -> None:
    extent = catvton().extent
    assert sum(extent.networks.values()) == specs.SD15_UNET + specs.SD_VAE
    assert (extent.unet[0], extent.vae[0], extent.frame, extent.places) == (320, 128, (768, 1024), 2)
    assert catvton().size == (768, 1024)
    assert catvton(long_side=500).size == (384, 512)


def test_a_folder_is_known_by_its_headers(tmp_path: Path) -> None:
    model = tiny_model()
    model.save(tmp_path / "tiny")
    assert estimate.extent_of(str(tmp_path / "tiny")) == estimate.extent_of_model(model)
    nothing = estimate.Run("x", estimate.extent_of(str(tmp_path)), PHOTO, DiffusionOptions(), "cpu")
    assert nothing.need().device < 1e8, "what is wrong there is told when it is loaded"


def test_what_costs_memory_and_what_saves_it() -> None:
    needs = catvton().need().device
    half = catvton(dtype="bfloat16").need().device
    assert half == pytest.approx(needs / 2, rel=0.05)
    assert catvton(guidance=1).need().device <= needs
    assert catvton(long_side=512).need().device < needs
    assert catvton(vae_tiling=True, guidance=1, long_side=2048).need().device < catvton(long_side=2048).need().device
    everything, some, few = (catvton("cuda", offload=kind).need() for kind in ("none", "model", "layers"))
    assert everything.device > some.device > few.device
    assert few.host == some.host == 4 * (specs.SD15_UNET + specs.SD_VAE)
    loaded = estimate.Run("catvton", catvton().extent, PHOTO, DiffusionOptions(), "cpu", loaded=True).need().device
    assert needs - loaded == 4 * (specs.SD15_UNET + specs.SD_VAE)


def test_branches_pairs_and_anchors_cost_memory(tmp_path: Path) -> None:
    plain, weights = catvton(guidance=1), 4 * (specs.SD15_UNET + specs.SD_VAE)
    above = plain.need().device - weights
    decoded = estimate.running(plain.extent, plain.size, plain.options)[1]
    four = replace(plain, pairs=4).need().device - weights
    assert 3.5 * above < four < 4 * above
    hues = catvton(guidance=1, anchor="#c8102e", anchor_space="latents")
    pixels = catvton(guidance=1, anchor="#c8102e")
    assert 2 * decoded < hues.need().device - weights < 0.7 * (pixels.need().device - weights)
    assert hues.with_options({"vae_slicing": True}).need() == plain.need(), "one picture at a time"
    off = catvton(guidance=1, anchor="#c8102e", anchor_strength=0)
    assert off.need() == plain.need()
    model = tiny_model(text=False, controls=("pose",))
    model.save(tmp_path / "tiny")
    told = estimate.extent_of(str(tmp_path / "tiny"))
    assert told.networks["controlnet_pose"] > 0
    size, options = (96, 128), DiffusionOptions(guidance=1)
    alone = estimate.running(told, size, options)[0]
    held = estimate.running(told, size, DiffusionOptions(guidance=1, control_pose=0.5))[0]
    pairs = estimate.running(told, size, options, 3)[0]
    assert alone < held < pairs


def test_an_anchor_that_does_not_fit_is_told_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone is not enough: it may look at latents, and at one picture at a time."""
    has(monkeypatch, cpu=9)
    with pytest.raises(MemoryShortError, match=r"fit: .*--anchor-space latents"):
        catvton(anchor="garment", guidance=1).require()


def test_told_with_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = catvton().need().device / 1e9
    has(monkeypatch, cpu=enough + 0.01)
    catvton().require()
    has(monkeypatch, cpu=0.7 * enough)
    words = rf"catvton at 768 × 1024 in float32 needs about {enough:.1f} GB, and cpu has {0.7 * enough:.1f} GB free\."
    with pytest.raises(MemoryShortError, match=rf"{words} This would fit: .*--dtype bfloat16 \({enough / 2:.1f} GB\)"):
        catvton().require()
    has(monkeypatch, cpu=2.4)
    with pytest.raises(MemoryShortError, match=r"--long-side \d+ .*--dtype bfloat16"):
        catvton().require()
    has(monkeypatch, cpu=0.5)
    with pytest.raises(MemoryShortError, match="No option makes it fit"):
        catvton().require()


def test_all_that_is_proposed_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each proposal, asked for, passes; on a CPU and on GPUs of several sizes."""
    for device, free in [("cpu", 3), ("cpu", 6), ("cuda", 1), ("cuda", 3), ("cuda", 5), ("cuda", 8)]:
        has(monkeypatch, cpu=free if device == "cpu" else 16, cuda=free)
        asked = catvton(device, long_side=2048)
        with pytest.raises(MemoryShortError) as caught:
            asked.require()
        proposed = [text.rpartition(" (")[0] for text in caught.value.hint.partition(": ")[2].split("; or ")]
        assert proposed, caught.value
        for text in proposed:
            flags = [flag.split() for flag in text.split("--")[1:]]
            change = {name.replace("-", "_"): value[0] if value else True for name, *value in flags}
            if "long_side" in change:
                change["long_side"] = int(change["long_side"])
            asked.with_options(change).require()


def test_a_gpu_needs_the_machines_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cpu=2, cuda=80)
    with pytest.raises(MemoryShortError, match=r"3\.8 GB beside cuda, and 2\.0 GB are free.*--dtype bfloat16"):
        catvton("cuda").require()


def test_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "open_model", lambda *_, **__: pytest.fail("it was opened"))
    monkeypatch.setenv("VESTIARY_ACCEPT_LICENCES", "catvton")
    has(monkeypatch, cpu=1)
    with pytest.raises(MemoryShortError, match="catvton at 768 × 1024"):
        fit(DiffusionEngine(), "catvton")


def fit(engine: DiffusionEngine, weights: str, **options: object) -> Fitting:
    chosen = DiffusionOptions(**{"weights": weights, "steps": 1, "device": "cpu", **options})
    return engine.fit(figures.person(), [figures.garment("tee_white.jpg")], chosen)


@pytest.mark.parametrize("kind", ["torch", "allocator", "python"])
def test_running_out_on_the_way_is_told_and_leaves_the_model_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    tiny_model(text=False, controls=()).save(tmp_path / "tiny")
    problems = {
        "torch": torch.OutOfMemoryError("CUDA out of memory."),
        "allocator": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"),
        "python": MemoryError(),
    }
    engine, held = DiffusionEngine(), []
    before = fit(engine, str(tmp_path / "tiny"))
    loaded = engine._loaded

    def short(*_: object, **__: object) -> None:
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        raise problems[kind]

    with monkeypatch.context() as patch:
        patch.setattr(loaded[1].model.unet, "forward", short)
        with pytest.raises(MemoryShortError, match=r"tiny at 96 × 128 in float32 ran out of memory") as caught:
            fit(engine, str(tmp_path / "tiny"))
    assert held[0]() is None, "what the run had taken is free, though the error is still there"
    assert caught.value.exit_code == 11
    assert engine._loaded is loaded
    assert np.array_equal(fit(engine, str(tmp_path / "tiny")).image, before.image)


def test_what_is_no_lack_of_memory_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory.told(lambda: MemoryShortError("no")):
        raise RuntimeError("shapes do not fit")
    with pytest.raises(MemoryShortError, match="yes"), memory.told(lambda: MemoryShortError("yes")):
        torch.empty(2**55)  # what PyTorch really raises


def test_a_model_that_goes_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    model: TryOnModel = tiny_model(text=False, controls=())
    weights = sum(part.nbytes for network in model.parts().values() for part in network.parameters())
    options = DiffusionOptions()
    assert estimate.run_of("catvton", PHOTO, options, "cpu", last=model).spare == weights
    assert estimate.run_of("catvton", PHOTO, options, "cuda", last=model).spare == 0
    stays = estimate.run_of("tiny", PHOTO, options, "cpu", last=model, loaded=True)
    assert (stays.spare, stays.loaded, stays.extent) == (0, True, estimate.extent_of_model(model))
    gc.collect()


def test_limits_of_control_groups_of_both_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    monkeypatch.setattr(room, "_MINE", tmp_path / "mine")
    (tmp_path / "mine").write_text("5:cpu,cpuacct:/\n4:memory:/outer/inner\n0::/\n")
    inner = tmp_path / "memory" / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder, limit in ((inner, 2**63 - 4096), (inner.parent, 1000)):
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (folder / "memory.usage_in_bytes").write_text("600\n")
        (folder / "memory.stat").write_text("inactive_file 7\ntotal_inactive_file 50\n")
    assert room.free("cpu") == 450, "the group around it limits it too"
    (inner.parent / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    assert room.free("cpu") > 1000
