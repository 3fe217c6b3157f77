"""The HTTP service on the real one: fittings of the samples, hostile uploads, idempotency keys."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

import numpy as np
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vestiary import samples
from vestiary.images import read_provenance
from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings

SHOP = "http://shop.example"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that asks for keys."""
    folder = tmp_path_factory.mktemp("service")
    chosen = Settings(
        host="0.0.0.0",
        database=f"sqlite:///{folder}/v.db",
        storage=str(folder / "pictures"),
        nudity="off",
        rate_per_minute=100_000,
        workers=1,
    )
    with TestClient(create_app(chosen), base_url=SHOP) as one:
        yield one


def key(client: TestClient, name: str) -> dict[str, str]:
    _, secret = client.app.state.keys.create(name, ["read", "write", "delete", "metrics"])  # type: ignore[attr-defined]
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def mine(client: TestClient) -> dict[str, str]:
    return key(client, "mine")


@pytest.fixture(scope="module")
def things(client: TestClient, mine: dict[str, str]) -> dict[str, str]:
    """Ids of a person, a garment, a batch and a finished fitting."""
    ids = {}
    for kind, photo in (("people", "mira.jpg"), ("garments", "tee_white.jpg")):
        answer = client.post(f"/v1/{kind}", files={"photo": small(photo)}, headers=mine)
        assert answer.status_code == 201, answer.text
        ids[kind] = answer.json()["id"]
    form = {"person_id": ids["people"], "garment_id": ids["garments"], "engine": "paste", "wait": "120"}
    answer = client.post("/v1/fittings", data=form, headers={**mine, "Accept": "application/json"})
    assert answer.json()["state"] == "done", answer.text
    ids["fittings"] = answer.json()["id"]
    pairs = {"pairs": [{"person": ids["people"], "garments": [ids["garments"]]}], "engine": "paste"}
    ids["batches"] = client.post("/v1/batches", json=pairs, headers=mine).json()["id"]
    return ids


def small(name: str) -> bytes:
    """A sample as a small JPEG."""
    picture = Image.open(Path(samples.__file__).parent / name).convert("RGB")
    picture.thumbnail((400, 400))
    data = io.BytesIO()
    picture.save(data, "JPEG")
    return data.getvalue()


@pytest.mark.parametrize("engine", ["paste", "embedded"])
def test_two_photos_give_a_picture(client: TestClient, mine: dict[str, str], tmp_path: Path, engine: str) -> None:
    files = {"person": small("jonas.jpg"), "garment": small("tee_white.jpg")}
    form = {"engine": engine, "wait": "120"}
    answer = client.post("/v1/fittings", files=files, data=form, headers={**mine, "Accept": "image/png"})
    assert answer.status_code == 200, answer.text
    (tmp_path / "a.png").write_bytes(answer.content)
    record = client.get(f"/v1/fittings/{answer.headers['vestiary-fitting']}", headers=mine).json()
    assert read_provenance(tmp_path / "a.png")["engine"] == engine == record["engine"]
    photo = client.get(f"/v1/people/{record['person']}/picture", headers={**mine, "Accept": "image/png"})
    mask = client.get(f"/v1/fittings/{record['id']}/mask", headers=mine)
    before, after, edited = (np.array(Image.open(io.BytesIO(one.content))) for one in (photo, answer, mask))
    assert (before[edited == 0] == after[edited == 0]).all()
    assert (before != after).any()


@settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["people", "garments"]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=0, max_size=8)), min_size=1, max_size=6),
    end=st.floats(0, 1),
    name=st.text(max_size=20),
)
def test_damaged_uploads_are_no_fault(
    client: TestClient, mine: dict[str, str], kind: str, cuts: list[tuple[float, bytes]], end: float, name: str
) -> None:
    data = bytearray(_SEED[kind])
    for place, junk in cuts:
        at = int(place * len(data))
        data[at : at + len(junk)] = junk
    sent = bytes(data[: max(1, int(end * len(data)))])
    name = re.sub(r"[\x00-\x1f\ud800-\udfff]", "", name) or "a"
    answer = client.post(f"/v1/{kind}", files={"photo": (name, sent)}, headers=mine)
    assert answer.status_code < 500, answer.text
    if answer.status_code == 201:
        client.delete(answer.headers["location"], headers=mine)


_SEED = {"people": small("mira.jpg"), "garments": small("tee_white.jpg")}


def test_a_key_is_written_down_together_with_what_it_made(
    client: TestClient, mine: dict[str, str], things: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed right after the fitting was queued must not make it a second time."""
    from vestiary.serve.idempotency import Ledger

    def killed(*_: object) -> None:
        raise SystemError("killed")

    form = {"person_id": things["people"], "garment_id": things["garments"], "engine": "paste", "wait": "0"}
    given_key = {"Idempotency-Key": "told-once"}
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_settle", killed)
        assert client.post("/v1/fittings", data=form, headers=mine | given_key).status_code == 500
    made = {one["id"] for one in client.get("/v1/fittings", headers=mine).json()}
    again = client.post("/v1/fittings", data=form, headers=mine | given_key | {"Accept": "application/json"})
    assert again.json()["id"] in made
