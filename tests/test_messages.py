"""What is said when something cannot be used names the file, the garment or the cause, and what this caller can do."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import lying, standing
from PIL import Image

import vestiary
from vestiary.engines.embedded import check_outfit
from vestiary.errors import (
    GarmentError,
    ImageError,
    InputError,
    OptionError,
    PersonError,
    UnavailableError,
    WeightsError,
)

NOISE = np.random.default_rng(1).integers(30, 255, (200, 160, 3), np.uint8)


def test_clashing_garments_are_named(looks: object, folder: Path) -> None:
    shirt, unnamed = vestiary.read_garment(folder / "shirt.png", category="top"), lying(NOISE, "dress")
    with pytest.raises(GarmentError, match=r"^\S*/shirt\.png \(top\) and garment 2 \(dress\) cannot be worn together"):
        check_outfit(standing(NOISE), [shirt, unnamed])


def test_clashing_garments_of_a_service_are_named(looks: object, folder: Path) -> None:
    pytest.importorskip("sqlalchemy")
    from vestiary.serve.service import Service
    from vestiary.serve.settings import Settings

    service = Service(
        Settings(database=f"sqlite:///{folder}/v.db", storage=str(folder / "kept"), cache_mb=0, workers=1)
    )
    service.start()
    try:
        person = service.add_person("me", (folder / "person.jpg").read_bytes()).id
        one, other = (service.add_garment("me", (folder / "shirt.png").read_bytes()).id for _ in range(2))
        fitting = service.add_fitting("me", person, [one, other])
        error = service.wait("me", fitting.id, 120).error
        assert error is not None
        assert error.message.startswith(f"{one} (top) and {other} (top) cannot be worn together")
    finally:
        service.close()


def test_a_photo_that_shows_nothing_is_named_where_it_has_a_name(looks: object, folder: Path) -> None:
    black = folder / "black.png"
    with pytest.raises(PersonError, match=r"^\S*/black\.png: no person was found in this photo\."):
        vestiary.scan_person(black)
    with black.open("rb") as file, pytest.raises(GarmentError, match=r"^\S*/black\.png: no garment was found"):
        vestiary.read_garment(file)
    for nameless in (black.read_bytes(), io.BytesIO(black.read_bytes()), Image.open(io.BytesIO(black.read_bytes()))):
        with pytest.raises(PersonError, match=r"^no person was found"):
            vestiary.scan_person(nameless)


def test_too_many_pixels_say_what_a_caller_of_the_service_can_do(looks: object, folder: Path) -> None:
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from vestiary.serve.app import create_app
    from vestiary.serve.settings import Settings

    place = {"database": f"sqlite:///{folder}/v.db", "storage": str(folder / "kept")}
    with TestClient(create_app(Settings(max_pixels=10_000, **place)), base_url="http://127.0.0.1:8000") as client:
        for kind in ("people", "garments"):
            answer = client.post(f"/v1/{kind}", files={"photo": (folder / "person.jpg").read_bytes()})
            assert (answer.status_code, answer.json()["error"]["code"]) == (415, "image")
            assert "the limit is 10,000" in answer.json()["error"]["message"]
            assert "such as to 100 x 100" in answer.json()["error"]["hint"]
            assert "--max-pixels" not in answer.text
    with pytest.raises(ImageError, match="--max-pixels"):  # who uses the library can raise it
        vestiary.scan_person(folder / "person.jpg", max_pixels=10_000)


def test_a_database_that_is_none_says_what_it_is(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    from vestiary.serve.database import Database

    with pytest.raises(InputError, match=r"is a folder\. Name a file in it: --database sqlite:///.*/vestiary\.db"):
        Database(f"sqlite:///{tmp_path}")
    (tmp_path / "notes.txt").write_text("this is no database, however long one looks at it\n" * 40)
    with pytest.raises(InputError, match=r"notes\.txt is not a database of SQLite\. Name another file"):
        Database(f"sqlite:///{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_text().startswith("this is no database")


def test_a_database_that_cannot_be_reached_says_what_its_driver_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from vestiary.serve import database

    def locked(connection: object) -> None:
        raise sqlalchemy.exc.OperationalError("BEGIN", {}, Exception("database is locked"))

    monkeypatch.setattr(database, "migrate", locked)
    with pytest.raises(UnavailableError) as told:
        database.Database(f"sqlite:///{tmp_path}/v.db")
    assert "database is locked" in str(told.value.__cause__)


@pytest.mark.parametrize("engine", ["diffusion", "fashn", "catvton-flux"])
@pytest.mark.parametrize("weights", ["a" * 300, "~nobodyatall/model", "there/is\0none"])
def test_weights_of_impossible_names_are_not_found(engine: str, weights: str) -> None:
    from vestiary.diffusion import published

    with pytest.raises((WeightsError, OptionError)):
        published.check(weights, engine=engine)


def test_the_command_line_names_the_engines_that_need_no_garment() -> None:
    order = [sys.executable, "-m", "vestiary", "try", "me.jpg", "-o", "out.png", "--json"]
    done = subprocess.run(order, capture_output=True, text=True)
    assert done.returncode == 2
    told = done.stdout + done.stderr
    assert "Missing argument 'GARMENT...'" in told, told
    assert "Engines that need none: diffusion." in told, json.dumps(told)


def test_a_home_of_nobody_is_a_name_like_any_other() -> None:
    from vestiary.engines.in_turn import weights_asked_for

    assert weights_asked_for("~nobodyatall/model", "theirs") == "~nobodyatall/model"
