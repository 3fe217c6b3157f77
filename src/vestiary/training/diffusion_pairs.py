"""What the diffusion learns from: who wore what, as the engine's own conditions, worked out once and kept as pictures.

Three sources: a data set of people with the garments that they wear (any layout of docs/data/layouts.md with pairs),
the synthetic pairs of `vestiary synth`, and photos of people alone. Of the latter the worn garment is cut out,
flattened and bent, as if it had been laid on white, and the photo says what wearing it looks like (`worn`).

    python -m vestiary.training.diffusion_pairs --data DIR -o kept --height 128 --width 96
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from vestiary.api import read_garment, scan_person
from vestiary.datasets import Sample, open_dataset
from vestiary.datasets.opening import detect
from vestiary.diffusion.conditions import Conditions, conditions_of
from vestiary.diffusion.control import control_picture
from vestiary.diffusion.repaint import widened
from vestiary.engines.embedded import cut_to, window_of
from vestiary.errors import DatasetError, ImageError, InputError, VestiaryError
from vestiary.files import make_folder, write_file
from vestiary.training.pictures import held_back, list_pictures
from vestiary.training.worn import caption_of, cut_worn

if TYPE_CHECKING:
    from vestiary.types import Garment, Person

U8 = NDArray[np.uint8]
TRIES = 32  # items in a row of which nothing can be made


class Frames(BaseModel):
    """How pairs are encoded; a kept folder holds one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(128, ge=32, description="Of the working frame, in pixels.")
    width: int = Field(96, ge=32, description="Of the working frame, in pixels.")
    places: int = Field(1, ge=1, le=4, description="For garments.")
    agnostic: Literal["filled", "masked"] = Field("masked", description="What is shown where clothes go.")
    controls: tuple[str, ...] = Field((), description="Kinds of control pictures.")
    depth: Literal["exact", "estimated"] = Field("estimated", description="Of control pictures, where data has both.")


@dataclass(frozen=True)
class Pair:
    """One example, in the working frame.

    Attributes:
        target: `(H, W, 3) uint8`, the person wearing the garments.
        person: `(H, W, 3) uint8`, the person as an engine would get them.
        agnostic: `(H, W, 3) uint8`, without the clothes that go; mask: `(H, W) uint8`, 255 = paint.
        inside: `(H, W) uint8`, 255 = photo, 0 = padding.
        garments: `(G, H, W, 3) uint8` on white; worn: `(G,) uint8`, 0 = an empty place.
        controls: `(K, H, W, 3) uint8` in the order of `Frames.controls`.
        caption: of the garments, in words.
    """

    target: U8
    person: U8
    agnostic: U8
    mask: U8
    inside: U8
    garments: U8
    worn: U8
    controls: U8
    caption: str


class Source(Protocol):
    """Something of which a pair can be made."""

    @property
    def name(self) -> str:
        """Unique in its folder."""

    @property
    def changes(self) -> bool:
        """Whether the person comes in other clothes than the garment."""

    def make(self, frames: Frames, rng: np.random.Generator) -> Pair:
        """Raises ImageError: a file is damaged. Other VestiaryErrors: nothing can be made of it."""


@dataclass(frozen=True)
class Photo:
    """A photo of a person, whose own clothes are the garment."""

    path: Path

    @property
    def name(self) -> str:
        """Its number."""
        return self.path.stem

    @property
    def changes(self) -> bool:
        """No."""
        return False

    def make(self, frames: Frames, rng: np.random.Generator) -> Pair:
        """The garments cut out, and the photo itself."""
        person = scan_person(self.path)
        return pair_of(person, person, cut_worn(person, frames.places, rng), frames)


