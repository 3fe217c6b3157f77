"""The engine `diffusion` behind the service, with a tiny model: words, a region or another light, and no garment."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from vestiary.diffusion.pictures import WEIGHTS_VARIABLE
from vestiary.images import read_provenance
from vestiary.registry import DIFFUSION
from vestiary.serve.app import create_app
from vestiary.serve.settings import Settings

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(bool(DIFFUSION.missing), reason="needs the extra diffusion"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # diffusers' schedulers
]


@pytest.fixture
def client(looks: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    from vestiary.diffusion.model import tiny_model

    tiny_model().save(tmp_path / "model")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "model"))
    chosen = Settings(database=f"sqlite:///{tmp_path}/v.db", storage=str(tmp_path / "kept"), workers=1, watermark=False)
    with TestClient(create_app(chosen), base_url="http://127.0.0.1:8000") as opened:
        yield opened


@pytest.mark.parametrize(
    "options",
    [
        '{"prompt": "a red t-shirt", "steps": 2}',
        '{"region": "60,80,180,200", "steps": 2}',
        '{"light": "night", "steps": 2}',
    ],
    ids=["words", "region", "light"],
)
def test_it_paints_without_a_garment(client: TestClient, looks: Counter[str], folder: Path, options: str) -> None:
    photo = (folder / "person.jpg").read_bytes()
    form = {"engine": "diffusion", "options": options, "wait": "120"}
    answer = client.post("/v1/fittings", data=form, files={"person": photo}, headers={"Accept": "image/png"})
    assert answer.status_code == 200, answer.text
    record = client.get(f"/v1/fittings/{answer.headers['vestiary-fitting']}").json()
    told = read_provenance(answer.content)
    assert (record["state"], record["garments"], told["garments"]) == ("done", [], [])
    mask = client.get(f"/v1/fittings/{record['id']}/mask").content
    painted, kept = (np.asarray(Image.open(io.BytesIO(data))) for data in (answer.content, mask))
    before = np.asarray(Image.open(folder / "person.jpg").convert("RGB"))
    assert np.array_equal(painted[kept == 0], before[kept == 0])
    assert (painted[kept > 0] != before[kept > 0]).any()
    assert looks["garment"] == 0


def test_a_distilled_student_is_sampled_as_its_card_says(
    client: TestClient, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vestiary.diffusion.card import Distilled
    from vestiary.diffusion.model import tiny_model

    model = tiny_model()
    model.card = model.card.model_copy(update={"distilled": Distilled(steps=3, guidance=1, scheduler="lcm")})
    model.save(tmp_path / "student")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "student"))
    photo = (folder / "person.jpg").read_bytes()
    form = {"engine": "diffusion", "options": '{"prompt": "a red t-shirt", "guidance": 1.0}', "wait": "120"}
    answer = client.post("/v1/fittings", data=form, files={"person": photo}, headers={"Accept": "image/png"})
    assert answer.status_code == 200, answer.text
    told = read_provenance(answer.content)
    assert (told["options"]["steps"], told["options"]["scheduler"]) == (3, "lcm")
    assert told["options_by_the_card"] == ["scheduler", "steps"]
    record = client.get(f"/v1/fittings/{answer.headers['vestiary-fitting']}").json()
    assert record["options"] == {"prompt": "a red t-shirt", "guidance": 1.0}


def test_what_it_cannot_do_is_told_before_the_photo_is_looked_at(
    client: TestClient, looks: Counter[str], folder: Path
) -> None:
    files = {"person": (folder / "person.jpg").read_bytes()}
    answer = client.post("/v1/fittings", data={"engine": "diffusion"}, files=files)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "garment")
    assert "prompt, covers, region, scene, light" in answer.json()["error"]["hint"]
    assert looks["person"] == 0
