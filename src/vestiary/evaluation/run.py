"""Work through the pairs of an evaluation; each is kept when it is done, so a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vestiary.errors import (
    Cancelled,
    DatasetError,
    ImageError,
    InputError,
    MissingExtraError,
    OptionError,
    OutputError,
    VestiaryError,
    WeightsError,
)  # fmt: skip
from vestiary.evaluation import measures
from vestiary.evaluation.judge import Case, Judge, Verdict
from vestiary.evaluation.preserved import at_size
from vestiary.files import make_folder, write_file
from vestiary.images import check_picture, open_picture, save_picture

if TYPE_CHECKING:
    from vestiary.datasets import Dataset, Sample
    from vestiary.evaluation.maker import Made, Maker
    from vestiary.evaluation.protocol import Protocol, Setting
    from vestiary.evaluation.standard import Standard
    from vestiary.types import Picture

Status = Literal["done", "refused", "unreadable", "crashed"]
# Errors after which the next pair would fare no better.
FATAL = (Cancelled, WeightsError, MissingExtraError, OptionError, OutputError)


@dataclass(frozen=True)
class Plan:
    """What an evaluation is asked to do.

    Attributes:
        dataset: the pairs.
        limit: how many of them at most; 0 = all.
        protocol: how pictures are made ready.
        setting: paired or unpaired.
        maker: where results come from.
        standard: the standard networks there are.
        folder: where records, pictures and features are kept.
    """

    dataset: Dataset
    limit: int
    protocol: Protocol
    setting: Setting
    maker: Maker
    standard: Standard
    folder: Path

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The pairs that are evaluated."""
        return tuple(self.dataset[: self.limit] if self.limit else self.dataset)


@dataclass
class Record:
    """What became of one pair; plain data, a file of its own.

    Attributes:
        name: the pair's.
        key: digest of everything that the outcome depends on.
        status: done; refused by the engine or its checks; a picture could not be read; the engine crashed.
        code: of the error.
        message: of the error.
        inputs: role → file and SHA-256.
        seconds: by stage.
        measures: by name; None = does not apply to this pair.
        slices: by name.
        warnings: of the engine.
        picture: the result, relative to the folder.
        size: width and height at which it was judged.
    """

    name: str
    key: str
    status: Status = "done"
    code: str = ""
    message: str = ""
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    measures: dict[str, float | None] = field(default_factory=dict)
    slices: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    picture: str = ""
    size: tuple[int, int] | None = None


def evaluate(plan: Plan) -> Iterator[Record]:
    """Make and judge the result of every pair, one after the other; those already done are read back.

    Failures of a pair are records too.

    Raises:
        WeightsError: a model file is missing; likewise other errors that every pair would meet.
        OutputError: the folder cannot be written.
    """
    for name in ("pairs", "pictures", "features"):
        make_folder(plan.folder / name)
    judge: Judge | None = None
    for sample in plan.samples:
        record = Record(sample.name, "")
        try:
            record.inputs = _inputs(sample)
            record.key = _key(plan, record.inputs)
            found = read_record(plan.folder, sample.name)
            if found is not None and found.key == record.key and _whole(plan.folder, found):
                yield found
                continue
            judge = judge or Judge(plan.standard)
            _work(plan, judge, sample, record)
        except FATAL:
            raise
        except (ImageError, DatasetError) as problem:
            _fail(record, "unreadable", problem.code, str(problem))
        except VestiaryError as problem:
            _fail(record, "refused" if isinstance(problem, InputError) else "crashed", problem.code, str(problem))
        except Exception as problem:
            _fail(record, "crashed", "internal", f"unexpected {type(problem).__name__}: {problem}")
        _write(plan.folder, record)
        yield record


