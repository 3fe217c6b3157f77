"""The engine `catvton-flux`: CatVTON on FLUX.1 Fill, a published diffusion transformer of 12 billion parameters.

It was trained on tops of women (VITON-HD). What lies in the edit mask is painted; everything else is the photo, bit for
bit, at its own size.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vestiary.clock import Clock
from vestiary.diffusion.published import check, locate
from vestiary.encoding.frames import colours
from vestiary.engines.embedded import check_outfit
from vestiary.engines.fashn import provenance
from vestiary.types import Fitting, Garment, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.diffusion.published.catvton_flux import FluxTryOn
    from vestiary.diffusion.published.specs import Published
    from vestiary.diffusion.repaint import Canvas
    from vestiary.encoding.frames import Frame
    from vestiary.registry import OnStep

DEFAULT = "catvton-flux-lora"
SPREAD = 0.12  # of the edit mask beyond the old clothes, in shoulder units
PREVIEW = 512  # pixels of a preview's longer side


class CatvtonFluxOptions(BaseModel):
    """Options of the engine `catvton-flux`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(
        DEFAULT, max_length=4096, description="Published weights, with @ and a commit, or their folder."
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Start of the noise: the same seed gives the same picture.")
    steps: int = Field(30, ge=1, le=200, description="Denoising steps.")
    guidance: float = Field(30.0, ge=1, le=100, description="How strongly the model's own prompt pulls.")
    long_side: int = Field(
        0, ge=0, le=2048, description="Longer side of the working picture in pixels; 0 = what it was trained at."
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: Literal["float32", "float16", "bfloat16"] = Field("bfloat16", description="Numbers of the networks.")
    layers: bool = Field(False, description="Keep every intermediate picture.")


class CatvtonFluxEngine:
    """Paints garments with CatVTON on FLUX.1 Fill. The model stays loaded; requests use it one at a time."""

    Options = CatvtonFluxOptions

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[str, ...], FluxTryOn, Published] | None = None

    def check_asked(self, garments: int, options: CatvtonFluxOptions) -> None:
        """Nothing, where the weights are there or can be fetched, as far as one sees without opening them.

        Raises:
            WeightsError, LicenceError, OptionError: as for `fit`.
        """
        from vestiary.engines.in_turn import weights_asked_for

        check(weights_asked_for(options.weights, DEFAULT), engine="catvton-flux")

    def prepare(self, person: Person) -> Person:
        """The scan itself: what is painted depends on the garments."""
        return person

    def fit(
        self, prepared: Person, garments: Sequence[Garment], options: CatvtonFluxOptions, on_step: OnStep | None = None
    ) -> Fitting:
        """The person wearing the garments, put on one after another.

        Raises:
            GarmentError: nothing to put on, or two garments for the same place.
            PersonError: the body half that a garment covers is not in the photo.
            LicenceError: the licences of the weights are not accepted yet.
            WeightsError: the weights are missing or not right.
            MemoryShortError: they do not fit.
            OptionError: this machine does not have that device.
            Cancelled: `on_step` returned False.
        """
        from vestiary.diffusion.conditions import conditions_of, frame_size
        from vestiary.diffusion.latents import seeded
        from vestiary.diffusion.published import catvton_flux
        from vestiary.engines.in_turn import put_on

        check_outfit(prepared, garments)
        clock = Clock()
        with self._lock:
            model, published = self._model(options)
            clock.lap("load")
            photo = (prepared.image.shape[1], prepared.image.shape[0])
            trained = (published.traits["width"], published.traits["height"])
            size = frame_size(photo, trained, options.long_side, catvton_flux.MULTIPLE)
            generator, before = seeded(options.seed), 0

            def paint(near: Person, canvas: Canvas, garment: Garment) -> NDArray[np.float32]:
                nonlocal before
                conditions = conditions_of(near, [garment], width=size[0], height=size[1])
                shown = _shown(on_step, canvas, conditions.frame, before, len(garments) * options.steps)
                settings = {"steps": options.steps, "guidance": options.guidance}
                made = catvton_flux.sample(model, conditions, **settings, generator=generator, on_step=shown)
                before += options.steps
                return conditions.frame.back(made[0].numpy(force=True))

            dressed = put_on(prepared, garments, size, paint, spread=SPREAD)
        clock.lap("denoise")
        layers = {**dressed.painted, "mask": dressed.mask} if options.layers else {}
        warnings = prepared.warnings + tuple(w for g in garments for w in g.warnings)
        made = provenance("catvton-flux", prepared, garments, options, published)
        return Fitting(dressed.image, dressed.mask, layers, made, clock.laps, warnings)

    def _model(self, options: CatvtonFluxOptions) -> tuple[Any, Published]:
        from vestiary.diffusion.model import device_of
        from vestiary.diffusion.published import catvton_flux
        from vestiary.engines.in_turn import weights_asked_for

        device = device_of(options.device)
        name = weights_asked_for(options.weights, DEFAULT)
        key = (name, device, options.dtype)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None  # makes room before the next one comes
            published, folders = locate(name, engine="catvton-flux", dtype=options.dtype, device=device)
            loaded = catvton_flux.load(published, folders, dtype=options.dtype, device=device)
            self._loaded = key, loaded, published
        return self._loaded[1], self._loaded[2]


def _shown(on_step: OnStep | None, canvas: Canvas, frame: Frame, before: int, total: int) -> OnStep | None:
    """`on_step` with the small previews of the working frame laid into a small copy of the photo."""
    from dataclasses import replace

    if on_step is None:
        return None
    small = canvas.small(PREVIEW)
    x0, y0, x1, y1 = small.window
    near = replace(frame, photo=(x1 - x0, y1 - y0))

    def shown(step: int, _: int, name: str, preview: NDArray[np.uint8] | None) -> bool | None:
        picture = None if preview is None else small.paint(near.back(colours(preview)))
        return on_step(before + step, total, name, picture)

    return shown
