"""Load test of the service: many clients for some minutes; errors, latency, memory, and what the engine does alone.

    python tools/load.py --minutes 10 --clients 32 [--people DIR --garments DIR] [-o load.json]

Starts a service of its own in an empty folder, hands in people and garments (the samples unless folders are given), and
lets every client ask for one fitting after the other. 429 is an answer, not an error: the client waits as it is told.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from vestiary import samples

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


class Server:
    """A service in a process of its own; `kill()` is `kill -9`."""

    def __init__(self, folder: Path, port: int, *more: str) -> None:
        self.folder, self.port, self.more = folder, port, more
        self.address = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        place = ("--database", f"sqlite:///{self.folder / 'db.sqlite'}", "--storage", str(self.folder / "pictures"))
        order = [sys.executable, "-m", "vestiary", "serve", "--port", str(self.port), *place, *self.more]
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(order, stdout=log, stderr=log)
        for _ in range(600):
            time.sleep(0.1)
            if self.process.poll() is not None:
                raise SystemExit(f"the service ended at once:\n{(self.folder / 'log.txt').read_text()[-2000:]}")
            try:
                if httpx.get(f"{self.address}/ready").status_code == 200:
                    return
            except httpx.TransportError:
                continue
        raise SystemExit("the service was not ready after a minute.")

    def kill(self) -> None:
        """End it without a word of warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)

    def memory(self) -> float:
        """Resident memory of its processes in MiB."""
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        states = [Path(f"/proc/{one}/status").read_text() for one in (pid, *children)]
        return sum(int(state.partition("VmRSS:")[2].split()[0]) for state in states) / 1024


def pictures(folder: Path | None, shipped: dict[str, Path], count: int) -> list[Path]:
    """Some pictures of a folder, or the samples."""
    if folder is None:
        return list(shipped.values())[:count]
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    return found[:: max(1, len(found) // (4 * count))]


def hand_in(client: httpx.Client, kind: str, paths: list[Path], count: int) -> list[str]:
    """Ids of the first pictures that are taken."""
    ids: list[str] = []
    for path in paths:
        answer = client.post(f"/v1/{kind}", files={"photo": path.read_bytes()}, timeout=60)
        if answer.status_code < 300:
            ids.append(answer.json()["id"])
        if len(ids) == count:
            break
    return ids


class Clients:
    """Clients that ask for fittings until time is up."""

    def __init__(self, address: str, people: list[str], garments: list[str], until: float) -> None:
        self.address, self.people, self.garments, self.until = address, people, garments, until
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._lock = threading.Lock()

    def run(self, number: int) -> None:
        """One client."""
        choose = random.Random(number)
        with httpx.Client(base_url=self.address, timeout=130, headers={"Accept": "image/jpeg"}) as client:
            while time.monotonic() < self.until:
                form = {
                    "person_id": choose.choice(self.people),
                    "garment_id": choose.choice(self.garments),
                    "wait": "60",
                }
                started = time.perf_counter()
                try:
                    answer = client.post("/v1/fittings", data=form)
                    said, pause = str(answer.status_code), float(answer.headers.get("retry-after", 0))
                except httpx.TransportError as problem:
                    said, pause = type(problem).__name__, 1.0
                with self._lock:
                    self.answers[said] += 1
                    if said == "200":
                        self.seconds.append(time.perf_counter() - started)
                if said != "200":
                    time.sleep(min(pause or 0.5, 10))


def engine_alone(people: list[Path], garments: list[Path], seconds: float, workers: int) -> float:
    """Fittings a second of the engine without a service, in as many threads, people scanned beforehand."""
    from vestiary.api import read_garment, scan_person
    from vestiary.errors import VestiaryError
    from vestiary.registry import load_engine

    engine = load_engine("embedded")
    scanned = [engine.prepare(scan_person(path)) for path in people]
    read = [read_garment(path) for path in garments]
    until = time.monotonic() + seconds

    def work(number: int) -> int:
        choose, done = random.Random(number), 0
        while time.monotonic() < until:
            try:
                engine.fit(choose.choice(scanned), [choose.choice(read)], engine.Options())
                done += 1
            except VestiaryError:
                continue
        return done

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(work, range(workers))) / seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--count", type=int, default=6, help="people and garments")
    parser.add_argument("--people", type=Path)
    parser.add_argument("--garments", type=Path)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("-o", "--output", type=Path)
    return parser.parse_args()


def main() -> None:
    """Run the test and print its figures as JSON."""
    given = _arguments()
    people = pictures(given.people, samples.people(), given.count)
    garments = pictures(given.garments, samples.garments(), given.count)
    with tempfile.TemporaryDirectory() as folder:
        flags = ("--workers", str(given.workers), "--processes", str(given.processes), "--rate-per-minute", "1000000")
        server = Server(Path(folder), given.port, *flags)
        server.start()
        try:
            figures = _measure(server, people, garments, given)
        finally:
            server.stop()
    alone = engine_alone(people[: given.count], garments[: given.count], 20, given.workers)
    figures |= {"engine_alone_per_s": round(alone, 3), "share_of_engine": round(figures["per_s"] / alone, 3)}
    text = json.dumps(figures, indent=2)
    print(text)
    if given.output:
        given.output.write_text(text + "\n")


def _measure(server: Server, people: list[Path], garments: list[Path], given: argparse.Namespace) -> dict[str, Any]:
    with httpx.Client(base_url=server.address) as client:
        persons = hand_in(client, "people", people, given.count)
        clothes = hand_in(client, "garments", garments, given.count)
    clients = Clients(server.address, persons, clothes, time.monotonic() + 60 * given.minutes)
    threads = [threading.Thread(target=clients.run, args=(number,)) for number in range(given.clients)]
    memory, started = [server.memory()], time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(5)
        memory.append(server.memory())
    seconds = sorted(clients.seconds)
    took = time.monotonic() - started
    return {
        "answers": dict(clients.answers),
        "per_s": round(len(seconds) / took, 3),
        "median_s": round(statistics.median(seconds), 3),
        "p95_s": round(seconds[int(0.95 * (len(seconds) - 1))], 3),
        "memory_mb": {
            "before": round(memory[0]),
            "after a fifth": round(memory[len(memory) // 5]),
            "end": round(memory[-1]),
            "most": round(max(memory)),
        },
    }


if __name__ == "__main__":
    main()
