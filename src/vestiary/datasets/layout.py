"""What a layout is: the files by which it is known, its splits, and the function that lists its samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vestiary.datasets.sample import Pairing, Sample
from vestiary.errors import DatasetError

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class Expected:
    """A file or folder of a layout.

    Attributes:
        names: the ways in which it is written, relative to the data set's folder; one of them is enough.
        what: what is in it.
        required: whether the layout cannot be read without it.
    """

    names: tuple[str, ...]
    what: str
    required: bool = False

    def found(self, folder: Path) -> str | None:
        """The first of its names that is there."""
        return next((name for name in self.names if (folder / name).exists()), None)


@dataclass(frozen=True)
class Request:
    """What a caller wants of a layout; `people` and `garments` are roots for layouts whose lists have bare names."""

    split: str
    pairs: Pairing
    people: Path | None = None
    garments: Path | None = None


@dataclass(frozen=True)
class Layout:
    """A way in which data sets lie on disk.

    Attributes:
        name: what users type.
        title: what people call it.
        expects: the files by which it is known.
        splits: the parts that it knows.
        index: lists the samples of a split; notes what is missing on the shelf.
        has_pairs: whether it pairs people with garments.
        needs: the sample's path fields without which a sample is left out.
    """

    name: str
    title: str
    expects: tuple[Expected, ...]
    splits: tuple[str, ...]
    index: Callable[[Shelf, Request], Sequence[Sample]]
    has_pairs: bool = True
    needs: tuple[str, ...] = ("person", "garment")

    def found(self, folder: Path) -> list[Expected]:
        """Those of the expected files that are there."""
        return [item for item in self.expects if item.found(folder) is not None]

    def lacks(self, folder: Path) -> list[Expected]:
        """The required files that are not there."""
        return [item for item in self.expects if item.required and item.found(folder) is None]


@dataclass
class Shelf:
    """A data set's folder, each of whose sub-folders is listed once; it remembers what was asked for in vain."""

    folder: Path
    missing: list[Path] = field(default_factory=list)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)

    def names(self, place: str) -> frozenset[str]:
        """The names in a sub-folder; empty when there is none."""
        if place not in self.lists:
            try:
                with os.scandir(self.folder / place) as entries:
                    self.lists[place] = frozenset(entry.name for entry in entries)
            except OSError:
                self.lists[place] = frozenset()
        return self.lists[place]

    def pictures(self, place: str) -> list[str]:
        """The pictures in a sub-folder, by name."""
        return sorted(n for n in self.names(place) if n.lower().endswith(PICTURES) and not n.startswith("."))

    def place(self, *names: str) -> str | None:
        """The first of these sub-folders that is there."""
        return next((name for name in names if self.names(name)), None)

    def take(self, place: str | None, *names: str) -> Path | None:
        """The first of these files that is there. None without a place; else a file that is not there is noted."""
        if place is None:
            return None
        for name in names:
            base, _, last = name.rpartition("/")
            if last in self.names(f"{place}/{base}" if base else place):
                return self.folder / place / name
        self.missing.append(self.folder / place / names[0])
        return None

    def rows(self, *names: str, columns: int = 2) -> Iterator[list[str]]:
        """The words of each line of the first of these lists that is there.

        Raises:
            DatasetError: none is there, it is no text, or a line has fewer words than `columns`.
        """
        path = next((self.folder / name for name in names if (self.folder / name).is_file()), None)
        if path is None:
            what = " or ".join(names)
            raise DatasetError(f"{self.folder} has no {what}.", hint="It comes with the data set: unpack it again.")
        for number, line in enumerate(read_text(path).splitlines(), 1):
            words = line.split()
            if words and len(words) < columns:
                raise DatasetError(f"{path}, line {number}: {columns} words were expected, not {line.strip()!r}.")
            if words:
                yield words


def read_text(path: Path) -> str:
    """The text of a file. Raises DatasetError, which says why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise DatasetError(f"{path} cannot be read: {reason.lower()}.", hint="Unpack the archive again.") from None


def check_unpaired(pairs: Sequence[tuple[str, str]], where: Path) -> None:
    """Make sure that a list for unpaired fittings does not give everybody the garment they wear.

    Raises:
        DatasetError: it does.
    """
    if pairs and all(person == garment for person, garment in pairs):
        hint = 'Take another split, or pairs="paired".'
        raise DatasetError(f"the list in {where} names only people with their own garment.", hint=hint)
