"""The threads that do fittings: they take them from the queue, have them made, and never die of it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vestiary.errors import VestiaryError
from vestiary.serve.board import LOOK
from vestiary.serve.jobs import LONGEST_BACKOFF, Job, Maker
from vestiary.serve.queue import LEASE_SECONDS, Order, Queue

if TYPE_CHECKING:
    from vestiary.serve.board import Board
    from vestiary.serve.engines import Engines
    from vestiary.serve.memory import Memory
    from vestiary.serve.settings import Settings
    from vestiary.serve.store import Store
    from vestiary.serve.wardrobe import Wardrobe

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.25  # how often an idle thread looks for work that another process accepted
BEAT_SECONDS = 0.5  # how often leases are renewed and cancellations by other processes are seen
RECOVER_SECONDS = LEASE_SECONDS / 3
_STOP_SECONDS = 2.0  # that an engine gets for its next step when it is asked to stop


class Runner:
    """The workers of this process."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        wardrobe: Wardrobe,
        store: Store,
        memory: Memory,
        board: Board,
        engines: Engines,
    ) -> None:
        self._settings, self._queue, self._board, self._engines = settings, queue, board, engines
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._asked = 0
        self._closing, self._closes = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._beat = threading.Thread(target=self._keep_alive, name="vestiary-heart", daemon=True)
        self._ended = threading.Event()
        self._maker = Maker(settings, queue, wardrobe, store, memory, board, engines, self._ended)

    def start(self) -> None:
        """Begin to work."""
        names = [f"vestiary-worker-{number}" for number in range(self._settings.workers)]
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        for thread in (self._beat, *self._threads):
            thread.start()

    def close(self) -> None:
        """Take nothing more; what has begun may finish within the time for it, the rest goes back into the queue.

        Whoever calls this while another does waits for the same end; after it nothing happens any more.
        """
        self._closing.set()
        self.wake()
        with self._closes:
            if not self._ended.is_set():
                self._end()

    def _end(self) -> None:
        self._join(self._settings.drain_seconds)
        with self._lock:
            left = dict(self._jobs)
        for job in left.values():
            job.dropped = True
            job.stop.set()
        self._join(_STOP_SECONDS)
        self._ended.set()
        if self._beat.is_alive():
            self._beat.join(_STOP_SECONDS)
        with contextlib.suppress(VestiaryError):
            self._queue.release()  # of engines that do not stop when they are asked to
        with self._lock:
            self._jobs.clear()
        for id in left:
            self._board.post(id, LOOK)

    def _join(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))

    @property
    def seconds_each(self) -> float:
        """Seconds of one fitting, as measured lately."""
        return self._maker.seconds_each

    @property
    def done(self) -> int:
        """How many fittings were made here."""
        return self._maker.done

    @property
    def failed(self) -> int:
        """How many could not be made."""
        return self._maker.failed

    @property
    def is_alive(self) -> bool:
        """Whether all threads run."""
        return self._beat.is_alive() and all(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """There is work."""
        with self._news:
            self._asked += 1
            self._news.notify_all()

    def running(self) -> int:
        """How many fittings are under way here."""
        return len(self._jobs)

    def runs(self, id: str) -> bool:
        """Whether this fitting is under way here."""
        return id in self._jobs

    def stop(self, ids: Sequence[str]) -> None:
        """Stop these fittings at their next step."""
        for id in ids:
            job = self._jobs.get(id)
            if job is not None:
                job.stop.set()
            self._board.post(id, LOOK)

    def _work(self) -> None:
        backoff = 0.25
        while not self._closing.is_set():
            asked = self._asked
            try:
                orders = self._claim()
                if not orders:
                    self._sleep(asked)
                    continue
                self._do([self._begin(order) for order in orders])
                backoff = 0.25
            except Exception as problem:
                known = isinstance(problem, VestiaryError)
                logger.warning("a worker waits %.1f s: %s", backoff, problem, exc_info=None if known else problem)
                self._closing.wait(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _sleep(self, asked: int) -> None:
        with self._news:
            self._news.wait_for(lambda: self._asked != asked or self._closing.is_set(), IDLE_SECONDS)

    def _claim(self) -> list[Order]:
        """What to do next; where an engine does several at once, after a short wait for others to join."""
        first = self._queue.peek()
        if first is None:
            return []
        engine, created = first
        left = created + self._settings.batch_wait_ms / 1000 - time.time()
        if left > 0 and self._most(engine, 2**31) > 1:
            self._closing.wait(left)
        return self._queue.claim(self._most)

    def _most(self, name: str, number: int) -> int:
        """How many fittings to take at once: an engine without `fit_many` gains nothing from more than one, and other
        workers would stand idle; one with it may prefer certain sizes.
        """
        try:
            engine = self._engines.get(name)
        except VestiaryError:
            return 1
        if not hasattr(engine, "fit_many"):
            return 1
        number = min(number, self._settings.batch_size)
        return max((size for size in getattr(engine, "batch_sizes", ()) if size <= number), default=number)

    def _begin(self, order: Order) -> Job:
        job = Job(order, timings={"queue": max(time.time() - order.created, 0.0)})
        with self._lock:
            self._jobs[order.id] = job
        self._board.post(order.id, job.progress)
        return job

    def _do(self, jobs: Sequence[Job]) -> None:
        try:
            self._maker.make(jobs)
        finally:
            with self._lock:
                for job in jobs:
                    if self._jobs.get(job.order.id) is job:  # one that went back may run again in another thread
                        del self._jobs[job.order.id]

    def _keep_alive(self) -> None:
        recovered = 0.0
        while not self._ended.wait(BEAT_SECONDS):
            try:
                with self._lock:
                    jobs = dict(self._jobs)
                if jobs:
                    progress = {id: job.progress.model_dump() for id, job in jobs.items()}
                    for id in self._queue.renew(progress):
                        jobs[id].stop.set()
                if time.monotonic() - recovered > RECOVER_SECONDS:
                    recovered = time.monotonic()
                    if self._queue.recover():
                        self.wake()
            except Exception as problem:
                logger.warning("the queue cannot be kept alive: %s", problem)
