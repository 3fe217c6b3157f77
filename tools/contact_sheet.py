"""Fit a list of pairs and lay garment, parts and result side by side on contact sheets, to be looked at.

    python tools/contact_sheet.py --people DIR --garments DIR -o out/sheets

`tools/pairs100.csv` names 100 pairs of two freely licensed sets (see docs/data): person photo, garment photo.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import vestiary
from vestiary.person.draw import draw_parts
from vestiary.types import Garment

CELL = (220, 330)
COLUMNS, ROWS = 4, 6  # pairs on a sheet


def main() -> int:
    """Write the sheets; one line on standard error for each pair that ended without a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=Path(__file__).with_name("pairs100.csv"))
    parser.add_argument("--people", type=Path, required=True, help="folder of person photos")
    parser.add_argument("--garments", type=Path, required=True, help="folder of garment photos")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/sheets"))
    wanted = parser.parse_args()
    wanted.output.mkdir(parents=True, exist_ok=True)
    with wanted.pairs.open(newline="") as file:
        pairs = [(row["person"], row["garment"]) for row in csv.DictReader(file)]
    done = 0
    for first in range(0, len(pairs), COLUMNS * ROWS):
        sheet = Image.new("RGB", (3 * COLUMNS * CELL[0], ROWS * CELL[1]), "white")
        for place, (person, garment) in enumerate(pairs[first : first + COLUMNS * ROWS]):
            cells = fit(wanted.people / person, wanted.garments / garment, first + place)
            done += len(cells) == 3
            for column, cell in enumerate(cells):
                cell.thumbnail(CELL)
                left = (place % COLUMNS * 3 + column) * CELL[0]
                sheet.paste(cell, (left, place // COLUMNS * CELL[1]))
        sheet.save(wanted.output / f"pairs-{first:03d}.png")
    print(f"{done} of {len(pairs)} pairs ended in a picture: {wanted.output}")
    return 0


def fit(person: Path, garment: Path, number: int) -> list[Image.Image]:
    """Garment, parts and result; nothing when the pair is refused."""
    try:
        read, scanned = vestiary.read_garment(garment), vestiary.scan_person(person)
        result = vestiary.try_on(scanned, read)
    except vestiary.VestiaryError as problem:
        print(f"{number}: {person.name}, {garment.name}: {problem}", file=sys.stderr)
        return []
    return [card(read, number), Image.fromarray(draw_parts(scanned)), Image.fromarray(result.image)]


def card(garment: Garment, number: int) -> Image.Image:
    """The cut-out on pink, with its landmarks."""
    alpha = garment.alpha[..., None] / 255
    picture = Image.fromarray((garment.image * alpha + np.array([255, 225, 255]) * (1 - alpha)).astype(np.uint8))
    scale = max(1.0, max(picture.size) / max(CELL))
    picture = picture.resize((round(picture.width / scale), round(picture.height / scale)))
    pen = ImageDraw.Draw(picture)
    for x, y, confidence in garment.landmarks:
        if confidence > 0:
            pen.circle((x / scale, y / scale), 2, fill="red" if confidence > 0.4 else "blue")
    pen.text((2, 2), f"{number} {garment.category}, {garment.sleeve}, {garment.neckline}", fill="black")
    return picture


if __name__ == "__main__":
    raise SystemExit(main())
