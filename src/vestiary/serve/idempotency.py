"""Idempotency keys: what a caller sends twice, because the first answer was lost on the way, is done once.

What is written down is not an answer but the id of the thing that was made; the answer is made anew from it. So a
repeat is cheap, shows the present state, and ends with the thing itself: nothing of it outlives what was deleted.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vestiary.errors import ConflictError, NotFoundError, OptionError
from vestiary.serve.database import Database, IdempotencyRow
from vestiary.serve.fittings import Note

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_KEPT = 24 * 3600.0  # seconds during which a key is remembered
_LEASE = 60.0  # seconds after which a request that never ended (its process died) no longer holds its key
_PATIENCE = 10.0  # seconds that a second request waits for the first
_LOOK = 0.05
_VALID = re.compile(r"[\x21-\x7e]{1,128}")


def digest(kind: str, *parts: Any) -> str:
    """The fingerprint (SHA-256, hex) of a request: two requests are the same when their fingerprints are."""
    whole = hashlib.sha256(kind.encode())
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, ensure_ascii=False).encode()
        whole.update(hashlib.sha256(type(part).__name__.encode() + b":" + data).digest())
    return whole.hexdigest()


class Ledger:
    """The keys of all callers, in the service's database, so that every host of the service knows them."""

    def __init__(self, database: Database, *, patience: float = _PATIENCE) -> None:
        self.database, self.patience = database, patience

    def once(self, owner: str, key: str | None, asked: str, make: Callable[[], str]) -> str:
        """The id of what this request makes, or has made already.

        Args:
            owner: who asks; keys of two owners have nothing to do with each other.
            key: the idempotency key; without one everything is made anew.
            asked: the request's `digest`.
            make: does it; when it fails, the key is free again.

        Raises:
            OptionError: the key is none.
            ConflictError: the key came with another request; or the first request with it is still under way.
        """
        if key is None:
            return make()
        if not _VALID.fullmatch(key):
            raise OptionError("that is no idempotency key.", hint="Send 1 to 128 letters, digits or signs, no spaces.")
        until = time.monotonic() + self.patience
        while (done := self._claim(owner, key, asked)) is not None:
            if done:
                return done
            if time.monotonic() > until:
                raise ConflictError("the first request with this key is still under way.", hint="Send it again later.")
            time.sleep(_LOOK)
        try:
            made = make()
        except BaseException:
            self._release(owner, key)
            raise
        self._settle(owner, key, made)
        return made

    def note(self, owner: str, key: str | None) -> Note | None:
        """What writes down, in the very transaction that makes a thing, that it was made with this key.

        With it a process that is killed leaves both or neither; `once` alone writes the key down a moment later.
        """
        if key is None:
            return None

        def write(session: Session, made: str) -> None:
            self._write(session, owner, key, made)

        return write

    def _claim(self, owner: str, key: str, asked: str) -> str | None:
        """None when the key is ours now; else what was made with it, empty while that is under way."""
        now = time.time()
        fresh = IdempotencyRow(
            owner=owner, key=key, request=asked, status=None, answer=None, created=now, expires=now + _LEASE
        )
        try:
            with self.database.writing() as session:
                row = session.get(IdempotencyRow, (owner, key))
                if row is not None and row.expires > now:
                    if row.request != asked:
                        hint = "Use a new key for each new request."
                        raise ConflictError("this idempotency key came with another request before.", hint=hint)
                    return row.answer or ""
                session.merge(fresh)
        except NotFoundError:  # the row was written by another host between our look and our write
            return ""
        return None

    def _settle(self, owner: str, key: str, made: str) -> None:
        with self.database.writing() as session:
            self._write(session, owner, key, made)

    @staticmethod
    def _write(session: Session, owner: str, key: str, made: str) -> None:
        row = session.get(IdempotencyRow, (owner, key))
        if row is not None:
            row.answer, row.status, row.expires = made, 201, time.time() + _KEPT

    def _release(self, owner: str, key: str) -> None:
        with self.database.writing() as session:
            row = session.get(IdempotencyRow, (owner, key))
            if row is not None:
                session.delete(row)
