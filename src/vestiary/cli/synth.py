"""`vestiary synth`: render paired pictures of people who never were."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.synth.store import Order


@click.command("synth")
@click.option("--count", type=click.IntRange(1, 999_999), default=20, show_default=True, help="How many items.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Another seed, other people."
)
@click.option("--size", default="768x1024", show_default=True, metavar="WxH", help="Size of all pictures, in pixels.")
@click.option("-o", "--output", required=True, type=options.PATH, metavar="DIR", help="The folder for the data set.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes.")
@click.option("--resume", is_flag=True, help="Go on with a folder that holds part of this data set.")
@click.option("--force", is_flag=True, help="Use a folder that is not empty and make everything anew.")
@options.common
def command(
    count: int, seed: int, size: str, output: str, workers: int, resume: bool, force: bool, as_json: bool
) -> None:
    """Render pairs: the same person in garment A and in garment B, flat garments, and exact ground truth.

    Parts, depth, pose, landmarks and correspondence come with every picture; docs/data/synthetic.md describes them. The
    same seed gives the same bytes. After an interruption run the same command with --resume.

    \b
        vestiary synth --count 200 --seed 1 --size 768x1024 -o pairs/
    """
    from vestiary.synth import store

    if resume and force:
        raise click.UsageError("--resume and --force exclude each other.")
    order, folder, started = store.Order(count, seed, store.parse_size(size)), Path(output), time.perf_counter()
    numbers = store.begin(order, folder, resume=resume, force=force)
    for _ in _shown(order, folder, numbers, workers, quiet=as_json):
        pass
    manifest = store.finish(order, folder)
    took = time.perf_counter() - started
    if as_json:
        size_on_disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        say.data({"output": output, "manifest": str(manifest), "items": count, "made": len(numbers),
                  "seconds": round(took, 2), "bytes": size_on_disk, "command": order.command})  # fmt: skip
    else:
        say.words(f"{len(numbers)} of {count} items made in {took:.0f} s; manifest: {manifest}")


def _shown(order: Order, folder: Path, numbers: list[int], workers: int, *, quiet: bool) -> Iterator[int]:
    """Make the items behind a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from vestiary.synth import store

    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as progress:
        task = progress.add_task("rendering", total=len(numbers))
        for number in store.make_items(order, folder, numbers, workers=workers):
            progress.advance(task)
            yield number
