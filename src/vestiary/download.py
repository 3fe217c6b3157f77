"""Large files from the network: resumed after a break, verified, and moved into place whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from vestiary.errors import WeightsError

if TYPE_CHECKING:
    import httpx

# Called with the bytes so far and the bytes in all.
OnProgress = Callable[[int, int], None]

ATTEMPTS = 4
TIMEOUT = 30.0


class Unreachable(WeightsError):
    """The file cannot be had from that address just now."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, target: Path, *, sha256: str, size: int, on_progress: OnProgress | None = None) -> None:
    """Bring a file here, going on where an earlier try broke off; the target appears whole and verified, or not at all.

    Args:
        url: `https:`, `http:` or `file:`.
        target: where the file goes; until then its bytes are kept beside it as `.part`.
        sha256: hex; a file with another hash is thrown away.
        size: bytes that it should have.
        on_progress: called while it comes.

    Raises:
        Unreachable: it does not come.
        WeightsError: it is not the file that it should be.
    """
    part = target.with_name(target.name + ".part")
    if urlsplit(url).scheme == "file":
        _copy(url, part)
    else:
        _fetch(url, part, size, on_progress or (lambda done, total: None))
    if (found := sha256_of(part)) != sha256:
        part.unlink()
        raise WeightsError(
            f"{target.name} came with SHA-256 {found}, but should have {sha256}; it was thrown away.",
            hint="Try again; if it comes the same, the place it comes from serves another file.",
        )
    os.replace(part, target)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that one process at a time works on what it stands for. Even a crash lets it go."""
    with path.open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


def _copy(url: str, part: Path) -> None:
    source = url2pathname(urlsplit(url).path)
    try:
        shutil.copyfile(source, part)
    except OSError as problem:
        raise Unreachable(f"{source} cannot be copied: {problem.strerror}.") from None


def _fetch(url: str, part: Path, size: int, on_progress: OnProgress) -> None:
    import httpx

    for attempt in range(ATTEMPTS):
        try:
            with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
                _go_on(client, url, part, size, on_progress)
        except httpx.HTTPStatusError as problem:
            status = problem.response.status_code
            raise Unreachable(f"{urlsplit(url).hostname} answers {status} for {part.stem}.") from None
        except httpx.HTTPError as problem:
            if attempt == ATTEMPTS - 1:
                raise Unreachable(f"{part.stem} does not come through: {problem or type(problem).__name__}.") from None
            time.sleep(0.2 * 2**attempt)
        if _size(part) >= size:
            return
    raise Unreachable(
        f"{part.stem} breaks off after {_size(part)} of {size} bytes.", hint="Try again; it goes on there."
    )


def _go_on(client: httpx.Client, url: str, part: Path, size: int, on_progress: OnProgress) -> None:
    """Ask for the bytes that are still missing, or for all of them if the server cannot do that."""
    done = _size(part)
    if done >= size:
        return
    # A compressed answer would make the byte range mean something else.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            part.unlink()
            return
        response.raise_for_status()
        resumed = response.status_code == 206
        done = done if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                done += len(chunk)
                on_progress(done, size)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


if os.name == "nt":
    import msvcrt

    def _lock(file: Any) -> None:
        while True:
            file.seek(0)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
                return
            except OSError:  # it gives up after ten seconds
                continue

    def _unlock(file: Any) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _lock(file: Any) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: Any) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
