"""PostgreSQL, Redis and an S3 server of the tests' own: in temporary folders, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def program(name: str, *elsewhere: str) -> str:
    """The path of a program, also from folders that are not in PATH; without it the test is skipped, but not in CI."""
    places = [str(path) for pattern in elsewhere for path in sorted(Path("/").glob(pattern), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        assert not os.environ.get("CI"), f"{name} is not installed"
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder that others may enter, with a name short enough for Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="vst", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Redis:
    """A Redis that keeps nothing, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"redis+unix://{self.socket}"
        self._command = [program("redis-server"), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self._command += ["--appendonly", "no", "--dir", str(folder)]
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._running = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            with socket.socket(socket.AF_UNIX) as door, contextlib.suppress(OSError):
                door.connect(str(self.socket))
                return
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None


class Postgres:
    """A PostgreSQL, on a Unix socket; it does not run as root, so root starts it as the user postgres."""

    def __init__(self, folder: Path) -> None:
        self._as = [program("runuser"), "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._folder = folder / "postgres"
        self._folder.mkdir(mode=0o777)
        self._folder.chmod(0o777)
        self._data = self._folder / "data"
        self._port = free_port()
        self.url = f"postgresql://vestiary@/postgres?host={self._folder}&port={self._port}"
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "vestiary", "--no-sync", "-E", "UTF8")

    def _run(self, name: str, *arguments: str) -> None:
        command = [*self._as, program(name, "usr/lib/postgresql/*/bin"), *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/"
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c port={self._port} -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "180", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """As when it crashes: connections are cut at once."""
        with contextlib.suppress(AssertionError):
            self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")


@contextmanager
def redis_server() -> Iterator[Redis]:
    with short_folder() as folder:
        server = Redis(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    with short_folder() as folder:
        server = Postgres(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
