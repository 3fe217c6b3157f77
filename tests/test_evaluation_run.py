"""The bench end to end, with stand-ins for the recognisers: records, resume, failures, result, page, comparison."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vestiary.cli.main import EXIT_SOME_FAILED, main
from vestiary.errors import InputError, OptionError
from vestiary.evaluation import compare, lite0, maker, run, summary
from vestiary.evaluation.summary import read_result

PAIRS = 10


@pytest.fixture
def data(tmp_path: Path, looks: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ten people, garments, true photos, and `pairs.csv`; features are taken small to save time."""
    monkeypatch.setattr(lite0, "AREA", 128 * 96)
    rng = np.random.default_rng(0)
    rows = ["person,garment,category,target"]
    for i in range(PAIRS):
        for kind, size in (("person", (240, 320)), ("garment", (200, 220)), ("target", (240, 320))):
            noise = rng.integers(30, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
            Image.fromarray(noise).resize(size).save(tmp_path / f"{kind}{i}.png")
        rows.append(f"person{i}.png,garment{i}.png,top,target{i}.png")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    return tmp_path


def evaluate(data: Path, out: str, *more: str) -> int:
    return main(
        ["evaluate", "--engine", "paste", "--pairs", str(data / "pairs.csv"), "-o", str(data / out), "--json", *more]
    )


def test_a_result_names_everything(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(data, "out", "--option", "size=1.2") == 0
    printed = json.loads(capsys.readouterr().out)
    result = read_result(data / "out")
    assert {key: printed[key] for key in result if key != "pairs"} == {k: v for k, v in result.items() if k != "pairs"}
    assert result["system"]["name"] == "paste"
    assert result["system"]["options"] == {"size": 1.2}
    assert result["system"]["weights"]["lite0"]
    assert result["protocol"] == {"name": "own", "setting": "paired", "size": "own", "repaint": False}
    assert re.fullmatch(r"[0-9a-f]{64}", result["data"]["fingerprint"])
    assert result["origin"]["command"].startswith("vestiary")
    assert {"date", "machine", "commit", "libraries"} <= set(result["origin"])
    assert set(result["versions"]) >= {"pixels", "lite0", "detail"}
    assert result["counts"] == {"pairs": PAIRS, "done": PAIRS, "refused": 0, "crashed": 0, "unreadable": 0}
    for name in ("psnr", "ssim", "ms_ssim", "lite0_distance", "texture_kept", "outside_max", "seconds"):
        found = result["measures"][name]
        assert found["low"] <= found["value"] <= found["high"]
        assert found["count"] == PAIRS
    assert result["measures"]["outside_max"]["high"] == 0
    assert set(result["set_measures"]) == {"lite0_frechet", "lite0_kid"}
    assert "fid" in result["absent"]
    assert result["slices"]["category"]["top"]["count"] == PAIRS
    for pair in result["pairs"]:
        assert (data / "out" / pair["picture"]).is_file()


def test_the_page_holds_everything_itself(data: Path) -> None:
    evaluate(data, "out")
    page = (data / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 18  # best, median and worst by three measures or more
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page
    assert "color-scheme: light dark" in page
    for words in ("Lite0 distance", "Failures", "Slices", "Fingerprint", "offline stand-in"):
        assert words in page


def test_a_killed_run_goes_on(data: Path, looks: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real, fits = maker.EngineMaker.make, Counter[str]()

    def dying(self: maker.EngineMaker, sample: object, photo: np.ndarray) -> maker.Made:
        fits["made"] += 1
        if fits["made"] == 5:
            raise KeyboardInterrupt
        return real(self, sample, photo)

    monkeypatch.setattr(maker.EngineMaker, "make", dying)
    assert evaluate(data, "out") == 130
    assert not (data / "out" / "result.json").exists()
    assert evaluate(data, "out") == 0
    assert fits["made"] == PAIRS + 1
    whole = read_result(data / "out")
    assert evaluate(data, "out") == 0
    assert fits["made"] == PAIRS + 1  # nothing was left to do
    again = read_result(data / "out")
    assert again["measures"] == whole["measures"]
    (data / "out" / "pictures" / "person3--garment3.png").unlink()
    assert evaluate(data, "out", "--option", "size=1.0") == 0
    assert fits["made"] == PAIRS + 2
    assert evaluate(data, "out", "--option", "size=1.3") == 0
    assert fits["made"] == 2 * PAIRS + 2  # another option is another result


def test_failures_are_counted_and_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (240, 320)).save(data / "person2.png")  # the stand-in sees nobody in black
    (data / "garment4.png").write_bytes((data / "garment4.png").read_bytes()[:300])
    (data / "target5.png").write_text("no picture")
    assert evaluate(data, "out") == EXIT_SOME_FAILED
    result = json.loads(capsys.readouterr().out)
    assert result["counts"] == {"pairs": PAIRS, "done": 7, "refused": 1, "crashed": 0, "unreadable": 2}
    assert result["failure_rate"]["value"] == pytest.approx(1 / 8)
    said = {failure["name"]: failure["message"] for failure in result["failures"]}
    assert "no person" in said["person2--garment2"]
    assert "garment4.png is cut short or damaged" in said["person4--garment4"]
    assert "target5.png" in said["person5--garment5"]
    assert "no person was found" in (data / "out" / "report.html").read_text()


def test_a_crash_is_a_failure(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(maker.EngineMaker, "make", broken)
    assert evaluate(data, "out", "--limit", "2") == EXIT_SOME_FAILED
    result = read_result(data / "out")
    assert result["counts"]["crashed"] == 2
    assert result["failures"][0]["message"] == "unexpected ZeroDivisionError: division by zero"


def test_pictures_of_another_system(data: Path) -> None:
    """The truth itself as results: everything at its best; named by person, in another size and format."""
    made = data / "theirs"
    made.mkdir()
    for i in range(PAIRS - 1):
        truth = cv2.imread(str(data / f"target{i}.png"))
        cv2.imwrite(str(made / f"person{i}.png"), truth)
    order = ["evaluate", "--results", str(made), "--name", "oracle", "--pairs", str(data / "pairs.csv")]
    assert main([*order, "-o", str(data / "out")]) == EXIT_SOME_FAILED
    result = read_result(data / "out")
    assert result["system"]["name"] == "oracle"
    assert result["counts"]["done"] == PAIRS - 1
    assert "person9--garment9" in result["failures"][0]["message"]
    assert result["measures"]["ssim"]["value"] == pytest.approx(1)
    assert result["measures"]["lite0_distance"]["value"] == 0
    assert result["set_measures"]["lite0_frechet"]["value"] == pytest.approx(0, abs=1e-6)
    assert "outside_max" in result["absent"]


def test_unpaired_has_no_truth(data: Path) -> None:
    assert evaluate(data, "out", "--setting", "unpaired", "--limit", "3") == 0
    result = read_result(data / "out")
    assert "ssim" not in result["measures"]
    assert "no true photo" in result["absent"]["ssim"]
    assert "texture_kept" in result["measures"]
    assert all("target" not in pair["inputs"] for pair in result["pairs"])


def test_comparison(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = data / "theirs"
    made.mkdir()
    for i in range(PAIRS):
        (made / f"person{i}--garment{i}.png").write_bytes((data / f"target{i}.png").read_bytes())
    evaluate(data, "ours")
    main(["evaluate", "--results", str(made), "--pairs", str(data / "pairs.csv"), "-o", str(data / "oracle")])
    found = compare.compare(data / "ours", data / "oracle" / "result.json")
    assert found["pairs"] == PAIRS
    assert found["same_pairs"]
    for name in ("ssim", "psnr", "lite0_distance"):
        row = found["measures"][name]
        assert row["better"] == "second"
        assert row["second_wins"] == PAIRS
        low, high = row["difference"]["low"], row["difference"]["high"]
        assert low <= row["second"] - row["first"] <= high
    assert found["set_measures"]["lite0_frechet"]["better"] == "second"
    same = compare.compare(data / "ours", data / "ours")
    assert {row["better"] for row in same["measures"].values()} == {"undecided"}
    capsys.readouterr()
    assert main(["evaluate", "compare", str(data / "ours"), str(data / "oracle")]) == 0
    assert "theirs" in capsys.readouterr().out


def test_protocols_never_mix(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(data, "one", "--limit", "2")
    evaluate(data, "other", "--limit", "2", "--setting", "unpaired")
    with pytest.raises(InputError, match="a different setting: paired and unpaired"):
        compare.compare(data / "one", data / "other")
    text = (data / "one" / "result.json").read_text()
    (data / "third.json").write_text(text.replace('"own"', '"viton-hd-1024x768"', 1))
    with pytest.raises(InputError, match="follow protocols: own and viton-hd"):
        compare.compare(data / "one", data / "third.json")
    (data / "fourth.json").write_text(text.replace('"pixels": "1"', '"pixels": "0"'))
    with pytest.raises(InputError, match="different code: pixels"):
        compare.compare(data / "one", data / "fourth.json")
    capsys.readouterr()
    assert main(["evaluate", "compare", str(data / "one"), str(data / "other"), "--json"]) == 2
    assert "never mix" in json.loads(capsys.readouterr().out)["error"]["hint"]


def test_wrong_orders_are_answered(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for order, words in (
        (["--protocol", "viton-hd-1024x768"], "is for viton-hd, not pairs-csv"),
        (["--option", "size"], "not of the form KEY=VALUE"),
        (["--option", "colour=red"], "The options are: size"),
        (["--engine", "nobody"], "no engine is called 'nobody'"),
        (["--results", str(data / "nothing")], "is not a folder"),
    ):
        assert evaluate(data, "out", *order) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert words in f"{error['message']} {error['hint']}"
    assert main(["evaluate", "--json"]) == 2
    assert "--pairs is needed" in capsys.readouterr().out
    (data / "note.json").write_text('{"format": "something else"}')
    with pytest.raises(InputError, match="not a result"):
        summary.read_result(data / "note.json")


def test_names_become_file_names() -> None:
    assert run.safe_name("000001_00") == "000001_00"
    assert run.safe_name("upper/1") != run.safe_name("upper 1")
    assert "/" not in run.safe_name("upper/1")


def test_viton_hd_from_folder_to_result(tmp_path: Path, looks: Counter[str]) -> None:
    """The repaint protocol on a miniature tree: its size, its mask, its caution."""
    rng = np.random.default_rng(0)
    for place in ("image", "cloth", "agnostic-mask"):
        (tmp_path / "test" / place).mkdir(parents=True)
    for i in range(3):
        noise = rng.integers(30, 255, (32, 24, 3), np.uint8)
        for place in ("image", "cloth"):
            Image.fromarray(noise).resize((768, 1024)).save(tmp_path / "test" / place / f"{i:05}_00.jpg")
        mask = np.zeros((1024, 768), np.uint8)
        mask[300:700, 250:500] = 255
        Image.fromarray(mask).save(tmp_path / "test" / "agnostic-mask" / f"{i:05}_00_mask.png")
    (tmp_path / "test_pairs.txt").write_text("".join(f"{i:05}_00.jpg {(i + 1) % 3:05}_00.jpg\n" for i in range(3)))
    order = ["evaluate", "--engine", "paste", "--pairs", str(tmp_path), "-o", str(tmp_path / "out")]
    assert main([*order, "--protocol", "viton-hd-512x384-repaint"]) == 0
    result = read_result(tmp_path / "out")
    assert result["protocol"]["size"] == [384, 512]
    assert result["pairs"][0]["size"] == [384, 512]
    assert any("greyed out" in caution for caution in result["cautions"])
    photo = cv2.imread(str(tmp_path / "test" / "image" / "00000_00.jpg"))
    made = cv2.imread(str(tmp_path / "out" / result["pairs"][0]["picture"]))
    small = cv2.resize(photo, (384, 512), interpolation=cv2.INTER_AREA)
    assert np.abs(made[:60].astype(int) - small[:60]).max() <= 1


def test_repainting_without_a_mask_is_refused(data: Path) -> None:
    from vestiary.evaluation.protocol import get

    picture = np.zeros((512, 384, 3), np.uint8)
    with pytest.raises(OptionError, match="repaints"):
        get("dresscode-512x384-repaint").judged(picture, picture, None)
    with pytest.raises(OptionError, match="Choose one of"):
        get("viton")
