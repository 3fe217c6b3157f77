"""Kill the service at random moments under load, and see what became of the work that it had accepted.

    python tools/faults.py --kills 50 [--engine paste] [-o faults.json]

Clients ask for fittings as jobs (`wait=0`), each with an idempotency key, and ask again with the same key when the
answer was lost. The service is killed (`kill -9`) at random moments and started again. At the end every fitting that
was accepted must be done exactly once, every picture must decode, and the database must be whole.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from load import Server, hand_in

from vestiary import samples
from vestiary.images import open_picture


class Askers:
    """Clients that hand in jobs and never lose one of their own."""

    def __init__(self, address: str, people: list[str], garments: list[str], engine: str) -> None:
        self.address, self.people, self.garments, self.engine = address, people, garments, engine
        self.accepted: dict[str, str] = {}  # idempotency key: id
        self.odd: list[str] = []  # answers that should not be
        self.stop = threading.Event()

    def run(self, number: int) -> None:
        """One client."""
        choose, asked = random.Random(number), 0
        with httpx.Client(base_url=self.address, timeout=10, headers={"Accept": "application/json"}) as client:
            while not self.stop.is_set():
                asked += 1
                form = {
                    "person_id": choose.choice(self.people),
                    "garment_id": choose.choice(self.garments),
                    "engine": self.engine,
                    "wait": "0",
                }
                self.ask(client, form, str(uuid.UUID(int=number << 64 | asked)))

    def ask(self, client: httpx.Client, form: dict[str, str], key: str) -> None:
        """One job, asked for until there is an answer."""
        while not self.stop.is_set():
            try:
                answer = client.post("/v1/fittings", data=form, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            if answer.status_code in (200, 202):
                self.accepted[key] = answer.json()["id"]
                return
            if answer.status_code not in (429, 503, 409):
                self.odd.append(f"{answer.status_code} {answer.text[:200]}")
                return
            time.sleep(min(float(answer.headers.get("retry-after", 0.5)), 2))


def settle(address: str, seconds: float) -> None:
    """Wait until nothing is queued or running."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        states = Counter(record["state"] for record in httpx.get(f"{address}/v1/fittings", timeout=60).json())
        if not states["queued"] and not states["running"]:
            return
        time.sleep(1)


def examine(server: Server, askers: Askers) -> dict[str, Any]:
    """What became of everything that was accepted."""
    records = {record["id"]: record for record in httpx.get(f"{server.address}/v1/fittings", timeout=60).json()}
    wanted = set(askers.accepted.values())
    broken = 0
    for id in list(wanted)[:300]:
        answer = httpx.get(f"{server.address}/v1/fittings/{id}/picture", headers={"Accept": "image/png"}, timeout=30)
        try:
            answer.raise_for_status()
            open_picture(answer.content)
        except Exception:
            broken += 1
    return {
        "accepted": len(wanted),
        "lost": len(wanted - set(records)),
        "states": dict(Counter(records[id]["state"] for id in wanted if id in records)),
        "never asked for": len(set(records) - wanted),
        "ids given twice": len(askers.accepted) - len(wanted),
        "pictures that do not open": broken,
        "odd answers": askers.odd[:10],
    }


def main() -> None:
    """Run the test and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--engine", default="embedded")
    parser.add_argument("--port", type=int, default=8124)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    choose = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), given.port, "--rate-per-minute", "1000000")
        server.start()
        with httpx.Client(base_url=server.address) as client:
            people = hand_in(client, "people", list(samples.people().values()), 3)
            garments = hand_in(client, "garments", list(samples.garments().values()), 3)
        askers = Askers(server.address, people, garments, given.engine)
        threads = [threading.Thread(target=askers.run, args=(number,)) for number in range(given.clients)]
        for thread in threads:
            thread.start()
        for _ in range(given.kills):
            time.sleep(choose.uniform(0.0, 2.0))
            server.kill()
            server.start()
        askers.stop.set()
        for thread in threads:
            thread.join()
        settle(server.address, 600)
        figures = {"kills": given.kills, **examine(server, askers)}
        server.stop()
        with sqlite3.connect(Path(folder) / "db.sqlite") as database:
            figures["database"] = database.execute("PRAGMA integrity_check").fetchone()[0]
    text = json.dumps(figures, indent=2)
    print(text)
    if given.output:
        given.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
