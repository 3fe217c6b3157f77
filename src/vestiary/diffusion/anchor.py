"""The style anchor: holds a brand's colours and texture while the picture comes about.

At every step a picture is made of the clean latents that the network sees coming, and those are moved down the gradient
of how far its colours and texture are from the anchor's. The gradient does not go through the UNet, so it costs little
(manifold preserving guidance, He et al. 2024); guiding by any differentiable distance is universal guidance (Bansal et
al. 2023) and diffusion posterior sampling (Chung et al. 2023).

Colours are measured in CIELAB, so that distances are what people see: 1 is just noticeable, 10 is another shade, 50
another colour.
"""

from __future__ import annotations

import re
from collections.abc import Set
from itertools import product
from typing import Literal, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vestiary.diffusion import latents as lat
from vestiary.diffusion.conditions import Conditions
from vestiary.diffusion.model import TryOnModel
from vestiary.encoding.frames import Frame, colours
from vestiary.fitting.agnostic import body_masks
from vestiary.fitting.body import measure
from vestiary.fitting.removal import levels_of
from vestiary.types import LOWER, UPPER, Category, Joint, Part, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

SCALES = 3  # of texture: neighbours 1, 2 and 4 pixels apart
TEXTURE = 0.5  # how much texture counts beside colour
FARTHEST = 1.0  # that a latent is moved in one step; latents have a deviation of about 1
_HALVINGS = 4
_TRAINED_STEPS = 1000  # of all models that the pipeline knows
_FACTS = 1e-4  # keeps roots differentiable at 0
_IN_FRONT = (Part.LEFT_HAND, Part.RIGHT_HAND, Part.HAIR, Part.BAG, Part.FACE)


class Reference(Protocol):
    """What the anchor holds to."""

    def apart(self, pictures: Tensor, weight: Tensor) -> Tensor:
        """`(B,)`: how far `(B, 3, h, w)` in -1..1 is from it where `(1, 1, h, w)` counts, in CIELAB units."""


class Palette:
    """Colours alone. Each pixel belongs to the nearest; the means of these groups are held, so shading stays."""

    def __init__(self, names: str) -> None:
        """Colours such as "#c8102e,#ffffff"; `is_palette` says whether they are some."""
        values = [[int(name[k : k + 2], 16) for k in (1, 3, 5)] for name in re.findall(r"#[0-9a-fA-F]{6}", names)]
        self.colours = lab(torch.tensor(values, dtype=torch.float32).T[None, :, :, None] / 127.5 - 1)[0, :, :, 0].T

    def apart(self, pictures: Tensor, weight: Tensor) -> Tensor:
        """Root of the mean square distance of each group's mean from its colour."""
        seen = lab(pictures).flatten(2)
        palette = self.colours.to(seen)
        far = (seen.detach()[:, None] - palette[None, :, :, None]).square().sum(2)
        mine = F.one_hot(far.argmin(1), len(palette)).transpose(1, 2).to(seen) * weight.flatten(2).to(seen)
        shares = mine.sum(2)
        means = torch.einsum("bkn,bcn->bkc", mine, seen) / shares.clamp_min(1e-6)[..., None]
        square = (means - palette).square().sum(2)
        return ((square * shares).sum(1) / shares.sum(1).clamp_min(1e-6) + _FACTS).sqrt()


class Example:
    """A picture: mean and covariance of its colours, and how strong its texture is, by scale and direction."""

    def __init__(self, image: U8, alpha: U8) -> None:
        """`(h, w, 3) uint8`, and `(h, w) uint8`: what of it counts."""
        self.image, self.alpha = image, alpha
        self.known: dict[int, Tensor] = {}

    def apart(self, pictures: Tensor, weight: Tensor) -> Tensor:
        """The distance of the two descriptions, with the example scaled so that both cover the same area."""
        area = int(weight.sum())
        if area not in self.known:
            self.known[area] = style(*self._scaled(max(area, 16)))
        difference = style(pictures, weight.to(pictures)) - self.known[area].to(pictures)
        return (difference.square().sum(1) + _FACTS).sqrt()

    def _scaled(self, area: int) -> tuple[Tensor, Tensor]:
        scale = float(np.sqrt(area / max(float(self.alpha.sum()) / 255, 1.0)))
        size = tuple(max(4, round(side * scale)) for side in self.image.shape[1::-1])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(self.image, size, interpolation=way), np.uint8)
        alpha = np.asarray(cv2.resize(self.alpha, size, interpolation=way), np.float32) / 255
        return torch.from_numpy(colours(image))[None], torch.from_numpy(alpha)[None, None]


