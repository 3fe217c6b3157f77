"""`vestiary rate`: let people compare or rate pictures without knowing whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vestiary.cli import options, say


@click.command("rate")
@click.argument("folders", metavar="DIR_A [DIR_B]", type=options.PATH, nargs=-1)
@click.option(
    "--mode",
    type=click.Choice(["compare", "score"]),
    help="Which of two is better, or 1 to 5 for each.  [default: compare when there are two folders]",
)
@click.option("-o", "--output", type=options.PATH, default="votes.db", show_default=True, help="Where votes are kept.")
@click.option("--people", type=options.PATH, metavar="DIR", help="Show these photos of people besides, by name.")
@click.option("--garments", type=options.PATH, metavar="DIR", help="Show these photos of garments besides, by name.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order and the sides.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--summary", type=options.PATH, metavar="FILE", help="Print what the votes in this file say, and end.")
@options.common
def command(folders: tuple[str, ...], summary: str | None, output: str, port: int, as_json: bool, **given: Any) -> None:
    """Let people compare the pictures of two systems, or rate them from 1 to 5, on a page of this machine.

    Pictures of the same name belong together; DIR may be what `vestiary evaluate -o DIR` wrote, and then person and
    garment are shown besides. Names are hidden, order and sides are shuffled. Every vote is kept at once.

    \b
        vestiary rate paste/ embedded/ -o votes.db
        vestiary rate --summary votes.db --json
    """
    from vestiary.evaluation import rating

    if summary is not None:
        _summarize(Path(summary), as_json=as_json)
        return
    if len(folders) not in (1, 2):
        raise click.UsageError("hand in the folders with the pictures of one or two systems.")
    from vestiary.evaluation.rating_page import RatingServer

    places = [Path(folder) for folder in folders]
    mode: rating.Mode = given["mode"] or ("compare" if len(places) == 2 else "score")
    known = dict(rating.references_of(places[0]))
    for kind, folder in (("person", given["people"]), ("garment", given["garments"])):
        if folder is not None:
            known[kind] = rating.pictures_of(Path(folder))
    poll = rating.Poll(places, mode, rating.Votes(Path(output)), seed=given["seed"], references=known)
    with RatingServer(poll, port) as server:
        if as_json:
            say.data({"address": server.address, "questions": len(poll.order("")), "votes": output})
        say.words(f"open {server.address} ({len(poll.order(''))} questions; votes in {output}); stop with Ctrl-C")
        server.serve_forever()


def _summarize(path: Path, *, as_json: bool) -> None:
    from vestiary.errors import InputError
    from vestiary.evaluation import rating

    if not path.is_file():
        raise InputError(f"there is no file {path}.", hint="Hand in the file that `vestiary rate -o FILE` wrote.")
    polls = rating.summarize(rating.Votes(path))
    if as_json:
        say.data({"polls": polls})
        return
    for poll in polls:
        say.table(list(_rows(poll)))


def _rows(poll: dict[str, Any]) -> list[tuple[str, str]]:
    raters = ", ".join(f"{name} {count}" for name, count in poll["raters"].items()) or "none"
    rows = [("a", poll["a"]), ("b", poll["b"]), ("votes by rater", raters)]
    if poll["mode"] == "compare":
        rows.append(("a better, b better, ties", f"{poll['a_wins']}, {poll['b_wins']}, {poll['ties']}"))
        return [*rows, ("share for b", _said(poll["b_preferred"], 100, " %"))]
    scores = poll["mean_opinion_score"].items()
    return [*rows, *((f"mean opinion score of {name}", _said(score, 1, "")) for name, score in scores)]


def _said(estimate: dict[str, Any], factor: float, unit: str) -> str:
    if estimate["value"] is None:
        return "no votes"
    value, low, high = (None if estimate[key] is None else factor * estimate[key] for key in ("value", "low", "high"))
    between = "" if low is None else f" (95 % interval {low:.2f} to {high:.2f})"
    return f"{value:.2f}{unit}{between}"
