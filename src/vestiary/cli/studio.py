"""`vestiary studio`: the fitting room in the browser, with the service behind it on this machine."""

from __future__ import annotations

import importlib.util
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from vestiary.evaluation.rating import Mode
    from vestiary.serve.server import Server

HOST = "127.0.0.1"
_NEEDED = ("fastapi", "uvicorn", "websockets", "sqlalchemy", "pydantic_settings")


@click.command("studio")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="If it is taken, a free one."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--rate",
    "folders",
    type=options.PATH,
    multiple=True,
    metavar="DIR",
    help="Let visitors rate the pictures of a system from 1 to 5 at #/rate; given twice, compare those of two blindly.",
)
@click.option("--votes", type=options.PATH, default="votes.db", show_default=True, help="Where votes are kept.")
@options.common
def command(port: int, no_browser: bool, folders: tuple[str, ...], votes: str, as_json: bool, **_: Any) -> None:
    """Open the fitting room in the browser: your photo, clothes from the wall, the picture at once.

    Everything stays on this machine; photos are deleted after a day. Stop with Ctrl-C.

    \b
        vestiary studio
        vestiary studio --port 0 --no-browser --json
        vestiary studio --rate paste/ --rate embedded/ --votes votes.db
    """
    require_extra()
    from vestiary.serve.app import create_app
    from vestiary.serve.server import Server, config
    from vestiary.serve.settings import Settings

    with listen(port) as listening:
        chosen = int(listening.getsockname()[1])
        address = f"http://{HOST}:{chosen}/"
        own: dict[str, Any] = {"host": HOST, "port": chosen, "studio": True}  # the rest from the environment
        app = create_app(Settings(**own))
        if folders:
            _add_rating(app, folders, Path(votes))
        server = Server(config(app, verbose=False), app)
        words = {"address": address, "rating": f"{address}#/rate" if folders else None}
        threading.Thread(target=_when_open, args=(server, words, not no_browser, as_json), daemon=True).start()
        server.run(sockets=[listening])


def require_extra() -> None:
    """Nothing, when what the service needs is installed.

    Raises:
        MissingExtraError: it is not; the message has the pip line.
    """
    from vestiary.errors import MissingExtraError

    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"the studio needs {', '.join(missing)}.", hint="Type: pip install 'vestiary[serve]'")


def listen(port: int) -> socket.socket:
    """A listening socket of this machine alone, on the port or, where that is taken, on a free one."""
    from vestiary.errors import OutputError
    from vestiary.serve import server

    try:
        return server.listen(HOST, port)
    except OutputError:
        return server.listen(HOST, 0)


def _add_rating(app: FastAPI, folders: tuple[str, ...], votes: Path) -> None:
    from vestiary.evaluation.rating import Poll, Votes, references_of
    from vestiary.studio.routes import rating_routes

    if len(folders) > 2:
        raise click.UsageError("hand in one folder to rate, or two to compare: --rate DIR_A --rate DIR_B.")
    places = [Path(folder) for folder in folders]
    mode: Mode = "compare" if len(places) == 2 else "score"
    rating_routes(app, Poll(places, mode, Votes(votes), references=references_of(places[0])))


def _when_open(server: Server, words: dict[str, str | None], browser: bool, as_json: bool) -> None:
    """Say where the page is, and open it, once it can be opened."""
    while not server.started:
        if server.should_exit:
            return
        time.sleep(0.02)
    if as_json:
        say.data(words)
    else:
        say.words(f"the studio is at {words['address']}; stop with Ctrl-C")
    if browser:
        import webbrowser

        webbrowser.open(str(words["address"]))
