"""What a batch is asked to do: rows of a CSV, or every garment of one folder on every person of another."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vestiary.errors import InputError, OptionError
from vestiary.types import CATEGORIES

_GARMENT = re.compile(r"garment(\d*)")
_CATEGORY = re.compile(r"category(\d*)")
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".ppm"}


@dataclass(frozen=True)
class Pair:
    """One fitting of a batch: who puts on what, and where the picture goes."""

    person: Path
    garments: tuple[Path, ...]
    categories: tuple[str | None, ...]
    output: Path


def from_csv(table: Path, folder: Path, ending: str) -> list[Pair]:
    """The rows of a CSV with the columns `person`, `garment` [`garment2` …] [`category` …] [`output`].

    Paths are relative to the CSV's folder, outputs to `folder`. The separator is a comma or a semicolon.

    Raises:
        InputError: the file cannot be read, lacks a column or a value, or names one output twice.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        hint = "Check the name." if isinstance(problem, OSError) else "Save it as CSV in UTF-8."
        raise InputError(f"{table} cannot be read: {reason.lower()}.", hint=hint) from None
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    columns = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    _check_columns(columns, table)
    rows.fieldnames = columns
    pairs = [_pair(row, f"{table}, line {rows.line_num}", table.parent, folder) for row in rows if any(row.values())]
    if not pairs:
        raise InputError(f"{table} holds no pairs.", hint="Add a line for each pair: person.jpg,shirt.jpg")
    return list(_named(pairs, folder, ending))


def from_folders(people: Path, garments: Path, folder: Path, ending: str) -> list[Pair]:
    """Every picture in `garments` on every picture in `people`, in the order of their names.

    Raises:
        InputError: one of them is no folder, or holds no picture.
    """
    found = {place: _pictures(place) for place in (people, garments)}
    pairs = [Pair(who, (what,), (None,), Path()) for who in found[people] for what in found[garments]]
    return list(_named(pairs, folder, ending))


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        hint = "Hand in one CSV file, or two folders: people first, garments second."
        raise InputError(f"{folder} is not a folder.", hint=hint)
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES and not p.name.startswith("."))
    if not found:
        raise InputError(f"{folder} holds no pictures.", hint=f"Known endings: {', '.join(sorted(_PICTURES))}.")
    return found


def _check_columns(columns: list[str], table: Path) -> None:
    hint = "The first line names the columns: person,garment[,garment2 …][,category …][,output]"
    for needed in ("person", "garment"):
        if needed not in columns and not (needed == "garment" and "garment1" in columns):
            raise InputError(f"{table} has no column {needed!r}.", hint=hint)
    for name in columns:
        if name not in ("person", "output") and not _GARMENT.fullmatch(name) and not _CATEGORY.fullmatch(name):
            raise InputError(f"{table} has a column {name!r}, which means nothing here.", hint=hint)


def _pair(row: dict[str, str | None], where: str, base: Path, folder: Path) -> Pair:
    """One row; garments in the order of their columns' numbers."""
    cells = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    numbers = sorted((int(m[1] or 1), m[0]) for name in cells if (m := _GARMENT.fullmatch(name)) and cells[name])
    if not cells.get("person") or not numbers:
        raise InputError(f"{where}: a person and a garment are needed.", hint="Fill them in, or delete the line.")
    kinds = {int(m[1] or 1): cells[name] or None for name in cells if (m := _CATEGORY.fullmatch(name))}
    for kind in kinds.values():
        if kind is not None and kind not in CATEGORIES:
            hint = f"Choose one of: {', '.join(CATEGORIES)}; or leave it empty."
            raise OptionError(f"{where}: there is no category {kind!r}.", hint=hint)
    garments = tuple(base / cells[name] for _, name in numbers)
    output = folder / cells["output"] if cells.get("output") else Path()
    return Pair(base / cells["person"], garments, tuple(kinds.get(number) for number, _ in numbers), output)


def _named(pairs: Iterable[Pair], folder: Path, ending: str) -> Iterator[Pair]:
    """The pairs with an output each: the one they ask for, or `person--garment.png`, numbered when taken.

    Raises:
        InputError: two ask for the same one.
    """
    pairs = list(pairs)
    asked = [pair.output for pair in pairs if pair.output != Path()]
    for output in asked:
        if asked.count(output) > 1:
            raise InputError(f"{output} is the output of two lines.", hint="Give each line an output of its own.")
    taken = {str(output).lower() for output in asked}
    for pair in pairs:
        output = pair.output
        if output == Path():
            stem, number = "--".join(path.stem for path in (pair.person, *pair.garments)), 1
            output = folder / f"{stem}.{ending}"
            while str(output).lower() in taken:
                number += 1
                output = folder / f"{stem}-{number}.{ending}"
            taken.add(str(output).lower())
        yield Pair(pair.person, pair.garments, pair.categories, output)
