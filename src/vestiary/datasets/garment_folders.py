"""Photos of single garments in folders by kind: `t-shirt/X.jpg`, `dress/Y.jpg`.

One photo in ten, by the CRC-32 of its file name, is for validation, as in the garment network's recipe.
"""

from __future__ import annotations

import zlib

from vestiary.datasets.layout import Expected, Layout, Request, Shelf
from vestiary.datasets.sample import Sample
from vestiary.types import Category

FOLDERS: dict[str, Category] = {
    **dict.fromkeys(
        ("top", "tops", "t-shirt", "t-shirts", "longsleeve", "shirt", "shirts", "sweater", "blouse"), "top"
    ),
    **dict.fromkeys(("outerwear", "outwear", "jacket", "jackets", "coat", "coats"), "outerwear"),
    **dict.fromkeys(("dress", "dresses"), "dress"),
    **dict.fromkeys(("skirt", "skirts"), "skirt"),
    **dict.fromkeys(("trousers", "pants", "jeans"), "trousers"),
    "shorts": "shorts",
}


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The garments of a split; folders of other names are left out."""
    found = [(kind, name) for kind in sorted(FOLDERS) for name in shelf.pictures(kind)]
    return [
        Sample(
            name=f"{kind}/{name.rpartition('.')[0]}",
            garment=shelf.folder / kind / name,
            category=FOLDERS[kind],
            facts={"folder": kind},
        )
        for kind, name in found
        if wanted.split == "all" or held_out(name) == (wanted.split == "validation")
    ]


def held_out(name: str) -> bool:
    """Whether the photo of this file name is for validation."""
    return zlib.crc32(name.encode()) % 10 == 0


LAYOUT = Layout(
    name="garment-folders",
    title="garments in folders by kind",
    expects=(Expected(tuple(FOLDERS), "photos of garments, in a folder named for their kind", required=True),),
    splits=("train", "validation", "all"),
    index=index,
    has_pairs=False,
    needs=("garment",),
)
