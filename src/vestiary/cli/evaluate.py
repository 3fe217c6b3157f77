"""`vestiary evaluate`: judge an engine, or pictures that another system made, on a list of pairs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.datasets import Dataset
    from vestiary.evaluation.maker import Maker
    from vestiary.evaluation.run import Plan, Record

PROTOCOLS = (
    "viton-hd-1024x768", "viton-hd-512x384-repaint", "dresscode-1024x768", "dresscode-512x384-repaint", "own"
)  # fmt: skip


Way = Literal["network", "rules"]
_WAYS = click.Choice(["network", "rules"])


@click.group("evaluate", invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")
@options.engine
@click.option("--results", type=options.PATH, metavar="DIR", help="Judge the finished pictures of another system.")
@click.option("--name", default="", help="What that system is called in tables.  [default: the folder's name]")
@click.option("--pairs", type=options.PATH, metavar="FILE|DIR", help="A CSV of pairs, or the folder of a data set.")
@click.option("--layout", default="auto", show_default=True, help="How that folder is laid out.")
@click.option("--split", help="Which part of it.  [default: test, where there is one]")
@click.option("--people", type=options.PATH, metavar="DIR", help="Where a CSV's photos of people are.")
@click.option("--garments", type=options.PATH, metavar="DIR", help="Where a CSV's photos of garments are.")
@click.option("--skip-missing", is_flag=True, help="Leave out pairs whose files are not there.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="own", show_default=True, help="How to judge.")
@click.option(
    "--setting",
    type=click.Choice(["paired", "unpaired"]),
    default="paired",
    show_default=True,
    help="Against a true photo, or without one.",
)
@click.option(
    "--option", "chosen", multiple=True, metavar="KEY=VALUE", help="An option of the engine; repeat for more."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pairs.")
@click.option("--networks", type=options.PATH, metavar="DIR", help="Where the networks of LPIPS, FID and KID are.")
@click.option("-o", "--output", type=options.PATH, metavar="DIR", help="Where all is kept.  [default: evaluation/…]")
@options.common
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **given: Any) -> int | None:
    """Judge an engine on a list of pairs: measures with confidence intervals, slices, failures, and a page.

    DIR then holds result.json, report.html, and a record and a picture of every pair. After an interruption run the
    same command again: it goes on where it stopped. The exit code is 7 when some pairs failed.

    \b
        vestiary evaluate --pairs VITON-HD --protocol viton-hd-1024x768 --setting unpaired
        vestiary evaluate --engine paste --pairs pairs.csv --setting unpaired -o paste/
        vestiary evaluate --results catvton/ --pairs VITON-HD --protocol viton-hd-1024x768
        vestiary evaluate compare paste/ embedded/
    """
    if ctx.invoked_subcommand is not None:
        return None
    if given["pairs"] is None:
        raise click.UsageError("--pairs is needed: a CSV of pairs, or the folder of a data set.")
    from vestiary.cli.main import EXIT_SOME_FAILED
    from vestiary.evaluation import report, run, summary

    plan = _plan(given)
    records = list(_shown(plan, run.evaluate(plan), quiet=as_json))
    result = summary.summarize(plan, records)
    written = report.write(result, plan.folder)
    if as_json:
        say.data({"files": [str(file) for file in written], **{k: v for k, v in result.items() if k != "pairs"}})
    else:
        _tell(result)
        say.words(f"written: {', '.join(str(file) for file in written)}")
    return EXIT_SOME_FAILED if result["failures"] else 0


def _plan(given: dict[str, Any]) -> Plan:
    from vestiary.errors import OptionError
    from vestiary.evaluation import protocol, standard
    from vestiary.evaluation.run import Plan
    from vestiary.files import make_folder

    wanted = protocol.get(given["protocol"])
    maker = _maker(given)
    dataset = _dataset(given)
    if wanted.layout is not None and dataset.layout != wanted.layout:
        hint = "Choose the protocol of that data, or --protocol own."
        raise OptionError(f"the protocol {wanted.name} is for {wanted.layout}, not {dataset.layout}.", hint=hint)
    networks = None if given["networks"] is None else Path(given["networks"])
    who = maker.describe()["name"]
    folder = Path(given["output"] or f"evaluation/{who}-{wanted.name}-{given['setting']}")
    found = standard.find(networks)
    return Plan(dataset, given["limit"] or 0, wanted, given["setting"], maker, found, make_folder(folder))


def _maker(given: dict[str, Any]) -> Maker:
    from vestiary.evaluation.maker import EngineMaker, FolderMaker

    if given["results"] is not None:
        return FolderMaker(Path(given["results"]), given["name"])
    values = {}
    for text in given["chosen"]:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--option {text} is not of the form KEY=VALUE.")
        values[key.strip().replace("-", "_")] = value.strip()
    return EngineMaker(given["engine"], values)


def _dataset(given: dict[str, Any]) -> Dataset:
    from vestiary.datasets import open_dataset
    from vestiary.datasets.opening import choose

    kind, place = choose(given["pairs"], given["layout"])
    split = given["split"] or ("test" if "test" in kind.splits else None)
    roots = {"people": given["people"], "garments": given["garments"]}
    return open_dataset(
        place, layout=kind.name, split=split, pairs=given["setting"], skip_missing=given["skip_missing"], **roots
    )


def _shown(plan: Plan, records: Any, *, quiet: bool) -> Any:
    """Pass the records on behind a progress bar; failures are told at once."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=len(plan.samples))
        record: Record
        for record in records:
            if record.status != "done":
                console.print(f"{record.name}: {record.status}: {record.message}", markup=False)
            progress.update(task, advance=1, description=record.name)
            yield record


