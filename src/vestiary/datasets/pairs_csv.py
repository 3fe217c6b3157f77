"""A plain CSV of pairs: columns `person`, `garment`, and if wanted `category` and `target`.

Paths are relative to the CSV's folder, or to the folders handed in for people and garments. A garment's category may
also be told by its folder (`t-shirt/X.jpg`). Pairs with a target are paired; a file of which no row has one has only
unpaired pairs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from vestiary.datasets.garment_folders import FOLDERS
from vestiary.datasets.layout import Expected, Layout, Request, Shelf, read_text
from vestiary.datasets.sample import Sample
from vestiary.errors import DatasetError
from vestiary.types import CATEGORIES, Category

COLUMNS = ("person", "garment", "category", "target")
NAME = "pairs.csv"


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The rows of the table: those with a target for paired, all of them, without it, for unpaired."""
    table = shelf.folder if shelf.folder.is_file() else shelf.folder / NAME
    rows = list(_rows(table))
    paired = [row for row in rows if row[1].get("target")]
    if wanted.pairs == "paired" and not paired:
        hint = 'Take pairs="unpaired", or add a column target: the same person wearing the garment.'
        raise DatasetError(f"{table} has no targets, so nothing of it is paired.", hint=hint)
    chosen = paired if wanted.pairs == "paired" else rows
    return [_sample(shelf, table, row, number, wanted) for number, row in chosen]


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    text = read_text(table)
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    lacking = [name for name in COLUMNS[:2] if name not in reader.fieldnames]
    if lacking:
        hint = f"The first line names the columns: {','.join(COLUMNS[:2])}[,category][,target]"
        raise DatasetError(f"{table} has no column {lacking[0]!r}.", hint=hint)
    for row in reader:
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if not cells["person"] or not cells["garment"]:
            raise DatasetError(f"{table}, line {reader.line_num}: a person and a garment are needed.")
        yield reader.line_num, cells


def _sample(shelf: Shelf, table: Path, row: dict[str, str], number: int, wanted: Request) -> Sample:
    people, garments = wanted.people or table.parent, wanted.garments or table.parent
    target = row["target"] if wanted.pairs == "paired" else ""
    return Sample(
        name=f"{Path(row['person']).stem}--{Path(row['garment']).stem}",
        person=_there(shelf, people / row["person"]),
        garment=_there(shelf, garments / row["garment"]),
        target=_there(shelf, people / target) if target else None,
        category=_category(row, f"{table}, line {number}"),
        facts={"line": number},
    )


def _category(row: dict[str, str], where: str) -> Category | None:
    name = row["category"]
    if not name:
        return FOLDERS.get(Path(row["garment"]).parent.name)
    for category in CATEGORIES:
        if category == name:
            return category
    hint = f"Choose one of: {', '.join(CATEGORIES)}; or leave it empty."
    raise DatasetError(f"{where}: there is no category {name!r}.", hint=hint)


def _there(shelf: Shelf, path: Path) -> Path | None:
    if path.is_file():
        return path
    shelf.missing.append(path)
    return None


LAYOUT = Layout(
    name="pairs-csv",
    title="a CSV of pairs",
    expects=(Expected((NAME,), "the pairs", required=True),),
    splits=("all",),
    index=index,
)
