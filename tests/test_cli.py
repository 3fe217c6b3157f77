"""The command line: results, exit codes, and nothing half-written whatever goes wrong."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from vestiary import samples
from vestiary.cli import options
from vestiary.cli.main import COMMANDS, cli, main
from vestiary.images import MAX_PIXELS, open_picture, read_provenance
from vestiary.registry import EngineSpec, list_engines, load_engine

PASTE = ["--engine", "paste"]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def at(folder: Path, monkeypatch: pytest.MonkeyPatch, looks: Counter[str]) -> Path:
    """The current folder is the one with the pictures."""
    monkeypatch.chdir(folder)
    return folder


def test_try_writes_the_picture_and_keeps_standard_output_clean(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", "person.jpg", "shirt.png", "-o", "out.png", *PASTE]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "out.png: top on 240 x 320 pixels" in said.err
    assert open_picture("out.png").image.shape == (320, 240, 3)


def test_try_json_tells_what_the_picture_carries(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ["try", "person.jpg", "shirt.png", "other.jpg", "-o", "out.png", *PASTE, "--size", "1.2", "--json"]
    assert main([*order, "--category", "top", "--category", "trousers", "--layers", "steps"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["provenance"] == read_provenance("out.png")
    assert answer["provenance"]["options"] == {"size": 1.2}
    assert [worn["category"] for worn in answer["provenance"]["garments"]] == ["top", "trousers"]
    assert sorted(answer["layers"]) == sorted(str(path) for path in Path("steps").iterdir())
    assert len(answer["layers"]) == 8


def test_same_input_and_options_give_the_same_bytes(at: Path) -> None:
    for name in ("a.png", "b.png"):
        assert main(["try", "person.jpg", "shirt.png", "-o", name, *PASTE]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


BAD = {
    "text": (["text.jpg", "shirt.png"], 2, "image"),
    "empty": (["empty.jpg", "shirt.png"], 2, "image"),
    "cut short": (["cut.jpg", "shirt.png"], 2, "image"),
    "missing": (["person.jpg", "none.png"], 2, "image"),
    "folder": (["person.jpg", "."], 2, "image"),
    "dot": (["person.jpg", "dot.png"], 2, "image"),
    "too large": (["person.jpg", "shirt.png", "--max-pixels", "1000"], 2, "image"),
    "nobody": (["black.png", "shirt.png"], 2, "person"),
    "no second person": (["person.jpg", "shirt.png", "--person", "2"], 2, "person"),
    "no garment": (["person.jpg", "black.png"], 2, "garment"),
    "no such engine": (["person.jpg", "shirt.png", "--engine", "magic"], 2, "engine-unknown"),
    "no such option": (["person.jpg", "shirt.png", "--wings"], 2, "usage"),
    "option out of bounds": (["person.jpg", "shirt.png", "--size", "9"], 2, "usage"),
    "categories too few": (["person.jpg", "shirt.png", "other.jpg", "--category", "top"], 2, "usage"),
    "no garment named": (["person.jpg"], 2, "usage"),
    "a folder to write to": (["person.jpg", "shirt.png", "-o", "."], 3, "output"),
    "unknown ending": (["person.jpg", "shirt.png", "-o", "out.bmp"], 3, "output"),
    "no such folder": (["person.jpg", "shirt.png", "-o", "none/out.png"], 3, "output"),
    "output is the input": (["person.jpg", "shirt.png", "-o", "person.jpg"], 3, "output"),
    "layers into a file": (["person.jpg", "shirt.png", "--layers", "text.jpg"], 3, "output"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_message_and_leaves_no_file(name: str, at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order, exit_code, code = BAD[name]
    order = ["try", "-o", "out.png", *PASTE, *order]
    before = files(at)
    assert main(order) == exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("vestiary: ")
    assert said.err.count("vestiary: ") == 1
    assert "Traceback" not in said.err
    assert main([*order, "--json"]) == exit_code
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == code
    assert error["exit_code"] == exit_code
    assert error["hint"], "a message says what to do next"
    assert files(at) == before


@pytest.mark.parametrize("name", ["try", "batch", "verify", "weights"])
def test_a_command_alone_says_what_it_needs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    said = capsys.readouterr()
    assert "Missing argument" in said.err or "Usage" in said.err


def test_an_option_of_an_engine_that_is_not_installed_says_how_to_install_it(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = EngineSpec("far", "far:Engine", "not here", needs=("no_such_module",), install='pip install "vestiary[far]"')
    monkeypatch.setattr("vestiary.registry.list_engines", lambda: {"far": spec})
    order = ["try", "person.jpg", "shirt.png", "-o", "out.png", "--engine", "far", "--weights", "x"]
    assert main(order) == 4
    assert 'pip install "vestiary[far]"' in capsys.readouterr().err


def test_wrong_options_are_told_before_any_photo_is_looked_at(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ["try", "person.jpg", "shirt.png", "-o", "out.png", "--engine", "embedded", "--background", "Pink"]
    assert main(order) == 2
    said = capsys.readouterr().err
    assert "option 'background': 'Pink' is no background" in said
    assert "looking at" not in said


@pytest.mark.parametrize(
    ("problem", "exit_code", "words"),
    [(KeyboardInterrupt(), 130, "nothing is half written"), (RuntimeError("boom"), 70, "fault of Vestiary")],
)
def test_interruption_and_bugs_leave_no_file(
    at: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
    exit_code: int,
    words: str,
) -> None:
    def fit(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(load_engine("paste"), "fit", fit)
    before = files(at)
    order = ["try", "person.jpg", "shirt.png", "-o", "out.png", *PASTE]
    assert main(order) == exit_code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert files(at) == before
    if exit_code == 70:
        assert main([*order, "--debug"]) == 70
        assert "RuntimeError: boom" in capsys.readouterr().err


def test_scan_and_garment_describe_what_they_see(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "person.jpg", "--json", "--layers", "steps"]) == 0
    person = json.loads(capsys.readouterr().out)
    assert (person["width"], person["height"], person["facing"]) == (240, 320, "front")
    assert person["pose"]["left_shoulder"] == [156.0, 80.0, 0.0, 0.9]
    assert main(["garment", "shirt.png", "--category", "skirt", "--json"]) == 0
    garment = json.loads(capsys.readouterr().out)
    assert garment["category"] == "skirt"
    assert set(garment["landmarks"]) == {"waist_left", "waist_right"}
    assert main(["scan", "person.jpg"]) == 0
    assert "facing        the camera" in capsys.readouterr().out
    assert main(["garment", "shirt.png"]) == 0
    assert "category  top (100%)" in capsys.readouterr().out


def test_cards_are_drawn(at: Path) -> None:
    assert main(["scan", "person.jpg", "-o", "scan.png"]) == 0
    assert main(["garment", "shirt.png", "-o", "card.png"]) == 0
    for name in ("scan.png", "card.png"):
        assert min(open_picture(name).image.shape[:2]) > 100


@pytest.mark.parametrize("engine", [name for name, spec in list_engines().items() if not spec.missing])
def test_flags_are_the_engines_options(engine: str) -> None:
    fields = load_engine(engine).Options.model_fields
    derived = {param.name: param for param in options.engine_options(engine, set())}
    assert set(derived) == {options.PREFIX + name for name in fields if name != options.LAYERS}
    for name, field in fields.items():
        if name != options.LAYERS:
            param = derived[options.PREFIX + name]
            assert isinstance(param, click.Option)
            assert param.default == field.default
            assert param.help == field.description, "every option is described"


def test_size_limit_is_the_librarys() -> None:
    command = cli.get_command(click.Context(cli), "try")
    assert command is not None
    (limit,) = (param.default for param in command.params if param.name == "max_pixels")
    assert limit == MAX_PIXELS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_what_the_list_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module(f"vestiary.cli.{COMMANDS[name][0]}").command.name == name
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: vestiary {name}" in text


def test_help_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(summary in shown for _, summary in COMMANDS.values())
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("vestiary 0.")
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err
    assert main(["fly"]) == 2
    assert "No such command 'fly'" in capsys.readouterr().err


def test_engines_lists_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines"]) == 0
    shown = capsys.readouterr().out
    assert "paste: scales the cut-out" in shown
    assert "--size" in shown
    assert main(["engines", "paste", "--json"]) == 0
    (paste,) = json.loads(capsys.readouterr().out)
    assert paste["installed"] is True
    assert "size" in paste["options"]["properties"]
    assert main(["engines", "magic"]) == 2


def test_weights_list_and_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--json"]) == 0
    listed = {entry["name"] for entry in json.loads(capsys.readouterr().out)}
    assert "pose_detection" in listed
    assert main(["weights", "path", "none"]) == 5
    assert "Choose one of" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_VESTIARY_COMPLETE" in capsys.readouterr().out


def test_engine_names_and_options_are_completed() -> None:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(cli, {}, "vestiary", "_VESTIARY_COMPLETE")
    assert {item.value for item in complete.get_completions(["try", "--engine"], "p")} == {"paste"}
    flags = {item.value for item in complete.get_completions(["try", "--engine", "paste"], "--s")}
    assert flags == {"--size"}
    assert complete.get_completions(["try", "--engine", "unfinished"], "--si") == []


def test_picture_outside_the_mask_is_the_photo(at: Path) -> None:
    assert main(["try", "person.jpg", "shirt.png", "-o", "out.png", *PASTE, "--layers", "steps"]) == 0
    with Image.open(next(Path("steps").glob("*-mask.png"))) as picture:
        mask = np.array(picture)
    before, after = open_picture("person.jpg").image, open_picture("out.png").image
    assert np.array_equal(before[mask == 0], after[mask == 0])
    assert not np.array_equal(before, after)


def test_demo_makes_a_page_with_all_its_pictures(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-o", "made/demo", *PASTE]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == at / "made/demo/index.html"
    text = page.read_text(encoding="utf-8")
    pictures = set(re.findall(r'(?:src|href)="([^"]+)"', text))
    assert len(pictures) > 10
    assert all((page.parent / picture).is_file() for picture in pictures)
    assert "<script" not in text


def test_demo_goes_on_after_a_pair_that_cannot_be_fitted(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (person, worn), *_ = samples.pairs()
    monkeypatch.setattr(samples, "pairs", lambda: [(person, worn), (person, ("dark",))])
    photos = samples.garments() | {"dark": at / "black.png"}
    facts = samples.garment_facts() | {"dark": {"category": "top"}}
    monkeypatch.setattr(samples, "garments", lambda: photos)
    monkeypatch.setattr(samples, "garment_facts", lambda: facts)
    assert main(["demo", "-o", "made", *PASTE, "--json"]) == 7
    told = json.loads(capsys.readouterr().out)
    assert len(told["fittings"]) == 1
    assert [failure["code"] for failure in told["failures"].values()] == ["garment"]
    assert "no garment was found" in Path("made/index.html").read_text(encoding="utf-8")
