"""Clothing Co-Parsing (Yang et al. 2014): 2,098 street photos, 1,004 of them with label maps of 59 classes.

`photos/0001.jpg`, `labels/0001.png`, `labels.txt` (number, tab, name), `tags.json` (number: tags) for the others.
Photos whose number is divisible by 10 are for validation, as in the part parser's recipe.
"""

from __future__ import annotations

import json

from vestiary.datasets.labels import TABLES
from vestiary.datasets.layout import Expected, Layout, Request, Shelf, read_text
from vestiary.datasets.sample import Sample
from vestiary.errors import DatasetError


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The labelled photos of a split; those with tags only ("tagged"); or both ("all")."""
    _check_names(shelf)
    labelled = {name.rpartition(".")[0] for name in shelf.pictures("labels")}
    tags = _tags(shelf)
    photos = sorted(labelled | {name.rpartition(".")[0] for name in shelf.pictures("photos")})
    chosen = [stem for stem in photos if _in_split(stem, stem in labelled, wanted.split)]
    return [
        Sample(
            name=stem,
            person=shelf.take("photos", f"{stem}.jpg"),
            parse=shelf.folder / "labels" / f"{stem}.png" if stem in labelled else None,
            labels="co-parsing",
            facts={"tags": tags[stem.lstrip("0")]} if stem.lstrip("0") in tags else {},
        )
        for stem in chosen
    ]


def _in_split(stem: str, labelled: bool, split: str) -> bool:
    if split in ("tagged", "all"):
        return split == "all" or not labelled
    number = int(stem) if stem.isdigit() else 1
    return labelled and (number % 10 == 0) == (split == "validation")


def _check_names(shelf: Shelf) -> None:
    """Make sure that the numbers mean what the table says. Raises DatasetError."""
    names = [row[-1] for row in shelf.rows("labels.txt")]
    known = [name for name, _ in TABLES["co-parsing"]]
    if names != known:
        first = next((i for i, (a, b) in enumerate(zip(names, known, strict=False)) if a != b), min(len(names), 59))
        hint = "Its 59 lines begin with: 0 null, 1 accessories, 2 bag."
        raise DatasetError(f"{shelf.folder / 'labels.txt'}: line {first + 1} is not the data set's own.", hint=hint)


def _tags(shelf: Shelf) -> dict[str, list[str]]:
    if "tags.json" not in shelf.names("."):
        return {}
    try:
        content = json.loads(read_text(shelf.folder / "tags.json"))
        return {str(number).lstrip("0"): list(words) for number, words in content.items()}
    except (ValueError, AttributeError, TypeError):
        raise DatasetError(f"{shelf.folder / 'tags.json'} is not JSON of photo numbers and tags.") from None


LAYOUT = Layout(
    name="co-parsing",
    title="Clothing Co-Parsing",
    expects=(
        Expected(("photos",), "photos of people", required=True),
        Expected(("labels",), "label maps", required=True),
        Expected(("labels.txt",), "what their numbers mean", required=True),
        Expected(("tags.json",), "tags of the photos without a label map"),
    ),
    splits=("train", "validation", "tagged", "all"),
    index=index,
    has_pairs=False,
    needs=("person",),
)
