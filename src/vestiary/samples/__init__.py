"""Sample people and garments that come with Vestiary, free to use; where each is from is in `LICENSES.md`.

They were drawn and rendered by the scripts in `tools/samples`; one is NASA's portrait of an astronaut.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_GARMENTS = (
    "tee_white.jpg",
    "longsleeve_striped.jpg",
    "top_vneck.png",
    "shirt_checked.jpg",
    "jacket_hooded.jpg",
    "dress_floral.jpg",
    "skirt_pleated.jpg",
    "jeans_blue.jpg",
    "shorts_sand.jpg",
    "tee_floor_phone.jpg",
    "sweater_bed_phone.jpg",
)
_PEOPLE = ("mira.jpg", "jonas.jpg", "amara.jpg", "kenji.jpg", "astronaut.jpg")
_PAIRS = (
    ("mira", ("tee_white",)),
    ("mira", ("longsleeve_striped",)),
    ("mira", ("dress_floral",)),
    ("mira", ("top_vneck", "skirt_pleated")),
    ("mira", ("sweater_bed_phone", "jeans_blue")),
    ("jonas", ("shirt_checked",)),
    ("jonas", ("tee_floor_phone",)),
    ("jonas", ("jacket_hooded",)),
    ("amara", ("tee_floor_phone", "shorts_sand")),
    ("amara", ("dress_floral",)),
    ("kenji", ("tee_white",)),
    ("kenji", ("longsleeve_striped",)),
    ("astronaut", ("shirt_checked",)),
)


def people() -> dict[str, Path]:
    """The photos of people, by name."""
    return _files(_PEOPLE)


def garments() -> dict[str, Path]:
    """The photos of garments, by name."""
    return _files(_GARMENTS)


def pairs() -> list[tuple[str, tuple[str, ...]]]:
    """Who tries on what in the demo: names of `people()` with names of `garments()`, in the order they are put on."""
    return list(_PAIRS)


def garment_facts() -> dict[str, dict[str, Any]]:
    """What is exactly known of each drawn garment, by name: category, sleeve, neckline, `size` (width, height),
    `landmarks` (x, y by the name of a `vestiary.types.Landmark`) and `outline` (a polygon of x, y), in pixels.
    """
    known: dict[str, dict[str, Any]] = json.loads((_HERE / "garments.json").read_text(encoding="utf-8"))
    return {Path(name).stem: facts for name, facts in known.items()}


def _files(names: tuple[str, ...]) -> dict[str, Path]:
    return {Path(name).stem: _HERE / name for name in names}
