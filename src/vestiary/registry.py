"""Engines by name: which exist, which are installed, and how to get one.

An engine is a way of putting garments on a person. Built-in and third-party engines register through the same door: an
entry point in the group `vestiary.engines` that names an `EngineSpec`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from vestiary.errors import GarmentError, MissingExtraError, UnknownEngineError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vestiary.types import Fitting, Garment, Person, Picture

GROUP = "vestiary.engines"

# Called after every step as on_step(step, total, name, preview); a return value of False asks the engine to stop,
# and it then raises `Cancelled`. `preview` is the picture so far or None.
OnStep = Callable[[int, int, str, "Picture | None"], "bool | None"]


@runtime_checkable
class Engine(Protocol):
    """What every engine offers. It holds no state of a request: what it learns of a person is the `prepare` value.

    It may also have `check_asked(garments, options)`, which is told how many garments there are, and raises a
    VestiaryError where it cannot do that: nothing to do, no weights. It is asked before a photo is looked at or a
    fitting is queued, and looks at neither.
    """

    Options: type[BaseModel]

    def prepare(self, person: Person) -> Any:
        """Everything that depends on the person alone; keep it and `fit` many garments on it."""

    def fit(self, prepared: Any, garments: Sequence[Garment], options: Any, on_step: OnStep | None = None) -> Fitting:
        """The person wearing the garments. Randomness comes from `options.seed` alone."""


E = TypeVar("E", bound=Engine)


@dataclass(frozen=True)
class EngineSpec:
    """An engine as data, so that it can be listed without being imported.

    Attributes:
        name: what users type.
        target: `"module:Class"`; the class is made without arguments when the engine is first loaded.
        summary: one line for lists.
        licence: of code and weights.
        needs: modules that must be importable.
        install: the command that brings them.
        needs_garment: whether there is nothing it could do without a garment.
    """

    name: str
    target: str
    summary: str
    licence: str = "Apache-2.0"
    needs: tuple[str, ...] = ()
    install: str = ""
    needs_garment: bool = True

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules that are needed and not installed."""
        return tuple(m for m in self.needs if importlib.util.find_spec(m) is None)


EMBEDDED = EngineSpec(
    name="embedded",
    target="vestiary.engines.embedded:EmbeddedEngine",
    summary="geometry places every pixel of the garment; CPU, offline, any resolution (the default)",
)
PASTE = EngineSpec(
    name="paste",
    target="vestiary.engines.paste:PasteEngine",
    summary="scales the cut-out onto the body and pastes it; a baseline to be beaten",
)
DIFFUSION = EngineSpec(
    name="diffusion",
    target="vestiary.engines.diffusion:DiffusionEngine",
    summary="paints the garment anew with a latent diffusion model, yours or a published one; wants a GPU",
    licence="Apache-2.0; the weights have their own",
    needs=("torch", "diffusers", "transformers", "accelerate", "safetensors"),
    install='pip install "vestiary[diffusion]"',
    needs_garment=False,  # words can name one, and regions, backgrounds and light need none
)
FASHN = EngineSpec(
    name="fashn",
    target="vestiary.engines.fashn:FashnEngine",
    summary="FASHN VTON 1.5, a published model without a mask, through its own package; wants a GPU",
    licence="Apache-2.0; its human parser: NVIDIA, non-commercial",
    needs=("torch", "huggingface_hub", "safetensors", "fashn_vton"),
    install=(
        'pip install "vestiary[diffusion]" '
        '"git+https://github.com/fashn-AI/fashn-vton-1.5@7c0f10af3f91ad4048fe9729c470a13ef905d25a"'
    ),
)
CATVTON_FLUX = EngineSpec(
    name="catvton-flux",
    target="vestiary.engines.catvton_flux:CatvtonFluxEngine",
    summary="CatVTON on FLUX.1 Fill, a published diffusion transformer of 12 billion parameters; wants 40 GB of GPU",
    licence="FLUX.1 [dev] Non-Commercial License",
    needs=("torch", "diffusers", "transformers", "accelerate", "safetensors", "peft"),
    install='pip install "vestiary[diffusion]"',
)


def list_engines() -> dict[str, EngineSpec]:
    """Every registered engine by name, also those whose dependencies are missing. Imports none of them."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    own_first = sorted(found.values(), key=lambda point: (not point.value.startswith(f"{__name__}:"), point.name))
    return {point.name: point.load() for point in own_first}


_loaded: dict[EngineSpec, Engine] = {}


def load_engine(name: str = "embedded") -> Engine:
    """The engine of that name, made once per process.

    Raises:
        UnknownEngineError: no such engine; the message lists the names.
        MissingExtraError: its dependencies are not installed; the message has the line that installs them.
    """
    specs = list_engines()
    spec = specs.get(name)
    if spec is None:
        raise UnknownEngineError(f"no engine is called {name!r}.", hint=f"Choose one of: {', '.join(specs)}.")
    if spec.missing:
        raise MissingExtraError(f"engine {name!r} needs {', '.join(spec.missing)}.", hint=f"Type: {spec.install}")
    if spec not in _loaded:
        module, _, attribute = spec.target.partition(":")
        _loaded[spec] = getattr(importlib.import_module(module), attribute)()
    return _loaded[spec]


def check_garments(name: str, count: int, specs: Mapping[str, EngineSpec] | None = None) -> None:
    """Nothing, where this engine can work with so many garments.

    Args:
        specs: what `list_engines` gave, for those who ask often: it goes through all packages.

    Raises:
        GarmentError: it needs one; the message names the engines that need none.
    """
    if count:
        return
    if specs is None:
        specs = list_engines()
    if name in specs and specs[name].needs_garment:
        without = ", ".join(spec.name for spec in specs.values() if not spec.needs_garment)
        others = f" Engines that need none: {without}." if without else ""
        raise GarmentError(
            f"there is no garment to put on, and the engine {name!r} needs one.",
            hint=f"Hand in at least one garment photo.{others}",
        )
