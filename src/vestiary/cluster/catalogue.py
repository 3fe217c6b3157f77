"""Catalogues of millions of pairs through Ray Data: streamed over actors, resumed after an interruption.

The output has `pictures/` and `manifest/`. The manifest is written in parts by this process alone, each part whole;
what it names is not done again. A picture whose line was lost in an interruption is found by its name, not made again.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vestiary.api import check_options, check_request
from vestiary.cluster.pairs import Pair, chunks, read_pairs
from vestiary.cluster.remote import connect
from vestiary.cluster.worker import ENDINGS, Line, Work, Worker
from vestiary.errors import OptionError, WeightsError
from vestiary.registry import load_engine
from vestiary.serve.store import Store

log = logging.getLogger(__name__)

CHUNK = 64  # pairs of one person that an actor does in one go
_PART_LINES, _PART_SECONDS = 1000, 10.0
_DIED: dict[str, Any] = {"code": "engine", "message": "the actor that worked on this pair died."}


@dataclass(frozen=True)
class Summary:
    """What became of a catalogue.

    Attributes:
        pairs: in the table, each counted once.
        done: fitted now.
        there: found written by a run that was interrupted.
        skipped: named by the manifest of an earlier run.
        failed: now; the manifest says why.
        prepared: how often a person was scanned and prepared.
        seconds: of the whole run.
    """

    pairs: int
    done: int
    there: int
    skipped: int
    failed: int
    prepared: int
    seconds: float


class Manifest:
    """The lines of all runs, in parts of an output's folder `manifest`."""

    def __init__(self, output: str) -> None:
        self._store = Store(f"{output.rstrip('/')}/manifest")
        self._waiting: list[str] = []
        self._written = time.monotonic()

    def lines(self) -> dict[str, Line]:
        """The last line of each pair."""
        names = {item.name for item in fields(Line)}
        found: dict[str, Line] = {}
        for part in sorted(self._store.older_than(-60)):
            for text in self._store.read(part).decode().splitlines():
                given = {name: value for name, value in json.loads(text).items() if name in names}
                found[given["key"]] = Line(**{**given, "garments": tuple(given["garments"])})
        return found

    def add(self, line: str) -> None:
        """Note a line; it is written with others, after ten seconds at most."""
        self._waiting.append(line)
        if len(self._waiting) >= _PART_LINES or time.monotonic() - self._written > _PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a part; the parts' names sort by time."""
        if self._waiting:
            name = f"{time.time_ns():020d}-{secrets.token_hex(3)}.jsonl"
            self._store.write(name, ("\n".join(self._waiting) + "\n").encode())
        self._waiting, self._written = [], time.monotonic()


def fit_catalogue(
    table: str | Path,
    output: str,
    *,
    engine: str = "embedded",
    options: Mapping[str, Any] | None = None,
    ending: str = "jpg",
    actors: int = 1,
    address: str = "auto",
    retry: bool = False,
    max_pixels: int = 64_000_000,
    on_line: Callable[[Line], None] | None = None,
) -> Summary:
    """Fit every pair of a table that the output's manifest does not name yet.

    Args:
        table: .csv or .parquet; see `vestiary.cluster.pairs.read_pairs`. Paths are relative to its folder, or URLs.
        output: folder that all machines share, or fsspec URL.
        engine: a name from `list_engines()`.
        options: the engine's.
        ending: of the pictures: jpg, png, webp or avif.
        actors: fittings at a time, at most; each takes a processor. Fewer run where the cluster has fewer.
        address: of the Ray cluster: "auto", "HOST:PORT", or "local" for one on this machine, for this run.
        retry: do what failed in an earlier run again.
        max_pixels: larger photos are refused.
        on_line: called for each pair as it is finished.

    Raises:
        InputError: one of its kinds: the table or an option cannot be used.
        UnavailableError: the cluster or the output cannot be reached.
        MissingExtraError: the extra `ray` is not installed.
    """
    started = time.monotonic()
    if ending not in ENDINGS:
        raise OptionError(f"pictures are not written as .{ending} here.", hint=f"Choose of: {', '.join(ENDINGS)}.")
    output = output if "://" in output else str(Path(output).resolve())  # actors have working folders of their own
    chosen = load_engine(engine)
    checked = check_options(chosen.Options, options).model_dump(mode="json", exclude_unset=True)
    pairs = read_pairs(table, engine, checked)
    with suppress(WeightsError):  # which need not be on this machine
        check_request(engine, chosen, min((len(pair.garments) for pair in pairs), default=1), checked)
    manifest = Manifest(output)
    before = manifest.lines()
    left = {pair.key: pair for pair in pairs if not _is_settled(before.get(pair.key), retry)}
    counts: Counter[str] = Counter(skipped=len(pairs) - len(left))

    def note(line: Line) -> None:
        counts[line.status] += 1
        counts["prepared"] += line.prepared
        del left[line.key]
        manifest.add(json.dumps(asdict(line), ensure_ascii=False))
        if on_line is not None:
            on_line(line)

    work = Work(str(Path(table).resolve().parent), output, engine, checked, ending, max_pixels)
    try:
        if left:
            connect(address)
            for most in (CHUNK, 1):  # pairs whose chunk died with its actor are tried one by one
                for line in _stream(chunks(left.values(), most), work, actors):
                    if line.key in left:
                        note(line)
        for pair in list(left.values()):
            note(Line(pair.key, pair.person, pair.garments, "failed", **_DIED))
    finally:
        manifest.flush()
    numbers = {name: counts[name] for name in ("done", "there", "skipped", "failed", "prepared")}
    return Summary(len(pairs), **numbers, seconds=round(time.monotonic() - started, 3))


def _is_settled(line: Line | None, retry: bool) -> bool:
    return line is not None and not (retry and line.status == "failed")


def _stream(cut: Sequence[Sequence[Pair]], work: Work, actors: int) -> Iterator[Line]:
    """The lines of all chunks as they come, in no order."""
    if not cut:
        return
    import ray

    rows = [{"pairs": json.dumps([asdict(pair) for pair in chunk])} for chunk in cut]
    most = min(actors, len(rows))
    with _settings():
        lines = ray.data.from_items(rows, override_num_blocks=min(len(rows), 4096)).map_batches(
            Worker,
            fn_constructor_args=(work,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
            num_cpus=1,
            max_task_retries=1,  # else a pair that kills its actor is tried for ever
        )
        for row in lines.iter_rows():
            given = json.loads(row["line"])
            yield Line(**{**given, "garments": tuple(given["garments"])})


@contextmanager
def _settings() -> Iterator[None]:
    """A chunk that fails for good leaves the others alone; nothing is printed."""
    from ray.data import DataContext

    context = DataContext.get_current()
    before = context.max_errored_blocks, context.enable_progress_bars
    context.max_errored_blocks, context.enable_progress_bars = -1, False
    quiet = logging.getLogger("ray.data")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before
        quiet.setLevel(level)
