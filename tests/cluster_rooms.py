"""A Ray cluster for the tests, on free ports and in a folder of its own, and an application with a test's engine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs: where processes join it, and where applications are deployed."""

    address: str
    dashboard: str

    def deploy(self, config: str | Path) -> None:
        """`serve deploy`, as an operator types it."""
        command = [str(BIN / "serve"), "deploy", "--address", self.dashboard, str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=_environment())
        assert done.returncode == 0, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0"}
    return {**os.environ, **own, "PYTHONPATH": str(HERE), "PATH": f"{BIN}:{os.environ['PATH']}"}


def _free_ports(number: int) -> list[int]:
    doors = [socket.socket() for _ in range(number)]
    for door in doors:
        door.bind(("127.0.0.1", 0))
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


@contextmanager
def running(cpus: int = 2) -> Iterator[Cluster]:
    """A head node, started as an operator starts it; all its processes end with it."""
    folder = tempfile.mkdtemp(prefix="vr", dir="/tmp")  # Unix sockets have short names
    port, board, client, agent = _free_ports(4)
    options = {
        "port": port,
        "dashboard-port": board,
        "ray-client-server-port": client,
        "dashboard-agent-listen-port": agent,
        "num-cpus": cpus,
        "object-store-memory": 200_000_000,
        "temp-dir": folder,
        "node-ip-address": "127.0.0.1",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    log = open(f"{folder}.log", "wb")  # noqa: SIM115
    command = [str(BIN / "ray"), "start", "--head", "--block", "--disable-usage-stats", *flags]
    node = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), start_new_session=True
    )
    try:
        _wait_for(board, node, Path(log.name))
        yield Cluster(f"127.0.0.1:{port}", f"http://127.0.0.1:{board}")
    finally:
        node.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            node.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()
        log.close()
        os.unlink(log.name)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, node: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        assert node.poll() is None, log.read_text(errors="replace")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace"))


def many(arguments: Mapping[str, str]) -> Any:
    """An application with the engine `many` of the tests, which does several at once."""
    from ray import serve

    from vestiary.cluster.replica import Replica

    class Many(Replica.func_or_class):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            from service_rooms import rooms

            from vestiary import registry

            registry.list_engines = rooms
            super().__init__(arguments["engine"])

        async def sizes(self) -> list[int]:
            import service_rooms

            return service_rooms.sizes

        async def pid(self) -> int:
            return os.getpid()

    return serve.deployment(name="Replica")(Many).bind()
