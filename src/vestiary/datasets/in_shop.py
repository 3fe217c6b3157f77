"""DeepFashion, In-shop Clothes Retrieval (Liu et al. 2016): 52,712 photos of 7,982 items from several sides.

`Eval/list_eval_partition.txt` names every photo with its item and its part (train, query, gallery). A photo's name,
`id_00000002/02_1_front.jpg`, holds the item, its colour and the view; `flat` views show the garment alone, and few
items have one. A photo of somebody is paired with the flat view of the same item and colour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vestiary.datasets.layout import Expected, Layout, Request, Shelf
from vestiary.datasets.sample import Sample
from vestiary.errors import DatasetError
from vestiary.types import Category

LISTS = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
KINDS: dict[str, Category | None] = {
    **dict.fromkeys(("Blouses_Shirts", "Graphic_Tees", "Tees_Tanks", "Shirts_Polos", "Sweaters"), "top"),
    **dict.fromkeys(("Sweatshirts_Hoodies",), "top"),
    **dict.fromkeys(("Cardigans", "Jackets_Coats", "Jackets_Vests", "Suiting"), "outerwear"),
    **dict.fromkeys(("Dresses", "Rompers_Jumpsuits"), "dress"),
    **dict.fromkeys(("Leggings", "Pants"), "trousers"),
    "Shorts": "shorts",
    "Skirts": "skirt",
    "Denim": None,  # jeans, jackets and shirts
}
_NAME = re.compile(r"(?:img|img_highres)/(\w+)/(\w+)/(id_\d+)/(\d+)_(\d+)_(\w+)\.jpg")
_PARTS = {"test": ("query", "gallery")}


@dataclass(frozen=True)
class _View:
    path: str
    gender: str
    kind: str
    item: str
    colour: str
    view: str


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """Everybody of a split; with a garment where there is a flat view."""
    places = _PARTS.get(wanted.split, (wanted.split,))
    views = [_parse(row[0], shelf) for row in list(shelf.rows(*LISTS, columns=1))[2:] if row[2:] and row[2] in places]
    flats = {(v.item, v.colour): v for v in views if v.view == "flat"}
    if wanted.pairs == "unpaired" and len({v.item for v in flats.values()}) < 2:
        hint = 'Take pairs="paired": samples without a flat view then have no garment.'
        raise DatasetError(
            f"{shelf.folder}: too few items have a photo without a wearer to change garments.", hint=hint
        )
    return [
        _sample(shelf, view, _garment(view, flats, wanted.pairs == "paired"), wanted.pairs == "paired")
        for view in views
        if view.view != "flat"
    ]


def _parse(path: str, shelf: Shelf) -> _View:
    match = _NAME.fullmatch(path)
    if match is None:
        raise DatasetError(f"{shelf.folder}: the list names {path}, which is no name of the In-shop benchmark.")
    gender, kind, item, colour, _, view = match.groups()
    return _View(path, gender, kind, item, colour, view)


def _garment(view: _View, flats: dict[tuple[str, str], _View], paired: bool) -> _View | None:
    """The flat view of this item, or of the next other item of the same kind (of any kind, if there is none)."""
    if paired:
        return flats.get((view.item, view.colour))
    others = [flat for flat in flats.values() if flat.item != view.item]
    alike = [flat for flat in others if flat.kind == view.kind] or others
    return next((flat for flat in alike if flat.item > view.item), alike[0])


def _sample(shelf: Shelf, view: _View, garment: _View | None, paired: bool) -> Sample:
    photo = _find(shelf, view)
    worn = garment or view
    return Sample(
        name=_stem(view) if paired else f"{_stem(view)}--{_stem(worn)}",
        person=photo,
        garment=_find(shelf, garment) if garment else None,
        target=photo if paired and garment else None,
        category=KINDS.get(worn.kind),
        facts={"item": view.item, "colour": view.colour, "view": view.view, "kind": view.kind, "gender": view.gender},
    )


def _stem(view: _View) -> str:
    return Path(view.path).with_suffix("").as_posix().partition("/")[2]


def _find(shelf: Shelf, view: _View) -> Path | None:
    inner = view.path.partition("/")[2]
    folder, _, name = inner.rpartition("/")
    for place in ("Img/img", "img", "Img/img_highres", "img_highres", "Img", "."):
        if name in shelf.names(f"{place}/{folder}"):
            return shelf.folder / place / folder / name
    shelf.missing.append(shelf.folder / "Img" / view.path)
    return None


LAYOUT = Layout(
    name="deepfashion-in-shop",
    title="DeepFashion In-shop",
    expects=(
        Expected(LISTS, "which photo belongs to which part", required=True),
        Expected(("Img/img", "img", "Img/img_highres", "img_highres"), "photos", required=True),
        Expected(("Anno/list_bbox_inshop.txt", "list_bbox_inshop.txt"), "boxes"),
        Expected(("Anno/list_landmarks_inshop.txt", "list_landmarks_inshop.txt"), "landmarks of clothes"),
    ),
    splits=("train", "query", "gallery", "test"),
    index=index,
    needs=("person",),
)
