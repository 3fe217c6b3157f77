"""Checkpoints: written whole or not at all, the last few kept, and checked before anything is loaded from them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vestiary.errors import OutputError, WeightsError

FORMAT = 1
BEST = "best.pt"
_NAME, _PART = "step-*.pt", ".*.pt.part"


@dataclass
class Position:
    """Where a run stands.

    Attributes:
        steps: updates so far.
        seconds: of training, over all resumed stretches, without validation.
        samples: drawn so far by all processes; the next one has this number.
        skipped: samples that could not be read.
        best: the best score so far.
        stale: validations since then that gave a score.
    """

    steps: int = 0
    seconds: float = 0.0
    samples: int = 0
    skipped: int = 0
    best: float | None = None
    stale: int = 0


def save(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint, whole or not at all: what was in its place stays until the new one is on the disk.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """
    beside = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.pt.part")
    try:
        try:
            with beside.open("xb") as file:
                torch.save({"format": FORMAT, **content}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
    except (OSError, RuntimeError) as problem:  # PyTorch's writer raises a RuntimeError after the file's own error
        cause = problem if isinstance(problem, OSError) else problem.__context__
        reason = (getattr(cause, "strerror", None) or str(cause or problem)).lower()
        kept = ", ".join(file.name for file in saved(path.parent)) or "none yet"
        hint = f"Free some space and go on with --resume. Earlier checkpoints are untouched: {kept}."
        raise OutputError(f"{path} cannot be written: {reason}.", hint=hint) from None


def saved(folder: Path) -> list[Path]:
    """The run's checkpoints, oldest first; not the best one."""
    return sorted(folder.glob(_NAME))


def place(folder: Path, steps: int) -> Path:
    """Where the checkpoint after so many steps goes."""
    return folder / f"step-{steps:08d}.pt"


def tidy(folder: Path, keep: int) -> None:
    """Remove all but the last checkpoints, and what a killed run left half written."""
    for path in (*saved(folder)[:-keep], *folder.glob(_PART)):
        path.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU; nothing in the file is executed.

    Raises:
        WeightsError: no such file, damaged, or no checkpoint of this program.
    """
    if not path.is_file():
        raise WeightsError(
            f"there is no checkpoint {path}.", hint="A run writes step-….pt and best.pt into its folder."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        reason = str(problem).partition("\n")[0]
        raise WeightsError(f"{path} is damaged or no checkpoint: {reason}", hint="Take an earlier one.") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or "averaged" not in content:
        raise WeightsError(f"{path} is no checkpoint of this version of Vestiary.", hint="Train again, or convert it.")
    return content


def newest(folder: Path) -> tuple[Path, dict[str, Any], list[str]]:
    """The last checkpoint of a run that is whole, its content, and what is wrong with later ones.

    Raises:
        WeightsError: there is none.
    """
    problems: list[str] = []
    for path in reversed(saved(folder)):
        try:
            return path, read(path), problems
        except WeightsError as problem:
            problems.append(problem.message)
    hint = "Leave --resume out to start, or name the run's folder with --out."
    raise WeightsError(" ".join([f"{folder} holds no checkpoint to go on from.", *problems]), hint=hint)


def check_recipe(content: Mapping[str, Any], name: str, path: Path) -> None:
    """Make sure that the checkpoint is of this recipe.

    Raises:
        WeightsError: it is of another one.
    """
    found = content.get("recipe")
    if found != name:
        hint = f"Name that recipe instead: {found}."
        raise WeightsError(f"{path} is a checkpoint of the recipe {found!r}, not of {name!r}.", hint=hint)


def load_networks(networks: Mapping[str, nn.Module], states: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Fill the networks' weights, or change nothing.

    Raises:
        WeightsError: another architecture; the message names the keys that differ.
    """
    wanted = {f"{name}.{key}": value for name, net in networks.items() for key, value in net.state_dict().items()}
    found = {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
    differences = []
    if missing := [key for key in wanted if key not in found]:
        differences.append(f"it lacks {_some(missing)}")
    if extra := [key for key in found if key not in wanted]:
        differences.append(f"it also has {_some(extra)}")
    both = [key for key in wanted if key in found]
    if shapes := [key for key in both if wanted[key].shape != found[key].shape]:
        sizes = [f"{key} {tuple(found[key].shape)} for {tuple(wanted[key].shape)}" for key in shapes]
        differences.append(f"other shapes: {_some(sizes)}")
    if differences:
        hint = "Set the architecture's keys as they were in that run (its config.yaml), or start a new run."
        raise WeightsError(f"{path} is of another architecture: {'; '.join(differences)}.", hint=hint)
    for name, net in networks.items():
        net.load_state_dict(dict(states[name]))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown


def position_of(content: Mapping[str, Any]) -> Position:
    """Where the checkpoint was written."""
    known = {field.name for field in fields(Position)}
    return Position(**{key: value for key, value in content["position"].items() if key in known})


def plain(position: Position) -> dict[str, Any]:
    """The position as a checkpoint holds it."""
    return asdict(position)
