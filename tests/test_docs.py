"""The documents: their commands and code run, their links lead somewhere, the generated ones are fresh."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import lying, standing

import vestiary
from vestiary.cli.main import main
from vestiary.images import open_picture

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def commands(path: Path) -> list[str]:
    return re.findall(r"^\$ (.+?)(?:\s+#.*)?$", "".join(blocks(path, "console")), re.MULTILINE)


@pytest.fixture
def at(folder: Path, monkeypatch: pytest.MonkeyPatch, looks: Counter[str]) -> Path:
    """A folder with the files that the README speaks of."""
    for name in ("shirt.jpg", "trousers.jpg"):
        (folder / name).write_bytes((folder / "shirt.png").read_bytes())
    (folder / "pairs.csv").write_text("person,garment\nperson.jpg,shirt.jpg\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_both_readmes_have_the_same_commands_and_code() -> None:
    english, chinese = READMES
    assert commands(english) == commands(chinese)
    strip = [[re.sub(r"#.*", "", code) for code in blocks(path, "python")] for path in READMES]
    assert strip[0] == strip[1]


RUN = [c for c in commands(READMES[0]) if re.match("vestiary (try|scan|garment|batch)", c)]


@pytest.mark.parametrize("command", [c for c in RUN if "--weights" not in c])  # weights are fetched: not from a test
def test_readme_commands_run(command: str, at: Path) -> None:
    _, *order = shlex.split(command)
    engine = ["--engine", "paste"] if order[0] in ("try", "batch") else []  # the stand-ins are too coarse for embedded
    assert main([word for word in order if word != "--tuck"] + engine) == 0
    written = Path(order[order.index("-o") + 1])
    assert written.is_dir() or open_picture(written).image.size


def test_make_targets_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in (*READMES, ROOT / "CONTRIBUTING.md"):
        for command in commands(path):
            if command.startswith("make "):
                assert f"\n{command.split()[1]}:" in makefile


def test_the_engine_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (code,) = blocks(ROOT / "docs/write-an-engine.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    (tmp_path / "sketch_engine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import sketch_engine

    monkeypatch.setattr("vestiary.registry.list_engines", lambda: {"sketch": sketch_engine.SPEC})
    photo = open_picture(folder / "person.jpg").image
    person, garment = standing(photo), lying(open_picture(folder / "shirt.png").image)
    fitting = vestiary.try_on(person, garment, engine="sketch", options={"opacity": 0.5})
    assert (fitting.image[fitting.mask == 0] == photo[fitting.mask == 0]).all()
    assert (fitting.image[fitting.mask > 0] != photo[fitting.mask > 0]).any()


def test_documents_are_finished() -> None:
    for path in DOCUMENTS:
        assert not re.search(r"\b(TODO|FIXME|TBD|XXX)\b", path.read_text(encoding="utf-8"))
