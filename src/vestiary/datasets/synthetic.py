"""What `vestiary synth` writes: the same person in garment A and in garment B, with exact ground truth.

`pairs.jsonl` has one line of JSON per item (docs/data/synthetic.md). Paired: the person in A puts on B, and the target
is the same person in B. Unpaired: they put on the B of the next item of the same half of the body.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vestiary.datasets.layout import Expected, Layout, Request, Shelf, read_text
from vestiary.datasets.sample import Sample
from vestiary.errors import DatasetError
from vestiary.types import UPPER

NAME = "pairs.jsonl"
_FACTS = ("seed", "keypoints", "pose", "world", "body", "scene", "camera")


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The items in their order."""
    table = shelf.folder / NAME
    items = [
        _item(line, f"{table}, line {i}") for i, line in enumerate(read_text(table).splitlines(), 1) if line.strip()
    ]
    if wanted.pairs == "paired":
        return [_sample(shelf, item, item) for item in items]
    return [_sample(shelf, item, other) for i, item in enumerate(items) if (other := _next(items, i)) is not None]


def _item(line: str, where: str) -> dict[str, Any]:
    try:
        item = json.loads(line)
        lacking = [key for key in ("id", "person", "garment", "target", "a", "b") if key not in item]
    except (ValueError, TypeError):
        raise DatasetError(
            f"{where} is not JSON.", hint="Run `vestiary synth` again: it goes on where it was."
        ) from None
    if lacking:
        raise DatasetError(f"{where} has no {lacking[0]!r}.", hint="It was made by another version: make it anew.")
    return dict(item)


def _next(items: list[dict[str, Any]], place: int) -> dict[str, Any] | None:
    """The next item whose garment covers the same half of the body, around the end of the list."""
    upper = items[place]["b"].get("category") in UPPER
    others = items[place + 1 :] + items[:place]
    return next((item for item in others if (item["b"].get("category") in UPPER) == upper), None)


def _sample(shelf: Shelf, item: dict[str, Any], worn: dict[str, Any]) -> Sample:
    a, b, paired = item["a"], worn["b"], item is worn
    attributes = {key: b[key] for key in ("sleeve", "neckline", "length", "pattern", "colour") if key in b}
    return Sample(
        name=str(item["id"]) if paired else f"{item['id']}--{worn['id']}",
        person=_there(shelf, item["person"]),
        garment=_there(shelf, worn["garment"]),
        target=_there(shelf, item["target"]) if paired else None,
        garment_mask=_there(shelf, b.get("mask")),
        parse=_there(shelf, a.get("parts")),
        depth=_there(shelf, a.get("depth")),
        category=b.get("category"),
        labels="parts",
        facts={
            **{key: item[key] for key in _FACTS if key in item},
            **attributes,
            "landmarks": b.get("landmarks"),
            "worn_category": a.get("category"),
            "target_parts": item["b"].get("parts") if paired else None,
        },
    )


def _there(shelf: Shelf, name: str | None) -> Path | None:
    if name is None:
        return None
    place, _, last = name.rpartition("/")
    return shelf.take(place or ".", last)


LAYOUT = Layout(
    name="synthetic",
    title="synthetic pairs of `vestiary synth`",
    expects=(Expected((NAME,), "the items", required=True), Expected(("items",), "the pictures", required=True)),
    splits=("all",),
    index=index,
)
