"""An engine whose fittings are made by replicas of Ray Serve: to the service's workers, an engine like any other."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from vestiary import values
from vestiary.cluster.parcels import Parcel, Task, send
from vestiary.errors import (
    Cancelled,
    EngineError,
    MissingExtraError,
    UnavailableError,
    VestiaryError,
    WeightsError,
)
from vestiary.registry import load_engine

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vestiary.registry import OnStep
    from vestiary.types import Fitting, Garment, Person

NAMESPACE = "vestiary"
_SLICE = 0.25  # seconds between two looks whether the caller still wants the fitting
_DEATHS = 3  # replicas that may die of one fitting
_connecting = threading.Lock()


class RayEngine:
    """The engine of that name on a cluster; its options are read from the engine as it is installed here."""

    def __init__(self, name: str, address: str) -> None:
        """Connects to the cluster.

        Raises:
            MissingExtraError: the extra `ray` is not installed.
            UnavailableError: no cluster answers there, or it does not run this engine.
            UnknownEngineError: no engine has that name.
        """
        local = load_engine(name)
        self.Options: type[BaseModel] = local.Options
        self._name, self._routed = name, not hasattr(local, "fit_many")
        self._check_asked = getattr(local, "check_asked", None)
        connect(address)
        self._handle = _handle(name)
        self._garments: WeakKeyDictionary[Garment, Parcel] = WeakKeyDictionary()

    def check_asked(self, garments: int, options: Any) -> None:
        """As the engine's own; but weights are the replicas' affair, and need not be here."""
        if self._check_asked is not None:
            with contextlib.suppress(WeightsError):
                self._check_asked(garments, options)

    def prepare(self, person: Person) -> Parcel:
        """The scan, sent to the cluster; the first replica that fits it prepares it and keeps what it made of it."""
        return send(values.dump_person(person))

    def fit(
        self, prepared: Parcel, garments: Sequence[Garment], options: Any, on_step: OnStep | None = None
    ) -> Fitting:
        """The person wearing the garments. `on_step` is asked whether to go on; it is told no step of the replica.

        Raises:
            UnavailableError: the cluster cannot be reached, or has no replica.
            EngineError: its replicas died of it.
            Cancelled: `on_step` returned False; the replica stops at its next step.
        """
        worn = tuple(self._sent(garment).place for garment in garments)
        task = Task(prepared.place, worn, options.model_dump(mode="json", exclude_unset=True))
        for _ in range(_DEATHS):
            answer = self._ask(task, on_step)
            if isinstance(answer, bytes):
                return values.load_fitting(answer)
            if answer is not None:
                raise answer
        hint = "Try another photo; the log of the replicas says more."
        raise EngineError(f"{_DEATHS} replicas died of this fitting.", hint=hint)

    def _sent(self, garment: Garment) -> Parcel:
        parcel = self._garments.get(garment)
        if parcel is None:
            parcel = self._garments[garment] = send(values.dump_garment(garment))
        return parcel

    def _ask(self, task: Task, on_step: OnStep | None) -> bytes | VestiaryError | None:
        """The replica's answer; None when it died."""
        from ray.exceptions import RayActorError, RayError, RayTaskError
        from ray.serve.exceptions import RayServeException

        handle = self._handle.options(multiplexed_model_id=task.person.id) if self._routed else self._handle
        try:
            return _wait(handle.fit.remote(task), on_step)
        except RayTaskError:
            raise  # a fault in the replica, with its stack; the worker logs it
        except RayActorError:
            return None
        except (RayError, RayServeException) as problem:
            raise _away("cannot be reached") from problem


def _wait(response: Any, on_step: OnStep | None) -> bytes | VestiaryError:
    while True:
        try:
            answer: bytes | VestiaryError = response.result(timeout_s=_SLICE)
            return answer
        except TimeoutError:
            if on_step is not None and on_step(0, 1, "replica", None) is False:
                response.cancel()
                raise Cancelled("the fitting was cancelled.") from None


def connect(address: str) -> None:
    """Join a cluster from this machine, which must be one of its nodes; once per process.

    Raises:
        MissingExtraError: the extra `ray` is not installed.
        UnavailableError: no cluster answers there.
    """
    os.environ.setdefault(
        "RAY_ENABLE_AUTO_CONNECT", "0"
    )  # else a thread of Ray Serve starts a new cluster after a stop
    try:
        import ray
    except ImportError:
        raise MissingExtraError("Ray is not installed.", hint='Type: pip install "vestiary[ray]"') from None
    with _connecting:
        if ray.is_initialized():
            return
        try:
            ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as problem:
            raise _away("does not answer") from problem


def _handle(engine: str) -> Any:
    from ray import serve
    from ray.serve.exceptions import RayServeException

    try:
        return serve.get_app_handle(f"vestiary-{engine}")
    except RayServeException:
        raise _away(f"does not run the application vestiary-{engine}") from None


def _away(what: str) -> UnavailableError:
    hint = "Start it with `ray start`, and deploy with: serve deploy deploy/ray-serve.yaml"
    return UnavailableError(f"the Ray cluster {what}.", hint=hint)
