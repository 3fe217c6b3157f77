"""`vestiary demo`: fit sample garments on sample people and make a page of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say
from vestiary.cli.main import EXIT_SOME_FAILED
from vestiary.errors import InputError

if TYPE_CHECKING:
    from vestiary.cli.demo_page import Entry
    from vestiary.errors import VestiaryError
    from vestiary.types import Garment, Person


@click.command("demo", cls=options.EngineCommand)
@click.option(
    "-o", "--output", default="out/demo", show_default=True, type=options.PATH, metavar="DIR", help="Where to."
)
@options.engine
@options.common
def command(output: str, engine: str, as_json: bool, **rest: Any) -> int:
    """Fit sample garments on sample people and make a page of it: person, garment, result, layers, timings.

    The pictures come with Vestiary. The page is DIR/index.html.
    """
    from vestiary import samples
    from vestiary.cli import demo_page
    from vestiary.files import make_folder, write_file

    folder = make_folder(output)
    values = options.engine_values(engine, rest, layers=True)
    pairs = samples.pairs()
    people: dict[str, Person] = {}
    read: dict[str, Garment] = {}
    entries: list[Entry] = []
    failures: dict[str, VestiaryError] = {}
    with say.StepLine(quiet=as_json) as line:
        for number, (person, garments) in enumerate(pairs, 1):
            line(number, len(pairs), f"{person} with {', '.join(garments)}")
            name = f"{number:02d}-{person}-{'-'.join(garments)}"
            try:
                _look(person, garments, people, read)
                worn = {garment: read[garment] for garment in garments}
                entries.append(_entry(folder, name, people[person], worn, engine, values))
            except InputError as problem:
                failures[name] = problem
    page = folder / "index.html"
    write_file(page, demo_page.page(entries, failures, engine).encode())
    _tell(page, entries, failures, as_json=as_json)
    return EXIT_SOME_FAILED if failures else 0


def _tell(page: Path, entries: list[Entry], failures: dict[str, VestiaryError], *, as_json: bool) -> None:
    from vestiary.cli import demo_page

    if as_json:
        fittings = [demo_page.describe(entry) for entry in entries]
        failed = {name: problem.as_dict() for name, problem in failures.items()}
        say.data({"page": str(page.resolve()), "fittings": fittings, "failures": failed})
        return
    for name, problem in failures.items():
        say.words(f"{name}: {problem}")
    say.words(f"{len(entries)} fittings, median {demo_page.median_seconds(entries):.2f} s. Open this page:")
    click.echo(page.resolve())


def _look(person: str, garments: tuple[str, ...], people: dict[str, Person], read: dict[str, Garment]) -> None:
    """Scan and read what has not been looked at yet; the categories are given, as a shop's catalogue gives them."""
    from vestiary import samples
    from vestiary.api import read_garment, scan_person

    if person not in people:
        people[person] = scan_person(samples.people()[person])
    for garment in garments:
        if garment not in read:
            known = samples.garment_facts()[garment]["category"]
            read[garment] = read_garment(samples.garments()[garment], category=known)


def _entry(
    folder: Path, name: str, person: Person, worn: dict[str, Garment], engine: str, values: dict[str, Any]
) -> Entry:
    """Fit one pair and write its pictures."""
    from vestiary import samples
    from vestiary.api import try_on
    from vestiary.cli import demo_page, layers
    from vestiary.files import make_folder
    from vestiary.images import open_picture, save_picture

    garments = list(worn.values())
    started = time.perf_counter()
    fitting = try_on(person, garments, engine=engine, options=values)
    took = time.perf_counter() - started
    place = make_folder(folder / name)
    fitting.save(place / "result.png")
    save_picture(person.image, place / "person.jpg")
    for number, garment in enumerate(worn, 1):
        save_picture(open_picture(samples.garments()[garment]).on_white(), place / f"garment-{number}.jpg")
    steps = layers.write(layers.of_fitting(person, garments, fitting), place / "layers")
    slim = replace(fitting, layers={})  # they are on disk now
    return demo_page.Entry(name, place, person, tuple(garments), slim, took, tuple(Path(step) for step in steps))
