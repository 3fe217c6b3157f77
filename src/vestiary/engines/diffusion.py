"""The engine `diffusion`: a latent diffusion model paints the person in the garment; the photo stays around it.

It joins the steps of `vestiary.diffusion`. Whatever needs PyTorch is imported when a fitting is asked for, so that the
engine and its options can be listed at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestiary.clock import Clock
from vestiary.diffusion.options import DiffusionOptions
from vestiary.encoding.frames import colours
from vestiary.engines.embedded import check_outfit, cut_to, window_of
from vestiary.engines.provenance import describe
from vestiary.errors import GarmentError, OptionError, WeightsError
from vestiary.types import Fitting, Garment, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.diffusion.conditions import Conditions
    from vestiary.diffusion.estimate import Run
    from vestiary.diffusion.memory import Switches
    from vestiary.diffusion.model import TryOnModel
    from vestiary.diffusion.repaint import Canvas
    from vestiary.registry import OnStep

    Window = tuple[int, int, int, int]

WEIGHTS_VARIABLE = "VESTIARY_DIFFUSION_WEIGHTS"
PREVIEW = 512  # pixels of a preview's longer side
SPREAD = {False: 0.12, True: 0.2}  # of the edit mask, in shoulder units; a mask-free model draws its own outline
_NOT_YET = ("anchor", "scene", "region", "control_pose", "control_parts", "control_depth")


class DiffusionEngine:
    """Paints garments with a latent diffusion model. The last model stays loaded; requests use it one at a time."""

    Options = DiffusionOptions

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[object, ...], Switches] | None = None

    def prepare(self, person: Person) -> Person:
        """The scan itself: what is painted depends on the garments."""
        return person

    def fit(
        self, prepared: Person, garments: Sequence[Garment], options: DiffusionOptions, on_step: OnStep | None = None
    ) -> Fitting:
        """The person wearing the garments.

        Raises:
            GarmentError: nothing to put on, two garments for the same place, or more than the model has places for.
            PersonError: the body half that a garment covers is not in the photo.
            OptionError: an option that this model or this machine has nothing for.
            WeightsError: no weights were named, or they are not there or not right.
            MemoryShortError: it would take more memory than there is, or did; the engine stays usable.
            Cancelled: `on_step` returned False.
        """
        check_outfit(prepared, garments)
        _check_options(options)
        name = weights_of(options)

        from vestiary.diffusion.latents import seeded
        from vestiary.diffusion.memory import told
        from vestiary.diffusion.pipeline import sample
        from vestiary.diffusion.progressive import sample_progressively
        from vestiary.diffusion.repaint import canvas_of

        clock = Clock()
        with self._lock:
            switches, asked = self._ready(name, options, (prepared.image.shape[1], prepared.image.shape[0]))
            model = switches.model
            _check_model(model, garments, options)
            clock.lap("load")
            window, size = _view(prepared, model, options)
            near = cut_to(prepared, window)
            conditions = _conditions(near, garments, model, size, options)
            clock.lap("conditions")
            categories = {garment.category for garment in garments}
            canvas = canvas_of(prepared, near, window, categories, spread=SPREAD[model.mask_free])
            clock.lap("mask")
            run = sample_progressively if options.refine else sample
            shown = _previews(on_step, canvas, conditions)
            with told(asked.failed):
                painted = run(model, conditions, options, generator=seeded(options.seed), on_step=shown)
            clock.lap("denoise")
        picture = conditions.frame.back(painted[0].numpy(force=True))
        image, mask = canvas.paint(picture), canvas.mask
        clock.lap("blend")
        layers = _layers(prepared, window, picture, conditions, mask) if options.layers else {}
        warnings = prepared.warnings + tuple(w for g in garments for w in g.warnings) + switches.notes
        return Fitting(image, mask, layers, _provenance(prepared, garments, options, model), clock.laps, warnings)

    def _ready(self, name: str, options: DiffusionOptions, photo: tuple[int, int]) -> tuple[Switches, Run]:
        """The model of that folder or name, loaded if another one was used before, with its switches set; and the run
        that fits into memory beside it.
        """
        from vestiary.diffusion import estimate, memory
        from vestiary.diffusion.model import CARD, device_of
        from vestiary.diffusion.published import open_model

        device = device_of(options.device)
        home = memory.home(options, device)
        card = Path(name) / CARD
        changed = card.stat().st_mtime_ns if card.is_file() else 0
        key = (name, changed, device, home, options.dtype)
        last = self._loaded[1].model if self._loaded else None
        loaded = self._loaded is not None and self._loaded[0] == key
        run = estimate.run_of(name, photo, options, device, last=last, loaded=loaded)
        run.require()
        del last
        with memory.told(run.failed):
            if self._loaded is None or not loaded:
                self._loaded = None  # makes room before the next one comes
                memory.release()
                self._loaded = key, memory.Switches(open_model(name, dtype=options.dtype, device=home), device)
            self._loaded[1].set(options)
        return self._loaded[1], replace(run, loaded=True)


def weights_of(options: DiffusionOptions) -> str:
    """The folder or published name that the options, or else the environment, name.

    If the environment names some, no others can be asked for, so that callers of a service cannot make it open folders
    and fetch weights of their choice; the last part of a folder's path is its name then.

    Raises:
        WeightsError: neither names one.
        OptionError: the environment names others.
    """
    ours = {Path(name).name: name for name in os.environ.get(WEIGHTS_VARIABLE, "").split(os.pathsep) if name}
    name = options.weights or next(iter(ours.values()), "")
    if ours and name not in ours.values():
        if name not in ours:
            hint = f"Choose one of: {', '.join(ours)}. The variable {WEIGHTS_VARIABLE} lists them."
            raise OptionError("these weights are not among those of this machine.", hint=hint)
        name = ours[name]
    if not name:
        raise WeightsError(
            "the engine 'diffusion' ships no weights, and none were named.",
            hint=f"Name a model folder or published weights with --weights or the variable {WEIGHTS_VARIABLE}. "
            "Train a model with `vestiary train diffusion`, or get published weights: see docs/diffusion.md.",
        )
    return str(Path(name).expanduser()) if name.startswith("~") else name


def _check_options(options: DiffusionOptions) -> None:
    for name in _NOT_YET:
        if getattr(options, name) != DiffusionOptions.model_fields[name].default:
            raise OptionError(f"option {name!r} does not work yet.", hint="Leave it out.")


def _check_model(model: TryOnModel, garments: Sequence[Garment], options: DiffusionOptions) -> None:
    name, places = model.card.name, model.card.garments
    if len(garments) > places:
        hint = "Put them on one after another, or use a model with more places."
        raise GarmentError(f"the model {name} puts on {places} garment(s) at a time, not {len(garments)}.", hint=hint)
    if options.mask_free and not model.mask_free:
        raise OptionError(f"the model {name} is not mask-free.", hint="Leave mask_free out, or name another model.")


def _view(person: Person, model: TryOnModel, options: DiffusionOptions) -> tuple[Window, tuple[int, int]]:
    """The part of the photo that is worked on, and width and height of the frame in which it is."""
    from vestiary.diffusion.conditions import frame_size
    from vestiary.diffusion.repaint import widened

    photo = (person.image.shape[1], person.image.shape[0])
    trained = (model.card.width, model.card.height)
    size = frame_size(photo, trained, options.long_side, model.multiple * (2 if options.refine else 1))
    return widened(window_of(person), size, photo), size


def _conditions(
    near: Person, garments: Sequence[Garment], model: TryOnModel, size: tuple[int, int], options: DiffusionOptions
) -> Conditions:
    from vestiary.diffusion.conditions import conditions_of
    from vestiary.diffusion.text import encode_text

    return conditions_of(
        near,
        garments,
        width=size[0],
        height=size[1],
        places=model.card.garments,
        agnostic=model.card.agnostic,
        text=encode_text(model, [options.prompt]),
        negative_text=encode_text(model, [options.negative_prompt]),
    )


def _previews(on_step: OnStep | None, canvas: Canvas, conditions: Conditions) -> OnStep | None:
    """`on_step` with the pipeline's small previews laid into a small copy of the photo."""
    if on_step is None:
        return None
    small = canvas.small(PREVIEW)
    x0, y0, x1, y1 = small.window
    frame = replace(conditions.frame, photo=(x1 - x0, y1 - y0))

    def shown(step: int, total: int, name: str, preview: NDArray[np.uint8] | None) -> bool | None:
        return on_step(step, total, name, None if preview is None else small.paint(frame.back(colours(preview))))

    return shown