class Anchor:
    """A guide towards a reference, inside a region.

    Args:
        model: whose latents are guided.
        conditions: of the run; a map from latents to colours is fitted to their pictures.
        reference: what to hold to.
        region: `(1, 1, H, W)` in 0..1 of the working frame.
        strength: share of the way, as it looks from here, that is gone at each step; less while all is noise still.
        space: "latents" = colours by a linear map, without the decoder: cheap, and wrong for far colours;
            "pixels" = the decoded picture: at every step a gradient through the decoder, and one or more decodings.
    """

    def __init__(
        self,
        model: TryOnModel,
        conditions: Conditions,
        reference: Reference,
        region: Tensor,
        *,
        strength: float,
        space: Literal["latents", "pixels"] = "pixels",
    ) -> None:
        self.model, self.reference, self.region = model, reference, region
        self.strength, self.space = strength, space
        with torch.no_grad():
            shown = torch.cat([conditions.person, *conditions.garments.unbind(1)])
            # In other hues too: a grey street and a white shirt tell nothing of how red is written.
            shown = torch.cat([shown, shown[:, [1, 2, 0]], -shown[:, [2, 0, 1]]])
            self.linear = lat.preview_map(lat.encode(model.vae, shown), shown)

    def __call__(self, x0: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        """A step along the gradient, as long as a linear distance would need to vanish (Polyak 1969), by strength.

        It is halved until it brings the picture nearer, and left out if four halvings do not.
        """
        share = self.strength * (1 - float(t) / _TRAINED_STEPS)
        with torch.enable_grad():
            asked = x0.detach().requires_grad_(True)
            apart = self._apart(asked)
            (gradient,) = torch.autograd.grad(apart.sum(), asked)
        apart = apart.detach()
        steep = gradient.flatten(1).square().sum(1).clamp_min(1e-12)
        move = -_each(share * apart / steep) * gradient
        move = move * _each(FARTHEST / move.flatten(1).abs().amax(1).clamp_min(1e-12)).clamp_max(1)
        for _ in range(_HALVINGS):
            farther = self._apart(x0 + move) >= apart
            if not farther.any():
                return move
            move = move * _each(torch.where(farther, 0.5, 1.0))
        return move * _each(self._apart(x0 + move) < apart)

    def _apart(self, latents: Tensor) -> Tensor:
        picture = self.picture(latents)
        weight = F.interpolate(self.region, picture.shape[-2:], mode="area").to(picture.device)
        return self.reference.apart(picture, weight)

    def picture(self, latents: Tensor) -> Tensor:
        """`(B, 3, h, w)`, about -1..1: what latents look like, as far as this anchor looks."""
        if self.space == "pixels":
            return lat.decode(self.model.vae, latents, clamp=False)
        linear = self.linear.to(latents)
        return torch.einsum("bchw,ck->bkhw", latents, linear[:-1]) + linear[-1][:, None, None]


def _each(values: Tensor) -> Tensor:
    """One number for each picture of a batch, to multiply it with."""
    return values[:, None, None, None]


def is_palette(text: str) -> bool:
    """Whether it is a list of colours such as "#c8102e,#ffffff"."""
    return re.fullmatch(r"\s*#[0-9a-fA-F]{6}(\s*,\s*#[0-9a-fA-F]{6})*\s*", text) is not None


def lab(pictures: Tensor) -> Tensor:
    """`(B, 3, h, w)` CIELAB (D65) of sRGB in -1..1; differentiable, also somewhat beyond that range."""
    srgb = (pictures + 1) / 2
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)
    matrix = torch.tensor(  # to XYZ, divided by the white point
        [[0.433953, 0.376219, 0.189828], [0.212673, 0.715152, 0.072175], [0.017756, 0.109470, 0.872774]]
    )
    xyz = torch.einsum("ij,bjhw->bihw", matrix.to(linear), linear)
    edge = 6 / 29
    curve = torch.where(xyz <= edge**3, xyz / (3 * edge**2) + 4 / 29, xyz.clamp_min(edge**3) ** (1 / 3))
    x, y, z = curve.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


