"""What the engine `diffusion` paints, one after another: garments or a region, another background, another light.

Each is one run of the pipeline with conditions, guides and a prompt of its own, over the picture that the one before
left. `plan` checks all that was asked before any of them runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vestiary.diffusion import scene
from vestiary.diffusion.anchor import Anchor, Example, Palette, Reference, garment_region, is_palette
from vestiary.diffusion.conditions import Conditions, conditions_of, frame_size
from vestiary.diffusion.control import controls_of
from vestiary.diffusion.pictures import named_picture
from vestiary.diffusion.regions import Keep, around, is_drawn, painting, region_mask
from vestiary.diffusion.repaint import Canvas, canvas_of, widened
from vestiary.diffusion.text import encode_text, garment_of
from vestiary.engines.embedded import check_outfit, cut_to, window_of
from vestiary.errors import GarmentError, InputError, OptionError
from vestiary.types import Joint, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vestiary.diffusion.model import TryOnModel
    from vestiary.diffusion.options import DiffusionOptions
    from vestiary.diffusion.pipeline import Guide
    from vestiary.types import Category, Garment, Person

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]
    Window = tuple[int, int, int, int]

SPREAD = {False: 0.12, True: 0.2}  # of the edit mask, in shoulder units; a mask-free model draws its own outline
SAME = 0.15  # of the trunk's diagonal, that somebody found again may be away from where they were
FEATHER = 0.004  # of the photo's long side, over which a repaired region fades in


@dataclass(frozen=True)
class Pass:
    """One run of the pipeline, ready.

    Attributes:
        conditions, options, guides: for the pipeline.
        canvas: where its picture goes: the edit mask, and previews.
        finish: the whole photo, from the picture `(3, h, w)` in -1..1 of the canvas's window.
    """

    conditions: Conditions
    options: DiffusionOptions
    guides: tuple[Guide, ...]
    canvas: Canvas
    finish: Callable[[F32], U8]


@dataclass(frozen=True)
class Plan:
    """All passes by name: functions of the person with the picture so far; and the digests of pictures in options."""

    passes: list[tuple[str, Callable[[Person], Pass]]]
    digests: dict[str, str]

    def steps(self, options: DiffusionOptions) -> int:
        """How many steps there will be."""
        count = 0
        for name, _ in self.passes:
            shares = [options.light_strength] if name == "light" else [options.strength]
            shares += [options.refine_strength] if options.refine and name != "light" else []
            count += sum(max(round(options.steps * share), 1) for share in shares)
        return count


def plan(person: Person, garments: Sequence[Garment], options: DiffusionOptions, model: TryOnModel) -> Plan:
    """What has to be painted, in order.

    Raises:
        GarmentError: garments that cannot be worn together, or more than there are places for.
        PersonError: the body half that a garment covers is not in the photo.
        OptionError: something that this model has nothing for, or a region, prompt or anchor that cannot be used.
    """
    _check(model, options)
    maker = _Maker(model, options)
    told = bool(options.prompt) or options.covers != "auto"
    passes: list[tuple[str, Callable[[Person], Pass]]] = []
    if options.region:
        _check_places(model, garments, options)
        passes.append(("repair", maker.repair(person, garments)))
    elif garments or told:
        worn = garments or [garment_of(options.prompt, options.covers)]
        check_outfit(person, worn)
        _check_places(model, worn, options)
        step = model.card.garments
        chunks = [worn[first : first + step] for first in range(0, len(worn), step)]
        passes += [("wear", maker.wear(chunk)) for chunk in chunks]
    if options.scene:
        passes.append(("scene", maker.scene()))
    if options.light != "keep":
        passes.append(("light", maker.light(ground=not options.scene)))
    return Plan(passes, maker.digests)


def _check(model: TryOnModel, options: DiffusionOptions) -> None:
    if options.mask_free and not model.mask_free:
        hint = "Leave mask_free out, or name another model."
        raise OptionError(f"the model {model.card.name} is not mask-free.", hint=hint)
    for kind in options.control:
        model.branch(kind)
    if options.control and options.control_end <= options.control_start:
        raise OptionError("control_end does not lie behind control_start.", hint="Leave both out.")


def _check_places(model: TryOnModel, garments: Sequence[Garment], options: DiffusionOptions) -> None:
    name, places, many = model.card.name, model.card.garments, len(garments)
    if many > places and (not options.in_turn or options.region):
        hint = "Set in_turn to put them on one after another, or use a model with more places."
        raise GarmentError(f"the model {name} puts on {places} garment(s) at a time, not {many}.", hint=hint)


class _Maker:
    """Makes passes; what can be checked is checked when it is asked for one, not when that runs."""

    def __init__(self, model: TryOnModel, options: DiffusionOptions) -> None:
        self.model, self.options = model, options
        self.digests: dict[str, str] = {}
        self.reference = self._reference()

    def wear(self, garments: Sequence[Garment]) -> Callable[[Person], Pass]:
        """Garments at their places beside the person."""
        texts = self._texts(self.options.prompt)
        categories = {garment.category for garment in garments}

        def ready(person: Person) -> Pass:
            window, size = self._view(person, window_of(person))
            near = cut_to(person, window)
            conditions = self._conditions(near, garments, size, texts)
            canvas = canvas_of(person, near, window, categories, spread=SPREAD[self.model.mask_free])
            guides = self._anchors(near, conditions, garments, whole=False)
            return Pass(conditions, self.options, guides, canvas, canvas.paint)

        return ready

    def repair(self, asked: Person, garments: Sequence[Garment]) -> Callable[[Person], Pass]:
        """A region of the user's, with or without garments to go by."""
        texts = self._texts(self.options.prompt)
        mask = region_mask(self.options.region, asked.image.shape[:2])
        if not is_drawn(self.options.region):
            self.digests["region"] = named_picture("region", self.options.region).sha256

        def ready(person: Person) -> Pass:
            window, size = self._view(person, around(window_of(person), mask))
            near, hole = cut_to(person, window), _cut(mask, window)
            conditions = self._holed(self._conditions(near, garments, size, texts), near, hole)
            canvas = Canvas(person.image, window, hole, max(FEATHER * max(mask.shape), 1.0))
            guides = (Keep(self.model, conditions), *self._anchors(near, conditions, garments, whole=True))
            return Pass(conditions, self.options, guides, canvas, canvas.paint)

        return ready

    def scene(self) -> Callable[[Person], Pass]:
        """Another background, by words."""
        texts = self._texts(scene.prompt_of(self.options.scene, self.options.light))

        def ready(person: Person) -> Pass:
            window, size = self._view(person, _all_of(person))
            hole = scene.ground_mask(person)
            conditions = self._holed(self._conditions(person, (), size, texts), person, hole)
            canvas = Canvas(person.image, window, hole, 1.0)
            guides = (Keep(self.model, conditions),)
            return Pass(conditions, self.options, guides, canvas, lambda ground: scene.before(person, ground))

        return ready

    def light(self, *, ground: bool) -> Callable[[Person], Pass]:
        """Another light, by words and by what such a light usually does."""
        options, texts = self.options, self._texts(scene.prompt_of("", self.options.light))

        def ready(person: Person) -> Pass:
            window, size = self._view(person, _all_of(person))
            begun = replace(person, image=scene.graded(person.image, options.light))
            hole = np.full(person.silhouette.shape, 255, np.uint8)
            conditions = self._holed(self._conditions(begun, (), size, texts), begun, hole)
            conditions = replace(conditions, start=conditions.person)
            fall = {"ground": ground, "face": options.light_face}
            canvas = Canvas(person.image, window, scene.lit_mask(person, **fall), 1.0)
            part = options.model_copy(update={"strength": options.light_strength, "refine": False})
            return Pass(conditions, part, (), canvas, lambda painted: scene.relit(person, painted, **fall))

        return ready

    # -- parts of passes -----------------------------------------------------------------------------------------------

    def _texts(self, prompt: str) -> tuple[Tensor | None, Tensor | None]:
        return encode_text(self.model, [prompt]), encode_text(self.model, [self.options.negative_prompt])

    def _view(self, person: Person, window: Window) -> tuple[Window, tuple[int, int]]:
        """The part of the photo that is worked on, and width and height of the frame in which it is."""
        photo = (person.image.shape[1], person.image.shape[0])
        card, multiple = self.model.card, self.model.multiple * (2 if self.options.refine else 1)
        size = frame_size(photo, (card.width, card.height), self.options.long_side, multiple)
        return widened(window, size, photo), size

    def _conditions(
        self,
        near: Person,
        garments: Sequence[Garment],
        size: tuple[int, int],
        texts: tuple[Tensor | None, Tensor | None],
    ) -> Conditions:
        card, (text, negative) = self.model.card, texts
        seen = conditions_of(
            near,
            garments,
            width=size[0],
            height=size[1],
            places=card.garments,
            agnostic=card.agnostic,
            text=text,
            negative_text=negative,
        )
        return replace(seen, controls=controls_of(near, seen.frame, self.options.control))

    def _holed(self, conditions: Conditions, near: Person, hole: U8) -> Conditions:
        multiple = 2 ** (len(self.model.vae.config.block_out_channels) - 1)
        return painting(conditions, near, hole, filled=self.model.card.agnostic == "filled", multiple=multiple)

    def _reference(self) -> Reference | None:
        """What the anchor holds to, if that does not depend on the garments."""
        name = self.options.anchor.strip()
        if name in ("", "garment"):
            return None
        if is_palette(name):
            return Palette(name)
        opened = named_picture("anchor", name)
        self.digests["anchor"] = opened.sha256
        if opened.alpha is not None:
            return Example(opened.image, opened.alpha)
        from vestiary.garment.read import read

        try:
            garment = read(opened.image, None, source=opened.sha256)
        except GarmentError:  # a swatch, a poster: all of it counts
            return Example(opened.image, np.full(opened.image.shape[:2], 255, np.uint8))
        return Example(garment.image, garment.alpha)

    def _anchors(
        self, near: Person, conditions: Conditions, garments: Sequence[Garment], *, whole: bool
    ) -> tuple[Guide, ...]:
        options = self.options
        if not options.anchor or not options.anchor_strength:
            return ()
        held: list[tuple[Reference, set[Category]]]
        if self.reference is not None:
            held = [(self.reference, {garment.category for garment in garments})]
        else:
            held = [(Example(one.image, one.alpha), {one.category}) for one in garments if one.alpha.any()]
        if not held:
            hint = "Hand in a garment's picture, or name colours or a picture as anchor."
            raise OptionError("there is no picture of a garment to hold on to.", hint=hint)
        made = []
        for reference, categories in held:
            region = conditions.mask
            if not whole:
                region = garment_region(near, conditions.frame, categories, region)
            strength, space = options.anchor_strength, options.anchor_space
            made.append(Anchor(self.model, conditions, reference, region, strength=strength, space=space))
        return tuple(made)


def scanned_again(person: Person) -> Person:
    """The scan with silhouette and parts of the picture as it is now: new clothes have another outline.

    What was the face stays the face. Where the same person is not found in the picture the scan stays as it was.
    """
    from vestiary.person.scan import scan

    try:
        new = scan(person.image)
    except InputError:
        return person
    trunk = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
    away = np.linalg.norm(new.pose[trunk, :2] - person.pose[trunk, :2], axis=1).mean()
    if away > SAME * np.linalg.norm(person.pose[trunk[0], :2] - person.pose[trunk[3], :2]):
        return person
    parts = np.where(person.parts == Part.FACE, person.parts, new.parts)
    return replace(person, silhouette=new.silhouette, parts=parts)


def _all_of(person: Person) -> Window:
    return (0, 0, person.image.shape[1], person.image.shape[0])


def _cut(mask: U8, window: Window) -> U8:
    x0, y0, x1, y1 = window
    return np.ascontiguousarray(mask[y0:y1, x0:x1])
