"""Measure speed and memory on the sample pictures; a table on standard output and out/bench.json.

Every figure is the median of several runs. Seconds depend on the machine, so each is also given as a multiple of a
fixed NumPy and OpenCV workload that was measured in the same run: compare those between machines and commits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from vestiary import samples
from vestiary.api import read_garment, scan_person, try_on
from vestiary.cli.options import DEFAULT_ENGINE
from vestiary.images import open_picture, save_picture
from vestiary.registry import load_engine

SIZE = (768, 1024)
LARGE = (3000, 4000)
# What the project asks of itself on two cores; seconds, or MB.
LIMITS = {"first try, new process": 6.0, "warm try": 1.0, "next garment": 0.35, "help": 0.3, "peak memory": 700.0}


def main() -> int:
    """Measure everything; the exit code tells nothing of speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement (default 5)")
    parser.add_argument("--output", type=Path, default=Path("out/bench.json"))
    chosen = parser.parse_args()
    folder = chosen.output.parent / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    where = machine()
    pictures = prepare_pictures(folder)
    unit = seconds(workload, chosen.runs)
    rows: dict[str, float] = {}
    memory: dict[str, float] = {}
    for name, value in (*processes(pictures, folder, chosen.runs, memory), *in_process(pictures, chosen.runs)):
        rows[name] = value
    steps = where_time_goes(pictures, chosen.runs)
    show(rows, memory, steps, unit)
    ratio = {"cost": rows["fitting of 12 megapixels"] / rows["fitting"], "pixels": pixel_ratio()}
    print(f"\n12 megapixels: {ratio['pixels']:.1f} times the pixels, {ratio['cost']:.1f} times the time of a fitting")
    answer = {"machine": where, "runs": chosen.runs, "unit_seconds": unit, "seconds": rows, "megabytes": memory}
    chosen.output.write_text(json.dumps({**answer, "steps": steps, "twelve_megapixels": ratio}, indent=2) + "\n")
    print(f"written: {chosen.output}")
    return 0


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    if load > cores / 2:
        print(f"The machine is busy (load {load:.1f} on {cores} cores): do not trust these seconds.\n")
    return {"python": platform.python_version(), "system": platform.platform(), "cores": cores, "load": round(load, 2)}


def pixel_ratio() -> float:
    """How many times the pixels the large photo has."""
    return LARGE[0] * LARGE[1] / (SIZE[0] * SIZE[1])


def prepare_pictures(folder: Path) -> dict[str, Path]:
    """A sample person in two sizes, and sample garments."""
    person = open_picture(next(iter(samples.people().values()))).image
    made = {"person": folder / "person.jpg", "large": folder / "large.jpg"}
    for path, size in ((made["person"], SIZE), (made["large"], LARGE)):
        save_picture(cv2.resize(person, size, interpolation=cv2.INTER_CUBIC), path)
    for number, name in enumerate(("tee_white", "longsleeve_striped"), 1):
        made[f"garment{number}"] = folder / f"garment{number}.jpg"
        garment = open_picture(samples.garments()[name]).on_white()
        scale = SIZE[1] / max(garment.shape[:2])
        save_picture(
            cv2.resize(garment, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), made[f"garment{number}"]
        )
    return made


