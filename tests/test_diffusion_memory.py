"""Memory and speed: every switch keeps the promises of a fitting, leaves nothing behind, and does what it says."""

from __future__ import annotations

import figures
import numpy as np
import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]
torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from torch.nn import functional as F  # noqa: E402

from vestiary.diffusion import attention, latents, memory, pool  # noqa: E402
from vestiary.diffusion.conditions import Conditions, conditions_of  # noqa: E402
from vestiary.diffusion.model import TryOnModel, tiny_model  # noqa: E402
from vestiary.diffusion.options import DiffusionOptions  # noqa: E402
from vestiary.diffusion.pipeline import sample  # noqa: E402
from vestiary.engines.diffusion import DiffusionEngine  # noqa: E402
from vestiary.errors import OptionError  # noqa: E402
from vestiary.types import Fitting  # noqa: E402

SWITCHES: list[dict[str, object]] = [
    {"dtype": "bfloat16"},
    {"dtype": "float16", "vae_slicing": True},
    {"offload": "model"},
    {"offload": "layers", "attention": "sliced"},
    {"attention": "linear", "channels_last": True},
    {"attention": "sparse", "vae_tiling": True},
    {"keep_memory": True},
    {"channels_last": True, "dtype": "bfloat16", "attention": "sparse", "vae_tiling": True, "vae_slicing": True},
]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few keys and queries that tiny pictures have more."""
    monkeypatch.setattr(attention, "KEYS", 4)
    monkeypatch.setattr(attention, "SLICE", 5)


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    return conditions_of(figures.person(), [figures.garment("tee_white.jpg")], height=64, width=48)


@pytest.fixture(scope="module")
def shared() -> dict[str, memory.Switches]:
    """A model for each number format, for all tests, as a service has it: what one request leaves, the next shows."""
    return {name: fresh(name) for name in ("float32", "float16", "bfloat16")}


def fresh(dtype: str = "float32") -> memory.Switches:
    return memory.Switches(tiny_model(text=False).to("cpu", getattr(torch, dtype)), "cpu")


def run(switches: memory.Switches, conditions: Conditions, **options: object) -> torch.Tensor:
    chosen = DiffusionOptions(steps=1, seed=5, **options)
    switches.set(chosen)
    return sample(switches.model, conditions, chosen, generator=latents.seeded(5))


@pytest.mark.parametrize("options", SWITCHES, ids=lambda options: "-".join(f"{n}={v}" for n, v in options.items()))
def test_the_same_bytes_and_nothing_left_behind(
    shared: dict[str, memory.Switches], conditions: Conditions, options: dict[str, object]
) -> None:
    dtype = str(options.get("dtype", "float32"))
    plain = run(shared[dtype], conditions, dtype=dtype)
    one, two = (run(shared[dtype], conditions, **options) for _ in range(2))
    assert torch.equal(one, two), "same input, options and seed: same bytes"
    assert torch.equal(run(shared[dtype], conditions, dtype=dtype), plain), "as if the request before had not been"
    other = fresh(dtype)
    assert torch.equal(run(other, conditions, **options), one), "nor does it feel those before it"
    other.clear()  # what is kept is the process's
    assert torch.isfinite(one).all()


def test_exact_switches_change_the_picture_by_rounding_alone(
    shared: dict[str, memory.Switches], conditions: Conditions
) -> None:
    plain = run(shared["float32"], conditions)
    for exact in ({"attention": "sliced"}, {"channels_last": True}, {"vae_slicing": True}, {"offload": "layers"}):
        assert torch.allclose(run(shared["float32"], conditions, **exact), plain, atol=1e-3)
    assert (run(shared["bfloat16"], conditions, dtype="bfloat16") - plain).abs().mean() < 0.05
    for other in ("linear", "sparse"):
        assert not torch.equal(run(shared["float32"], conditions, attention=other), plain)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("model") / "tiny"
    tiny_model(text=False, controls=()).save(place)
    return str(place)


def test_a_fitting_keeps_its_promises_under_every_switch(folder: str) -> None:
    person, engine = figures.person(), DiffusionEngine()

    def fit(**options: object) -> Fitting:
        chosen = DiffusionOptions(**{"weights": folder, "steps": 1, "device": "cpu", **options})
        return engine.fit(person, [figures.garment("tee_white.jpg")], chosen)

    plain = fit()
    switched = fit(attention="sparse", vae_tiling=True, vae_slicing=True, channels_last=True, offload="model")
    outside = plain.mask == 0
    for fitting in (plain, switched):
        assert np.array_equal(fitting.image[outside], person.image[outside])
        assert (fitting.image[~outside] != person.image[~outside]).mean() > 0.5
    assert not np.array_equal(switched.image, plain.image)
    assert any("no use on cpu" in warning for warning in switched.warnings)
    again = fit()
    assert np.array_equal(again.image, plain.image)
    assert not any("no use" in warning for warning in again.warnings)


def test_weights_are_laid_anew_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, the heap's holes would take a third of the weights' size more."""
    given_back: list[None] = []
    monkeypatch.setattr(memory, "AT_ONCE", 2**16)
    monkeypatch.setattr(memory, "trim", lambda: given_back.append(None))
    unet = tiny_model(text=False, controls=()).unet
    kernels = [weight for weight in unet.parameters() if weight.ndim == 4 and weight[0, 0].numel() > 1]
    for order in (torch.channels_last, torch.contiguous_format):
        given_back.clear()
        memory.lay(unet, order)
        assert all(weight.is_contiguous(memory_format=order) for weight in kernels)
        assert len(given_back) > 2