@dataclass(frozen=True)
class Listed:
    """An entry of a data set: a photo of a person, the garment, and them wearing it."""

    sample: Sample

    @property
    def name(self) -> str:
        """The sample's."""
        return self.sample.name

    @property
    def changes(self) -> bool:
        """Where the true photo is another one."""
        return self.sample.target != self.sample.person

    def make(self, frames: Frames, rng: np.random.Generator) -> Pair:
        """Both scanned and read as at run time."""
        sample = self.sample
        wearing = scan_person(sample.read_target())
        before = wearing if sample.target == sample.person else scan_person(sample.read_person())
        garment = read_garment(sample.read_garment(), category=sample.category, words=False)
        exact = sample.depth is not None and frames.depth == "exact" and "depth" in frames.controls
        distance = sample.read_depth() if exact else None
        return pair_of(before, wearing, [garment], frames, sample.caption, distance)


def pair_of(
    before: Person,
    wearing: Person,
    garments: Sequence[Garment],
    frames: Frames,
    caption: str = "",
    distance: NDArray[np.float32] | None = None,
) -> Pair:
    """The pair of a person as handed in, the same person wearing the garments, and these.

    Args:
        distance: `(H, W)` from the camera in the first photo, if it is known exactly; 0 where nobody is.

    Raises:
        InputError: the two photos, or the photo and its distances, have different shapes.
    """
    if before.image.shape != wearing.image.shape:
        raise InputError("the photo and the true photo have different sizes.", hint="Leave this pair out.")
    if distance is not None and distance.shape != before.image.shape[:2]:
        raise InputError("the photo and its map of distances have different sizes.", hint="Leave this pair out.")
    size: dict[str, Any] = {"height": frames.height, "width": frames.width}
    photo = (before.image.shape[1], before.image.shape[0])
    window = widened(window_of(before), (frames.width, frames.height), photo)  # as the engine does
    same = wearing is before
    before = cut_to(before, window)
    wearing = before if same else cut_to(wearing, window)
    if distance is not None:
        distance = distance[window[1] : window[3], window[0] : window[2]]
    seen = conditions_of(before, garments, **size, places=frames.places, agnostic=frames.agnostic)
    target = seen if same else conditions_of(wearing, (), **size, agnostic=frames.agnostic)
    inside = np.zeros((frames.height, frames.width), np.uint8)
    inside[seen.frame.window] = 255
    return Pair(
        target=_picture(target.person[0]),
        person=_picture(seen.person[0]),
        agnostic=_picture(seen.agnostic[0]),
        mask=(seen.mask[0, 0] > 0.5).numpy().astype(np.uint8) * 255,
        inside=inside,
        garments=np.stack([_picture(garment) for garment in seen.garments[0]]),
        worn=(seen.garment_masks[0].flatten(1).amax(1) > 0).numpy().astype(np.uint8),
        controls=_controls(before, frames, seen, distance),
        caption=caption or caption_of(garments),
    )


