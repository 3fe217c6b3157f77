"""API keys: made, found, listed, revoked.

A key is 256 random bits, and only their SHA-256 is stored. Slow hashes (bcrypt, Argon2) protect what people choose
and others can guess; 2²⁵⁶ random values cannot be gone through at any speed, so a fast hash gives nothing away and
costs a request nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from vestiary.errors import NotFoundError, OptionError
from vestiary.serve.database import Database, KeyRow
from vestiary.serve.security import PAGE, SCOPES

_MARK = "vst_"  # so that scanners for leaked secrets, and people, know what it is
_NOTED = 60.0  # seconds; `used` is not written more often


@dataclass(frozen=True)
class Key:
    """What is known of a key; never the key itself.

    Attributes:
        id: its name for `revoke`.
        name: who has it, in the operator's words.
        scopes: what it may do.
        rate: requests a minute; None as the service is set.
        created: seconds since 1970, as are `used` and `revoked`.
        used: when it was last seen, to the minute.
        revoked: since when it is of no use.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    rate: int | None
    created: float
    used: float | None = None
    revoked: float | None = None


class Keys:
    """The keys in a service's database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, name: str, scopes: Sequence[str], rate: int | None = None) -> tuple[Key, str]:
        """A new key: what is known of it, and the secret, which is shown this once.

        Raises:
            OptionError: a scope that does not exist, or none.
        """
        unknown = sorted(set(scopes) - {*SCOPES, PAGE})
        if unknown or not scopes:
            hint = f"The scopes are: {', '.join((*SCOPES, PAGE))}."
            raise OptionError(f"no such scope: {', '.join(unknown)}." if unknown else "a key needs a scope.", hint=hint)
        secret = _MARK + secrets.token_urlsafe(32)
        row = KeyRow(
            id=f"k_{secrets.token_hex(8)}",
            name=name[:120],
            hash=_hash(secret),
            scopes=[scope for scope in (*SCOPES, PAGE) if scope in scopes],
            rate=rate,
            created=time.time(),
        )
        with self.database.writing() as session:
            session.add(row)
            session.flush()
            key = _key(row)
        return key, secret

    def find(self, secret: str) -> Key | None:
        """The key that this secret opens; None for a wrong or revoked one. Looked up each time: revoking is immediate.

        The index is searched for the hash, of which a caller can choose no digit, so its time tells nothing.
        """
        with self.database.reading() as session:
            row = session.scalar(select(KeyRow).where(KeyRow.hash == _hash(secret), KeyRow.revoked.is_(None)))
            found = _key(row) if row is not None else None
        if found is not None and (found.used is None or time.time() - found.used > _NOTED):
            self._note(found.id)
        return found

    def _note(self, id: str) -> None:
        with self.database.writing() as session:
            row = session.get(KeyRow, id)
            if row is not None:
                row.used = time.time()

    def all(self) -> list[Key]:
        """All keys, oldest first, the revoked ones too."""
        with self.database.reading() as session:
            return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created))]

    def revoke(self, which: str) -> list[Key]:
        """Make the key of this id, or all keys of this name, useless from now on.

        Raises:
            NotFoundError: there is none.
        """
        with self.database.writing() as session:
            named = select(KeyRow).where((KeyRow.id == which) | (KeyRow.name == which), KeyRow.revoked.is_(None))
            rows = list(session.scalars(named))
            if not rows:
                raise NotFoundError(f"there is no key {which!r} in use.", hint="List them: vestiary keys list")
            for row in rows:
                row.revoked = time.time()
            session.flush()
            return [_key(row) for row in rows]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: KeyRow) -> Key:
    return Key(row.id, row.name, tuple(row.scopes), row.rate, row.created, row.used, row.revoked)
