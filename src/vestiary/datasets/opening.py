"""A folder on disk becomes a `Dataset`: which layout it has, and its samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from vestiary.datasets import (
    co_parsing,
    dresscode,
    garment_folders,
    in_shop,
    multimodal,
    pairs_csv,
    synthetic,
    viton_hd,
)
from vestiary.datasets.layout import Layout, Request, Shelf
from vestiary.datasets.sample import Dataset, Pairing
from vestiary.errors import DatasetError

# In the order in which they are tried: the ones with the most telling names first.
LAYOUTS: dict[str, Layout] = {
    module.LAYOUT.name: module.LAYOUT
    for module in (synthetic, viton_hd, dresscode, in_shop, co_parsing, multimodal, pairs_csv, garment_folders)
}
_SHOWN = 8


def open_dataset(
    folder: str | os.PathLike[str],
    *,
    layout: str = "auto",
    split: str | None = None,
    pairs: Pairing = "paired",
    people: str | os.PathLike[str] | None = None,
    garments: str | os.PathLike[str] | None = None,
    skip_missing: bool = False,
) -> Dataset:
    """The samples of a data set on disk; pictures are read when a sample is asked for them.

    Args:
        folder: the data set's folder, or a CSV file of pairs.
        layout: a name from `LAYOUTS`, or "auto": what the folder looks like.
        split: which part, as the layout calls it; may be left out where there is one only.
        pairs: "paired" gives everybody the garment they wear, and the photo as target; "unpaired" another garment.
        people: for a CSV whose names are not relative to its own folder: where the photos of people are.
        garments: likewise for garments.
        skip_missing: leave out samples whose person or garment is not there, instead of raising.

    Raises:
        DatasetError: another layout, half of one, no such split, files that the lists name are not there, or nothing is
            left. The message says what was expected, what was found, and which layout it looks like.
    """
    kind, place = choose(folder, layout)
    if pairs not in get_args(Pairing):
        raise DatasetError(f"pairs cannot be {pairs!r}.", hint=f"Choose one of: {', '.join(get_args(Pairing))}.")
    if not kind.has_pairs and pairs == "unpaired":
        raise DatasetError(f"{kind.title} pairs nobody with garments.", hint='Leave pairs="unpaired" out.')
    wanted = Request(_split(kind, split), pairs, *(None if p is None else Path(p) for p in (people, garments)))
    shelf = Shelf(place)
    samples = tuple(kind.index(shelf, wanted))
    whole = tuple(s for s in samples if all(getattr(s, name) is not None for name in kind.needs))
    if len(whole) < len(samples) and not skip_missing:
        raise _incomplete(place, shelf.missing, len(samples) - len(whole), len(samples))
    if not whole:
        hint = "Check it with: vestiary dataset check"
        raise DatasetError(f"{place} has no samples for split {wanted.split!r} ({kind.title}).", hint=hint)
    missing = tuple(dict.fromkeys(shelf.missing))
    return Dataset(place, kind.name, wanted.split, pairs if kind.has_pairs else None, whole, missing)


def choose(folder: str | os.PathLike[str], layout: str = "auto") -> tuple[Layout, Path]:
    """The layout that is asked for, or that the folder has, and the folder. Raises DatasetError as `open_dataset`."""
    place = Path(folder)
    return (detect(place) if layout == "auto" else _named(layout, place)), place


def detect(folder: Path) -> Layout:
    """The layout of a folder.

    Raises:
        DatasetError: no such folder, or none of the layouts; the message says which one it looks like.
    """
    if folder.is_file() and folder.suffix.lower() == ".csv":
        return pairs_csv.LAYOUT
    _check_folder(folder)
    for kind in LAYOUTS.values():
        if not kind.lacks(folder):
            return kind
    raise _unknown(folder)


def _named(name: str, folder: Path) -> Layout:
    kind = LAYOUTS.get(name)
    if kind is None:
        raise DatasetError(f"there is no layout {name!r}.", hint=f"Choose one of: auto, {', '.join(LAYOUTS)}.")
    if folder.is_file() and kind is pairs_csv.LAYOUT:
        return kind
    _check_folder(folder)
    lacking = kind.lacks(folder)
    if lacking:
        other = next((k for k in LAYOUTS.values() if not k.lacks(folder)), None)
        hint = f"It looks like {other.title}: layout={other.name!r}." if other else _found(folder)
        raise DatasetError(f"{folder} is not in the layout of {kind.title}: {_list(kind, folder)}.", hint=hint)
    return kind


def _split(kind: Layout, split: str | None) -> str:
    if split is None and len(kind.splits) == 1:
        return kind.splits[0]
    if split not in kind.splits:
        what = "a split must be chosen" if split is None else f"there is no split {split!r}"
        raise DatasetError(f"{kind.title}: {what}.", hint=f"Choose one of: {', '.join(kind.splits)}.")
    return split


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise DatasetError(f"{folder} {what}.", hint=f"Hand in the data set's folder; here is {Path.cwd()}.")


def _unknown(folder: Path) -> DatasetError:
    """The error for a folder of no known layout: what it is nearest to, or where one was found close by."""
    inner = sorted(entry for entry in folder.iterdir() if entry.is_dir())[:50]
    for near in (*inner, folder.absolute().parent):
        for kind in LAYOUTS.values():
            if kind is not garment_folders.LAYOUT and not kind.lacks(near):
                hint = f"{near} looks like {kind.title}: hand in that folder."
                return DatasetError(f"{folder} is in none of the known layouts.", hint=hint)
    nearest = max(LAYOUTS.values(), key=lambda kind: len(kind.found(folder)) / len(kind.expects))
    if not nearest.found(folder):
        hint = f"{_found(folder)} Known layouts: {', '.join(LAYOUTS)}; see docs/data/layouts.md."
        return DatasetError(f"{folder} is in none of the known layouts.", hint=hint)
    message = f"{folder} looks like {nearest.title}, but not all of it is there: {_list(nearest, folder)}."
    return DatasetError(message, hint=_found(folder))


def _list(kind: Layout, folder: Path) -> str:
    """What is lacking, in words."""
    lacking = [f"{' or '.join(item.names[:4])} ({item.what})" for item in kind.lacks(folder)]
    return f"missing {'; '.join(lacking)}"


def _found(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    if not names:
        return "The folder is empty."
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Found: {', '.join(names[:_SHOWN])}{more}."


def _incomplete(folder: Path, missing: list[Path], lost: int, total: int) -> DatasetError:
    shown = ", ".join(str(path) for path in list(dict.fromkeys(missing))[:_SHOWN])
    more = f", and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    hint = "Unpack the archive again, or leave those samples out with skip_missing=True."
    return DatasetError(f"{folder}: {lost} of {total} samples lack files: {shown}{more}.", hint=hint)