def _picture(tensor: Tensor) -> U8:
    return ((tensor.permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def _controls(person: Person, frames: Frames, seen: Conditions, distance: NDArray[np.float32] | None) -> U8:
    shape = (frames.height, frames.width, 3)
    if not frames.controls:
        return np.zeros((0, *shape), np.uint8)
    drawn = [control_picture(kind, person, seen.frame, distance=distance) for kind in frames.controls]
    return np.stack([_picture(picture * 2 - 1) for picture in drawn])


def sources(data: Path, *, validation: bool, split: str = "train", pictures: str = "auto") -> list[Source]:
    """What a folder holds to learn from: one in ten is kept for validation.

    Args:
        data: a data set in a layout with pairs; or a folder with photos of people, by themselves or in `photos/`.
        split: of a layout that has several.
        pictures: "paired" or "photos" to insist on one of them; "auto": paired where the folder is such a data set.

    Raises:
        DatasetError: neither.
    """
    paired = pictures == "paired" or (pictures == "auto" and _has_pairs(data))
    if not paired:
        folder = data / "photos" if (data / "photos").is_dir() else data
        return [Photo(path) for path in list_pictures([folder], validation=validation)]
    kind = detect(data)
    chosen = split if split in kind.splits else kind.splits[0]
    dataset = open_dataset(data, layout=kind.name, split=chosen, pairs="paired", skip_missing=True)
    usable = [sample for sample in dataset if sample.person and sample.garment and sample.target]
    if not usable:
        hint = "The diffusion learns from photos of people in known garments, or from photos of people alone."
        raise DatasetError(f"{data} ({kind.title}) has no pairs of person and garment.", hint=hint)
    found = [Listed(sample) for sample in usable if held_back(Path(sample.name)) == validation]
    if not found:
        raise DatasetError(f"{data}: no pair falls to {'validation' if validation else 'training'}.", hint="Add more.")
    return list(found)


def _has_pairs(data: Path) -> bool:
    try:
        return detect(data).has_pairs
    except DatasetError:
        if data.is_dir():
            return False
        raise


class Keep:
    """Pairs in a folder, each made when it is first asked for, by whichever process asks.

    Raises:
        InputError: the folder holds pairs that were encoded otherwise.
    """

    def __init__(self, folder: Path, frames: Frames, seed: int = 0) -> None:
        self.folder, self.frames, self.seed = make_folder(folder), frames, seed
        table, mine = folder / "frames.json", frames.model_dump(mode="json")
        if table.is_file():
            kept = json.loads(table.read_text(encoding="utf-8"))
            before = {name: field.default for name, field in Frames.model_fields.items()} | kept  # older ones lack some
            if wrong := [key for key, value in mine.items() if before[key] != value]:
                told = ", ".join(f"{key}={before[key]}" for key in wrong)
                hint = "Take the same values, or another folder: --set kept=DIR"
                raise InputError(f"{folder} holds pairs with {told}.", hint=hint)
        else:
            write_file(table, json.dumps(mine, indent=1).encode())

    def place(self, source: Source) -> Path:
        """Where a source's pair is kept."""
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in source.name)[-80:]
        return self.folder / f"{safe}-{hashlib.sha256(source.name.encode()).hexdigest()[:8]}.npz"

    def pair(self, source: Source) -> Pair | None:
        """The source's pair; None when nothing can be made of it (nobody to be seen, no garment), which is noted.

        Raises:
            ImageError: a file of it is damaged.
        """
        place = self.place(source)
        if place.is_file():
            return read_pair(place)
        if place.with_suffix(".txt").is_file():
            return None
        digest = hashlib.sha256(source.name.encode()).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(digest[:4], "big")])
        try:
            pair = source.make(self.frames, rng)
        except ImageError:
            raise
        except VestiaryError as problem:
            write_file(place.with_suffix(".txt"), problem.message.encode())
            return None
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **vars(pair))
        write_file(place, buffer.getvalue())
        return pair


def read_pair(path: Path) -> Pair:
    """A kept pair.

    Raises:
        ImageError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        return Pair(**{**arrays, "caption": str(arrays["caption"])})
    except Exception as problem:
        hint = "Remove the file; it is made again."
        raise ImageError(f"{path} is damaged: {problem}", hint=hint) from None


def main() -> int:
    """Make every pair of a folder; goes on where it stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None, help="so many of training, and a tenth for validation")
    for name, field in Frames.model_fields.items():
        kind = str if name == "controls" else type(field.default)
        many = "*" if name == "controls" else None
        parser.add_argument(f"--{name}", type=kind, nargs=many, default=field.default, help=field.description)
    wanted = parser.parse_args()
    keep = Keep(wanted.output, Frames.model_validate({name: getattr(wanted, name) for name in Frames.model_fields}))
    for validation in (True, False):
        found = sources(wanted.data, validation=validation)
        limit = wanted.limit and (wanted.limit // 10 if validation else wanted.limit)
        made = [source for source in found[: limit or None] if keep.pair(source) is not None]
        print(f"{len(made)} of {len(found)} pairs for {'validation' if validation else 'training'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
