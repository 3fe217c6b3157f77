"""Looks a data folder through: its layout, how much of it is there, and which files are missing or broken."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestiary.datasets.layout import Layout, Request, Shelf
from vestiary.datasets.opening import choose
from vestiary.datasets.sample import PATHS, Pairing, Sample
from vestiary.errors import DatasetError, ImageError

# Called after every sample that was looked at, as on_sample(number, total).
OnSample = Callable[[int, int], None]


@dataclass(frozen=True)
class Part:
    """One split in one way of pairing: how many samples it has, how many have what, or why it cannot be read."""

    split: str
    pairs: Pairing | None
    samples: int
    whole: int
    has: dict[str, int]
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What a folder holds.

    Attributes:
        folder, layout, title: where, and how it lies there.
        expects: what the layout is known by: names, what it is, whether required, and under which name it was found.
        parts: every split that the folder has.
        missing: files that the lists name and that are not there.
        broken: files that cannot be read, with the reason.
        read: how many files were read to find that out.
    """

    folder: Path
    layout: str
    title: str
    expects: tuple[dict[str, Any], ...]
    parts: tuple[Part, ...]
    missing: tuple[Path, ...]
    broken: tuple[tuple[Path, str], ...]
    read: int

    @property
    def sound(self) -> bool:
        """Whether nothing is missing or broken."""
        return not self.missing and not self.broken


def check_dataset(
    folder: str | os.PathLike[str],
    *,
    layout: str = "auto",
    read: int | None = None,
    people: str | os.PathLike[str] | None = None,
    garments: str | os.PathLike[str] | None = None,
    on_sample: OnSample | None = None,
) -> Report:
    """What a data folder holds, and what is wrong with it.

    Args:
        folder, layout, people, garments: as for `open_dataset`.
        read: how many samples' files are read whole, spread evenly over all; None reads all of them.
        on_sample: called after every sample that was read.

    Raises:
        DatasetError: no such folder, or no known layout.
    """
    kind, place = choose(folder, layout)
    roots = [None if root is None else Path(root) for root in (people, garments)]
    missing: list[Path] = []
    parts, samples = [], {}
    for split in kind.splits:
        for pairs in ("paired", "unpaired") if kind.has_pairs else ("paired",):
            part, found, lost = _look(kind, place, Request(split, pairs, *roots))
            missing += lost
            parts.append(part)
            samples.update({sample.name: sample for sample in found})
    broken, count = _read(list(samples.values()), read, on_sample)
    expects = tuple(
        {"names": list(e.names), "what": e.what, "required": e.required, "found": e.found(place)}
        for e in kind.expects
        if place.is_dir()  # a CSV is all there is to be found
    )
    unique = tuple(dict.fromkeys(missing))
    return Report(place, kind.name, kind.title, expects, tuple(parts), unique, tuple(broken), count)


def _look(kind: Layout, place: Path, wanted: Request) -> tuple[Part, list[Sample], list[Path]]:
    shelf, pairs = Shelf(place), wanted.pairs if kind.has_pairs else None
    try:
        samples = list(kind.index(shelf, wanted))
    except DatasetError as problem:
        return Part(wanted.split, pairs, 0, 0, {}, problem.message), [], []
    has = {name: sum(getattr(s, name) is not None for s in samples) for name in PATHS}
    whole = [s for s in samples if all(getattr(s, name) is not None for name in kind.needs)]
    kept = {name: count for name, count in has.items() if count}
    return Part(wanted.split, pairs, len(samples), len(whole), kept), samples, shelf.missing


def _read(samples: list[Sample], most: int | None, on_sample: OnSample | None) -> tuple[list[tuple[Path, str]], int]:
    """The files that cannot be read, and how many were read; each file once."""
    if most is not None and len(samples) > most:
        samples = [samples[i * len(samples) // most] for i in range(most)]
    broken, seen = [], set()
    for number, sample in enumerate(samples, 1):
        for name, path in sample.paths().items():
            if path is None or path in seen:
                continue
            seen.add(path)
            try:
                _try(sample, name)
            except (DatasetError, ImageError) as problem:
                broken.append((path, problem.message))
        if on_sample is not None:
            on_sample(number, len(samples))
    return broken, len(seen)


def _try(sample: Sample, name: str) -> None:
    readers: dict[str, Callable[[], Any]] = {
        "person": sample.read_person,
        "garment": sample.read_garment,
        "target": sample.read_target,
        "garment_mask": sample.read_garment_mask,
        "agnostic": sample.read_agnostic,
        "agnostic_mask": sample.read_agnostic_mask,
        "parse": sample.read_labels,
        "pose": sample.read_keypoints,
        "depth": sample.read_depth,
    }
    if name in readers:
        readers[name]()


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON-ready data."""
    return {
        "folder": str(report.folder),
        "layout": report.layout,
        "title": report.title,
        "sound": report.sound,
        "expects": list(report.expects),
        "parts": [vars(part) for part in report.parts],
        "missing": [str(path) for path in report.missing],
        "broken": [{"file": str(path), "reason": reason} for path, reason in report.broken],
        "files_read": report.read,
    }


def summary(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Rows for people: split, pairing, number of samples, and what they have."""
    for part in report.parts:
        has = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in part.has.items())
        yield part.split, part.pairs or "-", str(part.whole), has or part.problem
