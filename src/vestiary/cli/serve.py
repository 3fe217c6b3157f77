"""`vestiary serve`: the HTTP service on this machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say
from vestiary.cli.settings import SettingsCommand, read_settings
from vestiary.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from vestiary.serve.settings import Settings

_BACKLOG = 256


@click.command("serve", cls=SettingsCommand)
@click.option("--verbose", is_flag=True, help="Log each request: method, route, status, time; never who or what.")
@options.common
def command(as_json: bool, verbose: bool, **parameters: Any) -> None:
    """Serve people, garments and fittings over HTTP and WebSocket, until it is stopped (Ctrl+C).

    \b
        vestiary serve
        vestiary serve --studio --port 8080
        vestiary serve --host 0.0.0.0 --database postgresql://user@db/vestiary --storage s3://bucket/vestiary

    Bound to this machine only, it asks for no key. Each setting can also come from the environment: VESTIARY_PORT.
    """
    run(read_settings(parameters), as_json=as_json, verbose=verbose)


def run(settings: Settings, *, as_json: bool = False, verbose: bool = False) -> None:
    """Serve until stopped; `settings` as given by `read_settings`.

    Raises:
        MissingExtraError: the extra `serve` is not installed.
        OutputError: the address cannot be listened on.
        UnavailableError: the database or the storage cannot be reached.
    """
    try:
        import uvicorn

        from vestiary.serve.app import create_app
    except ImportError:
        raise MissingExtraError("the service is not installed.", hint='Type: pip install "vestiary[serve]"') from None
    with listen(settings.host, settings.port) as door:
        app = create_app(settings)
        address = _address(settings, door)
        _tell(app, settings, address, as_json=as_json)
        uvicorn.Server(config(app, settings, verbose=verbose)).run(sockets=[door])


def config(app: FastAPI, settings: Settings, *, verbose: bool) -> uvicorn.Config:
    """How uvicorn runs: its own access log is off, since it would write ids, queries and addresses."""
    import uvicorn

    return uvicorn.Config(
        app,
        log_config=_logging(verbose),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_seconds) + 1,
        timeout_keep_alive=15,
        ws_max_size=2**22,
        h11_max_incomplete_event_size=64 * 1024,
    )


def listen(host: str, port: int) -> socket.socket:
    """The socket on which the service listens.

    Raises:
        OutputError: the address is taken, or none of this machine's.
    """
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, socket.SOCK_STREAM)
    except OSError as problem:
        raise OutputError(f"{host} is no address of this machine: {problem}.", hint="Give another --host.") from None
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(place)
        door.listen(_BACKLOG)
    except OSError as problem:
        door.close()
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(f"{host}:{port} cannot be listened on: {reason}.", hint="Give another --port.") from None
    return door


def _address(settings: Settings, door: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{door.getsockname()[1]}"


def _tell(app: FastAPI, settings: Settings, address: str, *, as_json: bool) -> None:
    if as_json:
        say.data({"address": address, "keys": settings.needs_keys, "studio": settings.studio})
        return
    say.words(f"Vestiary listens on {address}" + ("  (the studio is the page there)" if settings.studio else ""))
    if not settings.needs_keys:
        if not settings.is_local:
            say.words("note: everybody who reaches this address may use it: keys are off.")
        return
    if not any(key.revoked is None for key in app.state.keys.all()):
        place = f" --database {settings.database}" if settings.database else ""
        say.words("Callers need a key, and there is none yet. Make the first one in another terminal:")
        say.words(f"  vestiary keys create NAME --scope read --scope write --scope delete{place}")


def _logging(verbose: bool) -> dict[str, Any]:
    """What is written on standard error: faults and warnings; requests only when asked for."""
    plain = {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    handler = {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}
    levels = {"uvicorn": "WARNING", "vestiary": "WARNING", "vestiary.access": "INFO" if verbose else "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": plain},
        "handlers": {"plain": handler},
        "loggers": {
            name: {"handlers": ["plain"], "level": level, "propagate": False} for name, level in levels.items()
        },
    }
