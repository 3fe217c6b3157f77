"""Where pixels are kept: a folder, or any place that fsspec knows by URL. A blob is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from vestiary.errors import InputError, MissingExtraError, NotFoundError, OutputError, UnavailableError, VestiaryError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Store:
    """Blobs by name; a name is a path of letters, digits, `_`, `.` and `/`."""

    def __init__(self, url: str) -> None:
        """Open the storage, and make its folder when it is one of this machine.

        Raises:
            InputError: the URL is none that fsspec knows.
            MissingExtraError: the package for such URLs is not installed.
            OutputError: its folder cannot be made.
        """
        try:
            self._files, self._root = url_to_fs(url, use_listings_cache=False)
        except ImportError:
            hint = 'Type: pip install "vestiary[s3]"'
            raise MissingExtraError("the package for this storage is not installed.", hint=hint) from None
        except (ValueError, TypeError):
            hint = "Name a folder, or a URL of a storage that fsspec knows, such as s3://bucket/folder."
            raise InputError("the storage's URL is not one.", hint=hint) from None
        self.is_local = "file" in _protocols(self._files)
        if self.is_local:
            try:
                Path(self._root).mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as problem:
                reason = str(problem.strerror).lower()
                hint = "Give another --storage, or change what is in its place."
                raise OutputError(f"the storage's folder {self._root} cannot be made: {reason}.", hint=hint) from None

    def write(self, name: str, data: bytes) -> None:
        """Keep a blob; on a disk it is written beside its place and renamed into it, so no half file is ever read.

        Raises:
            OutputError: the disk is full.
            UnavailableError: the storage cannot be reached.
        """
        with _translated():
            if self.is_local:
                self._write_file(Path(self._path(name)), data)
            else:
                self._files.pipe_file(self._path(name), data)

    def _write_file(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.parent / f".{secrets.token_hex(6)}.part"
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        """A blob.

        Raises:
            NotFoundError: there is none of that name.
            UnavailableError: the storage cannot be reached.
        """
        with _translated():
            data: bytes = self._files.cat_file(self._path(name))
            return data

    def has(self, name: str) -> bool:
        """Whether there is a blob of that name.

        Raises:
            UnavailableError: the storage cannot be reached.
        """
        with _translated():
            return bool(self._files.exists(self._path(name)))

    def delete(self, name: str) -> None:
        """Remove a blob, or a folder with all that is in it; nothing happens when it is not there.

        Raises:
            UnavailableError: the storage cannot be reached.
        """
        with contextlib.suppress(NotFoundError), _translated():
            self._files.rm(self._path(name), recursive=True)

    def older_than(self, seconds: float) -> list[str]:
        """The names of all blobs, and of leftovers of broken writes, that were last written so long ago."""
        with _translated():
            found = self._files.find(self._root, detail=True)
        limit = time.time() - seconds
        start = len(str(self._root).rstrip("/")) + 1
        return [path[start:] for path, info in found.items() if _written(info) < limit]

    def ping(self) -> bool:
        """Whether it can be written and read."""
        name = f"ping/{secrets.token_hex(6)}"
        try:
            self.write(name, b"1")
            self.delete(name)
        except VestiaryError:
            return False
        return True

    def _path(self, name: str) -> str:
        return f"{str(self._root).rstrip('/')}/{name}"


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _written(info: dict[str, Any]) -> float:
    """When a blob was last written; now, when the storage does not say."""
    moment = info.get("mtime") or info.get("LastModified") or info.get("created")
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if moment else time.time()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Whatever the storage's own client raises, as ours: each client has its own errors."""
    try:
        yield
    except VestiaryError:
        raise
    except FileNotFoundError:
        raise NotFoundError("its pixels are not in the storage any more.", hint="Upload the photo again.") from None
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno in _FULL:
            hint = "Try again later; the service's operator must free some space."
            raise OutputError("the service's storage is full.", hint=hint) from None
        raise UnavailableError("the storage of the service cannot be reached.", hint="Try again later.") from problem
