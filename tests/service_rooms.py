"""Engines and workers for the tests of the service; run as a program, it works on the queue of a folder."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from vestiary import registry
from vestiary.engines.paste import PasteEngine, PasteOptions
from vestiary.errors import Cancelled
from vestiary.registry import EngineSpec
from vestiary.serve.service import Service
from vestiary.serve.settings import Settings

prepared: Counter[str] = Counter()
begun: Counter[str] = Counter()
sizes: list[int] = []
go_on = threading.Event()


class SlowOptions(BaseModel):
    """How long it takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seconds: float = 0.2
    held: bool = False
    deaf: bool = False
    gate: str = ""  # a file: it goes on when that is there


class SlowEngine(PasteEngine):
    """`paste` in twenty steps, which takes its time; "held" stays until `go_on` is set, "deaf" cannot be stopped."""

    Options = SlowOptions  # type: ignore[assignment]

    def prepare(self, person: Any) -> Any:
        prepared["slow"] += 1
        time.sleep(0.05)
        return person

    def fit(self, scan: Any, garments: Sequence[Any], options: Any, on_step: Any = None) -> Any:
        begun["slow"] += 1
        while options.deaf and not go_on.is_set():
            time.sleep(0.01)
        for step in range(20):
            time.sleep(options.seconds / 20)
            while (options.held and not go_on.is_set()) or (options.gate and not Path(options.gate).exists()):
                time.sleep(0.01)
                if on_step(step, 20, "hold", None) is False:
                    raise Cancelled("stopped.")
            if on_step is not None and on_step(step + 1, 20, "wait", np.array(scan.image)) is False:
                raise Cancelled("stopped.")
        return super().fit(scan, garments, PasteOptions())


class ManyEngine(SlowEngine):
    """Does several at once, two or four."""

    batch_sizes = (2, 4)

    def fit_many(self, tasks: Sequence[Any]) -> list[Any]:
        sizes.append(len(tasks))
        done: list[Any] = []
        for task in tasks:
            fitting = PasteEngine.fit(self, task.prepared, task.garments, PasteOptions(), task.on_step)
            done.append(ValueError("this one") if task.options.seconds > 5 else replace(fitting))
        return done


class BrokenEngine(PasteEngine):
    """Fails."""

    def fit(self, *_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret path")


class DeadlyEngine(PasteEngine):
    """Takes its process down."""

    def fit(self, *_: Any, **__: Any) -> Any:
        os._exit(9)


def rooms() -> dict[str, EngineSpec]:
    """The built-in engines and those of the tests."""
    names = {"slow": "SlowEngine", "many": "ManyEngine", "broken": "BrokenEngine", "deadly": "DeadlyEngine"}
    specs = {name: EngineSpec(name, f"service_rooms:{target}", "a test") for name, target in names.items()}
    return {"embedded": registry.EMBEDDED, "paste": registry.PASTE, **specs}


def settings_of(folder: Path, **changes: Any) -> Settings:
    """Settings of a service that lives in a folder."""
    own = {"database": f"sqlite:///{folder / 'db.sqlite'}", "storage": str(folder / "pictures")}
    return Settings(**{**own, "drain_seconds": 30.0, **changes})


if __name__ == "__main__":
    registry.list_engines = rooms
    changes = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    service = Service(settings_of(Path(sys.argv[1]), workers=int(sys.argv[2]), **changes))
    print("started", flush=True)  # before it is: what is in the queue may end this process at once
    service.start()
    sys.stdin.read()  # until the test closes it
    service.close()
