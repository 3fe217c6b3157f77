"""Batches: failures are reported, interruptions resumed, photos looked at once."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from vestiary.cli.main import main
from vestiary.cli.pairs import from_csv, from_folders
from vestiary.cli.work import Remembered, digest_of
from vestiary.errors import ImageError, InputError
from vestiary.registry import load_engine
from vestiary.types import Fitting

TABLE = (
    "person,garment,garment2,category2,output\nperson.jpg,shirt.png,,,\nperson.jpg,shirt.png,other.jpg,skirt,two.png\n"
)


@pytest.fixture
def at(folder: Path, monkeypatch: pytest.MonkeyPatch, looks: Counter[str]) -> Path:
    monkeypatch.chdir(folder)
    (folder / "pairs.csv").write_text(TABLE + "black.png,shirt.png,,,\nblack.png,other.jpg,,,\ntext.jpg,other.jpg,,,\n")
    return folder


def batch(*more: str) -> int:
    return main(["batch", "pairs.csv", "-o", "out", "--engine", "paste", *more])


def report(path: str = "out/report.csv") -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_goes_on_after_failures_and_says_which(at: Path, looks: Counter[str]) -> None:
    assert batch() == 7
    rows = report()
    assert [row["status"] for row in rows] == ["done", "done", "failed", "failed", "failed"]
    assert [row["code"] for row in rows] == ["", "", "person", "person", "image"]
    assert "no person was found" in rows[2]["message"]
    assert {path.name for path in Path("out").iterdir()} == {"person--shirt.png", "two.png", "report.csv"}
    assert looks == {"person": 2, "garment": 2}, "each photo is looked at once, the hopeless one too"


def test_second_run_skips_what_is_there(at: Path, looks: Counter[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert batch() == 7
    looks.clear()
    assert batch("--json", "--report", "r.json") == 7
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["skipped"], told["failed"]) == (0, 2, 3)
    assert [row["status"] for row in json.loads(Path("r.json").read_text())][:2] == ["skipped", "skipped"]
    assert looks["garment"] == 0


def test_changed_options_inputs_or_redo_fit_again(at: Path) -> None:
    def statuses(*more: str) -> list[str]:
        batch(*more)
        return [row["status"] for row in report()][:2]

    assert statuses() == ["done", "done"]
    assert statuses("--size", "1.5") == ["done", "done"]
    assert statuses("--size", "1.5") == ["skipped", "skipped"]
    assert statuses("--size", "1.5", "--redo") == ["done", "done"]
    Path("other.jpg").write_bytes(Path("person.jpg").read_bytes())
    assert statuses("--size", "1.5") == ["skipped", "done"]
    Path("out/two.png").write_bytes(Path("out/two.png").read_bytes()[:5000])
    Path("out/person--shirt.png").write_bytes(b"")
    assert statuses("--size", "1.5")[0] == "done"


def test_interrupted_batch_reports_and_resumes(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, calls = load_engine("paste"), Counter[str]()
    real = type(engine).fit

    def fit(self: object, *given: object) -> object:
        calls["fit"] += 1
        if calls["fit"] == 2:
            raise KeyboardInterrupt
        return real(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(type(engine), "fit", fit)
    assert batch() == 130
    assert [row["status"] for row in report()] == ["done"]
    assert batch() == 7
    assert [row["status"] for row in report()][:2] == ["skipped", "done"]


def test_folders_give_every_garment_on_every_person(at: Path) -> None:
    for name, inside in (("people", ["person.jpg", "other.jpg"]), ("garments", ["shirt.png"])):
        (at / name).mkdir()
        for file in inside:
            (at / file).rename(at / name / file)
    assert main(["batch", "people", "garments", "-o", "out", "--engine", "paste", "--ending", "jpg"]) == 0
    assert {path.name for path in Path("out").iterdir()} == {"other--shirt.jpg", "person--shirt.jpg", "report.csv"}
    assert main(["batch", "people", "garments", "-o", "out", "--engine", "paste", "--ending", "jpg"]) == 0
    assert [row["status"] for row in report()] == ["skipped", "skipped"]


def test_bugs_in_one_pair_do_not_stop_the_others(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(type(load_engine("paste")), "fit", fit)
    assert batch() == 7
    assert [row["code"] for row in report()] == ["internal", "internal", "person", "person", "image"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'person'"),
        ("person,shirt\na,b\n", "no column 'garment'"),
        ("person,garment,colour\na,b,c\n", "column 'colour'"),
        ("person,garment\n", "no pairs"),
        ("person,garment\na.jpg,\n", "line 2: a person and a garment are needed"),
        ("person,garment,category\na,b,hat\n", "no category 'hat'"),
        ("person,garment,output\na,b,x.png\na,c,x.png\n", "output of two lines"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        from_csv(tmp_path / "t.csv", tmp_path / "out", "png")


def test_semicolons_byte_order_mark_and_same_names(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes("\ufeffPerson;Garment\na.jpg;x/b.jpg\na.jpg;y/b.jpg\n".encode())
    pairs = from_csv(table, Path("out"), "webp")
    assert [str(pair.output) for pair in pairs] == ["out/a--b.webp", "out/a--b-2.webp"]
    assert pairs[1].garments == (tmp_path / "y/b.jpg",)


def test_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        from_folders(tmp_path, tmp_path, tmp_path, "png")


def test_memory_is_bounded_and_remembers_errors() -> None:
    memory, made = Remembered(limit=100), []

    def value(name: str, size: int = 40) -> str:
        return str(memory.get(name, lambda: (made.append(name) or name, size)))

    for name in "ababcba":
        value(name)
    assert made == ["a", "b", "c", "a"]

    def fail() -> tuple[object, int]:
        made.append("bad")
        raise ImageError("no")

    for _ in range(2):
        with pytest.raises(ImageError):
            memory.get("bad", fail)
    assert made.count("bad") == 1


def test_options_that_a_picture_names_otherwise_do_not_make_it_anew(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = type(load_engine("paste"))
    before = engine.fit

    def fit(self: object, *given: object) -> Fitting:
        made = before(self, *given)  # type: ignore[arg-type]
        return replace(made, provenance={**made.provenance, "options": {"weights": "by its name, not its path"}})

    monkeypatch.setattr(engine, "fit", fit)
    for more, expected in (((), "done"), ((), "skipped"), (("--size", "1.5"), "done"), (("--size", "1.5"), "skipped")):
        batch(*more)
        assert [row["status"] for row in report()][:2] == [expected, expected]


def test_what_was_asked_for_is_told_from_what_was_not_and_from_files_that_changed(tmp_path: Path) -> None:
    class Options(BaseModel):
        weights: str = ""
        steps: int = 30

    model = tmp_path / "model"
    model.mkdir()
    (model / "card.json").write_text("{}")
    asked = [Options(), Options(steps=30), Options(steps=4), Options(weights=str(model)), Options(weights="~nobody/x")]
    assert len({digest_of(options) for options in (*asked, *asked)}) == len(asked)
    before = digest_of(asked[3])
    (model / "card.json").write_text("{ }")
    assert digest_of(asked[3]) != before


def test_the_environment_counts_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = load_engine("paste").Options()
    before = digest_of(options)
    monkeypatch.setenv("VESTIARY_DIFFUSION_WEIGHTS", str(tmp_path))
    assert digest_of(options) != before
