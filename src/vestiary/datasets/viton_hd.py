"""VITON-HD (Choi et al. 2021): 11,647 + 2,032 upper bodies at 768 x 1024, each with the garment they wear.

`image/X.jpg` wears `cloth/X.jpg`: paired means the garment of the same name, unpaired the second column of the list.
Names changed between releases: `image-parse` became `image-parse-v3`, `openpose-img` became `openpose_img`.
"""

from __future__ import annotations

from pathlib import Path

from vestiary.datasets.layout import Expected, Layout, Request, Shelf, check_unpaired
from vestiary.datasets.sample import Sample

# Sample field: (sub-folders by release, file names made from the stem)
_OF_PERSON = {
    "parse": (("image-parse-v3", "image-parse"), ("{}.png",)),
    "agnostic": (("agnostic-v3.2", "agnostic"), ("{}.jpg", "{}.png")),
    "agnostic_mask": (("agnostic-mask",), ("{}_mask.png", "{}.png")),
    "densepose": (("image-densepose", "densepose"), ("{}.jpg", "{}.png")),
    "pose": (("openpose_json", "openpose-json"), ("{}_keypoints.json",)),
}


def index(shelf: Shelf, wanted: Request) -> list[Sample]:
    """The people of a split with the garments that the list, or their own name, gives them."""
    split, paired = wanted.split, wanted.pairs == "paired"
    lists = f"{split}_pairs_{wanted.pairs}.txt", f"{split}_pairs.txt", f"{split}_pairs_unpaired.txt"
    pairs = [(row[0], row[1]) for row in shelf.rows(*lists)]
    if not paired:
        check_unpaired(pairs, shelf.folder / lists[1])
    return [_sample(shelf, split, person, person if paired else garment, paired) for person, garment in pairs]


def _sample(shelf: Shelf, split: str, person: str, garment: str, paired: bool) -> Sample:
    stem, worn = person.rpartition(".")[0], garment.rpartition(".")[0]
    photo = shelf.take(f"{split}/image", person)
    more = {field: _more(shelf, split, stem, *ways) for field, ways in _OF_PERSON.items()}
    return Sample(
        name=stem if paired else f"{stem}--{worn}",
        person=photo,
        garment=shelf.take(f"{split}/cloth", garment),
        target=photo if paired else None,
        garment_mask=shelf.take(shelf.place(f"{split}/cloth-mask"), garment, f"{worn}.png"),
        category="top",
        region="upper",
        labels="cihp",
        parse=more["parse"],
        agnostic=more["agnostic"],
        agnostic_mask=more["agnostic_mask"],
        densepose=more["densepose"],
        pose=more["pose"],
    )


def _more(shelf: Shelf, split: str, stem: str, places: tuple[str, ...], names: tuple[str, ...]) -> Path | None:
    place = shelf.place(*(f"{split}/{place}" for place in places))
    return shelf.take(place, *(name.format(stem) for name in names))


def _either(name: str) -> tuple[str, ...]:
    return f"test/{name}", f"train/{name}"


LAYOUT = Layout(
    name="viton-hd",
    title="VITON-HD",
    expects=(
        Expected(_either("image"), "photos of people", required=True),
        Expected(_either("cloth"), "photos of garments", required=True),
        Expected(
            ("test_pairs.txt", "train_pairs.txt", "test_pairs_unpaired.txt", "test_pairs_paired.txt"),
            "who wears what",
            required=True,
        ),
        Expected(_either("cloth-mask"), "masks of the garments"),
        Expected((*_either("image-parse-v3"), *_either("image-parse")), "label maps"),
        Expected((*_either("agnostic-v3.2"), *_either("agnostic")), "agnostic pictures"),
        Expected(_either("agnostic-mask"), "agnostic masks"),
        Expected((*_either("openpose_json"), *_either("openpose-json")), "poses"),
        Expected((*_either("image-densepose"), *_either("densepose")), "DensePose"),
    ),
    splits=("train", "test"),
    index=index,
)
