"""The command as a process of its own: signals, exit codes, a clean standard error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from vestiary import __main__
from vestiary.cli import doctor
from vestiary.cli.main import main

# Looking at the person writes to descriptor 2 as a native library does, tells the test that it has begun, and waits.
SLOW = """
import os, signal, sys, time
import vestiary.api
from vestiary.cli.main import main

def scan_person(*_, **__):
    os.write(2, b"native note\\n")
    print("begun", flush=True)
    time.sleep(600)

vestiary.api.scan_person = scan_person
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background, where it is ignored
sys.exit(main())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_cleanly(folder: Path, number: signal.Signals, code: int) -> None:
    before = sorted(folder.iterdir())
    order = [sys.executable, "-c", SLOW, "try", "person.jpg", "shirt.png", "-o", "out.png", "--engine", "paste"]
    with subprocess.Popen(order, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in said
    assert "native note" not in said
    assert sorted(folder.iterdir()) == before


def test_control_c_while_it_is_being_loaded_ends_it_cleanly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "vestiary.cli.main", Loading("vestiary.cli.main"))
    assert __main__.main() == 130
    assert capsys.readouterr().err == "vestiary: stopped; nothing is half written.\n"


def test_module_and_command_are_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vestiary", "try", "none.jpg", "none.png", "-o", "out.png", "--engine", "paste"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("vestiary: there is no file none.jpg.\n  Check the name")


def test_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m vestiary try --help | head -c 10", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_doctor_says_what_is_not_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VESTIARY_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(doctor, "self_test", lambda: doctor.Check("self-test", "left out"))
    assert main(["doctor", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    states = Counter(check["well"] for check in answer["checks"])
    assert answer["well"] is False
    assert states[True] > 8
    assert all(check["advice"] for check in answer["checks"] if not check["well"])
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "extra serve: " in shown
    assert "BAD  model pose_detection: missing" in shown
    assert "Type: vestiary weights get pose_detection" in shown
    assert not os.listdir(tmp_path)
