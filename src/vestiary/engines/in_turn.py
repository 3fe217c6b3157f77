"""What engines of published models share: garments put on one after another, and which weights may be asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vestiary.diffusion.pictures import WEIGHTS_VARIABLE
from vestiary.diffusion.repaint import Canvas, canvas_of, widened
from vestiary.engines.embedded import cut_to, window_of
from vestiary.errors import OptionError
from vestiary.types import Garment, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vestiary.types import Mask, Picture

# From the scan cut to the window, the canvas and a garment: `(3, h, w) float32` in -1..1, the window's picture.
Paint = Callable[[Person, Canvas, Garment], "NDArray[np.float32]"]


@dataclass(frozen=True)
class Dressed:
    """The photo with all garments on, the mask of what may differ from it, and what was painted for each garment."""

    image: Picture
    mask: Mask
    painted: dict[str, Picture]


def put_on(
    person: Person, garments: Sequence[Garment], size: tuple[int, int], paint: Paint, *, spread: float
) -> Dressed:
    """The person with each garment painted over the picture so far; outside the edit masks the photo, bit for bit.

    Args:
        person: a scan.
        garments: in the order in which they are put on.
        size: width and height of the model's frame, whose aspect the window takes on as far as the photo reaches.
        paint: the model.
        spread: of the edit mask beyond the old clothes, in shoulder units.
    """
    height, width = person.image.shape[:2]
    window = widened(window_of(person), size, (width, height))
    image, mask, painted = person.image, np.zeros((height, width), np.uint8), {}
    for number, garment in enumerate(garments, 1):
        worn = replace(person, image=image.copy())
        near = cut_to(worn, window)
        canvas = canvas_of(worn, near, window, {garment.category}, spread=spread)
        picture = paint(near, canvas, garment)
        image, mask = canvas.paint(picture), np.maximum(mask, canvas.mask)
        painted[f"painted-{number}"] = _whole(canvas, picture)
    return Dressed(image, mask, painted)


def weights_asked_for(name: str, default: str) -> str:
    """The published name or folder that an option asks for.

    If the environment names weights, only these and the engine's own can be asked for, so that callers of a service
    cannot make it open folders and fetch weights of their choice.

    Raises:
        OptionError: the environment names others.
    """
    ours = [one for one in os.environ.get(WEIGHTS_VARIABLE, "").split(os.pathsep) if one]
    if ours and name not in (default, *ours):
        hint = f"Choose {default}, or one that the variable {WEIGHTS_VARIABLE} lists."
        raise OptionError("these weights are not among those of this machine.", hint=hint)
    return os.path.expanduser(name)  # unlike Path, it leaves a home of nobody as it is


def _whole(canvas: Canvas, picture: NDArray[np.float32]) -> Picture:
    x0, y0, x1, y1 = canvas.window
    full = canvas.photo.copy()
    full[y0:y1, x0:x1] = np.clip((picture.transpose(1, 2, 0) + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)
    return full
