"""`vestiary serve --processes`: one address, several interpreters; they end together, and one that dies is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from patience import SECONDS, until

from vestiary import samples
from vestiary.errors import OutputError
from vestiary.serve.processes import share_of
from vestiary.serve.settings import Settings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    folder = tmp_path_factory.mktemp("processes")
    place = ("--database", f"sqlite:///{folder}/db.sqlite", "--storage", f"{folder}/pictures")
    order = [sys.executable, "-m", "vestiary", "serve", "--port", "0", "--processes", "2", "--json", *place]
    process = subprocess.Popen(order, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    said = process.stdout.readline()
    while b"address" not in said:
        said = process.stdout.readline()
    yield process, said.decode().split('"')[3]
    process.kill()
    process.wait()
    process.stdout.close()


def children(process: subprocess.Popen[bytes]) -> set[int]:
    """The processes that serve; multiprocessing has another one that minds what they share."""
    found = set()
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # gone meanwhile
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(int(pid))
    return found


def is_there(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/ready", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_each_gets_its_part() -> None:
    given = Settings(processes=2, workers=3, cache_mb=500)
    assert (share_of(given).workers, share_of(given).cache_mb, share_of(given).processes) == (2, 250, 1)
    assert share_of(Settings(processes=4, workers=0)).workers == 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")
def test_one_address_several_processes(service: tuple[subprocess.Popen[bytes], str]) -> None:
    process, address = service
    until(lambda: ready(address))
    until(lambda: len(children(process)) == 2)
    one, other = children(process)
    with httpx.Client(base_url=address, timeout=60) as client:
        photo = next(iter(samples.people().values())).read_bytes()
        person = client.post("/v1/people", files={"photo": photo}).json()["id"]
        garment = client.post("/v1/garments", files={"photo": next(iter(samples.garments().values())).read_bytes()})
        asked = {"person_id": person, "garment_id": garment.json()["id"], "engine": "paste", "wait": "60"}
        first = client.post("/v1/fittings", data=asked, headers={"Accept": "image/png"})
        assert first.status_code == 200, first.text
        for _ in range(20):
            client.get("/v1/people", headers={"Connection": "close"})
        counted = 'vestiary_requests_total{method="GET",route="/v1/people",status="200"} 20.0'
        told = lambda: client.get("/metrics", headers={"Connection": "close"}).text  # noqa: E731
        until(lambda: counted in told())  # the last is counted when it has been answered
        assert all(counted in told() for _ in range(6)), "whichever process answers tells of all"
    os.kill(one, signal.SIGKILL)
    until(lambda: len(children(process)) == 2 and one not in children(process))
    assert other in children(process), "the other one went on"
    again = httpx.post(f"{address}/v1/fittings", data=asked, headers={"Accept": "image/png"}, timeout=SECONDS)
    assert again.status_code == 200, "what one process took in, the others know"
    until(lambda: ready(address))
    left = children(process)
    process.terminate()
    assert process.wait(SECONDS) == 0
    assert not any(is_there(pid) for pid in left)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")
def test_they_do_not_outlive_their_parent(tmp_path: Path) -> None:
    place = ("--database", f"sqlite:///{tmp_path}/db.sqlite", "--storage", f"{tmp_path}/pictures", "--port", "0")
    process = subprocess.Popen([sys.executable, "-m", "vestiary", "serve", "--processes", "2", *place])
    try:
        until(lambda: len(children(process)) == 2)
        time.sleep(1.0)  # in whatever state they are then
        left = children(process)
    finally:
        process.kill()
        process.wait()
    until(lambda: not any(is_there(pid) for pid in left))


def test_what_cannot_start_ends(tmp_path: Path) -> None:
    broken = tmp_path / "file"
    broken.write_text("no folder")
    place = ("--database", f"sqlite:///{tmp_path}/db.sqlite", "--storage", str(broken), "--port", "0")
    order = [sys.executable, "-m", "vestiary", "serve", "--processes", "2", *place]
    done = subprocess.run(order, capture_output=True, timeout=SECONDS)
    assert done.returncode == OutputError.exit_code, done.stderr.decode()
    assert done.stderr.count(b"vestiary: ") == 1, "told once, not by each process"
