"""How a fitting is made, alone or with others: pixels in, the engine, pixels out, or why there are none."""

from __future__ import annotations

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
from vestiary.serve.queue import Order, Queue
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

LONGEST_BACKOFF = 15.0


@dataclass(eq=False)
class Job:
    """A fitting under way in this process.

    Attributes:
        stop: set to stop it at its next step.
        dropped: it goes back into the queue when it stops.
        settled: what became of it was written down, or it went back into the queue; another may have taken it since.
        timings: seconds of the steps around the engine.
        prepared: the engine's steps that belong to the person alone; they are told as "prepare".
    """

    order: Order
    stop: threading.Event = field(default_factory=threading.Event)
    dropped: bool = False
    settled: bool = False
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


class Maker:
    """Makes the fittings that were taken from the queue, and keeps what becomes of them. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        wardrobe: Wardrobe,
        store: Store,
        memory: Memory,
        board: Board,
        engines: Engines,
        ended: threading.Event,
    ) -> None:
        """`ended` is set when nothing may happen any more."""
        self._settings, self._queue, self._wardrobe = settings, queue, wardrobe
        self._store, self._memory, self._board, self._engines = store, memory, board, engines
        self._ended = ended
        self.seconds_each = 1.0  # of one fitting, as measured lately
        self.done = self.failed = 0

    def make(self, jobs: Sequence[Job]) -> None:
        """Make fittings of one engine; how each of them ended is in the database when this returns.

        Raises:
            UnavailableError: the database or the storage is away; the fittings are back in the queue.
        """
        started = time.perf_counter()
        try:
            if len(jobs) == 1:
                self._settle(jobs[0], lambda: self._fit(jobs[0]))
            else:
                self._fit_many(jobs)
        except Exception:
            self._give_back([job.order.id for job in jobs if not job.settled])
            raise
        finally:
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
            job.settled = True
            self._board.post(id, LOOK)

    def _give_back(self, ids: Sequence[str]) -> None:
        if not ids:  # without names the queue would take back all that this process runs
            return
        self._insist(lambda: self._queue.release(*ids))
        for id in ids:
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


def _rounded(timings: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(seconds), 4) for name, seconds in timings.items()}
