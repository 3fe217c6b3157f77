"""`vestiary cluster`: work for several machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.cluster.worker import Line


@click.group("cluster")
def command() -> None:
    """Fit whole catalogues, on many machines joined by Ray, or on all processors of this one.

    Needs: pip install "vestiary[ray]". For a service whose fittings are made by many machines see vestiary serve --ray.
    """


@command.command("catalogue", cls=options.EngineCommand)
@click.argument("table", metavar="PAIRS", type=options.PATH)
@click.argument("output", metavar="OUT", type=options.PATH)
@options.engine
@click.option(
    "--address",
    default="local",
    show_default=True,
    help="The Ray cluster: auto, HOST:PORT, or local for this machine alone.",
)
@click.option("--actors", type=click.IntRange(min=1), default=2, show_default=True, help="Fittings at a time, at most.")
@click.option(
    "--ending",
    type=click.Choice(["jpg", "png", "webp", "avif"]),
    default="jpg",
    show_default=True,
    help="Kind of the pictures.",
)
@click.option("--retry", is_flag=True, help="Do again what failed in an earlier run.")
@options.max_pixels
@options.common
def catalogue(
    table: str,
    output: str,
    engine: str,
    address: str,
    actors: int,
    ending: str,
    retry: bool,
    max_pixels: int,
    as_json: bool,
    **rest: Any,
) -> int:
    """Fit a table of pairs: who wears what, one picture for each row.

    PAIRS is a .csv or .parquet with the columns person and garment, and if wanted garment2 …, category, category2 …
    Paths are relative to the table's folder, or URLs. OUT, a folder that all machines share or a URL, gets the
    pictures and a manifest that says what became of each pair. After an interruption, run the same command again: no
    pair is fitted twice. A failure is noted and the rest goes on; the exit code is then 7.

    \b
        vestiary cluster catalogue pairs.parquet s3://shop/fitted --address auto --actors 64
    """
    from vestiary.cli.main import EXIT_SOME_FAILED
    from vestiary.cluster.catalogue import fit_catalogue

    done = fit_catalogue(
        table,
        output,
        engine=engine,
        options=options.engine_values(engine, rest, runs_here=False),
        ending=ending,
        actors=actors,
        address=address,
        retry=retry,
        max_pixels=max_pixels,
        on_line=None if as_json else _tell,
    )
    if as_json:
        say.data({**asdict(done), "output": output})
    else:
        say.table([(name, f"{value:g}") for name, value in asdict(done).items()])
    return EXIT_SOME_FAILED if done.failed else 0


def _tell(line: Line) -> None:
    if line.status == "failed":
        say.words(f"{line.person} in {' '.join(line.garments)}: {line.message}")
