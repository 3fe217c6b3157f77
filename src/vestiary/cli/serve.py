"""`vestiary serve`: the HTTP service on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vestiary.cli import options, say
from vestiary.cli.settings import SettingsCommand, read_settings
from vestiary.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    import socket

    from vestiary.serve.keys import Keys
    from vestiary.serve.settings import Settings


@click.command("serve", cls=SettingsCommand)
@click.option("--verbose", is_flag=True, help="Log each request: method, route, status, time; never who or what.")
@options.common
def command(as_json: bool, verbose: bool, **parameters: Any) -> None:
    """Run the service: programs send photos over HTTP and get pictures of people in other clothes. Ctrl+C stops it.

    \b
        vestiary serve
        vestiary serve --studio --port 8080
        vestiary serve --host 0.0.0.0 --database postgresql://user@db/vestiary --storage s3://bucket/vestiary

    Without --host only programs on this machine reach it, and need no key; for others, make keys: vestiary keys create.
    Each option can also come from the environment: VESTIARY_PORT=8080.
    """
    run(read_settings(parameters), as_json=as_json, verbose=verbose)


def run(settings: Settings, *, as_json: bool = False, verbose: bool = False) -> None:
    """Serve until stopped; `settings` as given by `read_settings`.

    Raises:
        MissingExtraError: the extra `serve` is not installed.
        OptionError: several processes cannot have one port of gRPC.
        OutputError: the address cannot be listened on.
        UnavailableError: the database or the storage cannot be reached.
    """
    try:
        from vestiary.serve import server
        from vestiary.serve.app import create_app
        from vestiary.serve.finish import check_signing
        from vestiary.serve.keys import Keys
        from vestiary.serve.processes import Processes
        from vestiary.serve.service import Service
    except ImportError:
        raise MissingExtraError("the service is not installed.", hint='Type: pip install "vestiary[serve]"') from None
    if settings.processes > 1 and settings.grpc_port is not None:
        hint = "Leave --processes out, or start another vestiary serve for gRPC on the same database and storage."
        raise OptionError("gRPC is served by a single process.", hint=hint)
    with server.listen(settings.host, settings.port) as door:
        address = _address(settings, door)
        if settings.processes > 1:
            check_signing(settings)
            service = Service(settings)  # so that what is wrong is told once, here
            _tell(Keys(service.database), settings, address, as_json=as_json)
            service.close()
            raise SystemExit(Processes(settings, door, verbose=verbose).run())
        app = create_app(settings)
        _tell(app.state.keys, settings, address, as_json=as_json)
        server.run(app, door, verbose=verbose)


def _address(settings: Settings, door: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{door.getsockname()[1]}"


def _tell(keys: Keys, settings: Settings, address: str, *, as_json: bool) -> None:
    if as_json:
        say.data({"address": address, "keys": settings.needs_keys, "studio": settings.studio})
        return
    say.words(f"Vestiary listens on {address}" + ("  (the studio is the page there)" if settings.studio else ""))
    if not settings.needs_keys:
        if not settings.is_local:
            say.words("note: everybody who reaches this address may use it: keys are off.")
        return
    if not any(key.revoked is None for key in keys.all()):
        place = f" --database {settings.database}" if settings.database else ""
        say.words("Callers need a key, and there is none yet. Make the first one in another terminal:")
        say.words(f"  vestiary keys create NAME --scope read --scope write --scope delete{place}")
