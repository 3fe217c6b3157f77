"""The engine `embedded`: geometry places every pixel of the garment; CPU, offline, at the photo's own resolution.

It only joins the steps of `vestiary.fitting`, in the order in which they are read there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import cv2
import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vestiary import weights
from vestiary.clock import Clock
from vestiary.engines.provenance import describe
from vestiary.errors import Cancelled, GarmentError
from vestiary.fitting import (
    agnostic,
    backdrop,
    blend,
    body,
    cloth,
    heal,
    layers,
    light,
    placement,
    refine,
    removal,
    worn,
)
from vestiary.garment.landmarks import front_neckline
from vestiary.person.describe import require_half
from vestiary.types import LOWER, UPPER, Fitting, Garment, Part, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.registry import OnStep

FITS = {"slim": 0.95, "regular": 1.0, "loose": 1.08}


class EmbeddedOptions(BaseModel):
    """Options of the engine `embedded`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit: Literal["slim", "regular", "loose"] = Field("regular", description="How closely the garment fits the body.")
    tuck: bool = Field(False, description="Wear tops inside the waistband of skirts, trousers and shorts.")
    shading: float = Field(1.0, ge=0.0, le=1.0, description="How much of the photo's light falls on the garment.")
    refine: bool = Field(True, description="Let a network mend light, folds, edges and made-up skin.")
    background: Annotated[str, AfterValidator(backdrop.check_name)] = Field(
        "keep",
        description="What is behind the person: keep, white, grey, studio, blur, or a colour (#d8e0e8).",
        json_schema_extra={"pattern": backdrop.PATTERN, "examples": [*backdrop.NAMES, "#d8e0e8"]},
    )
    layers: bool = Field(False, description="Keep every intermediate picture.")


@dataclass(frozen=True)
class Prepared:
    """All that depends on the person alone.

    Attributes:
        person: the scan.
        window: x0, y0, x1, y1 of the part of the photo that is worked on.
        near: the scan cut to that window.
        shape: the body's curves.
        agnostic: what is behind the clothes.
        light: log gain of the light on the clothes.
        timings: seconds per step.
    """

    person: Person
    window: tuple[int, int, int, int]
    near: Person
    shape: body.Body
    agnostic: agnostic.Agnostic
    light: NDArray[np.float32]
    timings: dict[str, float]


class EmbeddedEngine:
    """Places, deforms and blends garments without drawing any of their pixels anew."""

    Options = EmbeddedOptions

    def prepare(self, person: Person) -> Prepared:
        """Body curves, what is behind the clothes, and the light, for any number of garments."""
        clock = Clock()
        window = window_of(person)
        near = worn.settle_legs(cut_to(person, window))
        shape = body.measure(near)
        near = worn.settle_crumbs(near, shape.unit)
        clock.lap("body")
        behind = agnostic.undress(near, shape)
        clock.lap("agnostic")
        gain = light.old_light(near, shape)
        clock.lap("light")
        return Prepared(person, window, near, shape, behind, gain, clock.laps)

    def fit(
        self, prepared: Prepared, garments: Sequence[Garment], options: EmbeddedOptions, on_step: OnStep | None = None
    ) -> Fitting:
        """The person wearing the garments.

        Raises:
            GarmentError: nothing to put on, or two garments for the same place.
            PersonError: the body half that a garment covers is not in the photo.
            Cancelled: `on_step` returned False.
        """
        check_outfit(prepared.person, garments)
        steps = _Steps(len(garments) + 2, on_step)
        clock = Clock()
        near, shape = prepared.near, prepared.shape
        size = (near.image.shape[1], near.image.shape[0])
        cloths = []
        for garment in garments:
            placed = placement.place(shape, garment, size=FITS[options.fit])
            clock.lap("placement")
            neckline = front_neckline(garment) if garment.category in UPPER else None
            cloths.append(cloth.dress(garment, placed, shape, size, neckline))
            clock.lap("deform")
            steps.done(f"deform {garment.category}", None)
        canvas = layers.compose(
            near.image,
            near,
            shape,
            prepared.agnostic,
            cloths,
            prepared.light,
            tuck=options.tuck,
            shading=options.shading,
            matte=None if options.background == "keep" else backdrop.matte_of(near, shape.unit),
        )
        clock.lap("compose")
        if options.refine:
            _refine(prepared, canvas)
            clock.lap("refine")
        image, mask = _paste_back(prepared, canvas)
        clock.lap("blend")
        if canvas.matte is not None:
            image, mask = _before_another_ground(prepared, canvas, image, mask, options.background)
            clock.lap("background")
        steps.done("compose", image)
        kept = _layers(prepared, cloths, canvas, mask) if options.layers else {}
        steps.done("done", image)
        warnings = prepared.person.warnings + tuple(w for g in garments for w in g.warnings)
        seen = {*prepared.person.networks, *(name for garment in garments for name in garment.networks)}
        known = weights.list_weights().items()
        used = {name: spec.sha256 for name, spec in known if name in seen or (name == "refiner" and options.refine)}
        provenance = describe("embedded", prepared.person, garments, options, weights=used)
        return Fitting(image, mask, kept, provenance, {**prepared.timings, **clock.laps}, warnings)


def check_outfit(person: Person, garments: Sequence[Garment]) -> None:
    """Make sure that these garments can be worn together, on what the photo shows.

    Raises:
        GarmentError: there are none, or two for the same place.
        PersonError: the half of the body that one of them covers is not in the photo.
    """
    if not garments:
        raise GarmentError("there is no garment to put on.", hint="Hand in at least one garment photo.")
    called = [(garment.category, garment.name or f"garment {at}") for at, garment in enumerate(garments, 1)]
    for place in (LOWER | {"dress"}, {"top", "dress"}, {"outerwear"}):
        clash = [f"{name} ({category})" for category, name in called if category in place]
        if len(clash) > 1:
            hint = "Leave one of them out; where one is taken for what it is not, say its category."
            raise GarmentError(f"{' and '.join(clash)} cannot be worn together.", hint=hint)
    for category, _ in called:
        require_half(person, "lower" if category in LOWER else "upper", category)


