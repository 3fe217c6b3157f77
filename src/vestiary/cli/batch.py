"""`vestiary batch`: fit many pairs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.cli.pairs import Pair
    from vestiary.cli.work import Batch, Outcome


@click.command("batch", cls=options.EngineCommand)
@click.argument("sources", metavar="CSV | PEOPLE GARMENTS", type=options.PATH, nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=options.PATH, metavar="DIR", help="The folder for the pictures.")
@options.engine
@click.option(
    "--ending",
    type=click.Choice(["png", "jpg", "webp"]),
    default="png",
    show_default=True,
    help="Kind of the pictures whose name is not given in the CSV.",
)
@click.option(
    "--report", type=options.PATH, metavar="FILE", help="The report, .csv or .json.  [default: DIR/report.csv]"
)
@click.option("--redo", is_flag=True, help="Fit again what is already there.")
@options.max_pixels
@options.common
def command(
    sources: tuple[str, ...],
    output: str,
    engine: str,
    ending: str,
    report: str | None,
    redo: bool,
    max_pixels: int,
    as_json: bool,
    **rest: Any,
) -> int:
    """Fit many pairs: from a CSV, or every garment of one folder on every person of another.

    The CSV has the columns person, garment, and if wanted garment2, garment3 …, category, category2 …, output. Its
    paths are relative to its own folder, outputs to DIR.

    A pair whose picture is already there, made of the same inputs with the same options, is skipped: after an
    interruption, run the same command again. A failure is noted in the report and the batch goes on; the exit code is
    then 7.

    \b
        vestiary batch pairs.csv -o fitted/
        vestiary batch people/ garments/ -o fitted/ --report failures.json
    """
    from vestiary.cli import pairs, work
    from vestiary.cli.main import EXIT_SOME_FAILED
    from vestiary.files import check_place, make_folder

    folder = Path(output)
    if len(sources) == 1:
        wanted = pairs.from_csv(Path(sources[0]), folder, ending)
    elif len(sources) == 2:
        wanted = pairs.from_folders(Path(sources[0]), Path(sources[1]), folder, ending)
    else:
        raise click.UsageError("hand in one CSV file, or two folders: people first, garments second.")
    make_folder(folder)
    for pair in wanted:
        make_folder(pair.output.parent)
    place = Path(report) if report else folder / "report.csv"
    check_place(place)
    batch = work.Batch(engine, options.engine_values(engine, rest), redo=redo, max_pixels=max_pixels)
    outcomes: list[Outcome] = []
    try:
        for outcome in _shown(batch, wanted, quiet=as_json):
            outcomes.append(outcome)
    finally:
        work.write_report(outcomes, place)
    _tell(outcomes, place, as_json=as_json)
    return EXIT_SOME_FAILED if any(outcome.status == "failed" for outcome in outcomes) else 0


def _shown(batch: Batch, pairs: Sequence[Pair], *, quiet: bool) -> Iterator[Outcome]:
    """Run every pair behind a progress bar; failures are told at once."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=len(pairs))
        for pair in pairs:
            progress.update(task, description=pair.output.name)
            outcome = batch.run(pair)
            if outcome.status == "failed":
                console.print(f"{outcome.output}: {outcome.message}", markup=False)
            progress.advance(task)
            yield outcome


def _tell(outcomes: Sequence[Outcome], report: Path, *, as_json: bool) -> None:
    counts = Counter(outcome.status for outcome in outcomes)
    numbers = {status: counts[status] for status in ("done", "skipped", "failed")}
    if as_json:
        failures = [asdict(outcome) for outcome in outcomes if outcome.status == "failed"]
        say.data({**numbers, "report": str(report), "failures": failures})
    else:
        text = ", ".join(f"{number} {status}" for status, number in numbers.items())
        say.words(f"{text}; report: {report}")
