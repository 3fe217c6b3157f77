"""The input of learned engines: a scanned person and garments as named float32 arrays in fixed shapes and ranges.

One encoding for all of them, so that a network can be exchanged for another. `specs` is the table of what there is;
docs/encoding.md shows it. Channels come first. A photo is scaled to fit and padded, never cut; the padding is 0
everywhere, which is the middle of the colour range. NumPy in, NumPy out; `to_tensors` is the only place that knows
PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vestiary.encoding.agnostic import agnostic_picture
from vestiary.encoding.frames import Frame, colours, shares
from vestiary.encoding.shape import NAMES as SHAPE_NAMES
from vestiary.encoding.shape import shape_vector
from vestiary.errors import MissingExtraError, OptionError
from vestiary.fitting.body import measure
from vestiary.types import CATEGORIES, Category, Landmark, Part

if TYPE_CHECKING:
    import torch

    from vestiary.types import Garment, Person

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


class Encoding(BaseModel):
    """How inputs are encoded. A network's configuration holds one of these, and its model card names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(default=512, ge=32, le=4096, description="Of the working frame, in pixels.")
    width: int = Field(default=384, ge=32, le=4096, description="Of the working frame, in pixels.")
    garments: int = Field(default=1, ge=1, le=4, description="Places for garments; empty ones are zeros.")
    agnostic: Literal["filled", "masked"] = Field(
        default="filled",
        description="The agnostic image: what is likely behind the clothes, or plain grey.",
    )
    grow: float = Field(
        default=0.12, ge=0, le=1, description="How far the agnostic mask goes beyond the clothes, in shoulder units."
    )
    spread: float = Field(
        default=0.012, gt=0, le=0.2, description="Standard deviation of a heat map, as a share of the height."
    )
    text_tokens: int = Field(default=77, ge=1, le=1024, description="Tokens of the text embedding.")
    text_width: int = Field(default=768, ge=1, le=8192, description="Numbers per token.")
    without: frozenset[str] = Field(default=frozenset(), description="Arrays that are not made.")


@dataclass(frozen=True)
class Spec:
    """One array of the encoding: its shape, its range, and what it holds."""

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    meaning: str


def specs(settings: Encoding) -> tuple[Spec, ...]:
    """Every array that `encode` makes with these settings, in order."""
    inf = float("inf")
    h, w, n = settings.height, settings.width, settings.garments
    table = (
        Spec("image", (3, h, w), -1, 1, "the photo, sRGB"),
        Spec("inside", (1, h, w), 0, 1, "1 = photo, 0 = padding"),
        Spec("agnostic", (3, h, w), -1, 1, "the photo with the clothes to be replaced taken away"),
        Spec("agnostic_mask", (1, h, w), 0, 1, "1 = taken away, to be painted"),
        Spec("pose", (18, h, w), 0, 1, "a Gaussian per COCO-18 joint, as high as the pose is sure of it"),
        Spec("silhouette", (1, h, w), 0, 1, "soft mask of the person"),
        Spec("parts", (len(Part), h, w), 0, 1, "one-hot, in the order of `vestiary.types.Part`"),
        Spec("garment", (n, 3, h, w), -1, 1, "each garment's photo, 0 outside the garment"),
        Spec("garment_mask", (n, 1, h, w), 0, 1, "each garment's soft alpha"),
        Spec("garment_landmarks", (n, len(Landmark), h, w), 0, 1, "a Gaussian per `vestiary.types.Landmark`"),
        Spec("garment_category", (n, len(CATEGORIES)), 0, 1, f"one-hot: {', '.join(CATEGORIES)}; 0 = empty place"),
        Spec("warped", (3, h, w), -1, 1, "the garments where an engine would lay them, 0 elsewhere; if handed in"),
        Spec("warped_mask", (1, h, w), 0, 1, "their alpha; all 0 when nothing was handed in"),
        Spec("text", (settings.text_tokens, settings.text_width), -inf, inf, "the caller's text embedding, else 0"),
        Spec("text_given", (1,), 0, 1, "1 = a text embedding was handed in"),
        Spec("body", (len(SHAPE_NAMES),), -1, 4, "body shape in shoulder units: `vestiary.encoding.shape.NAMES`"),
    )
    return tuple(spec for spec in table if spec.name not in settings.without)


