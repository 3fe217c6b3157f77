"""What an actor of Ray Data does: fit the pairs of a chunk, write each picture, and say what became of each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from vestiary.api import check_options, read_garment, scan_person
from vestiary.cluster.pairs import Pair
from vestiary.encode import Format, encode_picture
from vestiary.errors import ImageError, VestiaryError
from vestiary.registry import load_engine
from vestiary.serve.memory import Memory
from vestiary.serve.store import Store

if TYPE_CHECKING:
    from vestiary.types import Garment

T = TypeVar("T")
ENDINGS: dict[str, Format] = {"jpg": "jpeg", "png": "png", "webp": "webp", "avif": "avif"}


@dataclass(frozen=True)
class Work:
    """What is the same for all pairs of a run; plain data, since it goes to every actor.

    Attributes:
        base: the table's folder: what paths in it are relative to.
        output: folder or fsspec URL; pictures go to `pictures/ab/<key>.<ending>`.
        cache_mb: memory of an actor for prepared people and garments.
    """

    base: str
    output: str
    engine: str
    options: Mapping[str, Any]
    ending: str = "jpg"
    max_pixels: int = 64_000_000
    cache_mb: int = 512


@dataclass(frozen=True)
class Line:
    """What became of a pair: a line of the manifest.

    Attributes:
        status: "done"; "there", when the picture had been written by a run that was interrupted; or "failed".
        picture: its name in the output; empty when it failed.
        prepared: whether the person was scanned and prepared for this pair, and not for one before.
    """

    key: str
    person: str
    garments: tuple[str, ...]
    status: str
    picture: str = ""
    seconds: float = 0.0
    prepared: bool = False
    code: str = ""
    message: str = ""


class Worker:
    """Holds the engine, and the people and garments used last."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._engine = load_engine(work.engine)
        self._options = check_options(self._engine.Options, work.options)
        self._store = Store(work.output)
        self._memory = Memory(work.cache_mb * 2**20)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """The lines of the manifest, as JSON, for chunks that are lists of pairs as JSON."""
        lines = []
        for chunk in batch["pairs"]:
            for fields in json.loads(str(chunk)):
                fields |= {name: tuple(fields[name]) for name in ("garments", "categories")}
                lines.append(json.dumps(asdict(self.fit(Pair(**fields))), ensure_ascii=False))
        return {"line": lines}

    def fit(self, pair: Pair) -> Line:
        """Fit a pair and write its picture; a failure is a line too."""
        started = time.perf_counter()
        picture = f"pictures/{pair.key[:2]}/{pair.key}.{self._work.ending}"
        prepared = False
        outcome: dict[str, Any] = {"status": "done", "picture": picture}
        try:
            if self._store.has(picture):
                outcome["status"] = "there"
            else:
                prepared = ("prepared", pair.person) not in self._memory
                self._write(pair, picture)
        except VestiaryError as problem:
            outcome = {"status": "failed", "code": problem.code, "message": str(problem)}
        except Exception as problem:
            outcome = {"status": "failed", "code": "internal", "message": f"unexpected {type(problem).__name__}"}
        seconds = round(time.perf_counter() - started, 3)
        return Line(pair.key, pair.person, pair.garments, seconds=seconds, prepared=prepared, **outcome)

    def _write(self, pair: Pair, picture: str) -> None:
        ready = self._kept(("prepared", pair.person), lambda: self._prepare(pair.person))
        worn = [
            self._kept(("garment", category or "", path), partial(self._read, path, category))
            for path, category in zip(pair.garments, pair.categories, strict=True)
        ]
        fitting = self._engine.fit(ready, worn, self._options)
        kind = ENDINGS[self._work.ending]
        data = encode_picture(fitting.image, kind, quality=95, provenance=fitting.provenance)
        self._store.write(picture, data)

    def _kept(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """From memory, or made; why it cannot be made is kept as well: a bad photo is looked at once."""

        def made() -> T | VestiaryError:
            try:
                return make()
            except VestiaryError as problem:
                return problem

        value = self._memory.get(key, made)
        if isinstance(value, VestiaryError):
            raise value
        return value

    def _prepare(self, path: str) -> Any:
        return self._engine.prepare(scan_person(self._photo(path), max_pixels=self._work.max_pixels))

    def _read(self, path: str, category: Any) -> Garment:
        return read_garment(self._photo(path), category=category, max_pixels=self._work.max_pixels)

    def _photo(self, path: str) -> bytes:
        """The bytes of a photo; a path is relative to the table's folder, and may be a URL that fsspec knows."""
        import fsspec

        place = path if "://" in path or path.startswith("/") else f"{self._work.base}/{path}"
        try:
            with fsspec.open(place, "rb") as file:
                data: bytes = file.read()
                return data
        except Exception as problem:  # each kind of storage has errors of its own
            hint = "Check the path; every machine of the cluster must reach it."
            raise ImageError(f"{path} cannot be read: {type(problem).__name__}.", hint=hint) from None
