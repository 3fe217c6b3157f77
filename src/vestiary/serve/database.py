"""The service's database: SQLite in a file, or PostgreSQL by URL; migrated to the code's tables when it is opened."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from vestiary.errors import InputError, MissingExtraError, NotFoundError, OutputError, UnavailableError, VestiaryError
from vestiary.serve.tables import BatchRow, FittingRow, GarmentRow, IdempotencyRow, KeyRow, PersonRow, Table

__all__ = [
    "BatchRow",
    "Database",
    "FittingRow",
    "GarmentRow",
    "IdempotencyRow",
    "KeyRow",
    "PersonRow",
    "Table",
]

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 10_000  # how long a writer of SQLite waits for another one
_MIGRATION_LOCK = 0x7E571A  # one process migrates at a time (PostgreSQL's advisory lock)


class Database:
    """Sessions on the database, with its own errors turned into ours."""

    def __init__(self, url: str) -> None:
        """Open the database and bring its tables up to date.

        Raises:
            UnavailableError: it cannot be reached.
            InputError: the URL is none, the file is something else, or the database was made by a newer version.
            MissingExtraError: the driver is not installed.
        """
        self.engine = _open(url)
        try:
            with translated(), self.engine.connect() as connection:
                migrate(connection.execution_options(write=True))
        except UnavailableError as problem:
            self.engine.dispose()
            told = _explained(problem, str(self.engine.url.database)) if self.is_sqlite else problem
            if told is problem:
                raise
            raise told from problem
        except BaseException:
            self.engine.dispose()
            raise

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or not at all.

        Raises:
            UnavailableError: the database cannot be reached.
            OutputError: its disk is full.
            NotFoundError: a row that another one refers to has gone.
        """
        with translated(), Session(self.engine, expire_on_commit=False) as session:
            session.connection(execution_options={"write": True})
            yield session
            session.commit()

    def ping(self) -> bool:
        """Whether it answers."""
        try:
            with self.reading() as session:
                session.execute(text("SELECT 1"))
        except (UnavailableError, OutputError):
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """The driver's errors as ours."""
    try:
        yield
    except IntegrityError:
        raise NotFoundError("what this refers to was deleted meanwhile.", hint="Upload it again.") from None
    except (DBAPIError, PoolTimeout) as problem:
        reason = str(getattr(problem, "orig", None) or "no connection is free")
        if "disk is full" in reason or "No space left" in reason:
            hint = "Try again later; the service's operator must free some space."
            raise OutputError("the service's disk is full.", hint=hint) from None
        raise UnavailableError("the database of the service cannot be reached.", hint="Try again later.") from problem


def _open(url: str) -> Engine:
    try:
        place = make_url(url)
        if place.drivername in ("postgresql", "postgres"):
            place = place.set(drivername="postgresql+psycopg")
        if place.get_backend_name() != "sqlite":
            return create_engine(place, pool_pre_ping=True, pool_size=8, max_overflow=24, pool_timeout=10)
    except (ArgumentError, NoSuchModuleError):
        hint = "Write sqlite:////folder/file.db or postgresql://user:password@host/name."
        raise InputError("the database's URL is not one.", hint=hint) from None
    except ImportError:
        hint = 'Type: pip install "vestiary[postgres]"'
        raise MissingExtraError("the database's driver is not installed.", hint=hint) from None
    if not place.database or place.database == ":memory:":
        hint = "Write sqlite:////folder/file.db."
        raise InputError("the service needs a database in a file.", hint=hint)
    _make_place(Path(place.database).absolute())
    engine = create_engine(place, pool_size=8, max_overflow=-1, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _make_place(path: Path) -> None:
    """The folder for a database's file. The file itself is not opened: closing it would drop the locks of SQLite."""
    if path.is_dir():
        hint = f"Name a file in it: --database sqlite:///{path / 'vestiary.db'}"
        raise InputError(f"the database {path} is a folder.", hint=hint)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise UnavailableError(f"{path.parent} cannot be made: {reason}.", hint="Choose another --database.") from None


def _explained(problem: UnavailableError, path: str) -> VestiaryError:
    """Why SQLite cannot open its file, where that will not pass by itself."""
    reason = str(getattr(problem.__cause__, "orig", ""))
    if "not a database" in reason:
        hint = "Name another file with --database; one that is not there yet is made."
        return InputError(f"the file {path} is not a database of SQLite.", hint=hint)
    if "unable to open" in reason or "readonly" in reason:
        hint = "Check the permissions of the file and of its folder, or choose another --database."
        return UnavailableError(f"the database {path} cannot be opened: {reason}.", hint=hint)
    return problem


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    """WAL: readers never wait for a writer. NORMAL: no commit is lost when a process is killed, and the file stays
    whole when the power goes, though the last commits may then be missing; FULL would cost an fsync per commit.
    """
    connection.isolation_level = None  # transactions begin as `_begin` says, not as the driver guesses
    cursor = connection.cursor()
    for line in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes the lock at once: a reader that turns writer fails when somebody else wrote meanwhile."""
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def migrate(connection: Connection) -> None:
    """Bring the tables up to date in one transaction; others that start at the same time wait.

    Raises:
        InputError: the database was made by a newer version.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = ScriptDirectory.from_config(config)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        current = MigrationContext.configure(connection).get_current_revision()
        if current == known.get_current_head():
            return
        if current is not None and current not in {script.revision for script in known.walk_revisions()}:
            hint = "Update Vestiary, or name another --database."
            raise InputError("the database was made by a newer version of Vestiary.", hint=hint)
        command.upgrade(config, "head")
