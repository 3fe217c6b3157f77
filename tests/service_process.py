"""`vestiary serve` with the engines of `service_rooms`, recognisers that take no time, and little patience.

Run as a program it serves, and ends with whoever started it; `Process` starts it. A scan "knows" the person in every
photo; that of person 99 never ends.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
from patience import SECONDS, until
from PIL import Image

HERE = Path(__file__).parent
IMPATIENCE = 3.0  # seconds that a whole head, or a whole upload, may take


def photo(seed: int = 1, size: tuple[int, int] = (160, 200)) -> bytes:
    """A picture of noise as JPEG."""
    noise = np.random.default_rng(seed).integers(30, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).resize(size).save(data, "JPEG")
    return data.getvalue()


class Process:
    """A service of its own in a folder; what it writes on standard error is in `log.txt` there."""

    def __init__(self, folder: Path, *flags: str, inside: Sequence[str] = ()) -> None:
        self.folder, self.flags, self.inside = folder, flags, inside
        self.start()

    def start(self) -> None:
        """Start it; returns when it listens."""
        place = ("--database", f"sqlite:///{self.folder}/db.sqlite", "--storage", f"{self.folder}/pictures")
        own = ("serve", "--json", "--port", "0", "--rate-per-minute", "1000000", "--upload-seconds", str(IMPATIENCE))
        order = [*self.inside, sys.executable, __file__, *own, *place, *self.flags]
        with (self.folder / "log.txt").open("ab") as log:
            paths = {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self.process = subprocess.Popen(order, **pipes, env={**os.environ, **paths})  # type: ignore[call-overload]
        assert self.process.stdout is not None
        said = b""
        while not said.endswith(b"}\n"):
            line = self.process.stdout.readline()
            assert line, self.log()
            said += line
        self.address = json.loads(said)["address"]
        self.client = httpx.Client(base_url=self.address, timeout=120)
        self.client.get("/health")

    @property
    def port(self) -> int:
        return httpx.URL(self.address).port or 0

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def end(self, seconds: float = SECONDS) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        self.close()
        return code

    def close(self) -> None:
        """Make sure that it is gone."""
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def things(self) -> dict[str, str]:
        """The form of a fitting of a new person in a new garment."""
        ids = {}
        for kind, field in (("people", "person_id"), ("garments", "garment_id")):
            answer = self.client.post(f"/v1/{kind}", files={"photo": photo()})
            assert answer.status_code == 201, answer.text
            ids[field] = answer.json()["id"]
        return ids

    def ask(self, form: dict[str, str], seconds: float = 0.0, *, wait: float = 0.0, **how: bool | str) -> Any:
        """The answer to a fitting with the slow engine, which may be `held` or `deaf`, or wait at a `gate`."""
        options = json.dumps({"seconds": seconds, **how})
        form = {**form, "engine": "slow", "options": options, "wait": str(wait)}
        return self.client.post("/v1/fittings", data=form, headers={"Accept": "application/json"})

    def state(self, id: str) -> str:
        return str(self.client.get(f"/v1/fittings/{id}").json()["state"])

    def until(self, id: str, *states: str) -> str:
        """The fitting's state, once it is one of these."""
        return until(lambda: (state := self.state(id)) in states and state, said=lambda: self.state(id))

    def fittings(self) -> list[dict[str, Any]]:
        """The records of all of them, the last one first."""
        return list(self.client.get("/v1/fittings").json())


def serve() -> int:
    """The command line with everything replaced that takes time."""
    from conftest import lying, standing
    from service_rooms import rooms

    from vestiary import registry
    from vestiary.cli.main import main
    from vestiary.serve import server

    def scan(image: Any, *, person: int | None = None, source: str = "", **_: Any) -> Any:
        if person == 99:
            print("it does not end", file=sys.stderr, flush=True)
            time.sleep(600)
        return standing(image, source)

    for name, function in (
        ("vestiary.person.scan", scan),
        ("vestiary.garment.read", lambda image, alpha=None, *, source="", **_: lying(image, source=source)),
    ):
        module = ModuleType(name)
        setattr(module, name.rpartition(".")[2], function)
        sys.modules[name] = module
    registry.list_engines = rooms
    server.HEAD_SECONDS = IMPATIENCE
    server.GRACE_SECONDS = float(os.environ.get("GRACE", server.GRACE_SECONDS))
    threading.Thread(target=end_with_the_test, daemon=True).start()
    return main()


def end_with_the_test() -> None:
    """A test that is killed closes nothing but this pipe."""
    os.read(sys.stdin.fileno(), 1)  # not through a buffer, whose lock the interpreter wants when it ends
    os._exit(1)


if __name__ == "__main__":
    sys.exit(serve())
