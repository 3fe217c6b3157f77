"""Engines as the service asks for them at every request: looked up once, since a look goes through all packages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vestiary import registry
from vestiary.api import check_request
from vestiary.errors import VestiaryError
from vestiary.registry import Engine, EngineSpec, load_engine
from vestiary.serve.records import EngineRecord

if TYPE_CHECKING:
    from pydantic import BaseModel


class Engines:
    """The engines that this process has used so far; with the address of a Ray cluster, its replicas in their place."""

    def __init__(self, ray: str = "") -> None:
        self._ray = ray
        self._loaded: dict[str, Engine] = {}

    @cached_property
    def _specs(self) -> Mapping[str, EngineSpec]:
        """All that are registered; one that is installed later is seen at the next start."""
        return registry.list_engines()

    def get(self, name: str) -> Engine:
        """The engine of that name.

        Raises:
            UnknownEngineError: no such engine.
            MissingExtraError: its dependencies are not installed.
            UnavailableError: the cluster cannot be reached, or does not run this engine.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Engine:
        if not self._ray:
            return load_engine(name)
        from vestiary.cluster.remote import RayEngine

        return RayEngine(name, self._ray)

    def check(self, name: str, options: Mapping[str, Any] | None, garments: int) -> BaseModel:
        """The options as the engine's own, where it can work with them and so many garments.

        Raises:
            GarmentError: it needs a garment, or something else to do.
            OptionError: an option that it does not have, or a value that it does not take.
            UnknownEngineError, MissingExtraError, UnavailableError: as for `get`.
        """
        return check_request(name, self.get(name), garments, options, self._specs)

    def records(self) -> list[EngineRecord]:
        """All engines, also those that are not installed."""
        return [self._record(name, spec) for name, spec in self._specs.items()]

    def _record(self, name: str, spec: EngineSpec) -> EngineRecord:
        try:
            options = {} if spec.missing else self.get(name).Options.model_json_schema()
        except (VestiaryError, ImportError):
            options = {}
        return EngineRecord(
            name=name,
            summary=spec.summary,
            licence=spec.licence,
            installed=not spec.missing,
            install=spec.install if spec.missing else "",
            needs_garment=spec.needs_garment,
            options=options,
        )