def as_markdown(settings: Encoding) -> str:
    """The table of `specs` for docs and model cards."""
    rows = ["| array | shape | range | what |", "| --- | --- | --- | --- |"]
    for spec in specs(settings):
        bounds = "finite" if spec.high == float("inf") else f"{spec.low:g} … {spec.high:g}"
        rows.append(f"| `{spec.name}` | {' × '.join(map(str, spec.shape))} | {bounds} | {spec.meaning} |")
    return "\n".join(rows) + "\n"


@dataclass(frozen=True, eq=False)
class Encoded:
    """The arrays by name, and how the photo and each garment lie in their frames (for the way back)."""

    arrays: Mapping[str, F32]
    frame: Frame
    garment_frames: tuple[Frame, ...]

    def __getitem__(self, name: str) -> F32:
        return self.arrays[name]


def encode(
    person: Person,
    garments: Sequence[Garment],
    settings: Encoding | None = None,
    *,
    text: F32 | None = None,
    warped: U8 | None = None,
) -> Encoded:
    """The input of a learned engine. The same values give the same bytes.

    Args:
        person: a scan.
        garments: what they shall wear, in the order of the places; their categories decide which clothes the agnostic
            picture takes away. None: all clothes.
        settings: resolution and kind; `Encoding()` by default.
        text: `(tokens, width) float32` of any text encoder; fewer tokens than places are padded with zeros.
        warped: `(H, W, 4) uint8` RGBA in the person photo's frame: the garments as an engine laid them.

    Raises:
        OptionError: more garments than places, or a text embedding or a warped picture of another shape.
    """
    settings = settings or Encoding()
    frame = Frame.around(person.image.shape[1::-1], (settings.width, settings.height))
    places = [Frame.around(g.image.shape[1::-1], (settings.width, settings.height)) for g in garments]
    _check(person, garments, settings, text, warped)
    wanted = {spec.name: spec for spec in specs(settings)}
    arrays = _person_arrays(person, {g.category for g in garments}, frame, settings, wanted)
    arrays |= _garment_arrays(garments, places, settings, wanted)
    arrays |= _warped_arrays(warped, frame)
    arrays["text"] = np.zeros((settings.text_tokens, settings.text_width), np.float32)
    if text is not None:
        arrays["text"][: len(text)] = text
    arrays["text_given"] = np.array([text is not None], np.float32)
    return Encoded({name: arrays[name] for name in wanted}, frame, tuple(places))


def _check(
    person: Person, garments: Sequence[Garment], settings: Encoding, text: F32 | None, warped: U8 | None
) -> None:
    if len(garments) > settings.garments:
        hint = "Raise Encoding.garments, or hand in fewer."
        raise OptionError(f"{len(garments)} garments do not fit into {settings.garments} places.", hint=hint)
    if text is not None and (
        text.ndim != 2 or text.shape[1] != settings.text_width or len(text) > settings.text_tokens
    ):
        hint = "Set Encoding.text_tokens and text_width to your text encoder's."
        wanted = (settings.text_tokens, settings.text_width)
        raise OptionError(f"the text embedding has shape {text.shape}, not at most {wanted}.", hint=hint)
    if warped is not None and warped.shape != (*person.image.shape[:2], 4):
        hint = "Hand in RGBA of the person photo's size."
        raise OptionError(f"the warped garment has shape {warped.shape}.", hint=hint)


def _person_arrays(
    person: Person, categories: set[Category], frame: Frame, settings: Encoding, wanted: Mapping[str, Spec]
) -> dict[str, F32]:
    small = frame.person(person)
    arrays = {
        "image": frame.padded(colours(small.image)),
        "inside": frame.padded(np.ones((1, *small.image.shape[:2]), np.float32)),
        "silhouette": frame.padded(shares(small.silhouette)),
    }
    if "pose" in wanted:
        arrays["pose"] = heat_maps(person.keypoints, frame, settings.spread * settings.height)
    if "parts" in wanted:
        arrays["parts"] = one_hot(small.parts, frame)
    if not {"agnostic", "agnostic_mask", "body"} & wanted.keys():
        return arrays
    body = measure(small)
    arrays["body"] = shape_vector(small, body, small.image.shape[0])
    if {"agnostic", "agnostic_mask"} & wanted.keys():
        picture, mask = agnostic_picture(
            small, body, categories, spread=settings.grow, filled=settings.agnostic == "filled"
        )
        arrays["agnostic"], arrays["agnostic_mask"] = frame.padded(picture), frame.padded(mask)
    return arrays