def workload() -> None:
    """The unit: blurs, a warp and a matrix product of fixed size."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*SIZE[::-1], 3), np.uint8)
    for _ in range(4):
        picture = cv2.GaussianBlur(picture, (0, 0), 3)
        picture = cv2.warpAffine(picture, np.array([[1, 0.01, 2], [-0.01, 1, 2]]), SIZE)
    matrix = rng.standard_normal((700, 700))
    (matrix @ matrix @ matrix).sum()


def seconds(work: Callable[[], object], runs: int) -> float:
    """Median seconds of some work, after one run that is not counted."""
    work()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return median(taken)


def processes(
    pictures: Mapping[str, Path], folder: Path, runs: int, memory: dict[str, float]
) -> Iterator[tuple[str, float]]:
    """New processes: import, help, a first try; the memory of a try goes into `memory`."""
    python = [sys.executable, "-c"]
    empty = median(child([*python, "pass"])[0] for _ in range(2 * runs))
    yield "import vestiary", max(median(child([*python, "import vestiary"])[0] for _ in range(2 * runs)) - empty, 0.0)
    vestiary = [sys.executable, "-m", "vestiary"]
    yield "help", median(child([*vestiary, "--help"])[0] for _ in range(2 * runs))
    for name, person in (("first try, new process", "person"), ("first try of 12 megapixels", "large")):
        order = [
            *vestiary,
            "try",
            str(pictures[person]),
            str(pictures["garment1"]),
            "-o",
            str(folder / f"{person}.png"),
        ]
        taken = [child(order) for _ in range(runs if person == "person" else 2)]
        memory["peak memory" if person == "person" else "peak memory, 12 megapixels"] = median(mb for _, mb in taken)
        yield name, median(time for time, _ in taken)


def child(order: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak resident MB of a process; it must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(order, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(order)} failed:\n{said}")
    return taken, usage.ru_maxrss / 1024


def in_process(pictures: Mapping[str, Path], runs: int) -> Iterator[tuple[str, float]]:
    """In a process that has the models loaded."""
    engine = load_engine(DEFAULT_ENGINE)
    options = engine.Options()
    person = scan_person(pictures["person"])
    garments = [read_garment(pictures[f"garment{number}"]) for number in (1, 2)]
    prepared = engine.prepare(person)
    yield "warm try", seconds(lambda: try_on(pictures["person"], pictures["garment1"]), runs)
    yield "next garment", seconds(lambda: engine.fit(prepared, [read_garment(pictures["garment2"])], options), runs)
    yield "next garment, already read", seconds(lambda: engine.fit(prepared, [garments[1]], options), runs)
    yield "scan of a person", seconds(lambda: scan_person(pictures["person"]), runs)
    yield "reading of a garment", seconds(lambda: read_garment(pictures["garment1"]), runs)
    yield "fitting", seconds(lambda: try_on(person, garments[0]), runs)
    large = scan_person(pictures["large"])
    yield "fitting of 12 megapixels", seconds(lambda: try_on(large, garments[0]), min(runs, 3))
    yield "scan of 12 megapixels", seconds(lambda: scan_person(pictures["large"]), min(runs, 3))


def where_time_goes(pictures: Mapping[str, Path], runs: int) -> dict[str, dict[str, float]]:
    """Median seconds of each step, as the values themselves tell them."""
    found: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for size, times in (("person", runs), ("large", min(runs, 3))):
        suffix = " of 12 megapixels" if size == "large" else ""
        for _ in range(times):
            person, garment = scan_person(pictures[size]), read_garment(pictures["garment1"])
            found[f"person{suffix}"].append(person.timings)
            found["garment"].append(garment.timings)
            found[f"fitting{suffix}"].append(try_on(person, garment).timings)
    return {
        value: {step: median(run[step] for run in timings) for step in timings[0]} for value, timings in found.items()
    }


def show(
    rows: Mapping[str, float], memory: Mapping[str, float], steps: Mapping[str, Mapping[str, float]], unit: float
) -> None:
    """The table."""
    print(f"{'':34}{'seconds':>10}{'units':>9}{'asked':>8}    (1 unit = {unit * 1000:.0f} ms)")
    for name, value in rows.items():
        limit = f"{LIMITS[name]:.2f}" if name in LIMITS else ""
        print(f"{name:34}{value:10.3f}{value / unit:9.2f}{limit:>8}")
    for name, value in memory.items():
        limit = f"{LIMITS[name]:.0f}" if name in LIMITS else ""
        print(f"{name:34}{value:7.0f} MB{'':9}{limit:>8}")
    for value, timings in steps.items():
        parts = ", ".join(f"{step} {taken * 1000:.0f}" for step, taken in timings.items())
        print(f"{value}, milliseconds: {parts}")


if __name__ == "__main__":
    sys.exit(main())
