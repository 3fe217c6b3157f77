"""Several processes behind one address: each has an interpreter of its own; queue, database and storage are shared."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

from vestiary.errors import VestiaryError

METRICS = "PROMETHEUS_MULTIPROC_DIR"  # where the processes count together; prometheus_client reads it when imported

if TYPE_CHECKING:
    from vestiary.serve.settings import Settings

logger = logging.getLogger(__name__)
CANNOT_START = 3  # exit code, as uvicorn has it
_LONGEST_END = 15.0  # seconds after `drain_seconds` after which a process that was stopped is killed
_PAUSE = 1.0  # seconds before one that died is replaced, so that one that always dies keeps no core busy


def share_of(settings: Settings) -> Settings:
    """What one of the processes gets: its part of the workers and of the memory for prepared people."""
    count = settings.processes
    workers = -(-settings.workers // count)
    return settings.model_copy(update={"processes": 1, "workers": workers, "cache_mb": settings.cache_mb // count})


class Processes:
    """The processes of a service; one that dies is replaced.

    A stop (SIGTERM, Ctrl+C) is passed on to all, which end in good order; a second one ends them at once. They also end
    when this process dies.
    """

    def __init__(self, settings: Settings, door: socket.socket, *, verbose: bool = False) -> None:
        self._count = settings.processes
        self._given = (share_of(settings), door, verbose)
        self._running: list[SpawnProcess] = []
        self._stopping = False
        self._patience = settings.drain_seconds + _LONGEST_END  # each ends by itself before that
        self._until = math.inf

    def run(self) -> int:
        """Serve until stopped. Returns the exit code: 0 after a stop, 1 when a process could not start."""
        with tempfile.TemporaryDirectory(prefix="vestiary-metrics-") as folder:
            os.environ[METRICS] = folder
            return self._run()

    def _run(self) -> int:
        before = {sig: signal.signal(sig, self._stop) for sig in (signal.SIGTERM, signal.SIGINT)}
        failed = False
        try:
            for _ in range(self._count):
                self._start()
            while self._running and time.monotonic() < self._until:
                for sentinel in wait([process.sentinel for process in self._running], timeout=1.0):
                    failed |= not self._ended(sentinel)
                    if failed and not self._stopping:
                        self._stop(signal.SIGTERM)
        finally:
            for process in self._running:
                process.kill()
            for sig, handler in before.items():
                signal.signal(sig, handler)
        return int(failed)

    def _start(self) -> None:
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=self._given)
        process.start()
        self._running.append(process)
        if self._stopping:  # asked to while it was started
            process.terminate()

    def _ended(self, sentinel: Any) -> bool:
        """Replace the process that ended, unless all are to stop; False if it could not even start."""
        process = next(one for one in self._running if one.sentinel == sentinel)
        self._running.remove(process)
        process.join()
        if self._stopping:
            return True
        if process.exitcode == CANNOT_START:
            return False
        logger.warning("a process of the service ended with code %s and is replaced", process.exitcode)
        time.sleep(_PAUSE)
        if not self._stopping:
            self._start()
        return True

    def _stop(self, sig: int, frame: Any = None) -> None:
        if not self._stopping:
            self._until = time.monotonic() + self._patience
        self._stopping = True
        for process in self._running:
            process.terminate()


def _serve(settings: Settings, door: socket.socket, verbose: bool) -> None:
    """One of the processes, in a group of its own: Ctrl+C in a terminal reaches the parent alone, which tells it."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    threading.Thread(target=_end_with_parent, name="vestiary-parent", daemon=True).start()
    from vestiary.serve import server
    from vestiary.serve.app import create_app

    try:
        app = create_app(settings)
    except VestiaryError as problem:
        logger.error("a process of the service cannot start: %s", problem)
        sys.exit(CANNOT_START)
    server.run(app, door, verbose=verbose)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    signal.raise_signal(signal.SIGTERM)
