"""Blind rating by people: which of two pictures is better, or how good one is from 1 to 5; votes kept in SQLite.

Nothing here knows of pages or servers, so any front end can use it: ask a `Poll` for `question(rater, index)`, show
it, hand the answer to `vote`. The order of the pairs and the sides are shuffled by seed and rater, and no question says
whose picture it shows.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from vestiary.errors import InputError, OutputError
from vestiary.evaluation import statistics
from vestiary.evaluation.summary import read_result

Mode = Literal["compare", "score"]
Choice = Literal["left", "right", "tie"]
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
SCORES = (1, 2, 3, 4, 5)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS polls (id TEXT PRIMARY KEY, mode TEXT, a TEXT, b TEXT, seed INTEGER, made TEXT);
CREATE TABLE IF NOT EXISTS votes (
    poll TEXT NOT NULL, rater TEXT NOT NULL, picture TEXT NOT NULL, system TEXT NOT NULL DEFAULT '',
    answer TEXT NOT NULL, seconds REAL, at TEXT NOT NULL, PRIMARY KEY (poll, rater, picture, system)
);
"""


@dataclass(frozen=True)
class Question:
    """What is shown to a rater.

    Attributes:
        index: which of the rater's questions, from 0.
        total: how many there are.
        picture: the pair's name, without ending.
        left: the picture on the left, or the only one.
        right: the picture on the right; None when scores are asked for.
        references: what may be shown besides, by name: person, garment.
    """

    index: int
    total: int
    picture: str
    left: Path
    right: Path | None
    references: Mapping[str, Path]


class Votes:
    """The file of votes: one SQLite database, each vote committed when it is given.

    Args:
        path: of the database; made if it is not there.

    Raises:
        OutputError: it cannot be opened, or is no database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as database:
            database.executescript(_SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one use: requests come from several threads."""
        database = None
        try:
            database = sqlite3.connect(self.path, timeout=10)
            with database:
                yield database
        except sqlite3.Error as problem:
            hint = "Choose another file with -o."
            raise OutputError(f"votes cannot be kept in {self.path}: {problem}.", hint=hint) from None
        finally:
            if database is not None:
                database.close()

    def begin(self, poll: Poll) -> None:
        """Note what the poll is about; what is known already stays."""
        row = (poll.id, poll.mode, str(poll.folders[0]), str(poll.folders[-1]), poll.seed, _now())
        with self._open() as database:
            database.execute("INSERT OR IGNORE INTO polls VALUES (?, ?, ?, ?, ?, ?)", row)

    def put(self, poll: str, rater: str, picture: str, system: str, answer: str, seconds: float | None) -> None:
        """Keep a vote; a second one of the same rater on the same picture replaces the first."""
        row = (poll, rater, picture, system, answer, seconds, _now())
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def of(self, poll: str, rater: str) -> dict[tuple[str, str], str]:
        """(picture, system) → answer: what a rater has voted already."""
        with self._open() as database:
            query = "SELECT picture, system, answer FROM votes WHERE poll = ? AND rater = ?"
            rows = database.execute(query, (poll, rater))
            return {(picture, system): answer for picture, system, answer in rows}

    def polls(self) -> list[tuple[str, str, str, str]]:
        """id, mode, and the two folders of every poll in the file."""
        with self._open() as database:
            return list(database.execute("SELECT id, mode, a, b FROM polls ORDER BY made, id"))

    def all(self, poll: str) -> list[tuple[str, str, str, str]]:
        """rater, picture, system, answer of every vote of a poll."""
        with self._open() as database:
            query = "SELECT rater, picture, system, answer FROM votes WHERE poll = ? ORDER BY rater, picture, system"
            return list(database.execute(query, (poll,)))


