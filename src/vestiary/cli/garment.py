"""`vestiary garment`: show what is seen in a photo of a garment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say
from vestiary.types import CATEGORIES, READERS

if TYPE_CHECKING:
    from vestiary.types import Category, Garment, Reader


@click.command("garment")
@click.argument("photo", type=options.PATH)
@click.option("-o", "--output", type=options.PATH, help="Draw what is seen into this picture: .png, .jpg or .webp.")
@click.option("--category", type=click.Choice(CATEGORIES), help="What it is, when it is not recognised.")
@click.option("--reader", type=click.Choice(READERS), default="network", help="rules: the baseline without networks.")
@click.option("--words/--no-words", default=True, help="Whether the attribute network has a say.")
@click.option("--layers", type=options.PATH, metavar="DIR", help=options.LAYERS_HELP)
@options.max_pixels
@options.common
def command(
    photo: str,
    output: str | None,
    category: Category | None,
    reader: Reader,
    words: bool,
    layers: str | None,
    max_pixels: int,
    as_json: bool,
) -> None:
    """Show what is seen in a photo of a garment: cut-out, category, landmarks, sleeves, neckline, pattern, colours.

    \b
        vestiary garment shirt.jpg -o card.png
        vestiary garment shirt.jpg --json > shirt.json
    """
    from vestiary import files, images
    from vestiary.api import read_garment

    if output is not None:
        images.check_output(output, inputs=[photo])
    if layers is not None:
        files.check_folder(layers)
    garment = read_garment(photo, category=category, reader=reader, words=words, max_pixels=max_pixels)
    if output is not None:
        from vestiary.garment.draw import garment_card

        images.save_picture(garment_card(garment), output)
    written = _write_layers(layers, garment)
    if as_json:
        say.data({**describe(garment), "output": output, "layers": written})
    else:
        _tell(garment, output)


def _write_layers(folder: str | None, garment: Garment) -> list[str]:
    if folder is None:
        return []
    from vestiary.cli import layers

    return layers.write(layers.of_garment(garment), folder)


def describe(garment: Garment) -> dict[str, Any]:
    """A garment as JSON-ready data; landmarks are (x, y, confidence) in pixels of the upright cut-out."""
    from vestiary.types import LANDMARKS_OF

    height, width = garment.image.shape[:2]
    found = [mark for mark in LANDMARKS_OF[garment.category] if garment.landmarks[mark, 2] > 0]
    return {
        "width": width,
        "height": height,
        "category": garment.category,
        "scores": {name: round(float(score), 4) for name, score in garment.scores.items()},
        "sleeve": garment.sleeve,
        "neckline": garment.neckline,
        "pattern": garment.pattern,
        "length": garment.length,
        "worn": garment.worn,
        "colour_names": list(garment.colour_names),
        "colours": [_colour(rgb, share) for rgb, share in garment.colours],
        "embedding": None if garment.embedding is None else garment.embedding.astype(float).round(5).tolist(),
        "landmarks": {mark.name.lower(): garment.landmarks[mark].astype(float).round(3).tolist() for mark in found},
        "warnings": list(garment.warnings),
        "timings": say.seconds(garment.timings),
        "sha256": garment.source,
    }


def _colour(rgb: tuple[int, int, int], share: float) -> dict[str, Any]:
    from vestiary.garment.colours import lab_of, name_of

    lab = [round(float(value), 1) for value in lab_of(rgb)]
    return {"rgb": [int(c) for c in rgb], "lab": lab, "name": name_of(rgb), "share": round(float(share), 4)}


def _tell(garment: Garment, output: str | None) -> None:
    score = garment.scores.get(garment.category, 1.0)
    colours = ", ".join(f"#{r:02x}{g:02x}{b:02x} {share:.0%}" for (r, g, b), share in garment.colours)
    rows = [
        ("category", f"{garment.category} ({score:.0%})"),
        ("sleeve", garment.sleeve),
        ("neckline", garment.neckline),
        ("pattern", garment.pattern),
        ("length", garment.length),
    ]
    colours = f"{', '.join(garment.colour_names)}: {colours}" if colours else ""
    rows += [("worn", "yes" if garment.worn else "no"), ("colours", colours or "-")]
    say.table([*rows, ("seconds", f"{sum(garment.timings.values()):.2f}")])
    for warning in garment.warnings:
        say.words(f"note: {warning}")
    if output is not None:
        say.words(f"{output}: written")