def _work(plan: Plan, judge: Judge, sample: Sample, record: Record) -> None:
    """Make the result of a pair, judge it, and keep pictures and features; the record is filled."""
    photo = plan.protocol.sized(sample.read_person())
    size = (photo.shape[1], photo.shape[0])
    truth = at_size(sample.read_target(), size) if plan.setting == "paired" else None
    made = plan.maker.make(sample, photo)
    started = time.perf_counter()
    image = at_size(made.image, size)
    mask = made.mask if made.mask is None else at_size(made.mask, size, labels=True)
    place = sample.read_agnostic_mask() if plan.protocol.repaint and sample.agnostic_mask else mask
    judged = plan.protocol.judged(image, photo, place)
    verdict = judge.judge(Case(sample, photo, image, judged, truth, mask, made.person, made.garment))
    file = safe_name(sample.name)
    save_picture(judged, plan.folder / "pictures" / f"{file}.png")
    _keep_features(plan.folder / "features" / f"{file}.npz", verdict)
    _fill(record, made, verdict)
    record.seconds["judge"] = round(time.perf_counter() - started, 4)
    record.picture, record.size = f"pictures/{file}.png", size


def _fill(record: Record, made: Made, verdict: Verdict) -> None:
    record.seconds = {stage: round(value, 4) for stage, value in made.seconds.items()}
    record.measures = dict(verdict.measures)
    if "fit" in made.seconds:
        record.measures["seconds"] = round(made.seconds["prepare"] + made.seconds["fit"], 4)
    record.slices, record.warnings = verdict.slices, list(made.warnings)


def _fail(record: Record, status: Status, code: str, message: str) -> None:
    record.status, record.code, record.message = status, code, message


def _inputs(sample: Sample) -> dict[str, dict[str, str]]:
    """File and SHA-256 of person, garment and truth.

    Raises:
        ImageError: one of them is missing, or no picture.
    """
    files = {"person": sample.person, "garment": sample.garment, "target": sample.target}
    return {role: {"file": str(file), "sha256": check_picture(file)} for role, file in files.items() if file}


def _key(plan: Plan, inputs: Mapping[str, Mapping[str, str]]) -> str:
    parts = {
        "inputs": {role: entry["sha256"] for role, entry in inputs.items()},
        "maker": plan.maker.describe(),
        "protocol": plan.protocol.name,
        "setting": plan.setting,
        "standard": plan.standard.sha256,
        "versions": measures.versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def safe_name(name: str) -> str:
    """The pair's name as a file name; a short digest keeps changed names apart."""
    plain = re.sub(r"[^\w.-]+", "_", name)[:120]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _write(folder: Path, record: Record) -> None:
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_file(folder / "pairs" / f"{safe_name(record.name)}.json", f"{text}\n".encode())


def read_record(folder: Path, name: str) -> Record | None:
    """The record of a pair; None when there is none, or it cannot be read."""
    try:
        found = json.loads((folder / "pairs" / f"{safe_name(name)}.json").read_text(encoding="utf-8"))
        record = Record(**found)
    except (OSError, ValueError, TypeError):
        return None
    record.size = tuple(record.size) if record.size else None  # type: ignore[assignment]
    return record


def _whole(folder: Path, record: Record) -> bool:
    """Whether a record's picture and features are there; crashes and damaged files are tried again."""
    if record.status != "done":
        return record.status == "refused"
    features = folder / "features" / f"{safe_name(record.name)}.npz"
    return (folder / record.picture).is_file() and features.is_file()


def _keep_features(path: Path, verdict: Verdict) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **verdict.features)  # type: ignore[arg-type]
    write_file(path, buffer.getvalue())


def read_features(folder: Path, name: str) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """The features of a pair's result and real photo by network.

    Raises:
        InputError: they are missing or damaged.
    """
    path = folder / "features" / f"{safe_name(name)}.npz"
    try:
        with np.load(path) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError) as problem:
        hint = "Run the same evaluation again: it makes what is missing."
        raise InputError(f"{path} cannot be read.", hint=hint) from problem


def read_picture(path: Path) -> Picture:
    """A kept picture, `(H, W, 3) uint8`."""
    return open_picture(path).on_white()