def test_kept_buffers_cost_no_new_pages() -> None:
    """Of a buffer that was freed and taken again, hardly a page comes anew."""
    resource = pytest.importorskip("resource")

    def pages() -> int:
        """New ones of the last 4 of 20 buffers of 40 MB, each freed before the next is taken."""
        counts = []
        for _ in range(20):
            torch.ones(10 * 2**20)
            counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        return counts[-1] - counts[-5]

    usual = pages()
    undo = pool.keep_buffers()
    if undo is None:
        pytest.skip("no glibc")
    kept = pages()
    undo()
    assert kept < usual / 5


def test_switches_that_do_not_go_together(shared: dict[str, memory.Switches], conditions: Conditions) -> None:
    with pytest.raises(OptionError, match="do not go together"):
        run(shared["float32"], conditions, offload="layers", compile=True)


@pytest.fixture
def model() -> TryOnModel:
    return tiny_model(text=False)


def seen_by(model: TryOnModel, height: int = 8, width: int = 12) -> torch.Tensor:
    shape = (2, model.unet.config.in_channels, height, width)
    with torch.no_grad():
        return model.unet(torch.randn(shape, generator=latents.seeded(1)), 500, torch.zeros(2, 1, 16)).sample


@pytest.mark.parametrize(("places", "concat"), [(2, "width"), (3, "height")])
def test_pooled_blocks_never_cross_from_one_place_into_the_next(places: int, concat: str) -> None:
    """Places of one colour each: every key has the colour of its place."""
    axis = 1 if concat == "width" else 0
    numbers = [torch.full((6, 4), float(number)) for number in range(places)]
    picture = torch.cat(numbers, dim=axis)
    grid = attention.Grid(places, concat)
    few = attention.pooled(picture.reshape(1, -1, 1), tuple(picture.shape), grid.places)
    assert few.shape[1] <= places * attention.KEYS
    assert few.shape[1] < picture.numel()
    assert set(few.flatten().tolist()) == set(map(float, range(places)))
    less = attention.sparse(picture.reshape(1, -1, 1), tuple(picture.shape))
    assert less.shape[1] == picture.numel() / 4
    assert set(less.flatten().tolist()) == set(map(float, range(places)))


@pytest.mark.parametrize("size", [(8, 12), (9, 7), (64, 96), (15, 31)])
def test_a_levels_height_and_width_follow_from_its_pixels(size: tuple[int, int]) -> None:
    grid = attention.Grid(2, "width")
    grid.look(None, (torch.zeros(1, 1, *size),), {})
    level = torch.zeros(1, 1, *size)
    for _ in range(3):
        assert grid.at(level.numel()) == tuple(level.shape[-2:])
        level = F.conv2d(level, torch.zeros(1, 1, 3, 3), stride=2, padding=1)


