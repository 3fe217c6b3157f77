"""`vestiary bench`: time, memory and energy of every step."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from vestiary.cli import options, say


class Size(click.ParamType[Any]):
    """WIDTHxHEIGHT."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """(width, height)."""
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdigit() and 64 <= int(part) <= 16384 for part in parts):
            self.fail(f"{value!r} is no size; write it as WIDTHxHEIGHT, such as 768x1024.", param, ctx)
        return int(parts[0]), int(parts[1])


@click.command("bench", cls=options.EngineCommand)
@options.engine
@click.option("--person", type=options.PATH, help="Photo of a person.  [default: a sample]")
@click.option("--garment", type=options.PATH, help="Photo of a garment.  [default: a sample]")
@click.option("--size", type=Size(), default="768x1024", show_default=True, help="Both photos are fitted into this.")
@click.option("--large", type=Size(), help="Measure once more at this size, such as 3000x4000.")
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=5, show_default=True, help="Of each stage; medians count."
)
@click.option("--watts", type=click.FloatRange(0.1, 1000), help="Power of one busy core, where energy is not measured.")
@click.option("--processes/--no-processes", default=True, show_default=True, help="Measure new processes too.")
@click.option("-o", "--output", type=options.PATH, help="Write the result to this JSON file as well.")
@options.common
def command(
    engine: str,
    person: str | None,
    garment: str | None,
    size: tuple[int, int],
    large: tuple[int, int] | None,
    runs: int,
    watts: float | None,
    processes: bool,
    output: str | None,
    as_json: bool,
    **parameters: Any,
) -> None:
    """Measure time, memory and energy of each step of a fitting on this machine.

    \b
        vestiary bench
        vestiary bench --engine paste --runs 10 --json
        vestiary bench --person me.jpg --garment shirt.jpg --large 3000x4000 -o bench.json
    """
    from vestiary import files, samples
    from vestiary.evaluation import bench
    from vestiary.evaluation.bench_process import new_processes

    if output is not None:
        files.make_folder(Path(output).parent)
    person = person or str(next(iter(samples.people().values())))
    garment = garment or str(samples.garments()["longsleeve_striped"])
    chosen = options.engine_values(engine, parameters)
    energy = bench.Energy(watts or bench.WATTS)
    answer = {**_origin(engine, chosen, person, garment), "runs": runs, "busy": round(bench.busy(), 2)}
    if answer["busy"] > 0.5:
        say.words(f"note: this machine is busy ({answer['busy']} waiting for each core); do not trust these seconds.")
    answer |= {"energy": energy.source, "unit_seconds": round(bench.workload_seconds(), 4), "sizes": {}}
    with tempfile.TemporaryDirectory(prefix="vestiary-bench-") as made, say.StepLine(quiet=as_json) as line:
        folder = Path(made)
        if processes:
            line(0, 1, "new processes")
            photos = bench.write_photos(person, garment, folder, size)
            answer["processes"] = new_processes(photos, folder, engine=engine, runs=runs)
        for each, times in ((size, runs), (large, min(runs, 3))):
            if each is not None:
                costs = bench.bench_engine(
                    engine, chosen, (person, garment), folder, size=each, runs=times, energy=energy, on_stage=line
                )
                answer["sizes"][f"{each[0]}x{each[1]}"] = bench.plain(costs)
    if output is not None:
        files.write_file(Path(output), json.dumps(answer, indent=2, ensure_ascii=False).encode() + b"\n")
    if as_json:
        say.data(answer)
    else:
        _tell(answer)
        if output is not None:
            say.words(f"{output}: written")


def _origin(engine: str, chosen: dict[str, Any], person: str, garment: str) -> dict[str, Any]:
    """What the figures belong to."""
    import datetime
    import os
    import platform

    from vestiary import __version__, images, weights

    return {
        "vestiary": __version__,
        "engine": engine,
        "options": chosen,
        "weights": {name: spec.sha256 for name, spec in weights.list_weights().items()},
        "data": {name: images.check_picture(path) for name, path in (("person", person), ("garment", garment))},
        "command": " ".join(["vestiary", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }


def _tell(answer: dict[str, Any]) -> None:
    click.echo(f"{answer['engine']}, medians of {answer['runs']} runs; energy: {answer['energy']}")
    for size, costs in answer["sizes"].items():
        click.echo(f"\n{size}")
        rows = [("stage", "ms", "CPU ms", "peak MB", "J", "steps (ms)")]
        rows += [(name, *_cells(cost)) for name, cost in costs.items()]
        say.table(rows)
    if "processes" in answer:
        click.echo("\nnew processes")
        say.table([_process(name, cost) for name, cost in answer["processes"].items()])


def _process(name: str, cost: dict[str, float]) -> tuple[str, str, str]:
    return name, f"{cost['seconds']:.2f} s", f"{cost['peak_mb']:.0f} MB" if "peak_mb" in cost else ""


def _cells(cost: dict[str, Any]) -> tuple[str, str, str, str, str]:
    steps = ", ".join(f"{step} {1000 * seconds:.0f}" for step, seconds in cost["steps"].items())
    peak = "" if cost["peak_mb"] is None else f"{cost['peak_mb']:.0f}"
    return f"{1000 * cost['seconds']:.0f}", f"{1000 * cost['cpu_seconds']:.0f}", peak, f"{cost['joules']:.1f}", steps
