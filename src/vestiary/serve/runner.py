"""The threads that do fittings: they take them from the queue, run the engine, keep the result, and never die of it."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vestiary import values
from vestiary.api import check_options
from vestiary.errors import Cancelled, EngineError, OutputError, UnavailableError, VestiaryError
from vestiary.serve import checks
from vestiary.serve.board import LOOK
from vestiary.serve.queue import LEASE_SECONDS, Order, Queue
from vestiary.serve.records import Progress
from vestiary.serve.wardrobe import folder_of

if TYPE_CHECKING:
    from vestiary.registry import Engine
    from vestiary.serve.board import Board
    from vestiary.serve.engines import Engines
    from vestiary.serve.memory import Memory
    from vestiary.serve.settings import Settings
    from vestiary.serve.store import Store
    from vestiary.serve.wardrobe import Wardrobe
    from vestiary.types import Fitting, Garment, Picture

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.25  # how often an idle thread looks for work that another process accepted
BEAT_SECONDS = 0.5  # how often leases are renewed and cancellations by other processes are seen
RECOVER_SECONDS = LEASE_SECONDS / 3
LONGEST_BACKOFF = 15.0
_STOP_SECONDS = 2.0  # that an engine gets for its next step when it is asked to stop


@dataclass(eq=False)
class Job:
    """A fitting under way in this process.

    Attributes:
        stop: set to stop it at its next step.
        dropped: it goes back into the queue when it stops.
        timings: seconds of the steps around the engine.
        prepared: the engine's steps that belong to the person alone; they are told as "prepare".
    """

    order: Order
    stop: threading.Event = field(default_factory=threading.Event)
    dropped: bool = False
    progress: Progress = field(default_factory=Progress)
    timings: dict[str, float] = field(default_factory=dict)
    prepared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Task:
    """What an engine's `fit_many` gets, once per fitting: the arguments of `fit`."""

    prepared: Any
    garments: Sequence[Garment]
    options: Any
    on_step: Any


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
        self._settings, self._queue, self._wardrobe = settings, queue, wardrobe
        self._store, self._memory, self._board, self._engines = store, memory, board, engines
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._asked = 0
        self._closing, self._closes = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._beat = threading.Thread(target=self._keep_alive, name="vestiary-heart", daemon=True)
        self._ended = threading.Event()
        self.seconds_each = 1.0  # of one fitting, as measured lately
        self.done = self.failed = 0

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
        started = time.perf_counter()
        try:
            if len(jobs) == 1:
                self._settle(jobs[0], lambda: self._fit(jobs[0]))
            else:
                self._fit_many(jobs)
        finally:
            with self._lock:
                for job in jobs:
                    self._jobs.pop(job.order.id, None)
            self.seconds_each += 0.2 * ((time.perf_counter() - started) / len(jobs) - self.seconds_each)

    def _settle(self, job: Job, make: Any) -> None:
        """Make a fitting and keep it, or keep why there is none."""
        id = job.order.id
        try:
            fitting = make()
            if isinstance(fitting, Exception):
                raise fitting
            self._keep(job, fitting)
        except Cancelled:
            self._insist(lambda: self._queue.release(id) if job.dropped else self._queue.stopped(id))
        except UnavailableError:
            self._insist(lambda: self._queue.release(id))
            raise
        except Exception as problem:
            if not isinstance(problem, VestiaryError):
                logger.exception("engine %s failed on fitting %s", job.order.engine, id)
                problem = EngineError("the engine failed.", hint="Try another photo; the service's log says more.")
            self.failed += 1
            told = problem.as_dict()
            self._insist(lambda: self._queue.fail(id, told))
        finally:
            self._board.post(id, LOOK)

    def _insist(self, change: Any) -> Any:
        """Change the database, again and again while it is away: what was computed is not thrown away for that."""
        pause = 0.1
        while True:
            try:
                return change()
            except (UnavailableError, OutputError):
                if self._ended.is_set():
                    raise
                self._ended.wait(pause)
                pause = min(pause * 2, LONGEST_BACKOFF)

    def _task(self, job: Job, engine: Engine) -> Task:
        order, started = job.order, time.perf_counter()
        person = self._wardrobe.person(order.person)
        garments = [self._wardrobe.garment(id) for id in order.garments]
        loaded = time.perf_counter()
        prepared = self._memory.get(("prepared", order.engine, order.person), lambda: engine.prepare(person))
        job.timings |= {"load": loaded - started, "prepare": time.perf_counter() - loaded}
        job.prepared = frozenset(getattr(prepared, "timings", ()))
        options = check_options(engine.Options, order.options)
        return Task(prepared, garments, options, self._on_step(job))

    def _on_step(self, job: Job) -> Any:
        def on_step(step: int, total: int, name: str, preview: Picture | None) -> bool:
            job.progress = Progress(step=step, total=total, name=name)
            self._board.post(job.order.id, job.progress)
            if preview is not None:
                self._board.show(job.order.id, preview)
            return not job.stop.is_set()

        return on_step

    def _fit(self, job: Job) -> Fitting:
        engine = self._engines.get(job.order.engine)
        task = self._task(job, engine)
        if job.stop.is_set():
            raise Cancelled("the fitting was cancelled.")
        return engine.fit(task.prepared, task.garments, task.options, task.on_step)

    def _fit_many(self, jobs: Sequence[Job]) -> None:
        """Several at once; where that fails as a whole, one by one."""
        engine: Any = self._engines.get(jobs[0].order.engine)
        tasks: dict[Job, Task] = {}
        for job in jobs:
            try:
                tasks[job] = self._task(job, engine)
            except Exception:  # it will fail alone in the same way, and is told of it there
                self._settle(job, lambda job=job: self._fit(job))
        try:
            results = list(engine.fit_many(list(tasks.values()))) if tasks else []
            if len(results) != len(tasks):
                raise EngineError(f"{len(results)} results for {len(tasks)} fittings.")
        except Exception as problem:
            logger.warning("engine %s failed on %d at once: %s", jobs[0].order.engine, len(tasks), problem)
            for job in tasks:
                self._settle(job, lambda job=job: self._fit(job))
            return
        for job, result in zip(tasks, results, strict=True):
            self._settle(job, lambda result=result: result)

    def _keep(self, job: Job, fitting: Fitting) -> None:
        """The pixels first, whole; then one change of the row, which only succeeds while the fitting is still ours."""
        checked = checks.check(fitting.image, self._settings)
        if job.stop.is_set():
            raise Cancelled("the fitting was cancelled.")
        id, started = job.order.id, time.perf_counter()
        blob = f"{folder_of(id)}/{secrets.token_hex(6)}.npz"
        steps = {name: seconds for name, seconds in fitting.timings.items() if name not in job.prepared}
        timings = _rounded({**job.timings, **steps, **checked})
        fitting = replace(fitting, timings=timings)
        self._store.write(blob, values.dump_fitting(fitting))
        timings["store"] = round(time.perf_counter() - started, 4)
        self._memory.put(("fitting", id), fitting)
        outcome = {
            "layers": list(fitting.layers),
            "warnings": list(fitting.warnings),
            "timings": timings,
            "provenance": dict(fitting.provenance),
        }
        if self._insist(lambda: self._queue.finish(id, blob, outcome, job.progress.model_dump())):
            self.done += 1
        else:  # deleted, cancelled, or taken over by another worker
            self._memory.forget(id)
            self._store.delete(blob)

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


def _rounded(timings: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(seconds), 4) for name, seconds in timings.items()}