def test_fewer_keys_are_the_same_where_there_are_few(model: TryOnModel, monkeypatch: pytest.MonkeyPatch) -> None:
    full = seen_by(model)
    monkeypatch.setattr(attention, "KEYS", 10_000)
    for way, close in (("linear", True), ("sparse", False), ("sliced", True)):
        undo = attention.attend(model.unet, way, places=2, concat="width")
        assert torch.allclose(seen_by(model), full, atol=1e-5) is close
        undo()
        assert torch.equal(seen_by(model), full)


def test_the_first_level_alone_is_sparse(model: TryOnModel) -> None:
    names = {id(module): name for name, module in model.unet.named_modules()}
    sparse = {names[id(layer)].split(".")[0] for layer in attention._first_level(model.unet)}
    every = {names[id(layer)].split(".")[0] for layer in attention._self_attention(model.unet)}
    assert sparse == {"down_blocks", "up_blocks"}
    assert every == {"down_blocks", "up_blocks", "mid_block"}


@pytest.mark.parametrize("what", ["model", "layers"])
def test_offloaded_networks_compute_the_same_and_come_back(model: TryOnModel, what: str) -> None:
    """The hooks run here too, with the CPU as the device that weights are brought to."""
    pictures = torch.rand(1, 3, 64, 48, generator=latents.seeded(3)) * 2 - 1

    def run() -> list[torch.Tensor]:
        with torch.no_grad():
            return [seen_by(model), made := latents.encode(model.vae, pictures), latents.decode(model.vae, made)]

    before, weights = run(), {name: value.clone() for name, value in model.unet.state_dict().items()}
    undo = memory.offload(model, what, torch.device("cpu"))
    assert latents.computes_on(model.unet) == latents.computes_on(model.vae) == torch.device("cpu")
    if what == "layers":
        assert model.unet.conv_in.weight.is_meta
    assert all(map(torch.equal, run(), before))
    undo()
    assert all(torch.equal(value, weights[name]) for name, value in model.unet.state_dict().items())
    assert not any(hasattr(module, "_hf_hook") for module in model.unet.modules())
    assert all(map(torch.equal, run(), before))


def test_turns_send_away_who_does_not_work(model: TryOnModel) -> None:
    sent: list[str] = []
    for name, network in (("unet", model.unet), ("vae", model.vae), ("branch", model.controls["pose"])):
        network.to = lambda device, name=name, network=network: sent.append(f"{name} to {device}") or network
    memory.offload(model, "model", torch.device("meta"))
    sent.clear()
    model.vae._hf_hook.pre_forward(model.vae)
    assert sent == ["unet to cpu", "branch to cpu", "vae to meta"]
    sent.clear()
    model.controls["pose"]._hf_hook.pre_forward(model.controls["pose"])
    assert sent == ["vae to cpu", "branch to meta"]


def test_a_network_that_cannot_be_compiled_runs_as_it_is(model: TryOnModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import TorchDynamoException

    tried = []

    def broken(*_: object, **__: object) -> None:
        tried.append(1)
        raise TorchDynamoException("no C++ compiler\nand more")

    monkeypatch.setattr(torch, "compile", lambda forward: broken)
    full, switches = seen_by(model), memory.Switches(model, "cpu")
    switches.set(DiffusionOptions(compile=True))
    assert torch.equal(seen_by(model), full)
    assert torch.equal(seen_by(model), full)
    assert len(tried) == 1, "once is enough"
    assert switches.notes == ("The network was not compiled, and ran as it is: no C++ compiler.",)
    switches.set(DiffusionOptions())
    assert (switches.notes, "forward" in model.unet.__dict__) == ((), False)


def test_compiling_is_kept_for_the_next_request_that_wants_it(
    model: TryOnModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def compiling(forward: object) -> object:
        made.append(forward)
        return forward

    monkeypatch.setattr(torch, "compile", compiling)
    switches = memory.Switches(model, "cpu")
    for compile_ in (True, True, False, True):
        switches.set(DiffusionOptions(compile=compile_))
        assert ("forward" in model.unet.__dict__) is compile_
        seen_by(model)
    assert len(made) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # the compiler's own
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_really_compiled(model: TryOnModel) -> None:
    full, switches = seen_by(model), memory.Switches(model, "cpu")
    switches.set(DiffusionOptions(compile=True))
    assert torch.allclose(seen_by(model), full, atol=1e-4)
    assert switches.notes == ()
