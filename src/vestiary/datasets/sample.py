"""One entry of a data set: where its files are, and their content when asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vestiary.datasets import keypoints, labels
from vestiary.errors import DatasetError, ImageError
from vestiary.images import open_picture
from vestiary.types import Category, Part

if TYPE_CHECKING:
    from vestiary.types import Mask, Picture, Points

Region = Literal["upper", "lower", "dress"]
Pairing = Literal["paired", "unpaired"]
PoseFormat = Literal["openpose", "dresscode"]


@dataclass(frozen=True, eq=False)
class Sample:
    """A person, a garment, and what belongs to them. Paths that the layout does not have are None.

    Attributes:
        name: unique within the data set.
        person: photo of the person to be dressed.
        garment: photo of the garment.
        target: photo of this person wearing exactly this garment; None when nobody took one (unpaired). In photo data
            sets it is the person's photo itself, in synthetic ones a picture of its own.
        garment_mask: where the garment is.
        agnostic: the person with the garment's place greyed out; `agnostic_mask`: that place.
        parse: label map of the person.
        densepose: DensePose picture of the person.
        pose: file with the joints of the person (synthetic pairs have them in `facts`).
        depth: how far from the camera the person is, pixel by pixel (synthetic pairs).
        category: the garment's, when the layout tells it.
        region: which half of the body the garment covers, when the layout tells no more.
        labels: which table of `vestiary.datasets.labels` the parse map follows.
        pose_format: how `pose` is written.
        caption: words about the garment, or about the whole picture.
        facts: whatever else the layout knows of this entry (item number, view, attributes), JSON-ready.
    """

    name: str
    person: Path | None = None
    garment: Path | None = None
    target: Path | None = None
    garment_mask: Path | None = None
    agnostic: Path | None = None
    agnostic_mask: Path | None = None
    parse: Path | None = None
    densepose: Path | None = None
    pose: Path | None = None
    depth: Path | None = None
    category: Category | None = None
    region: Region | None = None
    labels: labels.LabelSet = "parts"
    pose_format: PoseFormat = "openpose"
    caption: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def read_person(self) -> Picture:
        """`(H, W, 3) uint8` sRGB. Raises ImageError, which names the file, when it is damaged; so do all readers."""
        return _picture(self._have("person"))

    def read_garment(self) -> Picture:
        """`(H, W, 3) uint8` sRGB."""
        return _picture(self._have("garment"))

    def read_target(self) -> Picture:
        """`(H, W, 3) uint8` sRGB."""
        return _picture(self._have("target"))

    def read_agnostic(self) -> Picture:
        """`(H, W, 3) uint8` sRGB."""
        return _picture(self._have("agnostic"))

    def read_garment_mask(self) -> Mask:
        """`(H, W) uint8`, 255 = garment. Of a mask stored as JPEG the grey rims are cut at 128: they mean nothing."""
        return _mask(self._have("garment_mask"))

    def read_agnostic_mask(self) -> Mask:
        """`(H, W) uint8`, 255 = may be painted anew."""
        return _mask(self._have("agnostic_mask"))

    def read_labels(self) -> NDArray[np.uint8]:
        """`(H, W) uint8`: the parse map's own numbers, whether stored as numbers, with a palette, or as colours."""
        path = self._have("parse")
        with _opened(path) as picture:
            stored = np.asarray(picture)
        if stored.ndim == 3:
            return labels.numbers_of(np.asarray(stored[..., :3], np.uint8), self.labels, path)
        if stored.max(initial=0) > labels.VOID:
            raise DatasetError(f"{path} holds label {stored.max()}.", hint="Save it with 8 bits a pixel.")
        return stored.astype(np.uint8)

    def read_parts(self, *, pose: Points | None = None) -> Mask:
        """`(H, W) uint8` of `Part` values; see `labels.to_parts` for `pose` and the errors.

        DeepFashion-MultiModal has no shorts: its trousers are shorts where its attributes say that they end above the
        knee.
        """
        parts = labels.to_parts(self.read_labels(), self.labels, pose=pose, path=self._have("parse"))
        if self.facts.get("lower_length") in ("three-point", "medium short"):
            parts[parts == Part.TROUSERS] = Part.SHORTS
        return parts

    def read_keypoints(self) -> Points:
        """`(18, 3) float32` in the OpenPose (COCO-18) order: x, y in the person photo's pixels, confidence."""
        if "keypoints" in self.facts:
            return np.array(self.facts["keypoints"], np.float32).reshape(18, 3)
        path = self._have("pose")
        with _opened(self._have("person"), decode=False) as photo:
            size = photo.size
        read = keypoints.read_dresscode if self.pose_format == "dresscode" else keypoints.read_openpose
        return read(path, size)

    def read_pose(self) -> Points | None:
        """`(33, 4) float32` BlazePose landmarks as in `Person.pose`, where the layout has them (synthetic pairs)."""
        pose = self.facts.get("pose")
        return None if pose is None else np.array(pose, np.float32).reshape(33, 4)

    def read_depth(self) -> NDArray[np.float32]:
        """`(H, W) float32` metres from the camera's plane; 0 where nobody is."""
        path = self._have("depth")
        with _opened(path) as picture:
            stored = np.asarray(picture)
        if stored.ndim != 2:
            raise ImageError(f"{path} is no map of distances.", hint="It has one channel, in millimetres.")
        return stored.astype(np.float32) / np.float32(1000)

    def read_landmarks(self) -> Points | None:
        """`(28, 3) float32` of the garment as in `Garment.landmarks`, where the layout has them (synthetic pairs)."""
        marks = self.facts.get("landmarks")
        return None if marks is None else np.array(marks, np.float32).reshape(28, 3)

    def _have(self, what: str) -> Path:
        path = getattr(self, what)
        if not isinstance(path, Path):
            have = ", ".join(name for name, value in self.paths().items() if value is not None)
            raise DatasetError(f"{self.name} has no {what.replace('_', ' ')}.", hint=f"It has: {have}.")
        return path

    def paths(self) -> dict[str, Path | None]:
        """Every path field by name."""
        return {name: getattr(self, name) for name in PATHS}


