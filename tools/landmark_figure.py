"""Draw docs/pictures/landmarks.png: the landmark scheme on a pattern of each category.

python tools/landmark_figure.py -o docs/pictures/landmarks.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vestiary.training.patterns import Pattern, draw_pattern
from vestiary.types import LANDMARKS_OF, Category, Landmark

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL, EDGE, COLUMNS = (520, 560), 70, 3
INK, GREY, PALE, PAPER = (32, 34, 38), (122, 126, 134), (226, 228, 232), (255, 255, 255)
INSIDE = (200, 203, 210)
LEFT, RIGHT, MIDDLE = (214, 64, 84), (38, 110, 214), (200, 120, 10)
DRAWN: tuple[tuple[Category, dict[str, str], int], ...] = (  # category, what is asked for, seed
    ("top", {"sleeve": "long", "neckline": "round", "opening": "none"}, 21),
    ("outerwear", {"sleeve": "long", "neckline": "collar", "opening": "zip"}, 6),
    ("dress", {"sleeve": "none", "neckline": "v", "opening": "none"}, 21),
    ("skirt", {}, 3),
    ("trousers", {}, 27),
    ("shorts", {}, 8),
)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draw the landmark scheme.")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/pictures/landmarks.png"))
    chosen = parser.parse_args()
    rows = -(-len(DRAWN) // COLUMNS)
    page = Image.new("RGB", (CELL[0] * COLUMNS, CELL[1] * rows), PAPER)
    for place, (category, wanted, seed) in enumerate(DRAWN):
        pattern = draw_pattern(np.random.default_rng(seed), category, crumpled=0, **wanted)  # type: ignore[arg-type]
        page.paste(cell(pattern), (place % COLUMNS * CELL[0], place // COLUMNS * CELL[1]))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    page.save(chosen.output, optimize=True)


def cell(pattern: Pattern) -> Image.Image:
    """One pattern with its landmarks named."""
    image = Image.new("RGB", CELL, PAPER)
    pen = ImageDraw.Draw(image)
    x0, y0, x1, y1 = pattern.bounds()
    scale = min((CELL[0] - 2 * EDGE - 60) / (x1 - x0), (CELL[1] - 2 * EDGE) / (y1 - y0))
    shift = np.array(CELL) / 2 + (0, 14) - scale * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    for piece in pattern.pieces:
        line = [tuple(point) for point in piece.outline * scale + shift]
        pen.polygon(line, fill=INSIDE if piece.kind == "inside" else PALE, outline=GREY)
    for mark in LANDMARKS_OF[pattern.category]:
        if mark in pattern.landmarks:
            _landmark(pen, mark, pattern.landmarks[mark] * scale + shift)
    pen.text((14, 10), pattern.category, fill=INK, font=ImageFont.load_default(20))
    return image


def _landmark(pen: ImageDraw.ImageDraw, mark: Landmark, place: NDArray[np.float64]) -> None:
    left, right = mark.name.endswith("_LEFT"), mark.name.endswith("_RIGHT")
    colour = LEFT if left else RIGHT if right else MIDDLE
    x, y = (float(value) for value in place)
    pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
    name = mark.name.removesuffix("_LEFT").removesuffix("_RIGHT").lower().replace("_", " ")
    anchor = "lm" if left else "rm" if right else "mt"
    shift = {"mt": (0, 7), "lm": (7, 0), "rm": (-7, 0)}[anchor]
    pen.text((x + shift[0], y + shift[1]), name, fill=colour, font=ImageFont.load_default(11), anchor=anchor)


if __name__ == "__main__":
    main()
