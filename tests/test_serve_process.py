"""`vestiary serve` as a process: stopped in the middle, its disk full, its clients slow or gone."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import SECONDS, until

pytest.importorskip("fastapi")

from service_process import Process, photo

from vestiary.serve import server

HEAD = "POST /v1/people HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
PATIENT = ("env", f"GRACE={SECONDS}")  # it is not ended by force
PART = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="holiday-in-rome.jpg"\r\n\r\n'


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Any]:
    """Make a process that the test may stop."""
    made: list[Process] = []

    def make(*flags: str, **more: Any) -> Process:
        made.append(Process(tmp_path, *flags, **more))
        return made[-1]

    yield make
    for process in made:
        process.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for all tests that leave it alive; at the end its log must be clean."""
    process = Process(tmp_path_factory.mktemp("house"), "--verbose", "--drain-seconds", "0.5")
    yield process
    try:
        assert process.end(60) == 0
    finally:
        process.close()
    log = process.log()
    for forbidden in ("Traceback", "a fault", "holiday-in-rome", "127.0.0.1", "p_", "g_", "f_"):
        assert forbidden not in log, log
    assert "POST /v1/people 201" in log


@pytest.fixture(scope="module")
def form(house: Process) -> dict[str, str]:
    return house.things()


def connect(house: Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", house.port), timeout=SECONDS)


def test_a_stop_finishes_what_runs_refuses_what_comes_and_loses_nothing(own: Any) -> None:
    process = own("--workers", "1")
    form = process.things()
    gate = process.folder / "gate"
    runs = process.ask(form, gate=str(gate)).json()["id"]
    process.until(runs, "running")
    waits = process.ask(form).json()["id"]
    answers: list[Any] = []
    waiter = threading.Thread(target=lambda: answers.append(process.ask(form, wait=60)))
    waiter.start()
    until(lambda: len(process.fittings()) == 3)
    process.process.terminate()
    until(lambda: process.client.get("/ready").status_code == 503)
    refused = process.ask(form)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert process.client.post("/v1/people", files={"photo": photo()}).status_code == 503
    waiter.join(SECONDS)
    assert answers[0].status_code == 202, "who waits for what will not be done now is told where to find it"
    assert process.state(runs) == "running"
    gate.touch()
    assert process.wait(SECONDS) == 0
    process.start()
    assert process.state(runs) == "done"
    for id in (waits, answers[0].json()["id"]):
        assert process.until(id, "done")
    with contextlib.closing(sqlite3.connect(process.folder / "db.sqlite")) as database:
        assert {row for (row,) in database.execute("SELECT attempts FROM fittings")} == {1}
    assert "Traceback" not in process.log()


def test_a_stop_does_not_wait_for_ever(own: Any) -> None:
    process = own("--workers", "1", "--drain-seconds", "0.3", inside=PATIENT)
    held = process.ask(process.things(), held=True).json()["id"]
    process.until(held, "running")
    with connect(process) as idle, connect(process) as half:
        half.sendall(HEAD.encode())
        assert process.end() == 0
        assert idle.recv(1) == b""
    assert "in the middle" not in process.log(), "it ended by itself"
    with contextlib.closing(sqlite3.connect(process.folder / "db.sqlite")) as database:
        assert database.execute("SELECT state, attempts FROM fittings").fetchall() == [("queued", 0)]


@pytest.mark.parametrize("how", ["held", "deaf"])
def test_a_stop_does_not_wait_for_who_waits(own: Any, how: str) -> None:
    """Neither a request that would wait for a minute nor an engine that cannot be stopped holds the process up."""
    process = own("--workers", "1", "--drain-seconds", "0.3", inside=PATIENT)
    form = process.things()
    answers: list[Any] = []
    waiter = threading.Thread(target=lambda: answers.append(process.ask(form, wait=60, **{how: True})))
    waiter.start()
    until(process.fittings)
    process.until(process.fittings()[0]["id"], "running")
    process.process.terminate()
    assert process.wait(SECONDS) == 0
    waiter.join(SECONDS)
    assert (answers[0].status_code, answers[0].json()["state"]) == (202, "queued")
    assert "in the middle" not in process.log(), "it ended by itself"


def test_what_cannot_be_stopped_is_left_behind(own: Any) -> None:
    process = own("--workers", "1", "--drain-seconds", "0", inside=("env", "GRACE=2"))
    stuck = threading.Thread(target=post_in_vain, args=(process, {"number": "99"}))
    stuck.start()
    until(lambda: "it does not end" in process.log())
    assert process.end() == 0
    assert "it is time: the process ends in the middle of" in process.log()
    stuck.join(SECONDS)


def test_a_second_signal_ends_at_once(own: Any) -> None:
    process = own("--workers", "1", "--drain-seconds", "600")
    process.until(process.ask(process.things(), held=True).json()["id"], "running")
    process.process.terminate()
    time.sleep(server._SAME_SECONDS + 0.3)
    assert process.end() == 0


def post_in_vain(process: Process, form: dict[str, str]) -> None:
    with pytest.raises(httpx.TransportError):
        process.client.post("/v1/people", files={"photo": photo()}, data=form)


def may_mount() -> bool:
    order = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None and not subprocess.run(order, capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not may_mount(), reason="this machine lets nobody mount a small disk")
def test_a_full_disk_is_told_and_all_is_well_when_there_is_room_again(own: Any, tmp_path: Path) -> None:
    small = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=24m none "$0" && exec "$@"', str(tmp_path))
    process = own("--workers", "1", inside=small)
    disk = Path(f"/proc/{process.process.pid}/root{tmp_path}")  # as the service sees it
    form = process.things()
    before = {path for path in disk.rglob("*") if path.is_file()}
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    for answer in (process.client.post("/v1/people", files={"photo": photo(2)}), process.ask(form, wait=60)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "output")
    assert process.client.get("/health").status_code == 200
    picture = process.client.get(f"/v1/people/{form['person_id']}/picture")
    assert picture.headers["content-type"] == "image/jpeg"
    (disk / "filler").unlink()
    assert {path for path in disk.rglob("*") if path.is_file()} == before
    assert process.client.post("/v1/people", files={"photo": photo(2)}).status_code == 201
    assert process.ask(form, wait=60).json()["state"] == "done"
    with contextlib.closing(sqlite3.connect(disk / "db.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    process.close()


def test_a_head_that_does_not_come_is_not_waited_for(house: Process) -> None:
    with connect(house) as silent, connect(house) as half, connect(house) as second:
        half.sendall(b"GET /health HTTP/1.1\r\nHo")
        second.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += second.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        second.sendall(b"GET /health HT")
        assert [one.recv(1) for one in (silent, half, second)] == [b""] * 3


def test_uploads_that_dribble_in_are_stopped_and_disturb_nobody(house: Process, form: dict[str, str]) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(house)) for _ in range(40)]
        for one in slow:
            one.sendall(f"{HEAD}Content-Length: 100000\r\n\r\n".encode() + PART)
        for _ in range(3):
            for one in slow:
                one.sendall(b"x")
            time.sleep(0.1)
        assert house.ask(form, wait=60).json()["state"] == "done"
        with contextlib.suppress(OSError):  # refused after it was closed
            for _ in range(1000):  # longer than any test waits
                slow[0].sendall(b"x")
                time.sleep(0.1)
            pytest.fail("it is taken for ever")
        for one in slow[1:]:
            answer = b"".join(iter(lambda one=one: one.recv(4096), b""))  # type: ignore[misc]
            assert answer.startswith(b"HTTP/1.1 408"), answer
            assert b"too-slow" in answer


def test_who_does_not_read_holds_up_nobody(house: Process, form: dict[str, str]) -> None:
    asked = f"GET /v1/people/{form['person_id']}/picture HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: image/png\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            one = stack.enter_context(connect(house))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            one.sendall(asked.encode())
        assert house.ask(form, wait=50).json()["state"] == "done"  # they are given up after a minute


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux only")
def test_what_stays_unread_is_given_up() -> None:
    with server.listen("127.0.0.1", 0) as door, socket.create_connection(door.getsockname()):
        accepted, _ = door.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_who_leaves_in_the_middle_of_an_upload_leaves_nothing(house: Process) -> None:
    open_files = Path(f"/proc/{house.process.pid}/fd")
    before, count = house.client.get("/v1/people").json(), len(list(open_files.iterdir()))
    for _ in range(20):
        with connect(house) as one:
            one.sendall(f"{HEAD}Content-Length: 3000000\r\n\r\n".encode() + PART + bytes(1_500_000))
    until(lambda: len(list(open_files.iterdir())) < count + 10)
    assert house.client.get("/v1/people").json() == before


def test_who_leaves_while_waiting_cancels(house: Process, form: dict[str, str]) -> None:
    asked = {**form, "engine": "slow", "wait": "60", "options": '{"held": true}'}
    body = urllib.parse.urlencode(asked)
    head = f"POST /v1/fittings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    before = len(house.fittings())
    with connect(house) as one:
        one.sendall(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}".encode())
        until(lambda: len(house.fittings()) > before)
        id = house.fittings()[0]["id"]
        assert house.until(id, "running")
    assert house.until(id, "cancelled")


def test_watchers_who_leave_leave_no_thread_behind(house: Process, form: dict[str, str]) -> None:
    from websockets.sync.client import connect as watch

    running = [house.ask(form, held=True).json()["id"] for _ in range(2)]
    waiting = house.ask(form).json()["id"]
    place = f"ws://127.0.0.1:{house.port}/v1/fittings/{waiting}/events"
    status = Path(f"/proc/{house.process.pid}/status")

    def threads() -> int:
        return int(status.read_text().partition("Threads:")[2].split()[0])

    before = threads()
    for _ in range(30):
        with watch(place) as one:
            assert '"queued"' in str(one.recv())
            one.socket.shutdown(socket.SHUT_RDWR)  # without a word of goodbye
        time.sleep(0.05)
    until(lambda: threads() - before < 15)
    for id in (waiting, *running):
        assert house.client.post(f"/v1/fittings/{id}/cancel").status_code == 200
        house.until(id, "cancelled")
