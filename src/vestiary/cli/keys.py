"""`vestiary keys`: make, list and revoke API keys of a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say
from vestiary.cli.settings import DatabaseCommand, read_settings, settings_class

if TYPE_CHECKING:
    from vestiary.serve.keys import Key, Keys

_SCOPES = ("read", "write", "delete", "metrics", "page")


@click.group("keys")
def command() -> None:
    """Make, list and revoke API keys. They work at once, also while the service runs.

    \b
        vestiary keys create shop --scope read --scope write --scope delete
        vestiary keys list
        vestiary keys revoke shop
    """


@command.command("create", cls=DatabaseCommand)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    default=("read", "write", "delete"),
    show_default=True,
    help="What it may do; once for each. page: for a key in a web page; every visitor then has a room of their own.",
)
@click.option("--rate", type=click.IntRange(min=1), metavar="N", help="Requests a minute.  [default: the service's]")
@options.common
def create(name: str, scopes: tuple[str, ...], rate: int | None, as_json: bool, **parameters: Any) -> None:
    """Make a key and show it, this once: only its hash is kept."""
    with _keys(parameters) as keys:
        key, secret = keys.create(name, scopes, rate)
    if as_json:
        say.data({**_plain(key), "key": secret})
    else:
        say.words(f"Key {key.id} for {key.name}; it is not shown again:")
        click.echo(secret)


@command.command("list", cls=DatabaseCommand)
@options.common
def list_keys(as_json: bool, **parameters: Any) -> None:
    """List all keys; never the keys themselves."""
    with _keys(parameters) as keys:
        found = [_plain(key) for key in keys.all()]
    if as_json:
        say.data(found)
    elif not found:
        say.words("There are no keys. Make one: vestiary keys create NAME")
    else:
        head = ("id", "name", "scopes", "rate", "created", "used", "revoked")
        say.table([head, *([_cell(key[name]) for name in head] for key in found)])


@command.command("revoke", cls=DatabaseCommand)
@click.argument("which", metavar="ID_OR_NAME")
@options.common
def revoke(which: str, as_json: bool, **parameters: Any) -> None:
    """Make a key useless from now on. What its owner has stored expires as it would have."""
    with _keys(parameters) as keys:
        gone = keys.revoke(which)
    if as_json:
        say.data([_plain(key) for key in gone])
    else:
        for key in gone:
            say.words(f"{key.id} ({key.name}): revoked")


@contextmanager
def _keys(parameters: dict[str, Any]) -> Iterator[Keys]:
    settings_class()
    from vestiary.serve.database import Database
    from vestiary.serve.keys import Keys

    database = Database(read_settings(parameters).database_url)
    try:
        yield Keys(database)
    finally:
        database.close()


def _plain(key: Key) -> dict[str, Any]:
    """A key as JSON shows it, with times in ISO 8601."""
    told = asdict(key)
    for name in ("created", "used", "revoked"):
        if told[name] is not None:
            told[name] = datetime.fromtimestamp(told[name], UTC).isoformat(timespec="seconds")
    return told


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