def _provenance(
    person: Person, garments: Sequence[Garment], options: DiffusionOptions, model: TryOnModel
) -> dict[str, Any]:
    card = model.card
    named = options.model_copy(update={"weights": card.name})  # a path differs from machine to machine
    made = describe("diffusion", person, garments, named, weights=card.sha256)
    what = {key: getattr(card, key) for key in ("name", "licence", "commercial", "source", "revision")}
    return {**made, "model": what, "non_commercial_use_only": not card.commercial}


def _layers(
    person: Person, window: Window, picture: NDArray[np.float32], conditions: Conditions, mask: NDArray[np.uint8]
) -> dict[str, NDArray[np.uint8]]:
    """What the model saw and painted, in the photo's frame; each garment as it saw it."""
    x0, y0, x1, y1 = window

    def whole(inside: NDArray[np.float32]) -> NDArray[np.uint8]:
        full = person.image.copy()
        full[y0:y1, x0:x1] = _colours(inside)
        return full

    agnostic = conditions.frame.back(conditions.agnostic[0].numpy())
    garments = {f"garment-{n}": _colours(one.numpy()) for n, one in enumerate(conditions.garments[0], 1)}
    return {"agnostic": whole(agnostic), **garments, "painted": whole(picture), "mask": mask}


def _colours(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """`(h, w, 3) uint8` of `(3, h, w)` in -1..1."""
    return np.asarray(np.clip((picture.transpose(1, 2, 0) + 1) * 127.5 + 0.5, 0, 255), np.uint8)
