"""Where results come from: an engine that runs here, or pictures that another system already made."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import vestiary
from vestiary import weights
from vestiary.api import check_options, read_garment, scan_person
from vestiary.errors import DatasetError, ImageError, InputError, VestiaryError
from vestiary.images import open_picture
from vestiary.registry import GROUP, load_engine

if TYPE_CHECKING:
    from vestiary.datasets import Sample
    from vestiary.types import Garment, Mask, Person, Picture

T = TypeVar("T")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
KEPT = 6  # scans and readings that are remembered


@dataclass(frozen=True, eq=False)
class Made:
    """A result and what is known of how it came about.

    Attributes:
        image: `(h, w, 3) uint8`.
        mask: where it may differ from the photo, `(h, w) uint8`; None when unknown.
        person: the scan; None when there is none.
        garment: the reading; None when there is none.
        seconds: by stage: scan, read, prepare, fit.
        warnings: the engine's own.
        weights: SHA-256 by name, of what the engine says it used.
    """

    image: Picture
    mask: Mask | None
    person: Person | None
    garment: Garment | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    weights: Mapping[str, str] = field(default_factory=dict)


class Maker(Protocol):
    """Makes the result of a pair."""

    def describe(self) -> dict[str, Any]:
        """Who makes the results, as plain data: part of the result file and of the key by which work is resumed."""

    def make(self, sample: Sample, photo: Picture) -> Made:
        """The result for a person photo that is already at the protocol's size.

        Raises:
            VestiaryError: there is none, for a reason that the message says.
        """


class EngineMaker:
    """An engine of the registry with its options.

    Args:
        name: of the engine.
        options: its options by name.

    Raises:
        UnknownEngineError: no such engine.
        OptionError: an option that it does not have.
        MissingExtraError: it is not installed.
    """

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.engine = load_engine(name)
        self.options = check_options(self.engine.Options, options)
        self._looks = _Remembered()

    def describe(self) -> dict[str, Any]:
        """Engine, version, options, and the SHA-256 of every weight file that the product has."""
        return {
            "kind": "engine",
            "name": self.name,
            "version": _version(self.name),
            "options": self.options.model_dump(mode="json"),
            "weights": {name: spec.sha256 for name, spec in weights.list_weights().items()},
        }

    def make(self, sample: Sample, photo: Picture) -> Made:
        """The fitting; see `Maker.make`."""
        assert sample.person is not None
        seconds: dict[str, float] = {}
        person = self._looks.get(("person", sample.person), lambda: scan_person(photo), "scan", seconds)
        garment = self._looks.get(("garment", sample.garment), lambda: _read(sample), "read", seconds)
        started = time.perf_counter()
        prepared = self.engine.prepare(person)
        seconds["prepare"] = time.perf_counter() - started
        fitting = self.engine.fit(prepared, [garment], self.options)
        seconds["fit"] = time.perf_counter() - started - seconds["prepare"]
        used = fitting.provenance.get("weights") or {}
        return Made(fitting.image, fitting.mask, person, garment, seconds, fitting.warnings, used)


class FolderMaker:
    """Pictures that another system made, named as the pairs are (`docs/bench.md` says how).

    Args:
        folder: where they are.
        name: what the system is called in tables.

    Raises:
        InputError: no such folder.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        if not folder.is_dir():
            hint = "Hand in the folder with the finished pictures."
            raise InputError(f"{folder} is not a folder.", hint=hint)
        self.folder = folder
        self.name = name or folder.name
        self._looks = _Remembered()

    def describe(self) -> dict[str, Any]:
        """The folder's name; nothing is known of how its pictures came about."""
        return {"kind": "pictures", "name": self.name, "folder": str(self.folder)}

    def make(self, sample: Sample, photo: Picture) -> Made:
        """The finished picture; see `Maker.make`."""
        image = open_picture(self.find(sample)).on_white()
        mask = None
        if sample.agnostic_mask is not None:
            mask = sample.read_agnostic_mask()
        person = garment = None
        with suppress(VestiaryError):  # another system may cope with what ours refuses
            person = self._looks.get(("person", sample.person), lambda: scan_person(photo), "scan", {})
        with suppress(VestiaryError):
            garment = self._looks.get(("garment", sample.garment), lambda: _read(sample), "read", {})
        return Made(image, mask, person, garment)

    def find(self, sample: Sample) -> Path:
        """The file of a pair.

        Raises:
            ImageError: there is none; the message lists the names that would do.
        """
        names = result_names(sample)
        for name in names:
            for ending in ENDINGS:
                if (place := self.folder / f"{name}{ending}").is_file():
                    return place
        hint = f"It may be called {' or '.join(names)}, with {', '.join(ENDINGS)}."
        raise ImageError(f"{self.folder} has no picture for the pair {sample.name}.", hint=hint)


def result_names(sample: Sample) -> list[str]:
    """What the file of a pair's result may be called, without ending: the pair's name, person and garment, person."""
    assert sample.person is not None
    assert sample.garment is not None
    person, garment = sample.person.stem, sample.garment.stem
    within = str(Path(sample.name).parent / person)  # DressCode: the results of each category in a folder of its own
    return list(dict.fromkeys([sample.name, f"{person}--{garment}", f"{person}_{garment}", within, person]))


def _read(sample: Sample) -> Garment:
    if sample.garment is None:
        raise DatasetError(f"{sample.name} has no garment.", hint="Leave this pair out.")
    return read_garment(sample.garment, category=sample.category)


class _Remembered:
    """The last few values made by key, with the seconds that they took."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], stage: str, seconds: dict[str, float]) -> T:
        started = time.perf_counter()
        if key not in self.kept:
            self.kept[key] = make()
            seconds[stage] = time.perf_counter() - started
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        value: T = self.kept[key]
        return value


def _version(engine: str) -> str:
    """The version of the package that brings the engine."""
    point = next((point for point in entry_points(group=GROUP) if point.name == engine), None)
    if point is None or point.dist is None or point.value.startswith("vestiary."):
        return vestiary.__version__
    return point.dist.version