PATHS = (
    *("person", "garment", "target", "garment_mask"),
    *("agnostic", "agnostic_mask", "parse", "densepose", "pose", "depth"),
)


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Sample]):
    """The samples of a folder, in the order of its own lists.

    Attributes:
        folder: where it is.
        layout: the name of its layout.
        split: which part of it.
        pairs: "paired", "unpaired", or None for layouts without pairs.
        samples: those whose required files are there.
        missing: files that the lists name, or that a sample should have, and that are not there.
    """

    folder: Path
    layout: str
    split: str
    pairs: Pairing | None
    samples: tuple[Sample, ...]
    missing: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        return self.samples[index]


def _picture(path: Path) -> Picture:
    return open_picture(path).on_white()


def _mask(path: Path) -> Mask:
    with _opened(path) as picture:
        grey = np.array(picture.convert("L"), np.uint8)
    return np.where(grey >= 128, 255, 0).astype(np.uint8) if picture.format == "JPEG" else grey


def _opened(path: Path, *, decode: bool = True) -> Image.Image:
    """The picture as it is stored, without conversion: a label map's palette would turn its numbers into colours."""
    try:
        picture = Image.open(io.BytesIO(path.read_bytes()))
        if decode:
            picture.load()
        return picture
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}.", hint="Unpack the archive again.") from None
    except (OSError, ValueError, SyntaxError) as problem:
        reason = type(problem).__name__ if isinstance(problem, UnidentifiedImageError) else str(problem)
        hint = "Unpack the archive again, or leave the file out."
        raise ImageError(f"{path} is damaged or not a picture ({reason}).", hint=hint) from None
