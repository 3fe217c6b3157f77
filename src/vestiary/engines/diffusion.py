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
from vestiary.diffusion import published
from vestiary.diffusion.card import CARD, read_card
from vestiary.diffusion.options import DiffusionOptions
from vestiary.diffusion.pictures import WEIGHTS_VARIABLE
from vestiary.encoding.frames import colours
from vestiary.engines.embedded import check_outfit
from vestiary.engines.provenance import describe
from vestiary.errors import GarmentError, OptionError, WeightsError
from vestiary.types import Fitting, Garment, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.diffusion.estimate import Run
    from vestiary.diffusion.memory import Switches
    from vestiary.diffusion.model import TryOnModel
    from vestiary.engines.diffusion_passes import Pass, Plan
    from vestiary.registry import OnStep

PREVIEW = 512  # pixels of a preview's longer side


class DiffusionEngine:
    """Paints garments with a latent diffusion model. The last model stays loaded; requests use it one at a time."""

    Options = DiffusionOptions

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[object, ...], Switches] | None = None

    def check_asked(self, garments: int, options: DiffusionOptions) -> None:
        """Nothing, where there is a garment or something else to paint, and weights to do it.

        Raises:
            GarmentError: neither; the message names the options that do without a garment.
            WeightsError: no weights were named, or they are not there or visibly not right.
            LicenceError: their licences are not accepted yet.
            OptionError: the environment names others.
        """
        words = options.prompt or options.covers != "auto" or options.scene or options.light != "keep"
        if not (garments or words or options.region):
            hint = "Hand in a garment photo, or set one of: prompt, covers, region, scene, light."
            raise GarmentError("there is no garment to put on, and nothing else to do.", hint=hint)
        published.check(weights_of(options), engine="diffusion")

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
        self.check_asked(len(garments), options)
        if garments and not options.region:
            check_outfit(prepared, garments)
        name = weights_of(options)
        by_card = _by_card(name, options)
        options = options.model_copy(update=by_card)

        from vestiary.diffusion.memory import told
        from vestiary.engines import diffusion_passes as passes

        clock = Clock()
        with self._lock:
            switches, run = self._ready(name, options, (prepared.image.shape[1], prepared.image.shape[0]))
            model = switches.model
            clock.lap("load")
            plan = passes.plan(prepared, garments, options, model)
            steps = _Steps(plan.steps(options), on_step)
            worn, mask = prepared, np.zeros(prepared.parts.shape, np.uint8)
            layers: dict[str, NDArray[np.uint8]] = {}
            for number, (kind, ready) in enumerate(plan.passes):
                if number and kind in ("scene", "light") and plan.passes[number - 1][0] in ("wear", "repair"):
                    worn = passes.scanned_again(worn)
                    clock.lap("scan")
                now = ready(worn)
                clock.lap("conditions")
                with told(run.failed):
                    picture = _painted(model, now, steps.of(now))
                clock.lap("denoise")
                if options.layers:
                    layers |= _layers(now, picture, "" if not number else f"-{kind}-{number + 1}")
                worn = replace(worn, image=now.finish(picture))
                mask = np.maximum(mask, now.canvas.mask)
                clock.lap("blend")
        layers |= {"mask": mask} if options.layers else {}
        warnings = prepared.warnings + tuple(w for g in garments for w in g.warnings) + switches.notes
        warnings += _too_much(model, options)
        provenance = _provenance(prepared, garments, options, model, plan, by_card)
        return Fitting(worn.image, mask, layers, provenance, clock.laps, warnings)

    def _ready(self, name: str, options: DiffusionOptions, photo: tuple[int, int]) -> tuple[Switches, Run]:
        """The model of that folder or name, loaded if another one was used before, with its switches set; and the run
        that fits into memory beside it.
        """
        from vestiary.diffusion import estimate, memory
        from vestiary.diffusion.model import device_of
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
                if self._loaded is not None:
                    self._loaded[1].clear()
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
    return os.path.expanduser(name)  # unlike Path, it leaves a home of nobody as it is


