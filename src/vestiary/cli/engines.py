"""`vestiary engines`: list the engines, also those that are not installed, and their options."""

from __future__ import annotations

from typing import Any

import click

from vestiary.cli import options, say


@click.command("engines")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@options.common
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List the engines and their options; with NAME, only these.

    \b
        vestiary engines
        vestiary engines embedded --json
    """
    from vestiary.errors import UnknownEngineError
    from vestiary.registry import list_engines

    known = list_engines()
    for name in names:
        if name not in known:
            raise UnknownEngineError(f"no engine is called {name!r}.", hint=f"Choose one of: {', '.join(known)}.")
    chosen = [describe(name) for name in names or known]
    if as_json:
        say.data(chosen)
        return
    for engine in chosen:
        _tell(engine)


def describe(name: str) -> dict[str, Any]:
    """An engine as JSON-ready data; `options` is a JSON schema, None while the engine is not installed."""
    from vestiary.registry import list_engines, load_engine

    spec = list_engines()[name]
    schema = None if spec.missing else load_engine(name).Options.model_json_schema()
    return {
        "name": name,
        "summary": spec.summary,
        "licence": spec.licence,
        "installed": not spec.missing,
        "install": spec.install,
        "needs_garment": spec.needs_garment,
        "options": schema,
    }


def _tell(engine: dict[str, Any]) -> None:
    click.echo(f"{engine['name']}: {engine['summary']} ({engine['licence']})")
    if not engine["installed"]:
        click.echo(f"  not installed; type: {engine['install']}")
        return
    context = click.Context(click.Command(engine["name"]))
    rows = [param.get_help_record(context) for param in options.engine_options(engine["name"], set())]
    formatter = click.HelpFormatter(width=100, indent_increment=2)
    with formatter.indentation():
        formatter.write_dl([row for row in rows if row is not None])
    click.echo(formatter.getvalue().rstrip())
