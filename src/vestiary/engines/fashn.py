"""The engine `fashn`: FASHN VTON 1.5 (Bochman and Bochman 2026), a published model, through its own package.

The package paints the whole picture, at 576 × 864 at most. What lies in the edit mask is taken from it; everything else
is the photo, bit for bit, at its own size.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vestiary.clock import Clock
from vestiary.diffusion.published import check, fashn, locate
from vestiary.encoding.frames import colours
from vestiary.engines.embedded import check_outfit
from vestiary.engines.provenance import describe
from vestiary.errors import Cancelled
from vestiary.types import Fitting, Garment, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.diffusion.published.specs import Published
    from vestiary.diffusion.repaint import Canvas
    from vestiary.registry import OnStep

DEFAULT = "fashn-vton-1.5"
SPREAD = 0.2  # of the edit mask, in shoulder units: the model draws its own outline


class FashnOptions(BaseModel):
    """Options of the engine `fashn`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(DEFAULT, max_length=4096, description="Published weights, or the folder that holds them.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Start of the noise: the same seed gives the same picture.")
    steps: int = Field(30, ge=1, le=200, description="Sampling steps: 20 is fast, 50 the authors' best.")
    guidance: float = Field(1.5, ge=1, le=10, description="How strongly garment and pose pull.")
    photo: fashn.PhotoType = Field(
        "auto",
        description="What the garment's photo shows: a wearer (model), the garment alone (flat-lay), or as read.",
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N.")
    layers: bool = Field(False, description="Keep every intermediate picture.")


class FashnEngine:
    """Paints garments with FASHN VTON 1.5. The pipeline stays loaded; requests use it one at a time."""

    Options = FashnOptions

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[str, str], Any, Published] | None = None

    def check_asked(self, garments: int, options: FashnOptions) -> None:
        """Nothing, where the weights are there or can be fetched, as far as one sees without opening them.

        Raises:
            WeightsError, LicenceError, OptionError: as for `fit`.
        """
        from vestiary.engines.in_turn import weights_asked_for

        check(weights_asked_for(options.weights, DEFAULT), engine="fashn")

    def prepare(self, person: Person) -> Person:
        """The scan itself: what is painted depends on the garments."""
        return person

    def fit(
        self, prepared: Person, garments: Sequence[Garment], options: FashnOptions, on_step: OnStep | None = None
    ) -> Fitting:
        """The person wearing the garments, put on one after another. It can be cancelled between garments.

        Raises:
            GarmentError: nothing to put on, or two garments for the same place.
            PersonError: the body half that a garment covers is not in the photo.
            LicenceError: the licences of the weights are not accepted yet.
            WeightsError: the weights are missing or broken.
            MemoryShortError: they do not fit.
            EngineError: the package failed.
            Cancelled: `on_step` returned False.
        """
        from vestiary.engines.in_turn import put_on

        check_outfit(prepared, garments)
        clock = Clock()
        done = 0
        with self._lock:
            pipeline, published = self._pipeline(options)
            clock.lap("load")

            def paint(near: Person, canvas: Canvas, garment: Garment) -> NDArray[np.float32]:
                nonlocal done
                seen = fashn.paint(
                    *(pipeline, near.image, garment),
                    steps=options.steps,
                    guidance=options.guidance,
                    seed=options.seed,
                    photo=options.photo,
                )
                size = (near.image.shape[1], near.image.shape[0])
                picture = colours(np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_CUBIC), np.uint8))
                done += 1
                if on_step and on_step(done, len(garments), garment.category, canvas.paint(picture)) is False:
                    raise Cancelled("the fitting was cancelled.")
                return picture

            frame = (published.traits["width"], published.traits["height"])
            dressed = put_on(prepared, garments, frame, paint, spread=SPREAD)
        clock.lap("paint")
        layers = {**dressed.painted, "mask": dressed.mask} if options.layers else {}
        warnings = prepared.warnings + tuple(w for g in garments for w in g.warnings)
        made = provenance("fashn", prepared, garments, options, published)
        return Fitting(dressed.image, dressed.mask, layers, made, clock.laps, warnings)

    def _pipeline(self, options: FashnOptions) -> tuple[Any, Published]:
        from vestiary.engines.in_turn import weights_asked_for

        name = weights_asked_for(options.weights, DEFAULT)
        key = (name, options.device)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None  # makes room before the next one comes
            device, dtype = fashn.device_of(options.device)
            published, folders = locate(name, engine="fashn", dtype=dtype, device=device)
            self._loaded = key, fashn.open_pipeline(folders["."], device), published
        return self._loaded[1], self._loaded[2]


def provenance(
    engine: str, person: Person, garments: Sequence[Garment], options: BaseModel, published: Published
) -> dict[str, Any]:
    """Where a fitting by published weights comes from: as all engines say it, and what the weights' licences ask."""
    from vestiary.diffusion.published.licences import is_commercial, notice

    named = options.model_copy(update={"weights": published.name})  # a path differs from machine to machine
    hashes = {f"{part.repo}/{file}": sha for part in published.parts for file, sha in part.sha256.items()}
    made = describe(engine, person, garments, named, weights=hashes)
    return {**made, "model": notice(published), "non_commercial_use_only": not is_commercial(published)}
