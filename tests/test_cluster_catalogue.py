"""Catalogues without a cluster: what is read, cut, fitted, noted and taken up again."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="needs the ray extra")

from bare_rooms import words_known

from vestiary import images
from vestiary.cluster import catalogue
from vestiary.cluster.catalogue import Manifest, Summary, fit_catalogue
from vestiary.cluster.pairs import chunks, read_pairs
from vestiary.cluster.worker import Line, Worker
from vestiary.errors import GarmentError, InputError, OptionError

Run = Callable[..., Summary]
TABLE = """person,garment,garment2,category
person.jpg,shirt.png,,
person.jpg,shirt.png,,
other.jpg,shirt.png,,top
person.jpg,other.jpg,,dress
black.png,shirt.png,,
black.png,other.jpg,,
person.jpg,text.jpg,,
person.jpg,none.png,,
"""


@pytest.fixture
def table(folder: Path) -> Path:
    path = folder / "pairs.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def run(table: Path, looks: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Fit the table as an actor would, in this process."""

    def stream(cut: Sequence[Sequence[Any]], work: Any, actors: int) -> Iterator[Line]:
        worker = Worker(work)
        for chunk in cut:
            for text in worker({"pairs": [json.dumps([asdict(pair) for pair in chunk])]})["line"]:
                given = json.loads(text)
                yield Line(**{**given, "garments": tuple(given["garments"])})

    monkeypatch.setattr(catalogue, "_stream", stream)
    monkeypatch.setattr(catalogue, "connect", lambda address: None)

    def fit(**more: Any) -> Summary:
        return fit_catalogue(table, str(table.parent / "out"), engine="paste", **more)

    return fit


def pictures(table: Path) -> list[Path]:
    return sorted((table.parent / "out/pictures").rglob("*.jpg"))


def test_pairs_are_read_and_each_is_named_once(table: Path) -> None:
    pairs = read_pairs(table, "paste", {})
    assert len(pairs) == 7, "one line is there twice"
    assert {pair.categories for pair in pairs} == {(None,), ("top",), ("dress",)}
    assert {pair.key for pair in pairs}.isdisjoint({pair.key for pair in read_pairs(table, "paste", {"fit": "slim"})})


def test_csv_and_parquet_say_the_same(table: Path) -> None:
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(table), table.with_suffix(".parquet"))
    assert read_pairs(table.with_suffix(".parquet"), "paste", {}) == read_pairs(table, "paste", {})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("person,shirt\na,b\n", InputError),
        ("person,garment\na,\n", InputError),
        ("person,garment,category\na,b,hat\n", OptionError),
        ("", InputError),
    ],
)
def test_tables_that_cannot_serve_are_told(table: Path, text: str, error: type[Exception]) -> None:
    table.write_text(text)
    with pytest.raises(error):
        read_pairs(table, "paste", {})
    with pytest.raises(InputError):
        read_pairs(table.with_name("none.parquet"), "paste", {})


def test_chunks_have_one_person_each(table: Path) -> None:
    cut = chunks(read_pairs(table, "paste", {}), 3)
    assert sorted(map(len, cut)) == [1, 1, 2, 3]
    assert all(len({pair.person for pair in chunk}) == 1 for chunk in cut)


def test_bad_pairs_are_noted_and_the_rest_is_fitted(run: Run, table: Path, looks: Counter[str]) -> None:
    done = run()
    assert (done.pairs, done.done, done.failed, done.skipped) == (7, 3, 4, 0)
    assert looks["person"] == 3, "each photo of a person was looked at once, the bad one too"
    assert looks["garment"] <= 4
    assert len(pictures(table)) == 3
    lines = Manifest(str(table.parent / "out")).lines().values()
    assert Counter(line.code for line in lines) == {"": 3, "person": 2, "image": 2}
    assert {table.parent / "out" / line.picture for line in lines if line.picture} == set(pictures(table))
    assert images.read_provenance(pictures(table)[0])["engine"] == "paste"


def test_a_second_run_does_nothing_twice(run: Run, table: Path, looks: Counter[str]) -> None:
    first = run()
    looks.clear()
    again = run()
    assert (again.skipped, again.done, again.failed, looks) == (first.pairs, 0, 0, {})
    assert run(retry=True).failed == first.failed
    (table.parent / "none.png").write_bytes((table.parent / "shirt.png").read_bytes())
    assert run(retry=True).done == 1, "what failed can be tried again"


def test_an_interrupted_run_is_taken_up(run: Run, table: Path) -> None:
    seen: list[Line] = []

    def stop(line: Line) -> None:
        seen.append(line)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(on_line=stop)
    stamps = {path: path.stat().st_mtime_ns for path in pictures(table)}
    assert run().skipped == 3
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert run().skipped == 7


def test_pictures_whose_lines_were_lost_are_not_made_again(run: Run, table: Path) -> None:
    first = run()
    for part in (table.parent / "out/manifest").iterdir():
        os.unlink(part)
    again = run()
    assert (again.there, again.done, again.failed) == (first.done, 0, first.failed)


def test_pairs_whose_actor_died_are_tried_one_by_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Any = catalogue._stream
    sizes: list[int] = []

    def dying(cut: Sequence[Sequence[Any]], work: Any, actors: int) -> Iterator[Line]:
        sizes.extend(map(len, cut))
        alive = [chunk for chunk in cut if not any(pair.categories == ("dress",) for pair in chunk)]
        yield from whole(alive, work, actors)

    monkeypatch.setattr(catalogue, "_stream", dying)
    lines: list[Line] = []
    done = run(on_line=lines.append)
    assert max(sizes) > 1
    assert sizes[-1] == 1
    assert (done.done, done.failed) == (2, 5)
    assert [line.message for line in lines if line.code == "engine"] == ["the actor that worked on this pair died."]


def test_an_ending_that_does_not_exist_is_refused(run: Run) -> None:
    with pytest.raises(OptionError):
        run(ending="bmp")


def test_garments_may_be_left_out_where_the_engine_needs_none(run: Run, table: Path) -> None:
    table.write_text("person\nperson.jpg\nother.jpg\n")
    output = str(table.parent / "bare")
    with words_known():
        with pytest.raises(InputError, match="lacks a column"):
            run()
        with pytest.raises(GarmentError, match="nothing else to do"):
            fit_catalogue(table, output, engine="words")
        done = fit_catalogue(table, output, engine="words", options={"prompt": "red"})
    assert (done.pairs, done.done, done.failed) == (2, 2, 0)