_AXES = [axis for axis in product((-1, 0, 1), repeat=3) if axis > (0, 0, 0)]  # 13 directions: they fix a covariance


def style(pictures: Tensor, weight: Tensor) -> Tensor:
    """`(B, 34)`: mean colour, spread along 13 directions, and differences of neighbours by scale, direction, channel.

    All are in CIELAB units, scaled so that the distance of two such vectors is one of colour and of texture.
    """
    seen = lab(pictures)
    weight = weight.expand(len(seen), -1, -1, -1)
    total = weight.sum((2, 3)).clamp_min(1e-6)
    mean = (seen * weight).sum((2, 3)) / total
    axes = F.normalize(torch.tensor(_AXES, dtype=seen.dtype, device=seen.device), dim=1)
    along = torch.einsum("kc,bchw->bkhw", axes, seen - mean[:, :, None, None])
    spread = ((along.square() * weight).sum((2, 3)) / total + _FACTS).sqrt()
    facts = [mean, spread * (3 / len(_AXES)) ** 0.5]
    for _ in range(SCALES):
        for axis in (2, 3):
            size = seen.shape[axis] - 1
            step = seen.narrow(axis, 1, size) - seen.narrow(axis, 0, size)
            both = weight.narrow(axis, 1, size) * weight.narrow(axis, 0, size)
            strong = (step.square() * both).sum((2, 3)) / both.sum((2, 3)).clamp_min(1e-6)
            facts.append(TEXTURE * (strong + _FACTS).sqrt() / SCALES**0.5)
        seen, weight = (F.avg_pool2d(field, 2, ceil_mode=True) for field in (seen, weight))
    return torch.cat(facts, 1)


def garment_region(person: Person, frame: Frame, categories: Set[Category], mask: Tensor) -> Tensor:
    """`(1, 1, H, W)` in 0..1: where garments of these categories surely lie, whatever their sleeves and length.

    The trunk, the thighs and for trousers the shins; without arms, hands and hair. All of the mask if nothing is left.

    Args:
        person: the scan that fills the frame.
        frame: how its photo lies there.
        categories: of the garments.
        mask: `(1, 1, H, W)`, what is painted.
    """
    near = frame.person(person)
    body = measure(near)
    arms, legs, trunk = body_masks(near, body)
    level = levels_of(body, near.parts.shape)
    knees = near.pose[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE], :2] - body.neck
    knee = float((knees @ body.down).mean())
    inside = np.zeros(level.shape, bool)
    if categories & UPPER:
        inside |= (trunk > 127) & (level > 0.08 * body.torso) & (level < 0.92 * body.torso)
    if categories & LOWER or "dress" in categories:
        lowest = knee if "trousers" in categories else body.torso + 0.5 * (knee - body.torso)
        end = lowest + (0.6 * (knee - body.torso) if "trousers" in categories else 0)
        inside |= ((legs > 127) | (trunk > 127)) & (level > 1.05 * body.torso) & (level < end)
    inside &= (arms < 60) & ~near.is_part(*_IN_FRONT)
    region = torch.from_numpy(frame.padded(inside[None].astype(np.float32)))[None] * mask
    return region if float(region.sum()) >= 64 else mask
