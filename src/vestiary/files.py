"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from vestiary.errors import OutputError


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, whole or not at all: beside its place first, then renamed into it.

    Raises:
        OutputError: no such folder, no permission, disk full, or something that is not a file is in its place.
    """
    name = os.fspath(path)
    check_place(path)
    target = Path(os.path.realpath(path))  # a link stays a link
    beside = target.parent / f".{secrets.token_hex(6)}.part"
    try:
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
                file.write(data)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        hint = "Free some space or choose another place, then run again."
        raise OutputError(f"{name} cannot be written: {reason}.", hint=hint) from None


def check_place(path: str | os.PathLike[str]) -> None:
    """Find out before the work whether a file could be written there.

    Raises:
        OutputError: no such folder, no permission, or something that is not a file is in its place.
    """
    name, target = os.fspath(path), Path(os.path.realpath(path))
    if not target.parent.is_dir():
        hint = f"Make it first: mkdir -p {target.parent}"
        raise OutputError(f"{name} cannot be written: there is no folder {target.parent}.", hint=hint)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.stat().st_mode):
            what = "a folder" if target.is_dir() else "not a regular file"
            raise OutputError(f"{name} cannot be written: it is {what}.", hint="Choose a file name.")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        hint = "Choose another place, or change its permissions."
        raise OutputError(f"{name} cannot be written: permission denied.", hint=hint)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Find out before the work whether `make_folder` could make this folder; makes nothing.

    Raises:
        OutputError: a file is in its place or above it, or no permission.
    """
    folder = Path(path).absolute()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not nearest.is_dir():
        raise OutputError(f"{path} cannot be made: {nearest} is a file.", hint="Choose another folder.")
    if not os.access(nearest, os.W_OK):
        raise OutputError(f"{path} cannot be written: permission denied.", hint="Choose another folder.")


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made with its parents if it is not there.

    Raises:
        OutputError: it cannot be made, or a file is in its place.
    """
    check_folder(path)
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(f"{folder} cannot be made: {reason}.", hint="Choose another folder.") from None
    return folder
