"""`vestiary dataset`: look a data folder through before it is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.datasets.check import Report

SHOWN = 10  # missing and broken files that are named to people; --json names all


@click.group("dataset")
def command() -> None:
    """Look data folders through: VITON-HD, DressCode, DeepFashion, and our own layouts."""


@command.command("check")
@click.argument("folder", type=options.PATH)
@click.option("--layout", default="auto", show_default=True, metavar="NAME", help="Its layout, if you know better.")
@click.option(
    "--read",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    metavar="N",
    help="Read the files of so many samples to find broken ones.",
)
@click.option("--all", "everything", is_flag=True, help="Read the files of all samples.")
@click.option("--people", type=options.PATH, metavar="DIR", help="Where a CSV's photos of people are.")
@click.option("--garments", type=options.PATH, metavar="DIR", help="Where a CSV's photos of garments are.")
@options.common
def check(
    folder: str, layout: str, read: int, everything: bool, people: str | None, garments: str | None, as_json: bool
) -> int:
    """Say which layout FOLDER has, how much is there, and which files are missing or broken.

    FOLDER may also be a CSV file of pairs. The exit code is 7 when something is missing or broken.

    \b
        vestiary dataset check VITON-HD
        vestiary dataset check DressCode --all --json > report.json
    """
    from vestiary.cli.main import EXIT_SOME_FAILED
    from vestiary.datasets import check as checks

    with say.StepLine(quiet=as_json) as line:
        report = checks.check_dataset(
            folder,
            layout=layout,
            read=None if everything else read,
            people=people,
            garments=garments,
            on_sample=lambda number, total: line(number, total, "samples read"),
        )
    if as_json:
        say.data(checks.as_data(report))
    else:
        _tell(report)
    return 0 if report.sound else EXIT_SOME_FAILED


def _tell(report: Report) -> None:
    from vestiary.datasets.check import summary

    click.echo(f"{report.folder}: {report.title} (layout {report.layout})")
    say.table([("split", "pairs", "samples", "what they have"), *summary(report)])
    for item in report.expects:
        if item["found"] is None:
            say.words(f"not there: {' or '.join(item['names'][:4])} ({item['what']})")
    broken = [f"{path}: {reason}" for path, reason in report.broken]
    for what, names in (("missing", [str(path) for path in report.missing]), ("broken", broken)):
        if names:
            say.words(f"{len(names)} {what}:")
            for name in names[:SHOWN]:
                say.words(f"  {name}")
            if len(names) > SHOWN:
                say.words(f"  and {len(names) - SHOWN} more; --json names all")
    say.words(f"{report.read} files read, {len(report.broken)} broken, {len(report.missing)} missing.")
