"""`vestiary verify`: provenance, watermark and signature of a picture, as words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vestiary import samples
from vestiary.cli.main import main
from vestiary.images import open_picture, save_picture
from vestiary.trust.watermark import embed, payload_of


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = cv2.resize(open_picture(next(iter(samples.people().values()))).image, (600, 800))
    mask = np.zeros((800, 600), np.uint8)
    mask[150:500, 150:450] = 255
    path = tmp_path_factory.mktemp("verify") / "out.jpg"
    save_picture(embed(image, mask, payload_of("7")), path, provenance={"engine": "embedded", "vestiary": "1.2"})
    return path


def test_json_tells_all_that_is_in_a_picture(marked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tmp_path / "plain.png"
    save_picture(np.full((200, 200, 3), 90, np.uint8), plain)
    assert main(["verify", str(marked), str(plain), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["provenance"] == {"engine": "embedded", "vestiary": "1.2"}
    assert first["watermark"]["payload"] == payload_of("7").hex()
    assert first["credentials"]["state"] in ("none", "not checked")
    assert second["provenance"] is None
    assert second["watermark"] is None


def test_words_for_people_and_an_error_for_what_is_no_picture(
    marked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(marked)]) == 0
    said = capsys.readouterr().out
    assert "embedded 1.2" in said
    assert payload_of("7").hex() in said
    (tmp_path / "text.png").write_text("no picture")
    assert main(["verify", str(tmp_path / "text.png")]) == 2
    assert "not a picture" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == 2
    assert "vestiary verify FOLDER/*.jpg" in capsys.readouterr().err


def test_one_bad_file_does_not_lose_what_is_said_of_the_others(
    marked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "text.png"
    bad.write_text("no picture")
    assert main(["verify", str(bad), str(marked), "--json"]) == 7
    first, second = json.loads(capsys.readouterr().out)
    assert "not a picture" in first["error"]["message"]
    assert second["provenance"] == {"engine": "embedded", "vestiary": "1.2"}
    assert main(["verify", str(bad), str(marked)]) == 7
    assert "not a picture" in (said := capsys.readouterr().out)
    assert "embedded 1.2" in said


@pytest.mark.usefixtures("looks")
def test_try_can_hide_the_face(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = np.full((320, 240, 3), 7, np.uint8)
    monkeypatch.setattr("vestiary.person.anonymize.hide_face", lambda person: hidden)
    names = [str(folder / name) for name in ("person.jpg", "shirt.png")]
    out = folder / "out.png"
    assert main(["try", *names, "-o", str(out), "--engine", "paste", "--anonymize"]) == 0
    assert (open_picture(out).image[:20] == 7).all()