def _tell(result: dict[str, Any]) -> None:
    from vestiary.evaluation.report import text_rows

    counts = result["counts"]
    failed = ", ".join(f"{counts[s]} {s}" for s in ("refused", "crashed", "unreadable") if counts[s])
    say.words(f"{counts['done']} of {counts['pairs']} pairs done" + (f"; {failed}" if failed else ""))
    say.table([("measure", "mean", "95 % interval", "pairs"), *text_rows(result)])
    for caution in result["cautions"]:
        say.words(f"note: {caution}")


@command.command("compare")
@click.argument("first", type=options.PATH)
@click.argument("second", type=options.PATH)
@options.common
def compare_command(first: str, second: str, as_json: bool) -> None:
    """Set two results against each other, pair by pair: which is better, and how surely.

    FIRST and SECOND are result files or their folders. Results of different protocols are refused.
    """
    from vestiary.evaluation.compare import compare
    from vestiary.evaluation.report import comparison_rows

    found = compare(Path(first), Path(second))
    if as_json:
        say.data(found)
        return
    names = [found[side]["system"]["name"] for side in ("first", "second")]
    if names[0] == names[1]:
        names = [f"{names[0]} (first)", f"{names[1]} (second)"]
    say.words(f"{found['pairs']} pairs that both finished; difference = {names[1]} minus {names[0]}")
    say.table([("measure", *names, "difference", "95 % interval", "better"), *comparison_rows(found, names)])


@command.command("parser")
@click.option("--data", required=True, type=options.PATH, metavar="DIR", help="Labelled photos of people.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N photos.")
@click.option("--parser", type=_WAYS, default="network", show_default=True, help="Which way of parsing.")
@options.common
def parser_command(data: str, limit: int | None, parser: Way, as_json: bool) -> None:
    """Judge the part parser on labelled photos: IoU per class, `miou`, `top_outerwear`."""
    from vestiary.evaluation.parser import evaluate_parser

    _print_scores(evaluate_parser(Path(data), limit, parser=parser), as_json=as_json)


@command.command("landmarks")
@click.option("--data", required=True, type=options.PATH, metavar="DIR", help="Photos of garments.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N photos.")
@click.option("--reader", type=_WAYS, default="network", show_default=True, help="Which way of reading garments.")
@options.common
def landmarks_command(data: str, limit: int | None, reader: Way, as_json: bool) -> None:
    """Judge garment cut-out and landmarks on the photos that were labelled by eye."""
    from vestiary.evaluation.garments import evaluate_landmarks

    _print_scores(evaluate_landmarks(Path(data), reader=reader, limit=limit), as_json=as_json)


@command.command("attributes")
@click.option("--data", required=True, type=options.PATH, metavar="DIR", help="Photos of garments.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N photos.")
@click.option("--reader", type=_WAYS, default="network", show_default=True, help="Which way of reading garments.")
@options.common
def attributes_command(data: str, limit: int | None, reader: Way, as_json: bool) -> None:
    """Judge category, sleeves and the other attributes of garments on photos."""
    from vestiary.evaluation.garments import evaluate_attributes

    _print_scores(evaluate_attributes(Path(data), reader=reader, limit=limit), as_json=as_json)


def _print_scores(scores: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say.data(scores)
    else:
        say.table(list(_flat(scores)))


def _flat(scores: dict[str, Any], prefix: str = "") -> Sequence[tuple[str, str]]:
    """Nested scores as rows of name and value."""
    rows: list[tuple[str, str]] = []
    for name, value in scores.items():
        if isinstance(value, dict):
            rows.extend(_flat(value, f"{prefix}{name}."))
        else:
            rows.append((f"{prefix}{name}", f"{value:.4f}" if isinstance(value, float) else str(value)))
    return rows
