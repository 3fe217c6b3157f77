"""A shop that gives a signing key: every picture that leaves carries content credentials, or does not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("c2pa")

from fastapi.testclient import TestClient
from test_trust_credentials import identity

from vestiary import samples
from vestiary.errors import OptionError
from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings
from vestiary.trust.credentials import verify


def shop(folder: Path, **more: Path) -> Settings:
    return Settings(database=f"sqlite:///{folder}/v.db", storage=str(folder / "pictures"), **more)


def test_pictures_are_signed_and_what_cannot_be_signed_is_not_offered(tmp_path: Path) -> None:
    places = tmp_path / "key.pem", tmp_path / "chain.pem"
    for place, content in zip(places, identity(), strict=True):
        place.write_bytes(content)
    settings = shop(tmp_path, signing_key=places[0], signing_certificate=places[1])
    files = {
        "person": samples.people()["mira"].read_bytes(),
        "garment": samples.garments()["tee_white"].read_bytes(),
    }
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        answer = client.post("/v1/fittings", files=files, data={"engine": "paste"}, headers={"Accept": "image/jpeg"})
        assert answer.status_code == 200, answer.text
        report = verify(answer.content, "image/jpeg")
        assert report.state == "valid"
        assert report.provenance["engine"] == "paste"
        place = answer.headers["Content-Location"]
        assert client.get(place, headers={"Accept": "image/jxl"}).status_code == 406
        assert (
            client.get(place, headers={"Accept": "image/jxl, image/webp;q=0.1"}).headers["Content-Type"] == "image/webp"
        )


def test_a_key_that_cannot_sign_stops_the_start(tmp_path: Path) -> None:
    key, _ = identity()
    _, chain = identity()
    for name, content in (("key.pem", key), ("chain.pem", chain)):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(OptionError, match="belong"):
        create_app(shop(tmp_path, signing_key=tmp_path / "key.pem", signing_certificate=tmp_path / "chain.pem"))
    with pytest.raises(OptionError, match="certificate"):
        create_app(shop(tmp_path, signing_key=tmp_path / "key.pem"))
    with pytest.raises(OptionError, match="cannot be read"):
        create_app(shop(tmp_path, signing_key=tmp_path / "none.pem", signing_certificate=tmp_path / "chain.pem"))
