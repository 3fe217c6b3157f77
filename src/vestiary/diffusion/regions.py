"""Repair of a region that the user names: painted anew, all else bit for bit as it was."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vestiary.diffusion import latents as lat
from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.model import TryOnModel
from vestiary.diffusion.pictures import named_picture
from vestiary.encoding.frames import Frame, colours, shares
from vestiary.errors import OptionError
from vestiary.types import Person

U8 = NDArray[np.uint8]
Window = tuple[int, int, int, int]

_FORMS = "x0,y0,x1,y1 for a box, x,y x,y x,y for a polygon, several with ; between, or a picture file"


def is_drawn(region: str) -> bool:
    """Whether a region is told in numbers, not by a picture."""
    return re.fullmatch(r"[-\d.,;\s]+", region) is not None


def region_mask(region: str, shape: tuple[int, int]) -> U8:
    """`(H, W) uint8`, 0 or 255: the region of an option.

    Args:
        region: boxes `x0,y0,x1,y1` (x1 and y1 are beyond) and polygons `x,y x,y x,y …` in pixels, with `;` between
            them; or the path of a picture of the photo's size whose bright pixels are the region.
        shape: H, W of the photo.

    Raises:
        OptionError: neither numbers nor a picture, a picture of another size, or nothing of it lies in the photo.
    """
    mask = _drawn(region, shape) if is_drawn(region) else _read(region, shape)
    if not mask.any():
        where = f"The photo has {shape[1]} x {shape[0]} pixels."
        raise OptionError("the region holds no pixel of the photo.", hint=where)
    return mask


def _drawn(region: str, shape: tuple[int, int]) -> U8:
    mask = np.zeros(shape, np.uint8)
    for figure in filter(str.strip, region.split(";")):
        points = figure.split()
        try:
            values = [[float(number) for number in point.split(",")] for point in points]
        except ValueError:
            values = []
        if len(values) == 1 and len(values[0]) == 4:
            x0, y0, x1, y1 = (max(round(value), 0) for value in values[0])
            mask[y0:y1, x0:x1] = 255
        elif len(values) >= 3 and all(len(point) == 2 for point in values):
            cv2.fillPoly(mask, [np.round(np.array(values)).clip(-(2**15), 2**15).astype(np.int32)], 255)
        else:
            raise OptionError(f"{figure.strip()!r} is no region.", hint=f"Write {_FORMS}.")
    return mask


def _read(path: str, shape: tuple[int, int]) -> U8:
    picture = named_picture("region", path).on_white()
    if picture.shape[:2] != shape:
        size, wanted = (f"{sides[1]} x {sides[0]}" for sides in (picture.shape, shape))
        raise OptionError(f"the region's picture has {size} pixels, the photo {wanted}.", hint="Give both one size.")
    return np.asarray((picture.mean(axis=2) > 127) * 255, np.uint8)


def around(window: Window, mask: U8) -> Window:
    """The window, grown until it holds the region."""
    x, y, width, height = cv2.boundingRect(mask)
    x0, y0, x1, y1 = window
    return min(x0, x), min(y0, y), max(x1, x + width), max(y1, y + height)


def painting(conditions: Conditions, person: Person, hole: U8, *, filled: bool, multiple: int) -> Conditions:
    """The conditions with a hole of this shape instead of the one for clothes.

    Args:
        conditions: of the person, with whatever else they hold.
        person: the scan that fills the frame.
        hole: `(h, w) uint8` of its photo, 255 = paint.
        filled: show in the hole what a smooth fill makes of its surroundings; else grey.
        multiple: pixels per latent: the mask is grown to whole latents.
    """
    frame: Frame = conditions.frame
    scaled = np.where(frame.scaled(hole) > 0, np.uint8(255), np.uint8(0))
    mask = F.max_pool2d(torch.from_numpy(frame.padded(shares(scaled)))[None], multiple)
    mask = F.interpolate(mask, scale_factor=float(multiple))
    shown = conditions.person * (1 - mask)
    if filled:
        inner = mask[0, 0][frame.window].numpy()
        photo = cv2.inpaint(frame.scaled(person.image), np.asarray(inner * 255, np.uint8), 3, cv2.INPAINT_TELEA)
        shown = torch.from_numpy(frame.padded(colours(np.asarray(photo, np.uint8))))[None]
    return replace(conditions, mask=mask, agnostic=shown)


class Keep:
    """A guide that holds what is not painted: its clean latents are the photo's at every step.

    What is painted then fits its surroundings, also by models that see no mask (blended latent diffusion, Avrahami et
    al. 2023).
    """

    def __init__(self, model: TryOnModel, conditions: Conditions) -> None:
        self.model, self.conditions = model, conditions
        self.known: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def __call__(self, x0: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        """From `x0` to the photo, outside the mask."""
        height, width = x0.shape[-2:]
        if (height, width) not in self.known:
            self.known[height, width] = self._known(height, width)
        photo, kept = self.known[height, width]
        return (photo.to(x0) - x0) * kept.to(x0)

    def _known(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        step = 2 ** (len(self.model.vae.config.block_out_channels) - 1)
        size = (height * step, width * step)
        photo = F.interpolate(self.conditions.person, size, mode="area")
        holes = F.adaptive_max_pool2d(self.conditions.mask, (height, width))
        return lat.encode(self.model.vae, photo), 1 - holes
