"""What a user waits for in a new process: the import, the help, the first try; and the memory of that try.

A child inherits the peak memory of the process that forked it: run this before that one has grown.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from vestiary.errors import EngineError


def new_processes(photos: tuple[Path, Path], folder: Path, *, engine: str, runs: int) -> dict[str, dict[str, float]]:
    """Median seconds of new processes, by name: "import", "help", "first try"; of the last, the peak memory in MB too.

    "import" is without the start of Python itself.

    Args:
        photos: of a person and of a garment.
        folder: where the result of the try is written.
        engine: its name.
        runs: of the try; the others, which are short, run twice as often.

    Raises:
        EngineError: one of them failed; the message holds what it said.
    """
    python = [sys.executable, "-c"]
    vestiary = [sys.executable, "-m", "vestiary"]
    attempt = [*vestiary, "try", *map(str, photos), "--engine", engine, "-o", str(folder / "first.png")]
    empty = _often([*python, "pass"], 2 * runs)
    imported = _often([*python, "import vestiary"], 2 * runs)
    imported["seconds"] = max(imported["seconds"] - empty["seconds"], 0.0)
    costs = {"import": imported, "help": _often([*vestiary, "--help"], 2 * runs), "first try": _often(attempt, runs)}
    for small in ("import", "help"):
        costs[small].pop("peak_mb")  # less than this process has itself
    return costs


def _often(order: Sequence[str], runs: int) -> dict[str, float]:
    taken = [_child(order) for _ in range(runs)]
    return {"seconds": median(seconds for seconds, _ in taken), "peak_mb": median(mb for _, mb in taken)}


def _child(order: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak resident MB of a process; it must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(order, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise EngineError(f"{' '.join(order)} failed:\n{said}", hint="Run it by itself, with --debug.")
    return taken, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
