"""An engine as a deployment of Ray Serve: replicas that keep prepared people and batch what comes in.

`deploy/ray-serve.yaml` deploys it; `vestiary.cluster.remote.RayEngine` calls it. It has no HTTP route: keys, limits,
queue and storage are the service's, which stands before it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from vestiary import values
from vestiary.api import check_options
from vestiary.cluster.parcels import Place, Task, fetch
from vestiary.errors import Cancelled, EngineError, VestiaryError
from vestiary.registry import load_engine
from vestiary.serve.memory import Memory
from vestiary.types import Fitting, Garment

_ROUTED = 256  # people whose replica the router remembers, for each replica


class ReplicaConfig(BaseModel):
    """The `user_config` of the deployment; it can be changed while the replicas run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache_mb: int = Field(512, ge=0, description="Memory for prepared people and garments.")
    idle_seconds: float = Field(60.0, gt=0, description="A person or garment nobody asked for so long is forgotten.")
    batch_size: int = Field(4, ge=1, le=64, description="Fittings that are done together when the engine can.")
    batch_wait_ms: float = Field(10.0, ge=0, le=1000, description="How long a fitting waits for others to join it.")


@dataclass(eq=False)
class Work:
    """A task under way in this replica; `stop` is set when nobody waits for it any more."""

    task: Task
    stop: threading.Event = field(default_factory=threading.Event)

    def on_step(self, *_: Any) -> bool:
        """What the engine calls after each step."""
        return not self.stop.is_set()


@dataclass(frozen=True)
class Ready:
    """The arguments of the engine's `fit`, as its `fit_many` takes them."""

    prepared: Any
    garments: Sequence[Garment]
    options: Any
    on_step: Any


class Fitter:
    """The engine with its memory, without Ray: what a replica does in its threads."""

    def __init__(self, engine: str) -> None:
        self.engine: Any = load_engine(engine)
        self.config = ReplicaConfig.model_validate({})
        self.memory = Memory(self.config.cache_mb * 2**20)
        self._used: dict[str, float] = {}

    def configure(self, config: ReplicaConfig) -> None:
        """Take new settings; what was kept is dropped."""
        self.config, self.memory = config, Memory(config.cache_mb * 2**20)

    @property
    def batches(self) -> bool:
        """Whether the engine does several fittings at once."""
        return hasattr(self.engine, "fit_many")

    def fit(self, work: Work) -> bytes | VestiaryError:
        """The fitting as bytes, or why there is none."""
        try:
            ready = self._ready(work)
            fitting = self.engine.fit(ready.prepared, ready.garments, ready.options, ready.on_step)
            return self._told(fitting, work, ready)
        except VestiaryError as problem:
            return problem

    def fit_many(self, works: Sequence[Work]) -> list[bytes | VestiaryError]:
        """Several at once, in the sizes that the engine prefers; one that fails spoils no other."""
        answers: dict[Work, bytes | VestiaryError] = {}
        ready: list[tuple[Work, Ready]] = []
        for work in works:
            try:
                ready.append((work, self._ready(work)))
            except VestiaryError as problem:
                answers[work] = problem
        while ready:
            now, ready = split(ready, getattr(self.engine, "batch_sizes", ()))
            results = list(self.engine.fit_many([one for _, one in now]))
            if len(results) != len(now):
                raise EngineError(f"{len(results)} results for {len(now)} fittings.")
            for (work, one), result in zip(now, results, strict=True):
                answers[work] = self._told(result, work, one)
        return [answers[work] for work in works]

    def forget_idle(self) -> None:
        """Drop what nobody asked for lately: what a caller deleted is never asked for again, and so leaves."""
        limit = time.monotonic() - self.config.idle_seconds
        for id in [id for id, used in list(self._used.items()) if used < limit]:
            self._used.pop(id, None)
            self.memory.forget(id)

    def _ready(self, work: Work) -> Ready:
        task = work.task
        for place in (task.person, *task.garments):
            self._used[place.id] = time.monotonic()
        garments = [self._garment(place) for place in task.garments]
        prepared = self.memory.get(("prepared", task.person.id), lambda: self._prepare(task.person))
        if work.stop.is_set():
            raise Cancelled("the fitting was cancelled.")
        return Ready(prepared, garments, check_options(self.engine.Options, task.options), work.on_step)

    def _prepare(self, place: Place) -> Any:
        return self.engine.prepare(values.load_person(fetch(place)))

    def _garment(self, place: Place) -> Garment:
        return self.memory.get(("garment", place.id), lambda: values.load_garment(fetch(place)))

    def _told(self, result: Fitting | Exception, work: Work, ready: Ready) -> bytes | VestiaryError:
        if isinstance(result, VestiaryError):
            return result
        if isinstance(result, Exception):
            return EngineError("the engine failed.", hint="Try another photo.")
        of_person = getattr(ready.prepared, "timings", ())
        steps = {name: seconds for name, seconds in result.timings.items() if name not in of_person}
        return values.dump_fitting(replace(result, timings=steps))


def split(ready: list[Any], preferred: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """What to do at once, and the rest: the largest preferred size that there is work for, or all of it."""
    size = max((size for size in preferred if size <= len(ready)), default=len(ready))
    return ready[:size], ready[size:]


@serve.deployment(name="Replica")
class Replica:
    """A replica. Engines without `fit_many` get the fittings of a person at the same replica, which has prepared that
    person already; those with it get batches of whoever comes, since Ray batches only what is routed alike.
    """

    def __init__(self, engine: str) -> None:
        self._fitter = Fitter(engine)

    def reconfigure(self, config: Mapping[str, Any]) -> None:
        """Called by Ray Serve with the deployment's `user_config`, at the start and when it changes."""
        chosen = ReplicaConfig.model_validate(config)
        self._fitter.configure(chosen)
        self._together.set_max_batch_size(chosen.batch_size)
        self._together.set_batch_wait_timeout_s(chosen.batch_wait_ms / 1000)

    def check_health(self) -> None:
        """Called by Ray Serve every `health_check_period_s`: a clock that needs no thread of its own."""
        self._fitter.forget_idle()

    async def fit(self, task: Task) -> bytes | VestiaryError:
        """The fitting as bytes, or why there is none; who cancels the call stops the engine at its next step."""
        work = Work(task)
        try:
            if self._fitter.batches:
                answer: bytes | VestiaryError = await self._together(work)
                return answer
            await self._home(task.person.id)
            return await asyncio.to_thread(self._fitter.fit, work)
        except asyncio.CancelledError:
            work.stop.set()
            raise

    @serve.multiplexed(max_num_models_per_replica=_ROUTED)
    async def _home(self, person: str) -> str:
        """Tells the router that this person's fittings are best sent here."""
        return person

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.01)
    async def _together(self, works: list[Work]) -> list[bytes | VestiaryError]:
        return await asyncio.to_thread(self._fitter.fit_many, works)


def app(arguments: Mapping[str, str]) -> serve.Application:
    """The application, as a deployment file names it; its one argument is `engine`."""
    deployment: Any = Replica
    return deployment.bind(arguments.get("engine", "embedded"))
