"""`vestiary try`: put garments on a person."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say
from vestiary.types import CATEGORIES, READERS

if TYPE_CHECKING:
    from vestiary.types import Fitting, Garment, Person, Reader


@click.command("try", cls=options.EngineCommand)
@click.argument("person", type=options.PATH)
@click.argument("garments", metavar="GARMENT...", type=options.PATH, nargs=-1)
@click.option("-o", "--output", required=True, type=options.PATH, help="The picture: .png, .jpg, .webp, .avif or .jxl.")
@options.engine
@click.option(
    "--person", "number", type=click.IntRange(min=1), metavar="N", help="Of several people: 1 is the largest."
)
@click.option(
    "--category",
    "categories",
    type=click.Choice([*CATEGORIES, "auto"]),
    multiple=True,
    help="What the garment is, when it is not recognised; once for each garment, in their order.",
)
@click.option("--parser", type=click.Choice(READERS), default="network", help="How parts are told apart, as in `scan`.")
@click.option("--reader", type=click.Choice(READERS), default="network", help="How garments are read, as in `garment`.")
@click.option("--words/--no-words", default=True, help="Whether the attribute network has a say, as in `garment`.")
@click.option("--anonymize", is_flag=True, help="Hide the faces in the photo of the person.")
@click.option("--layers", type=options.PATH, metavar="DIR", help=options.LAYERS_HELP)
@options.max_pixels
@options.common
def command(
    person: str,
    garments: tuple[str, ...],
    output: str,
    engine: str,
    number: int | None,
    categories: tuple[str, ...],
    parser: Reader,
    reader: Reader,
    words: bool,
    anonymize: bool,
    layers: str | None,
    max_pixels: int,
    as_json: bool,
    **rest: Any,
) -> None:
    """Put one or more garments on a person.

    PERSON is a photo of the person, each GARMENT a photo of one garment: laid out, hanging, cut out, or worn by
    somebody else. Several garments are put on in their order, the last one on top. The engine diffusion needs none: a
    garment can be told in words, and a region, the background or the light be painted anew.

    \b
        vestiary try person.jpg shirt.jpg -o out.png
        vestiary try person.jpg shirt.jpg trousers.jpg -o out.png --layers steps/
    """
    from vestiary import files, images

    started = time.perf_counter()
    images.check_output(output, inputs=(person, *garments))
    if layers is not None:
        files.check_folder(layers)
    wanted = _one_for_each(garments, categories)
    options.check_garments(engine, garments)
    values = options.engine_values(engine, rest, garments=len(garments), layers=layers is not None)
    for photo in (person, *garments):
        images.check_picture(photo, max_pixels=max_pixels)
    with say.StepLine(quiet=as_json) as line:
        scan = {"person": number, "parser": parser, "max_pixels": max_pixels}
        look = {"reader": reader, "words": words, "max_pixels": max_pixels}
        scanned, read, fitting = _fit(person, wanted, engine, scan, look, values, line, anonymize=anonymize)
    written = _write_layers(layers, scanned, read, fitting)
    fitting.save(output)
    _tell(output, scanned, read, fitting, written, time.perf_counter() - started, as_json=as_json)


def _one_for_each(garments: tuple[str, ...], categories: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Each garment with its category, None where it is to be recognised."""
    if categories and len(categories) != len(garments):
        counts = f"--category is given {len(categories)} times for {len(garments)} garments"
        raise click.UsageError(f"{counts}: give it once for each; auto = recognise it.")
    known = [None if category == "auto" else category for category in categories] or [None] * len(garments)
    return list(zip(garments, known, strict=True))


def _fit(
    person: str,
    wanted: list[tuple[str, Any]],
    engine: str,
    scan: dict[str, Any],
    look: dict[str, Any],
    values: dict[str, Any],
    line: say.StepLine,
    *,
    anonymize: bool,
) -> tuple[Person, list[Garment], Fitting]:
    from vestiary.api import read_garment, scan_person, try_on

    total = len(wanted) + 1
    line(1, total, f"looking at {person}")
    scanned = scan_person(person, **scan)
    if anonymize:
        from vestiary.person.anonymize import hide_face

        scanned = replace(scanned, image=hide_face(scanned))
    read = []
    for at, (photo, category) in enumerate(wanted, 2):
        line(at, total, f"looking at {photo}")
        read.append(read_garment(photo, category=category, **look))
    return scanned, read, try_on(scanned, read, engine=engine, options=values, on_step=line)


def _write_layers(folder: str | None, person: Person, garments: list[Garment], fitting: Fitting) -> list[str]:
    if folder is None:
        return []
    from vestiary.cli import layers

    return layers.write(layers.of_fitting(person, garments, fitting), folder)


def _tell(
    output: str,
    person: Person,
    garments: list[Garment],
    fitting: Fitting,
    layers: list[str],
    took: float,
    *,
    as_json: bool,
) -> None:
    height, width = fitting.image.shape[:2]
    warnings = say.cautions(person.warnings, *(garment.warnings for garment in garments), fitting.warnings)
    if not as_json:
        for warning in warnings:
            say.words(f"note: {warning}")
        worn = ", ".join(garment.category for garment in garments)
        say.words(f"{output}: {worn or 'repainted'} on {width} x {height} pixels in {took:.2f} s")
        return
    timings = {
        "person": say.seconds(person.timings),
        "garments": [say.seconds(garment.timings) for garment in garments],
        "fitting": say.seconds(fitting.timings),
        "total": round(took, 4),
    }
    size = {"width": width, "height": height}
    answer = {"output": output, **size, "warnings": warnings, "layers": layers, "timings": timings}
    say.data({**answer, "provenance": dict(fitting.provenance)})