class Poll:
    """The questions about the pictures of one or two systems.

    Args:
        folders: one folder per system; pictures of the same name (without ending) belong together.
        mode: "compare" two systems, or "score" each picture from 1 to 5.
        votes: where answers go.
        seed: of the order and the sides.
        references: kind → pictures by name that are shown besides; see `references_of`.

    Raises:
        InputError: a folder is missing or empty, or the two have no name in common.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        mode: Mode,
        votes: Votes,
        *,
        seed: int = 0,
        references: Mapping[str, Mapping[str, Path]] | None = None,
    ) -> None:
        if mode == "compare" and len(folders) != 2:
            raise InputError("comparing needs two folders.", hint="Hand in DIR_A and DIR_B, or choose --mode score.")
        self.folders, self.mode, self.votes, self.seed = tuple(folders), mode, votes, seed
        self.pictures = [pictures_of(folder) for folder in folders]
        names = set(self.pictures[0]).intersection(*self.pictures[1:])
        if not names:
            hint = "Give the pictures of a pair the same name in both."
            raise InputError(f"{' and '.join(map(str, folders))} have no picture in common.", hint=hint)
        self.names = sorted(names)
        self._references = dict(references or {})
        parts = [mode, *(str(folder.resolve()) for folder in folders)]
        self.id = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        votes.begin(self)

    def order(self, rater: str) -> list[tuple[str, int]]:
        """The rater's questions: the picture, and which system is on the left, or is shown (0 or 1)."""
        chance = random.Random(f"{self.seed} {self.id} {rater}")
        if self.mode == "compare":
            asked = [(name, chance.randrange(2)) for name in self.names]
        else:
            asked = [(name, system) for name in self.names for system in range(len(self.folders))]
        chance.shuffle(asked)
        return asked

    def question(self, rater: str, index: int) -> Question:
        """One of the rater's questions.

        Raises:
            InputError: there is no question of that number.
        """
        asked = self.order(rater)
        if not 0 <= index < len(asked):
            raise InputError(f"there is no question {index}.", hint=f"There are {len(asked)}, from 0.")
        name, system = asked[index]
        right = self.pictures[1 - system][name] if self.mode == "compare" else None
        references = {kind: files[name] for kind, files in self._references.items() if name in files}
        return Question(index, len(asked), name, self.pictures[system][name], right, references)

    def next_index(self, rater: str) -> int:
        """The rater's first question without an answer; the number of questions when all are answered."""
        given = self.votes.of(self.id, rater)
        asked = self.order(rater)
        return next((i for i, entry in enumerate(asked) if self._key(*entry) not in given), len(asked))

    def vote(self, rater: str, index: int, answer: Choice | int, *, seconds: float | None = None) -> None:
        """Keep the rater's answer to a question at once.

        Args:
            rater: who votes.
            index: of the question.
            answer: "left", "right" or "tie"; or a score from 1 to 5.
            seconds: how long it took.

        Raises:
            InputError: no such question, or no such answer.
        """
        self.question(rater, index)
        name, system = self.order(rater)[index]
        kept = str(answer)
        if self.mode == "compare":
            if answer not in ("left", "right", "tie"):
                raise InputError(f"{answer!r} is no answer.", hint="Choose left, right or tie.")
            kept = "tie" if answer == "tie" else "ab"[system if answer == "left" else 1 - system]
        elif answer not in SCORES:
            raise InputError(f"{answer!r} is no score.", hint="Choose a whole number from 1 to 5.")
        self.votes.put(self.id, rater, *self._key(name, system), kept, seconds)

    def _key(self, name: str, system: int) -> tuple[str, str]:
        return name, "" if self.mode == "compare" else "ab"[system]


def pictures_of(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by name without ending; of an evaluation's folder, those in `pictures`.

    Raises:
        InputError: no such folder, or no picture in it.
    """
    place = folder / "pictures" if (folder / "pictures").is_dir() and (folder / "pairs").is_dir() else folder
    if not place.is_dir():
        raise InputError(f"{folder} is not a folder.", hint="Hand in the folder with a system's pictures.")
    found = {file.stem: file for file in sorted(place.iterdir()) if file.suffix.lower() in ENDINGS}
    if not found:
        raise InputError(f"{folder} holds no pictures.", hint=f"Known endings: {', '.join(ENDINGS)}.")
    return found


def references_of(folder: Path) -> dict[str, dict[str, Path]]:
    """Person and garment of every picture in an evaluation's folder, by the picture's name; empty for other folders."""
    try:
        pairs = read_result(folder)["pairs"]
    except InputError:
        return {}
    shown = [(Path(pair["picture"]).stem, pair["inputs"]) for pair in pairs if pair["picture"]]
    return {kind: {name: Path(inputs[kind]["file"]) for name, inputs in shown} for kind in ("person", "garment")}


def summarize(votes: Votes) -> list[dict[str, Any]]:
    """Every poll of a file: preference or mean opinion scores with 95 % intervals, and counts per rater; JSON-ready."""
    found = []
    for poll, mode, a, b in votes.polls():
        rows = votes.all(poll)
        raters = sorted({rater for rater, _, _, _ in rows})
        counts = {rater: sum(row[0] == rater for row in rows) for rater in raters}
        head = {"poll": poll, "mode": mode, "a": a, "b": b, "votes": len(rows), "raters": counts}
        found.append(head | (_preference(rows) if mode == "compare" else _scores(rows)))
    return found


def _preference(rows: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """How often B was preferred, of all votes that were no tie: a share with its Wilson interval."""
    answers = [answer for _, _, _, answer in rows]
    a, b = answers.count("a"), answers.count("b")
    return {
        "a_wins": a,
        "b_wins": b,
        "ties": answers.count("tie"),
        "b_preferred": statistics.wilson(b, a + b).as_dict(),
    }


def _scores(rows: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """Mean opinion score of each system: the mean over pictures of their mean scores, with its bootstrap interval."""
    found = {}
    for system in sorted({system for _, _, system, _ in rows}):
        by_picture: dict[str, list[int]] = {}
        for _, picture, owner, answer in rows:
            if owner == system:
                by_picture.setdefault(picture, []).append(int(answer))
        means = [sum(scores) / len(scores) for scores in by_picture.values()]
        found[system] = statistics.bootstrap(means).as_dict() | {"votes": sum(map(len, by_picture.values()))}
    return {"mean_opinion_score": found}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
