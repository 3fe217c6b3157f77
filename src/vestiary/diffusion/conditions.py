"""What a try-on model sees: a batch of working frames, as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vestiary.encoding.encode import Encoding, encode
from vestiary.encoding.frames import Frame

if TYPE_CHECKING:
    from vestiary.types import Garment, Person

_UNUSED = frozenset({"pose", "parts", "garment_landmarks", "garment_category", "warped", "warped_mask", "text", "body"})


@dataclass(frozen=True)
class Conditions:
    """A batch of B working frames, PyTorch float32, batch first; H and W are multiples of `TryOnModel.multiple`.

    Attributes:
        person: `(B, 3, H, W)` in -1..1: the photo; the padding is 0.
        mask: `(B, 1, H, W)`: 1 = paint, 0 = keep.
        agnostic: `(B, 3, H, W)` in -1..1: the photo without the clothes that go.
        garments: `(B, G, 3, H, W)` in -1..1, on white.
        garment_masks: `(B, G, 1, H, W)` in 0..1; a place whose mask is 0 everywhere is empty.
        frame: how the (first) photo lies in its frame.
        controls: `(B, 3, H, W)` in 0..1 by kind, for ControlNet branches.
        text: `(B, T, D)` embedding of the prompts, or None.
        negative_text: the same of what shall not be seen; goes with the pass without garment.
        start: `(B, 3, H, W)` in -1..1: where a run at part strength begins; None = the agnostic picture.
    """

    person: Tensor
    mask: Tensor
    agnostic: Tensor
    garments: Tensor
    garment_masks: Tensor
    frame: Frame
    controls: Mapping[str, Tensor] = field(default_factory=dict)
    text: Tensor | None = None
    negative_text: Tensor | None = None
    start: Tensor | None = None

    def scaled(self, height: int, width: int) -> Conditions:
        """The same in a frame of another size; it has to have the same aspect."""

        def sized(pictures: Tensor) -> Tensor:
            flat = pictures.reshape(-1, *pictures.shape[-3:])
            return F.interpolate(flat, (height, width), mode="area").reshape(*pictures.shape[:-2], height, width)

        return replace(
            self,
            person=sized(self.person),
            mask=(sized(self.mask) > 0).float(),
            agnostic=sized(self.agnostic),
            garments=sized(self.garments),
            garment_masks=sized(self.garment_masks),
            frame=Frame.around(self.frame.photo, (width, height)),
            controls={kind: sized(picture) for kind, picture in self.controls.items()},
            start=None if self.start is None else sized(self.start),
        )


def conditions_of(
    person: Person,
    garments: Sequence[Garment],
    *,
    height: int,
    width: int,
    places: int = 1,
    agnostic: Literal["filled", "masked"] = "masked",
    controls: Mapping[str, Tensor] | None = None,
    text: Tensor | None = None,
    negative_text: Tensor | None = None,
) -> Conditions:
    """The conditions (B = 1) of a person and garments, in the encoding that all learned engines share.

    Args:
        person: a scan.
        garments: what they shall wear; their categories decide which clothes go.
        height, width: of the working frame; the photo is scaled to fit and padded, never cut.
        places: for garments; empty ones are white.
        agnostic: what is shown where clothes go; see `encoding.Encoding`.
        controls: `(1, 3, H, W)` in 0..1 by kind.
        text, negative_text: `(1, T, D)` embeddings.

    Raises:
        OptionError: more garments than places.
    """
    settings = Encoding(height=height, width=width, garments=places, agnostic=agnostic, without=_UNUSED)
    seen = encode(person, garments, settings)
    tensor = {name: torch.from_numpy(array)[None] for name, array in seen.arrays.items()}
    masks = tensor["garment_mask"]
    return Conditions(
        person=tensor["image"],
        mask=tensor["agnostic_mask"],
        agnostic=tensor["agnostic"],
        garments=tensor["garment"] + (1 - masks),
        garment_masks=masks,
        frame=seen.frame,
        controls=dict(controls or {}),
        text=text,
        negative_text=negative_text,
    )


def stack(conditions: Sequence[Conditions]) -> Conditions:
    """Several conditions of the same size as one batch; the frame is the first one's."""
    first = conditions[0]

    changed: dict[str, Any] = {}
    for name in ("person", "mask", "agnostic", "garments", "garment_masks", "text", "negative_text", "start"):
        parts = [getattr(one, name) for one in conditions]
        changed[name] = None if any(part is None for part in parts) else torch.cat(parts)
    changed["controls"] = {kind: torch.cat([one.controls[kind] for one in conditions]) for kind in first.controls}
    return replace(first, **changed)


def frame_size(photo: tuple[int, int], trained: tuple[int, int], long_side: int, multiple: int) -> tuple[int, int]:
    """Width and height of the working frame.

    Args:
        photo: width and height.
        trained: width and height of the frame that the model was trained at, taken if `long_side` is 0.
        long_side: else the longer side; the shorter one follows the photo.
        multiple: both sides are rounded up to multiples of it, which is padding.
    """
    width, height = trained
    if long_side:
        scale = long_side / max(photo)
        width, height = (max(1, round(side * scale)) for side in photo)
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple
