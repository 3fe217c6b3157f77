"""Time, memory and energy of every step of a fitting, in a process that has the models loaded.

The peak of the resident memory is the kernel's own (`VmHWM` of proc(5), reset before each stage; Linux only). Energy
is read from the processor's counters (RAPL, David et al. 2010) where they can be read; elsewhere it is an estimate,
processor seconds times an assumed power per busy core, and called so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vestiary.api import check_options, read_garment, scan_person, try_on
from vestiary.images import open_picture, save_picture
from vestiary.registry import OnStep, load_engine

if TYPE_CHECKING:
    from vestiary.types import Fitting, Picture

WATTS = 10.0  # of one busy core with its share of the package and memory; laptops draw about half, old servers twice
_RAPL = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Cost:
    """What a stage costs, medians of several runs.

    Attributes:
        seconds: of the clock on the wall.
        cpu_seconds: of all threads together.
        peak_mb: the most resident memory of the whole process during the stage, in MB of 2^20 bytes; None where the
            system does not tell.
        joules: energy of the stage, measured or estimated (`Energy.source` says which).
        steps: seconds of each step inside the stage, as its value tells them.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float | None
    joules: float
    steps: Mapping[str, float]


class Energy:
    """A meter of the processor's energy.

    Attributes:
        source: "RAPL" or "estimate: W x processor seconds".
    """

    def __init__(self, watts: float = WATTS, rapl: Path = _RAPL) -> None:
        self.watts = watts
        self.counters = [path / "energy_uj" for path in sorted(rapl.glob("intel-rapl:?")) if _reads(path / "energy_uj")]
        self.limits = [int((path.parent / "max_energy_range_uj").read_text()) for path in self.counters]
        self.source = "RAPL" if self.counters else f"estimate: {watts:g} W x processor seconds"

    def read(self) -> list[int]:
        """The counters, in microjoules."""
        return [int(path.read_text()) for path in self.counters]

    def between(self, before: list[int], after: list[int], cpu_seconds: float) -> float:
        """Joules between two readings; the counters begin anew at their limit."""
        if not self.counters:
            return self.watts * cpu_seconds
        turned = (limit if last < first else 0 for first, last, limit in zip(before, after, self.limits, strict=True))
        return (sum(after) - sum(before) + sum(turned)) / 1e6


def _reads(path: Path) -> bool:
    try:
        return path.read_text().strip().isdigit()
    except OSError:
        return False


def forget_peak() -> None:
    """Begin the peak of the resident memory anew (Linux; nothing happens elsewhere)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float | None:
    """The peak of the resident memory since `forget_peak`, in MB; None where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def measure(work: Callable[[], Any], runs: int, energy: Energy) -> Cost:
    """The median cost of some work, after one run that is not counted.

    Args:
        work: what to do; the `timings` of what it returns, if it has any, are the steps.
        runs: how many times.
    """
    work()
    seconds, cpu, peaks, joules = [], [], [], []
    steps: list[Mapping[str, float]] = []
    for _ in range(runs):
        forget_peak()
        before, busy, started = energy.read(), time.process_time(), time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - busy)
        joules.append(energy.between(before, energy.read(), cpu[-1]))
        peaks.append(peak_mb())
        steps.append(getattr(value, "timings", {}))
    known = [peak for peak in peaks if peak is not None]
    each = {step: median(run.get(step, 0.0) for run in steps) for step in steps[0]}
    return Cost(median(seconds), median(cpu), max(known) if known else None, median(joules), each)


def resized(photo: str | Path, size: tuple[int, int]) -> Picture:
    """A picture enlarged or reduced so that it just fits into (width, height); what is transparent becomes white."""
    picture = open_picture(photo).on_white()
    scale = min(size[0] / picture.shape[1], size[1] / picture.shape[0])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way), np.uint8)


def write_photos(person: str | Path, garment: str | Path, folder: Path, size: tuple[int, int]) -> tuple[Path, Path]:
    """Both photos, fitted into a size, as files."""
    places = folder / f"person_{size[0]}x{size[1]}.png", folder / f"garment_{size[0]}x{size[1]}.png"
    for photo, place in zip((person, garment), places, strict=True):
        save_picture(resized(photo, size), place)
    return places


def bench_engine(
    engine: str,
    options: Mapping[str, Any],
    photos: tuple[str | Path, str | Path],
    folder: Path,
    *,
    size: tuple[int, int],
    runs: int,
    energy: Energy,
    on_stage: OnStep | None = None,
) -> dict[str, Cost]:
    """What each stage costs with one engine, by name, in the order of the work.

    "scan", "garment", "prepare", "fit" and "save" are the stages of one fitting; "next garment" is a garment read and
    put on a prepared person; "whole" is a try from two files to a picture in memory.

    Args:
        photos: of a person and of a garment.
        folder: where the resized pictures and the result are written.
        size: (width, height) that both photos are fitted into first.
        on_stage: told of each stage before it is measured.

    Raises:
        InputError: a photo or an option that will not do.
    """
    person_file, garment_file = write_photos(*photos, folder, size)
    result = folder / "fitting.png"
    worker = load_engine(engine)
    chosen = check_options(worker.Options, options)
    person, garment = scan_person(person_file), read_garment(garment_file)
    prepared = worker.prepare(person)
    fitting: Fitting = worker.fit(prepared, [garment], chosen)
    stages: dict[str, Callable[[], Any]] = {
        "scan": lambda: scan_person(person_file),
        "garment": lambda: read_garment(garment_file),
        "prepare": lambda: worker.prepare(person),
        "fit": lambda: worker.fit(prepared, [garment], chosen),
        "save": lambda: fitting.save(result),
        "next garment": lambda: worker.fit(prepared, [read_garment(garment_file)], chosen),
        "whole": lambda: try_on(person_file, garment_file, engine=engine, options=chosen),
    }
    costs = {}
    for number, (name, work) in enumerate(stages.items(), 1):
        if on_stage is not None:
            on_stage(number, len(stages), name, None)
        costs[name] = measure(work, runs, energy)
    known = getattr(prepared, "timings", {})  # a fitting tells of the person's preparation too
    alone = {step: seconds for step, seconds in costs["fit"].steps.items() if step not in known}
    whole = {name: replace(costs[name], steps={}) for name in ("next garment", "whole")}
    return {**costs, "fit": replace(costs["fit"], steps=alone), **whole}


def workload_seconds(runs: int = 5) -> float:
    """Median seconds of a fixed NumPy and OpenCV workload: the unit in which machines and commits are compared."""
    picture = np.random.default_rng(0).integers(0, 256, (1024, 768, 3), np.uint8)
    matrix = np.random.default_rng(1).standard_normal((700, 700))

    def work() -> None:
        seen = picture
        for _ in range(4):
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), 3), np.uint8)
            seen = np.asarray(cv2.warpAffine(seen, np.array([[1, 0.01, 2], [-0.01, 1, 2]]), (768, 1024)), np.uint8)
        (matrix @ matrix @ matrix).sum()

    return measure(work, runs, Energy()).seconds


def busy() -> float:
    """How many processes wait for each core, over the last minute; above 0.5 do not trust the seconds."""
    try:
        return os.getloadavg()[0] / len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return 0.0


def plain(costs: Mapping[str, Cost]) -> dict[str, Any]:
    """Costs as JSON-ready data, rounded to what is meant."""
    return {name: _rounded(asdict(cost)) for name, cost in costs.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
