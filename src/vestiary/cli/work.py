"""How a batch is worked off: each photo looked at once, each failure noted, each finished picture left alone."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import vestiary
from vestiary import images
from vestiary.api import check_options, read_garment, scan_person
from vestiary.cli.pairs import Pair
from vestiary.download import sha256_of
from vestiary.errors import Cancelled, ImageError, VestiaryError, WeightsError
from vestiary.files import make_folder, write_file
from vestiary.registry import load_engine

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vestiary.types import Category, Garment

SETTINGS = "VESTIARY_DIFFUSION_"  # variables that decide what options lead to
ASKED = "options_asked_sha256"  # in the provenance of pictures that a batch made
MEMORY = 512 * 2**20  # bytes of scanned people and garments that are kept
_BYTES_PER_PIXEL = 40  # a scanned person and what an engine prepares of it, roughly


@dataclass(frozen=True)
class Outcome:
    """What became of one pair: done, skipped (already there), or failed with the error's code and words."""

    person: str
    garments: str
    output: str
    status: str
    seconds: float
    code: str = ""
    message: str = ""


class Remembered:
    """The last values made, as many as fit into a number of bytes; an error is remembered as well."""

    def __init__(self, limit: int = MEMORY) -> None:
        self.limit = limit
        self.kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """The value of this key; made, with its size in bytes, if it is not there."""
        if key not in self.kept:
            try:
                self.kept[key] = make()
            except (Cancelled, WeightsError):
                raise
            except VestiaryError as problem:
                self.kept[key] = (problem, 1000)
        self.kept.move_to_end(key)
        value = self.kept[key][0]
        while len(self.kept) > 1 and sum(size for _, size in self.kept.values()) > self.limit:
            self.kept.popitem(last=False)
        if isinstance(value, VestiaryError):
            raise value
        return value


class Batch:
    """The fittings of a batch with one engine and its options."""

    def __init__(self, engine: str, options: Mapping[str, Any], *, redo: bool = False, max_pixels: int) -> None:
        self.name = engine
        self.engine = load_engine(engine)
        self.options = check_options(self.engine.Options, options)
        self.asked = digest_of(self.options)
        self.redo = redo
        self.max_pixels = max_pixels
        self.memory = Remembered()
        self.digests: dict[Path, str | ImageError] = {}

    def run(self, pair: Pair) -> Outcome:
        """Fit one pair; a failure is an outcome too.

        Raises:
            WeightsError: a model file is missing.
        """
        started = time.perf_counter()
        status, code, message = "done", "", ""
        try:
            images.check_output(pair.output, inputs=(pair.person, *pair.garments))
            wanted = self._expected(pair)
            if self.redo or not is_there(pair.output, wanted, self.asked):
                self._fit(pair)
            else:
                status = "skipped"
        except (Cancelled, WeightsError):  # the next pair would fare no better
            raise
        except VestiaryError as problem:
            status, code, message = "failed", problem.code, str(problem)
        except Exception as problem:
            status, code, message = "failed", "internal", f"unexpected {type(problem).__name__}: {problem}"
        garments = " ".join(map(str, pair.garments))
        took = round(time.perf_counter() - started, 3)
        return Outcome(str(pair.person), garments, str(pair.output), status, took, code, message)

    def _expected(self, pair: Pair) -> dict[str, Any]:
        """What the provenance of an up-to-date output holds."""
        person, *garments = (self._digest(path) for path in (pair.person, *pair.garments))
        worn = [
            {"sha256": digest} | ({"category": category} if category else {})
            for digest, category in zip(garments, pair.categories, strict=True)
        ]
        made = {"vestiary": vestiary.__version__, "engine": self.name}
        return {**made, "person": {"sha256": person}, "garments": worn}

    def _digest(self, path: Path) -> str:
        if path not in self.digests:
            try:
                self.digests[path] = images.check_picture(path, max_pixels=self.max_pixels)
            except ImageError as problem:
                self.digests[path] = problem
        digest = self.digests[path]
        if isinstance(digest, ImageError):
            raise digest
        return digest

    def _fit(self, pair: Pair) -> None:
        prepared = self.memory.get(("person", pair.person), lambda: self._scan(pair.person))
        wanted = zip(pair.garments, pair.categories, strict=True)
        read = [self._garment(path, category) for path, category in wanted]
        fitting = self.engine.fit(prepared, read, self.options)
        replace(fitting, provenance={**fitting.provenance, ASKED: self.asked}).save(pair.output)

    def _scan(self, path: Path) -> tuple[Any, int]:
        person = scan_person(path, max_pixels=self.max_pixels)
        return self.engine.prepare(person), person.silhouette.size * _BYTES_PER_PIXEL

    def _garment(self, path: Path, category: str | None) -> Garment:
        def make() -> tuple[Garment, int]:
            garment = read_garment(path, category=cast("Category | None", category), max_pixels=self.max_pixels)
            return garment, garment.image.nbytes + garment.alpha.nbytes

        return cast("Garment", self.memory.get(("garment", path, category), make))


def digest_of(options: BaseModel) -> str:
    """64 hex digits that tell options, and the files and folders that they and the environment lead to, from others.

    Only options that were asked for count: what an engine chooses itself may differ from its usual defaults.
    """
    asked = options.model_dump(mode="json", exclude_unset=True)
    known = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    named = [value for value in (*asked.values(), *known.values()) if isinstance(value, str)]
    states = {part: _state_of(part) for value in named for part in value.split(os.pathsep)}
    return hashlib.sha256(json.dumps([asked, known, states], sort_keys=True).encode()).hexdigest()


def _state_of(name: str) -> Any:
    """What tells whether a file or folder has changed; None if the name is that of neither."""
    try:
        place = Path(name).expanduser()
        if place.is_file():
            return sha256_of(place)
        files = sorted(file for file in place.rglob("*") if file.is_file()) if name and place.is_dir() else []
        return [(str(file.relative_to(place)), file.stat().st_size, file.stat().st_mtime_ns) for file in files] or None
    except (OSError, RuntimeError):  # too long for a name, or of nobody's home
        return None


def is_there(output: Path, expected: Mapping[str, Any], asked: str) -> bool:
    """Whether the output exists and was made of the expected inputs with the expected engine and options.

    The options that a picture names may differ from those asked for: an engine names weights and pictures without
    their paths, and a distilled model's steps. So a batch leaves `digest_of` what was asked for.
    """
    if not output.is_file():
        return False
    try:
        found = images.read_provenance(output)
    except ImageError:
        return False
    return found.get(ASKED) == asked and _holds(found, expected)


def _holds(found: Any, expected: Any) -> bool:
    """Whether everything expected is in what was found."""
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(k in found and _holds(found[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        same = isinstance(found, list) and len(found) == len(expected)
        return same and all(_holds(one, other) for one, other in zip(found, expected, strict=True))
    return bool(found == expected)


def write_report(outcomes: Sequence[Outcome], path: Path) -> None:
    """The outcomes as a table (.csv) or as a list of objects (.json).

    Raises:
        OutputError: it cannot be written.
    """
    make_folder(path.parent)
    rows = [asdict(outcome) for outcome in outcomes]
    if path.suffix.lower() == ".json":
        text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, list(Outcome.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text = table.getvalue()
    write_file(path, text.encode())