def _garment_arrays(
    garments: Sequence[Garment], frames: Sequence[Frame], settings: Encoding, wanted: Mapping[str, Spec]
) -> dict[str, F32]:
    arrays = {name: np.zeros(spec.shape, np.float32) for name, spec in wanted.items() if name.startswith("garment")}
    sigma = settings.spread * settings.height
    for place, (garment, frame) in enumerate(zip(garments, frames, strict=True)):
        small = frame.garment(garment)
        alpha = shares(small.alpha)
        if "garment" in arrays:
            arrays["garment"][place] = frame.padded(colours(small.image) * alpha)
        if "garment_mask" in arrays:
            arrays["garment_mask"][place] = frame.padded(alpha)
        if "garment_landmarks" in arrays:
            arrays["garment_landmarks"][place] = heat_maps(garment.landmarks, frame, sigma)
        if "garment_category" in arrays:
            arrays["garment_category"][place, CATEGORIES.index(garment.category)] = 1
    return arrays


def _warped_arrays(warped: U8 | None, frame: Frame) -> dict[str, F32]:
    if warped is None:
        height, width = frame.size[::-1]
        return {
            "warped": np.zeros((3, height, width), np.float32),
            "warped_mask": np.zeros((1, height, width), np.float32),
        }
    alpha = shares(frame.scaled(warped[..., 3]))
    return {
        "warped": frame.padded(colours(frame.scaled(warped[..., :3])) * alpha),
        "warped_mask": frame.padded(alpha),
    }


def heat_maps(points: F32, frame: Frame, sigma: float) -> F32:
    """`(N, H, W) float32` in 0..1: a Gaussian around each point, as high as its confidence, 0 beyond four sigmas.

    Args:
        points: `(N, 3)`: x, y, confidence, in pixels of the photo; those outside it have an empty map.
        frame: how the photo lies in the maps.
        sigma: standard deviation in pixels of the maps.
    """
    maps = np.zeros((len(points), *frame.size[::-1]), np.float32)
    inside = maps[(slice(None), *frame.window)]
    height, width = inside.shape[1:]
    for number, (x, y, sure) in enumerate(frame.points(points) - (frame.left, frame.top, 0)):
        if sure <= 0 or not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            continue
        reach = int(np.ceil(4 * sigma))
        left, top = max(round(float(x)) - reach, 0), max(round(float(y)) - reach, 0)
        near = inside[number, top : round(float(y)) + reach + 1, left : round(float(x)) + reach + 1]
        rows, columns = np.arange(near.shape[0]) + top - y, np.arange(near.shape[1]) + left - x
        near[:] = min(sure, 1) * np.outer(np.exp(-((rows / sigma) ** 2) / 2), np.exp(-((columns / sigma) ** 2) / 2))
    return maps


def one_hot(parts: U8, frame: Frame) -> F32:
    """`(20, H, W) float32`, 0 or 1: a plane for each `Part`; `parts` at the frame's inner size."""
    planes = np.zeros((len(Part), *frame.size[::-1]), np.float32)
    for part in np.unique(parts):
        planes[(part, *frame.window)] = parts == part
    return planes


def to_tensors(batch: Sequence[Encoded], *, device: str | None = None) -> dict[str, torch.Tensor]:
    """The arrays of several encodings, stacked, as PyTorch tensors.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError:
        hint = 'Type: pip install "vestiary[train]"'
        raise MissingExtraError("tensors need PyTorch.", hint=hint) from None
    names = batch[0].arrays
    return {name: torch.from_numpy(np.stack([one[name] for one in batch])).to(device or "cpu") for name in names}
