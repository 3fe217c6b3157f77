"""What the studio adds to the service: its files, the samples, a blind rating; and the port it takes."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("pydantic_settings")
from fastapi import FastAPI
from starlette.testclient import TestClient

from vestiary import samples
from vestiary.cli.studio import listen
from vestiary.evaluation.rating import Poll, Votes, summarize
from vestiary.serve import problems
from vestiary.studio.routes import FOLDER, rating_routes, studio_routes


@pytest.fixture
def client() -> Iterator[Any]:
    app = FastAPI()
    studio_routes(app)
    with TestClient(app) as opened:
        yield opened


def test_the_page_and_every_file_it_names_is_served(client: Any) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "httponly" in page.headers["set-cookie"].lower()
    for file in (FOLDER / "page").rglob("*.*"):
        assert client.get(f"/{file.relative_to(FOLDER)}").status_code == 200


def test_python_is_not_served(client: Any) -> None:
    assert client.get("/routes.py").status_code == 404
    assert client.get("/__init__.py").status_code == 404


def test_every_sample_has_a_photo_and_a_thumb(client: Any) -> None:
    every = client.get("/studio-samples").json()
    assert [entry["name"] for entry in every["garments"]] == list(samples.garments())
    for entry in (*every["people"], *every["garments"]):
        assert client.get(entry["photo"]).status_code == 200
        thumb = PIL.Image.open(io.BytesIO(client.get(entry["thumb"]).content))
        assert max(thumb.size) == 360


def test_the_thumb_of_a_garment_is_cut_out(client: Any) -> None:
    thumb = PIL.Image.open(io.BytesIO(client.get("/studio-samples/garments/tee_floor_phone/thumb").content))
    alpha = np.asarray(thumb.convert("RGBA"))[..., 3]
    assert alpha.min() == 0  # the floor is gone
    assert 0.3 < (alpha > 127).mean() < 0.95


def test_an_unknown_sample_is_not_found(client: Any) -> None:
    assert client.get("/studio-samples/garments/nothing").status_code == 404
    assert client.get("/studio-samples/secrets/mira").status_code == 422


def test_votes_of_the_page_are_counted(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        shutil.copy(samples.people()["mira"], folder / "one.jpg")
    votes = Votes(tmp_path / "votes.db")
    app = FastAPI()
    problems.add_handlers(app)
    studio_routes(app)
    rating_routes(app, Poll(folders, "compare", votes))
    with TestClient(app) as client:
        assert client.get("/studio-samples").json()["rating"] is True  # so the menu names the page
        asked = client.get("/studio-rating/question", params={"rater": "r"}).json()
        assert (asked["index"], asked["total"], asked["done"]) == (0, 1, False)
        shown = client.get("/studio-rating/picture", params={"rater": "r", "index": 0, "which": "left"})
        assert shown.headers["content-type"] == "image/jpeg"
        foreign = {"sec-fetch-site": "cross-site"}
        vote = {"rater": "r", "index": 0, "answer": "tie"}
        assert client.post("/studio-rating/vote", json=vote, headers=foreign).status_code == 403
        assert client.post("/studio-rating/vote", json=vote).json() == {"kept": True}
        assert client.get("/studio-rating/question", params={"rater": "r"}).json()["done"]
    assert summarize(votes)[0]["votes"] == 1


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with listen(0) as first:
        taken = first.getsockname()[1]
        with listen(taken) as second:
            assert second.getsockname()[1] not in (0, taken)
