"""DressCode (Morelli et al. 2022): 53,792 pairs of upper bodies, lower bodies and dresses at 768 x 1024.

`CATEGORY/images/N_0.jpg` is the person, `N_1.jpg` the garment; `keypoints/N_2.json` (found at 384 x 512),
`label_maps/N_4.png`, `skeletons/N_5.jpg`, `dense/N_5.png`. Each category has its own lists; copies that lost them are
read by the lists beside the categories, whose third column is not relied on: the pictures tell the category.
"""

from __future__ import annotations

from vestiary.datasets.layout import Expected, Layout, Request, Shelf, check_unpaired
from vestiary.datasets.sample import Region, Sample
from vestiary.errors import DatasetError
from vestiary.types import Category

REGIONS: dict[str, tuple[Region, Category | None]] = {  # the folder says no more than this of the garment
    "upper_body": ("upper", None),
    "lower_body": ("lower", None),
    "dresses": ("dress", "dress"),
}


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The pairs of a split, category by category."""
    name = "train_pairs.txt" if wanted.split == "train" else f"test_pairs_{wanted.pairs}.txt"
    rows = list(_rows(shelf, name))
    if wanted.pairs == "unpaired":
        check_unpaired(
            [(person.partition("_")[0], garment.partition("_")[0]) for _, person, garment in rows], shelf.folder
        )
    return [_sample(shelf, *row, paired=wanted.pairs == "paired") for row in rows]


def _rows(shelf: Shelf, name: str) -> list[tuple[str, str, str]]:
    """Category, person and garment of every line."""
    found = [kind for kind in REGIONS if shelf.names(kind)]
    own = [kind for kind in found if name in shelf.names(kind)]
    if own:
        return [(kind, *row[:2]) for kind in own for row in shelf.rows(f"{kind}/{name}")]  # type: ignore[misc]
    rows = []
    for row in shelf.rows(name, *(f"{kind}/{name}" for kind in found)):
        kind = next((kind for kind in found if row[0] in shelf.names(f"{kind}/images")), None)
        if kind is None:
            shelf.missing.append(shelf.folder / "*" / "images" / row[0])
        else:
            rows.append((kind, row[0], row[1]))
    return rows


def _sample(shelf: Shelf, kind: str, person: str, garment: str, *, paired: bool) -> Sample:
    number, worn = person.rpartition("_")[0], garment.rpartition("_")[0]
    if not number or not worn:
        raise DatasetError(f"{shelf.folder / kind}: {person} {garment} are no names of DressCode (048392_0.jpg).")
    region, category = REGIONS[kind]
    photo = shelf.take(f"{kind}/images", person)
    masks = shelf.place(f"{kind}/agnostic_masks", f"{kind}/agnostic-mask")
    return Sample(
        name=f"{kind}/{number}" if paired else f"{kind}/{number}--{worn}",
        person=photo,
        garment=shelf.take(f"{kind}/images", garment),
        target=photo if paired else None,
        garment_mask=shelf.take(shelf.place(f"{kind}/cloth_mask"), f"{worn}_1.png"),
        agnostic_mask=shelf.take(masks, f"{number}_0.png", f"{number}_0_mask.png"),
        parse=shelf.take(shelf.place(f"{kind}/label_maps"), f"{number}_4.png"),
        densepose=shelf.take(shelf.place(f"{kind}/dense"), f"{number}_5.png"),
        pose=shelf.take(shelf.place(f"{kind}/keypoints"), f"{number}_2.json"),
        category=category,
        region=region,
        labels="atr",
        pose_format="dresscode",
        facts={"category": kind},
    )


def _each(name: str) -> tuple[str, ...]:
    return tuple(f"{kind}/{name}" for kind in REGIONS)


LAYOUT = Layout(
    name="dresscode",
    title="DressCode",
    expects=(
        Expected(_each("images"), "photos of people and garments", required=True),
        Expected(
            tuple(
                place
                for name in ("test_pairs_paired.txt", "test_pairs_unpaired.txt", "train_pairs.txt")
                for place in (*_each(name), name)
            ),
            "who wears what",
            required=True,
        ),
        Expected(_each("label_maps"), "label maps"),
        Expected(_each("keypoints"), "poses"),
        Expected(_each("skeletons"), "poses as pictures"),
        Expected(_each("dense"), "DensePose"),
        Expected(_each("agnostic_masks"), "agnostic masks"),
    ),
    splits=("train", "test"),
    index=index,
)
