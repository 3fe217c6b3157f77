"""The engine `paste`: scales the cut-out to the body's width and lays it on. No warping, no weights.

It is the baseline that every other engine has to beat, and the shortest example of an engine: see
docs/write-an-engine.md. Hair, hands and crossed arms disappear under the garment.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vestiary.engines.provenance import describe
from vestiary.errors import Cancelled, GarmentError
from vestiary.types import UPPER, Fitting, Garment, Joint, Landmark, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.registry import OnStep
    from vestiary.types import Points

# The garment is wider than the distance of the joints it hangs on; measured on people who face the camera.
_SHOULDERS = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, 1.25)
_HIPS = (Joint.LEFT_HIP, Joint.RIGHT_HIP, 1.75)


class PasteOptions(BaseModel):
    """Options of the engine `paste`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: float = Field(
        1.0, ge=0.5, le=2.0, description="Width of the garment: 1 follows the body, 2 is twice as wide."
    )


class PasteEngine:
    """Lays each garment's cut-out on the body, one after the other."""

    Options = PasteOptions

    def prepare(self, person: Person) -> Person:
        """The person: this engine has nothing to work out beforehand."""
        return person

    def fit(
        self, prepared: Person, garments: Sequence[Garment], options: PasteOptions, on_step: OnStep | None = None
    ) -> Fitting:
        """The person with the cut-outs laid on, the last one on top.

        Raises:
            GarmentError: the part of the body that a garment hangs on is not in the photo.
            Cancelled: `on_step` returned False.
        """
        started = time.perf_counter()
        image = np.array(prepared.image)
        mask = np.zeros(image.shape[:2], np.uint8)
        layers: dict[str, NDArray[np.uint8]] = {}
        for number, garment in enumerate(garments, 1):
            layer = _placed(garment, prepared, options.size)
            image = _over(layer, image)
            mask[layer[..., 3] > 0] = 255
            layers[f"garment-{number}"] = layer
            if on_step is not None and on_step(number, len(garments), garment.category, image) is False:
                raise Cancelled("stopped on request.")
        provenance = describe("paste", prepared, garments, options)
        return Fitting(image, mask, layers, provenance, {"paste": time.perf_counter() - started})


def _placed(garment: Garment, person: Person, size: float) -> NDArray[np.uint8]:
    """`(H, W, 4) uint8`, colour multiplied by alpha: the garment in the frame of the person photo."""
    left, right = _hangers(garment)
    body_left, body_right, factor = _hooks(garment, person)
    width = float(np.linalg.norm(body_left - body_right))
    scale = factor * size * width / max(float(np.linalg.norm(left - right)), 1.0)
    shift = (body_left + body_right) / 2 - scale * (left + right) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    weight = garment.alpha[..., None].astype(np.float32) / 255
    premultiplied = np.dstack([garment.image * weight, garment.alpha]).round().astype(np.uint8)
    height, breadth = person.image.shape[:2]
    return np.asarray(cv2.warpAffine(premultiplied, matrix, (breadth, height), flags=cv2.INTER_LINEAR), np.uint8)


def _hangers(garment: Garment) -> tuple[Points, Points]:
    """The two points of the garment that it hangs on: its shoulders, or the ends of its waistband."""
    names = (Landmark.SHOULDER_LEFT, Landmark.SHOULDER_RIGHT)
    if garment.category not in UPPER:
        names = (Landmark.WAIST_LEFT, Landmark.WAIST_RIGHT)
    if all(garment.landmarks[name, 2] > 0 for name in names):
        return garment.landmark(names[0]), garment.landmark(names[1])
    x, y, width, _ = cv2.boundingRect(garment.alpha)
    return np.array((x + width, y), np.float32), np.array((x, y), np.float32)


def _hooks(garment: Garment, person: Person) -> tuple[Points, Points, float]:
    """The two joints that it hangs on, and how much wider than their distance it is."""
    upper = garment.category in UPPER
    one, other, factor = _SHOULDERS if upper else _HIPS
    left, right = person.joint(one), person.joint(other)
    height = person.image.shape[0]
    if not (0 <= left[1] < height and 0 <= right[1] < height):
        where = "shoulders" if upper else "hips"
        hint = f"Hand in a photo that shows the {where}, or another garment."
        raise GarmentError(f"the {garment.category} cannot be put on: the photo does not show the {where}.", hint=hint)
    if not upper:  # a waistband sits above the hip joints, by a third of their distance
        lift = np.array((0, np.linalg.norm(left - right) * 0.35), np.float32)
        left, right = left - lift, right - lift
    return left, right, factor


def _over(layer: NDArray[np.uint8], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The layer over the image; where the layer's alpha is 0, the image bit for bit."""
    rest = 255 - layer[..., 3:].astype(np.uint16)
    return np.minimum(layer[..., :3] + (image * rest + 127) // 255, 255).astype(np.uint8)