def window_of(person: Person) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the part of the photo that is worked on: the person with a margin."""
    height, width = person.silhouette.shape
    seen = (person.silhouette > 30) | (person.parts > 0)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return (0, 0, width, height)
    margin = round(0.12 * (rows[-1] - rows[0] + columns[-1] - columns[0]) / 2) + 8
    x0, y0 = max(int(columns[0]) - margin, 0), max(int(rows[0]) - margin, 0)
    return (x0, y0, min(int(columns[-1]) + margin, width), min(int(rows[-1]) + margin, height))


def cut_to(person: Person, window: tuple[int, int, int, int]) -> Person:
    """The scan as if of the window alone."""
    x0, y0, x1, y1 = window
    shift = np.array([x0, y0, 0, 0], np.float32)
    area = (slice(y0, y1), slice(x0, x1))
    return replace(
        person,
        image=np.ascontiguousarray(person.image[area]),
        silhouette=np.ascontiguousarray(person.silhouette[area]),
        parts=np.ascontiguousarray(person.parts[area]),
        pose=person.pose - shift,
        keypoints=person.keypoints - shift[:3],
    )


def _refine(prepared: Prepared, canvas: layers.Canvas) -> None:
    """Mend the canvas's colours by the network's maps, then the seams of made-up skin."""
    near, shape = prepared.near, prepared.shape
    seen = refine.working_picture(canvas, near, shape, prepared.agnostic, prepared.light)
    maps = refine.look(seen)
    canvas.colour = blend.blend(canvas, near, maps)
    heal.heal_seams(canvas, near, shape.unit)
    canvas.layers["gain"] = np.clip(128 * np.exp(maps.gain), 0, 255).astype(np.uint8)
    canvas.layers["gain"] = np.asarray(cv2.resize(canvas.layers["gain"], canvas.edited.shape[::-1]), np.uint8)


def _paste_back(prepared: Prepared, canvas: layers.Canvas) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The whole photo with the window's edited pixels, and the mask of what was edited."""
    x0, y0, x1, y1 = prepared.window
    image = prepared.person.image.copy()
    mask = np.zeros(image.shape[:2], np.uint8)
    new = np.clip(canvas.colour + 0.5, 0, 255).astype(np.uint8)
    edited = canvas.edited > 0
    image[y0:y1, x0:x1][edited] = new[edited]
    mask[y0:y1, x0:x1] = canvas.edited
    return image, mask


def _before_another_ground(
    prepared: Prepared, canvas: layers.Canvas, image: NDArray[np.uint8], mask: NDArray[np.uint8], name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture with another ground, and the edit mask with what that changed."""
    x0, y0, x1, y1 = prepared.window
    photo, near = prepared.person.image, prepared.near
    matte = np.zeros(photo.shape[:2], np.float32)
    if canvas.matte is not None:
        sure = near.is_part(*removal.IN_FRONT, Part.SHOES) | (canvas.kind == layers.Kind.CLOTH)
        matte[y0:y1, x0:x1] = backdrop.without_remains(canvas.matte, sure, prepared.shape.unit)
    plate = photo.copy()
    plate[y0:y1, x0:x1] = prepared.agnostic.background
    canvas.layers["matte"] = np.round(matte[y0:y1, x0:x1] * 255).astype(np.uint8)
    stand = backdrop.stand_of(prepared.person, prepared.shape.unit)
    image = backdrop.change_ground(image, matte, plate, stand, name)
    return image, np.where((image != photo).any(axis=2), np.uint8(255), mask)


def _layers(
    prepared: Prepared, cloths: Sequence[cloth.Cloth], canvas: layers.Canvas, mask: NDArray[np.uint8]
) -> dict[str, NDArray[np.uint8]]:
    """Intermediate pictures in the photo's frame, in the order in which they were made."""
    x0, y0, x1, y1 = prepared.window
    shape = prepared.person.image.shape

    def whole(part: NDArray[np.uint8], box: tuple[int, int, int, int] = (0, 0, x1 - x0, y1 - y0)) -> NDArray[np.uint8]:
        full = np.zeros(shape[:2] + part.shape[2:], np.uint8)
        full[y0 + box[1] : y0 + box[3], x0 + box[0] : x0 + box[2]] = part
        return full

    kept = {
        "background": whole(prepared.agnostic.background),
        "skin": whole(prepared.agnostic.skin),
        "light": whole(np.clip(128 * np.exp(prepared.light), 0, 255).astype(np.uint8)),
        **{name: whole(layer) for name, layer in canvas.layers.items()},
    }
    for number, one in enumerate(cloths):
        for name, piece in one.pieces.items():
            rgba = np.dstack([piece.colour, piece.alpha * 255]).round().astype(np.uint8)
            kept[f"{number}_{one.garment.category}_{name}"] = whole(rgba, piece.box)
    kept["mask"] = mask
    return kept


class _Steps:
    def __init__(self, total: int, on_step: OnStep | None) -> None:
        self.total, self.on_step, self.count = total, on_step, 0

    def done(self, name: str, preview: NDArray[np.uint8] | None) -> None:
        self.count += 1
        if self.on_step is not None and self.on_step(self.count, self.total, name, preview) is False:
            raise Cancelled("the fitting was cancelled.")
