"""The pairs of a catalogue: read from a table, named by what they ask for, cut into chunks of one person each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestiary import registry
from vestiary.errors import InputError, MissingExtraError, OptionError
from vestiary.types import CATEGORIES

_GARMENT, _CATEGORY = re.compile(r"garment(\d*)"), re.compile(r"category(\d*)")


@dataclass(frozen=True)
class Pair:
    """A person and what they put on, as the table names them.

    Attributes:
        key: 32 hex digits of names, engine and options: what this pair is called in the manifest and the folder.
        categories: of the garments; None where it is to be recognised.
    """

    key: str
    person: str
    garments: tuple[str, ...]
    categories: tuple[str | None, ...]


def read_pairs(table: str | Path, engine: str, options: Mapping[str, Any]) -> list[Pair]:
    """The rows of a .csv or .parquet with the columns person, garment [garment2 …] [category …], each pair once.

    Garments may be left out for an engine that needs none. Some 500 bytes of memory for each pair.

    Raises:
        InputError: the table cannot be read, or lacks a column or a value.
        OptionError: a category that does not exist.
    """
    rows, names = _rows(Path(table))
    numbers = sorted((match[1] for name in names if (match := _GARMENT.fullmatch(name))), key=lambda n: int(n or 1))
    known = registry.list_engines().get(engine)
    bare = known is not None and not known.needs_garment
    if "person" not in names or not (bare or "" in numbers):
        hint = "It needs the columns person and garment; it may have garment2 …, category, category2 …"
        raise InputError(f"{table} lacks a column.", hint=hint)
    kinds = {match[1] for name in names if (match := _CATEGORY.fullmatch(name))}
    made = f"{engine} {json.dumps(dict(options), sort_keys=True, default=str)}"
    pairs: dict[str, Pair] = {}
    for line, row in enumerate(rows, start=1):
        worn = [number for number in numbers if row[f"garment{number}"]]
        if not row["person"] or not (bare or worn):
            raise InputError(f"row {line} of {table} has no person, or no garment.", hint="Fill it in or remove it.")
        categories = tuple(row[f"category{number}"] or None if number in kinds else None for number in worn)
        if unknown := set(categories) - {None, *CATEGORIES}:
            hint = f"Choose one of: {', '.join(CATEGORIES)}; or leave it empty."
            raise OptionError(f"row {line} of {table}: there is no category {unknown.pop()!r}.", hint=hint)
        garments = tuple(row[f"garment{number}"] for number in worn)
        text = json.dumps([row["person"], garments, categories, made])
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        pairs[key] = Pair(key, row["person"], garments, categories)
    return list(pairs.values())


def _rows(table: Path) -> tuple[Iterator[dict[str, str]], list[str]]:
    try:
        import pyarrow as arrow
        from pyarrow import csv, parquet
    except ImportError:
        raise MissingExtraError("Ray Data is not installed.", hint='Type: pip install "vestiary[ray]"') from None
    try:
        if table.suffix.lower() == ".parquet":
            read = parquet.read_table(table)
        else:
            head = table.read_text(encoding="utf-8-sig").partition("\n")[0]
            text = dict.fromkeys(head.strip().replace('"', "").split(","), arrow.string())
            read = csv.read_csv(table, convert_options=csv.ConvertOptions(column_types=text))
    except (OSError, ValueError) as problem:  # pyarrow's own errors are ValueErrors
        hint = "Hand in a table that ends in .csv (commas, UTF-8) or .parquet."
        raise InputError(f"{table} cannot be read: {str(problem).splitlines()[0]}.", hint=hint) from None
    return _plain(read), list(read.column_names)


def _plain(table: Any) -> Iterator[dict[str, str]]:
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            yield {name: str(value).strip() if value is not None else "" for name, value in row.items()}


def chunks(pairs: Iterable[Pair], most: int) -> list[list[Pair]]:
    """At most so many pairs each, all of one person: within a chunk a person is prepared once."""
    cut: list[list[Pair]] = []
    for pair in sorted(pairs, key=lambda pair: (pair.person, pair.key)):
        if not cut or len(cut[-1]) >= most or cut[-1][0].person != pair.person:
            cut.append([])
        cut[-1].append(pair)
    return cut