def _by_card(name: str, options: DiffusionOptions) -> dict[str, Any]:
    """Options that the caller left open and a distilled student's card decides; published weights have no such card."""
    folder = Path(name)
    return read_card(folder).chosen(options) if (folder / CARD).is_file() else {}


def _too_much(model: TryOnModel, options: DiffusionOptions) -> tuple[str, ...]:
    """A note where guidance comes on top of what a distilled student has taken over from its teacher."""
    how = model.card.distilled
    if how is None or options.guidance <= how.guidance:
        return ()
    what = f"the model {model.card.name} was distilled under guidance"
    return (f"{what}: guidance {options.guidance:g} is added to it, at twice the time; {how.guidance:g} is meant.",)


def _painted(model: TryOnModel, now: Pass, on_step: OnStep | None) -> NDArray[np.float32]:
    """`(3, h, w)` in -1..1 of the canvas's window."""
    from vestiary.diffusion.latents import seeded
    from vestiary.diffusion.pipeline import sample
    from vestiary.diffusion.progressive import sample_progressively

    run = sample_progressively if now.options.refine else sample
    made = run(
        model, now.conditions, now.options, guides=now.guides, generator=seeded(now.options.seed), on_step=on_step
    )
    return now.conditions.frame.back(made[0].numpy(force=True))


class _Steps:
    """`on_step` for several passes: counted through, with their small previews laid into a small copy of the photo."""

    def __init__(self, total: int, on_step: OnStep | None) -> None:
        self.total, self.on_step, self.done = total, on_step, 0

    def of(self, now: Pass) -> OnStep | None:
        """`on_step` for one of them."""
        if self.on_step is None:
            return None
        tell = self.on_step
        small = now.canvas.small(PREVIEW)
        x0, y0, x1, y1 = small.window
        frame = replace(now.conditions.frame, photo=(x1 - x0, y1 - y0))

        def shown(step: int, total: int, name: str, preview: NDArray[np.uint8] | None) -> bool | None:
            self.done = min(self.done + 1, self.total)
            picture = None if preview is None else small.paint(frame.back(colours(preview)))
            return tell(self.done, self.total, name, picture)

        return shown


def _provenance(
    person: Person,
    garments: Sequence[Garment],
    options: DiffusionOptions,
    model: TryOnModel,
    plan: Plan,
    by_card: dict[str, Any],
) -> dict[str, Any]:
    card = model.card
    digests = {name: f"sha256:{digest}" for name, digest in plan.digests.items()}
    named = options.model_copy(update={"weights": card.name, **digests})  # a path differs from machine to machine
    made = describe("diffusion", person, garments, named, weights=card.sha256)
    what = {key: getattr(card, key) for key in ("name", "licence", "commercial", "source", "revision")}
    told = {"model": what, "non_commercial_use_only": not card.commercial, "passes": [kind for kind, _ in plan.passes]}
    return {**made, **told, **({"options_by_the_card": sorted(by_card)} if by_card else {})}


def _layers(now: Pass, picture: NDArray[np.float32], ending: str) -> dict[str, NDArray[np.uint8]]:
    """What the model saw and painted, in the photo's frame; each garment as it saw it."""
    conditions, (x0, y0, x1, y1) = now.conditions, now.canvas.window

    def whole(inside: NDArray[np.float32]) -> NDArray[np.uint8]:
        full = now.canvas.photo.copy()
        full[y0:y1, x0:x1] = _colours(inside)
        return full

    back = conditions.frame.back
    worn = enumerate(zip(conditions.garments[0], conditions.garment_masks[0], strict=True), 1)
    kept = {"agnostic": whole(back(conditions.agnostic[0].numpy()))}
    kept |= {f"control-{kind}": whole(back(seen[0].numpy() * 2 - 1)) for kind, seen in conditions.controls.items()}
    kept |= {f"garment-{n}": _colours(one.numpy()) for n, (one, alpha) in worn if alpha.any()}
    return {f"{name}{ending}": layer for name, layer in {**kept, "painted": whole(picture)}.items()}


def _colours(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """`(h, w, 3) uint8` of `(3, h, w)` in -1..1."""
    return np.asarray(np.clip((picture.transpose(1, 2, 0) + 1) * 127.5 + 0.5, 0, 255), np.uint8)
